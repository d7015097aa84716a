#include "lab/scenario/group/fit_scenario.h"

#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

class FitReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<FitScenario> read(std::string_view text, const std::string* base_text) const {
    return parsed(text, base_text, [this](const YAML::Node& root) -> Result<FitScenario> {
      FitScenario s;
      SUPYO_TRY(scenario(root, s));
      return s;
    });
  }

 private:
  Status scenario(const YAML::Node& root, FitScenario& s) const {
    SUPYO_TRY(allow(root, "a fit scenario", {"lab", "kind", "title", "extends", "expect", "hypothesis", "seed", "sweep", "join", "causes", "knobs", "derive", "guards", "predict", "verdict", "tiles", "plots"}));
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(seed(root, s.seed));
    SUPYO_TRY(judgement(root, s));
    SUPYO_TRY(sweep(root, s));
    SUPYO_TRY(join(root, s));
    SUPYO_TRY(causes(root, s));
    return plots(root, s.plots, [](const std::string& arm) { return arm == "fault" || arm == "control"; });
  }

  Status sweep(const YAML::Node& root, FitScenario& s) const {
    const YAML::Node n = root["sweep"];
    if (!n) return complain(root, "'sweep' is missing", "sweep: {partitions: 4, members: [1, 2, 4, 6], handler: 5ms, window: 6s}");
    SUPYO_TRY(allow(n, "sweep", {"partitions", "members", "handler", "window"}));
    SUPYO_TRY(quantity(n, "partitions", kNumber, s.knobs, s.partitions));
    SUPYO_TRY(quantity(n, "handler", kSeconds, s.knobs, s.handler));
    SUPYO_TRY(quantity(n, "window", kSeconds, s.knobs, s.window));
    for (const YAML::Node& m : n["members"]) {
      SUPYO_ASSIGN(const double members, number(m, 1, 64));
      s.members.push_back(static_cast<std::uint64_t>(members));
    }
    return s.members.empty() ? Status(complain(n, "'members' is missing", "members: [1, 2, 4, 6]")) : ok();
  }

  Status join(const YAML::Node& root, FitScenario& s) const {
    const YAML::Node n = root["join"];
    if (!n) return complain(root, "'join' is missing", "join: {keys: 1000, table: crc32, stream: murmur2}");
    SUPYO_TRY(allow(n, "join", {"keys", "table", "stream"}));
    SUPYO_TRY(quantity(n, "keys", kNumber, s.knobs, s.keys));
    for (const auto& [field, into] : {std::pair{"table", &s.table}, {"stream", &s.stream}}) {
      SUPYO_ASSIGN(*into, text(n, field));
      if (*into != "murmur2" && *into != "crc32") return complain(n[field], fmt::format("there is no partitioner '{}'", *into), "murmur2 or crc32");
    }
    return ok();
  }

  Status causes(const YAML::Node& root, FitScenario& s) const {
    const YAML::Node n = root["causes"];
    if (!n) return complain(root, "'causes' is missing", "causes: {runs: 60, at_once: 12, watch: 60s, labels: [healthy, external-call]}");
    SUPYO_TRY(allow(n, "causes", {"runs", "at_once", "watch", "strain", "labels", "statistics"}));
    SUPYO_TRY(quantity(n, "runs", kNumber, s.knobs, s.runs));
    SUPYO_TRY(quantity(n, "at_once", kNumber, s.knobs, s.at_once));
    SUPYO_TRY(quantity(n, "watch", kSeconds, s.knobs, s.watch));
    SUPYO_TRY(quantity(n, "strain", kNumber, s.knobs, s.strain, "1.6"));
    if (const auto at_once = value_over(s.knobs, s.at_once, kNumber); !at_once || *at_once < 1) return complain(n["at_once"], "one run at a time at least");
    for (const YAML::Node& l : n["labels"]) {
      if (std::ranges::find(kFitLabels, l.Scalar()) == std::end(kFitLabels)) return complain(l, fmt::format("there is no trouble '{}'", l.Scalar()), fmt::format("{}", fmt::join(kFitLabels, ", ")));
      s.labels.push_back(l.Scalar());
    }
    if (const YAML::Node told = n["statistics"]) s.statistics = told.as<bool>();
    return s.labels.empty() ? Status(complain(n, "'labels' is missing", fmt::format("of {}", fmt::join(kFitLabels, ", ")))) : ok();
  }
};

}  // namespace

Result<FitScenario> parse_fit_scenario(std::string_view text, std::string_view file, const std::string* base) { return FitReader(file).read(text, base); }

Result<FitScenario> load_fit_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_fit_scenario(text.own, path, text.base_or_null());
}

}  // namespace supyo::scenario
