#include "lab/scenario/stream/kafka_ends.h"

#include <algorithm>

#include "lab/scenario/replica/real_client.h"

namespace supyo::scenario {

using Outcome = connect::RecordReport::Outcome;

Status KafkaFeed::feed(TimeUs now, TimeUs end_us, StreamTruth& truth) {
  schedule_.due(now, end_us, [this](std::int32_t p, const workload::GeneratedRecord& record) { waiting_.emplace_back(p, record); });
  while (!waiting_.empty()) {
    auto& [partition, record] = waiting_.front();
    SUPYO_ASSIGN(const bool taken, producer_->send_to(partition, counts_.sent, record.key, record.value, now));
    if (!taken) break;
    under_way_.emplace(counts_.sent++, std::move(record));
    waiting_.pop_front();
  }
  for (const auto& report : producer_->reports(0)) {
    const auto record = under_way_.extract(report.id);
    if (report.outcome != Outcome::kAcknowledged) {
      ++(report.outcome == Outcome::kFailed ? counts_.failed : counts_.unknown);
      continue;
    }
    ++counts_.acked;
    truth.sent(schedule_.input().topic, record.mapped(), now);
    TimeUs& newest = newest_[static_cast<std::size_t>(report.partition)];
    newest = std::max(newest, record.mapped().event_us);
  }
  return ok();
}

Result<std::unique_ptr<KafkaRowReader>> KafkaRowReader::open(const env::Env& env, const std::string& servers, const std::string& topic, const std::string& group, bool uncommitted) {
  SUPYO_ASSIGN(auto consumer, open_patiently(env, [&] { return connect::GroupConsumer::open({.servers = servers, .topic = topic, .group = group, .read_committed = !uncommitted}); }));
  return std::unique_ptr<KafkaRowReader>(new KafkaRowReader(std::move(consumer)));
}

Result<std::uint64_t> KafkaRowReader::poll(const std::function<void(std::string_view)>& take) {
  for (std::uint64_t n = 0;; ++n) {
    SUPYO_ASSIGN(const auto record, consumer_->poll(0));
    (void)consumer_->events();
    if (!record) return n;
    if (record->value) take(*record->value);
  }
}

}  // namespace supyo::scenario
