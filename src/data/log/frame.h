#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/strong.h"

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
};

/// The fixed head of every frame, little-endian, as it lies in the file (docs/format/log.md). A frame is a multiple of 8 bytes long.
struct FrameHeader {
  std::uint32_t magic = 0;
  std::uint32_t crc = 0;             ///< CRC-32C over the rest of the frame, from `length` on
  std::uint32_t length = 0;          ///< bytes of the whole frame, this header included
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;
  std::uint16_t reserved = 0;
  std::uint64_t log_id = 0;
  std::int64_t base_offset = 0;
  std::uint32_t count = 0;           ///< records; their offsets are base_offset, base_offset + 1, ...
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

/// A frame in a buffer that somebody else owns: contiguous columns, nothing copied. `first()` > 0 when the reader started inside the frame.
class FrameView {
 public:
  const FrameHeader& header() const { return header_; }
  std::size_t first() const { return first_; }
  std::size_t count() const { return header_.count; }
  void skip_to(std::size_t first) { first_ = first; }
  Offset offset(std::size_t i) const { return Offset(header_.base_offset + static_cast<std::int64_t>(i)); }
  Offset end_offset() const { return offset(header_.count); }
  /// Of all records, indexed like value(): from 0, whatever first() is.
  std::span<const TimeUs> timestamps() const { return timestamps_; }
  std::string_view value(std::size_t i) const { return slice(values_, value_ends_, i); }
  bool value_is_null(std::size_t i) const { return nulls_ != nullptr && (nulls_[i] & 2) != 0; }
  /// Null when the record has none.
  std::optional<std::string_view> key(std::size_t i) const {
    if (key_ends_ == nullptr || (nulls_ != nullptr && (nulls_[i] & 1) != 0)) return std::nullopt;
    return slice(keys_, key_ends_, i);
  }
  std::string_view headers(std::size_t i) const { return header_ends_ == nullptr ? std::string_view() : slice(headers_, header_ends_, i); }
  Transaction transaction() const { return {header_.writer, Epoch(header_.epoch)}; }

 private:
  friend struct FrameEncoding;
  static std::string_view slice(const char* bytes, const std::uint32_t* ends, std::size_t i) {
    const std::uint32_t from = i == 0 ? 0 : ends[i - 1];
    return {bytes + from, ends[i] - from};
  }
  FrameHeader header_;
  std::size_t first_ = 0;
  std::span<const TimeUs> timestamps_;
  const std::uint32_t* value_ends_ = nullptr;
  const std::uint32_t* key_ends_ = nullptr;
  const std::uint32_t* header_ends_ = nullptr;
  const std::uint8_t* nulls_ = nullptr;
  const char* values_ = nullptr;
  const char* keys_ = nullptr;
  const char* headers_ = nullptr;
};

enum class FrameStatus : std::uint8_t {
  kFrame,       ///< a whole, checked frame
  kIncomplete,  ///< a plausible head whose frame is longer than the bytes given
  kNothing,     ///< zeros where a head should be: reserved space that was never written
  kInvalid,     ///< anything else
};
struct ParsedFrame {
  FrameStatus status = FrameStatus::kInvalid;
  FrameView view;           ///< kFrame
  std::size_t length = 0;   ///< kFrame, kIncomplete
};

/// Reads the frame at the start of `bytes` (8-byte aligned), which must be the frame at `expected` of `log`.
/// Safe on any bytes: never reads outside them.
ParsedFrame parse_frame(std::string_view bytes, const LogIdentity& log, Offset expected);
/// The same, whatever its offset: used to look for records behind damage.
ParsedFrame parse_any_frame(std::string_view bytes, const LogIdentity& log);
/// The head alone, without the checksum: enough to hop from frame to frame. Null when it cannot be the frame at `expected`.
std::optional<FrameHeader> parse_frame_header(std::string_view bytes, const LogIdentity& log, Offset expected);

}  // namespace supyo::log
