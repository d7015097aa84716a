#include "lab/scenario/stream/stream_input.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/hash.h"

namespace supyo::scenario {

std::int32_t stream_partition(const StreamInput& input, const workload::GeneratedRecord& record) {
  const auto n = static_cast<std::uint64_t>(input.partitions);
  if (input.partition_by.empty()) return static_cast<std::int32_t>(hash_bytes(record.key) % n);
  const auto json = nlohmann::json::parse(record.value, nullptr, false);
  return static_cast<std::int32_t>(hash_bytes(json.is_object() && json.contains(input.partition_by) ? json[input.partition_by].dump() : std::string()) % n);
}

// ---- what is sent ----------------------------------------------------------------------------------------------------------------

// Topics of one lab are not copies of each other.
StreamSchedule::StreamSchedule(const StreamInput& input, std::uint64_t seed) : input_(&input), seed_(hash_u64(seed)), draws_(seed_) {}

Result<StreamSchedule> StreamSchedule::make(const StreamScenario& s, const StreamInput& input, TimeUs start_us) {
  StreamSchedule schedule(input, s.input_seed(input));
  workload::GeneratorOptions w{.seed = s.input_seed(input), .start_us = start_us};
  SUPYO_ASSIGN(w.tps, s.value(input.rate, kRate));
  SUPYO_ASSIGN(w.disorder_us, s.duration(input.disorder));
  SUPYO_ASSIGN(w.duplicates, s.value(input.duplicates, kNumber));
  SUPYO_ASSIGN(w.late, s.value(input.late, kNumber));
  SUPYO_ASSIGN(w.bursts_us, s.duration(input.bursts));
  SUPYO_ASSIGN(const std::uint64_t keys, s.count(input.keys));
  w.keys = static_cast<std::uint32_t>(keys);
  schedule.rate_ = w.tps;
  SUPYO_ASSIGN(schedule.generator_, workload::make_generator(input.domain, w));
  schedule.more_ = schedule.generator_->next(schedule.next_);
  return schedule;
}

Status StreamSchedule::enter(const StreamScenario& s, const std::vector<StreamFault>& faults, TimeUs now, TimeUs until_us) {
  rules_.clear();
  SUPYO_ASSIGN(double rate, s.value(input_->rate, kRate));
  until_us_ = until_us;
  for (const StreamFault& f : faults) {
    if (f.topic != input_->topic) continue;
    Rule r{f.kind, f.partition.value_or(-1), 1, -1};
    SUPYO_ASSIGN(r.share, s.value(f.share, kNumber));
    if (!f.delay.empty()) { SUPYO_ASSIGN(r.delay_us, s.duration(f.delay)); }
    if (!f.span.empty()) { SUPYO_ASSIGN(r.span_us, s.duration(f.span)); }
    r.spread = f.spread;
    if (!f.rate.empty()) { SUPYO_ASSIGN(rate, s.value(f.rate, kRate)); }
    rules_.push_back(r);
  }
  if (rate != rate_) generator_->set_rate(rate_ = rate, now);
  return ok();
}

void StreamSchedule::pass(const workload::GeneratedRecord& record, TimeUs now, const Take& take) {
  const std::int32_t p = stream_partition(*input_, record);
  for (const Rule& r : rules_) {
    if (r.partition >= 0 && r.partition != p) continue;
    if (r.kind == StreamFault::Kind::kSilence) {
      ++counts_.silenced;
      return;
    }
    if (r.kind == StreamFault::Kind::kRepeat) repeat(r, record, p, now);
    if (r.kind != StreamFault::Kind::kDelay || !(r.share >= 1 || draws_.chance(r.share))) continue;
    ++counts_.delayed;
    held_.push({r.delay_us < 0 ? until_us_ : now + r.delay_us, order_++, p, record});
    return;
  }
  take(p, record);
}

/// Whether the producer goes back to here, and when, is drawn for each span of time, or for each record.
void StreamSchedule::repeat(const Rule& rule, const workload::GeneratedRecord& record, std::int32_t partition, TimeUs now) {
  workload::Draws span(seed_ ^ hash_u64(rule.span_us > 0 ? static_cast<std::uint64_t>(now / rule.span_us) : record.id));
  if (!(rule.share >= 1 || span.chance(rule.share))) return;
  const double u = (static_cast<double>(span.random() >> 11) + 0.5) * 0x1.0p-53, age = static_cast<double>(rule.delay_us);
  const double drawn = rule.spread == StreamFault::Spread::kConstant ? age : rule.spread == StreamFault::Spread::kUniform ? 2 * age * u : -age * std::log(u);
  held_.push({now + static_cast<DurationUs>(drawn), order_++, partition, record});
  ++counts_.copied;
}

void StreamSchedule::due(TimeUs now, TimeUs end_us, const Take& take) {
  while (more_ && next_.due_us <= now && next_.due_us < end_us) {
    pass(next_, now, take);
    more_ = generator_->next(next_);
  }
  while (!held_.empty() && held_.top().due_us <= now) {
    take(held_.top().partition, held_.top().record);
    held_.pop();
  }
}

// ---- into the embedded log -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<StreamFeed>> StreamFeed::open(const env::Env& env, const std::string& log_directory, const StreamScenario& s, const StreamInput& input, TimeUs start_us) {
  SUPYO_ASSIGN(StreamSchedule schedule, StreamSchedule::make(s, input, start_us));
  std::unique_ptr<StreamFeed> feed(new StreamFeed(std::move(schedule)));
  SUPYO_ASSIGN(const log::Topic topic, log::create_topic(env, log_directory, input.topic, {.partitions = input.partitions, .segment_bytes = 16 << 20, .retention_ms = s.replay ? -1 : 30 * 60 * 1000}));
  for (std::int32_t p = 0; p < input.partitions; ++p) {
    SUPYO_ASSIGN(auto writer, log::PartitionWriter::open(env, topic, PartitionId(p)));
    feed->writers_.push_back(std::move(writer));
  }
  feed->newest_.assign(feed->writers_.size(), kTimeMin);
  feed->batch_.resize(feed->writers_.size());
  return feed;
}

Status StreamFeed::feed(TimeUs now, TimeUs end_us, StreamTruth& truth) {
  schedule_.due(now, end_us, [this](std::int32_t p, const workload::GeneratedRecord& record) { batch_[static_cast<std::size_t>(p)].push_back(record); });
  return flush(now, truth);
}

Status StreamFeed::flush(TimeUs now, StreamTruth& truth) {
  for (std::size_t p = 0; p < batch_.size(); ++p) {
    if (batch_[p].empty()) continue;
    records_.clear();
    for (const workload::GeneratedRecord& r : batch_[p]) records_.add(now, std::string_view(r.key), std::string_view(r.value));
    const std::size_t n = batch_[p].size();
    counts_.sent += n;
    if (!writers_[p]->append(records_)) {
      counts_.failed += n;
    } else if (!writers_[p]->flush()) {
      counts_.unknown += n;   // in the log or not
    } else {
      counts_.acked += n;
      for (const workload::GeneratedRecord& r : batch_[p]) {
        truth.sent(schedule_.input().topic, r, now);
        newest_[p] = std::max(newest_[p], r.event_us);
      }
    }
    batch_[p].clear();
  }
  return ok();
}

Status StreamFeed::retain() {
  for (auto& w : writers_) SUPYO_TRY(w->retain());
  return ok();
}

}  // namespace supyo::scenario
