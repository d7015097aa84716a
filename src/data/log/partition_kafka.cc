// What the writer does for Kafka's clients: batches, producers, transactions.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/fault_point.h"
#include "data/log/partition_writer.h"
#include "data/log/producer_snapshot.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

KafkaAppend refused(KafkaOutcome outcome, std::string why) { return {.outcome = outcome, .base = {}, .last = {}, .log_append_time_ms = -1, .why = std::move(why)}; }

KafkaAppend refused(KafkaBatchProblem problem) {
  switch (problem) {
    case KafkaBatchProblem::kUnsupportedMagic: return refused(KafkaOutcome::kUnsupportedMagic, "only record batches of message format v2 are taken");
    case KafkaBatchProblem::kUnsupportedCodec: return refused(KafkaOutcome::kUnsupportedCodec, "unknown compression");
    case KafkaBatchProblem::kInvalidRecord: return refused(KafkaOutcome::kInvalidRecord, "the records do not check");
    case KafkaBatchProblem::kCorrupt:
    case KafkaBatchProblem::kNone: break;
  }
  return refused(KafkaOutcome::kCorrupt, "length or checksum of the batch is wrong");
}

KafkaAppend refused(ProducerVerdict verdict, const KafkaBatchHeader& b) {
  const std::string who = fmt::format("producer {} epoch {} sequence {}", b.producer_id, b.producer_epoch, b.base_sequence);
  switch (verdict) {
    case ProducerVerdict::kOutOfOrderSequence: return refused(KafkaOutcome::kOutOfOrderSequence, who + ": out of order");
    case ProducerVerdict::kInvalidTransaction: return refused(KafkaOutcome::kInvalidTransaction, who + ": its transaction is open, and the batch is not transactional");
    case ProducerVerdict::kFencedCoordinator: return refused(KafkaOutcome::kFencedCoordinator, who + ": a newer coordinator has written");
    case ProducerVerdict::kFencedEpoch:
    case ProducerVerdict::kAccept:
    case ProducerVerdict::kDuplicate: break;
  }
  return refused(KafkaOutcome::kFencedEpoch, who + ": a newer epoch has written");
}

/// What the head alone can get wrong.
std::string head_problem(const KafkaBatchHeader& b) {
  if (b.control()) return "clients may not write control batches";
  if (b.has_delete_horizon()) return "clients may not set a delete horizon";
  if (b.record_count <= 0) return "a batch without records";
  if (b.last_offset_delta + std::int64_t{1} != b.record_count) return fmt::format("{} records, and offsets for {}", b.record_count, b.last_offset_delta + std::int64_t{1});
  if (b.has_producer() && (b.base_sequence < 0 || b.producer_epoch < 0)) return "a producer without sequence or epoch";
  if (!b.has_producer() && b.transactional()) return "transactional, without a producer";
  return {};
}

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t r = 0;
  return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

}  // namespace

/// Kafka's LogValidator, for one v2 batch. What it returns with kAppended may go in.
KafkaAppend PartitionWriter::check_kafka(std::string_view batch, KafkaBatchHeader& b, std::int64_t now_ms, std::int64_t& max_timestamp_ms) {
  const TopicConfig& c = topic_.config;
  if (const auto problem = check_kafka_batch(batch, b); problem != KafkaBatchProblem::kNone) return refused(problem);
  if (b.bytes() != batch.size()) return refused(KafkaOutcome::kInvalidRecord, "more than one batch");
  if (batch.size() > static_cast<std::size_t>(c.max_message_bytes))
    return refused(KafkaOutcome::kTooLarge, fmt::format("a batch of {} bytes: max.message.bytes is {}", batch.size(), c.max_message_bytes));
  if (b.codec() > static_cast<int>(KafkaCompression::kZstd)) return refused(KafkaBatchProblem::kUnsupportedCodec);
  if (std::string why = head_problem(b); !why.empty()) return refused(KafkaOutcome::kInvalidRecord, std::move(why));
  if (!c.log_append_time && b.log_append_time()) return refused(KafkaOutcome::kInvalidTimestamp, "a producer may not stamp batches with LogAppendTime");
  if (b.has_producer()) {
    const auto checked = producers_.check(b);
    if (checked.verdict == ProducerVerdict::kDuplicate)
      return {.outcome = KafkaOutcome::kDuplicate, .base = checked.duplicate->first, .last = checked.duplicate->last,
              .log_append_time_ms = c.log_append_time ? checked.duplicate->timestamp_ms : -1, .why = {}};
    if (checked.verdict != ProducerVerdict::kAccept) return refused(checked.verdict, b);
  }
  auto records = KafkaRecords::open(batch, b, scratch_);
  if (!records) return refused(KafkaOutcome::kInvalidRecord, records.error().message);
  KafkaRecord r;
  const std::int64_t oldest = saturating_add(now_ms, -c.timestamp_before_max_ms);
  const std::int64_t newest = saturating_add(now_ms, c.timestamp_after_max_ms);
  for (std::int32_t i = 0;; ++i) {
    const auto more = records->next(r);
    if (!more) return refused(KafkaOutcome::kInvalidRecord, more.error().message);
    if (!*more) break;
    if (r.offset_delta != i) return refused(KafkaOutcome::kInvalidRecord, fmt::format("record {} has offset {} in the batch", i, r.offset_delta));
    if (c.cleanup_compact && !r.key) return refused(KafkaOutcome::kInvalidRecord, "a compacted topic cannot take a record without a key");
    max_timestamp_ms = i == 0 ? r.timestamp_ms : std::max(max_timestamp_ms, r.timestamp_ms);
    if (!c.log_append_time && r.timestamp_ms != -1 && (r.timestamp_ms < oldest || r.timestamp_ms > newest))
      return refused(KafkaOutcome::kInvalidTimestamp, fmt::format("record {}: timestamp {} is too far from now ({})", i, r.timestamp_ms, now_ms));
  }
  return {};
}

Result<KafkaAppend> PartitionWriter::append_kafka(std::string_view batch, std::int32_t leader_epoch) {
  SUPYO_TRY(check_open());
  if (!staged_.empty())
    return fail(ErrorCode::kSinkOfOtherJob, fmt::format("partition {} of topic '{}' holds a job's epoch {}, prepared and not committed", partition_.value, topic_.name,
                                                        staged_.back().transaction.epoch.value));
  const TimeUs now = env_.clock.now_us();
  const std::int64_t now_ms = now / kMillisecond;
  KafkaBatchHeader b;
  std::int64_t max_timestamp_ms = 0;
  KafkaAppend done = check_kafka(batch, b, now_ms, max_timestamp_ms);
  if (done.outcome != KafkaOutcome::kAppended) return done;
  if (topic_.config.log_append_time || max_timestamp_ms != b.max_timestamp_ms) {
    stamped_ = batch;
    if (topic_.config.log_append_time) stamp_kafka_append_time(stamped_, done.log_append_time_ms = now_ms);
    else set_kafka_max_timestamp(stamped_, max_timestamp_ms);
    batch = stamped_;
    (void)parse_kafka_header(batch, b);
  }
  frame_.clear();
  encode_kafka_frame(batch, b, leader_epoch, {log_, next_, synced_, now, {}}, frame_);
  SUPYO_ASSIGN(done.base, write_frame(static_cast<std::uint32_t>(b.record_count)));
  done.last = Offset(next_.value - 1);
  b.base_offset = done.base.value;
  producers_.apply(b, std::nullopt, now);
  return done;
}

Result<KafkaAppend> PartitionWriter::end_transaction(std::int64_t producer_id, std::int16_t producer_epoch, KafkaMarker marker, std::int32_t leader_epoch) {
  SUPYO_TRY(check_open());
  if (!staged_.empty()) return fail(ErrorCode::kSinkOfOtherJob, fmt::format("partition {} of topic '{}' holds a job's prepared epoch", partition_.value, topic_.name));
  const TimeUs now = env_.clock.now_us();
  const std::string batch = encode_kafka_marker(producer_id, producer_epoch, marker, now / kMillisecond);
  KafkaBatchHeader b;
  (void)parse_kafka_header(batch, b);
  if (const auto verdict = producers_.check_marker(producer_id, producer_epoch, marker.coordinator_epoch); verdict != ProducerVerdict::kAccept) return refused(verdict, b);
  frame_.clear();
  encode_kafka_frame(batch, b, leader_epoch, {log_, next_, synced_, now, {}}, frame_);
  SUPYO_ASSIGN(const Offset at, write_frame(1));
  const auto found = producers_.producers().find(producer_id);
  if (found != producers_.producers().end() && found->second.transaction_begin) ending_[*found->second.transaction_begin] = at;
  b.base_offset = at.value;
  producers_.apply(b, marker, now);
  return KafkaAppend{.outcome = KafkaOutcome::kAppended, .base = at, .last = at, .log_append_time_ms = -1, .why = {}};
}

/// The newest snapshot that checks, and the frames behind it.
Status PartitionWriter::recover_producers(std::optional<Offset> first_kafka) {
  producers_.clear();
  SUPYO_ASSIGN(const std::vector<Offset> snapshots, list_producer_snapshots(env_.files, directory_));
  Offset from = segments_.front().base;
  for (auto at = snapshots.rbegin(); at != snapshots.rend(); ++at) {
    bool good = false;
    if (*at <= next_) {
      SUPYO_ASSIGN(good, read_producer_snapshot(env_.files, directory_, log_, *at, producers_));
    }
    if (good) {
      from = std::max(from, *at);
      break;
    }
    SUPYO_REACHED("log.recover.producer_snapshot");
    producers_.clear();
    // One that lies ahead would be believed once the log has grown beyond it again, with other records.
    if (*at > next_) SUPYO_TRY(env_.files.remove(env::join_path(directory_, producer_snapshot_name(*at))));
  }
  if (!first_kafka) return ok();
  for (const SegmentInfo& s : segments_)
    if (s.end > from && s.base >= *first_kafka) SUPYO_TRY(scan_producers(s, from));
  return ok();
}

Status PartitionWriter::scan_producers(const SegmentInfo& segment, Offset from) {
  SUPYO_ASSIGN(SegmentCursor cursor, SegmentCursor::open(env_.files, directory_, log_, segment.base));
  while (cursor.expected() < segment.end) {
    SUPYO_ASSIGN(const auto head, cursor.peek_head());
    if (!head) return fail(damage_error({cursor.path(), cursor.position(), cursor.expected(), "no frame here"}));
    const bool known = cursor.expected() < from;
    if (!known && head->batch && head->batch->control()) {
      SUPYO_ASSIGN(const auto found, cursor.next());
      if (found != SegmentCursor::Found::kFrame) return fail(damage_error({cursor.path(), cursor.position(), cursor.expected(), "the frame does not check"}));
      if (const auto marker = parse_kafka_marker(cursor.frame().batch(), *head->batch)) producers_.apply(*head->batch, marker, head->frame.append_us);
      continue;
    }
    if (!known && head->batch && head->batch->record_count > 0) producers_.apply(*head->batch, std::nullopt, head->frame.append_us);
    cursor.skip(head->frame);
  }
  return ok();
}

Status PartitionWriter::write_producer_snapshot() {
  SUPYO_ASSIGN(const std::vector<Offset> snapshots, list_producer_snapshots(env_.files, directory_));
  if (producers_.empty() && snapshots.empty()) return ok();
  SUPYO_TRY(log::write_producer_snapshot(env_.files, directory_, log_, next_, producers_));
  // Older ones go, but for one to fall back to below what may still be taken back.
  std::size_t keep = snapshots.size();
  while (keep > 0 && snapshots[keep - 1] > mark_.committed_end) --keep;
  for (std::size_t i = 0; i + 1 < keep; ++i) SUPYO_TRY(env_.files.remove(env::join_path(directory_, producer_snapshot_name(snapshots[i]))));
  return ok();
}

}  // namespace supyo::log
