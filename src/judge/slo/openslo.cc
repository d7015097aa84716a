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
constexpr std::string_view kKinds[] = {"SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "Service", "DataSource"};

constexpr const char* kNameHint = "use small letters, digits and '-', at most 63";

bool is_name(std::string_view s) { return !s.empty() && s.size() <= 63 && s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string_view::npos; }

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
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const auto key = entry.first.as<std::string>();
      if (!seen.insert(key).second) return complain(entry.first, fmt::format("'{}' is given twice in {}", key, where), "take one of them away");
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

  /// Collects the documents by kind and name, then reads the SLOs, which refer to the others.
  Result<Objectives> read_documents(const std::vector<YAML::Node>& documents) {
    Objectives out;
    out.file = std::string(file_);
    for (const YAML::Node& doc : documents) {
      if (!doc || doc.IsNull()) continue;
      if (!doc.IsMap()) return complain(doc, "an OpenSLO document is a mapping with apiVersion, kind, metadata, spec");
      SUPYO_ASSIGN(const std::string version, text(doc, "apiVersion", "the document"));
      if (version != "openslo/v1") return complain(doc["apiVersion"], fmt::format("apiVersion '{}' is not known", version), "write: apiVersion: openslo/v1");
      SUPYO_ASSIGN(const std::string kind, text(doc, "kind", "the document"));
      if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds))
        return complain(doc["kind"], fmt::format("kind '{}' is not read here", kind), fmt::format("known kinds: {}", fmt::join(kKinds, ", ")));
      SUPYO_TRY(allow(doc, fmt::format("the {} document", kind), {"apiVersion", "kind", "metadata", "spec"}));
      if (kind == "SLO") continue;
      SUPYO_ASSIGN(const std::string name, name_of(doc, kind));
      if (!named_[kind].emplace(name, doc).second) return complain(doc["metadata"]["name"], fmt::format("{} '{}' is declared twice", kind, name));
    }
    for (const auto& [name, doc] : named_["DataSource"]) SUPYO_TRY(data_source(doc));
    for (const auto& [name, doc] : named_["Service"]) {
      const YAML::Node spec = doc["spec"];
      if (spec && !spec.IsNull()) SUPYO_TRY(allow(spec, "the Service's spec", {"description"}));
      SUPYO_ASSIGN(Notes notes, notes_of(doc));
      out.services.push_back({name, optional_text(doc["metadata"], "displayName"), optional_text(spec, "description"), std::move(notes)});
    }
    for (const auto& [name, doc] : named_["AlertNotificationTarget"]) {
      const YAML::Node spec = doc["spec"];
      if (!spec || !spec.IsMap()) return complain(doc, "AlertNotificationTarget lacks 'spec'");
      SUPYO_TRY(allow(spec, "spec", {"target", "description"}));
      SUPYO_ASSIGN(std::string target, text(spec, "target", "spec"));
      out.targets.push_back({name, std::move(target), optional_text(spec, "description")});
    }
    for (const auto& [name, doc] : named_["AlertPolicy"]) SUPYO_TRY(policy(doc));  // one that nothing names is checked too
    for (const YAML::Node& doc : documents) {
      if (!doc || doc.IsNull() || doc["kind"].Scalar() != "SLO") continue;
      SUPYO_ASSIGN(Objective o, objective(doc));
      if (out.find(o.name) != nullptr) return complain(doc["metadata"]["name"], fmt::format("objective '{}' is declared twice", o.name));
      out.items.push_back(std::move(o));
    }
    if (out.items.empty()) {
      return fail(ErrorCode::kBadConfigFile, fmt::format("{}: no objective in this file", file_), "add a document with kind: SLO; examples/product/slo.yaml shows three");
    }
    SUPYO_TRY(check_consistent(out));
    return out;
  }

  Result<std::string> name_of(const YAML::Node& doc, std::string_view kind) const {
    const YAML::Node metadata = doc["metadata"];
    if (!metadata) return complain(doc, fmt::format("the {} document lacks 'metadata'", kind));
    SUPYO_TRY(allow(metadata, "metadata", {"name", "displayName", "annotations", "labels"}));
    return name_in(metadata, kind == "AlertNotificationTarget" || kind == "DataSource");
  }
  /// What others define may be written as they like: OnCallDevops.
  Result<std::string> name_in(const YAML::Node& metadata, bool of_others = false) const {
    SUPYO_ASSIGN(std::string name, text(metadata, "name", "metadata"));
    std::string plain = name;
    if (of_others)
      for (char& c : plain) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!is_name(plain)) return complain(metadata["name"], fmt::format("'{}' is not a name", name), kNameHint);
    return name;
  }

  /// What nobody reads here, for who gets the file back.
  Result<Notes> notes_of(const YAML::Node& doc) const {
    Notes out;
    const YAML::Node metadata = doc["metadata"];
    const auto one_line = [](const YAML::Node& map) {
      YAML::Emitter e;
      e.SetStringFormat(YAML::DoubleQuoted);
      e.SetMapFormat(YAML::Flow);
      e.SetSeqFormat(YAML::Flow);
      e << map;
      std::string text = e.c_str();
      std::ranges::replace(text, '\n', ' ');
      return text;
    };
    if (const YAML::Node labels = metadata["labels"]) {
      if (!labels.IsMap()) return complain(labels, "labels must be a mapping");
      out.labels = one_line(labels);
    }
    if (const YAML::Node all = metadata["annotations"]; all && all.IsMap()) {
      YAML::Node others(YAML::NodeType::Map);
      for (const auto& entry : all)
        if (!entry.first.as<std::string>().starts_with(kPrefix)) others[entry.first.as<std::string>()] = entry.second;
      if (others.size() > 0) out.annotations = one_line(others);
    }
    return out;
  }

  /// The document of `kind` that `at` names, or nothing.
  const YAML::Node* referred(const std::string& kind, const std::string& name) const {
    const auto documents = named_.find(kind);
    if (documents == named_.end()) return nullptr;
    const auto it = documents->second.find(name);
    return it == documents->second.end() ? nullptr : &it->second;
  }

  Status data_source(const YAML::Node& doc) const {
    const YAML::Node spec = doc["spec"];
    if (!spec || !spec.IsMap()) return complain(doc, "DataSource lacks 'spec'");
    SUPYO_TRY(allow(spec, "spec", {"description", "type", "connectionDetails"}));
    SUPYO_ASSIGN(const std::string type, text(spec, "type", "spec"));
    return supyo_type(type, spec["type"]);
  }
  Status supyo_type(const std::string& type, const YAML::Node& at) const {
    if (type == "supyo") return ok();
    return complain(at, fmt::format("metric source '{}' is not measured by Supyo", type), "write: type: supyo");
  }

  Result<Objective> objective(const YAML::Node& doc) {
    Objective o;
    o.position = position(doc.Mark());
    SUPYO_ASSIGN(o.name, name_of(doc, "SLO"));
    const YAML::Node metadata = doc["metadata"];
    o.display_name = optional_text(metadata, "displayName");
    SUPYO_ASSIGN(o.notes, notes_of(doc));
    const YAML::Node spec = doc["spec"];
    if (!spec) return complain(doc, "the SLO document lacks 'spec'");
    SUPYO_TRY(allow(spec, "spec", {"description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies"}));
    o.description = optional_text(spec, "description");
    o.service = optional_text(spec, "service");
    if (!is_name(o.service) && !o.service.empty()) return complain(spec["service"], fmt::format("'{}' is not a name", o.service), kNameHint);
    SUPYO_TRY(indicator(spec, o));
    SUPYO_TRY(annotations(metadata, o));
    SUPYO_TRY(window(spec, o));
    SUPYO_TRY(target(spec, o));
    SUPYO_TRY(alerts_of(spec, o));
    return o;
  }

  /// Supyo counts good, bad and all of one measure together: a share of something else cannot be had.
  Status same_measure(const YAML::Node& part, const YAML::Node& total) const {
    const auto measure = [](const YAML::Node& n) { return n && n.IsMap() && n["metricSource"] && n["metricSource"].IsMap() ? n["metricSource"]["spec"] : YAML::Node(); };
    if (!total) return ok();
    const std::string of = optional_text(measure(part), "measure"), all = optional_text(measure(total), "measure");
    if (of == all) return ok();
    return complain(total, fmt::format("'total' is not of the measure '{}'", of), "write the same measure in both");
  }

  Status indicator(const YAML::Node& spec, Objective& o) {
    YAML::Node ind;
    if (const YAML::Node own = spec["indicator"]) ind.reset(own);
    if (const YAML::Node ref = spec["indicatorRef"]) {
      if (ind.IsMap()) return complain(ref, "spec has both 'indicator' and 'indicatorRef'", "take one of them away");
      const YAML::Node* sli = ref.IsScalar() ? referred("SLI", ref.Scalar()) : nullptr;
      if (sli == nullptr) return complain(ref, fmt::format("SLI '{}' is not in this file", ref.IsScalar() ? ref.Scalar() : ""), "add a document with kind: SLI and this name");
      ind.reset(*sli);
    }
    if (!ind.IsMap() || !ind["spec"] || !ind["spec"].IsMap()) return complain(spec, "spec lacks 'indicator' with a 'spec'");
    SUPYO_TRY(allow(ind, "indicator", {"apiVersion", "kind", "metadata", "spec"}));
    SUPYO_TRY(allow(ind["spec"], "indicator.spec", {"description", "thresholdMetric", "ratioMetric"}));
    YAML::Node metric;
    if (const YAML::Node threshold = ind["spec"]["thresholdMetric"]) metric.reset(threshold);
    if (const YAML::Node ratio = ind["spec"]["ratioMetric"]) {
      SUPYO_TRY(allow(ratio, "ratioMetric", {"counter", "good", "bad", "total"}));
      const char* side = ratio["good"] ? "good" : "bad";
      if (!ratio[side]) return complain(ratio, "ratioMetric needs 'good' or 'bad' beside 'total'");
      if (ratio["good"] && ratio["bad"]) return complain(ratio["bad"], "ratioMetric has both 'good' and 'bad'", "take one of them away: the other is the rest of 'total'");
      SUPYO_TRY(same_measure(ratio[side], ratio["total"]));
      if (metric.IsMap()) return complain(ratio, "the indicator has both 'thresholdMetric' and 'ratioMetric'", "take one of them away");
      metric.reset(ratio[side]);
    }
    if (!metric.IsMap()) return complain(ind, "the indicator needs 'thresholdMetric' or 'ratioMetric'");
    const YAML::Node source = metric["metricSource"];
    if (!source || !source.IsMap()) return complain(metric, "the metric lacks 'metricSource'");
    SUPYO_TRY(allow(source, "metricSource", {"type", "metricSourceRef", "spec"}));
    if (const YAML::Node ref = source["metricSourceRef"]) {
      if (!ref.IsScalar() || referred("DataSource", ref.Scalar()) == nullptr)
        return complain(ref, fmt::format("data source '{}' is not in this file", ref.IsScalar() ? ref.Scalar() : ""), "add a document with kind: DataSource and this name, or write type: supyo");
    } else if (!source["type"]) {
      return complain(source, "metricSource lacks 'type'");
    }
    if (source["type"]) {
      SUPYO_ASSIGN(const std::string type, text(source, "type", "metricSource"));
      SUPYO_TRY(supyo_type(type, source["type"]));
    }
    if (!source["spec"] || !source["spec"].IsMap()) return complain(source, "metricSource lacks 'spec' with 'measure'");
    SUPYO_TRY(allow(source["spec"], "metricSource.spec", {"measure"}));
    SUPYO_ASSIGN(const std::string measure, text(source["spec"], "measure", "metricSource.spec"));
    if (measure == "pipeline_delay") {  // end-to-end latency counted from when the record was produced
      o.measure = Measure::kEndToEndLatency;
      o.clock = LatencyClock::kProduce;
      return ok();
    }
    std::vector<std::string_view> names;
    for (const Measure m : all_measures()) {
      names.push_back(measure_name(m));
      if (measure != measure_name(m)) continue;
      o.measure = m;
      if (!can_decide(m)) o.role = Role::kAdvising;
      return ok();
    }
    return complain(source["spec"]["measure"], fmt::format("measure '{}' is not known", measure), fmt::format("known: {}, pipeline_delay", fmt::join(names, ", ")));
  }

  Status annotations(const YAML::Node& metadata, Objective& o) {
    const YAML::Node notes = metadata["annotations"];
    if (o.measure == Measure::kDuplicateRate && (!notes || !notes.IsMap() || !notes["supyo.dev/identity"])) {
      return complain(metadata, "duplicate_rate lacks 'supyo.dev/identity': which columns of the sink's table tell one event from another", "annotations: {supyo.dev/identity: \"order_id,event_id\"}");
    }
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
      else if (name == "identity") SUPYO_TRY(identity(entry.second, value, o));
      else return complain(entry.first, fmt::format("unknown annotation '{}'", key), "known: supyo.dev/clock, supyo.dev/reference, supyo.dev/role, supyo.dev/identity");
    }
    if (produce_by_measure && o.clock != LatencyClock::kProduce) return complain(notes, "pipeline_delay is counted from the produce time", "write clock: produce, or the measure end_to_end_latency");
    if (o.reference == Reference::kCompletion && o.measure != Measure::kEndToEndLatency && o.measure != Measure::kFreshness) return complain(notes, fmt::format("reference 'completion' means nothing for {}", measure_name(o.measure)));
    if (o.role == Role::kDeciding && !can_decide(o.measure)) {
      return complain(notes, fmt::format("{} is not what a reader experiences: it cannot decide", measure_name(o.measure)), "role: advising", ErrorCode::kObjectiveInvalid);
    }
    return ok();
  }

  Status identity(const YAML::Node& at, const std::string& columns, Objective& o) const {
    if (o.measure != Measure::kDuplicateRate) return complain(at, fmt::format("an identity means nothing for {}", measure_name(o.measure)), "it is duplicate_rate's");
    for (std::size_t from = 0; from <= columns.size();) {
      const std::size_t comma = std::min(columns.find(',', from), columns.size());
      const std::size_t first = columns.find_first_not_of(' ', from), last = columns.find_last_not_of(' ', comma == 0 ? 0 : comma - 1);
      if (first >= comma) return complain(at, fmt::format("'{}' is not a list of columns", columns), "write: supyo.dev/identity: order_id,event_id");
      o.identity.push_back(columns.substr(first, last - first + 1));
      from = comma + 1;
    }
    return ok();
  }

  Status window(const YAML::Node& spec, Objective& o) {
    const YAML::Node windows = spec["timeWindow"];
    if (!windows || !windows.IsSequence() || windows.size() != 1) return complain(spec, "spec needs exactly one 'timeWindow'");
    const YAML::Node w = windows[0];
    SUPYO_TRY(allow(w, "timeWindow", {"duration", "isRolling", "calendar"}));
    if (w["calendar"]) return complain(w["calendar"], "only rolling windows are judged", "take 'calendar' away and write: isRolling: true");
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
    SUPYO_TRY(slices(n, o));
    if (n["target"] && n["targetPercent"]) return complain(n["targetPercent"], "the objective has both 'target' and 'targetPercent'", "take one of them away");
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
      if (op != "lt" && op != "lte") return complain(n["op"], fmt::format("op '{}': of {} less is better, so good is below the value", op, measure_name(o.measure)), "write: op: lt, or lte");
      o.at_most = op == "lte";
    }
    for (const char* part : {"value", "op"})
      if (n[part] && !o.has_threshold()) return complain(n[part], fmt::format("{} has no threshold to compare with: only 'target'", measure_name(o.measure)), fmt::format("take '{}' away", part));
    return ok();
  }

  /// Slices of whole seconds, each of one sample a second.
  Status slices(const YAML::Node& n, Objective& o) const {
    for (const char* slice : {"timeSliceTarget", "timeSliceWindow"})
      if (n[slice] && o.measure != Measure::kFreshness) return complain(n[slice], fmt::format("{} is budgeted by Occurrences: it has no '{}'", measure_name(o.measure), slice));
    if (const YAML::Node length = n["timeSliceWindow"]) {
      SUPYO_ASSIGN(o.slice_us, duration(length));
      if (o.slice_us % kSecond != 0 || kDay % o.slice_us != 0 || o.window_us % o.slice_us != 0) return complain(length, "a time slice is whole seconds, and the window, and a day, are whole slices", "write: timeSliceWindow: 1s, 10s, 1m, 5m ..");
    }
    if (const YAML::Node share = n["timeSliceTarget"]) {
      SUPYO_ASSIGN(o.slice_target, number(share, "timeSliceTarget"));
      if (!(o.slice_target > 0 && o.slice_target <= 1)) return complain(share, "a share of a time slice lies above 0, and 1 at most");
      if (o.slice_us == kSecond && o.slice_target != 1) return complain(share, "a time slice of a second is one sample, good or bad", "write: timeSliceTarget: 1, or a longer timeSliceWindow");
    }
    return ok();
  }

  Result<std::vector<BurnAlert>> policy(const YAML::Node& doc) {
    std::vector<BurnAlert> out;
    SUPYO_TRY(allow(doc, "AlertPolicy", {"apiVersion", "kind", "metadata", "spec"}));
    const YAML::Node spec = doc["spec"];
    if (!spec || !spec.IsMap() || !spec["conditions"] || !spec["conditions"].IsSequence() || spec["conditions"].size() == 0) return complain(doc, "AlertPolicy needs spec.conditions");
    SUPYO_TRY(allow(spec, "AlertPolicy.spec", {"description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions", "notificationTargets"}));
    for (const char* when : {"alertWhenNoData", "alertWhenBreaching"}) {
      if (spec[when] && spec[when].Scalar() == "false") return complain(spec[when], fmt::format("{}: false cannot be had: missing data is never good, and a breach is told", when), "take it away, or write true");
    }
    std::vector<std::string> targets;
    if (const YAML::Node list = spec["notificationTargets"]) {
      if (!list.IsSequence()) return complain(list, "notificationTargets is a list");
      for (const YAML::Node& n : list) {
        const std::string name = n.IsMap() ? optional_text(n, "targetRef") : n.Scalar();
        if (referred("AlertNotificationTarget", name) == nullptr)
          return complain(n, fmt::format("notification target '{}' is not in this file", name), "add a document with kind: AlertNotificationTarget and this name, and write: - targetRef: NAME");
        targets.push_back(name);
      }
    }
    for (const YAML::Node& c : spec["conditions"]) {
      if (!c.IsMap()) return complain(c, "an alert condition is a mapping");
      YAML::Node condition = c;
      if (const YAML::Node ref = c["conditionRef"]) {
        SUPYO_TRY(allow(c, "the condition", {"conditionRef"}));
        const YAML::Node* named = ref.IsScalar() ? referred("AlertCondition", ref.Scalar()) : nullptr;
        if (named == nullptr) return complain(ref, fmt::format("alert condition '{}' is not in this file", ref.IsScalar() ? ref.Scalar() : ""), "add a document with kind: AlertCondition and this name");
        condition.reset(*named);
      }
      SUPYO_ASSIGN(BurnAlert a, alert(condition, doc["metadata"]));
      a.targets = targets;
      a.tells_end = optional_text(spec, "alertWhenResolved") != "false";
      out.push_back(std::move(a));
    }
    return out;
  }

  Result<BurnAlert> alert(const YAML::Node& c, const YAML::Node& policy_metadata) const {
    SUPYO_TRY(allow(c, "the alert condition", {"apiVersion", "kind", "metadata", "spec"}));
    const YAML::Node inner = c["spec"];
    if (!inner || !inner.IsMap() || !inner["condition"]) return complain(c, "an alert condition needs spec.condition");
    SUPYO_TRY(allow(inner, "the alert condition's spec", {"description", "severity", "condition"}));
    const YAML::Node b = inner["condition"];
    SUPYO_TRY(allow(b, "condition", {"kind", "op", "threshold", "lookbackWindow", "alertAfter"}));
    if (optional_text(b, "kind") != "burnrate") return complain(b, "only conditions of kind burnrate are judged");
    if (b["op"] && b["op"].Scalar() != "gte") return complain(b["op"], fmt::format("op '{}': an alert fires at its threshold and above", b["op"].Scalar()), "write: op: gte");
    BurnAlert a;
    a.position = position(b.Mark());
    const YAML::Node own = c["metadata"];
    const YAML::Node names = own ? own : policy_metadata;
    if (!names || !names.IsMap()) return complain(c, "the alert condition has no name", "metadata: {name: burn-fast}");
    SUPYO_ASSIGN(a.name, name_in(names));
    a.severity = optional_text(inner, "severity");
    if (a.severity != "page" && a.severity != "ticket") return complain(inner["severity"] ? inner["severity"] : inner, fmt::format("severity '{}' is not known", a.severity), "write page or ticket");
    if (!b["threshold"] || !b["lookbackWindow"]) return complain(b, "a burn-rate condition needs 'threshold' and 'lookbackWindow'");
    SUPYO_ASSIGN(a.threshold, number(b["threshold"], "threshold"));
    SUPYO_ASSIGN(a.long_window_us, alert_window(b["lookbackWindow"]));
    a.short_window_us = std::max<DurationUs>(kMinute, a.long_window_us / 12 / kMinute * kMinute);
    if (own && own["annotations"]) {
      for (const auto& note : own["annotations"]) {
        const auto key = note.first.as<std::string>();
        if (!key.starts_with(kPrefix)) continue;
        if (key != "supyo.dev/shortWindow") return complain(note.first, fmt::format("unknown annotation '{}'", key), "known here: supyo.dev/shortWindow");
        SUPYO_ASSIGN(a.short_window_us, alert_window(note.second));
      }
    }
    if (const YAML::Node after = b["alertAfter"]; after && after.Scalar() != "0" && after.Scalar() != "0m" && after.Scalar() != "0s") {
      SUPYO_ASSIGN(a.hold_us, duration(after));
    }
    return a;
  }

  Result<DurationUs> alert_window(const YAML::Node& n) const {
    SUPYO_ASSIGN(const DurationUs d, duration(n));
    if (d % kSecond != 0 || (d > kHour && d % kMinute != 0)) return complain(n, "a window is whole seconds, above an hour whole minutes");
    if (d > 30 * kDay) return complain(n, "a window is at most 30 days");
    return d;
  }

  Status alerts_of(const YAML::Node& spec, Objective& o) {
    const YAML::Node list = spec["alertPolicies"];
    if (!list) {
      o.alerts = default_alerts(o);
      return ok();
    }
    if (!list.IsSequence()) return complain(list, "alertPolicies is a list");
    for (const YAML::Node& n : list) {
      YAML::Node doc = n;
      if (!n.IsMap() || n["alertPolicyRef"]) {
        const std::string name = n.IsMap() ? optional_text(n, "alertPolicyRef") : n.IsScalar() ? n.Scalar() : "";
        const YAML::Node* named = referred("AlertPolicy", name);
        if (named == nullptr) return complain(n, fmt::format("alert policy '{}' is not in this file", name), "add a document with kind: AlertPolicy and this name");
        doc.reset(*named);
      }
      SUPYO_ASSIGN(auto alerts, policy(doc));
      for (BurnAlert& a : alerts) {
        if (std::any_of(o.alerts.begin(), o.alerts.end(), [&](const BurnAlert& b) { return a.name == b.name; }))
          return complain(n, fmt::format("{} has two alerts with the name '{}'", o.name, a.name), "give them different names");
        o.alerts.push_back(std::move(a));
      }
    }
    return ok();
  }

  std::string_view file_;
  std::map<std::string, std::map<std::string, YAML::Node>, std::less<>> named_;   ///< by kind and name, all but the SLOs
};

}  // namespace

Result<Objectives> parse_openslo(std::string_view text, std::string_view file) { return Reader(file).read(text); }

}  // namespace supyo::slo
