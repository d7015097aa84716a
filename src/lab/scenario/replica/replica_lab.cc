#include "lab/scenario/replica/replica_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/replica/replica_trial.h"

namespace supyo::scenario {
namespace {

constexpr double kSettled = 1;   // seconds, before the offered rate is measured

std::string plan_text(const ReplicaPlan& p) {
  std::string steps;
  for (const auto& s : p.steps) {
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", format_duration(s.at_us), step_name(s.kind));
    for (const auto w : s.who) steps += fmt::format(" {}", who_name(w));
  }
  return fmt::format("acks {}, min ISR {}, unclean election {}, {} {}; {}", acks_name(p.producer.acks), p.cluster.min_isr, p.cluster.unclean ? "on" : "off", p.trials, p.trials == 1 ? "trial" : "trials", steps.empty() ? "no fault" : steps);
}

void describe(const ReplicaScenario& s, const ReplicaPlan& p, const RunOptions& options, bool real, LabResult& r) {
  r.kind = "replica";
  describe_replicated(s, options, real, r);
  double t = 0;
  for (const auto& [name, us] : {std::pair{"baseline", p.baseline_us}, {"fault", p.fault_us}, {"recovery", p.recovery_us}}) {
    const double length = static_cast<double>(us) / 1e6;
    r.phases.push_back({name, t, t + length, std::string_view(name) == "fault"});
    t += length;
  }
  auto& c = r.config;
  c["partition"] = fmt::format("1, {} replicas, eligible leader replicas {}", p.cluster.replicas, p.cluster.elr ? "on" : "off");
  c["brokers"] = fmt::format("replica.lag.time.max {}, broker.session.timeout {}, broker.heartbeat.interval {}", format_duration(p.cluster.lag_max_us), format_duration(p.cluster.session_us), format_duration(p.cluster.heartbeat_us));
  c["producer"] = fmt::format("{:g} records/s of {} B, linger {}, request timeout {}, delivery timeout {}, {} requests in flight, idempotent with acks=all", p.producer.rate, p.record_bytes, format_duration(p.producer.linger_us),
                              format_duration(p.producer.request_timeout_us), format_duration(p.producer.delivery_timeout_us), p.producer.in_flight);
  if (!real)
    c["declared costs"] = fmt::format("network {} one way and up to {} more, a request {}, a record {} us, a broker's start {}", format_duration(p.cluster.network_us), format_duration(p.cluster.jitter_us),
                                      format_duration(p.cluster.request_us), p.cluster.record_us, format_duration(p.cluster.boot_us));
  c["fault"] = plan_text(p);
}

/// All arms on one time grid, the longest one's: what is drawn together must be as long.
void align(LabResult& r) {
  std::vector<Arm*> arms{&r.fault, &r.control};
  for (Arm& a : r.arms) arms.push_back(&a);
  const std::vector<double> grid = (*std::ranges::max_element(arms, {}, [](const Arm* a) { return a->t_s.size(); }))->t_s;
  for (Arm* a : arms) {
    for (slo::Column& c : a->columns) c.values.resize(grid.size(), std::numeric_limits<double>::quiet_NaN());
    a->t_s = grid;
  }
  if (!grid.empty()) r.phases.back().to_s = std::max(r.phases.back().to_s, grid.back());
}

class Evaluation {
 public:
  Evaluation(const ReplicaScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    SUPYO_ASSIGN(const double rate, s_.value(s_.workload.at("rate"), kRate));
    add("rate", rate, "records/s");
    arm_measures(r_.fault, "");
    arm_measures(r_.control, "control_");
    for (const Arm& a : r_.arms) arm_measures(a, a.name + "_");
    SUPYO_TRY(knobs_of_arms());
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void add(std::string name, double value, std::string unit) { add_measure(r_, std::move(name), value, std::move(unit)); }

  static std::string unit_of(std::string_view count) {
    if (count.starts_with("outage")) return "s";
    if (count.starts_with("prompt_share") || count.starts_with("loss_rate")) return "share";
    for (const char* plain : {"errors_", "trials", "lost_trials", "isr_min", "epochs", "clients_lost", "unclean_", "fresh_slope", "fault_seen"})
      if (count.starts_with(plain)) return "";
    return "records";
  }
  void arm_measures(const Arm& a, const std::string& prefix) {
    for (const auto& [name, v] : a.counts) add(prefix + name, v, unit_of(name));
  }

  Status knobs_of_arms() {
    for (const auto& [arm, spec] : s_.arms) {
      for (const auto& [knob, text] : spec.knobs) SUPYO_TRY(add_knob_of_arm(s_, arm, knob, arm_knob_text(s_, text), r_));
    }
    return ok();
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: return offered_rate(r_.fault, "sent", kSettled, r_.fault_phase()->from_s, r_.measure("rate")->value);
      case Guard::kFaultSeen: return fault_seen();
      case Guard::kLedgerBalances: return ledger();
      case Guard::kControlClean: {
        const auto& c = r_.control.counts;
        return {c.at("lost") == 0 && c.at("prompt_share") > 0.99, fmt::format("without a fault {:.0f} records were lost, and {:.2f} % acknowledged within a second", c.at("lost"), c.at("prompt_share") * 100)};
      }
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: {
        for (const Arm* a : arms_of(r_)) if (!a->drained) return {false, fmt::format("the arm {} did not come to rest: replicas in sync, every record with an outcome, and the consumer at the end", a->name)};
        return {true, "at the end of every trial all replicas were in sync, every record had an outcome, and the consumer had read to the end"};
      }
    }
    return {false, "?"};
  }

  /// On real brokers also: in every trial the three counts of what was lost agree.
  Checked ledger() const {
    Checked balanced = ledger_balances(r_);
    if (!balanced.first || !r_.fault.counts.contains("lost_apart")) return balanced;
    for (const Arm* a : arms_of(r_)) {
      const auto& c = a->counts;
      if (c.at("lost_apart_max") != 0)
        return {false, fmt::format("{}: {:.0f} lost by number, {:.0f} by offset, {:.0f} by the brokers' disks", a->name, c.at("lost"), c.at("lost_by_offset"), c.at("lost_on_disk"))};
    }
    return {true, balanced.second + "; in every trial as many are lost by number, by offset and by the brokers' disks"};
  }

  /// By what could be seen from outside: epochs, logs that stood still, processes that were gone.
  Checked fault_seen() const {
    for (const Arm* a : arms_of(r_)) {
      const bool wanted = a->name != "control";
      if (wanted && a->counts.at("fault_seen_min") != 1) return {false, fmt::format("in the arm {} the brokers did not do what the fault orders, or it orders nothing", a->name)};
    }
    return {true, "in every trial stopped brokers stood still, killed ones were gone, and the leader epoch rose where a leader died"};
  }

  const ReplicaScenario& s_;
  LabResult& r_;
};

}  // namespace

void describe_replicated(const Declaration& declared, const RunOptions& options, bool real, LabResult& r) {
  describe_declaration(declared, r);
  r.repeat = options.repeat;
  r.mode = real ? "real" : "embedded";
  r.clock = real ? "real" : "virtual";
  if (!real) r.model = kModelNote;
}

Status evaluate_replica(const ReplicaScenario& scenario, LabResult& result) { return Evaluation(scenario, result).run(); }

Result<LabResult> run_replica_trials(const ReplicaScenario& scenario, const RunOptions& options, bool real, const ReplicaTrialRunner& run_trial) {
  const ReplicaScenario& s = scenario;
  LabResult r;
  SUPYO_ASSIGN(const ReplicaPlan main, plan_of(s, "fault"));
  describe(s, main, options, real, r);
  std::vector<std::string> names{"fault"};
  for (const auto& [name, spec] : s.arms) if (!real || !spec.model_only) names.push_back(name);
  for (const std::string& name : names) {
    SUPYO_ASSIGN(const ReplicaPlan plan, plan_of(s, name));
    if (name != "fault") r.config["arm " + name] = plan_text(plan);
    std::vector<Arm> trials;
    for (int i = 0; i < plan.trials; ++i) {
      SUPYO_ASSIGN(Arm trial, run_trial(plan, i));
      trials.push_back(std::move(trial));
      if (options.progress) options.progress(name, static_cast<double>(i + 1) / plan.trials);
    }
    Arm arm = join_trials(name, std::move(trials));
    if (name == "fault") r.fault = std::move(arm);
    else if (name == "control") r.control = std::move(arm);
    else r.arms.push_back(std::move(arm));
  }
  align(r);
  r.versions = {{"supyo", SUPYO_VERSION}};
  SUPYO_TRY(evaluate_replica(s, r));
  return r;
}

Result<LabResult> run_replica_scenario(const env::Env&, const ReplicaScenario& scenario, const RunOptions& options) {
  return run_replica_trials(scenario, options, false, [&](const ReplicaPlan& plan, int trial) { return run_model_trial(plan, trial, options); });
}

}  // namespace supyo::scenario
