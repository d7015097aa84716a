#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "data/log/kafka_batch.h"
#include "data/log/partition_reader.h"

namespace supyo::log {

/// A transaction that was aborted, as a fetch answer lists it: its records in the answer are those of the producer from that offset to its abort marker.
struct AbortedTransaction {
  std::int64_t producer_id = 0;
  Offset first_offset;
  bool operator==(const AbortedTransaction&) const = default;
};

struct KafkaFetchOptions {
  Isolation isolation = Isolation::kReadUncommitted;   ///< Kafka's default
  std::size_t max_bytes = 1 << 20;
  bool at_least_one = true;     ///< hand out the first batch even when it is larger than max_bytes (Kafka does for the first partition of an answer)
};

/// What a fetch answer says of a partition, beside the batches.
struct KafkaFetched {
  Offset log_start;
  Offset high_watermark;        ///< durable end
  Offset last_stable;           ///< committed end
  Offset next;                  ///< behind the last batch handed out; where the reader stood when there was none
  std::vector<AbortedTransaction> aborted;   ///< read_committed: those of the batches handed out, by first offset
};

/// Hands out a partition as whole Kafka batches, from any process, beside its writer: what Kafka clients wrote verbatim, what embedded jobs wrote
/// (kind 1) encoded on the way. One thread; several readers a partition are fine, and one that is asked for consecutive offsets reads ahead in large pieces.
class KafkaReader {
 public:
  static Result<KafkaReader> open(env::Files& files, const Topic& topic, PartitionId partition);

  /// Appends to `out` the batches from the one that holds `from` on (clients skip the records before it), as many as fit. Nothing at the end: not an error.
  /// kOffsetOutOfRange: below the log start or beyond the high watermark. kDamaged, kIo.
  Result<KafkaFetched> fetch(Offset from, const KafkaFetchOptions& options, std::string& out);

  /// As published now; cheap enough to poll.
  Result<KafkaFetched> ends();

  struct TimedOffset {
    Offset offset;
    std::int64_t timestamp_ms = 0;
  };
  /// ListOffsets by time: the first record with this timestamp or a later one, below the end of the isolation level. Null when there is none.
  Result<std::optional<TimedOffset>> find_time(std::int64_t timestamp_ms, Isolation isolation);

 private:
  explicit KafkaReader(PartitionReader reader) : reader_(std::move(reader)) {}
  Status start_at(Offset from);
  Result<std::string_view> batch_of(const FrameView& frame);
  KafkaFetched published() const;

  PartitionReader reader_;
  bool pending_ = false;                 ///< the reader's frame was read and not handed out: it did not fit, or is not stable yet
  std::uint64_t truncations_ = 0;
  std::string transcoded_;               // reused
  KafkaBatchBuilder builder_;
};

}  // namespace supyo::log
