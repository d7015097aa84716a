#include "lab/scenario/trial/declared.h"

#include <array>
#include <cmath>
#include <set>

#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

constexpr std::array<std::pair<CommitOrder, std::string_view>, 5> kOrders{{{CommitOrder::kBefore, "before"},
                                                                           {CommitOrder::kAfter, "after"},
                                                                           {CommitOrder::kTransaction, "transaction"},
                                                                           {CommitOrder::kAuto, "auto"},
                                                                           {CommitOrder::kJava, "java"}}};

class DeclaredReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  template <class T, class F>
  Result<T> read(std::string_view text, const std::string* base_text, F body) const {
    return parsed(text, base_text, [&](const YAML::Node& root) -> Result<T> {
      T lab;
      SUPYO_TRY(body(root, lab));
      return lab;
    });
  }

  Status commit(const YAML::Node& root, CommitScenario& s) const {
    SUPYO_TRY(allow(root, "a commit scenario",
                    {"lab", "kind", "title", "extends", "expect", "hypothesis", "workload", "consumers", "handle", "fault", "knobs", "derive", "guards", "predict", "verdict", "tiles", "plots"}));
    SUPYO_TRY(shared(root, s));
    SUPYO_TRY(plots(root, s.plots, [](const std::string& arm) { return arm == "fault"; }));
    const YAML::Node h = root["handle"];
    if (!h) return complain(root, "'handle' is missing", "handle: {rate: 1250rps, batch: 200records, interval: 250ms}");
    SUPYO_TRY(allow(h, "handle", {"rate", "batch", "interval"}));
    SUPYO_TRY(quantity(h, "rate", kRate, s.knobs, s.handler));
    SUPYO_TRY(quantity(h, "batch", kRecords, s.knobs, s.batch));
    SUPYO_TRY(quantity(h, "interval", kSeconds, s.knobs, s.interval));
    const YAML::Node f = root["fault"];
    if (!f) return complain(root, "'fault' is missing", "fault: {kills: 12, after: 1s}");
    SUPYO_TRY(allow(f, "fault", {"kills", "after", "signal"}));
    SUPYO_TRY(quantity(f, "kills", kNumber, s.knobs, s.kills));
    SUPYO_TRY(quantity(f, "after", kSeconds, s.knobs, s.after));
    if (const YAML::Node signal = f["signal"]) {
      if (signal.Scalar() != "kill" && signal.Scalar() != "terminate") return complain(signal, fmt::format("there is no signal '{}'", signal.Scalar()), "kill or terminate");
      s.clean = signal.Scalar() == "terminate";
    }
    return consumers(root, s);
  }

  Status publish(const YAML::Node& root, PublishScenario& s) const {
    SUPYO_TRY(allow(root, "a publish scenario",
                    {"lab", "kind", "title", "extends", "expect", "hypothesis", "workload", "before", "after", "arms", "knobs", "derive", "guards", "predict", "verdict", "tiles", "plots"}));
    SUPYO_TRY(shared(root, s));
    SUPYO_TRY(quantity(root, "before", kSeconds, s.knobs, s.before));
    SUPYO_TRY(quantity(root, "after", kSeconds, s.knobs, s.after));
    SUPYO_TRY(arms(root, s));
    return plots(root, s.plots, [&](const std::string& arm) { return std::ranges::find(s.arms, arm, &PublishArm::name) != s.arms.end(); });
  }

 private:
  Status shared(const YAML::Node& root, PacedDeclaration& s) const {
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(workload(root, s));
    return judgement(root, s);
  }

  Status consumers(const YAML::Node& root, CommitScenario& s) const {
    const YAML::Node list = root["consumers"];
    if (!list || !list.IsSequence() || list.size() == 0) return complain(root, "'consumers' is missing", "consumers: [{name: before, commit: before}]");
    std::set<std::string> names;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "a consumer", {"name", "commit"}));
      CommitGroup g;
      SUPYO_ASSIGN(g.name, text(n, "name"));
      if (!names.insert(g.name).second) return complain(n, fmt::format("there are two consumers '{}'", g.name));
      SUPYO_ASSIGN(const std::string order, text(n, "commit"));
      const auto named = commit_order_named(order);
      if (!named) return complain(n["commit"], fmt::format("there is no order '{}'", order), "before, after, transaction, auto or java");
      g.order = *named;
      s.groups.push_back(std::move(g));
    }
    return ok();
  }

  Status arms(const YAML::Node& root, PublishScenario& s) const {
    const YAML::Node list = root["arms"];
    if (!list || !list.IsSequence()) return complain(root, "'arms' is missing", "arms: [{name: fault, stop: 5s, timeout: 2s}, {name: control}]");
    std::set<std::string> names;
    for (const YAML::Node& n : list) {
      SUPYO_TRY(allow(n, "an arm", {"name", "stop", "resets", "every", "delay", "timeout", "queue", "in_flight", "idempotence"}));
      PublishArm a;
      SUPYO_ASSIGN(a.name, text(n, "name"));
      if (!names.insert(a.name).second) return complain(n, fmt::format("there are two arms '{}'", a.name));
      SUPYO_TRY(quantity(n, "stop", kSeconds, s.knobs, a.stop, ""));
      SUPYO_TRY(quantity(n, "resets", kNumber, s.knobs, a.resets, ""));
      SUPYO_TRY(quantity(n, "every", kSeconds, s.knobs, a.every, "300ms"));
      SUPYO_TRY(quantity(n, "delay", kSeconds, s.knobs, a.delay, "0"));
      SUPYO_TRY(quantity(n, "timeout", kSeconds, s.knobs, a.timeout, "30s"));
      SUPYO_TRY(quantity(n, "queue", kRecords, s.knobs, a.queue, "100000records"));
      SUPYO_TRY(quantity(n, "in_flight", kNumber, s.knobs, a.in_flight, "5"));
      if (!a.stop.empty() && !a.resets.empty()) return complain(n, "an arm has one fault: stop or resets");
      if (const YAML::Node i = n["idempotence"]) a.idempotence = i.as<bool>();
      s.arms.push_back(std::move(a));
    }
    if (!names.contains("fault") || !names.contains("control")) return complain(list, "there must be an arm 'fault' and an arm 'control'");
    return ok();
  }
};

}  // namespace

std::string_view commit_order_name(CommitOrder order) {
  for (const auto& [o, name] : kOrders)
    if (o == order) return name;
  return "?";
}

std::optional<CommitOrder> commit_order_named(std::string_view name) {
  for (const auto& [o, n] : kOrders)
    if (n == name) return o;
  return std::nullopt;
}

Result<CommitScenario> parse_commit_scenario(std::string_view text, std::string_view file, const std::string* base) {
  DeclaredReader reader(file);
  return reader.read<CommitScenario>(text, base, [&](const YAML::Node& root, CommitScenario& s) { return reader.commit(root, s); });
}

Result<CommitScenario> load_commit_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_commit_scenario(text.own, path, text.base_or_null());
}

Result<PublishScenario> parse_publish_scenario(std::string_view text, std::string_view file, const std::string* base) {
  DeclaredReader reader(file);
  return reader.read<PublishScenario>(text, base, [&](const YAML::Node& root, PublishScenario& s) { return reader.publish(root, s); });
}

Result<PublishScenario> load_publish_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_publish_scenario(text.own, path, text.base_or_null());
}

void describe_declared(const PacedDeclaration& lab, LabResult& result) {
  result.kind = "trials";
  result.clock = "real";
  describe_declaration(lab, result);
  result.config["producer"] = fmt::format("{:g} records/s of {:g} B, seed {}", lab.value(lab.rate, kRate).value_or(0), lab.value(lab.record_size, kBytes).value_or(0), lab.seed);
}

}  // namespace supyo::scenario
