#include "data/log/examine.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/log/segment.h"

namespace supyo::log {
namespace {

class Examiner {
 public:
  Examiner(env::Files& files, const Topic& topic, PartitionId partition, Depth depth)
      : files_(files), directory_(topic.partition_directory(partition)), log_(topic.identity(partition)), depth_(depth) {}

  Result<PartitionReport> run() {
    SUPYO_ASSIGN(const bool there, files_.exists(directory_));
    if (!there) return std::move(report_);
    SUPYO_ASSIGN(const auto names, files_.list(directory_));
    for (const std::string& name : names)
      if (name.ends_with(".cleaned") || name.ends_with(".deleted")) report_.leftovers.push_back(name);
    SUPYO_ASSIGN(std::vector<Offset> bases, list_segments(files_, directory_));
    SUPYO_TRY(read_mark(!bases.empty()));
    if (report_.damage) return std::move(report_);
    const Offset log_start = mark().log_start;
    while (bases.size() > 1 && bases[1] <= log_start) {   // retention raised the start and did not live to delete them
      report_.leftovers.push_back(segment_name(bases[0]));
      bases.erase(bases.begin());
    }
    report_.end = bases.empty() ? log_start : bases.front();
    if (report_.end > log_start) damaged(segment_path(log_start), 0, log_start, fmt::format("the records up to {} are missing", report_.end.value));
    for (std::size_t i = 0; i < bases.size() && !report_.damage; ++i) {
      // Compaction puts one segment in the place of several: the others are gone, or a crash left them. Never the last: that one is not compacted.
      if (bases[i] < report_.end && i + 1 < bases.size()) report_.leftovers.push_back(segment_name(bases[i]));
      else SUPYO_TRY(segment(bases, i));
    }
    if (!report_.damage && report_.end < mark().durable_end)
      damaged(segment_path(report_.end), 0, report_.end, fmt::format("the records up to {} are missing", mark().durable_end.value));
    return std::move(report_);
  }

 private:
  Mark mark() const { return report_.mark.value_or(Mark{}); }
  std::string segment_path(Offset base) const { return env::join_path(directory_, segment_name(base)); }
  void damaged(std::string path, std::uint64_t position, Offset offset, std::string why) {
    report_.damage = Damage{std::move(path), position, offset, std::move(why)};
  }

  Status read_mark(bool has_segments) {
    auto file = MarkFile::open(files_, directory_, log_, env::OpenMode::kRead);
    if (file) {
      SUPYO_ASSIGN(report_.mark, file->read());
      return ok();
    }
    const ErrorCode code = file.error().code;
    if (code != ErrorCode::kNotFoundOnDisk && code != ErrorCode::kDamaged) return fail(std::move(file).error());
    // The mark is durable before the first segment exists, so without segments it is one that never became whole.
    if (has_segments) damaged(env::join_path(directory_, "mark"), 0, Offset(0), "the durable mark is missing or unreadable");
    return ok();
  }

  Status segment(const std::vector<Offset>& bases, std::size_t i) {
    const Offset base = bases[i];
    const bool last = i + 1 == bases.size();
    if (base != report_.end) {
      damaged(segment_path(base), 0, report_.end, fmt::format("the segment should begin at offset {}", report_.end.value));
      return ok();
    }
    auto opened = SegmentCursor::open(files_, directory_, log_, base);
    if (!opened && opened.error().code == ErrorCode::kDamaged) return bad_header(base, last);
    if (!opened) return fail(std::move(opened).error());
    SegmentCursor& cursor = *opened;
    SegmentInfo info{.base = base, .end = base, .bytes = kSegmentHeaderBytes};
    const bool checked = last || depth_ == Depth::kAll;
    bool invalid = false;
    while (true) {
      if (checked) {
        SUPYO_ASSIGN(const auto found, cursor.next());
        invalid = found == SegmentCursor::Found::kInvalid;
        if (found != SegmentCursor::Found::kFrame) break;
        note(cursor.frame().header(), info);
      } else {
        SUPYO_ASSIGN(const auto header, cursor.peek_header());
        if (!header) break;
        cursor.skip(*header);
        note(*header, info);
      }
    }
    info.end = cursor.expected();
    info.bytes = cursor.position();
    report_.segments.push_back(info);
    report_.end = info.end;
    if (last) return tail(cursor);
    const Offset next = *std::find_if(bases.begin() + static_cast<std::ptrdiff_t>(i) + 1, bases.end() - 1, [&](Offset b) { return b >= info.end; });
    if (info.end != next) damaged(cursor.path(), info.bytes, info.end, invalid ? "the frame does not check" : fmt::format("the records up to {} are missing", next.value));
    return ok();
  }

  /// A segment is whole before anything is appended to it: with a frame inside, its header was.
  Status bad_header(Offset base, bool last) {
    const std::string path = segment_path(base);
    SUPYO_ASSIGN(const auto file, files_.open(path, env::OpenMode::kRead));
    SUPYO_ASSIGN(const std::uint64_t size, file->size());
    std::string bytes(std::min<std::uint64_t>(size, kFrameBytesMax + kSegmentHeaderBytes), '\0');
    SUPYO_ASSIGN(const std::size_t n, file->read_at(0, bytes));
    const bool has_frame = n > kSegmentHeaderBytes && parse_frame(std::string_view(bytes).substr(kSegmentHeaderBytes, n - kSegmentHeaderBytes), log_, base).status == FrameStatus::kFrame;
    if (last && base >= mark().durable_end && !has_frame)
      report_.leftovers.push_back(segment_name(base));
    else
      damaged(path, 0, base, "the segment's header does not check");
    return ok();
  }

  Status tail(const SegmentCursor& cursor) {
    const Offset at = cursor.expected();
    const std::uint64_t position = cursor.position();
    if (at < mark().durable_end) {
      damaged(cursor.path(), position, at, fmt::format("the frame does not check, and records up to {} had been durable", mark().durable_end.value));
      return ok();
    }
    SUPYO_ASSIGN(const Aftermath behind, search_behind(cursor, position, at));
    if (behind.acknowledged)
      damaged(cursor.path(), position, at, fmt::format("the frame does not check, and a valid one stands behind it at {}", *behind.acknowledged));
    else
      report_.torn_bytes = behind.last_written - position;
    return ok();
  }

  void note(const FrameHeader& h, SegmentInfo& info) {
    ++report_.frames;
    if (h.kind == static_cast<std::uint8_t>(FrameKind::kGap)) return;
    if (h.kind == static_cast<std::uint8_t>(FrameKind::kKafka) && !report_.first_kafka) report_.first_kafka = info.base;
    if (info.first_timestamp_us == kTimeMax) info.first_timestamp_us = h.max_timestamp_us;
    info.max_timestamp_us = std::max(info.max_timestamp_us, h.max_timestamp_us);
    const Offset begin(h.base_offset);
    const Offset end(h.base_offset + h.count);
    if (h.writer == 0 || end <= mark().committed_end) return;
    const Transaction t{h.writer, Epoch(h.epoch)};
    if (!report_.staged.empty() && report_.staged.back().transaction == t) report_.staged.back().end = end;
    else report_.staged.push_back({t, begin, end});
  }

  env::Files& files_;
  std::string directory_;
  LogIdentity log_;
  Depth depth_;
  PartitionReport report_;
};

}  // namespace

Result<PartitionReport> examine_partition(env::Files& files, const Topic& topic, PartitionId partition, Depth depth) {
  return Examiner(files, topic, partition, depth).run();
}

Error damage_error(const Damage& d) {
  return Error{.code = ErrorCode::kDamaged,
               .message = fmt::format("{}: damaged at byte {}, where the record at offset {} should be: {}", d.path, d.position, d.offset.value, d.why),
               .hint = "restore the file, or let `supyo log repair` cut the partition there (records from that offset on are lost)"};
}

}  // namespace supyo::log
