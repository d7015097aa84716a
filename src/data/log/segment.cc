#include "data/log/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"

namespace supyo::log {
namespace {

constexpr std::string_view kSegmentMagic = "SUPYOSEG";
constexpr std::uint32_t kSegmentVersion = 1;
constexpr std::string_view kSuffix = ".seg";

}  // namespace

std::string segment_name(Offset base) { return fmt::format("{:020}{}", base.value, kSuffix); }

Result<std::vector<Offset>> list_segments(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const auto names, files.list(directory));
  std::vector<Offset> bases;
  for (const std::string& name : names) {
    std::int64_t base = 0;
    if (name.size() != 20 + kSuffix.size() || !name.ends_with(kSuffix)) continue;
    const auto [end, error] = std::from_chars(name.data(), name.data() + 20, base);
    if (error == std::errc() && end == name.data() + 20) bases.emplace_back(base);
  }
  std::sort(bases.begin(), bases.end());
  return bases;
}

std::string encode_segment_header(const LogIdentity& log, Offset base) {
  std::string body;
  ByteWriter w(body);
  w.u32(kSegmentVersion);
  w.u64(log.log_id);
  w.u32(static_cast<std::uint32_t>(log.partition.value));
  w.i64(base.value);
  std::string header(kSegmentMagic);
  ByteWriter(header).u32(crc32c(body));
  header += body;
  header.resize(kSegmentHeaderBytes, '\0');
  return header;
}

bool is_segment_header(std::string_view bytes, const LogIdentity& log, Offset base) { return bytes.substr(0, kSegmentHeaderBytes) == encode_segment_header(log, base); }

char* FrameBuffer::reserve(std::size_t bytes) {
  if (bytes > capacity_) {
    words_ = std::make_unique_for_overwrite<std::uint64_t[]>((bytes + kPadding + 7) / 8);
    capacity_ = bytes;
  }
  return data();
}

Result<SegmentCursor> SegmentCursor::open(env::Files& files, const std::string& directory, const LogIdentity& log, Offset base, std::size_t chunk) {
  const std::string path = env::join_path(directory, segment_name(base));
  SUPYO_ASSIGN(auto file, files.open(path, env::OpenMode::kRead));
  std::string header(kSegmentHeaderBytes, '\0');
  SUPYO_ASSIGN(const std::size_t n, file->read_at(0, header));
  const std::string_view read = std::string_view(header).substr(0, n);
  if (!is_segment_header(read, log, base)) {
    if (read.starts_with(kSegmentMagic) && n == kSegmentHeaderBytes && ByteReader(read.substr(12)).u32() > kSegmentVersion)
      return fail(ErrorCode::kFormatVersion, fmt::format("{}: written by a newer Supyo", path), "open it with that version");
    return fail(ErrorCode::kDamaged, fmt::format("{}: not a segment of this partition (offset 0 of the file)", path), "`supyo log verify` says what is left");
  }
  return SegmentCursor(std::move(file), path, log, base, std::max<std::size_t>(chunk / 8 * 8, 4096));
}

std::string_view SegmentCursor::buffered() {
  const std::size_t skip = static_cast<std::size_t>(position_ - buffer_from_);
  return {buffer_.data() + skip, buffered_ - skip};
}

Status SegmentCursor::fill(std::size_t want, std::uint64_t limit) {
  const std::uint64_t room = limit > position_ ? limit - position_ : 0;
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(want, chunk_), room));
  char* to = buffer_.reserve(std::max(bytes, chunk_));
  buffer_from_ = position_;
  buffered_ = 0;
  SUPYO_ASSIGN(buffered_, file_->read_at(position_, {to, bytes}));
  std::memset(to + buffered_, 0, FrameBuffer::kPadding);
  return ok();
}

/// Reads and checks the wanted parts of `frame`, whose front is buffered. False when one is not there or does not check.
Result<bool> SegmentCursor::load_parts(FrameView& frame, const PartsWanted& wanted, std::uint64_t limit) {
  if (frame.header_.length > limit - std::min(limit, position_)) return false;
  wanted_.assign(frame.parts_.size(), false);
  wanted(frame.head(), wanted_);
  const std::string_view bytes = buffered();
  const auto each = [&](auto&& take) -> Result<bool> {
    auto at = static_cast<std::size_t>(frame.head().data() + frame.head().size() - bytes.data());
    for (std::size_t i = 0; i < frame.parts_.size(); at += frame.table_[i++].bytes) {
      if (!wanted_[i]) continue;
      SUPYO_ASSIGN(const bool good, take(i, at, frame.table_[i].bytes));
      if (!good) return false;
    }
    return true;
  };
  std::size_t elsewhere = 0;
  SUPYO_TRY(each([&](std::size_t, std::size_t at, std::size_t n) -> Result<bool> {
    elsewhere += at + n > bytes.size() ? n : 0;
    return true;
  }));
  char* to = parts_.reserve(elsewhere);
  return each([&](std::size_t i, std::size_t at, std::size_t n) -> Result<bool> {
    std::string_view part = at + n > bytes.size() ? std::string_view() : bytes.substr(at, n);
    if (part.size() < n) {
      SUPYO_ASSIGN(const std::size_t read, file_->read_at(position_ + at, {to, n}));
      part = {to, read};
      to += n;
    }
    frame.parts_[i] = part;
    return part.size() == n && crc32c(part) == frame.table_[i].crc;
  });
}

Result<SegmentCursor::Found> SegmentCursor::next(std::uint64_t limit, const PartsWanted* wanted) {
  if (buffer_from_ > position_ || position_ - buffer_from_ > buffered_) forget_buffer();
  for (bool fresh = false;; fresh = true) {
    const std::string_view bytes = buffered();
    ParsedFrame parsed = bytes.size() < sizeof(FrameHeader) && !fresh ? ParsedFrame{.status = FrameStatus::kIncomplete, .view = {}, .length = sizeof(FrameHeader)}
                                                                     : parse_frame(bytes, log_, expected_, wanted != nullptr ? FrameExtent::kFront : FrameExtent::kWhole);
    if (wanted != nullptr && parsed.status == FrameStatus::kFrame && parsed.view.kind() == FrameKind::kColumnar) {
      if (parsed.length > bytes.size() && parsed.length <= chunk_) {
        parsed.status = FrameStatus::kIncomplete;   // a small frame: one read for it and those behind it
      } else {
        SUPYO_ASSIGN(const bool good, load_parts(parsed.view, *wanted, limit));
        if (!good) parsed.status = FrameStatus::kInvalid;
      }
    }
    switch (parsed.status) {
      case FrameStatus::kFrame:
        frame_ = std::move(parsed.view);
        position_ += parsed.length;
        expected_ = frame_.end_offset();
        return Found::kFrame;
      case FrameStatus::kIncomplete:
        if (!fresh) {
          SUPYO_TRY(fill(parsed.length, limit));
          continue;
        }
        // The head asks for more than one chunk: one larger read, then it is there or it never was.
        SUPYO_TRY(fill(parsed.length, limit));
        if (buffered_ < parsed.length) {
          forget_buffer();
          return Found::kInvalid;
        }
        continue;
      case FrameStatus::kNothing:
      case FrameStatus::kInvalid:
        if (!fresh) {   // what is buffered may be older than what is in the file now
          SUPYO_TRY(fill(sizeof(FrameHeader), limit));
          continue;
        }
        forget_buffer();
        return parsed.status == FrameStatus::kNothing ? Found::kEnd : Found::kInvalid;
    }
  }
}

/// What lies at the cursor, at least a head of it if the file has that. `fresh`: as it is in the file now.
Result<std::string_view> SegmentCursor::head_bytes(bool fresh) {
  constexpr std::size_t kWindow = 16 << 10;
  const bool inside = position_ >= heads_from_ && position_ + FrameHead::kBytes <= heads_from_ + heads_.size();
  if (fresh || !inside) {
    heads_.resize(last_hop_ > 0 && last_hop_ < kWindow / 8 ? kWindow : FrameHead::kBytes);
    heads_from_ = position_;
    SUPYO_ASSIGN(const std::size_t n, file_->read_at(position_, heads_));
    heads_.resize(n);
  }
  return std::string_view(heads_).substr(static_cast<std::size_t>(position_ - heads_from_));
}

Result<std::optional<FrameHeader>> SegmentCursor::peek_header() {
  SUPYO_ASSIGN(const auto head, peek_head());
  if (!head) return std::nullopt;
  return head->frame;
}

Result<std::optional<FrameHead>> SegmentCursor::peek_head() {
  for (const bool fresh : {false, true}) {   // what was read before may be older than what is there now
    SUPYO_ASSIGN(const std::string_view bytes, head_bytes(fresh));
    const auto header = parse_frame_header(bytes, log_, expected_);
    if (!header) continue;
    FrameHead head{.frame = *header, .batch = {}};
    if (header->kind != static_cast<std::uint8_t>(FrameKind::kKafka)) return head;
    if (bytes.size() < FrameHead::kBytes) continue;
    KafkaBatchHeader batch;
    // Only the head was read: that the rest is not there is no problem of it.
    (void)parse_kafka_header(bytes.substr(sizeof(FrameHeader), KafkaBatchHeader::kBytes), batch);
    if (batch.base_offset != header->base_offset || static_cast<std::int64_t>(batch.last_offset_delta) + 1 != header->count) continue;
    head.batch = batch;
    return head;
  }
  return std::nullopt;
}

void SegmentCursor::skip(const FrameHeader& header) {
  position_ += header.length;
  expected_ = Offset(header.base_offset + header.count);
  last_hop_ = header.length;
}

Result<bool> SegmentCursor::seek(Offset offset) {
  if (offset < expected_) {
    position_ = kSegmentHeaderBytes;
    expected_ = base_;
  }
  forget_buffer();
  while (true) {
    SUPYO_ASSIGN(const auto header, peek_header());
    if (!header) return false;
    if (offset.value < header->base_offset + header->count) break;
    skip(*header);
  }
  forget_buffer();
  return true;
}

Result<Aftermath> search_behind(const SegmentCursor& segment, std::uint64_t from, Offset at) {
  Aftermath found{.last_written = from, .acknowledged = std::nullopt};
  FrameBuffer buffer;
  SUPYO_ASSIGN(const std::uint64_t size, segment.file_size());
  std::size_t window = std::clamp<std::size_t>(size > from ? size - from + 8 : 0, sizeof(FrameHeader), 1 << 20);
  for (std::uint64_t start = from / 8 * 8; start < size;) {
    char* bytes = buffer.reserve(window);
    SUPYO_ASSIGN(const std::size_t n, segment.read_at(start, {bytes, window}));
    for (std::size_t i = n; i-- > 0;)
      if (bytes[i] != 0) {
        found.last_written = std::max(found.last_written, start + i + 1);
        break;
      }
    std::size_t i = 0;
    bool grow = false;
    for (; i + sizeof(FrameHeader) <= n; i += 8) {
      std::uint32_t magic;
      std::memcpy(&magic, bytes + i, sizeof magic);
      if (magic != kFrameMagic) continue;
      const ParsedFrame parsed = parse_any_frame({bytes + i, n - i}, segment.log());
      if (parsed.status == FrameStatus::kIncomplete && start + i + parsed.length <= size) {
        grow = i == 0;   // it does not fit in the window: look at it from its start, and if need be in a larger one
        if (grow) window = std::max(window, parsed.length);
        break;
      }
      if (parsed.status == FrameStatus::kFrame && parsed.view.header().base_offset >= at.value && parsed.view.header().synced_offset > at.value) {
        found.acknowledged = start + i;
        return found;
      }
    }
    if (grow) continue;
    if (n < window && i + sizeof(FrameHeader) > n) break;
    start += std::max<std::size_t>(i, 8);
  }
  return found;
}

}  // namespace supyo::log
