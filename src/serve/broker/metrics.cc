#include "serve/broker/metrics.h"

#include "core/base/check.h"
#include "data/log/kafka_batch.h"

namespace supyo::broker {
namespace {

constexpr std::size_t kTopicsMax = 500;   // counted by name; the rest together: clients choose names

std::vector<double> latency_bounds() { return {0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30}; }

}  // namespace

BrokerMetrics::BrokerMetrics() : refused_(registry_.counter("supyo_broker_refused_requests_total", "Requests that closed their connection: not of the protocol, or not allowed.")) {
  for (const ApiVersions& a : supported_apis()) {
    const auto api = static_cast<std::size_t>(a.api);
    SUPYO_CHECK(api < requests_.size());
    requests_[api] = &registry_.histogram("supyo_broker_request_seconds", "From a request's arrival to its answer, waiting for records, members and syncs included.", latency_bounds(),
                                          {{"api", std::string(api_name(a.api))}});
  }
}

void BrokerMetrics::answered(Api api, DurationUs took_us) {
  const auto i = static_cast<std::size_t>(api);
  if (i < requests_.size() && requests_[i] != nullptr) requests_[i]->observe(static_cast<double>(took_us) / kSecond);
}

BrokerMetrics::TopicCounters& BrokerMetrics::topic(const std::string& name) {
  if (const auto found = topics_.find(name); found != topics_.end()) return found->second;
  if (topics_.size() >= kTopicsMax && name != "other") return topic("other");
  const obs::Labels labels{{"topic", name}};
  return topics_
      .emplace(name, TopicCounters{registry_.counter("supyo_broker_records_in_total", "Records that producers wrote.", labels), registry_.counter("supyo_broker_bytes_in_total", "Bytes of their batches.", labels),
                                   registry_.counter("supyo_broker_records_out_total", "Records in the batches that consumers fetched.", labels),
                                   registry_.counter("supyo_broker_bytes_out_total", "Bytes of those batches.", labels)})
      .first->second;
}

void BrokerMetrics::produced(const std::string& name, std::uint64_t records, std::uint64_t bytes) {
  TopicCounters& t = topic(name);
  t.records_in.add(records);
  t.bytes_in.add(bytes);
}

void BrokerMetrics::fetched(const std::string& name, std::string_view batches) {
  if (batches.empty()) return;
  TopicCounters& t = topic(name);
  t.bytes_out.add(batches.size());
  std::uint64_t records = 0;
  log::KafkaBatchHeader header;
  while (log::parse_kafka_header(batches, header) == log::KafkaBatchProblem::kNone && header.bytes() <= batches.size()) {
    if (!header.control()) records += static_cast<std::uint64_t>(header.record_count);
    batches.remove_prefix(header.bytes());
  }
  t.records_out.add(records);
}

}  // namespace supyo::broker
