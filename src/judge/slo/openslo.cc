#include "judge/slo/openslo.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "judge/slo/feasibility.h"

namespace supyo::slo {
namespace {

constexpr std::string_view kPrefix = "supyo.dev/";

/// Reads one file's documents; every complaint carries the line.
class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  Result<Objectives> read(std::string_view text) {
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(std::string(text));
    } catch (const YAML::ParserException& e) {
      return complain(e.mark, "not YAML: " + e.msg);
    } catch (const YAML::Exception& e) {
      return complain(e.mark, e.what());
    }
    // yaml-cpp throws on wrong access; the accessors below check first, and this is the last line.
    try {
      return read_documents(documents);
    } catch (const YAML::Exception& e) {
      return complain(e.mark, e.what());
    }
  }

 private:
  static SourcePosition position(const YAML::Mark& m) { return {m.line < 0 ? 1 : m.line + 1, m.column < 0 ? 1 : m.column + 1, 1}; }

  std::unexpected<Error> complain(const YAML::Mark& mark, std::string message, std::string hint = {}, ErrorCode code = ErrorCode::kBadConfigFile) const {
    Error e{code, fmt::format("{}: {}", file_, message), std::move(hint)};
    e.position = position(mark);
    return std::unexpected<Error>(std::move(e));
  }
  std::unexpected<Error> complain(const YAML::Node& at, std::string message, std::string hint = {}, ErrorCode code = ErrorCode::kBadConfigFile) const {
    return complain(at.Mark(), std::move(message), std::move(hint), code);
  }

  Status allow(const YAML::Node& map, std::string_view where, std::initializer_list<std::string_view> keys) const {
    if (!map.IsMap()) return complain(map, fmt::format("{} must be a mapping", where));
    for (const auto& entry : map) {
      const auto key = entry.first.as<std::string>();
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        return complain(entry.first, fmt::format("unknown field '{}' in {}", key, where), fmt::format("known fields: {}", fmt::join(keys, ", ")));
      }
    }
    return ok();
  }
  Result<std::string> text(const YAML::Node& map, const char* key, std::string_view where) const {
    const YAML::Node n = map[key];
    if (!n) return complain(map, fmt::format("{} lacks '{}'", where, key));
    if (!n.IsScalar()) return complain(n, fmt::format("'{}' must be a text", key));
    return n.Scalar();
  }
  std::string optional_text(const YAML::Node& map, const char* key) const {
    if (!map || !map.IsMap()) return {};
    const YAML::Node n = map[key];
    return n && n.IsScalar() ? n.Scalar() : std::string();
  }
  Result<double> number(const YAML::Node& n, std::string_view what) const {
    double v = 0;
    if (!n.IsScalar() || !YAML::convert<double>::decode(n, v) || !std::isfinite(v)) return complain(n, fmt::format("'{}' must be a number", what));
    return v;
  }
  Result<DurationUs> duration(const YAML::Node& n) const {
    if (!n.IsScalar()) return complain(n, "a duration is a number and a unit: 10m");
    auto d = parse_duration(n.Scalar());
    if (!d) return complain(n, d.error().message, d.error().hint);
    if (*d <= 0) return complain(n, "a duration must be above zero");
    return *d;
  }

  Result<Objectives> read_documents(const std::vector<YAML::Node>& documents) {
    Objectives out;
    out.file = std::string(file_);
    std::map<std::string, std::vector<BurnAlert>> policies;
    for (const YAML::Node& doc : documents) {
      if (!doc || doc.IsNull()) continue;
      if (!doc.IsMap()) return complain(doc, "an OpenSLO document is a mapping with apiVersion, kind, metadata, spec");
      SUPYO_ASSIGN(const std::string version, text(doc, "apiVersion", "the document"));
      if (version != "openslo/v1") return complain(doc["apiVersion"], fmt::format("apiVersion '{}' is not known", version), "write: apiVersion: openslo/v1");
      SUPYO_ASSIGN(const std::string kind, text(doc, "kind", "the document"));
      if (kind != "AlertPolicy") continue;
      SUPYO_ASSIGN(auto alerts, policy(doc));
      const YAML::Node metadata = doc["metadata"];
      policies[optional_text(metadata, "name")] = std::move(alerts);
    }
    for (const YAML::Node& doc : documents) {
      if (!doc || doc.IsNull()) continue;
      SUPYO_ASSIGN(const std::string kind, text(doc, "kind", "the document"));
      if (kind == "AlertPolicy" || kind == "Service" || kind == "DataSource") continue;
      if (kind != "SLO") return complain(doc["kind"], fmt::format("kind '{}' is not read here", kind), "known kinds: SLO, AlertPolicy, Service, DataSource");
      SUPYO_ASSIGN(Objective o, objective(doc, policies));
      if (out.find(o.name) != nullptr) return complain(doc["metadata"]["name"], fmt::format("objective '{}' is declared twice", o.name));
      out.items.push_back(std::move(o));
    }
    if (out.items.empty()) {
      return fail(ErrorCode::kBadConfigFile, fmt::format("{}: no objective in this file", file_), "add a document with kind: SLO; examples/product/slo.yaml shows three");
    }
    SUPYO_TRY(check_consistent(out));
    return out;
  }

  Result<Objective> objective(const YAML::Node& doc, const std::map<std::string, std::vector<BurnAlert>>& policies) {
    SUPYO_TRY(allow(doc, "the SLO document", {"apiVersion", "kind", "metadata", "spec"}));
    const YAML::Node metadata = doc["metadata"];
    if (!metadata) return complain(doc, "the SLO document lacks 'metadata'");
    SUPYO_TRY(allow(metadata, "metadata", {"name", "displayName", "annotations", "labels"}));
    Objective o;
    o.position = position(doc.Mark());
    SUPYO_ASSIGN(o.name, text(metadata, "name", "metadata"));
    if (o.name.empty() || o.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") != std::string::npos) {
      return complain(metadata["name"], fmt::format("'{}' is not a name", o.name), "use small letters, digits and '-'");
    }
    o.display_name = optional_text(metadata, "displayName");
    const YAML::Node spec = doc["spec"];
    if (!spec) return complain(doc, "the SLO document lacks 'spec'");
    SUPYO_TRY(allow(spec, "spec", {"description", "service", "indicator", "timeWindow", "budgetingMethod", "objectives", "alertPolicies"}));
    o.description = optional_text(spec, "description");
    o.service = optional_text(spec, "service");
    SUPYO_TRY(indicator(spec, o));
    SUPYO_TRY(annotations(metadata, o));
    SUPYO_TRY(window(spec, o));
    SUPYO_TRY(target(spec, o));
    SUPYO_TRY(alerts_of(spec, policies, o));
    return o;
  }

  Status indicator(const YAML::Node& spec, Objective& o) {
    const YAML::Node ind = spec["indicator"];
    if (!ind || !ind.IsMap() || !ind["spec"] || !ind["spec"].IsMap()) return complain(spec, "spec lacks 'indicator' with a 'spec'");
    SUPYO_TRY(allow(ind, "indicator", {"metadata", "spec"}));
    SUPYO_TRY(allow(ind["spec"], "indicator.spec", {"description", "thresholdMetric", "ratioMetric"}));
    YAML::Node metric;
    if (const YAML::Node threshold = ind["spec"]["thresholdMetric"]) metric.reset(threshold);
    if (const YAML::Node ratio = ind["spec"]["ratioMetric"]) {
      SUPYO_TRY(allow(ratio, "ratioMetric", {"counter", "good", "bad", "total"}));
      const char* side = ratio["good"] ? "good" : "bad";
      if (!ratio[side]) return complain(ratio, "ratioMetric needs 'good' or 'bad' beside 'total'");
      metric.reset(ratio[side]);
    }
    if (!metric.IsMap()) return complain(ind, "the indicator needs 'thresholdMetric' or 'ratioMetric'");
    const YAML::Node source = metric["metricSource"];
    if (!source || !source.IsMap()) return complain(metric, "the metric lacks 'metricSource'");
    SUPYO_TRY(allow(source, "metricSource", {"type", "metricSourceRef", "spec"}));
    SUPYO_ASSIGN(const std::string type, text(source, "type", "metricSource"));
    if (type != "supyo") return complain(source["type"], fmt::format("metric source '{}' is not measured by Supyo", type), "write: type: supyo");
    if (!source["spec"] || !source["spec"].IsMap()) return complain(source, "metricSource lacks 'spec' with 'measure'");
    SUPYO_TRY(allow(source["spec"], "metricSource.spec", {"measure"}));
    SUPYO_ASSIGN(const std::string measure, text(source["spec"], "measure", "metricSource.spec"));
    if (measure == "pipeline_delay") {  // end-to-end latency counted from when the record was produced
      o.measure = Measure::kEndToEndLatency;
      o.clock = LatencyClock::kProduce;
      return ok();
    }
    for (const Measure m : {Measure::kEndToEndLatency, Measure::kFreshness, Measure::kProcessingSuccess, Measure::kLateEventRate, Measure::kCompleteness, Measure::kCheckpointDuration}) {
      if (measure != measure_name(m)) continue;
      o.measure = m;
      if (m == Measure::kLateEventRate || m == Measure::kCheckpointDuration) o.role = Role::kAdvising;
      return ok();
    }
    return complain(source["spec"]["measure"], fmt::format("measure '{}' is not known", measure),
                    "known: end_to_end_latency, pipeline_delay, freshness, processing_success, late_event_rate, completeness, checkpoint_duration");
  }

  Status annotations(const YAML::Node& metadata, Objective& o) {
    const YAML::Node notes = metadata["annotations"];
    if (!notes) return ok();
    if (!notes.IsMap()) return complain(notes, "annotations must be a mapping");
    const bool produce_by_measure = o.clock == LatencyClock::kProduce;
    for (const auto& entry : notes) {
      const auto key = entry.first.as<std::string>();
      if (!key.starts_with(kPrefix)) continue;
      const std::string name = key.substr(kPrefix.size());
      const std::string value = entry.second.IsScalar() ? entry.second.Scalar() : "";
      const auto choose = [&](auto& field, auto first, auto second, std::string_view a, std::string_view b) -> Status {
        if (value == a) field = first;
        else if (value == b) field = second;
        else return complain(entry.second, fmt::format("'{}' must be {} or {}, not '{}'", key, a, b, value));
        return ok();
      };
      if (name == "clock") SUPYO_TRY(choose(o.clock, LatencyClock::kEvent, LatencyClock::kProduce, "event", "produce"));
      else if (name == "reference") SUPYO_TRY(choose(o.reference, Reference::kRecord, Reference::kCompletion, "record", "completion"));
      else if (name == "role") SUPYO_TRY(choose(o.role, Role::kDeciding, Role::kAdvising, "deciding", "advising"));
      else return complain(entry.first, fmt::format("unknown annotation '{}'", key), "known: supyo.dev/clock, supyo.dev/reference, supyo.dev/role");
    }
    if (produce_by_measure && o.clock != LatencyClock::kProduce) return complain(notes, "pipeline_delay is counted from the produce time", "write clock: produce, or the measure end_to_end_latency");
    if (o.reference == Reference::kCompletion && o.measure != Measure::kEndToEndLatency) return complain(notes, fmt::format("reference 'completion' means nothing for {}", measure_name(o.measure)));
    if (o.role == Role::kDeciding && (o.measure == Measure::kLateEventRate || o.measure == Measure::kCheckpointDuration)) {
      return complain(notes, fmt::format("{} is not what a reader experiences: it cannot decide", measure_name(o.measure)), "role: advising", ErrorCode::kObjectiveInvalid);
    }
    return ok();
  }

  Status window(const YAML::Node& spec, Objective& o) {
    const YAML::Node windows = spec["timeWindow"];
    if (!windows || !windows.IsSequence() || windows.size() != 1) return complain(spec, "spec needs exactly one 'timeWindow'");
    const YAML::Node w = windows[0];
    SUPYO_TRY(allow(w, "timeWindow", {"duration", "isRolling"}));
    if (!w["duration"]) return complain(w, "timeWindow lacks 'duration'");
    SUPYO_ASSIGN(o.window_us, duration(w["duration"]));
    if (const YAML::Node rolling = w["isRolling"]; rolling && rolling.Scalar() != "true") return complain(rolling, "only rolling windows are judged", "write: isRolling: true");
    if (o.window_us % kSecond != 0) return complain(w["duration"], "a window is whole seconds");
    if (o.window_us > kHour && o.window_us % kMinute != 0) return complain(w["duration"], "a window above an hour is whole minutes");
    if (o.window_us > 30 * kDay) return complain(w["duration"], "a window is at most 30 days");
    return ok();
  }

  Status target(const YAML::Node& spec, Objective& o) {
    if (const YAML::Node method = spec["budgetingMethod"]) {
      const std::string want = o.measure == Measure::kFreshness ? "Timeslices" : "Occurrences";
      if (method.Scalar() != want) return complain(method, fmt::format("{} is budgeted by {}, not '{}'", measure_name(o.measure), want, method.Scalar()));
    }
    const YAML::Node list = spec["objectives"];
    if (!list || !list.IsSequence() || list.size() != 1) return complain(spec, "spec needs exactly one entry in 'objectives'");
    const YAML::Node n = list[0];
    SUPYO_TRY(allow(n, "objectives", {"displayName", "op", "value", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow"}));
    const char* key = n["target"] ? "target" : "targetPercent";
    const YAML::Node share = n[key];
    if (!share) return complain(n, "the objective lacks 'target'");
    SUPYO_ASSIGN(o.target, number(share, "target"));
    if (!n["target"]) o.target /= 100;
    if (!(o.target > 0 && o.target < 1)) {
      return complain(share, "a target lies between 0 and 1 (a budget of nothing can never be met)", "95 % is target: 0.95", ErrorCode::kObjectiveInvalid);
    }
    if (o.has_threshold()) {
      if (!n["value"]) return complain(n, "the objective lacks 'value' (seconds)");
      SUPYO_ASSIGN(const double seconds, number(n["value"], "value"));
      if (seconds <= 0 || seconds > 1e9) return complain(n["value"], "'value' is seconds above zero");
      o.threshold_us = static_cast<DurationUs>(std::llround(seconds * 1e6));
      const std::string op = n["op"] ? n["op"].Scalar() : "lt";
      if (op != "lt") return complain(n["op"], fmt::format("op '{}': good is below the value", op), "write: op: lt");
    } else if (n["value"]) {
      return complain(n["value"], fmt::format("{} has no threshold: only 'target'", measure_name(o.measure)));
    }
    return ok();
  }

  Result<std::vector<BurnAlert>> policy(const YAML::Node& doc) {
    std::vector<BurnAlert> out;
    const YAML::Node spec = doc["spec"];
    if (!spec || !spec.IsMap() || !spec["conditions"] || !spec["conditions"].IsSequence()) return complain(doc, "AlertPolicy needs spec.conditions");
    for (const YAML::Node& c : spec["conditions"]) {
      if (!c.IsMap()) return complain(c, "an alert condition is a mapping");
      const YAML::Node inner = c["spec"];
      if (!inner || !inner.IsMap() || !inner["condition"]) return complain(c, "an alert condition needs spec.condition");
      const YAML::Node b = inner["condition"];
      SUPYO_TRY(allow(b, "condition", {"kind", "op", "threshold", "lookbackWindow", "alertAfter"}));
      if (optional_text(b, "kind") != "burnrate") return complain(b, "only conditions of kind burnrate are judged");
      BurnAlert a;
      a.position = position(b.Mark());
      const YAML::Node own = c["metadata"];
      const YAML::Node outer = doc["metadata"];
      a.name = optional_text(own ? own : outer, "name");
      a.severity = optional_text(inner, "severity");
      if (!b["threshold"] || !b["lookbackWindow"]) return complain(b, "a burn-rate condition needs 'threshold' and 'lookbackWindow'");
      SUPYO_ASSIGN(a.threshold, number(b["threshold"], "threshold"));
      SUPYO_ASSIGN(a.long_window_us, duration(b["lookbackWindow"]));
      a.short_window_us = std::max<DurationUs>(kMinute, a.long_window_us / 12 / kSecond * kSecond);
      if (b["alertAfter"]) { SUPYO_ASSIGN(a.short_window_us, duration(b["alertAfter"])); }
      out.push_back(std::move(a));
    }
    return out;
  }

  Status alerts_of(const YAML::Node& spec, const std::map<std::string, std::vector<BurnAlert>>& policies, Objective& o) {
    const YAML::Node list = spec["alertPolicies"];
    if (!list) return ok();
    if (!list.IsSequence()) return complain(list, "alertPolicies is a list");
    for (const YAML::Node& n : list) {
      if (n.IsMap() && n["kind"] && n["kind"].Scalar() == "AlertPolicy") {
        SUPYO_ASSIGN(auto inline_alerts, policy(n));
        o.alerts.insert(o.alerts.end(), inline_alerts.begin(), inline_alerts.end());
        continue;
      }
      const std::string name = n.IsMap() ? optional_text(n, "alertPolicyRef") : n.Scalar();
      const auto it = policies.find(name);
      if (it == policies.end()) return complain(n, fmt::format("alert policy '{}' is not in this file", name));
      o.alerts.insert(o.alerts.end(), it->second.begin(), it->second.end());
    }
    return ok();
  }

  std::string_view file_;
};

std::string duration_text(DurationUs us) {
  for (const auto& [unit, size] : {std::pair{"d", kDay}, {"h", kHour}, {"m", kMinute}, {"s", kSecond}, {"ms", kMillisecond}}) {
    if (us % size == 0) return fmt::format("{}{}", us / size, unit);
  }
  return fmt::format("{}us", us);
}

std::string quoted(const std::string& s) {
  YAML::Emitter e;
  e << YAML::DoubleQuoted << s;
  return e.c_str();
}

}  // namespace

Result<Objectives> parse_openslo(std::string_view text, std::string_view file) { return Reader(file).read(text); }

std::string print_openslo(const Objectives& objectives) {
  std::string out;
  for (const Objective& o : objectives.items) {
    out += fmt::format("---\napiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: {}\n", o.name);
    if (!o.display_name.empty()) out += fmt::format("  displayName: {}\n", quoted(o.display_name));
    out += fmt::format("  annotations:\n    supyo.dev/clock: {}\n    supyo.dev/reference: {}\n    supyo.dev/role: {}\n", clock_name(o.clock), reference_name(o.reference), role_name(o.role));
    out += "spec:\n";
    if (!o.description.empty()) out += fmt::format("  description: {}\n", quoted(o.description));
    if (!o.service.empty()) out += fmt::format("  service: {}\n", quoted(o.service));
    const bool ratio = o.measure != Measure::kEndToEndLatency && o.measure != Measure::kFreshness && o.measure != Measure::kCheckpointDuration;
    const std::string source = fmt::format("metricSource: {{type: supyo, spec: {{measure: {}}}}}", measure_name(o.measure));
    out += fmt::format("  indicator:\n    metadata: {{name: {}}}\n    spec:\n", o.name);
    out += ratio ? fmt::format("      ratioMetric:\n        good: {{{}}}\n        total: {{{}}}\n", source, source) : fmt::format("      thresholdMetric:\n        {}\n", source);
    out += fmt::format("  timeWindow:\n    - {{duration: {}, isRolling: true}}\n", duration_text(o.window_us));
    out += fmt::format("  budgetingMethod: {}\n", o.measure == Measure::kFreshness ? "Timeslices" : "Occurrences");
    out += "  objectives:\n    - ";
    if (o.has_threshold()) out += fmt::format("op: lt\n      value: {}\n      ", static_cast<double>(o.threshold_us) / 1e6);
    out += fmt::format("target: {}\n", o.target);
    if (o.alerts.empty()) continue;
    out += "  alertPolicies:\n";
    for (const BurnAlert& a : o.alerts) {
      out += fmt::format("    - kind: AlertPolicy\n      metadata: {{name: {0}}}\n      spec:\n        conditions:\n          - kind: AlertCondition\n            metadata: {{name: {0}}}\n"
                         "            spec:\n              severity: {1}\n              condition: {{kind: burnrate, op: gte, threshold: {2}, lookbackWindow: {3}, alertAfter: {4}}}\n",
                         quoted(a.name), quoted(a.severity), a.threshold, duration_text(a.long_window_us), duration_text(a.short_window_us));
    }
  }
  return out;
}

}  // namespace supyo::slo
