#include "data/log/frame.h"

namespace supyo::log {

Status KafkaColumns::decode(FrameView& view) {
  constexpr std::size_t kPadding = 64;   // readable behind the last value: decoders look ahead (FrameBuffer)
  KafkaBatchHeader header;
  if (parse_kafka_header(view.batch(), header) != KafkaBatchProblem::kNone) return fail(ErrorCode::kMalformedRecord, "Kafka batch: the head does not parse");
  SUPYO_ASSIGN(KafkaRecords records, KafkaRecords::open(view.batch(), header, scratch_));
  timestamps_.clear();
  deltas_.clear();
  value_ends_.clear();
  key_ends_.clear();
  header_ends_.clear();
  nulls_.clear();
  values_.clear();
  keys_.clear();
  headers_.clear();
  bool gaps = false;
  while (true) {
    KafkaRecord r;
    SUPYO_ASSIGN(const bool more, records.next(r));
    if (!more) break;
    if (!deltas_.empty() && static_cast<std::uint32_t>(r.offset_delta) <= deltas_.back()) return fail(ErrorCode::kMalformedRecord, "Kafka batch: offsets do not ascend");
    gaps = gaps || static_cast<std::size_t>(r.offset_delta) != deltas_.size();
    timestamps_.push_back(kafka_time_us(r.timestamp_ms));
    deltas_.push_back(static_cast<std::uint32_t>(r.offset_delta));
    if (r.value) values_.append(*r.value);
    if (r.key) keys_.append(*r.key);
    headers_.append(r.headers);
    value_ends_.push_back(static_cast<std::uint32_t>(values_.size()));
    key_ends_.push_back(static_cast<std::uint32_t>(keys_.size()));
    header_ends_.push_back(static_cast<std::uint32_t>(headers_.size()));
    nulls_.push_back(static_cast<std::uint8_t>((r.key ? 0 : 1) | (r.value ? 0 : 2)));
  }
  values_.append(kPadding, '\0');
  view.records_ = timestamps_.size();
  view.first_ = 0;
  view.timestamps_ = timestamps_;
  view.deltas_ = gaps ? deltas_.data() : nullptr;
  view.value_ends_ = value_ends_.data();
  view.key_ends_ = key_ends_.data();
  view.header_ends_ = header_ends_.data();
  view.nulls_ = nulls_.data();
  view.values_ = values_.data();
  view.keys_ = keys_.data();
  view.headers_ = headers_.data();
  return ok();
}

}  // namespace supyo::log
