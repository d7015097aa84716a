#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connect/kafka/group_consumer.h"
#include "core/base/result.h"
#include "core/env/env.h"

/// What `supyo consume` does with records: takes them, handles them, commits them, in an order that one can choose and that decides what a crash costs.
namespace supyo::cli {

enum class CommitOrder : std::uint8_t {
  kBefore,   ///< taken, committed, handled: a crash loses what was committed and not handled
  kAfter,    ///< handled, made durable, committed: a crash repeats what was handled and not committed
  kTxn,      ///< the position is kept with the results, atomically: a crash does neither
  kAuto,     ///< the client's own automatic commit, as librdkafka does by default: it commits what it handed out, handled or not
  kJava,     ///< as Java's client with enable.auto.commit: at a poll, what the polls before returned
};

struct ConsumeOptions {
  CommitOrder commit = CommitOrder::kAfter;
  DurationUs sleep_us = 0;                      ///< handling a record takes so long
  DurationUs commit_interval_us = kSecond;      ///< kAfter, kTxn, kJava
  std::size_t batch = 1;                        ///< records taken at once
  std::uint64_t max = 0;                        ///< ends after so many; 0: never
  std::string out = {};                         ///< file that gets the value of each handled record, a line each
};

/// The results in a file, a line a record. One thread.
class ResultFile {
 public:
  /// Appends to `path`; a last line without its end (a kill in the middle of it) is cut off. With `positions`, `path`.position says how much of the file counts and where
  /// reading goes on: what lies behind is cut off. kBadOptionValue when the file has records and no positions are kept beside it, or those of another source.
  static Result<std::unique_ptr<ResultFile>> open(env::Files& files, const std::string& path, bool positions, const std::string& source);

  /// In the file when it returns; durable after sync().
  Status append(std::string_view value);
  /// What was appended goes up to here: commit() keeps it beside the results.
  void reached(std::int32_t partition, std::int64_t next) { positions_[partition] = next; }
  Status sync();
  /// Makes the results and the positions that go with them durable, together.
  Status commit();
  /// Next offset by partition, after what is in the file now. A rebalance does not change it: what comes again is there already.
  const std::map<std::int32_t, std::int64_t>& positions() const { return positions_; }

 private:
  ResultFile(env::Files& files, std::string path, std::string source) : files_(files), path_(std::move(path)), source_(std::move(source)) {}
  Status read_positions();
  Status write_positions();
  Status cut_torn_line();

  env::Files& files_;
  std::string path_, source_;
  std::unique_ptr<env::File> file_;
  std::uint64_t size_ = 0;
  bool dirty_ = false;
  std::map<std::int32_t, std::int64_t> positions_;
  std::string line_;   // reused
};

/// One partition in this member's hands.
struct ConsumedPartition {
  bool owned = false;
  std::int64_t position = -1;      ///< next to handle; -1: nothing was handled yet
  std::int64_t committed = -1;     ///< as far as this member committed it
  std::uint64_t handled = 0;
  std::uint64_t lost = 0;          ///< offsets that were not in the log any more when it came to them
  std::uint64_t gaps = 0;          ///< offsets that were never records for us: markers of transactions, aborted records, compaction
  std::uint64_t again = 0;         ///< records that had come before
};

struct ConsumeTotals {
  std::uint64_t handled = 0, bytes = 0, lost = 0, gaps = 0, again = 0, skipped = 0, commits = 0, failed_commits = 0, rebalances = 0, resets = 0;
  DurationUs handling_us = 0;
};

/// Takes, handles and commits until it is stopped, has handled `max`, or an error ends it. One thread.
class ConsumeLoop {
 public:
  struct Hooks {
    std::function<bool()> stopped;                                        ///< asked often
    std::function<void()> tick;                                           ///< called often: several times a second, also while a record is being handled
    std::function<void(const connect::GroupEvent&)> event;                ///< after it was counted
  };
  ConsumeLoop(const env::Env& env, connect::GroupConsumer& consumer, ConsumeOptions options, Hooks hooks, ResultFile* out);

  /// At a clean end everything that was handled is committed, and nothing that was not. Errors: those of the consumer, kOffsetOutOfRange with reset = error; storage errors of the file.
  Status run();

  const std::map<std::int32_t, ConsumedPartition>& partitions() const { return partitions_; }
  const ConsumeTotals& totals() const { return totals_; }

 private:
  struct Taken {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::string value = {};
  };
  /// A jump over records that were gone: [from, to).
  struct Jump {
    std::int64_t from = 0, to = 0;
  };
  bool ended() const;
  /// Its events tell what became of commits: our calls wait only where what follows depends on it, since a broker that is gone would keep them for long.
  bool events_tell_commits() const { return options_.commit != CommitOrder::kBefore; }
  Status take();
  void take_events();
  void note_event(const connect::GroupEvent& event);
  void note_taken(const Taken& taken);
  Status handle(const Taken& taken);
  bool pause(DurationUs us);
  Status commit_taken();
  Status commit_handled(bool now);
  Status finish();
  void wait_for_commits();
  void note_commit(std::int32_t partition, std::int64_t offset, const Status& done);

  env::Env env_;
  connect::GroupConsumer& consumer_;
  ConsumeOptions options_;
  Hooks hooks_;
  ResultFile* out_;
  std::vector<Taken> taken_;       ///< reused; the first taken_count_ are this round's
  std::size_t taken_count_ = 0, handled_of_taken_ = 0;
  std::map<std::int32_t, ConsumedPartition> partitions_;
  std::map<std::int32_t, std::int64_t> expected_;           ///< offset of the next record to come
  std::map<std::int32_t, std::vector<Jump>> jumps_;         ///< told, and not come to yet
  ConsumeTotals totals_;
  TimeUs committed_us_ = 0;
  std::int64_t unanswered_ = 0;   ///< commits that were sent
};

}  // namespace supyo::cli
