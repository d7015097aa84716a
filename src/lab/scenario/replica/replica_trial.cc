#include "lab/scenario/replica/replica_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/env/sim/sim_env.h"
#include "lab/scenario/intervals.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/replica/model_client.h"

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kDrainMost = 10 * kMinute;
constexpr std::pair<std::string_view, std::string_view> kErrors[] = {{"NOT_ENOUGH_REPLICAS", "errors_not_enough_replicas"}, {"_TRANSPORT", "errors_transport"}, {"NOT_LEADER_OR_FOLLOWER", "errors_not_leader"},
                                                                     {"_MSG_TIMED_OUT", "errors_timed_out"}, {"", "errors_other"}};
/// Counts that are added up over trials; the others are averaged.
constexpr std::string_view kSums[] = {"sent", "acked", "failed", "unknown", "lost", "lost_by_offset", "lost_on_disk", "cut", "duplicates", "read_lost", "truncated", "unclean_elections"};

const slo::Column& column(const Arm& a, std::string_view name) { return *a.column(name); }

class ModelTrial {
 public:
  ModelTrial(const ReplicaPlan& plan, int trial, const RunOptions& options)
      : plan_(plan), options_(options), random_(plan.seed * 1'000'003 + static_cast<std::uint64_t>(trial)), cluster_(loop_, plan.cluster, random_), producer_(loop_, cluster_, plan.producer), consumer_(loop_, cluster_) {
    arm_.name = plan.arm;
    add_replica_columns(arm_);
  }

  Result<Arm> run() {
    const TimeUs from = plan_.baseline_us, to = from + plan_.fault_us, end = to + plan_.recovery_us;
    std::size_t next = 0;
    for (TimeUs t = kReplicaSample; t <= end; t += kReplicaSample) {
      for (; next < plan_.steps.size() && from + plan_.steps[next].at_us < t; ++next) {
        loop_.run_until(from + plan_.steps[next].at_us);
        take(plan_.steps[next]);
      }
      loop_.run_until(t);
      sample();
      SUPYO_TRY(options_.go_on());
    }
    drain();
    summarise_trial(arm_, plan_);
    count();
    return std::move(arm_);
  }

 private:
  std::vector<int> brokers_of(const std::vector<ReplicaStep::Who>& who) {
    if (leader_ < 0) {
      leader_ = cluster_.leader();
      for (int b = 0; b < cluster_.replicas(); ++b) if (b != leader_) followers_.push_back(b);
    }
    std::vector<int> out;
    for (const ReplicaStep::Who w : who) {
      if (w == ReplicaStep::Who::kLeader) out.push_back(leader_);
      else if (w == ReplicaStep::Who::kFollowers) out.insert(out.end(), followers_.begin(), followers_.end());
      else if (const std::size_t i = w == ReplicaStep::Who::kFirstFollower ? 0 : 1; i < followers_.size()) out.push_back(followers_[i]);
    }
    return out;
  }

  void take(const ReplicaPlan::Step& step) {
    if (epoch_before_ < 0) epoch_before_ = cluster_.epoch();
    std::string names;
    for (const int b : brokers_of(step.who)) {
      names += fmt::format(" {}", b + 1);
      switch (step.kind) {
        case ReplicaStep::Kind::kStop:
          cluster_.stop(b);
          stopped_[b] = {loop_.now(), cluster_.end(b)};
          break;
        case ReplicaStep::Kind::kContinue: probe_stopped(b); cluster_.resume(b); break;
        case ReplicaStep::Kind::kKill:
          probe_stopped(b);
          cluster_.kill(b);
          seen_ = seen_ && !cluster_.alive(b);
          break;
        case ReplicaStep::Kind::kStart: cluster_.start(b); break;
        case ReplicaStep::Kind::kCut: cluster_.cut(b); break;
        case ReplicaStep::Kind::kHeal: cluster_.heal(b); break;
      }
    }
    note(fmt::format("{}: broker{}", step_name(step.kind), names));
  }

  /// A broker that stands still has the log that it had when it was stopped, while the leader's grew.
  void probe_stopped(int b) {
    const auto it = stopped_.find(b);
    if (it == stopped_.end()) return;
    seen_ = seen_ && cluster_.end(b) == it->second.second;
    stopped_.erase(it);
  }

  void sample() {
    const int l = cluster_.leader();
    const bool answers = l >= 0 && cluster_.answers(l);
    ReplicaSample s{.sent = static_cast<double>(producer_.sent()), .acked = static_cast<double>(producer_.acked()), .end = kNaN, .high_watermark = kNaN,
                    .committed = static_cast<double>(consumer_.committed()), .isr = static_cast<double>(cluster_.isr().size()), .epoch = static_cast<double>(cluster_.epoch()),
                    .leader = static_cast<double>(l + 1), .freshness_s = static_cast<double>(loop_.now() - consumer_.newest_us()) / 1e6};
    if (answers) {
      s.end = static_cast<double>(cluster_.end(l));
      s.high_watermark = static_cast<double>(cluster_.high_watermark(l));
    }
    for (const auto& [name, n] : producer_.errors()) s.errors[name] = static_cast<double>(n);
    add_replica_sample(arm_, loop_.now(), s);
    if (cluster_.epoch() != epoch_said_) note(l < 0 ? fmt::format("leader epoch {}: no leader", cluster_.epoch()) : fmt::format("leader epoch {}: broker {} leads, {} in sync", cluster_.epoch(), l + 1, cluster_.isr().size()));
    epoch_said_ = cluster_.epoch();
  }

  /// Everybody is back, and what was given has an outcome.
  void drain() {
    for (int b = 0; b < cluster_.replicas(); ++b) {
      probe_stopped(b);
      cluster_.resume(b);
      cluster_.heal(b);
      if (!cluster_.alive(b)) cluster_.start(b);
    }
    producer_.finish();
    const TimeUs limit = loop_.now() + kDrainMost;
    const auto done = [&] {
      const int l = cluster_.leader();
      return producer_.idle() && l >= 0 && cluster_.answers(l) && static_cast<int>(cluster_.isr().size()) == cluster_.replicas() && cluster_.high_watermark(l) == cluster_.end(l) &&
             consumer_.position() == cluster_.end(l);
    };
    while (!done() && loop_.now() < limit) loop_.run_until(loop_.now() + kReplicaSample);
    arm_.drained = done();
  }

  void count() {
    std::vector<std::uint16_t> present(static_cast<std::size_t>(producer_.sent()), 0);
    if (const int l = cluster_.leader(); l >= 0)
      for (const LogBatch& b : cluster_.log(l))
        for (std::int64_t i = 0; i < b.count; ++i) ++present[b.first_id + static_cast<std::uint64_t>(i)];
    double lost = 0, duplicates = 0, read_lost = 0;
    for (std::size_t id = 0; id < present.size(); ++id) {
      lost += producer_.ledger()[id] == ModelProducer::Outcome::kAcknowledged && present[id] == 0 ? 1 : 0;
      duplicates += present[id] > 1 ? present[id] - 1 : 0;
      read_lost += id < consumer_.read().size() && consumer_.read()[id] > 0 && present[id] == 0 ? 1 : 0;
    }
    auto& c = arm_.counts;
    c["sent"] = static_cast<double>(producer_.sent());
    c["acked"] = static_cast<double>(producer_.acked());
    c["failed"] = static_cast<double>(producer_.failed());
    c["unknown"] = static_cast<double>(producer_.unknown());
    c["lost"] = lost;
    c["duplicates"] = duplicates;
    c["read_lost"] = read_lost;
    c["prompt_share"] = static_cast<double>(producer_.prompt()) / static_cast<double>(producer_.sent());
    c["outage"] = static_cast<double>(producer_.outage_us()) / 1e6;
    c["truncated"] = static_cast<double>(cluster_.truncated());
    c["unclean_elections"] = cluster_.unclean_elections();
    const bool led_on = !plan_.kills_leader() || cluster_.epoch() > epoch_before_;
    c["fault_seen"] = !plan_.steps.empty() && seen_ && led_on ? 1 : 0;
  }

  void note(std::string what) { arm_.timeline.emplace_back(static_cast<double>(loop_.now()) / 1e6, std::move(what)); }

  const ReplicaPlan& plan_;
  const RunOptions& options_;
  EventLoop loop_;
  env::SeededRandom random_;
  ReplicaCluster cluster_;
  ModelProducer producer_;
  ModelConsumer consumer_;
  Arm arm_;
  int leader_ = -1, epoch_before_ = -1, epoch_said_ = 0;
  std::vector<int> followers_;
  std::map<int, std::pair<TimeUs, std::int64_t>> stopped_;   ///< since when, and where its log ended
  bool seen_ = true;
};

}  // namespace

void add_replica_columns(Arm& arm) {
  for (const auto& [name, unit] : {std::pair{"sent", "records"}, {"acked", "records"}, {"ack_rate", "records/s"}, {"end", "records"}, {"high_watermark", "records"}, {"lag_hidden", "records"},
                                   {"lag_committed", "records"}, {"isr", "replicas"}, {"epoch", "epoch"}, {"leader", "broker"}, {"freshness", "s"}})
    arm.columns.push_back({name, unit, {}});
  for (const auto& [name, column] : kErrors) arm.columns.push_back({std::string(column), "errors", {}});
}

std::string error_column(std::string_view client_name) {
  for (const auto& [name, column] : kErrors)
    if (name == client_name || (name.empty())) return std::string(column);
  return "errors_other";
}

void add_replica_sample(Arm& arm, TimeUs t_us, const ReplicaSample& s) {
  const double t = static_cast<double>(t_us) / 1e6;
  const double before = arm.t_s.empty() ? 0 : column(arm, "acked").values.back(), seconds = t - (arm.t_s.empty() ? 0 : arm.t_s.back());
  arm.t_s.push_back(t);
  std::map<std::string, double> errors;
  for (const auto& [name, n] : s.errors) errors[error_column(name)] += n;
  for (slo::Column& c : arm.columns) {
    const auto put = [&](double v) { c.values.push_back(v); };
    if (c.name == "sent") put(s.sent);
    else if (c.name == "acked") put(s.acked);
    else if (c.name == "ack_rate") put(seconds > 0 ? (s.acked - before) / seconds : 0);
    else if (c.name == "end") put(s.end);
    else if (c.name == "high_watermark") put(s.high_watermark);
    else if (c.name == "lag_hidden") put(s.end - s.high_watermark);
    else if (c.name == "lag_committed") put(std::max(0.0, s.high_watermark - s.committed));
    else if (c.name == "isr") put(s.isr);
    else if (c.name == "epoch") put(s.epoch);
    else if (c.name == "leader") put(s.leader);
    else if (c.name == "freshness") put(s.freshness_s);
    else put(errors[c.name]);
  }
}

void summarise_trial(Arm& a, const ReplicaPlan& plan) {
  const double from = static_cast<double>(plan.baseline_us) / 1e6, to = from + static_cast<double>(plan.fault_us) / 1e6, late = from + (to - from) * 2 / 3;
  auto& c = a.counts;
  const auto growth = [&](std::string_view name) { return value_at(a, name, to) - value_at(a, name, late); };
  c["acked_late"] = growth("acked");
  c["hw_late"] = growth("high_watermark");
  c["lag_late"] = growth("lag_committed");
  c["fresh_slope"] = growth("freshness") / (to - late);
  double hidden = 0, isr = std::numeric_limits<double>::infinity();
  for (const double v : column(a, "lag_hidden").values) if (!std::isnan(v)) hidden = std::max(hidden, v);
  for (const double v : column(a, "isr").values) if (!std::isnan(v)) isr = std::min(isr, v);
  c["lag_hidden_max"] = hidden;
  c["isr_min"] = isr;
  c["epochs"] = column(a, "epoch").values.back() - column(a, "epoch").values.front();
  for (const auto& [name, errors] : kErrors) c[std::string(errors)] = column(a, errors).values.back();
}

Arm join_trials(const std::string& name, std::vector<Arm> trials) {
  Arm joined;
  joined.name = name;
  joined.drained = std::ranges::all_of(trials, &Arm::drained);
  std::map<std::string, std::vector<double>> values;
  for (const Arm& t : trials)
    for (const auto& [count, v] : t.counts) values[count].push_back(v);
  auto& c = joined.counts;
  for (const auto& [count, v] : values) {
    double sum = 0;
    for (const double x : v) sum += x;
    const bool adds = std::ranges::find(kSums, count) != std::end(kSums) || count.starts_with("errors_");
    c[count] = adds ? sum : sum / static_cast<double>(v.size());
    c[count + "_min"] = *std::ranges::min_element(v);
    c[count + "_max"] = *std::ranges::max_element(v);
  }
  const MeanInterval lost = mean_interval(values["lost"]);
  const auto losing = static_cast<int>(std::ranges::count_if(values["lost"], [](double v) { return v > 0; }));
  c["lost_mean"] = lost.mean;
  c["lost_low"] = lost.low;
  c["lost_high"] = lost.high;
  c["lost_trials"] = losing;
  c["trials"] = static_cast<double>(trials.size());
  c["loss_rate_high"] = share_interval(losing, static_cast<int>(trials.size())).high;
  joined.t_s = std::move(trials.front().t_s);
  joined.columns = std::move(trials.front().columns);
  joined.timeline = std::move(trials.front().timeline);
  return joined;
}

Result<Arm> run_model_trial(const ReplicaPlan& plan, int trial, const RunOptions& options) { return ModelTrial(plan, trial, options).run(); }

}  // namespace supyo::scenario
