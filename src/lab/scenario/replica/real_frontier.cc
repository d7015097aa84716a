#include "lab/scenario/replica/real_frontier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "connect/kafka/admin.h"
#include "connect/kafka/kafka.h"
#include "lab/scenario/replica/real_client.h"

namespace supyo::scenario {
namespace {

using connect::KafkaAdmin;
using Outcome = connect::RecordReport::Outcome;

Result<FrontierPoint> run_real_point(const env::Env& env, const std::string& servers, const FrontierCell& cell, int trial, const RunOptions& options) {
  const auto now = [&] { return env.clock.monotonic_us(); };
  SUPYO_ASSIGN(auto admin, KafkaAdmin::open(servers, 20 * kSecond));
  const std::string topic = lab_topic_name(env, fmt::format("{}-{}", cell.name, trial));
  SUPYO_TRY(admin->create_topic(topic, 1, cell.cluster.replicas, {{"min.insync.replicas", std::to_string(cell.cluster.min_isr)}}));
  FrontierPoint p;
  for (const TimeUs limit = now() + kPatience; p.in_sync < cell.cluster.replicas && now() < limit; env.threads->idle(50 * kMillisecond)) {
    const auto cluster = admin->describe();
    if (!cluster) continue;
    for (const auto& t : cluster->topics)
      if (t.name == topic && t.partitions.size() == 1) p.in_sync = static_cast<double>(t.partitions[0].in_sync.size());
  }
  auto producer_setup = real_producer_options(servers, topic, cell.producer);
  producer_setup.client_settings = {{"batch.num.messages", std::to_string(cell.producer.batch_records)}, {"max.in.flight.requests.per.connection", std::to_string(std::min(cell.producer.in_flight, 5))}};
  SUPYO_ASSIGN(auto producer, open_producer(env, producer_setup));
  const std::string value(static_cast<std::size_t>(cell.record_bytes), 'x');
  std::vector<TimeUs> given;
  std::vector<double> took_s;
  const TimeUs begin = now(), from = begin + cell.warmup_us, to = from + cell.run_us;
  std::int64_t in_run = 0;
  const auto take = [&](DurationUs wait) {
    for (const auto& r : producer->reports(wait)) {
      const TimeUs t = now();
      if (r.outcome == Outcome::kFailed) ++p.failed;
      else if (r.outcome == Outcome::kUnknown) ++p.unknown;
      else {
        ++p.acked;
        if (t < from || t >= to) continue;
        ++in_run;
        took_s.push_back(static_cast<double>(t - given[r.id]) / 1e6);
      }
    }
  };
  while (now() < to) {
    if (options.cancelled && options.cancelled()) return fail(ErrorCode::kCancelled, "the lab was stopped");
    while (static_cast<std::int64_t>(producer->in_flight()) < cell.producer.outstanding) {
      SUPYO_ASSIGN(const bool taken, producer->send(given.size(), std::nullopt, value, env.clock.now_us()));
      if (!taken) break;
      given.push_back(now());
    }
    take(kMillisecond);
  }
  for (const TimeUs limit = now() + kPatience; producer->in_flight() > 0 && now() < limit;) take(20 * kMillisecond);
  p.sent = static_cast<double>(given.size());
  p.throughput = static_cast<double>(in_run) / (static_cast<double>(cell.run_us) / 1e6);
  std::ranges::sort(took_s);
  const auto quantile = [&](double q) { return took_s.empty() ? std::numeric_limits<double>::quiet_NaN() : took_s[std::min(took_s.size() - 1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(took_s.size())) - 1))]; };
  p.p50_s = quantile(0.5);
  p.p99_s = quantile(0.99);
  p.requests = std::numeric_limits<double>::quiet_NaN();   // the client does not say
  (void)admin->delete_topic(topic);
  return p;
}

}  // namespace

Result<LabResult> run_real_frontier_scenario(const env::Env& env, BrokerProcesses& brokers, const FrontierScenario& scenario, const RunOptions& options) {
  // Brokers that have just started compile themselves first: a round that nobody counts, of each way to acknowledge.
  SUPYO_ASSIGN(const std::vector<FrontierCell> cells, cells_of(scenario));
  for (const FrontierCell& cell : cells)
    if (cell.producer.linger_us == cells.front().producer.linger_us) SUPYO_TRY(run_real_point(env, brokers.servers(), cell, 0, options));
  SUPYO_ASSIGN(LabResult r, run_frontier_trials(scenario, options, true, [&](const FrontierCell& cell, int trial) { return run_real_point(env, brokers.servers(), cell, trial, options); }));
  r.config["cluster"] = brokers.name();
  r.versions["broker"] = brokers.name();
  r.versions["client"] = connect::kafka_client_version();
  return r;
}

}  // namespace supyo::scenario
