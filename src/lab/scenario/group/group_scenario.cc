#include "lab/scenario/group/group_scenario.h"

#include <set>

#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

class GroupReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<GroupScenario> read(std::string_view text, const std::string* base_text) const {
    return parsed(text, base_text, [this](const YAML::Node& root) -> Result<GroupScenario> {
      GroupScenario s;
      SUPYO_TRY(scenario(root, s));
      return s;
    });
  }

 private:
  Status scenario(const YAML::Node& root, GroupScenario& s) const {
    SUPYO_TRY(allow(root, "a group scenario",
                    {"lab", "kind", "title", "extends", "expect", "hypothesis", "workload", "group", "before", "arms", "knobs", "derive", "guards", "predict", "verdict", "tiles", "plots"}));
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(workload(root, s));
    SUPYO_TRY(judgement(root, s));
    const YAML::Node g = root["group"];
    if (!g) return complain(root, "'group' is missing", "group: {partitions: 6, members: 3, batch: 20records, handler: 1ms, poll: 7s, session: 6s}");
    SUPYO_TRY(allow(g, "group", {"partitions", "members", "batch", "handler", "poll", "session", "heartbeat", "look"}));
    SUPYO_TRY(quantity(g, "partitions", kNumber, s.knobs, s.partitions));
    SUPYO_TRY(quantity(g, "members", kNumber, s.knobs, s.members));
    SUPYO_TRY(quantity(g, "batch", kRecords, s.knobs, s.batch));
    SUPYO_TRY(quantity(g, "handler", kSeconds, s.knobs, s.handler));
    SUPYO_TRY(quantity(g, "poll", kSeconds, s.knobs, s.poll));
    SUPYO_TRY(quantity(g, "session", kSeconds, s.knobs, s.session));
    SUPYO_TRY(quantity(g, "heartbeat", kSeconds, s.knobs, s.heartbeat, "500ms"));
    SUPYO_TRY(quantity(g, "look", kSeconds, s.knobs, s.look, "50ms"));
    SUPYO_TRY(quantity(root, "before", kSeconds, s.knobs, s.before));
    SUPYO_TRY(arms(root, s));
    return plots(root, s.plots, [&](const std::string& arm) { return std::ranges::find(s.arms, arm, &GroupArm::name) != s.arms.end(); });
  }

  Status arms(const YAML::Node& root, GroupScenario& s) const {
    const YAML::Node list = root["arms"];
    if (!list || !list.IsSequence()) return complain(root, "'arms' is missing", "arms: [{name: fault, slow: 9s}, {name: control}]");
    std::set<std::string> names;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "an arm", {"name", "slow", "times", "stop", "after", "assignor", "static"}));
      GroupArm a;
      SUPYO_ASSIGN(a.name, text(n, "name"));
      if (!names.insert(a.name).second) return complain(n, fmt::format("there are two arms '{}'", a.name));
      SUPYO_TRY(quantity(n, "slow", kSeconds, s.knobs, a.slow, ""));
      SUPYO_TRY(quantity(n, "times", kNumber, s.knobs, a.times, "1"));
      SUPYO_TRY(quantity(n, "stop", kSeconds, s.knobs, a.stop, ""));
      SUPYO_TRY(quantity(n, "after", kSeconds, s.knobs, a.after, "3s"));
      if (!a.slow.empty() && !a.stop.empty()) return complain(n, "an arm has one fault: slow or stop");
      a.assignor = n["assignor"] ? n["assignor"].Scalar() : "range";
      if (a.assignor != "range" && a.assignor != "roundrobin" && a.assignor != "cooperative-sticky") return complain(n["assignor"], fmt::format("there is no assignor '{}'", a.assignor), "range, roundrobin or cooperative-sticky");
      if (const YAML::Node i = n["static"]) a.is_static = i.as<bool>();
      s.arms.push_back(std::move(a));
    }
    if (!names.contains("fault") || !names.contains("control")) return complain(list, "there must be an arm 'fault' and an arm 'control'");
    return ok();
  }
};

}  // namespace

Result<GroupScenario> parse_group_scenario(std::string_view text, std::string_view file, const std::string* base) { return GroupReader(file).read(text, base); }

Result<GroupScenario> load_group_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_group_scenario(text.own, path, text.base_or_null());
}

}  // namespace supyo::scenario
