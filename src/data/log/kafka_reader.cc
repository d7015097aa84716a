#include "data/log/kafka_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "data/log/examine.h"

namespace supyo::log {
Result<KafkaReader> KafkaReader::open(env::Files& files, const Topic& topic, PartitionId partition) {
  SUPYO_ASSIGN(PartitionReader reader, PartitionReader::open(files, topic, partition, {.isolation = Isolation::kReadUncommitted}));
  return KafkaReader(std::move(reader));
}

KafkaFetched KafkaReader::published() const {
  const Mark& m = reader_.mark_;
  return {.log_start = m.log_start, .high_watermark = m.durable_end, .last_stable = m.committed_end, .next = {}, .aborted = {}};
}

Result<KafkaFetched> KafkaReader::ends() {
  SUPYO_TRY(reader_.refresh());
  return published();
}

/// Makes the reader's next frame, pending or not, the one that holds `from`.
Status KafkaReader::start_at(Offset from) {
  if (truncations_ != reader_.mark_.truncations) pending_ = false;   // the frame may have been taken back
  truncations_ = reader_.mark_.truncations;
  if (pending_ && reader_.cursor_) {
    const FrameView& frame = reader_.cursor_->frame();
    if (from >= Offset(frame.header().base_offset) && from < frame.end_offset()) return ok();
  }
  const bool behind = !pending_ && reader_.position_ == from;
  pending_ = false;
  return behind ? ok() : reader_.seek(from);
}

/// The frame as a Kafka batch; valid until the next call.
Result<std::string_view> KafkaReader::batch_of(const FrameView& frame) {
  if (frame.kind() == FrameKind::kKafka) return frame.batch();
  if (frame.columnar()) return fail(columnar_error(reader_.topic_.name, Offset(frame.header().base_offset)));
  const auto times = frame.timestamps();
  builder_.begin({.base_offset = frame.header().base_offset, .base_timestamp_ms = kafka_time_ms(times[0]), .max_timestamp_ms = kafka_time_ms(times[0])});
  for (std::size_t i = 0; i < frame.count(); ++i) {
    const auto value = frame.value_is_null(i) ? std::nullopt : std::optional(frame.value(i));
    builder_.add(static_cast<std::int32_t>(i), kafka_time_ms(times[i]), frame.key(i), value, frame.headers(i));
  }
  transcoded_.clear();
  SUPYO_TRY(builder_.finish(transcoded_));
  return std::string_view(transcoded_);
}

Result<KafkaFetched> KafkaReader::fetch(Offset from, const KafkaFetchOptions& options, std::string& out) {
  SUPYO_TRY(reader_.refresh());
  KafkaFetched done = published();
  done.next = from;
  if (from < done.log_start || from > done.high_watermark)
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("{}: offset {} lies outside {} to {}", reader_.directory_, from.value, done.log_start.value, done.high_watermark.value));
  const bool committed = options.isolation == Isolation::kReadCommitted;
  const Offset end = committed ? done.last_stable : done.high_watermark;
  if (from >= end) return done;
  SUPYO_TRY(start_at(from));
  const std::size_t start = out.size();
  std::set<std::int64_t> aborting;
  while (done.next < end) {
    if (!pending_) {
      SUPYO_ASSIGN(const FrameView* next, reader_.next_frame());
      if (next == nullptr) break;
      pending_ = true;
    }
    const FrameView& frame = reader_.cursor_->frame();
    if (Offset(frame.header().base_offset) >= end) break;
    if (frame.kind() != FrameKind::kGap) {
      SUPYO_ASSIGN(const std::string_view batch, batch_of(frame));
      const std::size_t used = out.size() - start;
      if (used + batch.size() > options.max_bytes && !(used == 0 && options.at_least_one)) break;
      KafkaBatchHeader header;
      (void)parse_kafka_header(batch, header);
      if (committed && header.control()) aborting.erase(header.producer_id);
      if (committed && header.transactional() && !header.control() && !aborting.contains(header.producer_id)) {
        SUPYO_ASSIGN(const auto aborted, reader_.transactions_.aborted(header.producer_id, Offset(header.base_offset), reader_.mark_.durable_end));
        if (!aborted) return fail(damage_error({reader_.cursor_->path(), reader_.cursor_->position() - frame.header().length, Offset(header.base_offset), "its transaction's marker is missing"}));
        if (*aborted) {
          aborting.insert(header.producer_id);
          done.aborted.push_back({header.producer_id, Offset(header.base_offset)});
        }
      }
      out.append(batch);
    }
    done.next = frame.end_offset();
    pending_ = false;
  }
  return done;
}

Result<std::optional<KafkaReader::TimedOffset>> KafkaReader::find_time(std::int64_t timestamp_ms, Isolation isolation) {
  SUPYO_TRY(reader_.refresh());
  const Offset end = isolation == Isolation::kReadCommitted ? reader_.mark_.committed_end : reader_.mark_.durable_end;
  SUPYO_ASSIGN(const auto found, reader_.find_time(kafka_time_us(timestamp_ms), end));
  if (!found) return std::nullopt;
  return TimedOffset{found->offset, kafka_time_ms(found->timestamp_us)};
}

}  // namespace supyo::log
