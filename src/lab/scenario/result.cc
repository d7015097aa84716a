#include "lab/scenario/result.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace supyo::scenario {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no infinity and no NaN: "never" and "not known" are null; which of the two, the field says.
Json number(double v) {
  if (!std::isfinite(v)) return nullptr;
  if (v == std::floor(v) && std::abs(v) < 9e15) return static_cast<std::int64_t>(v);
  return std::stod(fmt::format("{:.6g}", v));
}
Json never(double v) { return number(v); }
double read(const Json& j, double otherwise) { return j.is_number() ? j.get<double>() : otherwise; }

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

Json numbers(const std::vector<double>& v) {
  Json out = Json::array();
  for (const double x : v) out.push_back(number(x));
  return out;
}
std::vector<double> read_numbers(const Json& j) {
  std::vector<double> out;
  for (const Json& x : j) out.push_back(read(x, kNaN));
  return out;
}

Json arm_json(const Arm& a) {
  Json j;
  j["name"] = a.name;
  j["counts"] = Json::object();
  for (const auto& [k, v] : a.counts) j["counts"][k] = number(v);
  j["drained"] = a.drained;
  j["judgements"] = Json::array();
  for (const Judgement& g : a.judgements) {
    Json tickets = Json::array();
    for (const auto& t : g.tickets) tickets.push_back({{"rule", t.rule}, {"evidence", t.evidence}, {"next_step", t.next_step}});
    j["judgements"].push_back({{"t_s", number(g.t_s)}, {"state", g.state}, {"reasons", g.reasons}, {"tickets", std::move(tickets)}});
  }
  j["waterfall"] = Json::object();
  for (const auto& [k, w] : a.waterfall) {
    j["waterfall"][k] = {{"records", number(w.records)}, {"source_s", number(w.source_s)}, {"log_s", number(w.log_s)}, {"interval_s", number(w.interval_s)},
                         {"watermark_s", number(w.watermark_s)}, {"epoch_s", number(w.epoch_s)}, {"commit_s", number(w.commit_s)}};
  }
  j["latency"] = Json::object();
  for (const auto& [k, d] : a.latency) j["latency"][k] = {{"upper_s", numbers(d.upper_s)}, {"records", numbers(d.records)}};
  j["timeline"] = Json::array();
  for (const auto& [t, what] : a.timeline) j["timeline"].push_back({{"t_s", number(t)}, {"event", what}});
  j["series"]["t_s"] = numbers(a.t_s);
  j["series"]["columns"] = Json::array();
  for (const slo::Column& c : a.columns) j["series"]["columns"].push_back({{"name", c.name}, {"unit", c.unit}, {"values", numbers(c.values)}});
  return j;
}

Arm read_arm(const Json& j) {
  Arm a;
  a.name = j.at("name");
  for (const auto& [k, v] : j.at("counts").items()) a.counts[k] = read(v, kNaN);
  a.drained = j.at("drained");
  for (const Json& g : j.at("judgements")) {
    Judgement out{read(g.at("t_s"), 0), g.at("state"), g.at("reasons").get<std::vector<std::string>>(), {}};
    for (const Json& t : g.at("tickets")) out.tickets.push_back({t.at("rule"), t.at("evidence"), t.at("next_step")});
    a.judgements.push_back(std::move(out));
  }
  for (const auto& [k, w] : j.at("waterfall").items()) {
    a.waterfall[k] = {read(w.at("records"), 0), read(w.at("source_s"), 0), read(w.at("log_s"), 0), read(w.at("interval_s"), 0), read(w.at("watermark_s"), 0), read(w.at("epoch_s"), 0), read(w.at("commit_s"), 0)};
  }
  for (const auto& [k, d] : j.at("latency").items()) a.latency[k] = {read_numbers(d.at("upper_s")), read_numbers(d.at("records"))};
  for (const Json& e : j.at("timeline")) a.timeline.emplace_back(read(e.at("t_s"), 0), e.at("event"));
  a.t_s = read_numbers(j.at("series").at("t_s"));
  for (const Json& c : j.at("series").at("columns")) {
    a.columns.push_back({c.at("name"), c.at("unit"), read_numbers(c.at("values"))});
    if (a.columns.back().values.size() != a.t_s.size()) throw std::runtime_error("a column is not as long as its times");
  }
  return a;
}

void add_declared_parts(const LabResult& r, Json& j) {
  j["arms"] = Json::array();
  for (const Arm& a : r.arms) j["arms"].push_back(arm_json(a));
  j["tiles"] = Json::array();
  for (const Tile& t : r.tiles) j["tiles"].push_back({{"name", t.name}, {"measure", t.measure}, {"note", t.note}});
  j["plots"] = Json::array();
  for (const Plot& p : r.plots) {
    Json lines = Json::array();
    for (const PlotLine& l : p.lines) lines.push_back({{"series", l.series}, {"label", l.label}, {"arm", l.arm}, {"band", l.band}});
    j["plots"].push_back({{"id", p.id}, {"title", p.title}, {"unit", p.unit}, {"note", p.note}, {"lines", std::move(lines)}});
    if (!p.x.empty()) j["plots"].back().update({{"x", p.x}, {"y", p.y}});
  }
  if (r.kind != "trials" && r.trials.empty()) return;
  j["trials"] = Json::array();
  for (const Trial& t : r.trials) {
    Json values = Json::object();
    for (const auto& [name, value] : t.values) values[name] = number(value);
    j["trials"].push_back({{"arm", t.arm}, {"group", t.group}, {"t_s", number(t.t_s)}, {"values", std::move(values)}});
  }
}

void read_declared_parts(const Json& j, LabResult& r) {
  for (const Json& a : j.at("arms")) r.arms.push_back(read_arm(a));
  for (const Json& t : j.at("tiles")) r.tiles.push_back({t.at("name"), t.at("measure"), t.at("note")});
  for (const Json& p : j.at("plots")) {
    Plot plot{p.at("id"), p.at("title"), p.at("unit"), p.at("note"), {}, {}, {}};
    for (const Json& l : p.at("lines")) plot.lines.push_back({l.at("series"), l.at("label"), l.at("arm"), l.at("band")});
    plot.x = p.value("x", "");
    plot.y = p.value("y", "");
    r.plots.push_back(std::move(plot));
  }
  if (r.kind != "trials" && !j.contains("trials")) return;
  for (const Json& t : j.at("trials")) {
    Trial trial{t.at("arm"), t.at("group"), read(t.at("t_s"), 0), {}};
    for (const auto& [name, value] : t.at("values").items()) trial.values[name] = read(value, kNaN);
    r.trials.push_back(std::move(trial));
  }
}

}  // namespace

double Distribution::quantile(double q) const {
  double total = 0;
  for (const double n : records) total += n;
  if (total <= 0) return kNaN;
  const double rank = std::max(1.0, std::ceil(q * total));
  double seen = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    seen += records[i];
    if (seen >= rank) return upper_s[i];
  }
  return upper_s.back();
}

const slo::Column* Arm::column(std::string_view wanted) const {
  for (const slo::Column& c : columns) if (c.name == wanted) return &c;
  return nullptr;
}

const Measure* LabResult::measure(std::string_view name) const {
  for (const Measure& m : measures) if (m.name == name) return &m;
  return nullptr;
}

const PhaseSpan* LabResult::fault_phase() const {
  for (const PhaseSpan& p : phases) if (p.fault) return &p;
  return nullptr;
}

const Arm* LabResult::arm(std::string_view name) const {
  if (name == fault.name) return &fault;
  if (name == control.name) return &control;
  for (const Arm& a : arms) if (a.name == name) return &a;
  return nullptr;
}

std::string to_json(const LabResult& r) {
  Json j;
  j["kind"] = r.kind;
  j["lab"] = r.lab;
  j["title"] = r.title;
  j["seed"] = r.seed;
  j["mode"] = r.mode;
  if (!r.model.empty()) j["model"] = r.model;
  j["clock"] = r.clock;
  j["window_scale"] = number(r.window_scale);
  j["verdict"] = verdict_name(r.verdict);
  j["expected"] = verdict_name(r.expected);
  j["why"] = r.why;
  j["hypothesis"] = r.hypothesis;
  j["formula"] = r.formula;
  j["measures"] = Json::object();
  for (const Measure& m : r.measures) {
    Json& x = j["measures"][m.name] = {{"value", number(m.value)}, {"unit", m.unit}};
    if (std::isinf(m.value)) x["never"] = true;
    if (m.predicted) x.update({{"predicted", number(*m.predicted)}, {"low", number(*m.low)}, {"high", number(*m.high)}});
  }
  j["guards"] = Json::array();
  for (const GuardResult& g : r.guards) j["guards"].push_back({{"id", g.id}, {"name", g.name}, {"ok", g.ok}, {"why", g.why}});
  j["phases"] = Json::array();
  for (const PhaseSpan& p : r.phases) j["phases"].push_back({{"name", p.name}, {"from_s", number(p.from_s)}, {"to_s", number(p.to_s)}, {"fault", p.fault}});
  j["objectives"] = Json::array();
  for (const ObjectiveInfo& o : r.objectives) {
    j["objectives"].push_back({{"name", o.name}, {"title", o.title}, {"sentence", o.sentence}, {"measure", o.measure}, {"role", o.role}, {"target", o.target}, {"threshold_s", number(o.threshold_s)}, {"window_s", number(o.window_s)}});
  }
  j["timeline"] = Json::array();
  for (const auto& [t, what] : r.fault.timeline) j["timeline"].push_back({{"t_s", number(t)}, {"event", what}});
  j["slo"] = {{"t_spike_s", never(r.t_spike_s)}, {"t_breach_s", never(r.t_breach_s)}, {"t_lag_alarm_s", never(r.t_lag_alarm_s)}, {"t_burrow_s", never(r.t_burrow_s)},
              {"lag_changed", r.lag_changed}, {"blind_s", number(r.blind_s)}, {"raw_threshold", number(r.raw_threshold)}, {"raw_hold_s", number(r.raw_hold_s)}};
  j["versions"] = r.versions;
  j["config"] = r.config;
  j["repeat"] = r.repeat;
  j["scenario"] = r.scenario_text;
  j["control"] = arm_json(r.control);
  j["fault"] = arm_json(r.fault);
  if (r.kind != "pipeline") add_declared_parts(r, j);
  return j.dump();
}

Result<LabResult> result_from_json(std::string_view text) {
  try {
    const Json j = Json::parse(text);
    LabResult r;
    r.lab = j.at("lab");
    r.title = j.at("title");
    r.seed = j.at("seed");
    r.mode = j.at("mode");
    r.clock = j.at("clock");
    r.window_scale = j.at("window_scale");
    const auto verdict = verdict_named(j.at("verdict").get<std::string>()), expected = verdict_named(j.at("expected").get<std::string>());
    if (!verdict || !expected) return fail(ErrorCode::kBadConfigFile, "the result's verdict is not one", "run the lab again");
    r.verdict = *verdict;
    r.expected = *expected;
    r.why = j.at("why");
    r.hypothesis = j.at("hypothesis");
    r.formula = j.at("formula");
    for (const auto& [name, m] : j.at("measures").items()) {
      Measure x{name, read(m.at("value"), m.contains("never") ? kInf : kNaN), m.at("unit"), {}, {}, {}};
      if (m.contains("predicted")) x.predicted = read(m.at("predicted"), kNaN), x.low = read(m.at("low"), kNaN), x.high = read(m.at("high"), kNaN);
      r.measures.push_back(std::move(x));
    }
    for (const Json& g : j.at("guards")) r.guards.push_back({g.at("id"), g.at("name"), g.at("ok"), g.at("why")});
    for (const Json& p : j.at("phases")) r.phases.push_back({p.at("name"), p.at("from_s"), p.at("to_s"), p.at("fault")});
    for (const Json& o : j.at("objectives")) {
      r.objectives.push_back({o.at("name"), o.at("title"), o.at("sentence"), o.at("measure"), o.at("role"), o.at("target"), o.at("threshold_s"), o.at("window_s")});
    }
    const Json& s = j.at("slo");
    r.t_spike_s = read(s.at("t_spike_s"), kInf);
    r.t_breach_s = read(s.at("t_breach_s"), kInf);
    r.t_lag_alarm_s = read(s.at("t_lag_alarm_s"), kInf);
    r.t_burrow_s = read(s.at("t_burrow_s"), kInf);
    r.lag_changed = s.at("lag_changed");
    r.blind_s = read(s.at("blind_s"), 0);
    r.raw_threshold = read(s.at("raw_threshold"), kNaN);
    r.raw_hold_s = read(s.at("raw_hold_s"), 0);
    r.versions = j.at("versions").get<std::map<std::string, std::string>>();
    r.config = j.at("config").get<std::map<std::string, std::string>>();
    r.repeat = j.at("repeat");
    r.scenario_text = j.at("scenario");
    r.fault = read_arm(j.at("fault"));
    r.control = read_arm(j.at("control"));
    r.kind = j.value("kind", "pipeline");
    r.model = j.value("model", "");
    if (r.kind != "pipeline") read_declared_parts(j, r);
    return r;
  } catch (const std::exception& e) {
    return fail(ErrorCode::kBadConfigFile, fmt::format("not a lab's result.json: {}", e.what()), "run the lab again, with --out DIR");
  }
}

}  // namespace supyo::scenario
