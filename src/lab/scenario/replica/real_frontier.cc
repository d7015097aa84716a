#include "lab/scenario/replica/real_frontier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "connect/kafka/admin.h"
#include "connect/kafka/kafka.h"
#include "core/base/duration.h"
#include "lab/scenario/replica/real_client.h"

namespace supyo::scenario {
namespace {

using connect::KafkaAdmin;
using Outcome = connect::RecordReport::Outcome;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// One topic for each number of replicas: every setting of acks and linger writes to the same partition, so to the same leader, which a topic of its own would not have.
class RealFrontier {
 public:
  RealFrontier(const env::Env& env, BrokerProcesses& brokers, const RunOptions& options) : env_(env), brokers_(brokers), options_(options) {}
  ~RealFrontier() {
    for (const auto& [label, topic] : topics_) (void)admin_->delete_topic(topic);
  }
  RealFrontier(const RealFrontier&) = delete;
  RealFrontier& operator=(const RealFrontier&) = delete;

  Status open(const std::vector<FrontierCell>& cells) {
    SUPYO_ASSIGN(admin_, KafkaAdmin::open(brokers_.servers(), 20 * kSecond));
    for (const FrontierCell& cell : cells) {
      if (topics_.contains(cell.replicas_label)) continue;
      const std::string topic = lab_topic_name(env_, "rf" + cell.replicas_label);
      SUPYO_TRY(admin_->create_topic(topic, 1, cell.cluster.replicas, {{"min.insync.replicas", std::to_string(cell.cluster.min_isr)}}));
      topics_[cell.replicas_label] = topic;
    }
    return ok();
  }

  /// Brokers that have just started compile themselves first: rounds that nobody counts, of the cells without much linger that wait for an acknowledgement. Says how it went.
  Result<std::string> settle(const std::vector<FrontierCell>& cells) {
    const TimeUs begin = now(), limit = begin + cells.front().settle_us;
    Settling settling;
    std::string values;
    while (!settling.settled() && now() < limit) {
      std::vector<double> round;
      for (const FrontierCell& cell : cells) {
        if (cell.producer.linger_us != cells.front().producer.linger_us || cell.producer.acks == Acks::kNone) continue;
        if (options_.progress) options_.progress(fmt::format("warming up, round {}", settling.rounds() + 1), 0);
        SUPYO_ASSIGN(const FrontierPoint p, run(cell));
        round.push_back(p.throughput);
      }
      if (round.empty()) break;
      settling.add(round);
      values += fmt::format("{}{:.0f}", values.empty() ? "" : ", ", settling.last());
    }
    return fmt::format("{} after {} rounds in {} (records/s: {})", settling.settled() ? "steady" : "not steady", settling.rounds(), format_duration((now() - begin) / kSecond * kSecond), values);
  }

  Result<FrontierPoint> run(const FrontierCell& cell) {
    const std::string& topic = topics_.at(cell.replicas_label);
    FrontierPoint p{.requests = kNaN};   // the client does not say
    std::vector<std::int32_t> ids;
    for (const TimeUs limit = now() + kPatience; p.in_sync < cell.cluster.replicas && now() < limit;) {
      const auto cluster = admin_->describe();
      if (cluster) {
        ids.clear();
        for (const auto& b : cluster->brokers) ids.push_back(b.id);
        for (const auto& t : cluster->topics)
          if (t.name == topic && t.partitions.size() == 1) p.in_sync = static_cast<double>(t.partitions[0].in_sync.size());
      }
      if (p.in_sync < cell.cluster.replicas) env_.threads->idle(50 * kMillisecond);
    }
    auto setup = real_producer_options(brokers_.servers(), topic, cell.producer);
    setup.client_settings = {{"batch.num.messages", std::to_string(cell.producer.batch_records)},
                             {"max.in.flight.requests.per.connection", std::to_string(std::min(cell.producer.in_flight, 5))},
                             {"enable.idempotence", cell.idempotent && cell.producer.acks == Acks::kAll ? "true" : "false"}};
    SUPYO_ASSIGN(auto producer, open_producer(env_, setup));
    SUPYO_TRY(drive(cell, *producer, ids, p));
    return p;
  }

 private:
  TimeUs now() const { return env_.clock.monotonic_us(); }

  double cpu_s(const std::vector<std::int32_t>& brokers) {
    double sum = 0;
    for (const std::int32_t b : brokers) {
      const auto usage = brokers_.look(b);
      sum += usage ? static_cast<double>(usage->cpu_us) / 1e6 : kNaN;
    }
    return brokers.empty() ? kNaN : sum;
  }

  /// Keeps as many records without an outcome as the cell says, until its time is over, and waits for the last ones.
  Status drive(const FrontierCell& cell, connect::RecordProducer& producer, const std::vector<std::int32_t>& brokers, FrontierPoint& p) {
    const std::string value(static_cast<std::size_t>(cell.record_bytes), 'x');
    std::vector<TimeUs> given;
    std::vector<double> took_s;
    const TimeUs from = now() + cell.warmup_us, to = from + cell.run_us;
    TimeUs first = 0, last = 0;   // moments with acknowledgements in that time
    std::size_t with_first = 0;
    const auto take = [&](DurationUs wait) {
      const auto reports = producer.reports(wait);
      const TimeUs t = now();
      for (const auto& r : reports) {
        if (r.outcome == Outcome::kFailed) ++p.failed;
        else if (r.outcome == Outcome::kUnknown) ++p.unknown;
        else {
          ++p.acked;
          if (t < from || t >= to) continue;
          took_s.push_back(static_cast<double>(t - given[r.id]) / 1e6);
          if (first == 0) first = t;
          if (first == t) ++with_first;
          last = t;
        }
      }
    };
    double cpu_before = kNaN;
    while (now() < to) {
      SUPYO_TRY(options_.go_on());
      if (std::isnan(cpu_before) && now() >= from) cpu_before = cpu_s(brokers);
      while (static_cast<std::int64_t>(producer.in_flight()) < cell.producer.outstanding) {
        SUPYO_ASSIGN(const bool taken, producer.send(given.size(), std::nullopt, value, env_.clock.now_us()));
        if (!taken) break;
        given.push_back(now());
      }
      take(kMillisecond);
    }
    p.cores = (cpu_s(brokers) - cpu_before) / (static_cast<double>(now() - from) / 1e6);
    for (const TimeUs limit = now() + kPatience; producer.in_flight() > 0 && now() < limit;) take(20 * kMillisecond);
    p.sent = static_cast<double>(given.size());
    // From the first acknowledgements to the last ones: with much linger they come in few lots, and a count of lots in a fixed time would be a round number.
    p.throughput = last > first ? static_cast<double>(took_s.size() - with_first) / (static_cast<double>(last - first) / 1e6) : 0;
    std::ranges::sort(took_s);
    const auto quantile = [&](double q) { return took_s.empty() ? kNaN : took_s[std::min(took_s.size() - 1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(took_s.size())) - 1))]; };
    p.p50_s = quantile(0.5);
    p.p99_s = quantile(0.99);
    return ok();
  }

  const env::Env& env_;
  BrokerProcesses& brokers_;
  const RunOptions& options_;
  std::unique_ptr<KafkaAdmin> admin_;
  std::map<std::string, std::string> topics_;   // by the label of the replicas
};

}  // namespace

Result<LabResult> run_real_frontier_scenario(const env::Env& env, BrokerProcesses& brokers, const FrontierScenario& scenario, const RunOptions& options) {
  SUPYO_ASSIGN(const std::vector<FrontierCell> cells, cells_of(scenario));
  RealFrontier frontier(env, brokers, options);
  SUPYO_TRY(frontier.open(cells));
  SUPYO_ASSIGN(const std::string settled, frontier.settle(cells));
  SUPYO_ASSIGN(LabResult r, run_frontier_trials(scenario, options, true, [&](const FrontierCell& cell, int) { return frontier.run(cell); }));
  r.config["warm-up"] = settled;
  r.config["cluster"] = brokers.name();
  r.versions["broker"] = brokers.name();
  r.versions["client"] = connect::kafka_client_version();
  return r;
}

}  // namespace supyo::scenario
