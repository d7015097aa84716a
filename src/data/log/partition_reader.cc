#include "data/log/partition_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/fault_point.h"
#include "data/log/examine.h"

namespace supyo::log {

PartitionReader::PartitionReader(env::Files& files, const Topic& topic, PartitionId partition, ReadOptions options)
    : files_(&files), topic_(topic), directory_(topic.partition_directory(partition)), log_(topic.identity(partition)), options_(std::move(options)),
      transactions_(files, directory_, log_) {}

Result<PartitionReader> PartitionReader::open(env::Files& files, const Topic& topic, PartitionId partition, ReadOptions options) {
  if (partition.value < 0 || partition.value >= topic.config.partitions)
    return fail(ErrorCode::kBadOptionValue, fmt::format("topic '{}' has no partition {}", topic.name, partition.value), fmt::format("it has {}", topic.config.partitions));
  PartitionReader reader(files, topic, partition, std::move(options));
  SUPYO_TRY(reader.refresh());
  reader.position_ = reader.mark_.log_start;
  return reader;
}

Status PartitionReader::refresh() {
  if (!mark_file_) {
    auto file = MarkFile::open(*files_, directory_, log_, env::OpenMode::kRead);
    if (!file && file.error().code == ErrorCode::kNotFoundOnDisk) return ok();
    if (!file && file.error().code == ErrorCode::kDamaged) {
      SUPYO_ASSIGN(const auto segments, list_segments(*files_, directory_));
      if (segments.empty()) return ok();   // a writer is just making it
    }
    if (!file) return fail(std::move(file).error());
    mark_file_ = std::make_unique<MarkFile>(std::move(*file));
  }
  const Mark before = mark_;
  SUPYO_ASSIGN(mark_, mark_file_->read());
  if (mark_.truncations != before.truncations) {
    // Staged records were taken back, and others may stand at their offsets by now: what is buffered of them must not be given out.
    SUPYO_REACHED("log.read.truncated");
    cursor_.reset();
    transactions_.forget();
    position_ = std::min(position_, mark_.truncations == before.truncations + 1 ? mark_.truncated_to : before.committed_end);
  }
  return ok();
}

std::unexpected<Error> PartitionReader::overtaken() const {
  return fail(ErrorCode::kOffsetOutOfRange, fmt::format("{}: the record at offset {} was deleted; the log starts at {} now", directory_, position_.value, mark_.log_start.value),
              "this reader was slower than the topic's retention");
}

Result<PartitionReader::Ends> PartitionReader::ends() {
  if (!mark_file_) SUPYO_TRY(refresh());
  Mark now;   // only looked at: the frame that next() gave stays valid
  if (mark_file_) {
    SUPYO_ASSIGN(now, mark_file_->read());
  }
  return Ends{.log_start = now.log_start, .end = limit_of(now), .durable = now.durable_end};
}

Status PartitionReader::seek(Offset offset) {
  SUPYO_TRY(refresh());
  bool there = offset <= limit();
  if (!there) {
    SUPYO_ASSIGN(there, is_written(Offset(offset.value - 1)));
  }
  if (offset < mark_.log_start || !there)
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("{}: offset {} lies outside {} to {}", directory_, offset.value, mark_.log_start.value, limit().value),
                offset < mark_.log_start ? "retention deleted it: start from the earliest offset, and raise the retention" : "the log is shorter than that: was it restored from a backup?");
  position_ = offset;
  cursor_.reset();
  return ok();
}

/// By heads alone, above the published end, too.
Result<bool> PartitionReader::is_written(Offset offset) const {
  auto bases = list_segments(*files_, directory_);
  if (!bases && bases.error().code == ErrorCode::kNotFoundOnDisk) return false;
  if (!bases) return fail(std::move(bases).error());
  const auto after = std::upper_bound(bases->begin(), bases->end(), offset);
  if (after == bases->begin()) return false;
  SUPYO_ASSIGN(SegmentCursor cursor, SegmentCursor::open(*files_, directory_, log_, *(after - 1), options_.chunk_bytes));
  return cursor.seek(offset);
}

/// Opens the segment that holds position_ and stands before its frame.
Status PartitionReader::enter_segment() {
  SUPYO_ASSIGN(const auto bases, list_segments(*files_, directory_));
  const auto after = std::upper_bound(bases.begin(), bases.end(), position_);
  if (after == bases.begin()) {
    SUPYO_TRY(refresh());
    if (position_ >= mark_.log_start)
      return fail(damage_error({env::join_path(directory_, segment_name(position_)), 0, position_, "the segment is missing"}));
    return overtaken();
  }
  auto opened = SegmentCursor::open(*files_, directory_, log_, *(after - 1), options_.chunk_bytes);
  if (!opened && opened.error().code == ErrorCode::kNotFoundOnDisk) return enter_segment();   // deleted between the listing and now: look again
  if (!opened) return fail(std::move(opened).error());
  cursor_ = std::move(*opened);
  SUPYO_ASSIGN(const bool there, cursor_->seek(position_));
  if (!there) {
    const Damage damage{cursor_->path(), cursor_->position(), cursor_->expected(), "no frame here, and the record is below the published end"};
    cursor_.reset();
    return fail(damage_error(damage));
  }
  return ok();
}

Result<const FrameView*> PartitionReader::next() {
  while (true) {
    const Offset from = position_;
    SUPYO_ASSIGN(const FrameView* found, next_frame());
    if (found == nullptr || found->kind() == FrameKind::kRecords) return found;
    if (found->columnar()) {
      if (options_.columnar) return found;
      const Offset at(found->header().base_offset);
      position_ = from;
      cursor_.reset();
      return fail(columnar_error(topic_.name, at));
    }
    SUPYO_ASSIGN(const bool hidden, is_hidden(*found));
    if (hidden) continue;
    FrameView& frame = cursor_->frame();
    if (const Status decoded = columns_.decode(frame); !decoded) {
      const Damage damage{cursor_->path(), cursor_->position() - frame.header().length, Offset(frame.header().base_offset), decoded.error().message};
      position_ = from;
      cursor_.reset();
      return fail(damage_error(damage));
    }
    const std::size_t first = frame.records_below(from);
    if (first == frame.count()) continue;
    frame.skip_to(first);
    return &frame;
  }
}

/// Whether a reader of rows passes over the frame.
Result<bool> PartitionReader::is_hidden(const FrameView& frame) {
  KafkaBatchHeader batch;
  if (frame.kind() == FrameKind::kGap || parse_kafka_header(frame.batch(), batch) != KafkaBatchProblem::kNone || batch.control()) return true;
  if (options_.isolation == Isolation::kReadUncommitted || !batch.transactional()) return false;
  SUPYO_ASSIGN(const auto aborted, transactions_.aborted(batch.producer_id, Offset(batch.base_offset), mark_.durable_end));
  if (aborted) return *aborted;
  const Damage damage{cursor_->path(), cursor_->position() - frame.header().length, Offset(batch.base_offset), "its transaction's marker is missing"};
  cursor_.reset();
  position_ = damage.offset;
  return fail(damage_error(damage));
}

/// The next frame whatever it holds, Kafka batches undecoded.
Result<const FrameView*> PartitionReader::next_frame() {
  if (position_ >= limit()) SUPYO_TRY(refresh());
  if (position_ >= limit()) return nullptr;
  if (position_ < mark_.log_start) return overtaken();
  for (int attempt = 0;; ++attempt) {
    const std::uint64_t truncations = mark_.truncations;
    if (!cursor_) SUPYO_TRY(enter_segment());
    const bool last = cursor_->base() == mark_.segment_base;
    SUPYO_ASSIGN(const auto found, cursor_->next(last ? mark_.segment_position : UINT64_MAX, options_.wanted ? &options_.wanted : nullptr));
    if (found == SegmentCursor::Found::kFrame) {
      FrameView& frame = cursor_->frame();
      if (position_ > Offset(frame.header().base_offset) && (frame.kind() == FrameKind::kRecords || frame.columnar())) frame.skip_to(static_cast<std::size_t>(position_.value - frame.header().base_offset));
      position_ = frame.end_offset();
      return &frame;
    }
    const bool sealed_end = cursor_->expected() == position_ && cursor_->base() < mark_.segment_base;
    const Damage damage{cursor_->path(), cursor_->position(), position_, "the frame does not check, below the published end"};
    cursor_.reset();
    SUPYO_TRY(refresh());
    if (position_ >= limit()) return nullptr;   // taken back by its writer
    // The end of a sealed segment leads to the next one; a truncation or a look at an outdated mark is worth one more look; then it is damage.
    if (attempt >= (sealed_end ? 2 : 1) && truncations == mark_.truncations) return fail(damage_error(damage));
  }
}

Result<Offset> PartitionReader::offset_for_time(TimeUs timestamp_us) {
  SUPYO_TRY(refresh());
  const Offset end = limit();
  SUPYO_ASSIGN(const auto found, find_time(timestamp_us, end));
  return found ? found->offset : end;
}

Result<std::optional<PartitionReader::Timed>> PartitionReader::find_time(TimeUs timestamp_us, Offset end) {
  if (end <= mark_.log_start) return std::nullopt;
  KafkaColumns columns;   // not columns_: the frame that next() gave stays valid
  SUPYO_ASSIGN(const auto bases, list_segments(*files_, directory_));
  for (const Offset base : bases) {
    if (base >= end) break;
    auto cursor = SegmentCursor::open(*files_, directory_, log_, base, options_.chunk_bytes);
    if (!cursor && cursor.error().code == ErrorCode::kNotFoundOnDisk) continue;
    if (!cursor) return fail(std::move(cursor).error());
    while (cursor->expected() < end) {
      SUPYO_ASSIGN(const auto header, cursor->peek_header());
      if (!header) break;
      if (header->max_timestamp_us < timestamp_us || header->base_offset + header->count <= mark_.log_start.value) {
        cursor->skip(*header);
        continue;
      }
      SUPYO_ASSIGN(const auto found, cursor->next());
      if (found != SegmentCursor::Found::kFrame)
        return fail(damage_error({cursor->path(), cursor->position(), cursor->expected(), "the frame does not check"}));
      FrameView& frame = cursor->frame();
      KafkaBatchHeader batch;
      if (frame.kind() == FrameKind::kGap) continue;
      if (frame.kind() == FrameKind::kKafka) {
        if (parse_kafka_header(frame.batch(), batch) == KafkaBatchProblem::kNone && batch.control()) continue;
        SUPYO_TRY(columns.decode(frame));
      }
      const auto times = frame.timestamps();
      for (std::size_t i = 0; i < times.size(); ++i)
        if (times[i] >= timestamp_us && frame.offset(i) >= mark_.log_start) return Timed{frame.offset(i), times[i]};
    }
  }
  return std::nullopt;
}

}  // namespace supyo::log
