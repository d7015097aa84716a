#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connect/kafka/client.h"
#include "core/base/bytes.h"
#include "core/base/fault_point.h"
#include "core/env/env.h"
#include "engine/dataflow/sink.h"

namespace supyo::connect::kafka {

/// Records of one shard and epoch, as the commit handle has them: u8 layout (1), u32 shard, then for each record u8 flags (1 = key, 2 = value, 4 = headers),
/// i64 timestamp in ms, key (varint length and bytes), value, headers (as on the wire).
class StagedRecords {
 public:
  static void begin(std::string& out, std::uint32_t shard);
  static constexpr std::uint8_t kHasKey = 1, kHasValue = 2, kHasHeaders = 4;
  struct Record {
    std::optional<std::string_view> key, value;
    std::string_view headers;
    std::int64_t timestamp_ms = 0;
  };
  /// Reads a handle from its start.
  explicit StagedRecords(std::string_view handle);
  std::uint32_t shard() const { return shard_; }
  bool next(Record& record);      ///< false at the end, or when the bytes are no handle
  bool failed() const { return reader_.failed() || bad_; }

 private:
  ByteReader reader_;
  std::uint32_t shard_ = 0;
  bool bad_ = false;
};

struct SenderConfig {
  const StreamSinkConfig& sink;   // outlives the sender
  std::string transactional_id;
  std::string epochs_group;       ///< its committed offset on partition 0 of the topic is the last epoch that is in the topic
  std::string job_id;             ///< in the offset's metadata
  Epoch last_final;               ///< when the job('s attempt) began
};

/// Sends epochs, each in one transaction, from a thread of its own: the client's transactional calls wait for the broker.
///
/// Opening fences earlier producers of the same transactional id (the broker ends what they left open), and reads the epoch that was committed last. Whatever a
/// commit's answer was, after a failure the sender opens anew, looks, and sends the same bytes again only if they are not there: docs/design/kafka-sink.md.
/// One a sink; methods may be called from several threads; the destructor waits for the thread (a running call of the client: at most about a second).
class EpochSender {
 public:
  EpochSender(SenderConfig config, const env::Env& env);
  ~EpochSender();
  EpochSender(const EpochSender&) = delete;
  EpochSender& operator=(const EpochSender&) = delete;

  /// Whether epochs may become final: the topic is there, others are fenced, and the broker has a number to compare with.
  Result<bool> ready();
  /// The last final epoch of before is visible, and later ones are not wanted: from here on only new epochs come.
  void recovered(Epoch last);
  /// Starts to send epoch `e`, or asks how it goes: kPending until it is there. An error ends the sender.
  Result<dataflow::CommitOutcome> send(Epoch e, const std::vector<dataflow::CommitHandle>& handles);

 private:
  enum class Step : std::uint8_t { kDone, kOpenAgain, kStopped };
  struct Job {
    Epoch epoch;
    std::vector<std::string> handles;
  };

  void run();
  Status work();
  Status open();
  Result<std::optional<Epoch>> look();
  Status send_now(const Job& job, dataflow::CommitOutcome& outcome);
  Step attempt(const Job& job, Status& error);
  Step put_records(const Job& job, Status& error);
  Step note_epoch(Epoch e, Status& error);
  Step end_transaction(Status& error);
  Step begin_transaction(Status& error);
  Step after_failure(ClientError failure, std::string_view doing, bool in_transaction, Status& error);
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  std::int32_t partition_for(std::uint32_t shard);
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque);

  const SenderConfig config_;
  env::Env env_;
  std::atomic<bool> stop_ = false;

  std::mutex mutex_;
  std::optional<Job> job_;                     // asked for, or being sent
  std::optional<dataflow::CommitOutcome> outcome_;
  std::optional<Error> error_;
  bool ready_ = false;
  std::optional<Epoch> recovered_;

  // Of the thread.
  struct Deliveries : Listener {
    using Listener::Listener;
    std::mutex refused_mutex;
    std::string refused;                        // why the broker will never take a record; empty: nothing of the kind
  };
  Deliveries listener_;
  Owned<rd_kafka_t> producer_;
  std::optional<Epoch> committed_;             // what the broker says
  std::int32_t partitions_ = 1;
  std::int32_t next_partition_ = 0;
  TimeUs failing_since_us_ = 0;

  std::unique_ptr<env::Thread> thread_;        // last: joined before anything else goes
};

}  // namespace supyo::connect::kafka
