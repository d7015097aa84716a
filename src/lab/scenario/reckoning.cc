#include "lab/scenario/reckoning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace supyo::scenario {

Expression::Lookup lookup_in(const LabResult& result) {
  return [&result](std::string_view name) -> std::optional<Quantity> {
    const Measure* m = result.measure(name);
    return m == nullptr ? std::nullopt : std::optional(Quantity{m->value, unit_named(m->unit), false});
  };
}

void add_measure(LabResult& result, std::string name, double value, std::string unit) {
  if (result.measure(name) == nullptr) result.measures.push_back({std::move(name), value, std::move(unit), {}, {}, {}});
}

Status add_derived(const std::vector<std::pair<std::string, Expression>>& derive, LabResult& result) {
  for (const auto& [name, formula] : derive) {
    SUPYO_ASSIGN(const Quantity q, formula.evaluate(lookup_in(result)));
    add_measure(result, name, q.value, q.unit == kNumber ? "" : unit_name(q.unit));
  }
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

}  // namespace supyo::scenario
