#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/groups.h"
#include "serve/broker/api.h"
#include "serve/broker/config.h"
#include "serve/broker/journal.h"

namespace supyo::broker {

using TopicPartition = std::pair<std::string, std::int32_t>;

enum class TransactionState : std::uint8_t {
  kEmpty,            ///< a producer, no transaction
  kOngoing,
  kPrepareCommit,    ///< decided: markers are being written
  kPrepareAbort,
  kCompleteCommit,
  kCompleteAbort,
};
const char* transaction_state_name(TransactionState state);

/// What is known of a transactional id. All of it is in the journal.
struct TransactionEntry {
  std::string id;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::int32_t timeout_ms = 0;
  TransactionState state = TransactionState::kEmpty;
  std::set<TopicPartition> partitions;
  std::map<std::string, log::GroupCommits> groups;   ///< offsets that become the group's with the commit
  TimeUs begin_us = 0;                               ///< wall time
  TimeUs changed_us = 0;

  bool is_decided() const { return state == TransactionState::kPrepareCommit || state == TransactionState::kPrepareAbort; }
};

/// Carries out what the coordinator decided.
class TransactionEffects {
 public:
  virtual ~TransactionEffects() = default;
  /// Writes the marker of a decided transaction into its partitions and, with a commit, hands its offsets to the groups. May be called again after a crash.
  /// False when something of it is out of reach now (another process writes the partition): it is asked again.
  virtual Result<bool> complete(const TransactionEntry& decided) = 0;
};

/// The transaction coordinator (KIP-98): producer ids, who may write under a transactional id, and the decision to commit or abort.
///
/// Each change is an entry of the journal DIR/__transactions/journal. A call's effect may be told to a client after the next carry_out(), which makes the
/// decisions durable and has the markers written; when those are durable too, note_completed() says so in the journal. After a crash open() finds what was
/// decided and the first carry_out() does it again; what was only ongoing goes on, or times out. One thread.
class TransactionCoordinator {
 public:
  static Result<std::unique_ptr<TransactionCoordinator>> open(const env::Env& env, const std::string& log_directory, const BrokerConfig& config, TransactionEffects& effects);

  struct Producer {
    Code code = Code::kNone;
    std::int64_t id = -1;
    std::int16_t epoch = -1;
  };
  /// A producer without transactions: a new id.
  Result<Producer> init_idempotent();
  /// Fences whoever used the id before. kConcurrentTransactions while that one's transaction is being aborted: ask again.
  /// `producer` and `epoch` -1, or what the caller had (KIP-360).
  Result<Producer> init(const std::string& id, std::int32_t timeout_ms, std::int64_t producer, std::int16_t epoch);
  Result<Code> add_partitions(const std::string& id, std::int64_t producer, std::int16_t epoch, const std::vector<TopicPartition>& partitions);
  Result<Code> add_group(const std::string& id, std::int64_t producer, std::int16_t epoch, const std::string& group);
  Result<Code> add_offsets(const std::string& id, std::int64_t producer, std::int16_t epoch, const std::string& group, const log::GroupCommits& offsets);
  Result<Code> end(const std::string& id, std::int64_t producer, std::int16_t epoch, bool commit);
  /// Whether a transactional batch of this producer belongs into the partition now.
  Code check_produce(const std::string& id, std::int64_t producer, std::int16_t epoch, const TopicPartition& partition) const;

  /// Aborts transactions that took longer than their timeout, and forgets ids that nobody used.
  Status tick(TimeUs now_us);
  /// Whether carry_out() has something to do.
  bool has_work() const { return journal_->dirty() || !decided_.empty(); }
  /// Makes the decisions durable and carries them out. An error is final.
  Status carry_out();
  /// What carry_out() wrote is durable. An error is final.
  Status note_completed();

  const std::map<std::string, TransactionEntry>& entries() const { return entries_; }
  /// Whether an open transaction will set an offset of this partition for the group.
  bool has_pending_offset(const std::string& group, const log::GroupKey& key) const;
  std::uint64_t torn_bytes() const { return journal_->torn_bytes(); }

 private:
  TransactionCoordinator(const env::Env& env, const BrokerConfig& config, TransactionEffects& effects) : env_(env), config_(config), effects_(effects) {}
  bool replay(std::string_view bytes);
  Status note(const TransactionEntry& entry);
  Result<std::int64_t> new_producer_id();
  Result<TransactionEntry*> find(const std::string& id, std::int64_t producer, std::int16_t epoch, Code& code);
  void begin_if_needed(TransactionEntry& entry);
  Status decide(TransactionEntry& entry, bool commit);
  Status compact_if_large();

  env::Env env_;
  const BrokerConfig& config_;
  TransactionEffects& effects_;
  std::unique_ptr<Journal> journal_;
  std::map<std::string, TransactionEntry> entries_;
  std::set<std::string> decided_, carried_out_;
  std::int64_t next_producer_ = 1000;
  std::int64_t reserved_producers_ = 1000;   ///< ids below it are reserved in the journal
  std::uint64_t compact_at_ = 1 << 20;
};

}  // namespace supyo::broker
