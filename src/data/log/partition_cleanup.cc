// What the writer takes away: retention, deletion, compaction.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/fault_point.h"
#include "data/log/partition_writer.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

constexpr std::uint32_t kCleanedMagic = 0x43505553;  // "SUPC"
constexpr std::uint32_t kCleanedVersion = 1;
constexpr std::string_view kCleanedName = "cleaned";

std::string encode_cleaned(const LogIdentity& log, Offset to) {
  std::string body;
  ByteWriter w(body);
  w.u32(kCleanedVersion);
  w.u64(log.log_id);
  w.u32(static_cast<std::uint32_t>(log.partition.value));
  w.i64(to.value);
  std::string bytes;
  ByteWriter head(bytes);
  head.u32(kCleanedMagic);
  head.u32(crc32c(body));
  return bytes + body;
}

}  // namespace

Result<PartitionWriter::Retained> PartitionWriter::retain() {
  SUPYO_TRY(check_open());
  SUPYO_TRY(remove_retired(env_.clock.now_us()));
  Retained done;
  const TopicConfig& c = topic_.config;
  if (!c.cleanup_delete) return done;
  const auto deletable = [&](const SegmentInfo& s) { return s.end <= mark_.committed_end && s.end > s.base; };
  std::size_t expired = 0;
  if (c.retention_ms >= 0) {
    const TimeUs now = env_.clock.now_us();
    while (expired < segments_.size() && deletable(segments_[expired]) && longer_than(segments_[expired].max_timestamp_us, now, c.retention_ms)) ++expired;
  }
  if (expired == segments_.size()) SUPYO_TRY(roll());   // there is always one segment
  SUPYO_TRY(delete_oldest(expired, done));

  const std::uint64_t size = bytes();
  if (c.retention_bytes < 0 || size < static_cast<std::uint64_t>(c.retention_bytes)) return done;
  std::uint64_t over = size - static_cast<std::uint64_t>(c.retention_bytes);
  std::size_t oversize = 0;
  while (oversize < segments_.size() && deletable(segments_[oversize]) && segments_[oversize].bytes <= over) over -= segments_[oversize++].bytes;
  if (oversize == segments_.size()) SUPYO_TRY(roll());
  SUPYO_TRY(delete_oldest(oversize, done));
  return done;
}

Status PartitionWriter::delete_oldest(std::size_t count, Retained& done) {
  if (count == 0) return ok();
  SUPYO_CHECK_LT(count, segments_.size());
  // The start first: records must be declared gone before they are.
  Mark m = current_mark();
  m.log_start = std::max(m.log_start, segments_[count].base);
  SUPYO_TRY(write_durable_mark(m));
  for (; count > 0; --count) {
    SUPYO_TRY(retire(segments_.front().base));
    ++done.segments_deleted;
    done.bytes_deleted += segments_.front().bytes;
    segments_.erase(segments_.begin());
  }
  return env_.files.sync_directory(directory_);
}

Status PartitionWriter::delete_before(Offset offset) {
  SUPYO_TRY(check_open());
  if (offset <= mark_.log_start) return ok();
  if (offset > mark_.committed_end)
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("cannot delete up to offset {}: the log is committed up to {}", offset.value, mark_.committed_end.value));
  Mark m = current_mark();
  m.log_start = offset;
  SUPYO_TRY(write_durable_mark(m));
  std::size_t whole = 0;
  while (whole + 1 < segments_.size() && segments_[whole].end <= offset) ++whole;
  Retained done;
  return delete_oldest(whole, done);
}


/// Takes a segment's name away, and its bytes at once or after file.delete.delay.ms. The caller syncs the directory.
Status PartitionWriter::retire(Offset base) {
  const std::string path = segment_path(base);
  if (topic_.config.file_delete_delay_ms == 0) return env_.files.remove(path);
  const std::string deleted = path + ".deleted";
  SUPYO_TRY(env_.files.rename(path, deleted));
  const std::int64_t delay_ms = std::min<std::int64_t>(topic_.config.file_delete_delay_ms, 365 * 86'400'000LL);
  retired_.push_back({deleted, env_.clock.now_us() + delay_ms * kMillisecond});
  return ok();
}

Status PartitionWriter::remove_retired(TimeUs now) {
  Status done;
  std::erase_if(retired_, [&](const Retired& r) {
    if (r.due_us > now || !done) return false;
    done = env_.files.remove(r.path);
    return done.has_value();
  });
  return done;
}

/// How far compaction has been. Lost, it begins anew: that costs time and nothing else.
Status PartitionWriter::recover_cleaned() {
  cleaned_to_ = Offset();
  const std::string path = env::join_path(directory_, kCleanedName);
  const auto bytes = env_.files.read_all(path);
  if (!bytes && bytes.error().code == ErrorCode::kNotFoundOnDisk) return ok();
  if (!bytes) return fail(bytes.error());
  ByteReader r(*bytes);
  constexpr std::size_t kBefore = 4 + 4 + 4 + 8 + 4;
  (void)r.bytes(kBefore);
  const Offset to(r.i64());
  if (!r.failed() && *bytes == encode_cleaned(log_, to) && to <= next_) {
    cleaned_to_ = to;
    return ok();
  }
  return env_.files.remove(path);   // of a log that was cut since: what comes to stand there was never looked at
}

Result<std::optional<CompactionPlan>> PartitionWriter::plan_compaction() {
  SUPYO_TRY(check_open());
  const TopicConfig& c = topic_.config;
  if (!c.cleanup_compact) return std::nullopt;
  // Readers with the mark in hand may stand in the segment that it names: it has to be another one before a segment changes its length.
  if (synced_ == next_) note_synced();
  if (mark_.segment_base != synced_base_) SUPYO_TRY(write_durable_mark(current_mark()));
  CompactionPlan plan{.topic = topic_, .partition = partition_, .segments = {}, .dirty_from = cleaned_to_, .now_us = env_.clock.now_us()};
  std::uint64_t total = 0;
  std::uint64_t dirty = 0;
  bool overdue = false;
  for (const SegmentInfo& s : segments_) {
    if (s.base >= synced_base_ || s.base == active().base || s.end > mark_.committed_end) break;
    if (c.min_compaction_lag_ms > 0 && !longer_than(s.max_timestamp_us, plan.now_us, c.min_compaction_lag_ms)) break;
    plan.segments.push_back(s);
    total += s.bytes;
    if (s.end <= cleaned_to_) continue;
    dirty += s.bytes;
    overdue = overdue || (s.first_timestamp_us != kTimeMax && longer_than(s.first_timestamp_us, plan.now_us, c.max_compaction_lag_ms));
  }
  if (dirty == 0 || (!overdue && static_cast<double>(dirty) <= c.min_cleanable_dirty_ratio * static_cast<double>(total))) return std::nullopt;
  return plan;
}

Status PartitionWriter::install_compaction(const CompactionResult& result) {
  SUPYO_TRY(check_open());
  for (const CleanedSegment& cleaned : result.segments) SUPYO_TRY(install(cleaned));
  if (result.cleaned_to <= cleaned_to_) return ok();
  SUPYO_TRY(env_.files.write_atomically(env::join_path(directory_, kCleanedName), encode_cleaned(log_, result.cleaned_to)));
  cleaned_to_ = result.cleaned_to;
  return ok();
}

/// The new segment takes the name of the first that it stands for, in one step. From then on it covers the others, too: a crash before they are gone leaves
/// files that the next opening finds covered, and removes.
Status PartitionWriter::install(const CleanedSegment& cleaned) {
  const auto first = std::find_if(segments_.begin(), segments_.end(), [&](const SegmentInfo& s) { return s.base == cleaned.info.base; });
  const auto count = static_cast<std::ptrdiff_t>(cleaned.replaces.size());
  const bool there = segments_.end() - first > count && std::equal(cleaned.replaces.begin(), cleaned.replaces.end(), first, [](const SegmentInfo& a, const SegmentInfo& b) {
    return a.base == b.base && a.end == b.end && a.bytes == b.bytes;
  });
  if (!there) return env_.files.remove(cleaned.path);
  SUPYO_CHECK(cleaned.info.end == cleaned.replaces.back().end && mark_.segment_base > cleaned.info.base);
  SUPYO_REACHED("log.compact.install");
  SUPYO_TRY(env_.files.rename(cleaned.path, segment_path(cleaned.info.base)));
  *first = cleaned.info;
  segments_.erase(first + 1, first + count);
  Status done = env_.files.sync_directory(directory_);
  for (std::size_t i = 1; done && i < cleaned.replaces.size(); ++i) done = retire(cleaned.replaces[i].base);
  if (done) done = env_.files.sync_directory(directory_);
  // What is covered must be gone before anything else happens: were the log's start raised into it, opening could not tell which is which.
  if (!done) closed_ = true;
  return done;
}

Result<std::optional<CompactionStats>> PartitionWriter::compact() {
  SUPYO_ASSIGN(const auto plan, plan_compaction());
  if (!plan) return std::nullopt;
  SUPYO_ASSIGN(const CompactionResult result, run_compaction(env_.files, *plan));
  SUPYO_TRY(install_compaction(result));
  return result.stats;
}

}  // namespace supyo::log
