#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace supyo::log {

/// Kafka's record batch, message format v2 (magic 2; KIP-98), as clients send and read it. Big-endian; times in milliseconds as Kafka's are.
/// Everything here is safe on any bytes: it never reads outside them, and never writes more than the bound it is given.

enum class KafkaCompression : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

/// The fixed head of a batch, and what its attributes say.
struct KafkaBatchHeader {
  static constexpr std::size_t kBytes = 61;
  static constexpr std::size_t kBeforeLength = 12;   ///< base offset and length: what `length` does not count

  std::int64_t base_offset = 0;
  std::int32_t length = 0;             ///< bytes behind this field
  std::int32_t leader_epoch = 0;
  std::int8_t magic = 2;
  std::uint32_t crc = 0;               ///< CRC-32C from `attributes` to the end
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp_ms = 0;  ///< records' timestamps are relative to it; the delete horizon when has_delete_horizon()
  std::int64_t max_timestamp_ms = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::int32_t record_count = 0;

  static constexpr std::int16_t kCodecMask = 0x07;
  static constexpr std::int16_t kLogAppendTime = 0x08;
  static constexpr std::int16_t kTransactional = 0x10;
  static constexpr std::int16_t kControl = 0x20;
  static constexpr std::int16_t kDeleteHorizon = 0x40;   ///< KIP-534: tombstones and markers may go after base_timestamp_ms
  static constexpr std::int16_t kKnownAttributes = 0x7f;

  int codec() const { return attributes & kCodecMask; }
  bool log_append_time() const { return (attributes & kLogAppendTime) != 0; }
  bool transactional() const { return (attributes & kTransactional) != 0; }
  bool control() const { return (attributes & kControl) != 0; }
  bool has_delete_horizon() const { return (attributes & kDeleteHorizon) != 0; }
  bool has_producer() const { return producer_id >= 0; }
  std::size_t bytes() const { return kBeforeLength + static_cast<std::size_t>(length); }   ///< of the whole batch
  std::int64_t last_offset() const { return base_offset + last_offset_delta; }
  /// Sequences wrap at 2^31 - 1 to 0.
  std::int32_t last_sequence() const;
};

/// What is wrong with a batch as a client sent it. The broker answers each with Kafka's error code.
enum class KafkaBatchProblem : std::uint8_t {
  kNone,
  kCorrupt,             ///< too short, lengths that do not fit, wrong CRC: CORRUPT_MESSAGE
  kUnsupportedMagic,    ///< message format v0 or v1: UNSUPPORTED_FOR_MESSAGE_FORMAT
  kUnsupportedCodec,    ///< UNSUPPORTED_COMPRESSION_TYPE
  kInvalidRecord,       ///< records that do not parse, counts or offsets that do not fit: INVALID_RECORD
};

/// Reads the head and checks that the batch's length lies within `bytes` (which may hold more behind it). Does not look at the CRC or the records.
KafkaBatchProblem parse_kafka_header(std::string_view bytes, KafkaBatchHeader& out);
/// The head and the CRC of the batch at the start of `bytes`.
KafkaBatchProblem check_kafka_batch(std::string_view bytes, KafkaBatchHeader& out);
/// Writes base offset and leader epoch into a batch: they lie outside its CRC.
void patch_kafka_batch(char* batch, std::int64_t base_offset, std::int32_t leader_epoch);
/// What a log with message.timestamp.type=LogAppendTime does: type and largest timestamp, and the CRC anew.
void stamp_kafka_append_time(std::string& batch, std::int64_t append_ms);
/// Sets the largest timestamp, and the CRC anew.
void set_kafka_max_timestamp(std::string& batch, std::int64_t max_ms);

/// A record of a batch. Views into the batch (or into the scratch it was decompressed to).
struct KafkaRecord {
  std::int32_t offset_delta = 0;
  std::int64_t timestamp_ms = 0;       ///< LogAppendTime is applied
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::string_view headers;            ///< as on the wire: varint count, then (varint length, name, varint length or -1, value) each; checked
  std::uint32_t header_count = 0;
};

/// Walks the records of a batch whose head was parsed. `scratch` receives the decompressed bytes and must outlive the records.
class KafkaRecords {
 public:
  static constexpr std::size_t kDefaultMaxBytes = 64U << 20;

  /// kMalformedRecord: does not decompress, or to more than `max_bytes` (a bomb).
  static Result<KafkaRecords> open(std::string_view batch, const KafkaBatchHeader& header, std::string& scratch, std::size_t max_bytes = kDefaultMaxBytes);
  /// False behind the last record; then nothing may follow it. kMalformedRecord.
  Result<bool> next(KafkaRecord& out);

 private:
  KafkaRecords(std::string_view records, const KafkaBatchHeader& header) : left_(records), header_(header) {}
  std::string_view left_;
  KafkaBatchHeader header_;
  std::int32_t read_ = 0;
};

/// One header of a record.
struct KafkaRecordHeader {
  std::string_view name;
  std::optional<std::string_view> value;
};
/// Decodes KafkaRecord::headers; empty when `headers` is empty or not in that form.
std::vector<KafkaRecordHeader> decode_kafka_headers(std::string_view headers);
std::string encode_kafka_headers(const std::vector<KafkaRecordHeader>& headers);

/// Builds a batch record by record. Reusable.
class KafkaBatchBuilder {
 public:
  /// Starts over. Of `like` it takes base offset, leader epoch, attributes, base timestamp, and the producer's three; counts, length, CRC are its own.
  void begin(const KafkaBatchHeader& like);
  /// Deltas ascend; the gaps are records that compaction dropped. `headers` is the wire form, empty for none.
  void add(std::int32_t offset_delta, std::int64_t timestamp_ms, std::optional<std::string_view> key, std::optional<std::string_view> value, std::string_view headers = {});
  std::int32_t records() const { return count_; }
  std::size_t bytes() const { return KafkaBatchHeader::kBytes + records_.size(); }
  /// Appends the batch to `out`, its records compressed as the attributes say. `last_offset_delta` -1: the last record's.
  /// Without a record the largest timestamp is the one given in `like`.
  Status finish(std::string& out, std::int32_t last_offset_delta = -1);

 private:
  KafkaBatchHeader header_;
  std::string records_;
  std::string one_;   // reused
  std::int32_t count_ = 0;
  std::int32_t last_delta_ = -1;
  std::int64_t max_timestamp_ms_ = 0;
};

/// A transaction's end, the one record of a control batch.
struct KafkaMarker {
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
};
/// Null when the batch is not a control batch with a marker in it (Kafka has other control records; they are passed over).
std::optional<KafkaMarker> parse_kafka_marker(std::string_view batch, const KafkaBatchHeader& header);
std::string encode_kafka_marker(std::int64_t producer_id, std::int16_t producer_epoch, const KafkaMarker& marker, std::int64_t timestamp_ms);

/// The codecs as Kafka uses them: gzip, snappy (xerial's framing, or raw), LZ4 frames, zstd.
/// kMalformedRecord: bytes that do not decompress, or to more than `max_bytes`.
Status kafka_decompress(KafkaCompression codec, std::string_view in, std::string& out, std::size_t max_bytes);
Status kafka_compress(KafkaCompression codec, std::string_view in, std::string& out);

}  // namespace supyo::log
