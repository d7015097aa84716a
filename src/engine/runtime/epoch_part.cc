#include "engine/runtime/epoch_part.h"

#include <fmt/format.h>

#include "core/base/bytes.h"

namespace supyo::runtime {
namespace {

enum SectionId : std::uint16_t { kJob = 1, kSplits = 2, kWatermarks = 3, kSinks = 4, kObserver = 5 };
constexpr std::uint8_t kVersion = 1;

void encode_splits(const std::vector<SplitState>& splits, ByteWriter& w) {
  w.varint(splits.size());
  for (const SplitState& s : splits) {
    w.text(s.source);
    w.text(s.split);
    w.text(s.position);
    w.i64(s.watermark_us);
    w.u8(s.idle ? 1 : 0);
    w.varint(s.skip_rows);
    w.varint(s.skip_dead);
  }
}

std::vector<SplitState> decode_splits(ByteReader& r) {
  std::vector<SplitState> out;
  for (std::uint64_t n = r.varint(); n > 0 && !r.failed(); --n) {
    SplitState s;
    s.source = r.text();
    s.split = r.text();
    s.position = r.text();
    s.watermark_us = r.i64();
    s.idle = r.u8() != 0;
    s.skip_rows = r.varint();
    s.skip_dead = r.varint();
    out.push_back(std::move(s));
  }
  return out;
}

void encode_sinks(const std::vector<SinkHandles>& sinks, ByteWriter& w) {
  w.varint(sinks.size());
  for (const SinkHandles& s : sinks) {
    w.text(s.sink_id);
    w.varint(s.handles.size());
    for (const auto& h : s.handles) w.text(h);
  }
}

std::vector<SinkHandles> decode_sinks(ByteReader& r) {
  std::vector<SinkHandles> out;
  for (std::uint64_t n = r.varint(); n > 0 && !r.failed(); --n) {
    SinkHandles s;
    s.sink_id = r.text();
    for (std::uint64_t h = r.varint(); h > 0 && !r.failed(); --h) s.handles.emplace_back(r.text());
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace

std::vector<state::Section> encode(const EpochMeta& meta) {
  std::vector<state::Section> out;
  const auto section = [&out](SectionId id) -> std::string& { return out.emplace_back(state::Section{.id = id, .bytes = {}}).bytes; };
  {
    ByteWriter w(section(kJob));
    w.u8(kVersion);
    w.u8(meta.finished ? 1 : 0);
    w.i64(meta.now_us);
  }
  {
    ByteWriter w(section(kSplits));
    encode_splits(meta.splits, w);
  }
  {
    ByteWriter w(section(kWatermarks));
    w.varint(meta.watermarks.size());
    for (const NodeWatermark& n : meta.watermarks) {
      w.u32(n.node);
      w.i64(n.watermark_us);
    }
  }
  {
    ByteWriter w(section(kSinks));
    encode_sinks(meta.sinks, w);
  }
  section(kObserver) = meta.observer;
  return out;
}

Result<EpochMeta> decode_epoch_meta(const std::vector<state::Section>& sections) {
  EpochMeta meta;
  bool damaged = false;
  for (const state::Section& s : sections) {
    ByteReader r(s.bytes);
    switch (s.id) {
      case kJob:
        if (const auto version = r.u8(); version != kVersion)
          return fail(ErrorCode::kFormatVersion, fmt::format("the epoch record has layout {}, this version reads {}", version, kVersion),
                      "run the version of supyo that wrote the state directory, or a newer one");
        meta.finished = r.u8() != 0;
        meta.now_us = r.i64();
        break;
      case kSplits: meta.splits = decode_splits(r); break;
      case kWatermarks:
        for (std::uint64_t n = r.varint(); n > 0 && !r.failed(); --n) {
          const std::uint32_t node = r.u32();
          meta.watermarks.push_back({.node = node, .watermark_us = r.i64()});
        }
        break;
      case kSinks: meta.sinks = decode_sinks(r); break;
      case kObserver: meta.observer = s.bytes; continue;
      default: return fail(ErrorCode::kFormatVersion, fmt::format("the epoch record has a section {} that this version does not know", s.id));
    }
    damaged |= r.failed() || !r.done();
  }
  if (damaged) return fail(ErrorCode::kDamaged, "the epoch record of the journal does not decode", "restore the state directory from a copy");
  return meta;
}

}  // namespace supyo::runtime
