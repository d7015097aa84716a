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
  Result<T> read(std::string_view text, const std::string* base_text, F body) {
    try {
      YAML::Node root = YAML::Load(std::string(text));
      if (base_text != nullptr) {
        const YAML::Node merged = merge(YAML::Load(*base_text), root);
        root.reset(merged);
      }
      T lab;
      SUPYO_TRY(body(root, lab));
      return lab;
    } catch (const YAML::ParserException& e) {
      return complain(e.mark, "not YAML: " + e.msg);
    } catch (const YAML::Exception& e) {
      return complain(e.mark, e.what());
    }
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
  Status shared(const YAML::Node& root, Declared& s) const {
    s.file = std::string(file());
    SUPYO_ASSIGN(s.lab, text(root, "lab"));
    SUPYO_ASSIGN(s.hypothesis, text(root, "hypothesis"));
    if (const YAML::Node n = root["title"]) s.title = n.Scalar();
    SUPYO_TRY(expected(root, s.expect));
    SUPYO_TRY(knobs(root, s.knobs));
    const YAML::Node w = root["workload"];
    if (!w) return complain(root, "'workload' is missing", "workload: {rate: 1000rps, record: 100B, seed: 1}");
    SUPYO_TRY(allow(w, "workload", {"rate", "record", "seed", "linger"}));
    SUPYO_TRY(quantity(w, "rate", kRate, s.knobs, s.rate));
    SUPYO_TRY(quantity(w, "record", kBytes, s.knobs, s.record_size));
    if (w["seed"]) { SUPYO_ASSIGN(const double seed, number(w["seed"], 0, 9e15)); s.seed = static_cast<std::uint64_t>(seed); }
    if (w["linger"]) { SUPYO_ASSIGN(s.linger_us, duration(w["linger"])); }
    if (s.linger_us <= 0) return complain(w, "linger must be above zero");
    SUPYO_TRY(tiles(root, s.tiles));
    SUPYO_TRY(derived(root, s.derive));
    SUPYO_TRY(guard_list(root, s.guards));
    return formulas(root, s.predict, s.verdict);
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

Result<DurationUs> Declared::duration(std::string_view expression) const {
  SUPYO_ASSIGN(const double v, value(expression, kSeconds));
  return static_cast<DurationUs>(std::llround(v * 1e6));
}

Result<std::uint64_t> Declared::count(std::string_view expression, Unit unit) const {
  SUPYO_ASSIGN(const double v, value(expression, unit));
  return static_cast<std::uint64_t>(std::llround(v));
}

Result<CommitScenario> parse_commit_scenario(std::string_view text, std::string_view file, const std::string* base) {
  DeclaredReader reader(file);
  return reader.read<CommitScenario>(text, base, [&](const YAML::Node& root, CommitScenario& s) { return reader.commit(root, s); });
}

Result<CommitScenario> load_commit_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const std::string text, read_scenario_text(files, path));
  SUPYO_ASSIGN(const std::optional<std::string> base, base_text(files, path, text));
  return parse_commit_scenario(text, path, base ? &*base : nullptr);
}

Result<PublishScenario> parse_publish_scenario(std::string_view text, std::string_view file, const std::string* base) {
  DeclaredReader reader(file);
  return reader.read<PublishScenario>(text, base, [&](const YAML::Node& root, PublishScenario& s) { return reader.publish(root, s); });
}

Result<PublishScenario> load_publish_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const std::string text, read_scenario_text(files, path));
  SUPYO_ASSIGN(const std::optional<std::string> base, base_text(files, path, text));
  return parse_publish_scenario(text, path, base ? &*base : nullptr);
}

void describe_declared(const Declared& lab, LabResult& result) {
  result.kind = "trials";
  result.clock = "real";
  result.lab = lab.lab;
  result.title = lab.title;
  result.hypothesis = lab.hypothesis;
  result.seed = lab.seed;
  result.expected = lab.expect;
  result.plots = lab.plots;
  result.tiles = lab.tiles;
  for (const auto& [name, k] : lab.knobs) result.config["knob " + name] = k.text;
  result.config["producer"] = fmt::format("{:g} records/s of {:g} B, seed {}", lab.value(lab.rate, kRate).value_or(0), lab.value(lab.record_size, kBytes).value_or(0), lab.seed);
}

}  // namespace supyo::scenario
