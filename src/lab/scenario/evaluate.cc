#include "lab/scenario/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "judge/slo/lag_rules.h"
#include "lab/scenario/reckoning.h"

namespace supyo::scenario {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Span {
  double from = 0, to = 0;
};

/// Largest value of a column over (from, to]; NaN when nothing was recorded there.
double max_over(const Arm& arm, std::string_view name, Span s) {
  const slo::Column* c = arm.column(name);
  double most = kNaN;
  if (c == nullptr) return most;
  for (std::size_t i = 0; i < arm.t_s.size(); ++i) {
    const double v = c->values[i];
    if (arm.t_s[i] > s.from && arm.t_s[i] <= s.to && !std::isnan(v) && !(v <= most)) most = v;
  }
  return most;
}

double mean_over(const Arm& arm, std::string_view name, Span s) {
  const slo::Column* c = arm.column(name);
  double sum = 0, n = 0;
  if (c == nullptr) return kNaN;
  for (std::size_t i = 0; i < arm.t_s.size(); ++i) {
    if (arm.t_s[i] > s.from && arm.t_s[i] <= s.to && !std::isnan(c->values[i])) sum += c->values[i], n += 1;
  }
  return n == 0 ? kNaN : sum / n;
}

/// The first sample after `from` at which the condition holds; infinity when none.
template <class F>
double first_time(const Arm& arm, double from, F holds) {
  for (std::size_t i = 0; i < arm.t_s.size(); ++i) if (arm.t_s[i] > from && holds(i)) return arm.t_s[i];
  return kInf;
}

/// How long a row that was given to the log at `t` waits for the table, seen by a reader from outside: the age of the newest readable row count.
double reader_delay(const Arm& arm, Span s) {
  const slo::Column* offered = arm.column("offered");
  const slo::Column* rows = arm.column("table_rows");
  double sum = 0, n = 0;
  if (offered == nullptr || rows == nullptr) return kNaN;
  std::size_t k = 0;
  for (std::size_t i = 0; i < arm.t_s.size(); ++i) {
    if (std::isnan(rows->values[i])) continue;
    while (k < i && offered->values[k] < rows->values[i]) ++k;
    if (arm.t_s[i] <= s.from || arm.t_s[i] > s.to) continue;
    double reached = arm.t_s[k];  // between two samples the offered count grows evenly
    if (k > 0 && offered->values[k] > offered->values[k - 1]) {
      reached -= (offered->values[k] - rows->values[i]) / (offered->values[k] - offered->values[k - 1]) * (arm.t_s[k] - arm.t_s[k - 1]);
    }
    sum += arm.t_s[i] - reached;
    n += 1;
  }
  return n == 0 ? kNaN : sum / n;
}

class Evaluation {
 public:
  Evaluation(const Scenario& scenario, LabResult& result) : s_(scenario), r_(result) {}

  Status run() {
    spans();
    r_.measures.clear();
    r_.guards.clear();
    knobs();
    SUPYO_TRY(alarms());
    counts();
    latencies();
    SUPYO_TRY(apply_predictions(s_.predict, s_.file, r_));
    SUPYO_TRY(guards());
    return verdict();
  }

 private:
  void add(std::string name, double value, std::string unit) { r_.measures.push_back({std::move(name), value, std::move(unit), {}, {}, {}}); }

  void spans() {
    const PhaseSpan* f = r_.fault_phase();
    fault_ = {f->from_s, f->to_s};
    baseline_ = {std::min(60.0 * r_.window_scale, fault_.from / 2), fault_.from};
  }

  void knobs() {
    add("tps", s_.workload.tps, "records/s");
    for (const auto& [name, k] : s_.knobs) add(name, k.value.value, k.value.unit == kSeconds ? "s" : "");
    add("t0", fault_.from, "s");
    add("t1", fault_.to, "s");
    add("window_scale", r_.window_scale, "");
  }

  Status alarms() {
    const Arm& a = r_.fault;
    add("baseline_lag_max", max_over(a, "lag_committed", baseline_), "records");
    add("lag_committed_max", max_over(a, "lag_committed", fault_), "records");
    add("baseline_lag_fetched_max", max_over(a, "lag_fetched", baseline_), "records");
    add("lag_fetched_max", max_over(a, "lag_fetched", fault_), "records");
    double breach = kInf, spike = kInf;
    for (const ObjectiveInfo& o : r_.objectives) {
      if (o.role != "deciding") continue;
      const slo::Column* broken = a.column("breached:" + o.name);
      const double t = broken == nullptr ? kInf : first_time(a, fault_.from, [&](std::size_t i) { return broken->values[i] == 1; });
      breach = std::min(breach, t);
      const slo::Column* now = a.column("now_bad_share:" + o.name);
      if (o.measure == "end_to_end_latency" && now != nullptr) {
        spike = std::min(spike, first_time(a, fault_.from, [&](std::size_t i) { return now->values[i] > 1 - o.target; }));
      }
    }
    SUPYO_ASSIGN(const Quantity threshold, s_.raw_rule.threshold.evaluate(lookup_in(r_)));
    r_.raw_threshold = threshold.value;
    r_.raw_hold_s = static_cast<double>(s_.raw_rule.hold_us) / 1e6 * r_.window_scale;
    if (a.column(s_.raw_rule.series) == nullptr) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: the lag rule reads '{}', which nothing records", s_.file, s_.raw_rule.series));
    const std::vector<bool> raw = raw_alarm_strip(r_);
    const double lag = first_time(a, fault_.from, [&](std::size_t i) { return bool{raw[i]}; });
    const slo::Column* burrow = a.column("burrow");
    const double burrow_at = burrow == nullptr ? kInf : first_time(a, fault_.from, [&](std::size_t i) { return burrow->values[i] > 0; });
    add("t_spike", spike, "s");
    add("t_slo", breach, "s");
    add("t_lag", lag, "s");
    add("t_burrow", burrow_at, "s");
    add("detect", breach - fault_.from, "s");
    // Until lag alarms too, or to the end of the fault when it never does.
    const double blind = breach == kInf ? 0 : std::max(0.0, std::min(lag, std::max(fault_.to, breach)) - breach);
    add("blind", blind, "s");
    r_.t_spike_s = spike;
    r_.t_breach_s = breach;
    r_.t_lag_alarm_s = lag;
    r_.t_burrow_s = burrow_at;
    r_.blind_s = blind;
    const double before = value("baseline_lag_max"), during = value("lag_committed_max");
    // A saw-tooth is sampled once a second: a tenth is noise.
    r_.lag_changed = during > 1.1 * before || value("lag_fetched_max") > 1.1 * value("baseline_lag_fetched_max") + 0.1 * s_.workload.tps;
    return ok();
  }

  double value(std::string_view name) const {
    const Measure* m = r_.measure(name);
    return m == nullptr ? kNaN : m->value;
  }

  void counts() {
    for (const char* name : {"sent", "acked", "failed", "unknown", "applied", "late", "dead"}) {
      const auto it = r_.fault.counts.find(name);
      add(name, it == r_.fault.counts.end() ? kNaN : it->second, "records");
    }
    add("lost", lost(r_.fault), "records");
    add("duplicates", duplicates(r_.fault), "records");
    add("control_lost", lost(r_.control), "records");
  }

  static double count(const Arm& arm, const char* name) {
    const auto it = arm.counts.find(name);
    return it == arm.counts.end() ? kNaN : it->second;
  }
  /// Acked ids that are neither in the table nor among the late and the dead.
  static double lost(const Arm& arm) { return count(arm, "acked_ids") - count(arm, "distinct") - count(arm, "late") - count(arm, "dead"); }
  static double duplicates(const Arm& arm) { return count(arm, "applied") - count(arm, "distinct"); }

  void latencies() {
    const auto quantile = [&](const Arm& arm, double q, const char* phase) {
      const auto it = arm.latency.find(phase);
      return it == arm.latency.end() ? kNaN : it->second.quantile(q);
    };
    const std::string fault = r_.fault_phase()->name;
    add("e2e_p50", quantile(r_.fault, 0.50, fault.c_str()), "s");
    add("e2e_p95", quantile(r_.fault, 0.95, fault.c_str()), "s");
    add("e2e_p99", quantile(r_.fault, 0.99, fault.c_str()), "s");
    add("baseline_e2e_p95", quantile(r_.fault, 0.95, r_.phases.front().name.c_str()), "s");
    add("control_e2e_p50", quantile(r_.control, 0.50, fault.c_str()), "s");
    add("control_e2e_p95", quantile(r_.control, 0.95, fault.c_str()), "s");
    add("control_e2e_p99", quantile(r_.control, 0.99, fault.c_str()), "s");
    add("epoch_duration", mean_over(r_.fault, "epoch_duration", fault_), "s");
    add("control_epoch_duration", mean_over(r_.control, "epoch_duration", fault_), "s");
    add("commit_delay_measured", mean_over(r_.fault, "commit_delay", {fault_.from + 30 * r_.window_scale, fault_.to}), "s");
    add("freshness_max", max_over(r_.fault, "freshness", fault_), "s");
    add("commit_age_max", max_over(r_.fault, "commit_age", fault_), "s");
  }

  Status guards() {
    for (const Guard g : s_.guards) {
      GuardResult out{std::string(guard_id(g)), std::string(guard_name(g)), false, ""};
      switch (g) {
        case Guard::kOfferedRate: offered_rate(out); break;
        case Guard::kFaultSeen: SUPYO_TRY(fault_seen(out)); break;
        case Guard::kLedgerBalances: ledger(out); break;
        case Guard::kControlClean: control_clean(out); break;
        case Guard::kRecorded:
          out.ok = !r_.versions.empty() && !r_.config.empty();
          out.why = fmt::format("{} versions and {} settings recorded, seed {}", r_.versions.size(), r_.config.size(), r_.seed);
          break;
        case Guard::kDrained:
          out.ok = r_.fault.drained && r_.control.drained && count(r_.fault, "unfinished") == 0 && count(r_.control, "unfinished") == 0;
          out.why = fmt::format("unfinished at the end: {:.0f}, control {:.0f}", count(r_.fault, "unfinished"), count(r_.control, "unfinished"));
          break;
      }
      r_.guards.push_back(std::move(out));
    }
    return ok();
  }

  void offered_rate(GuardResult& out) {
    const slo::Column* offered = r_.fault.column("offered");
    const double look = std::min(60 * std::max(r_.window_scale, 1.0 / 6), fault_.from / 2);
    double first = kNaN, last = kNaN, from = 0, to = 0;
    for (std::size_t i = 0; offered != nullptr && i < r_.fault.t_s.size(); ++i) {
      const double t = r_.fault.t_s[i];
      if (t < fault_.from - look || t > fault_.from) continue;
      if (std::isnan(first)) first = offered->values[i], from = t;
      last = offered->values[i], to = t;
    }
    const double rate = (last - first) / (to - from);
    out.ok = std::abs(rate - s_.workload.tps) <= 0.02 * s_.workload.tps;
    out.why = fmt::format("{:.1f} records/s offered in the {:.0f} s before the fault, {:g} wanted", rate, to - from, s_.workload.tps);
  }

  Status fault_seen(GuardResult& out) {
    const Phase& phase = s_.phases[s_.fault_phase()];
    SUPYO_ASSIGN(const Quantity wanted, s_.knob_value(phase.inject->delay));
    const double settle = std::min(60 * r_.window_scale, (fault_.to - fault_.from) / 4);
    const double before = reader_delay(r_.fault, baseline_);
    const double during = reader_delay(r_.fault, {fault_.from + settle, fault_.to});
    out.ok = wanted.value > 0 && during - before >= 0.5 * wanted.value;
    out.why = fmt::format("a reader of the table waits {:.2f} s more for a row than before the fault ({:.2f} s against {:.2f} s); {:g} s were injected", during - before, during, before, wanted.value);
    return ok();
  }

  void ledger(GuardResult& out) {
    out.ok = true;
    for (const Arm* arm : {&r_.fault, &r_.control}) {
      const double sent = count(*arm, "sent"), sum = count(*arm, "acked") + count(*arm, "unknown") + count(*arm, "failed");
      if (sent == sum && sent > 0) continue;
      out.ok = false;
      out.why += fmt::format("{}: {:.0f} sent, but {:.0f} acked, unknown or failed; ", arm->name, sent, sum);
    }
    if (out.ok) out.why = fmt::format("{:.0f} sent = acked + unknown + failed, in both arms", count(r_.fault, "sent"));
  }

  void control_clean(GuardResult& out) {
    const Arm& c = r_.control;
    double broken = 0;
    for (const ObjectiveInfo& o : r_.objectives) {
      const slo::Column* b = c.column("breached:" + o.name);
      if (o.role == "deciding" && b != nullptr) broken += static_cast<double>(std::count(b->values.begin(), b->values.end(), 1.0));
    }
    out.ok = broken == 0 && lost(c) == 0;
    out.why = fmt::format("control arm: {:.0f} samples with a broken objective, {:.0f} records lost", broken, lost(c));
  }

  Status verdict() {
    SUPYO_ASSIGN(const bool holds, s_.verdict->decide(lookup_in(r_)));
    r_.formula = s_.verdict->text();
    std::string failed;
    for (const GuardResult& g : r_.guards) if (!g.ok) failed += fmt::format("{}{} {}: {}", failed.empty() ? "" : "; ", g.id, g.name, g.why);
    std::string off;
    for (const Measure& m : r_.measures) {
      if (m.predicted && !(m.value >= *m.low && m.value <= *m.high)) {
        off += fmt::format("{}{} is {:.2f} s, predicted {:.2f} s", off.empty() ? "" : "; ", m.name, m.value, *m.predicted);
      }
    }
    if (!failed.empty()) {
      r_.verdict = Verdict::kInvalid;
      r_.why = failed;
    } else if (!holds) {
      r_.verdict = Verdict::kRefuted;
      r_.why = fmt::format("the formula does not hold: objective broken {}, lag alarm {}, committed lag at most {:.0f} records against {:.0f} in the baseline", when(r_.t_breach_s),
                           when(r_.t_lag_alarm_s), value("lag_committed_max"), value("baseline_lag_max"));
    } else if (!off.empty()) {
      r_.verdict = Verdict::kRefuted;
      r_.why = "a prediction does not hold: " + off;
    } else {
      r_.verdict = Verdict::kConfirmed;
      r_.why = fmt::format("objective broken {}, lag alarm {}: lag was blind for {}; committed lag at most {:.0f} records, {:.0f} in the baseline", when(r_.t_breach_s), when(r_.t_lag_alarm_s),
                           length(r_.blind_s), value("lag_committed_max"), value("baseline_lag_max"));
    }
    return ok();
  }
  static std::string length(double s) { return s < 120 ? fmt::format("{:.0f} s", s) : fmt::format("{:.0f} min {:.0f} s", std::floor(s / 60), s - 60 * std::floor(s / 60)); }
  std::string when(double t) const { return std::isinf(t) ? "never" : fmt::format("{} s after the fault began", std::llround(t - fault_.from)); }

  const Scenario& s_;
  LabResult& r_;
  Span fault_, baseline_;
};

}  // namespace

std::vector<bool> raw_alarm_strip(const LabResult& r) {
  std::vector<TimeUs> t;
  for (const double s : r.fault.t_s) t.push_back(static_cast<TimeUs>(std::llround(s * 1e6)));
  const slo::Column* lag = r.fault.column("lag_committed");
  if (lag == nullptr) return std::vector<bool>(t.size(), false);
  return slo::evaluate_raw({r.raw_threshold, static_cast<DurationUs>(std::llround(r.raw_hold_s * 1e6))}, t, lag->values);
}

Status evaluate(const Scenario& scenario, LabResult& result) {
  if (result.fault_phase() == nullptr || result.fault.t_s.empty() || !scenario.verdict) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: nothing was recorded that could be judged", scenario.file));
  return Evaluation(scenario, result).run();
}

}  // namespace supyo::scenario
