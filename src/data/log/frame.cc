#include "data/log/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/hash.h"

namespace supyo::log {
namespace {

constexpr std::uint8_t kHasKeys = 1;
constexpr std::uint8_t kHasNulls = 2;
constexpr std::uint8_t kHasHeaders = 4;
constexpr std::uint8_t kKnownFlags = 7;
constexpr std::size_t kCrcStart = 8;   // magic and the CRC itself stand before it

template <class T>
void append_array(std::string& out, const std::vector<T>& v) {
  out.append(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T));
}

template <class T>
std::uint32_t end_of(const T& bytes) {
  SUPYO_CHECK_LE(bytes.size(), kFrameBytesMax);
  return static_cast<std::uint32_t>(bytes.size());
}

bool ascending(const std::uint32_t* ends, std::size_t n) {
  bool good = true;
  for (std::size_t i = 1; i < n; ++i) good &= ends[i - 1] <= ends[i];
  return good;
}

}  // namespace

std::uint64_t writer_fingerprint(std::string_view job_id, std::string_view sink_id) {
  const std::uint64_t h = hash_combine(hash_bytes(job_id), hash_bytes(sink_id));
  return h == 0 ? 1 : h;   // 0 means "no writer"
}

void RecordBatch::begin_keys() {
  for (std::uint8_t& n : nulls_) n |= 1;
  nulls_.resize(timestamps_.size(), 1);
  key_ends_.resize(timestamps_.size(), 0);
}

void RecordBatch::end_record(TimeUs timestamp_us) { end_record(timestamp_us, std::nullopt, true, {}); }

void RecordBatch::add(TimeUs timestamp_us, std::optional<std::string_view> key, std::optional<std::string_view> value, std::string_view headers) {
  if (value) values_.append(*value);
  end_record(timestamp_us, key, value.has_value(), headers);
}

void RecordBatch::end_record(TimeUs timestamp_us, std::optional<std::string_view> key, bool has_value, std::string_view headers) {
  const std::size_t row = timestamps_.size();
  if (key && key_ends_.empty() && row > 0) begin_keys();
  if (!headers.empty() && header_ends_.empty()) header_ends_.resize(row, 0);
  const bool keyed = key || !key_ends_.empty();
  const bool null_key = keyed && !key;
  if (nulls_.empty() && (null_key || !has_value)) nulls_.resize(row, 0);
  if (!nulls_.empty() || null_key || !has_value) nulls_.push_back(static_cast<std::uint8_t>((null_key ? 1 : 0) | (has_value ? 0 : 2)));
  timestamps_.push_back(timestamp_us);
  value_ends_.push_back(end_of(values_));
  if (keyed) key_ends_.push_back(end_of(key ? keys_.append(*key) : keys_));
  if (!headers.empty() || !header_ends_.empty()) header_ends_.push_back(end_of(headers_.append(headers)));
}

void RecordBatch::clear() {
  timestamps_.clear();
  value_ends_.clear();
  values_.clear();
  key_ends_.clear();
  keys_.clear();
  nulls_.clear();
  header_ends_.clear();
  headers_.clear();
}

/// The layout of a kRecords frame behind its head: timestamps, value ends, [key ends], [header ends], [nulls], values, keys, headers, padding.
struct FrameEncoding {
  static void encode(const RecordBatch& b, const FrameStamp& stamp, std::string& out) {
    const std::size_t n = b.records();
    SUPYO_CHECK(n > 0);
    SUPYO_CHECK(b.key_ends_.empty() || b.key_ends_.size() == n);
    SUPYO_CHECK(b.nulls_.empty() || b.nulls_.size() == n);
    const std::size_t body = 12 * n + 4 * b.key_ends_.size() + 4 * b.header_ends_.size() + b.nulls_.size() + b.values_.size() + b.keys_.size() + b.headers_.size();
    FrameHeader h = head_of(FrameKind::kRecords, static_cast<std::uint32_t>(n), body, stamp);
    h.flags = static_cast<std::uint8_t>((b.key_ends_.empty() ? 0 : kHasKeys) | (b.nulls_.empty() ? 0 : kHasNulls) | (b.header_ends_.empty() ? 0 : kHasHeaders));
    h.max_timestamp_us = *std::max_element(b.timestamps_.begin(), b.timestamps_.end());
    const std::size_t start = out.size();
    out.reserve(start + h.length);
    out.append(reinterpret_cast<const char*>(&h), sizeof h);
    append_array(out, b.timestamps_);
    append_array(out, b.value_ends_);
    append_array(out, b.key_ends_);
    append_array(out, b.header_ends_);
    append_array(out, b.nulls_);
    out.append(b.values_).append(b.keys_).append(b.headers_);
    finish(out, start, h.length);
  }

  /// Number of parts and bytes of the head (4 bytes each), timestamps, bytes and checksum of each part, the head; that is the front. Then the parts.
  static Status encode_columnar(const ColumnarBatch& b, const FrameStamp& stamp, std::string& out) {
    const std::size_t n = b.records();
    SUPYO_CHECK(n > 0 && b.head.size() % 8 == 0);
    const std::size_t body = 8 + 8 * n + sizeof(FrameView::Part) * b.part_bytes.size() + b.head.size() + b.parts.size();
    if (body > kFrameBytesMax - sizeof(FrameHeader))
      return fail(ErrorCode::kValueOutOfRange, fmt::format("{} rows of {} bytes are too many for one frame of the log ({} MiB)", n, b.parts.size(), kFrameBytesMax >> 20), "a row must be smaller than that");
    FrameHeader h = head_of(FrameKind::kColumnar, static_cast<std::uint32_t>(n), body, stamp);
    h.max_timestamp_us = *std::max_element(b.timestamps.begin(), b.timestamps.end());
    const std::size_t start = out.size();
    out.reserve(start + h.length);
    out.append(reinterpret_cast<const char*>(&h), sizeof h);
    append_array(out, std::vector<std::uint32_t>{end_of(b.part_bytes), end_of(b.head)});
    append_array(out, b.timestamps);
    std::vector<FrameView::Part> table;
    std::size_t from = 0;
    for (const std::uint32_t bytes : b.part_bytes) {
      SUPYO_CHECK(bytes % 8 == 0);
      table.push_back({bytes, crc32c(std::string_view(b.parts).substr(from, bytes))});
      from += bytes;
    }
    SUPYO_CHECK_EQ(from, b.parts.size());
    append_array(out, table);
    out.append(b.head);
    seal(out, start);
    out.append(b.parts);
    return ok();
  }

  /// Bytes before the parts; 0 when that cannot be. `bytes` has 8 behind the frame's head.
  static std::size_t front_of(std::string_view bytes, const FrameHeader& h) {
    std::uint32_t parts, head;
    std::memcpy(&parts, bytes.data() + sizeof h, sizeof parts);
    std::memcpy(&head, bytes.data() + sizeof h + sizeof parts, sizeof head);
    const std::uint64_t front = sizeof h + 8 + 8 * std::uint64_t{h.count} + sizeof(FrameView::Part) * std::uint64_t{parts} + head;
    return front > h.length || head % 8 != 0 ? 0 : static_cast<std::size_t>(front);
  }

  /// Lays a view over a checked front.
  static bool hold_front(std::string_view front, FrameView& view) {
    const FrameHeader& h = view.header_;
    std::uint32_t parts;
    const char* at = front.data() + sizeof h;
    std::memcpy(&parts, at, sizeof parts);
    at += 8;
    view.records_ = h.count;
    view.timestamps_ = {reinterpret_cast<const TimeUs*>(at), h.count};
    at += 8 * std::size_t{h.count};
    view.table_ = reinterpret_cast<const FrameView::Part*>(at);
    at += sizeof(FrameView::Part) * std::size_t{parts};
    view.batch_ = {at, static_cast<std::size_t>(front.data() + front.size() - at)};
    view.parts_.resize(parts);
    std::uint64_t bytes = front.size();
    bool aligned = true;
    for (std::uint32_t i = 0; i < parts; ++i) {
      bytes += view.table_[i].bytes;
      aligned &= view.table_[i].bytes % 8 == 0;
    }
    return aligned && bytes == h.length;
  }

  static ParsedFrame parse_columnar(std::string_view bytes, const FrameHeader& h, FrameExtent extent) {
    ParsedFrame parsed{.status = FrameStatus::kIncomplete, .view = {}, .length = sizeof h + 8};
    if (bytes.size() < parsed.length) return parsed;
    const std::size_t front = front_of(bytes, h);
    parsed.length = extent == FrameExtent::kFront ? front : h.length;
    if (front > 0 && parsed.length > bytes.size()) return parsed;
    parsed.status = FrameStatus::kInvalid;
    parsed.length = h.length;
    if (front == 0 || crc32c(bytes.substr(kCrcStart, front - kCrcStart)) != h.crc) return parsed;
    parsed.view.header_ = h;
    if (!hold_front(bytes.substr(0, front), parsed.view)) return parsed;
    std::size_t at = front;
    for (std::size_t i = 0; extent == FrameExtent::kWhole && i < parsed.view.parts_.size(); ++i) {
      const std::string_view part = bytes.substr(at, parsed.view.table_[i].bytes);
      if (crc32c(part) != parsed.view.table_[i].crc) return parsed;
      parsed.view.parts_[i] = part;
      at += part.size();
    }
    parsed.status = FrameStatus::kFrame;
    return parsed;
  }

  /// Timestamps, the block's length (8 bytes), the block.
  static bool hold_block(std::string_view frame, FrameView& view) {
    const FrameHeader& h = view.header_;
    const std::size_t n = h.count;
    const std::size_t body = frame.size() - sizeof h;
    if (n > body / 8 || 8 * n + 8 > body) return false;
    const char* at = frame.data() + sizeof h;
    std::uint64_t length;
    std::memcpy(&length, at + 8 * n, sizeof length);
    if (length > body - 8 * n - 8) return false;
    view.records_ = n;
    view.timestamps_ = {reinterpret_cast<const TimeUs*>(at), n};
    view.batch_ = {at + 8 * n + 8, static_cast<std::size_t>(length)};
    return true;
  }

  static void encode_kafka(std::string_view batch, const KafkaBatchHeader& b, std::int32_t leader_epoch, const FrameStamp& stamp, std::string& out) {
    SUPYO_CHECK(b.bytes() == batch.size() && stamp.transaction.writer == 0);
    FrameHeader h = head_of(FrameKind::kKafka, static_cast<std::uint32_t>(b.last_offset_delta) + 1, batch.size(), stamp);
    // A batch without a time is as old as its arrival: retention has to go by something.
    h.max_timestamp_us = b.max_timestamp_ms >= 0 ? kafka_time_us(b.max_timestamp_ms) : stamp.append_us;
    const std::size_t start = out.size();
    out.reserve(start + h.length);
    out.append(reinterpret_cast<const char*>(&h), sizeof h);
    out.append(batch);
    patch_kafka_batch(out.data() + start + sizeof h, stamp.base_offset.value, leader_epoch);
    finish(out, start, h.length);
  }

  /// Lays the columns of a checked frame over its bytes; false when they do not fit (a writer's bug, or a forged file).
  static bool lay_out(std::string_view frame, FrameView& view) {
    const FrameHeader& h = view.header_;
    const std::size_t n = h.count;
    const std::size_t arrays = 12 * n + (h.flags & kHasKeys ? 4 * n : 0) + (h.flags & kHasHeaders ? 4 * n : 0) + (h.flags & kHasNulls ? n : 0);
    if (n == 0 || (h.flags & ~kKnownFlags) != 0 || arrays > frame.size() - sizeof h) return false;
    const char* at = frame.data() + sizeof h;
    view.records_ = n;
    view.timestamps_ = {reinterpret_cast<const TimeUs*>(at), n};
    at += 8 * n;
    const auto take_ends = [&](bool present) -> const std::uint32_t* {
      if (!present) return nullptr;
      const auto* ends = reinterpret_cast<const std::uint32_t*>(at);
      at += 4 * n;
      return ends;
    };
    view.value_ends_ = take_ends(true);
    view.key_ends_ = take_ends((h.flags & kHasKeys) != 0);
    view.header_ends_ = take_ends((h.flags & kHasHeaders) != 0);
    if ((h.flags & kHasNulls) != 0) {
      view.nulls_ = reinterpret_cast<const std::uint8_t*>(at);
      at += n;
    }
    const auto take_bytes = [&](const std::uint32_t* ends, const char*& bytes) {
      if (ends == nullptr) return true;
      const auto left = static_cast<std::size_t>(frame.data() + frame.size() - at);
      if (ends[n - 1] > left || !ascending(ends, n)) return false;
      bytes = at;
      at += ends[n - 1];
      return true;
    };
    return take_bytes(view.value_ends_, view.values_) && take_bytes(view.key_ends_, view.keys_) && take_bytes(view.header_ends_, view.headers_);
  }

  static ParsedFrame parse(std::string_view bytes, const FrameHeader& h, FrameExtent extent) {
    if (static_cast<FrameKind>(h.kind) == FrameKind::kColumnar) return parse_columnar(bytes, h, extent);
    ParsedFrame parsed;
    parsed.length = h.length;
    if (h.length > bytes.size()) {
      parsed.status = FrameStatus::kIncomplete;
      return parsed;
    }
    const std::string_view frame = bytes.substr(0, h.length);
    if (crc32c(frame.substr(kCrcStart)) != h.crc) return parsed;
    parsed.view.header_ = h;
    bool good = false;
    switch (static_cast<FrameKind>(h.kind)) {
      case FrameKind::kRecords: good = lay_out(frame, parsed.view); break;
      case FrameKind::kKafka: good = hold_batch(frame, parsed.view); break;
      case FrameKind::kGap: good = h.length == sizeof h; break;
      case FrameKind::kBlock: good = hold_block(frame, parsed.view); break;
      case FrameKind::kColumnar: break;   // above
    }
    if (good) parsed.status = FrameStatus::kFrame;
    return parsed;
  }

  static bool hold_batch(std::string_view frame, FrameView& view) {
    const std::string_view body = frame.substr(sizeof(FrameHeader));
    KafkaBatchHeader b;
    if (parse_kafka_header(body, b) != KafkaBatchProblem::kNone || b.base_offset != view.header_.base_offset || b.last_offset_delta < 0) return false;
    if (static_cast<std::uint32_t>(b.last_offset_delta) + 1 != view.header_.count || (b.bytes() + 7) / 8 * 8 != body.size()) return false;
    view.batch_ = body.substr(0, b.bytes());
    return true;
  }

  static FrameHeader head_of(FrameKind kind, std::uint32_t count, std::size_t body, const FrameStamp& stamp) {
    const std::size_t length = (sizeof(FrameHeader) + body + 7) / 8 * 8;
    SUPYO_CHECK_LE(length, kFrameBytesMax);
    FrameHeader h;
    h.magic = kFrameMagic;
    h.length = static_cast<std::uint32_t>(length);
    h.kind = static_cast<std::uint8_t>(kind);
    h.log_id = stamp.log.log_id;
    h.base_offset = stamp.base_offset.value;
    h.count = count;
    h.partition = stamp.log.partition.value;
    h.synced_offset = stamp.synced_offset.value;
    h.append_us = stamp.append_us;
    h.max_timestamp_us = kTimeMin;
    h.writer = stamp.transaction.writer;
    h.epoch = stamp.transaction.epoch.value;
    return h;
  }

  static void finish(std::string& out, std::size_t start, std::size_t length) {
    out.resize(start + length, '\0');
    seal(out, start);
  }

  /// The checksum of what is there of the frame that begins at `start`.
  static void seal(std::string& out, std::size_t start) {
    const std::uint32_t crc = crc32c(std::string_view(out).substr(start + kCrcStart));
    std::memcpy(out.data() + start + offsetof(FrameHeader, crc), &crc, sizeof crc);
  }
};

void encode_frame(const RecordBatch& batch, const FrameStamp& stamp, std::string& out) { FrameEncoding::encode(batch, stamp, out); }

Status encode_columnar_frame(const ColumnarBatch& batch, const FrameStamp& stamp, std::string& out) { return FrameEncoding::encode_columnar(batch, stamp, out); }

void encode_kafka_frame(std::string_view batch, const KafkaBatchHeader& header, std::int32_t leader_epoch, const FrameStamp& stamp, std::string& out) {
  FrameEncoding::encode_kafka(batch, header, leader_epoch, stamp, out);
}

void encode_gap_frame(std::uint32_t count, const FrameStamp& stamp, std::string& out) {
  const FrameHeader h = FrameEncoding::head_of(FrameKind::kGap, count, 0, stamp);
  const std::size_t start = out.size();
  out.append(reinterpret_cast<const char*>(&h), sizeof h);
  FrameEncoding::finish(out, start, h.length);
}

Error columnar_error(std::string_view topic, Offset at) {
  return Error{.code = ErrorCode::kUnsupported,
               .message = fmt::format("topic '{}' holds rows in columns at offset {}", topic, at.value),
               .hint = "read it with 'format' = 'columnar' and without a broker"};
}

TimeUs kafka_time_us(std::int64_t ms) {
  constexpr std::int64_t kMost = kTimeMax / kMillisecond;
  return std::clamp(ms, -kMost, kMost) * kMillisecond;
}

std::int64_t kafka_time_ms(TimeUs us) { return us >= 0 ? us / kMillisecond : (us + 1) / kMillisecond - 1; }

std::size_t FrameView::records_below(Offset end) const {
  if (end_offset() <= end) return records_;
  const std::int64_t delta = std::max<std::int64_t>(0, end.value - header_.base_offset);
  if (deltas_ == nullptr) return std::min(records_, static_cast<std::size_t>(delta));
  return static_cast<std::size_t>(std::lower_bound(deltas_, deltas_ + records_, delta, [](std::uint32_t d, std::int64_t e) { return d < e; }) - deltas_);
}

namespace {

bool plausible(const FrameHeader& h, const LogIdentity& log) {
  return h.magic == kFrameMagic && h.length >= sizeof h && h.length <= kFrameBytesMax && h.length % 8 == 0 && h.count > 0 &&
         h.base_offset >= 0 && h.log_id == log.log_id && h.partition == log.partition.value;
}

FrameHeader load_header(std::string_view bytes) {
  FrameHeader h;
  std::memcpy(&h, bytes.data(), sizeof h);
  return h;
}

}  // namespace

std::optional<FrameHeader> parse_frame_header(std::string_view bytes, const LogIdentity& log, Offset expected) {
  if (bytes.size() < sizeof(FrameHeader)) return std::nullopt;
  const FrameHeader h = load_header(bytes);
  if (!plausible(h, log) || h.base_offset != expected.value) return std::nullopt;
  return h;
}

ParsedFrame parse_frame(std::string_view bytes, const LogIdentity& log, Offset expected, FrameExtent extent) {
  if (bytes.size() < sizeof(FrameHeader)) {
    const bool zeros = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
    return {.status = zeros ? FrameStatus::kNothing : FrameStatus::kInvalid, .view = {}, .length = 0};
  }
  const FrameHeader h = load_header(bytes);
  if (plausible(h, log) && h.base_offset == expected.value) return FrameEncoding::parse(bytes, h, extent);
  const std::string_view head = bytes.substr(0, sizeof h);
  const bool zeros = std::all_of(head.begin(), head.end(), [](char c) { return c == 0; });
  return {.status = zeros ? FrameStatus::kNothing : FrameStatus::kInvalid, .view = {}, .length = 0};
}

ParsedFrame parse_any_frame(std::string_view bytes, const LogIdentity& log) {
  if (bytes.size() < sizeof(FrameHeader)) return {};
  const FrameHeader h = load_header(bytes);
  if (!plausible(h, log)) return {};
  return FrameEncoding::parse(bytes, h, FrameExtent::kWhole);
}

}  // namespace supyo::log
