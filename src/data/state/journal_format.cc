#include "data/state/journal_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/crc32c.h"

namespace supyo::state {
namespace {

constexpr std::string_view kSegmentMagic = "SUPYOJNL";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kRecordMagic = 0x48435045;  // "EPCH"

std::uint32_t u32_at(std::string_view bytes, std::size_t offset) { return ByteReader(bytes.substr(offset)).u32(); }

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  SUPYO_CHECK_LE(header.job_id.size(), kMaxJobIdBytes);
  std::string out(kSegmentMagic);
  ByteWriter w(out);
  w.u32(kVersion);
  w.u32(0);
  w.u64(header.segment);
  w.u64(header.previous.segment);
  w.u64(header.previous.offset);
  w.u32(header.previous.chain);
  w.text(header.job_id);
  out.resize(kSegmentHeaderBytes - 4, '\0');
  w.u32(crc32c(out));
  return out;
}

Result<SegmentHeader> decode_segment_header(std::string_view file, const std::string& path, std::string_view job_id) {
  const auto damaged = [&](std::string_view why) {
    return fail(ErrorCode::kDamaged, fmt::format("{} at offset 0: {}", path, why), "restore the state directory from a copy");
  };
  if (file.size() < kSegmentHeaderBytes) return damaged("a journal segment is shorter than its header");
  if (!file.starts_with(kSegmentMagic)) return damaged("not a journal segment");
  const std::uint32_t crc = u32_at(file, kSegmentHeaderBytes - 4);
  if (crc32c(file.substr(0, kSegmentHeaderBytes - 4)) != crc) return damaged("the header of a journal segment does not match its checksum");
  ByteReader r(file.substr(kSegmentMagic.size(), kSegmentHeaderBytes - kSegmentMagic.size()));
  const std::uint32_t version = r.u32();
  if (version != kVersion) {
    return fail(ErrorCode::kFormatVersion, fmt::format("{}: journal format {} is not known here", path, version), "use the Supyo that wrote it");
  }
  r.u32();
  SegmentHeader header;
  header.segment = r.u64();
  header.previous.segment = r.u64();
  header.previous.offset = r.u64();
  header.previous.chain = r.u32();
  header.job_id = r.text();
  header.chain = crc;
  if (r.failed()) return damaged("the header of a journal segment does not read");
  if (header.job_id != job_id) {
    return fail(ErrorCode::kStateOfOtherJob, fmt::format("{} belongs to job {}, not to job {}", path, header.job_id, job_id),
                "put back this job's own journal, or start with a new state directory");
  }
  return header;
}

namespace {

constexpr std::size_t kMaxVarint = 10;

/// At least as many bytes as the record needs, so that it is written through one pointer: an epoch has hundreds of thousands of changes.
std::size_t bound_of(const EpochRecord& record) {
  std::size_t n = kRecordHeaderBytes + kMaxVarint;
  for (const Section& s : record.sections) n += sizeof s.id + kMaxVarint + s.bytes.size();
  for (const TableChanges& t : record.tables) {
    n += sizeof t.operator_id + sizeof t.table + kMaxVarint + t.encoded.bytes.size();
    for (const Change& c : t.changes) n += sizeof c.hash + 2 * kMaxVarint + c.key.size() + c.value.size();
  }
  return n;
}

class Cursor {
 public:
  explicit Cursor(char* at) : at_(at) {}
  template <class T>
  void fixed(T v) {
    std::memcpy(at_, &v, sizeof v);
    at_ += sizeof v;
  }
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      *at_++ = static_cast<char>(v | 0x80);
      v >>= 7;
    }
    *at_++ = static_cast<char>(v);
  }
  void bytes(std::string_view s) {
    if (!s.empty()) std::memcpy(at_, s.data(), s.size());
    at_ += s.size();
  }
  char* at() const { return at_; }

 private:
  char* at_;
};

void encode_body(const EpochRecord& record, Cursor& w) {
  w.varint(record.sections.size());
  for (const Section& s : record.sections) {
    w.fixed(s.id);
    w.varint(s.bytes.size());
    w.bytes(s.bytes);
  }
  for (const TableChanges& t : record.tables) {
    if (t.encoded.empty() && t.changes.empty()) continue;
    w.fixed(t.operator_id);
    w.fixed(t.table);
    w.varint(t.encoded.count + t.changes.size());
    w.bytes(t.encoded.bytes);
    for (const Change& c : t.changes) {
      w.fixed(c.hash);
      w.varint(c.key.size());
      w.bytes(c.key);
      // Length + 1, so that 0 says "deleted" and an empty value stays a value.
      w.varint(c.deleted ? 0 : c.value.size() + 1);
      if (!c.deleted) w.bytes(c.value);
    }
  }
}

}  // namespace

std::uint32_t encode_record(const EpochRecord& record, std::uint64_t segment, std::uint64_t offset, std::uint64_t durable, std::uint32_t chain,
                            std::string& out) {
  out.clear();
  out.resize_and_overwrite(bound_of(record), [&](char* data, std::size_t) {
    Cursor w(data + kRecordHeaderBytes);
    encode_body(record, w);
    return static_cast<std::size_t>(w.at() - data);
  });
  Cursor h(out.data());
  h.fixed(kRecordMagic);
  h.fixed(static_cast<std::uint32_t>(out.size() - kRecordHeaderBytes));
  h.fixed(segment);
  h.fixed(offset);
  h.fixed(record.epoch.value);
  h.fixed(durable);
  h.fixed(chain);
  const std::string_view whole = out;
  const std::uint32_t crc = crc32c(whole.substr(kRecordHeaderBytes), crc32c(whole.substr(0, kRecordHeaderBytes - sizeof(std::uint32_t))));
  h.fixed(crc);
  SUPYO_CHECK_EQ(h.at() - out.data(), static_cast<std::ptrdiff_t>(kRecordHeaderBytes));
  return crc;
}

std::optional<RecordView> record_at(std::string_view file, std::uint64_t segment, std::uint64_t offset, std::optional<std::uint32_t> chain) {
  if (offset > file.size() || file.size() - offset < kRecordHeaderBytes) return std::nullopt;
  const std::string_view header = file.substr(offset, kRecordHeaderBytes);
  ByteReader r(header);
  if (r.u32() != kRecordMagic) return std::nullopt;
  const std::uint64_t length = r.u32();
  // Segment and offset make bytes of the file's earlier life, and copies of a record elsewhere, no records.
  if (r.u64() != segment || r.u64() != offset) return std::nullopt;
  RecordView view;
  view.epoch = Epoch(r.i64());
  view.durable = r.u64();
  const std::uint32_t behind = r.u32();
  if (chain && behind != *chain) return std::nullopt;
  view.chain = r.u32();
  if (length > file.size() - offset - kRecordHeaderBytes) return std::nullopt;
  view.body = file.substr(offset + kRecordHeaderBytes, length);
  view.end = offset + kRecordHeaderBytes + length;
  if (crc32c(view.body, crc32c(header.substr(0, kRecordHeaderBytes - 4))) != view.chain) return std::nullopt;
  return view;
}

bool acknowledged_beyond(std::string_view file, std::uint64_t segment, std::uint64_t offset) {
  const std::string_view magic(reinterpret_cast<const char*>(&kRecordMagic), sizeof kRecordMagic);
  for (std::size_t at = file.find(magic, offset); at != std::string_view::npos; at = file.find(magic, at + 1)) {
    const auto record = record_at(file, segment, at, std::nullopt);
    if (record && record->durable > offset) return true;
  }
  return false;
}

std::uint64_t torn_bytes(std::string_view file, std::uint64_t segment, std::uint64_t offset) {
  ByteReader r(file.substr(std::min<std::uint64_t>(offset, file.size())));
  if (r.u32() != kRecordMagic) return 0;
  const std::uint64_t length = r.u32();
  if (r.u64() != segment || r.u64() != offset || r.failed()) return 0;
  return std::min<std::uint64_t>(kRecordHeaderBytes + length, file.size() - offset);
}

ChangeView change_at(const ChangeRef& change) {
  const char* at = change.at;
  const auto varint = [&] {   // it was checked when the body was decoded
    std::uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto b = static_cast<std::uint8_t>(*at++);
      v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) return v;
    }
  };
  ChangeView c;
  c.hash = change.hash;
  const std::uint64_t key = varint();
  c.key = {at, key};
  at += key;
  const std::uint64_t size = varint();
  c.deleted = size == 0;
  if (!c.deleted) c.value = {at, size - 1};
  return c;
}

Status decode_body(std::string_view body, std::vector<Section>& sections, const std::function<void(Journal::StoredTable, std::span<const ChangeRef>)>& visit) {
  const auto damaged = [] { return fail(ErrorCode::kDamaged, "an epoch record does not read"); };
  ByteReader r(body);
  const std::uint64_t section_count = r.varint();
  for (std::uint64_t i = 0; i < section_count && !r.failed(); ++i) {
    const std::uint16_t id = r.u16();
    const std::string_view bytes = r.text();
    if (!r.failed()) sections.push_back({.id = id, .bytes = std::string(bytes)});
  }
  std::array<ChangeRef, 512> changes;
  while (!r.failed() && !r.done()) {
    Journal::StoredTable table;
    table.operator_id = r.u32();
    table.table = r.u16();
    const std::uint64_t count = r.varint();
    if (count > r.remaining()) return damaged();
    std::size_t n = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      changes[n].hash = r.u64();
      changes[n++].at = body.data() + (body.size() - r.remaining());
      r.text();
      if (const std::uint64_t size = r.varint(); size != 0) r.bytes(size - 1);
      if (r.failed()) return damaged();
      if (n < changes.size() && i + 1 < count) continue;
      visit(table, std::span(changes).first(n));
      n = 0;
    }
  }
  if (r.failed()) return damaged();
  return ok();
}

std::string numbered_name(std::string_view prefix, std::uint64_t number) { return fmt::format("{}{:020}", prefix, number); }

std::optional<std::uint64_t> number_of_name(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix) || name.size() != prefix.size() + 20) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace supyo::state
