#include "serve/broker/transactions.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "data/log/topic.h"

namespace supyo::broker {
namespace {

enum EntryKind : std::uint8_t { kTransaction = 1, kProducerIds = 2, kForgotten = 3 };
constexpr std::int64_t kProducerIdBlock = 1000;
constexpr std::int16_t kEpochMax = INT16_MAX - 2;   // two fencings fit before the next id

std::string encode(const TransactionEntry& e) {
  std::string out;
  ByteWriter w(out);
  w.u8(kTransaction);
  w.text(e.id);
  w.i64(e.producer);
  w.u16(static_cast<std::uint16_t>(e.epoch));
  w.u32(static_cast<std::uint32_t>(e.timeout_ms));
  w.u8(static_cast<std::uint8_t>(e.state));
  w.i64(e.begin_us);
  w.i64(e.changed_us);
  w.varint(e.partitions.size());
  for (const auto& [topic, partition] : e.partitions) {
    w.text(topic);
    w.u32(static_cast<std::uint32_t>(partition));
  }
  w.varint(e.groups.size());
  for (const auto& [group, offsets] : e.groups) {
    w.text(group);
    w.varint(offsets.size());
    for (const auto& [key, commit] : offsets) {
      w.text(key.first);
      w.u32(static_cast<std::uint32_t>(key.second.value));
      w.i64(commit.offset.value);
      w.u32(static_cast<std::uint32_t>(commit.leader_epoch));
      w.text(commit.metadata);
      w.i64(commit.committed_us);
    }
  }
  return out;
}

bool decode(ByteReader& r, TransactionEntry& e) {
  e.id = std::string(r.text());
  e.producer = r.i64();
  e.epoch = static_cast<std::int16_t>(r.u16());
  e.timeout_ms = static_cast<std::int32_t>(r.u32());
  e.state = static_cast<TransactionState>(r.u8());
  e.begin_us = r.i64();
  e.changed_us = r.i64();
  const std::uint64_t partitions = r.varint();
  for (std::uint64_t i = 0; i < partitions && !r.failed(); ++i) {
    std::string topic(r.text());
    e.partitions.emplace(std::move(topic), static_cast<std::int32_t>(r.u32()));
  }
  const std::uint64_t groups = r.varint();
  for (std::uint64_t i = 0; i < groups && !r.failed(); ++i) {
    log::GroupCommits& offsets = e.groups[std::string(r.text())];
    const std::uint64_t count = r.varint();
    for (std::uint64_t j = 0; j < count && !r.failed(); ++j) {
      std::string topic(r.text());
      const PartitionId partition(static_cast<std::int32_t>(r.u32()));
      log::GroupCommit& commit = offsets[{std::move(topic), partition}];
      commit.offset = Offset(r.i64());
      commit.leader_epoch = static_cast<std::int32_t>(r.u32());
      commit.metadata = std::string(r.text());
      commit.committed_us = r.i64();
    }
  }
  return !r.failed() && r.done() && e.state <= TransactionState::kCompleteAbort;
}

std::string encode_producer_ids(std::int64_t reserved) {
  std::string out;
  ByteWriter w(out);
  w.u8(kProducerIds);
  w.i64(reserved);
  return out;
}

}  // namespace

const char* transaction_state_name(TransactionState state) {
  switch (state) {
    case TransactionState::kEmpty: return "Empty";
    case TransactionState::kOngoing: return "Ongoing";
    case TransactionState::kPrepareCommit: return "PrepareCommit";
    case TransactionState::kPrepareAbort: return "PrepareAbort";
    case TransactionState::kCompleteCommit: return "CompleteCommit";
    case TransactionState::kCompleteAbort: return "CompleteAbort";
  }
  return "Unknown";
}

Result<std::unique_ptr<TransactionCoordinator>> TransactionCoordinator::open(const env::Env& env, const std::string& log_directory, const BrokerConfig& config,
                                                                             TransactionEffects& effects) {
  std::unique_ptr<TransactionCoordinator> coordinator(new TransactionCoordinator(env, config, effects));
  const std::string directory = env::join_path(log_directory, "__transactions");
  SUPYO_TRY(log::create_directories_durably(env.files, directory));
  SUPYO_ASSIGN(coordinator->journal_, Journal::open(env.files, env::join_path(directory, "journal"), [&](std::string_view bytes) { return coordinator->replay(bytes); }));
  coordinator->next_producer_ = coordinator->reserved_producers_;
  for (const auto& [id, entry] : coordinator->entries_)
    if (entry.is_decided()) coordinator->decided_.insert(id);
  coordinator->compact_at_ = 0;
  SUPYO_TRY(coordinator->compact_if_large());
  return coordinator;
}

bool TransactionCoordinator::replay(std::string_view bytes) {
  ByteReader r(bytes);
  const std::uint8_t kind = r.u8();
  if (kind == kProducerIds) {
    reserved_producers_ = std::max(reserved_producers_, r.i64());
    return !r.failed();
  }
  if (kind == kForgotten) {
    entries_.erase(std::string(r.text()));
    return !r.failed();
  }
  TransactionEntry entry;
  if (kind != kTransaction || !decode(r, entry)) return false;
  entries_[entry.id] = std::move(entry);
  return true;
}

Status TransactionCoordinator::compact_if_large() {
  if (journal_->bytes() < compact_at_) return ok();
  SUPYO_TRY(journal_->rewrite([this](const auto& append) {
    append(encode_producer_ids(reserved_producers_));
    for (const auto& [id, entry] : entries_) append(encode(entry));
  }));
  compact_at_ = std::max<std::uint64_t>(1 << 20, 4 * journal_->bytes());
  return ok();
}

Status TransactionCoordinator::note(const TransactionEntry& entry) { return journal_->append(encode(entry)); }

Result<std::int64_t> TransactionCoordinator::new_producer_id() {
  if (next_producer_ >= reserved_producers_) {
    SUPYO_TRY(journal_->append(encode_producer_ids(reserved_producers_ + kProducerIdBlock)));
    reserved_producers_ += kProducerIdBlock;
  }
  return next_producer_++;
}

Result<TransactionCoordinator::Producer> TransactionCoordinator::init_idempotent() {
  SUPYO_ASSIGN(const std::int64_t id, new_producer_id());
  return Producer{Code::kNone, id, 0};
}

Result<TransactionCoordinator::Producer> TransactionCoordinator::init(const std::string& id, std::int32_t timeout_ms, std::int64_t producer, std::int16_t epoch) {
  if (id.empty()) return Producer{.code = Code::kInvalidRequest};
  if (timeout_ms <= 0 || timeout_ms > config_.transaction_ms_max) return Producer{.code = Code::kInvalidTransactionTimeout};
  const auto [it, born] = entries_.try_emplace(id);
  TransactionEntry& e = it->second;
  if (!born && producer >= 0) {
    if (producer != e.producer) return Producer{.code = Code::kInvalidProducerIdMapping};
    if (epoch != e.epoch) return Producer{.code = Code::kProducerFenced};
  }
  if (e.is_decided()) return Producer{.code = Code::kConcurrentTransactions};
  if (e.state == TransactionState::kOngoing) {
    // Whoever is in it is fenced by the marker's epoch; the caller asks again and gets the one after.
    ++e.epoch;
    SUPYO_TRY(decide(e, false));
    return Producer{.code = Code::kConcurrentTransactions};
  }
  if (born || e.epoch >= kEpochMax) {
    auto fresh = new_producer_id();
    if (!fresh) {
      if (born) entries_.erase(it);
      return fail(std::move(fresh).error());
    }
    e.id = id;
    e.producer = *fresh;
    e.epoch = 0;
  } else {
    ++e.epoch;
  }
  e.timeout_ms = timeout_ms;
  e.state = TransactionState::kEmpty;
  e.partitions.clear();
  e.groups.clear();
  e.changed_us = env_.clock.now_us();
  SUPYO_TRY(note(e));
  return Producer{Code::kNone, e.producer, e.epoch};
}

Result<TransactionEntry*> TransactionCoordinator::find(const std::string& id, std::int64_t producer, std::int16_t epoch, Code& code) {
  const auto it = entries_.find(id);
  code = Code::kNone;
  if (it == entries_.end() || it->second.producer != producer) code = Code::kInvalidProducerIdMapping;
  else if (it->second.epoch != epoch) code = Code::kProducerFenced;
  else if (it->second.is_decided()) code = Code::kConcurrentTransactions;
  return code == Code::kNone ? &it->second : nullptr;
}

void TransactionCoordinator::begin_if_needed(TransactionEntry& e) {
  e.changed_us = env_.clock.now_us();
  if (e.state == TransactionState::kOngoing) return;
  e.state = TransactionState::kOngoing;
  e.partitions.clear();
  e.groups.clear();
  e.begin_us = e.changed_us;
}

Result<Code> TransactionCoordinator::add_partitions(const std::string& id, std::int64_t producer, std::int16_t epoch, const std::vector<TopicPartition>& partitions) {
  Code code;
  SUPYO_ASSIGN(TransactionEntry* e, find(id, producer, epoch, code));
  if (e == nullptr) return code;
  const bool known = e->state == TransactionState::kOngoing && std::ranges::all_of(partitions, [e](const auto& p) { return e->partitions.contains(p); });
  if (known) return Code::kNone;
  begin_if_needed(*e);
  e->partitions.insert(partitions.begin(), partitions.end());
  SUPYO_TRY(note(*e));
  return Code::kNone;
}

Result<Code> TransactionCoordinator::add_group(const std::string& id, std::int64_t producer, std::int16_t epoch, const std::string& group) {
  Code code;
  SUPYO_ASSIGN(TransactionEntry* e, find(id, producer, epoch, code));
  if (e == nullptr) return code;
  if (e->state == TransactionState::kOngoing && e->groups.contains(group)) return Code::kNone;
  begin_if_needed(*e);
  e->groups.try_emplace(group);
  SUPYO_TRY(note(*e));
  return Code::kNone;
}

Result<Code> TransactionCoordinator::add_offsets(const std::string& id, std::int64_t producer, std::int16_t epoch, const std::string& group, const log::GroupCommits& offsets) {
  Code code;
  SUPYO_ASSIGN(TransactionEntry* e, find(id, producer, epoch, code));
  if (e == nullptr) return code;
  if (e->state != TransactionState::kOngoing || !e->groups.contains(group)) return Code::kInvalidTxnState;
  for (const auto& [key, commit] : offsets) e->groups[group][key] = commit;
  e->changed_us = env_.clock.now_us();
  SUPYO_TRY(note(*e));
  return Code::kNone;
}

Status TransactionCoordinator::decide(TransactionEntry& e, bool commit) {
  e.state = commit ? TransactionState::kPrepareCommit : TransactionState::kPrepareAbort;
  e.changed_us = env_.clock.now_us();
  decided_.insert(e.id);
  return note(e);
}

Result<Code> TransactionCoordinator::end(const std::string& id, std::int64_t producer, std::int16_t epoch, bool commit) {
  Code code;
  SUPYO_ASSIGN(TransactionEntry* e, find(id, producer, epoch, code));
  if (e == nullptr) return code;
  switch (e->state) {
    case TransactionState::kOngoing: break;
    case TransactionState::kCompleteCommit: return commit ? Code::kNone : Code::kInvalidTxnState;
    case TransactionState::kCompleteAbort: return commit ? Code::kInvalidTxnState : Code::kNone;
    default: return Code::kInvalidTxnState;
  }
  SUPYO_TRY(decide(*e, commit));
  return Code::kNone;
}

Code TransactionCoordinator::check_produce(const std::string& id, std::int64_t producer, std::int16_t epoch, const TopicPartition& partition) const {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.producer != producer) return Code::kInvalidProducerIdMapping;
  const TransactionEntry& e = it->second;
  if (e.epoch != epoch) return Code::kInvalidProducerEpoch;
  // A batch outside its transaction would never get a marker: it would hold back readers for ever (KIP-890).
  return e.state == TransactionState::kOngoing && e.partitions.contains(partition) ? Code::kNone : Code::kInvalidTxnState;
}

Status TransactionCoordinator::tick(TimeUs now_us) {
  std::vector<std::string> unused;
  for (auto& [id, e] : entries_) {
    if (e.state == TransactionState::kOngoing && now_us - e.begin_us > e.timeout_ms * kMillisecond) {
      ++e.epoch;   // its producer is fenced
      SUPYO_TRY(decide(e, false));
    } else if (e.state != TransactionState::kOngoing && !e.is_decided() && now_us - e.changed_us > config_.transactional_id_expiration_ms * kMillisecond) {
      unused.push_back(id);
    }
  }
  for (const std::string& id : unused) {
    std::string out;
    ByteWriter w(out);
    w.u8(kForgotten);
    w.text(id);
    SUPYO_TRY(journal_->append(out));
    entries_.erase(id);
  }
  return ok();
}

Status TransactionCoordinator::carry_out() {
  SUPYO_TRY(journal_->sync());   // before a marker is written the decision must stand
  for (const std::string& id : decided_) {
    SUPYO_ASSIGN(const bool done, effects_.complete(entries_.at(id)));
    if (done) carried_out_.insert(id);
  }
  return ok();
}

Status TransactionCoordinator::note_completed() {
  for (const std::string& id : carried_out_) {
    TransactionEntry& e = entries_.at(id);
    e.state = e.state == TransactionState::kPrepareCommit ? TransactionState::kCompleteCommit : TransactionState::kCompleteAbort;
    e.partitions.clear();
    e.groups.clear();
    SUPYO_TRY(note(e));
    decided_.erase(id);
  }
  carried_out_.clear();
  return compact_if_large();
}

bool TransactionCoordinator::has_pending_offset(const std::string& group, const log::GroupKey& key) const {
  return std::ranges::any_of(entries_, [&](const auto& entry) {
    const TransactionEntry& e = entry.second;
    if (e.state != TransactionState::kOngoing && e.state != TransactionState::kPrepareCommit) return false;
    const auto g = e.groups.find(group);
    return g != e.groups.end() && g->second.contains(key);
  });
}

}  // namespace supyo::broker
