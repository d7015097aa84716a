#include "lab/scenario/topic/topic_scenario.h"

#include <set>

#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

class TopicReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<TopicScenario> read(std::string_view text, const std::string* base_text, bool real) {
    return parsed(text, base_text, [this, real](const YAML::Node& root) { return real ? really(root, [this](const YAML::Node& all) { return scenario(all); }) : scenario(root); });
  }

 private:
  Result<TopicScenario> scenario(const YAML::Node& root) {
    SUPYO_TRY(allow(root, "a topic scenario",
                    {"lab", "kind", "title", "extends", "expect", "hypothesis", "topic", "workload", "groups", "knobs", "phases", "arms", "derive", "guards", "predict", "verdict", "tiles", "plots", "real"}));
    if (const YAML::Node real = root["real"])
      SUPYO_TRY(allow(real, "real", {"workload", "groups", "knobs", "phases", "arms", "derive", "predict", "verdict", "tiles", "plots"}));
    TopicScenario s;
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(topic(root, s));
    SUPYO_TRY(groups(root, s));
    SUPYO_TRY(phases(root, s));
    SUPYO_TRY(arms(root, s));
    SUPYO_TRY(judgement(root, s));
    SUPYO_TRY(plots(root, s.plots, [&](const std::string& arm) { return arm == "fault" || s.arms.contains(arm); }));
    return s;
  }

  Status topic(const YAML::Node& root, TopicScenario& s) const {
    const YAML::Node t = root["topic"];
    if (!t) return complain(root, "'topic' is missing", "topic: {retention: 10MiB, segment: 1MiB, check: 1s}");
    SUPYO_TRY(allow(t, "topic", {"retention", "segment", "check"}));
    SUPYO_TRY(quantity(t, "retention", kBytes, s.knobs, s.retention));
    SUPYO_TRY(quantity(t, "segment", kBytes, s.knobs, s.segment));
    SUPYO_TRY(quantity(t, "check", kSeconds, s.knobs, s.check));
    return workload(root, s);
  }

  Status groups(const YAML::Node& root, TopicScenario& s) const {
    const YAML::Node list = root["groups"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(root, "'groups' is missing", "groups: [{name: slow, prefetch: 1MiB, commit: 1s, reset: earliest}]");
    std::set<std::string> names;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "a group", {"name", "rate", "prefetch", "fetch", "commit", "reset"}));
      GroupSpec g;
      SUPYO_ASSIGN(g.name, YamlReader::text(n, "name"));
      if (!names.insert(g.name).second) return complain(n, fmt::format("there are two groups '{}'", g.name));
      SUPYO_TRY(quantity(n, "rate", kRate, s.knobs, g.rate, ""));
      SUPYO_TRY(quantity(n, "prefetch", kBytes, s.knobs, g.prefetch, "1MiB"));
      SUPYO_TRY(quantity(n, "fetch", kBytes, s.knobs, g.fetch, "64KiB"));
      SUPYO_TRY(quantity(n, "commit", kSeconds, s.knobs, g.commit, "1s"));
      if (const YAML::Node r = n["reset"]) {
        if (r.Scalar() == "earliest") g.reset = Reset::kEarliest;
        else if (r.Scalar() == "latest") g.reset = Reset::kLatest;
        else if (r.Scalar() == "error") g.reset = Reset::kError;
        else return complain(r, fmt::format("there is no reset '{}'", r.Scalar()), "earliest, latest or error");
      }
      s.groups.push_back(std::move(g));
    }
    return ok();
  }

  Status phases(const YAML::Node& root, TopicScenario& s) const {
    const YAML::Node list = root["phases"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(root, "'phases' is missing");
    std::size_t faults = 0;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "a phase", {"name", "for", "inject"}));
      TopicPhase p;
      SUPYO_ASSIGN(p.name, YamlReader::text(n, "name"));
      if (!n["for"]) return complain(n, "a phase needs 'for'");
      SUPYO_ASSIGN(p.length_us, duration(n["for"]));
      if (p.length_us < kSecond) return complain(n["for"], "a phase lasts a second or more");
      if (const YAML::Node i = n["inject"]) {
        SUPYO_TRY(inject(i, s, p));
        ++faults;
      }
      s.phases.push_back(std::move(p));
    }
    if (faults != 1 || s.phases[0].inject) return complain(list, "one phase, and not the first, injects the fault");
    return ok();
  }

  Status inject(const YAML::Node& n, const TopicScenario& s, TopicPhase& p) const {
    SUPYO_TRY(allow(n, "inject", {"group", "rate", "stop", "delete_past_committed"}));
    TopicFault f;
    SUPYO_ASSIGN(f.group, YamlReader::text(n, "group"));
    if (std::ranges::find(s.groups, f.group, &GroupSpec::name) == s.groups.end()) return complain(n["group"], fmt::format("there is no group '{}'", f.group));
    if (n["stop"]) {
      f.kind = TopicFault::Kind::kStop;
    } else if (n["delete_past_committed"]) {
      f.kind = TopicFault::Kind::kDeleteRecords;
      SUPYO_TRY(quantity(n, "delete_past_committed", kRecords, s.knobs, f.past));
    } else {
      SUPYO_TRY(quantity(n, "rate", kRate, s.knobs, f.rate));
    }
    p.inject = std::move(f);
    return ok();
  }

  Status arms(const YAML::Node& root, TopicScenario& s) const {
    const YAML::Node map = root["arms"];
    if (!map || !map.IsMap() || !map["control"]) return complain(root, "'arms' with 'control' is missing", "arms: {control: {slow_rate: 4000rps}}");
    for (const auto& arm : map) {
      const auto name = arm.first.as<std::string>();
      if (name == "fault") return complain(arm.first, "the arm 'fault' is the file's own knobs");
      SUPYO_TRY(settings_of_knobs(arm.second, s, s.arms[name]));
    }
    return ok();
  }
};

}  // namespace

std::string_view reset_name(Reset r) {
  switch (r) {
    case Reset::kEarliest: return "earliest";
    case Reset::kLatest: return "latest";
    case Reset::kError: return "error";
  }
  return "?";
}

std::size_t TopicScenario::fault_phase() const {
  const auto it = std::ranges::find_if(phases, [](const TopicPhase& p) { return p.inject.has_value(); });
  return static_cast<std::size_t>(it - phases.begin());
}

Result<TopicScenario> parse_topic_scenario(std::string_view text, std::string_view file, const std::string* base, bool real) { return TopicReader(file).read(text, base, real); }

Result<TopicScenario> load_topic_scenario(env::Files& files, const std::string& path, bool real) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_topic_scenario(text.own, path, text.base_or_null(), real);
}

}  // namespace supyo::scenario
