#include "data/log/partition_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/fault_point.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

// Space is reserved ahead, so that a sync of an append has no file size to write: small at first, for topics that stay small.
constexpr std::uint64_t kReserveMin = 64 << 10;
constexpr std::uint64_t kReserveMax = 8 << 20;

}  // namespace

PartitionWriter::PartitionWriter(const env::Env& env, const Topic& topic, PartitionId partition)
    : env_(env), topic_(topic), partition_(partition), directory_(topic.partition_directory(partition)), log_(topic.identity(partition)) {}

PartitionWriter::~PartitionWriter() = default;

std::string PartitionWriter::segment_path(Offset base) const { return env::join_path(directory_, segment_name(base)); }

Result<std::unique_ptr<PartitionWriter>> PartitionWriter::open(const env::Env& env, const Topic& topic, PartitionId partition) {
  SUPYO_CHECK_LT(partition.value, topic.config.partitions);
  std::unique_ptr<PartitionWriter> writer(new PartitionWriter(env, topic, partition));
  SUPYO_TRY(writer->recover());
  return writer;
}

Status PartitionWriter::recover() {
  SUPYO_ASSIGN(const bool exists, env_.files.exists(env::join_path(topic_.directory, "topic")));
  if (!exists) return fail(ErrorCode::kUnknownTable, fmt::format("the topic '{}' was deleted", topic_.name));
  SUPYO_TRY(create_directories_durably(env_.files, directory_));
  auto locked = env_.files.lock(env::join_path(directory_, "lock"));
  if (!locked && locked.error().code == ErrorCode::kStateLocked) {
    Error e = locked.error().with_context(fmt::format("opening partition {} of topic '{}' for writing", partition_.value, topic_.name));
    e.hint = "a partition has one writer: stop the other job, or write to another topic";
    return fail(std::move(e));
  }
  SUPYO_ASSIGN(lock_, std::move(locked));
  SUPYO_ASSIGN(PartitionReport found, examine_partition(env_.files, topic_, partition_, Depth::kLast));
  if (found.damage) return fail(damage_error(*found.damage));

  if (found.mark) {
    SUPYO_ASSIGN(MarkFile file, MarkFile::open(env_.files, directory_, log_, env::OpenMode::kReadWrite));
    mark_file_ = std::make_unique<MarkFile>(std::move(file));
    mark_ = *found.mark;
  } else {
    SUPYO_ASSIGN(MarkFile file, MarkFile::create(env_.files, directory_, log_, Mark{}));
    mark_file_ = std::make_unique<MarkFile>(std::move(file));
  }
  for (const std::string& name : found.leftovers) {
    SUPYO_REACHED("log.recover.leftover");
    SUPYO_TRY(env_.files.remove(env::join_path(directory_, name)));
  }
  SUPYO_TRY(env_.files.sync_directory(directory_));

  segments_ = std::move(found.segments);
  staged_ = std::move(found.staged);
  next_ = found.end;
  if (segments_.empty()) {
    SUPYO_TRY(create_segment(next_));
  } else {
    SUPYO_TRY(open_active());
    if (found.torn_bytes > 0) {
      SUPYO_REACHED("log.recover.torn_tail");
      SUPYO_TRY(file_->truncate(active().bytes));
      reserved_ = active().bytes;
    }
    // A killed process leaves records that only the page cache has: they must not be published before they are durable.
    SUPYO_TRY(sync_file(*file_));
  }
  note_synced();
  SUPYO_TRY(recover_producers(found.first_kafka));
  // Only where a repair cut a transaction's marker off, or guessed a lost mark: what it ended is open again, and cannot be final.
  if (staged_.empty() && stable_end() < mark_.committed_end) {
    Mark m = mark_;
    m.committed_end = stable_end();
    SUPYO_TRY(write_durable_mark(m));
  }
  SUPYO_TRY(recover_cleaned());
  recovery_ = {.torn_bytes = found.torn_bytes, .leftover_files = found.leftovers.size(), .staged = staged_};
  return publish();
}

Status PartitionWriter::check_open() const {
  if (!closed_) return ok();
  return fail(ErrorCode::kLogClosed, fmt::format("partition {} of topic '{}' was closed by a failed sync", partition_.value, topic_.name),
              "what was not acknowledged may be lost: mend the disk and start again");
}

Status PartitionWriter::sync_file(env::File& file) {
  Status synced = file.sync();
  if (!synced) closed_ = true;   // never retried: the page cache may call the lost pages clean (architecture 5)
  return synced;
}

Status PartitionWriter::open_active() {
  lane_file_.reset();
  SUPYO_ASSIGN(file_, env_.files.open(segment_path(active().base), env::OpenMode::kReadWrite));
  SUPYO_ASSIGN(reserved_, file_->size());
  zeroed_ = 0;
  return ok();
}

Status PartitionWriter::create_segment(Offset base) {
  // Whatever bears the name already is a segment that never became whole: nothing at `base` was ever acknowledged.
  SUPYO_ASSIGN(auto file, env_.files.open(segment_path(base), env::OpenMode::kCreateOrOpen));
  SUPYO_TRY(file->truncate(0));
  SUPYO_TRY(file->write_at(0, encode_segment_header(log_, base)));
  SUPYO_TRY(sync_file(*file));
  if (Status synced = env_.files.sync_directory(directory_); !synced) {
    closed_ = true;
    return synced;
  }
  file_ = std::move(file);
  lane_file_.reset();
  reserved_ = kSegmentHeaderBytes;
  zeroed_ = 0;
  segments_.push_back({.base = base, .end = base, .bytes = kSegmentHeaderBytes});
  return ok();
}

Status PartitionWriter::reserve(std::uint64_t size) {
  if (size <= reserved_) return ok();
  const std::uint64_t limit = std::max<std::uint64_t>(static_cast<std::uint64_t>(topic_.config.segment_bytes), size);
  const std::uint64_t step = std::clamp(reserved_, kReserveMin, kReserveMax);
  const std::uint64_t want = std::min(limit, std::max(size, reserved_ + step));
  Status reserved = file_->allocate(want);
  if (!reserved && reserved.error().code == ErrorCode::kDiskFull) return ok();   // what the append needs may still fit
  if (reserved) reserved_ = want;
  return reserved;
}

Result<Offset> PartitionWriter::append(const RecordBatch& batch, Transaction transaction) {
  SUPYO_TRY(may_append(transaction));
  frame_.clear();
  encode_frame(batch, {log_, next_, synced_, env_.clock.now_us(), transaction}, frame_);
  return write_records(batch.records(), transaction);
}

Result<Offset> PartitionWriter::append(const ColumnarBatch& batch, Transaction transaction) {
  SUPYO_TRY(may_append(transaction));
  if (topic_.config.cleanup_compact)
    return fail(ErrorCode::kUnsupported, fmt::format("topic '{}' is compacted, and rows in columns have no keys", topic_.name), "set its cleanup.policy to delete, or write json");
  frame_.clear();
  SUPYO_TRY(encode_columnar_frame(batch, {log_, next_, synced_, env_.clock.now_us(), transaction}, frame_));
  return write_records(batch.records(), transaction);
}

Status PartitionWriter::may_append(Transaction transaction) const {
  SUPYO_TRY(check_open());
  if (!staged_.empty() && staged_.back().transaction.writer != transaction.writer)
    return fail(ErrorCode::kSinkOfOtherJob,
                fmt::format("partition {} of topic '{}' holds epoch {} of another job, prepared and not committed", partition_.value, topic_.name, staged_.back().transaction.epoch.value),
                "start that job again to finish it; if its state is gone, `supyo log repair` takes the epoch back");
  if (transaction.writer != 0 && producers_.has_open())
    return fail(ErrorCode::kSinkOfOtherJob, fmt::format("partition {} of topic '{}' holds an open Kafka transaction", partition_.value, topic_.name),
                "a job with epochs and transactional Kafka producers cannot write to a topic at the same time");
  return ok();
}

/// Writes frame_, which holds `count` records of that transaction.
Result<Offset> PartitionWriter::write_records(std::size_t count, Transaction transaction) {
  SUPYO_ASSIGN(const Offset first, write_frame(static_cast<std::uint32_t>(count)));
  if (transaction.writer != 0) {
    if (!staged_.empty() && staged_.back().transaction == transaction) staged_.back().end = next_;
    else staged_.push_back({transaction, first, next_});
  }
  return first;
}

/// Writes frame_, which covers `count` offsets, behind the last one.
Result<Offset> PartitionWriter::write_frame(std::uint32_t count) {
  FrameHeader header;
  std::memcpy(&header, frame_.data(), sizeof header);
  const bool full = active().bytes + frame_.size() > static_cast<std::uint64_t>(topic_.config.segment_bytes);
  const bool old = active().first_timestamp_us != kTimeMax && longer_than(active().first_timestamp_us, header.max_timestamp_us, topic_.config.segment_ms);
  if (active().end > active().base && (full || old)) SUPYO_TRY(roll());
  SUPYO_TRY(reserve(active().bytes + frame_.size()));
  SUPYO_TRY(file_->write_at(active().bytes, frame_));

  const Offset first = next_;
  next_.value += count;
  SegmentInfo& segment = active();
  segment.bytes += frame_.size();
  reserved_ = std::max(reserved_, segment.bytes);
  segment.end = next_;
  if (segment.first_timestamp_us == kTimeMax) segment.first_timestamp_us = header.max_timestamp_us;
  segment.max_timestamp_us = std::max(segment.max_timestamp_us, header.max_timestamp_us);
  if (zero_ahead_ > 0 && segment.bytes > zeroed_) write_zeros();
  return first;
}

/// Nothing rests on these zeros: if they cannot be written, the append that gets there says why.
void PartitionWriter::write_zeros() {
  const std::uint64_t from = active().bytes;
  const std::uint64_t unsynced = synced_base_ == active().base ? from - synced_position_ : from;
  if (unsynced > zero_ahead_ / 2) return;
  zeroed_ = std::min(from + zero_ahead_, reserved_);
  if (zeroed_ <= from) return;
  frame_.assign(static_cast<std::size_t>(zeroed_ - from), '\0');
  (void)file_->write_at(from, frame_);
}

Status PartitionWriter::sync() {
  SUPYO_TRY(check_open());
  if (synced_ == next_) return ok();
  SUPYO_TRY(sync_file(*file_));
  note_synced();
  return ok();
}

Result<PendingSync> PartitionWriter::begin_sync(unsigned lane) {
  SUPYO_TRY(check_open());
  if (lane != 0 && !lane_file_) {
    SUPYO_ASSIGN(lane_file_, env_.files.open(segment_path(active().base), env::OpenMode::kReadWrite));
  }
  return PendingSync{.file = lane == 0 ? file_ : lane_file_, .end = next_, .base = active().base, .position = active().bytes};
}

Status PartitionWriter::finish_sync(const PendingSync& begun, Status synced) {
  if (!synced) {
    closed_ = true;
    return synced;
  }
  SUPYO_TRY(check_open());
  if (begun.end > synced_) note_synced_to(begun.end, begun.base, begun.position);   // else a new segment was begun meanwhile: that synced, too
  return ok();
}

void PartitionWriter::note_synced() { note_synced_to(next_, active().base, active().bytes); }

void PartitionWriter::note_synced_to(Offset end, Offset base, std::uint64_t position) {
  synced_ = end;
  synced_base_ = base;
  synced_position_ = position;
  std::erase_if(ending_, [&](const auto& t) { return t.second < synced_; });
}

/// Kafka's last stable offset: below it every transaction is over, and its marker durable.
Offset PartitionWriter::stable_end() const {
  Offset end = synced_;
  if (const auto open = producers_.first_open()) end = std::min(end, *open);
  if (!ending_.empty()) end = std::min(end, ending_.begin()->first);
  return end;
}

Mark PartitionWriter::current_mark() const {
  Mark m = mark_;
  m.durable_end = synced_;
  m.segment_base = synced_base_;
  m.segment_position = synced_position_;
  if (staged_.empty()) m.committed_end = std::max(m.committed_end, stable_end());
  return m;
}

Status PartitionWriter::write_mark(const Mark& mark) {
  SUPYO_TRY(mark_file_->write(mark));
  mark_ = mark;
  return ok();
}

Status PartitionWriter::write_durable_mark(const Mark& mark) {
  SUPYO_TRY(write_mark(mark));
  Status synced = mark_file_->sync();
  if (!synced) closed_ = true;
  return synced;
}

Status PartitionWriter::publish() {
  SUPYO_TRY(check_open());
  const Mark m = current_mark();
  return m == mark_ ? ok() : write_mark(m);
}

Status PartitionWriter::flush() {
  SUPYO_TRY(sync());
  return publish();
}

Result<CommitResult> PartitionWriter::commit_epoch(Transaction transaction, Offset end) {
  SUPYO_TRY(check_open());
  if (end <= mark_.committed_end) return CommitResult::kWasVisible;
  if (end > synced_)
    return fail(ErrorCode::kDamaged, fmt::format("{}: ends at offset {}, but epoch {} was prepared up to {}", directory_, synced_.value, transaction.epoch.value, end.value),
                "the log lost rows that had been durable: `supyo log verify` shows what is left");
  for (const StagedEpoch& s : staged_) {
    if (s.begin >= end) break;
    if (s.transaction.writer != transaction.writer)
      return fail(ErrorCode::kSinkOfOtherJob, fmt::format("partition {} of topic '{}' holds another job's prepared epoch {}", partition_.value, topic_.name, s.transaction.epoch.value));
  }
  Mark m = current_mark();
  m.committed_end = end;
  m.last_commit = transaction;
  SUPYO_TRY(write_durable_mark(m));
  std::erase_if(staged_, [&](const StagedEpoch& s) { return s.end <= end; });
  if (!staged_.empty() && staged_.front().begin < end) staged_.front().begin = end;
  return CommitResult::kVisibleNow;
}

Status PartitionWriter::abandon_after(Transaction last) {
  SUPYO_TRY(check_open());
  const auto unwanted = [&](const StagedEpoch& s) { return s.transaction.writer == last.writer && s.transaction.epoch > last.epoch; };
  const auto first = std::find_if(staged_.begin(), staged_.end(), unwanted);
  if (first == staged_.end()) return ok();
  SUPYO_REACHED("log.abandon.staged");
  return truncate_to(first->begin);
}

Result<std::uint64_t> PartitionWriter::abandon_all() {
  SUPYO_TRY(check_open());
  if (staged_.empty()) return std::uint64_t{0};
  const auto records = static_cast<std::uint64_t>(next_.value - staged_.front().begin.value);
  SUPYO_TRY(truncate_to(staged_.front().begin));
  return records;
}

Status PartitionWriter::truncate_to(Offset end) {
  SUPYO_CHECK_LE(mark_.committed_end.value, end.value);
  std::size_t keep = segments_.size();
  while (keep > 1 && segments_[keep - 1].base >= end) --keep;   // a segment that would be empty goes, too
  SegmentInfo kept = segments_[keep - 1];
  if (kept.end > end) {
    SUPYO_ASSIGN(SegmentCursor cursor, SegmentCursor::open(env_.files, directory_, log_, kept.base));
    SUPYO_ASSIGN(const bool there, cursor.seek(end));
    SUPYO_CHECK(there && cursor.expected() == end);
    kept.end = end;
    kept.bytes = cursor.position();
  }
  // The mark first: a crash in between leaves records above the mark, which are staged records again; the other way round they would be damage.
  Mark m = mark_;
  m.durable_end = std::min(m.durable_end, end);
  m.segment_base = kept.base;
  m.segment_position = kept.bytes;
  ++m.truncations;
  m.truncated_to = end;
  SUPYO_TRY(write_durable_mark(m));
  while (segments_.size() > keep) {
    SUPYO_TRY(env_.files.remove(segment_path(active().base)));
    // One by one, newest first: a gap in the middle would look like loss.
    SUPYO_TRY(env_.files.sync_directory(directory_));
    segments_.pop_back();
  }
  active() = kept;
  SUPYO_TRY(open_active());
  SUPYO_TRY(file_->truncate(kept.bytes));
  reserved_ = kept.bytes;
  SUPYO_TRY(sync_file(*file_));
  next_ = end;
  note_synced();
  std::erase_if(staged_, [&](const StagedEpoch& s) { return s.begin >= end; });
  return publish();
}

Status PartitionWriter::roll() {
  SUPYO_TRY(check_open());
  if (active().end == active().base) return ok();
  // Sealed segments are durable and end where their frames end; only the active one can be dirty.
  SUPYO_TRY(file_->truncate(active().bytes));
  reserved_ = active().bytes;
  SUPYO_TRY(sync_file(*file_));
  note_synced();
  SUPYO_TRY(write_producer_snapshot());
  return create_segment(next_);
}

std::uint64_t PartitionWriter::bytes() const {
  std::uint64_t total = 0;
  for (const SegmentInfo& s : segments_) total += s.bytes;
  return total;
}

}  // namespace supyo::log
