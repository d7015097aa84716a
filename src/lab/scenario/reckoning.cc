#include "lab/scenario/reckoning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace supyo::scenario {

Expression::Lookup lookup_in(const LabResult& result) {
  return [&result](std::string_view name) -> std::optional<Quantity> {
    const Measure* m = result.measure(name);
    return m == nullptr ? knob_word(name) : std::optional(Quantity{m->value, unit_named(m->unit), false});
  };
}

void add_measure(LabResult& result, std::string name, double value, std::string unit) {
  if (result.measure(name) == nullptr) result.measures.push_back({std::move(name), value, std::move(unit), {}, {}, {}});
}

void begin_reckoning(const Declaration& declared, LabResult& result) {
  result.measures.clear();
  result.guards.clear();
  for (const auto& [name, k] : declared.knobs) add_measure(result, name, k.value.value, unit_name(k.value.unit));
}

Status add_knob_of_arm(const Declaration& declared, const std::string& arm, const std::string& knob, const std::string& text, LabResult& result) {
  auto knobs = declared.knobs;
  SUPYO_TRY(set_knob(knobs, declared.lab, fmt::format("{}={}", knob, text)));
  const Quantity& q = knobs.find(knob)->second.value;
  add_measure(result, fmt::format("{}_{}", arm, knob), q.value, unit_name(q.unit));
  return ok();
}

Status apply_predictions(const std::vector<Prediction>& predict, std::string_view file, LabResult& result) {
  for (const Prediction& p : predict) {
    SUPYO_ASSIGN(const Quantity q, p.formula.evaluate(lookup_in(result)));
    const auto it = std::ranges::find(result.measures, p.measure, &Measure::name);
    if (it == result.measures.end()) return fail(ErrorCode::kBadConfigFile, fmt::format("{} predicts '{}', which nothing measures", file, p.measure));
    if (!(unit_named(it->unit) == q.unit) && q.value != 0)
      return fail(ErrorCode::kBadConfigFile, fmt::format("{} predicts '{}' in {}, it is measured in {}", file, p.measure, unit_name(q.unit), it->unit));
    it->predicted = q.value;
    it->low = q.value - std::abs(q.value) * p.within;
    it->high = q.value + std::abs(q.value) * p.within;
  }
  return ok();
}

namespace {

Status decide_verdict(const Expression& formula, LabResult& result) {
  result.formula = formula.text();
  SUPYO_ASSIGN(const bool holds, formula.decide(lookup_in(result)));
  for (const GuardResult& g : result.guards) {
    if (g.ok) continue;
    result.verdict = Verdict::kInvalid;
    result.why = fmt::format("{} {}: {}", g.id, g.name, g.why);
    return ok();
  }
  for (const Measure& m : result.measures) {
    if (!m.predicted || (m.value >= *m.low && m.value <= *m.high)) continue;
    result.verdict = Verdict::kRefuted;
    result.why = fmt::format("{} is {}, predicted {:.4g} to {:.4g} {}", m.name, std::isfinite(m.value) ? fmt::format("{:.4g}", m.value) : std::isnan(m.value) ? "not measured" : "never", *m.low, *m.high, m.unit);
    return ok();
  }
  result.verdict = holds ? Verdict::kConfirmed : Verdict::kRefuted;
  result.why = holds ? "the formula and every prediction hold" : "the formula does not hold";
  return ok();
}

}  // namespace

Status judge(const Declaration& declared, LabResult& result, const std::function<Checked(Guard)>& check) {
  for (const auto& [name, formula] : declared.derive) {
    SUPYO_ASSIGN(const Quantity q, formula.evaluate(lookup_in(result)));
    add_measure(result, name, q.value, q.unit == kNumber ? "" : unit_name(q.unit));
  }
  SUPYO_TRY(apply_predictions(declared.predict, declared.file, result));
  for (const Guard g : declared.guards) {
    auto [holds, why] = check(g);
    result.guards.push_back({std::string(guard_id(g)), std::string(guard_name(g)), holds, std::move(why)});
  }
  return decide_verdict(*declared.verdict, result);
}

std::vector<const Arm*> arms_of(const LabResult& result) {
  std::vector<const Arm*> out{&result.fault, &result.control};
  for (const Arm& a : result.arms) out.push_back(&a);
  return out;
}

double value_at(const Arm& arm, std::string_view column, double t_s) {
  constexpr double kSameSample = 1e-9;
  const slo::Column* c = arm.column(column);
  double v = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; c != nullptr && i < arm.t_s.size() && arm.t_s[i] <= t_s + kSameSample; ++i) v = c->values[i];
  return v;
}

Checked offered_rate(const Arm& arm, std::string_view column, double from_s, double to_s, double declared) {
  const slo::Column* sent = arm.column(column);
  const auto first = std::ranges::lower_bound(arm.t_s, from_s), end = std::ranges::upper_bound(arm.t_s, to_s);
  if (sent == nullptr || end - first < 2) return {false, "there is no time before the fault"};
  const auto a = static_cast<std::size_t>(first - arm.t_s.begin()), b = static_cast<std::size_t>(end - arm.t_s.begin()) - 1;
  const double rate = (sent->values[b] - sent->values[a]) / (arm.t_s[b] - arm.t_s[a]);
  return {std::abs(rate / declared - 1) <= 0.02, fmt::format("{:.0f} records/s offered before the fault, {:.0f} declared", rate, declared)};
}

Checked ledger_balances(const LabResult& result) {
  double sent = 0;
  for (const Arm* a : arms_of(result)) {
    const auto& c = a->counts;
    sent += c.at("sent");
    if (c.at("acked") + c.at("unknown") + c.at("failed") != c.at("sent"))
      return {false, fmt::format("{}: {:.0f} acked, {:.0f} unknown, {:.0f} failed, {:.0f} sent", a->name, c.at("acked"), c.at("unknown"), c.at("failed"), c.at("sent"))};
  }
  return {true, fmt::format("{:.0f} sent = acknowledged + failed + unknown, in every arm", sent)};
}

Checked recorded(const LabResult& result) { return {!result.versions.empty() && !result.config.empty(), "versions, settings and seed are in the result"}; }

}  // namespace supyo::scenario
