#include "lab/scenario/stream/stream_scenario.h"

#include <cmath>
#include <set>

#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

class StreamScenarioReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<StreamScenario> read(std::string_view text, const std::string* base_text, bool real) {
    return parsed(text, base_text, [this, real](const YAML::Node& root) { return real ? really(root, [this](const YAML::Node& all) { return scenario(all); }) : scenario(root); });
  }

 private:
  Result<StreamScenario> scenario(const YAML::Node& root) {
    SUPYO_TRY(allow(root, "a stream scenario", {"lab", "kind", "title", "extends", "expect", "hypothesis", "pipeline", "objectives", "variables", "settings", "seed", "linger", "inputs", "results", "promise", "capacity",
                                                "lag_alarm", "batches", "replay", "knobs", "phases", "arms", "derive", "guards", "predict", "verdict", "tiles", "plots", "real"}));
    if (const YAML::Node real = root["real"]) SUPYO_TRY(allow(real, "real", {"pipeline", "variables", "settings", "inputs", "results", "batches", "promise", "lag_alarm", "knobs", "phases", "arms", "derive", "predict", "verdict", "tiles", "plots"}));
    StreamScenario s;
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(seed(root, s.seed));
    SUPYO_ASSIGN(s.pipeline, YamlReader::text(root, "pipeline"));
    if (const YAML::Node n = root["objectives"]) s.objectives = n.Scalar();
    if (const YAML::Node n = root["linger"]) { SUPYO_ASSIGN(s.linger_us, duration(n)); }
    if (s.linger_us <= 0) return complain(root["linger"], "linger must be above zero");
    if (root["capacity"]) SUPYO_TRY(quantity(root, "capacity", kRate, s.knobs, s.capacity));
    SUPYO_TRY(texts(root, "variables", s.variables));
    SUPYO_TRY(texts(root, "settings", s.settings));
    for (const auto& [name, value] : s.settings)
      if (value.starts_with("$") && !s.knobs.contains(value.substr(1))) return complain(root["settings"], fmt::format("setting '{}': there is no knob '{}'", name, value.substr(1)));
    SUPYO_TRY(inputs(root, s));
    SUPYO_TRY(results(root, s));
    SUPYO_TRY(batches(root, s));
    if (const YAML::Node n = root["replay"]) s.replay = n.Scalar() == "true";
    SUPYO_TRY(promise(root, s));
    SUPYO_TRY(phases(root, s));
    SUPYO_TRY(arms(root, s));
    SUPYO_TRY(judgement(root, s));
    SUPYO_TRY(plots(root, s.plots, [&](const std::string& arm) { return arm == "fault" || s.arms.contains(arm); }));
    return s;
  }

  Status texts(const YAML::Node& root, const char* section, std::map<std::string, std::string>& into) const {
    const YAML::Node map = root[section];
    if (!map) return ok();
    if (!map.IsMap()) return complain(map, fmt::format("{} must be a mapping", section));
    for (const auto& e : map) into[e.first.as<std::string>()] = e.second.Scalar();
    return ok();
  }

  Result<std::int32_t> whole(const YAML::Node& n, int low, int high) const {
    SUPYO_ASSIGN(const double v, number(n, low, high));
    if (v != std::floor(v)) return complain(n, "a whole number is needed here");
    return static_cast<std::int32_t>(v);
  }

  const StreamInput* input_named(const StreamScenario& s, const std::string& topic) const {
    const auto it = std::ranges::find(s.inputs, topic, &StreamInput::topic);
    return it == s.inputs.end() ? nullptr : &*it;
  }

  Status inputs(const YAML::Node& root, StreamScenario& s) const {
    const YAML::Node list = root["inputs"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(root, "'inputs' is missing", "inputs: [{topic: orders, domain: order, rate: 200rps, partitions: 4}]");
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "an input", {"topic", "domain", "rate", "partitions", "partition_by", "disorder", "duplicates", "late", "keys", "bursts"}));
      StreamInput i;
      SUPYO_ASSIGN(i.topic, YamlReader::text(n, "topic"));
      if (input_named(s, i.topic) != nullptr) return complain(n, fmt::format("there are two inputs '{}'", i.topic));
      SUPYO_ASSIGN(i.domain, YamlReader::text(n, "domain"));
      SUPYO_TRY(quantity(n, "rate", kRate, s.knobs, i.rate));
      SUPYO_TRY(quantity(n, "disorder", kSeconds, s.knobs, i.disorder, "0s"));
      SUPYO_TRY(quantity(n, "duplicates", kNumber, s.knobs, i.duplicates, "0"));
      SUPYO_TRY(quantity(n, "late", kNumber, s.knobs, i.late, "0"));
      SUPYO_TRY(quantity(n, "keys", kNumber, s.knobs, i.keys, "1000"));
      SUPYO_TRY(quantity(n, "bursts", kSeconds, s.knobs, i.bursts, "15m"));
      if (n["partitions"]) { SUPYO_ASSIGN(i.partitions, whole(n["partitions"], 1, 64)); }
      if (n["partition_by"]) i.partition_by = n["partition_by"].Scalar();
      s.inputs.push_back(std::move(i));
    }
    return ok();
  }

  Status results(const YAML::Node& root, StreamScenario& s) const {
    const YAML::Node list = root["results"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(root, "'results' is missing", "results: [{topic: counts, input: orders, window: window_start, size: 1m, value: n}]");
    std::set<std::string> topics;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "a result", {"topic", "input", "id", "window", "value", "size", "key", "isolation", "copies", "versions", "alarms", "marks"}));
      StreamResult r;
      SUPYO_ASSIGN(r.topic, YamlReader::text(n, "topic"));
      if (!topics.insert(r.topic).second) return complain(n, fmt::format("there are two results '{}'", r.topic));
      SUPYO_ASSIGN(r.input, YamlReader::text(n, "input"));
      if (input_named(s, r.input) == nullptr) return complain(n["input"], fmt::format("there is no input '{}'", r.input));
      if (n["id"]) r.id = n["id"].Scalar();
      SUPYO_TRY(oracle(n, s, r));
      if (r.oracle == "alarms") {
        SUPYO_ASSIGN(r.window, YamlReader::text(n, "window"));
        SUPYO_TRY(quantity(n, "size", kSeconds, s.knobs, r.size));
      } else if (n["window"]) {
        r.window = n["window"].Scalar();
        SUPYO_ASSIGN(r.value, YamlReader::text(n, "value"));
        SUPYO_TRY(quantity(n, "size", kSeconds, s.knobs, r.size));
        if (n["key"]) r.key = n["key"].Scalar();
      }
      if (r.id.empty() == r.window.empty()) return complain(n, "a result has either 'id' or 'window'", "id: the column with a change's id; window, size, value: a count by window");
      if (const YAML::Node i = n["isolation"]) {
        if (i.Scalar() != "read_committed" && i.Scalar() != "read_uncommitted") return complain(i, fmt::format("there is no isolation '{}'", i.Scalar()), "read_committed or read_uncommitted");
        r.uncommitted = i.Scalar() == "read_uncommitted";
      }
      s.results.push_back(std::move(r));
    }
    return ok();
  }

  Status oracle(const YAML::Node& n, const StreamScenario& s, StreamResult& r) const {
    if (const YAML::Node c = n["copies"]) {
      r.oracle = "copies";
      SUPYO_TRY(allow(c, "copies", {"horizon", "cleanup", "bloom_bits", "bloom_hashes"}));
      SUPYO_TRY(quantity(c, "horizon", kSeconds, s.knobs, r.horizon));
      SUPYO_TRY(quantity(c, "cleanup", kSeconds, s.knobs, r.cleanup, "0s"));
      SUPYO_TRY(quantity(c, "bloom_bits", kNumber, s.knobs, r.bloom_bits, "0"));
      SUPYO_TRY(quantity(c, "bloom_hashes", kNumber, s.knobs, r.bloom_hashes, "4"));
    }
    if (const YAML::Node v = n["versions"]) {
      r.oracle = "versions";
      SUPYO_TRY(allow(v, "versions", {"table", "key", "version", "settle"}));
      SUPYO_ASSIGN(r.table, YamlReader::text(v, "table"));
      if (input_named(s, r.table) == nullptr) return complain(v["table"], fmt::format("there is no input '{}'", r.table));
      SUPYO_ASSIGN(r.key, YamlReader::text(v, "key"));
      SUPYO_ASSIGN(r.version, YamlReader::text(v, "version"));
      SUPYO_TRY(quantity(v, "settle", kSeconds, s.knobs, r.settle, "0s"));
    }
    if (n["alarms"] && n["alarms"].Scalar() == "true") {
      r.oracle = "alarms";
      if (input_named(s, r.input)->domain != "request") return complain(n["input"], "alarms are about bursts of the domain 'request'");
    }
    if (const YAML::Node m = n["marks"]) {
      r.oracle = "marks";
      SUPYO_TRY(allow(m, "marks", {"column", "final_after"}));
      SUPYO_ASSIGN(r.mark, YamlReader::text(m, "column"));
      SUPYO_TRY(quantity(m, "final_after", kSeconds, s.knobs, r.final_after));
      if (!n["window"]) return complain(n, "'marks' are of windows", "window, size, value, key: as of a count by window");
    }
    if ((r.oracle == "copies" || r.oracle == "versions") && r.id.empty()) return complain(n, fmt::format("'{}' needs an 'id'", r.oracle));
    return ok();
  }

  Status batches(const YAML::Node& root, StreamScenario& s) const {
    for (const YAML::Node& n : root["batches"]) {
      SUPYO_TRY(allow(n, "a batch", {"topic", "input", "pipeline", "every", "start", "rate"}));
      StreamBatch b;
      SUPYO_ASSIGN(b.topic, YamlReader::text(n, "topic"));
      if (std::ranges::find(s.results, b.topic, &StreamResult::topic) == s.results.end()) return complain(n["topic"], fmt::format("there is no result '{}'", b.topic));
      SUPYO_ASSIGN(b.input, YamlReader::text(n, "input"));
      if (input_named(s, b.input) == nullptr) return complain(n["input"], fmt::format("there is no input '{}'", b.input));
      SUPYO_ASSIGN(b.pipeline, YamlReader::text(n, "pipeline"));
      SUPYO_TRY(quantity(n, "every", kSeconds, s.knobs, b.every));
      SUPYO_TRY(quantity(n, "start", kSeconds, s.knobs, b.start, "0s"));
      SUPYO_TRY(quantity(n, "rate", kRate, s.knobs, b.rate));
      s.batches.push_back(std::move(b));
    }
    return ok();
  }

  Status promise(const YAML::Node& root, StreamScenario& s) const {
    if (const YAML::Node n = root["lag_alarm"]) {
      SUPYO_TRY(allow(n, "lag_alarm", {"factor", "hold"}));
      SUPYO_TRY(quantity(n, "factor", kNumber, s.knobs, s.lag_factor, "2"));
      SUPYO_TRY(quantity(n, "hold", kSeconds, s.knobs, s.lag_hold, "60s"));
    }
    const YAML::Node n = root["promise"];
    if (!n) return ok();
    SUPYO_TRY(allow(n, "promise", {"within", "share", "window", "fresh", "complete"}));
    SUPYO_TRY(quantity(n, "within", kSeconds, s.knobs, s.promise.within, ""));
    SUPYO_TRY(quantity(n, "share", kNumber, s.knobs, s.promise.share, "95%"));
    SUPYO_TRY(quantity(n, "window", kSeconds, s.knobs, s.promise.window, "60s"));
    SUPYO_TRY(quantity(n, "fresh", kSeconds, s.knobs, s.promise.fresh, ""));
    SUPYO_TRY(quantity(n, "complete", kNumber, s.knobs, s.promise.complete, ""));
    if (s.promise.within.empty() && s.promise.fresh.empty() && s.promise.complete.empty()) return complain(n, "a promise is 'within', 'fresh' or 'complete'");
    if (!s.promise.complete.empty() && std::ranges::all_of(s.results, [](const StreamResult& r) { return r.window.empty(); })) return complain(n["complete"], "'complete' needs a result with windows");
    if (!s.promise.within.empty() && std::ranges::all_of(s.results, [](const StreamResult& r) { return r.id.empty(); })) return complain(n["within"], "'within' needs a result with ids");
    return ok();
  }

  Status phases(const YAML::Node& root, StreamScenario& s) const {
    const YAML::Node list = root["phases"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(root, "'phases' is missing");
    std::size_t faults = 0;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "a phase", {"name", "for", "inject"}));
      StreamPhase p;
      SUPYO_ASSIGN(p.name, YamlReader::text(n, "name"));
      if (!n["for"]) return complain(n, "a phase needs 'for'");
      SUPYO_ASSIGN(p.length_us, duration(n["for"]));
      if (p.length_us < kSecond || p.length_us % kSecond != 0) return complain(n["for"], "a phase lasts whole seconds");
      if (const YAML::Node i = n["inject"]) {
        if (i.IsSequence()) {
          for (const YAML::Node& one : i) SUPYO_TRY(inject(one, s, p));
        } else {
          SUPYO_TRY(inject(i, s, p));
        }
        ++faults;
        s.fault_at = s.phases.size();
      }
      s.phases.push_back(std::move(p));
    }
    if (faults != 1 || !s.phases[0].faults.empty()) return complain(list, "one phase, and not the first, injects the fault");
    return ok();
  }

  Status inject(const YAML::Node& n, const StreamScenario& s, StreamPhase& p) const {
    SUPYO_TRY(allow(n, "inject", {"topic", "partition", "silence", "share", "delay", "hold", "point", "fail", "kill", "detect", "stop", "repeat", "age", "spread", "span", "rate"}));
    StreamFault f;
    if (n["point"]) {
      f.kind = StreamFault::Kind::kPoint;
      f.point = n["point"].Scalar();
      f.fails = n["fail"] && n["fail"].Scalar() == "true";
      SUPYO_TRY(quantity(n, "delay", kSeconds, s.knobs, f.delay, "0s"));
    } else if (n["kill"]) {
      f.kind = StreamFault::Kind::kKill;
      SUPYO_TRY(quantity(n, "kill", kNumber, s.knobs, f.times));
      SUPYO_TRY(quantity(n, "detect", kSeconds, s.knobs, f.detect));
      SUPYO_TRY(quantity(n, "stop", kSeconds, s.knobs, f.stop, "0s"));
    } else {
      SUPYO_ASSIGN(f.topic, YamlReader::text(n, "topic"));
      const StreamInput* input = input_named(s, f.topic);
      if (input == nullptr) return complain(n["topic"], fmt::format("there is no input '{}'", f.topic));
      if (n["partition"]) { SUPYO_ASSIGN(f.partition, whole(n["partition"], 0, input->partitions - 1)); }
      if (n["silence"]) {
        if (!f.partition) return complain(n, "silence is of one partition", "{topic: orders, partition: 2, silence: true}");
      } else if (n["repeat"]) {
        SUPYO_TRY(repeat(n, s, f));
      } else if (n["rate"]) {
        f.kind = StreamFault::Kind::kRate;
        SUPYO_TRY(quantity(n, "rate", kRate, s.knobs, f.rate));
      } else if (n["delay"] || n["hold"]) {
        f.kind = StreamFault::Kind::kDelay;
        SUPYO_TRY(quantity(n, "share", kNumber, s.knobs, f.share, "1"));
        SUPYO_TRY(quantity(n, "delay", kSeconds, s.knobs, f.delay, ""));
      } else {
        return complain(n, "what happens to the topic is missing", "silence, delay, hold, repeat or rate");
      }
    }
    p.faults.push_back(std::move(f));
    return ok();
  }

  Status repeat(const YAML::Node& n, const StreamScenario& s, StreamFault& f) const {
    f.kind = StreamFault::Kind::kRepeat;
    SUPYO_TRY(quantity(n, "repeat", kNumber, s.knobs, f.share));
    SUPYO_TRY(quantity(n, "age", kSeconds, s.knobs, f.delay));
    SUPYO_TRY(quantity(n, "span", kSeconds, s.knobs, f.span, "1s"));
    const YAML::Node spread = n["spread"];
    if (!spread || spread.Scalar() == "constant") return ok();
    if (spread.Scalar() != "uniform" && spread.Scalar() != "exponential") return complain(spread, fmt::format("there is no spread '{}'", spread.Scalar()), "constant, uniform or exponential");
    f.spread = spread.Scalar() == "uniform" ? StreamFault::Spread::kUniform : StreamFault::Spread::kExponential;
    return ok();
  }

  Status arms(const YAML::Node& root, StreamScenario& s) const {
    const YAML::Node map = root["arms"];
    if (!map || !map.IsMap() || !map["control"]) return complain(root, "'arms' with 'control' is missing", "arms: {control: {}}");
    for (const auto& arm : map) {
      const auto name = arm.first.as<std::string>();
      if (name == "fault") return complain(arm.first, "the arm 'fault' is the file's own knobs");
      StreamScenario::ArmSpec& spec = s.arms[name];
      spec.inject = name != "control";
      YAML::Node knobs(YAML::NodeType::Map);
      for (const auto& e : arm.second) {
        const auto key = e.first.as<std::string>();
        if (key == "inject" && e.second.Scalar() == "off") spec.inject = false;
        else if (s.variables.contains(key)) spec.variables[key] = e.second.Scalar();
        else knobs[e.first] = e.second;
      }
      SUPYO_TRY(settings_of_knobs(knobs, s, spec.knobs));
    }
    return ok();
  }
};

}  // namespace

std::string_view stream_fault_name(StreamFault::Kind kind) {
  switch (kind) {
    case StreamFault::Kind::kSilence: return "silence";
    case StreamFault::Kind::kDelay: return "delay";
    case StreamFault::Kind::kPoint: return "fault point";
    case StreamFault::Kind::kKill: return "kill";
    case StreamFault::Kind::kRepeat: return "repeat";
    case StreamFault::Kind::kRate: return "rate";
  }
  return "?";
}

Result<StreamScenario> StreamScenario::arm(const std::string& name) const {
  StreamScenario s = *this;
  const auto it = arms.find(name);
  if (it == arms.end()) return s;
  for (const auto& [knob, value] : it->second.knobs) SUPYO_TRY(set_knob(s, fmt::format("{}={}", knob, value)));
  for (const auto& [variable, value] : it->second.variables) s.variables[variable] = value;
  if (!it->second.inject) s.phases[s.fault_phase()].faults.clear();
  return s;
}

std::map<std::string, std::string> StreamScenario::sql_variables() const {
  std::map<std::string, std::string> v = variables;
  for (const auto& [name, knob] : knobs) {
    v.emplace(name, knob.text);
    if (knob.value.unit == kSeconds) v.emplace(name + "_s", fmt::format("{:g}", knob.value.value));
  }
  return v;
}

Result<StreamScenario> parse_stream_scenario(std::string_view text, std::string_view file, const std::string* base, bool real) { return StreamScenarioReader(file).read(text, base, real); }

Result<StreamScenario> load_stream_scenario(env::Files& files, const std::string& path, bool real) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_stream_scenario(text.own, path, text.base_or_null(), real);
}

}  // namespace supyo::scenario
