#include "data/log/kafka_batch.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/base/check.h"
#include "core/base/crc32c.h"

namespace supyo::log {
namespace {

// Places within the head.
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kLeaderEpochAt = 12;
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kAttributesAt = 21;
constexpr std::size_t kLastDeltaAt = 23;
constexpr std::size_t kBaseTimestampAt = 27;
constexpr std::size_t kMaxTimestampAt = 35;
constexpr std::size_t kProducerIdAt = 43;
constexpr std::size_t kProducerEpochAt = 51;
constexpr std::size_t kBaseSequenceAt = 53;
constexpr std::size_t kCountAt = 57;

template <class T>
T load(const char* at) {
  T v;
  std::memcpy(&v, at, sizeof v);
  if constexpr (sizeof(T) == 1) return v;
  else return std::byteswap(v);
}

template <class T>
void store(char* at, T v) {
  if constexpr (sizeof(T) > 1) v = std::byteswap(v);
  std::memcpy(at, &v, sizeof v);
}

void store_crc(char* batch, std::size_t bytes) { store(batch + kCrcAt, crc32c({batch + kAttributesAt, bytes - kAttributesAt})); }

/// Kafka's varints: zigzag, at most 5 or 10 bytes. False at the end of the bytes or beyond the width.
bool take_varlong(std::string_view& in, std::int64_t& out) {
  std::uint64_t v = 0;
  for (unsigned i = 0; i < 10 && i < in.size(); ++i) {
    const auto b = static_cast<std::uint8_t>(in[i]);
    if (i == 9 && b > 1) return false;
    v |= static_cast<std::uint64_t>(b & 0x7f) << (7 * i);
    if ((b & 0x80) != 0) continue;
    in.remove_prefix(i + 1);
    out = static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
    return true;
  }
  return false;
}

bool take_varint(std::string_view& in, std::int32_t& out) {
  std::int64_t wide = 0;
  if (!take_varlong(in, wide) || wide < std::numeric_limits<std::int32_t>::min() || wide > std::numeric_limits<std::int32_t>::max()) return false;
  out = static_cast<std::int32_t>(wide);
  return true;
}

void put_varlong(std::string& out, std::int64_t v) {
  std::uint64_t z = (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
  for (; z >= 0x80; z >>= 7) out.push_back(static_cast<char>(z | 0x80));
  out.push_back(static_cast<char>(z));
}

/// A varint length and that many bytes; length -1 is null, when that is allowed.
bool take_bytes(std::string_view& in, std::optional<std::string_view>& out, bool nullable) {
  std::int32_t n = 0;
  if (!take_varint(in, n) || n < (nullable ? -1 : 0)) return false;
  if (n < 0) {
    out.reset();
    return true;
  }
  if (static_cast<std::size_t>(n) > in.size()) return false;
  out = in.substr(0, static_cast<std::size_t>(n));
  in.remove_prefix(static_cast<std::size_t>(n));
  return true;
}

void put_bytes(std::string& out, const std::optional<std::string_view>& bytes) {
  put_varlong(out, bytes ? static_cast<std::int64_t>(bytes->size()) : -1);
  if (bytes) out.append(*bytes);
}

/// Walks the headers of a record in their wire form; false when they do not parse to their end.
template <class Each>
bool walk_headers(std::string_view in, std::int32_t& count, Each each) {
  if (!take_varint(in, count) || count < 0 || static_cast<std::size_t>(count) > in.size()) return false;
  for (std::int32_t i = 0; i < count; ++i) {
    std::optional<std::string_view> name;
    std::optional<std::string_view> value;
    if (!take_bytes(in, name, false) || !take_bytes(in, value, true)) return false;
    each(*name, value);
  }
  return in.empty();
}

std::unexpected<Error> malformed(std::string what) { return fail(ErrorCode::kMalformedRecord, "Kafka batch: " + std::move(what)); }

/// a + b without the overflow that a hostile batch would cause.
std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

}  // namespace

std::int32_t KafkaBatchHeader::last_sequence() const {
  if (base_sequence < 0) return -1;
  const std::int64_t last = static_cast<std::int64_t>(base_sequence) + last_offset_delta;
  return static_cast<std::int32_t>(last & std::numeric_limits<std::int32_t>::max());
}

KafkaBatchProblem parse_kafka_header(std::string_view bytes, KafkaBatchHeader& h) {
  // The magic lies at the same place in all formats.
  if (bytes.size() > kMagicAt && bytes[kMagicAt] >= 0 && bytes[kMagicAt] < 2) return KafkaBatchProblem::kUnsupportedMagic;
  if (bytes.size() < KafkaBatchHeader::kBytes) return KafkaBatchProblem::kCorrupt;
  const char* p = bytes.data();
  h.base_offset = load<std::int64_t>(p);
  h.length = load<std::int32_t>(p + kLengthAt);
  h.leader_epoch = load<std::int32_t>(p + kLeaderEpochAt);
  h.magic = load<std::int8_t>(p + kMagicAt);
  h.crc = load<std::uint32_t>(p + kCrcAt);
  h.attributes = load<std::int16_t>(p + kAttributesAt);
  h.last_offset_delta = load<std::int32_t>(p + kLastDeltaAt);
  h.base_timestamp_ms = load<std::int64_t>(p + kBaseTimestampAt);
  h.max_timestamp_ms = load<std::int64_t>(p + kMaxTimestampAt);
  h.producer_id = load<std::int64_t>(p + kProducerIdAt);
  h.producer_epoch = load<std::int16_t>(p + kProducerEpochAt);
  h.base_sequence = load<std::int32_t>(p + kBaseSequenceAt);
  h.record_count = load<std::int32_t>(p + kCountAt);
  if (h.magic != 2) return KafkaBatchProblem::kUnsupportedMagic;
  constexpr auto kLeast = static_cast<std::int32_t>(KafkaBatchHeader::kBytes - KafkaBatchHeader::kBeforeLength);
  if (h.length < kLeast || h.bytes() > bytes.size()) return KafkaBatchProblem::kCorrupt;
  return KafkaBatchProblem::kNone;
}

KafkaBatchProblem check_kafka_batch(std::string_view bytes, KafkaBatchHeader& h) {
  const KafkaBatchProblem problem = parse_kafka_header(bytes, h);
  if (problem != KafkaBatchProblem::kNone) return problem;
  return crc32c(bytes.substr(kAttributesAt, h.bytes() - kAttributesAt)) == h.crc ? KafkaBatchProblem::kNone : KafkaBatchProblem::kCorrupt;
}

void patch_kafka_batch(char* batch, std::int64_t base_offset, std::int32_t leader_epoch) {
  store(batch, base_offset);
  store(batch + kLeaderEpochAt, leader_epoch);
}

void stamp_kafka_append_time(std::string& batch, std::int64_t append_ms) {
  const auto attributes = static_cast<std::int16_t>(load<std::int16_t>(batch.data() + kAttributesAt) | KafkaBatchHeader::kLogAppendTime);
  store(batch.data() + kAttributesAt, attributes);
  set_kafka_max_timestamp(batch, append_ms);
}

void set_kafka_max_timestamp(std::string& batch, std::int64_t max_ms) {
  store(batch.data() + kMaxTimestampAt, max_ms);
  store_crc(batch.data(), batch.size());
}

Result<KafkaRecords> KafkaRecords::open(std::string_view batch, const KafkaBatchHeader& header, std::string& scratch, std::size_t max_bytes) {
  const std::string_view body = batch.substr(KafkaBatchHeader::kBytes, header.bytes() - KafkaBatchHeader::kBytes);
  if (header.record_count < 0 || header.last_offset_delta < 0) return malformed("a negative count");
  if (header.codec() == 0) return KafkaRecords(body, header);
  if (header.codec() > static_cast<int>(KafkaCompression::kZstd)) return malformed(fmt::format("unknown compression {}", header.codec()));
  scratch.clear();
  if (header.record_count > 0) SUPYO_TRY(kafka_decompress(static_cast<KafkaCompression>(header.codec()), body, scratch, max_bytes));
  return KafkaRecords(scratch, header);
}

Result<bool> KafkaRecords::next(KafkaRecord& out) {
  if (read_ == header_.record_count) {
    if (!left_.empty()) return malformed(fmt::format("{} bytes behind the last record", left_.size()));
    return false;
  }
  const auto bad = [&](const char* what) { return malformed(fmt::format("record {}: {}", read_, what)); };
  std::int32_t length = 0;
  if (!take_varint(left_, length) || length < 1 || static_cast<std::size_t>(length) > left_.size()) return bad("its length does not fit");
  std::string_view in = left_.substr(1, static_cast<std::size_t>(length) - 1);   // behind the attributes, which are unused
  left_.remove_prefix(static_cast<std::size_t>(length));
  std::int64_t delta_ms = 0;
  if (!take_varlong(in, delta_ms) || !take_varint(in, out.offset_delta)) return bad("its timestamp or offset does not parse");
  if (out.offset_delta < 0 || out.offset_delta > header_.last_offset_delta) return bad("its offset lies outside the batch");
  if (!take_bytes(in, out.key, true) || !take_bytes(in, out.value, true)) return bad("its key or value does not fit");
  std::int32_t count = 0;
  out.headers = in;
  if (!walk_headers(in, count, [](std::string_view, const auto&) {})) return bad("its headers do not parse");
  out.header_count = static_cast<std::uint32_t>(count);
  if (count == 0) out.headers = {};
  out.timestamp_ms = header_.log_append_time() ? header_.max_timestamp_ms : saturating_add(header_.base_timestamp_ms, delta_ms);
  ++read_;
  return true;
}

std::vector<KafkaRecordHeader> decode_kafka_headers(std::string_view headers) {
  std::vector<KafkaRecordHeader> all;
  std::int32_t count = 0;
  if (!walk_headers(headers, count, [&](std::string_view name, const auto& value) { all.push_back({name, value}); })) all.clear();
  return all;
}

std::string encode_kafka_headers(const std::vector<KafkaRecordHeader>& headers) {
  std::string out;
  if (headers.empty()) return out;
  put_varlong(out, static_cast<std::int64_t>(headers.size()));
  for (const KafkaRecordHeader& h : headers) {
    put_bytes(out, h.name);
    put_bytes(out, h.value);
  }
  return out;
}

void KafkaBatchBuilder::begin(const KafkaBatchHeader& like) {
  header_ = like;
  records_.clear();
  count_ = 0;
  last_delta_ = -1;
  max_timestamp_ms_ = like.max_timestamp_ms;
}

void KafkaBatchBuilder::add(std::int32_t offset_delta, std::int64_t timestamp_ms, std::optional<std::string_view> key, std::optional<std::string_view> value,
                            std::string_view headers) {
  SUPYO_CHECK(offset_delta > last_delta_);
  std::int32_t header_count = 0;
  one_.clear();
  one_.push_back(0);
  // Wrapping both here and, in the reader's sum, back: a base far from the record's time is strange and not wrong.
  put_varlong(one_, static_cast<std::int64_t>(static_cast<std::uint64_t>(timestamp_ms) - static_cast<std::uint64_t>(header_.base_timestamp_ms)));
  put_varlong(one_, offset_delta);
  put_bytes(one_, key);
  put_bytes(one_, value);
  if (headers.empty()) {
    put_varlong(one_, 0);
  } else if (walk_headers(headers, header_count, [](std::string_view, const auto&) {})) {
    one_.append(headers);
  } else {   // bytes that a job wrote as it liked: one header of that value
    put_varlong(one_, 1);
    put_bytes(one_, std::string_view("headers"));
    put_bytes(one_, headers);
  }
  put_varlong(records_, static_cast<std::int64_t>(one_.size()));
  records_.append(one_);
  max_timestamp_ms_ = count_ == 0 ? timestamp_ms : std::max(max_timestamp_ms_, timestamp_ms);
  last_delta_ = offset_delta;
  ++count_;
}

Status KafkaBatchBuilder::finish(std::string& out, std::int32_t last_offset_delta) {
  const std::size_t start = out.size();
  out.resize(start + KafkaBatchHeader::kBytes);
  const auto codec = static_cast<KafkaCompression>(header_.codec());
  if (codec == KafkaCompression::kNone || count_ == 0) out.append(records_);
  else SUPYO_TRY(kafka_compress(codec, records_, out));
  const std::size_t bytes = out.size() - start;
  SUPYO_CHECK_LE(bytes, static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
  char* p = out.data() + start;
  store(p, header_.base_offset);
  store(p + kLengthAt, static_cast<std::int32_t>(bytes - KafkaBatchHeader::kBeforeLength));
  store(p + kLeaderEpochAt, header_.leader_epoch);
  store(p + kMagicAt, std::int8_t{2});
  store(p + kAttributesAt, header_.attributes);
  store(p + kLastDeltaAt, last_offset_delta >= 0 ? last_offset_delta : std::max(last_delta_, 0));
  store(p + kBaseTimestampAt, header_.base_timestamp_ms);
  store(p + kMaxTimestampAt, header_.log_append_time() ? header_.max_timestamp_ms : max_timestamp_ms_);
  store(p + kProducerIdAt, header_.producer_id);
  store(p + kProducerEpochAt, header_.producer_epoch);
  store(p + kBaseSequenceAt, header_.base_sequence);
  store(p + kCountAt, count_);
  store_crc(p, bytes);
  return ok();
}

std::optional<KafkaMarker> parse_kafka_marker(std::string_view batch, const KafkaBatchHeader& header) {
  if (!header.control() || header.codec() != 0) return std::nullopt;
  std::string scratch;
  auto records = KafkaRecords::open(batch, header, scratch);
  KafkaRecord r;
  if (!records || !records->next(r).value_or(false)) return std::nullopt;
  // Key: version, type (0 abort, 1 commit); value: version, coordinator epoch.
  if (!r.key || r.key->size() < 4 || !r.value || r.value->size() < 6) return std::nullopt;
  const auto type = load<std::int16_t>(r.key->data() + 2);
  if (load<std::int16_t>(r.key->data()) < 0 || (type != 0 && type != 1)) return std::nullopt;
  return KafkaMarker{.commit = type == 1, .coordinator_epoch = load<std::int32_t>(r.value->data() + 2)};
}

std::string encode_kafka_marker(std::int64_t producer_id, std::int16_t producer_epoch, const KafkaMarker& marker, std::int64_t timestamp_ms) {
  std::string key(4, '\0');
  store(key.data() + 2, static_cast<std::int16_t>(marker.commit ? 1 : 0));
  std::string value(6, '\0');
  store(value.data() + 2, marker.coordinator_epoch);
  KafkaBatchBuilder builder;
  builder.begin({.attributes = KafkaBatchHeader::kTransactional | KafkaBatchHeader::kControl,
                 .base_timestamp_ms = timestamp_ms,
                 .max_timestamp_ms = timestamp_ms,
                 .producer_id = producer_id,
                 .producer_epoch = producer_epoch});
  builder.add(0, timestamp_ms, key, value);
  std::string out;
  SUPYO_CHECK(builder.finish(out).has_value());   // nothing is compressed
  return out;
}

}  // namespace supyo::log
