#include "lab/scenario/replica/replica_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "lab/scenario/replica/replica_trial.h"

namespace supyo::scenario {
namespace {

std::string plan_text(const ReplicaPlan& p) {
  std::string steps;
  for (const auto& s : p.steps) {
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", format_duration(s.at_us), step_name(s.kind));
    for (const auto w : s.who) steps += fmt::format(" {}", who_name(w));
  }
  const char* acks = p.producer.acks == Acks::kAll ? "all" : p.producer.acks == Acks::kLeader ? "1" : "0";
  return fmt::format("acks {}, min ISR {}, unclean election {}, {} {}; {}", acks, p.cluster.min_isr, p.cluster.unclean ? "on" : "off", p.trials, p.trials == 1 ? "trial" : "trials", steps.empty() ? "no fault" : steps);
}

void describe(const ReplicaScenario& s, const ReplicaPlan& p, const RunOptions& options, bool real, LabResult& r) {
  r.kind = "replica";
  r.mode = real ? "real" : "embedded";
  r.clock = real ? "real" : "virtual";
  if (!real) r.model = kModelNote;
  r.lab = s.lab;
  r.title = s.title;
  r.hypothesis = s.hypothesis;
  r.seed = s.seed;
  r.expected = s.expect;
  r.repeat = options.repeat;
  r.plots = s.plots;
  r.tiles = s.tiles;
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
  for (const auto& [name, k] : s.knobs) c["knob " + name] = k.text;
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
    r_.measures.clear();
    r_.guards.clear();
    for (const auto& [name, k] : s_.knobs) add(name, k.value.value, unit_name(k.value.unit));
    SUPYO_ASSIGN(const double rate, s_.value(s_.workload.at("rate"), kRate));
    add("rate", rate, "records/s");
    arm_measures(r_.fault, "");
    arm_measures(r_.control, "control_");
    for (const Arm& a : r_.arms) arm_measures(a, a.name + "_");
    SUPYO_TRY(knobs_of_arms());
    for (const auto& [name, formula] : s_.derive) {
      const auto q = formula.evaluate(lookup());
      if (!q && r_.mode == "real") continue;   // of an arm that only the model has
      if (!q) return fail(q.error());
      add(name, q->value, q->unit == kNumber ? "" : unit_name(q->unit));
    }
    SUPYO_TRY(predictions());
    for (const Guard g : s_.guards) {
      auto [holds, why] = check(g);
      r_.guards.push_back({std::string(guard_id(g)), std::string(guard_name(g)), holds, std::move(why)});
    }
    return verdict();
  }

 private:
  void add(std::string name, double value, std::string unit) {
    if (r_.measure(name) == nullptr) r_.measures.push_back({std::move(name), value, std::move(unit), {}, {}, {}});
  }
  Expression::Lookup lookup() const {
    return [this](std::string_view name) -> std::optional<Quantity> {
      if (const Measure* m = r_.measure(name)) return Quantity{m->value, unit_named(m->unit), false};
      return knob_word(name);
    };
  }
  std::vector<const Arm*> all() const {
    std::vector<const Arm*> out{&r_.fault, &r_.control};
    for (const Arm& a : r_.arms) out.push_back(&a);
    return out;
  }

  static std::string unit_of(std::string_view count) {
    if (count.starts_with("outage")) return "s";
    if (count.starts_with("prompt_share") || count.starts_with("loss_rate")) return "share";
    for (const char* plain : {"errors_", "trials", "lost_trials", "isr_min", "epochs", "unclean_", "fresh_slope", "fault_seen"})
      if (count.starts_with(plain)) return "";
    return "records";
  }
  void arm_measures(const Arm& a, const std::string& prefix) {
    for (const auto& [name, v] : a.counts) add(prefix + name, v, unit_of(name));
  }

  Status knobs_of_arms() {
    for (const auto& [arm, spec] : s_.arms) {
      for (const auto& [knob, text] : spec.knobs) {
        ReplicaScenario changed = s_;
        SUPYO_TRY(set_knob(changed, fmt::format("{}={}", knob, arm_knob_text(s_, text))));
        const Quantity& q = changed.knobs.find(knob)->second.value;
        add(fmt::format("{}_{}", arm, knob), q.value, unit_name(q.unit));
      }
    }
    return ok();
  }

  Status predictions() {
    for (const Prediction& p : s_.predict) {
      SUPYO_ASSIGN(const Quantity q, p.formula.evaluate(lookup()));
      const auto it = std::ranges::find(r_.measures, p.measure, &Measure::name);
      if (it == r_.measures.end()) return fail(ErrorCode::kBadConfigFile, fmt::format("{} predicts '{}', which nothing measures", s_.file, p.measure));
      if (!(unit_named(it->unit) == q.unit) && q.value != 0)
        return fail(ErrorCode::kBadConfigFile, fmt::format("{} predicts '{}' in {}, it is measured in {}", s_.file, p.measure, unit_name(q.unit), unit_name(unit_named(it->unit))));
      it->predicted = q.value;
      it->low = q.value - std::abs(q.value) * p.within;
      it->high = q.value + std::abs(q.value) * p.within;
    }
    return ok();
  }

  std::pair<bool, std::string> check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: return offered_rate();
      case Guard::kFaultSeen: return fault_seen();
      case Guard::kLedgerBalances: {
        double sent = 0;
        for (const Arm* a : all()) {
          const auto& c = a->counts;
          sent += c.at("sent");
          if (c.at("acked") + c.at("unknown") + c.at("failed") != c.at("sent"))
            return {false, fmt::format("{}: {:.0f} acked, {:.0f} unknown, {:.0f} failed, {:.0f} sent", a->name, c.at("acked"), c.at("unknown"), c.at("failed"), c.at("sent"))};
        }
        return {true, fmt::format("{:.0f} sent = acknowledged + failed + unknown, in every arm", sent)};
      }
      case Guard::kControlClean: {
        const auto& c = r_.control.counts;
        return {c.at("lost") == 0 && c.at("prompt_share") > 0.99, fmt::format("without a fault {:.0f} records were lost, and {:.2f} % acknowledged within a second", c.at("lost"), c.at("prompt_share") * 100)};
      }
      case Guard::kRecorded: return {!r_.versions.empty() && !r_.config.empty(), "versions, settings and seed are in the result"};
      case Guard::kDrained: {
        for (const Arm* a : all()) if (!a->drained) return {false, fmt::format("the arm {} did not come to rest: replicas in sync, every record with an outcome, and the consumer at the end", a->name)};
        return {true, "at the end of every trial all replicas were in sync, every record had an outcome, and the consumer had read to the end"};
      }
    }
    return {false, "?"};
  }

  std::pair<bool, std::string> offered_rate() const {
    const slo::Column* sent = r_.fault.column("sent");
    const auto& t = r_.fault.t_s;
    const double to = r_.fault_phase()->from_s;
    std::size_t first = 0, last = 0;
    for (std::size_t i = 0; i < t.size() && t[i] <= to; ++i) {
      if (t[i] <= 1) first = i;
      last = i;
    }
    if (sent == nullptr || last <= first) return {false, "there is no time before the fault"};
    const double rate = (sent->values[last] - sent->values[first]) / (t[last] - t[first]), wanted = r_.measure("rate")->value;
    return {std::abs(rate / wanted - 1) <= 0.02, fmt::format("{:.0f} records/s offered before the fault, {:.0f} declared", rate, wanted)};
  }

  /// By what could be seen from outside: epochs, logs that stood still, processes that were gone.
  std::pair<bool, std::string> fault_seen() const {
    for (const Arm* a : all()) {
      const bool wanted = a->name != "control";
      if (wanted && a->counts.at("fault_seen_min") != 1) return {false, fmt::format("in the arm {} the brokers did not do what the fault orders, or it orders nothing", a->name)};
    }
    return {true, "in every trial stopped brokers stood still, killed ones were gone, and the leader epoch rose where a leader died"};
  }

  Status verdict() {
    r_.formula = s_.verdict->text();
    SUPYO_ASSIGN(const bool holds, s_.verdict->decide(lookup()));
    for (const GuardResult& g : r_.guards) {
      if (g.ok) continue;
      r_.verdict = Verdict::kInvalid;
      r_.why = fmt::format("{} {}: {}", g.id, g.name, g.why);
      return ok();
    }
    for (const Measure& m : r_.measures) {
      if (!m.predicted || (m.value >= *m.low && m.value <= *m.high)) continue;
      r_.verdict = Verdict::kRefuted;
      r_.why = fmt::format("{} is {:.4g}, predicted {:.4g} to {:.4g} {}", m.name, m.value, *m.low, *m.high, m.unit);
      return ok();
    }
    r_.verdict = holds ? Verdict::kConfirmed : Verdict::kRefuted;
    r_.why = holds ? "the formula and every prediction hold" : "the formula does not hold";
    return ok();
  }

  const ReplicaScenario& s_;
  LabResult& r_;
};

}  // namespace

Status evaluate_replica(const ReplicaScenario& scenario, LabResult& result) { return Evaluation(scenario, result).run(); }

Result<LabResult> run_replica_trials(const ReplicaScenario& scenario, const RunOptions& options, bool real, const ReplicaTrialRunner& run_trial) {
  ReplicaScenario s = scenario;
  if (real)
    for (const auto& [knob, text] : s.real) SUPYO_TRY(set_knob(s, fmt::format("{}={}", knob, text)));
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
