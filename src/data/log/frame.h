#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "data/log/kafka_batch.h"

namespace supyo::log {

/// Whose bytes these are. Part of every checksum, so that bytes of another log, or of another partition, are never mistaken for these.
struct LogIdentity {
  std::uint64_t log_id = 0;   ///< random, born with the topic
  PartitionId partition;
  bool operator==(const LogIdentity&) const = default;
};

/// Who stages rows, and for which epoch. `writer` 0 = not transactional.
struct Transaction {
  std::uint64_t writer = 0;   ///< fingerprint of (job id, sink id): writer_fingerprint()
  Epoch epoch;
  bool operator==(const Transaction&) const = default;
};
std::uint64_t writer_fingerprint(std::string_view job_id, std::string_view sink_id);

/// What a frame holds. More kinds come; a reader that does not know one says so (kFormatVersion).
enum class FrameKind : std::uint8_t {
  kRecords = 1,   ///< RecordBatch, below
  kKafka = 2,     ///< one Kafka record batch as a client sent it (kafka_batch.h)
  kGap = 3,       ///< nothing: offsets whose records compaction dropped
  kBlock = 4,     ///< rows in columns under one checksum, as they were once written; read only
  kColumnar = 5,  ///< rows in columns (ColumnarBatch), each with a checksum of its own: the log knows their times, not what they hold
};

/// The fixed head of every frame, little-endian, as it lies in the file (docs/format/log.md). A frame is a multiple of 8 bytes long.
struct FrameHeader {
  std::uint32_t magic = 0;
  std::uint32_t crc = 0;             ///< CRC-32C over the rest of the frame, from `length` on; of kColumnar over what stands before the parts
  std::uint32_t length = 0;          ///< bytes of the whole frame, this header included
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;
  std::uint16_t reserved = 0;
  std::uint64_t log_id = 0;
  std::int64_t base_offset = 0;
  std::uint32_t count = 0;           ///< offsets that it covers from base_offset on; for kRecords as many records
  std::int32_t partition = 0;
  std::int64_t synced_offset = 0;    ///< all below was durable when the frame was written: damage below it cannot be a torn tail
  std::int64_t append_us = 0;        ///< when the log took the frame
  std::int64_t max_timestamp_us = 0;
  std::uint64_t writer = 0;          ///< Transaction
  std::int64_t epoch = 0;
};
static_assert(sizeof(FrameHeader) == 80);

inline constexpr std::uint32_t kFrameMagic = 0x46505553;   // "SUPF"
inline constexpr std::size_t kFrameBytesMax = 64U << 20;

/// Records to append, column-wise: cheap to fill and copied once. Reusable.
class RecordBatch {
 public:
  void add(TimeUs timestamp_us, std::string_view value) {
    values_.append(value);
    end_record(timestamp_us);
  }
  /// With a key; an absent value is a tombstone. `headers` are opaque bytes.
  void add(TimeUs timestamp_us, std::optional<std::string_view> key, std::optional<std::string_view> value, std::string_view headers = {});
  /// To encode in place: append the record's value here, then call end_record().
  std::string& values() { return values_; }
  void end_record(TimeUs timestamp_us);
  void end_record(TimeUs timestamp_us, std::optional<std::string_view> key, bool has_value, std::string_view headers);

  std::size_t records() const { return timestamps_.size(); }
  std::size_t bytes() const { return values_.size() + keys_.size() + headers_.size() + 12 * timestamps_.size(); }
  bool empty() const { return timestamps_.empty(); }
  void clear();

 private:
  friend struct FrameEncoding;
  void begin_keys();

  std::vector<TimeUs> timestamps_;
  std::vector<std::uint32_t> value_ends_;
  std::string values_;
  std::vector<std::uint32_t> key_ends_;      ///< empty when no record has a key
  std::string keys_;
  std::vector<std::uint8_t> nulls_;          ///< empty when no key and no value is null; bit 0 key, bit 1 value
  std::vector<std::uint32_t> header_ends_;   ///< empty when no record has headers
  std::string headers_;
};

/// Rows in columns, to append as one frame. What head and parts are (docs/format/columnar.md), their writer and their reader know; each is a multiple of 8 bytes long.
struct ColumnarBatch {
  std::vector<TimeUs> timestamps;          ///< one a row
  std::string head;
  std::string parts;                       ///< one behind the other
  std::vector<std::uint32_t> part_bytes;   ///< of each
  std::size_t records() const { return timestamps.size(); }
};
/// Of a ColumnarBatch's head and as many bits as it has parts: sets those of the parts that shall be read and checked.
using PartsWanted = std::function<void(std::string_view head, std::vector<bool>& wanted)>;

/// What the log adds to a batch when it takes it.
struct FrameStamp {
  LogIdentity log;
  Offset base_offset;
  Offset synced_offset;
  TimeUs append_us = 0;
  Transaction transaction;
};
/// The frame of `batch` (at least one record), ready to be written.
void encode_frame(const RecordBatch& batch, const FrameStamp& stamp, std::string& out);
/// kValueOutOfRange: no frame is that large.
Status encode_columnar_frame(const ColumnarBatch& batch, const FrameStamp& stamp, std::string& out);
/// The frame of a Kafka batch whose head is `header`. Writes base offset and leader epoch into the copy; the stamp's transaction must be none.
void encode_kafka_frame(std::string_view batch, const KafkaBatchHeader& header, std::int32_t leader_epoch, const FrameStamp& stamp, std::string& out);
/// A frame without records that covers `count` offsets.
void encode_gap_frame(std::uint32_t count, const FrameStamp& stamp, std::string& out);
/// What a reader of records says of a columnar frame.
Error columnar_error(std::string_view topic, Offset at);
/// Kafka's milliseconds as the log's microseconds; what does not fit becomes the nearest that does.
TimeUs kafka_time_us(std::int64_t ms);
std::int64_t kafka_time_ms(TimeUs us);   ///< rounded down

/// A frame in a buffer that somebody else owns: contiguous columns, nothing copied. `first()` > 0 when the reader started inside the frame.
/// A columnar frame has count(), offset(), timestamps(), head() and parts(), and no values and keys.
/// A Kafka batch has columns only once KafkaColumns decoded it (PartitionReader::next() does); until then it has batch() and no records.
class FrameView {
 public:
  const FrameHeader& header() const { return header_; }
  FrameKind kind() const { return static_cast<FrameKind>(header_.kind); }
  bool columnar() const { return kind() == FrameKind::kBlock || kind() == FrameKind::kColumnar; }
  std::size_t first() const { return first_; }
  std::size_t count() const { return records_; }
  void skip_to(std::size_t first) { first_ = first; }
  /// Of record i < count(). Ascending, with gaps where compaction dropped records.
  Offset offset(std::size_t i) const { return Offset(header_.base_offset + static_cast<std::int64_t>(deltas_ == nullptr ? i : deltas_[i])); }
  /// Where the next frame begins: at or behind the last record's offset + 1.
  Offset end_offset() const { return Offset(header_.base_offset + header_.count); }
  /// How many of the records lie below `end`, counted from 0.
  std::size_t records_below(Offset end) const;
  /// Of all records, indexed like value(): from 0, whatever first() is.
  std::span<const TimeUs> timestamps() const { return timestamps_; }
  std::string_view value(std::size_t i) const { return slice(values_, value_ends_, i); }
  bool value_is_null(std::size_t i) const { return nulls_ != nullptr && (nulls_[i] & 2) != 0; }
  /// Null when the record has none.
  std::optional<std::string_view> key(std::size_t i) const {
    if (key_ends_ == nullptr || (nulls_ != nullptr && (nulls_[i] & 1) != 0)) return std::nullopt;
    return slice(keys_, key_ends_, i);
  }
  /// Of a Kafka batch: in their wire form (decode_kafka_headers).
  std::string_view headers(std::size_t i) const { return header_ends_ == nullptr ? std::string_view() : slice(headers_, header_ends_, i); }
  Transaction transaction() const { return {header_.writer, Epoch(header_.epoch)}; }
  /// kKafka: the batch, verbatim.
  std::string_view batch() const { return batch_; }
  /// kColumnar: the rows' head; kBlock: head and columns.
  std::string_view head() const { return batch_; }
  /// kColumnar: what was read of its parts; the others are empty.
  std::span<const std::string_view> parts() const { return parts_; }

 private:
  friend struct FrameEncoding;
  friend class KafkaColumns;
  friend class SegmentCursor;
  struct Part {
    std::uint32_t bytes;
    std::uint32_t crc;
  };
  static std::string_view slice(const char* bytes, const std::uint32_t* ends, std::size_t i) {
    const std::uint32_t from = i == 0 ? 0 : ends[i - 1];
    return {bytes + from, ends[i] - from};
  }
  FrameHeader header_;
  std::size_t first_ = 0;
  std::size_t records_ = 0;
  std::span<const TimeUs> timestamps_;
  const std::uint32_t* deltas_ = nullptr;    ///< null: 0, 1, 2, ...
  const std::uint32_t* value_ends_ = nullptr;
  const std::uint32_t* key_ends_ = nullptr;
  const std::uint32_t* header_ends_ = nullptr;
  const std::uint8_t* nulls_ = nullptr;
  const char* values_ = nullptr;
  const char* keys_ = nullptr;
  const char* headers_ = nullptr;
  std::string_view batch_;
  const Part* table_ = nullptr;              ///< kColumnar: of each part
  std::vector<std::string_view> parts_;
};

/// Columns of Kafka batches, for readers of rows. Reusable; one thread.
class KafkaColumns {
 public:
  /// Lays `view`, a frame of kKafka, over the batch's records, decompressed if need be. The columns are valid until the next call.
  /// kMalformedRecord: only for bytes that no writer of this log took.
  Status decode(FrameView& view);

 private:
  std::vector<TimeUs> timestamps_;
  std::vector<std::uint32_t> deltas_;
  std::vector<std::uint32_t> value_ends_;
  std::vector<std::uint32_t> key_ends_;
  std::vector<std::uint32_t> header_ends_;
  std::vector<std::uint8_t> nulls_;
  std::string values_;
  std::string keys_;
  std::string headers_;
  std::string scratch_;
};

enum class FrameStatus : std::uint8_t {
  kFrame,       ///< a whole, checked frame
  kIncomplete,  ///< a plausible head whose frame, or front, is longer than the bytes given
  kNothing,     ///< zeros where a head should be: reserved space that was never written
  kInvalid,     ///< anything else
};
struct ParsedFrame {
  FrameStatus status = FrameStatus::kInvalid;
  FrameView view;           ///< kFrame
  std::size_t length = 0;   ///< kFrame: the frame's; kIncomplete: at least so many bytes are needed
};

enum class FrameExtent : std::uint8_t {
  kWhole,
  kFront,   ///< of kColumnar all but its parts: they need not be there, and parts() are all empty
};
/// Reads the frame at the start of `bytes` (8-byte aligned), which must be the frame at `expected` of `log`.
/// Safe on any bytes: never reads outside them.
ParsedFrame parse_frame(std::string_view bytes, const LogIdentity& log, Offset expected, FrameExtent extent = FrameExtent::kWhole);
/// The same, whatever its offset: used to look for records behind damage.
ParsedFrame parse_any_frame(std::string_view bytes, const LogIdentity& log);
/// A frame's head and, for kKafka, its batch's.
struct FrameHead {
  static constexpr std::size_t kBytes = sizeof(FrameHeader) + KafkaBatchHeader::kBytes;
  FrameHeader frame;
  std::optional<KafkaBatchHeader> batch;
};
/// The head alone, without the checksum: enough to hop from frame to frame. Null when it cannot be the frame at `expected`.
std::optional<FrameHeader> parse_frame_header(std::string_view bytes, const LogIdentity& log, Offset expected);

}  // namespace supyo::log
