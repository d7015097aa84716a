#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/strong.h"
#include "data/log/kafka_batch.h"

namespace supyo::log {

/// What a partition thinks of a producer's batch, by Kafka's rules (ProducerStateManager, ProducerAppendInfo). The broker maps each to Kafka's error code.
enum class ProducerVerdict : std::uint8_t {
  kAccept,
  kDuplicate,             ///< one of the producer's last five batches, sent again: answer with the offset it has
  kOutOfOrderSequence,    ///< OUT_OF_ORDER_SEQUENCE_NUMBER
  kFencedEpoch,           ///< an older epoch than the partition has seen: INVALID_PRODUCER_EPOCH (older clients: PRODUCER_FENCED)
  kInvalidTransaction,    ///< a non-transactional batch within the producer's open transaction: INVALID_TXN_STATE
  kFencedCoordinator,     ///< a marker of an older coordinator: TRANSACTION_COORDINATOR_FENCED
};

/// The last batches of a producer, newest last.
struct ProducerBatch {
  std::int32_t first_sequence = 0;
  std::int32_t last_sequence = 0;
  Offset first;
  Offset last;
  std::int64_t timestamp_ms = 0;    ///< the batch's largest
  bool operator==(const ProducerBatch&) const = default;
};
struct ProducerEntry {
  static constexpr std::size_t kBatches = 5;
  std::int16_t epoch = -1;
  std::int32_t coordinator_epoch = -1;
  TimeUs last_seen_us = 0;                      ///< by the log's clock
  std::optional<Offset> transaction_begin;      ///< of the open transaction
  std::deque<ProducerBatch> batches;
  bool operator==(const ProducerEntry&) const = default;
};

/// Idempotent and transactional producers of one partition. Plain memory; one thread.
class ProducerStates {
 public:
  struct Checked {
    ProducerVerdict verdict = ProducerVerdict::kAccept;
    std::optional<ProducerBatch> duplicate;   ///< kDuplicate
  };
  /// A data batch from a client, before it is appended.
  Checked check(const KafkaBatchHeader& batch) const;
  /// A transaction marker, before it is appended.
  ProducerVerdict check_marker(std::int64_t producer_id, std::int16_t producer_epoch, std::int32_t coordinator_epoch) const;

  /// A batch that is in the log now. `marker` for control batches.
  void apply(const KafkaBatchHeader& batch, std::optional<KafkaMarker> marker, TimeUs now_us);

  /// First offset of the oldest open transaction.
  std::optional<Offset> first_open() const;
  bool has_open() const { return !open_.empty(); }
  const std::map<std::int64_t, ProducerEntry>& producers() const { return producers_; }
  /// Forgets producers without an open transaction that were not seen since `before_us`. Returns how many.
  std::size_t expire(TimeUs before_us);

  std::string encode() const;
  bool decode(std::string_view bytes);   ///< false: not what encode() wrote
  void clear();
  bool empty() const { return producers_.empty(); }
  bool operator==(const ProducerStates&) const = default;

 private:
  std::map<std::int64_t, ProducerEntry> producers_;
  std::map<Offset, std::int64_t> open_;   ///< begin -> producer
};

}  // namespace supyo::log
