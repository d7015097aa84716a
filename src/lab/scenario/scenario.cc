#include "lab/scenario/scenario.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "lab/scenario/flink_bench.h"
#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

/// Reads one scenario's YAML; complaints carry the line.
class Reader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<OnFlink> on_flink(std::string_view text, const std::string* base_text) {
    return parsed(text, base_text, [this](const YAML::Node& root) -> Result<OnFlink> {
      if (root["real"] && root["real"]["flink"]) return flink(root["real"]["flink"]);
      return fail(ErrorCode::kUnsupported, fmt::format("{} says nothing of a run on a real cluster", file()), "--on embedded runs it on Supyo's own engine and log");
    });
  }

  Result<Scenario> read(std::string_view text, const std::string* base_text) {
    return parsed(text, base_text, [this](const YAML::Node& root) { return scenario(root); });
  }

 private:
  Result<OnFlink> flink(const YAML::Node& node) {
    SUPYO_TRY(allow(node, "flink", {"pipeline", "window_scale"}));
    OnFlink out;
    SUPYO_ASSIGN(out.pipeline, text(node, "pipeline"));
    if (node["window_scale"]) { SUPYO_ASSIGN(out.scale, number(node["window_scale"], 1e-3, 1)); }
    return out;
  }

  Result<Scenario> scenario(const YAML::Node& root) {
    if (!root || !root.IsMap()) return complain(YAML::Mark(), "a scenario is a mapping that starts with 'lab: NAME'");
    SUPYO_TRY(allow(root, "a scenario", {"lab", "title", "extends", "expect", "hypothesis", "pipeline", "objectives", "result", "workload", "knobs", "settings", "lag_rules", "phases", "control", "guards",
                                         "predict", "verdict", "plots", "real"}));
    Scenario s;
    s.file = std::string(file());
    SUPYO_ASSIGN(s.lab, text(root, "lab"));
    SUPYO_ASSIGN(s.hypothesis, text(root, "hypothesis"));
    SUPYO_ASSIGN(s.pipeline, text(root, "pipeline"));
    SUPYO_ASSIGN(s.objectives, text(root, "objectives"));
    const YAML::Node result = root["result"];
    if (!result) return complain(root, "'result' is missing", "result: {table: lake.shop.product_changes, id: event_id}");
    SUPYO_TRY(allow(result, "result", {"table", "id"}));
    SUPYO_ASSIGN(s.result_table, text(result, "table"));
    SUPYO_ASSIGN(s.result_id, text(result, "id"));
    if (const YAML::Node n = root["title"]) s.title = n.Scalar();
    SUPYO_TRY(expected(root, s.expect));
    SUPYO_TRY(knobs(root, s.knobs));
    SUPYO_TRY(workload(root, s));
    SUPYO_TRY(settings(root, s));
    SUPYO_TRY(phases(root, s));
    SUPYO_TRY(lag_rules(root, s));
    SUPYO_TRY(guards(root, s));
    SUPYO_TRY(formulas(root, s.predict, s.verdict));
    if (const YAML::Node n = root["plots"]) for (const YAML::Node& p : n) s.plots.push_back(p.Scalar());
    if (const YAML::Node n = root["real"]) {
      SUPYO_TRY(allow(n, "real", {"window_scale", "flink"}));
      if (n["window_scale"]) { SUPYO_ASSIGN(s.real_scale, number(n["window_scale"], 1e-3, 1)); }
      if (n["flink"]) { SUPYO_TRY(flink(n["flink"])); }
    }
    return s;
  }

  Status workload(const YAML::Node& root, Scenario& s) {
    const YAML::Node w = root["workload"];
    if (!w) return complain(root, "'workload' is missing");
    SUPYO_TRY(allow(w, "workload", {"domain", "tps", "seed", "duplicates", "disorder", "late", "resend", "keys", "linger"}));
    SUPYO_ASSIGN(s.domain, text(w, "domain"));
    if (w["tps"]) { SUPYO_ASSIGN(s.workload.tps, number(w["tps"], 1e-3, 1e7)); }
    if (w["seed"]) { SUPYO_ASSIGN(const double seed, number(w["seed"], 0, 9e15)); s.workload.seed = static_cast<std::uint64_t>(seed); }
    if (w["duplicates"]) { SUPYO_ASSIGN(s.workload.duplicates, number(w["duplicates"], 0, 1)); }
    if (w["late"]) { SUPYO_ASSIGN(s.workload.late, number(w["late"], 0, 1)); }
    if (w["disorder"]) { SUPYO_ASSIGN(s.workload.disorder_us, duration(w["disorder"])); }
    if (w["keys"]) { SUPYO_ASSIGN(const double keys, number(w["keys"], 1, 999'999)); s.workload.keys = static_cast<std::uint32_t>(keys); }
    if (w["linger"]) { SUPYO_ASSIGN(s.linger_us, duration(w["linger"])); }
    if (s.linger_us <= 0) return complain(w, "linger must be above zero");
    if (w["resend"]) s.workload.resend = w["resend"].Scalar() == "true";
    return ok();
  }

  Status settings(const YAML::Node& root, Scenario& s) {
    const YAML::Node n = root["settings"];
    if (!n) return ok();
    if (!n.IsMap()) return complain(n, "settings must be a mapping");
    for (const auto& e : n) {
      const std::string value = e.second.Scalar();
      if (value.starts_with("$") && s.knobs.find(value.substr(1)) == s.knobs.end()) return complain(e.second, fmt::format("there is no knob '{}'", value.substr(1)));
      s.settings[e.first.as<std::string>()] = value;
    }
    return ok();
  }

  Status phases(const YAML::Node& root, Scenario& s) {
    const YAML::Node list = root["phases"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(list ? list.Mark() : root.Mark(), "'phases' is missing");
    std::size_t faults = 0;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "a phase", {"name", "for", "inject"}));
      Phase p;
      SUPYO_ASSIGN(p.name, text(n, "name"));
      if (!n["for"]) return complain(n, "a phase needs 'for'");
      SUPYO_ASSIGN(p.length_us, duration(n["for"]));
      if (p.length_us < kSecond) return complain(n["for"], "a phase lasts a second or more");
      if (const YAML::Node i = n["inject"]) {
        SUPYO_TRY(allow(i, "inject", {"point", "delay"}));
        Injection inject;
        SUPYO_ASSIGN(inject.point, text(i, "point"));
        SUPYO_ASSIGN(inject.delay, text(i, "delay"));
        if (inject.delay.starts_with("$")) inject.delay.erase(0, 1);
        auto q = s.knob_value(inject.delay);
        if (!q || !(q->unit == kSeconds || q->value == 0)) return complain(i["delay"], fmt::format("'{}' is not a duration", inject.delay), "write a duration, or $knob");
        p.inject = std::move(inject);
        ++faults;
      }
      s.phases.push_back(std::move(p));
    }
    if (faults != 1 || s.phases[0].inject) return complain(list, "one phase, and not the first, injects the fault");
    return ok();
  }

  Status lag_rules(const YAML::Node& root, Scenario& s) {
    const YAML::Node n = root["lag_rules"];
    if (!n || !n.IsMap() || !n["raw"]) return complain(root, "'lag_rules' with 'raw' is missing");
    SUPYO_TRY(allow(n, "lag_rules", {"raw", "burrow"}));
    const std::string rule = n["raw"].Scalar();
    const auto greater = rule.find('>');
    const auto hold = rule.rfind(" for ");
    if (greater == std::string::npos || hold == std::string::npos || hold < greater) return complain(n["raw"], "a lag rule reads: SERIES > EXPRESSION for DURATION");
    s.raw_rule.series = rule.substr(0, greater);
    while (!s.raw_rule.series.empty() && s.raw_rule.series.back() == ' ') s.raw_rule.series.pop_back();
    SUPYO_ASSIGN(s.raw_rule.threshold, formula(n["raw"], std::string_view(rule).substr(greater + 1, hold - greater - 1)));
    auto d = parse_duration(rule.substr(hold + 5));
    if (!d) return complain(n["raw"], d.error().message, d.error().hint);
    s.raw_rule.hold_us = *d;
    return ok();
  }

  Status guards(const YAML::Node& root, Scenario& s) {
    if (const YAML::Node c = root["control"]) {
      if (!c.IsMap()) return complain(c, "control must be a mapping of knobs");
      for (const auto& e : c) {
        const auto name = e.first.as<std::string>();
        if (s.knobs.find(name) == s.knobs.end()) return complain(e.first, fmt::format("there is no knob '{}'", name));
        s.control[name] = e.second.Scalar();
      }
    }
    return guard_list(root, s.guards);
  }
};

}  // namespace

std::string_view verdict_name(Verdict v) {
  switch (v) {
    case Verdict::kConfirmed: return "CONFIRMED";
    case Verdict::kRefuted: return "REFUTED";
    case Verdict::kInvalid: return "INVALID";
  }
  return "?";
}

std::optional<Verdict> verdict_named(std::string_view name) {
  for (const Verdict v : {Verdict::kConfirmed, Verdict::kRefuted, Verdict::kInvalid}) if (name == verdict_name(v)) return v;
  return std::nullopt;
}

std::string_view guard_name(Guard g) {
  switch (g) {
    case Guard::kOfferedRate: return "offered_rate_within_2_percent";
    case Guard::kFaultSeen: return "fault_seen_by_probe";
    case Guard::kLedgerBalances: return "ledger_balances";
    case Guard::kControlClean: return "control_clean";
    case Guard::kRecorded: return "versions_recorded";
    case Guard::kDrained: return "drained";
  }
  return "?";
}

std::string_view guard_id(Guard g) {
  static constexpr std::string_view kIds[] = {"G1", "G2", "G3", "G4", "G5", "G6"};
  return kIds[static_cast<std::size_t>(g)];
}

std::size_t Scenario::fault_phase() const {
  const auto it = std::find_if(phases.begin(), phases.end(), [](const Phase& p) { return p.inject.has_value(); });
  return static_cast<std::size_t>(it - phases.begin());
}

Result<Quantity> Scenario::knob_value(std::string_view expression) const {
  SUPYO_ASSIGN(const Expression e, Expression::parse(expression));
  return e.evaluate([&](std::string_view name) -> std::optional<Quantity> {
    if (name == "tps") return Quantity{workload.tps, kRate, false};
    const auto it = knobs.find(name);
    return it == knobs.end() ? std::nullopt : std::optional(it->second.value);
  });
}

Result<Scenario> parse_scenario(std::string_view text, std::string_view file, const std::string* base_text) { return Reader(file).read(text, base_text); }

Result<ScenarioText> read_scenario_text(env::Files& files, const std::string& path) {
  auto own = files.read_all(path);
  if (!own && own.error().code == ErrorCode::kNotFoundOnDisk)
    return fail(ErrorCode::kFileNotFound, fmt::format("there is no scenario {}", path), "supyo lab list shows those there are");
  if (!own) return fail(std::move(own.error()));
  ScenarioText text{.own = std::move(*own)};
  std::string extends;
  try {
    const YAML::Node root = YAML::Load(text.own);
    if (root.IsMap() && root["extends"]) extends = root["extends"].Scalar();
  } catch (const YAML::Exception&) {
    // Reading the scenario says what is wrong, and where.
  }
  if (extends.empty()) return text;
  SUPYO_ASSIGN(text.base, files.read_all(env::join_path(env::parent_path(path), extends)));
  return text;
}

Result<Scenario> load_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_scenario(text.own, path, text.base_or_null());
}

Result<OnFlink> load_on_flink(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return Reader(path).on_flink(text.own, text.base_or_null());
}

Status set_knob(Scenario& scenario, std::string_view assignment) { return set_knob(scenario.knobs, scenario.lab, assignment); }

Status set_knob(std::map<std::string, Knob, std::less<>>& knobs, std::string_view lab, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not knob=value", assignment), "--set commit_delay=2s");
  const auto name = assignment.substr(0, equals);
  const auto it = knobs.find(name);
  if (it == knobs.end()) {
    std::vector<std::string> names;
    for (const auto& [k, v] : knobs) names.push_back(k);
    return fail(ErrorCode::kUnknownOption, fmt::format("{} has no knob '{}'", lab, name), fmt::format("knobs: {}", fmt::join(names, ", ")));
  }
  const auto bad = [&] { return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is no value for the knob {}", assignment.substr(equals + 1), name), fmt::format("for example {}", it->second.text)); };
  const auto e = Expression::parse(assignment.substr(equals + 1));
  if (!e) return bad();
  const auto q = e->evaluate(knob_word);
  const auto any_unit = [](double v) { return v == 0 || std::isinf(v); };
  if (!q || q->truth || !(q->unit == it->second.value.unit || any_unit(q->value) || any_unit(it->second.value.value)) || q->value < 0) return bad();
  if (!any_unit(q->value)) it->second.value.unit = q->unit;
  it->second.value.value = q->value;
  it->second.text = std::string(assignment.substr(equals + 1));
  return ok();
}

std::optional<Quantity> knob_word(std::string_view word) {
  if (word == "all") return Quantity{std::numeric_limits<double>::infinity(), {}, false};
  if (word == "on") return Quantity{1, {}, false};
  if (word == "off") return Quantity{0, {}, false};
  return std::nullopt;
}

Result<double> value_over(const std::map<std::string, Knob, std::less<>>& knobs, std::string_view expression, Unit unit) {
  SUPYO_ASSIGN(const Expression e, Expression::parse(expression));
  SUPYO_ASSIGN(const Quantity q, e.evaluate([&](std::string_view name) -> std::optional<Quantity> {
    const auto it = knobs.find(name);
    return it == knobs.end() ? knob_word(name) : std::optional(it->second.value);
  }));
  if (!(q.unit == unit) && q.value != 0 && !std::isinf(q.value))
    return fail(ErrorCode::kBadConfigFile, fmt::format("{} is in {}, it must be in {}", expression, unit_name(q.unit), unit_name(unit)));
  return q.value;
}

std::string scenario_kind(env::Files& files, const std::string& path) {
  const auto kind = [](const std::string& text) -> std::string {
    try {
      const YAML::Node root = YAML::Load(text);
      return root.IsMap() && root["kind"] ? root["kind"].Scalar() : "";
    } catch (const YAML::Exception&) {
      return "";
    }
  };
  const auto text = read_scenario_text(files, path);
  if (!text) return "";
  if (std::string own = kind(text->own); !own.empty()) return own;
  return text->base ? kind(*text->base) : "";
}

Result<std::vector<std::string>> list_scenarios(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const std::vector<std::string> names, files.list(directory));
  std::vector<std::string> out;
  for (const std::string& n : names) if (n.ends_with(".yaml")) out.push_back(n.substr(0, n.size() - 5));
  return out;
}

}  // namespace supyo::scenario
