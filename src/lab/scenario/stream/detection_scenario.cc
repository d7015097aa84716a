#include "lab/scenario/stream/detection_scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/base/hash.h"
#include "lab/scenario/yaml_reader.h"
#include "lab/workload/sender.h"

namespace supyo::scenario {
namespace {

class DetectionReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<DetectionScenario> read(std::string_view text, const std::string* base_text) const {
    return parsed(text, base_text, [this](const YAML::Node& root) -> Result<DetectionScenario> {
      DetectionScenario s;
      SUPYO_TRY(allow(root, "a detection scenario", {"lab", "kind", "title", "extends", "expect", "hypothesis", "seed", "detection", "knobs", "derive", "guards", "predict", "verdict", "tiles", "plots"}));
      SUPYO_TRY(head(root, s));
      SUPYO_TRY(seed(root, s.seed));
      SUPYO_TRY(judgement(root, s));
      SUPYO_TRY(detection(root, s));
      SUPYO_TRY(plots(root, s.plots, [](const std::string& arm) { return arm == "fault" || arm == "control"; }));
      return s;
    });
  }

 private:
  Status detection(const YAML::Node& root, DetectionScenario& s) const {
    const YAML::Node n = root["detection"];
    if (!n) return complain(root, "'detection' is missing", "detection: {runs: 100, rate: 120rps, within: 15s, labels: [healthy, slow-commit]}");
    SUPYO_TRY(allow(n, "detection", {"runs", "rate", "within", "lenience", "inject", "labels"}));
    SUPYO_TRY(quantity(n, "runs", kNumber, s.knobs, s.runs));
    SUPYO_TRY(quantity(n, "rate", kRate, s.knobs, s.rate));
    SUPYO_TRY(quantity(n, "within", kSeconds, s.knobs, s.within));
    SUPYO_TRY(quantity(n, "lenience", kNumber, s.knobs, s.lenience, "1"));
    if (const YAML::Node inject = n["inject"]) s.inject = inject.as<bool>();
    for (const YAML::Node& l : n["labels"]) {
      if (std::ranges::find(kTroubles, l.Scalar()) == std::end(kTroubles)) return complain(l, fmt::format("there is no trouble '{}'", l.Scalar()), fmt::format("{}", fmt::join(kTroubles, ", ")));
      s.labels.push_back(l.Scalar());
    }
    return s.labels.empty() ? Status(complain(n, "'labels' is missing", fmt::format("of {}", fmt::join(kTroubles, ", ")))) : ok();
  }
};

/// Draws one run.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : draws_(seed) {}

  DrawnRun run(std::string_view label, std::uint64_t seed, double most) {
    StreamScenario& s = run_.scenario;
    s.lab = "detection";
    s.seed = seed;
    s.linger_us = 100 * kMillisecond;
    run_.rate = run_.rate_in_fault = std::round(between(most / 6, most));
    s.settings = {{"execution.checkpointing.interval", fmt::format("{}ms", whole(500, 3000))}, {"execution.checkpointing.tolerable-failed-checkpoints", "2147483647"},
                  {"restart-strategy.type", "fixed-delay"}, {"restart-strategy.fixed-delay.attempts", "1000"}, {"restart-strategy.fixed-delay.delay", "1s"}};
    s.inputs.push_back({.topic = "orders", .domain = "order", .rate = rate(run_.rate), .disorder = fmt::format("{}ms", whole(0, 1500)), .duplicates = "0", .late = "0", .keys = "1000", .partitions = static_cast<std::int32_t>(whole(1, 8))});
    s.phases = {{"baseline", whole(150, 240) * kSecond, {}}, {std::string(label), whole(60, 300) * kSecond, {}}, {"recovery", whole(90, 180) * kSecond, {}}};
    s.fault_at = 1;
    const bool windows = label == "silent-partition" || ((label == "late-records" || label == "healthy") && draws_.chance(0.5));
    windows ? minute_counts() : copies(draws_.chance(0.5) ? "exactly-once" : "at-least-once");
    if (label == "slow-commit") slow_commit();
    if (label == "failing-checkpoints") failing_checkpoints("exactly-once");
    if (label == "killed-worker") killed_worker();
    if (label == "silent-partition") add({.kind = StreamFault::Kind::kSilence, .topic = "orders", .partition = static_cast<std::int32_t>(whole(0, s.inputs[0].partitions - 1))});
    if (label == "late-records") late_records(windows);
    if (label == "quiet-night") change_rate(std::exp(between(std::log(0.02), std::log(0.5))));
    if (label == "lag-only") lag_only();
    return std::move(run_);
  }

 private:
  double between(double low, double high) { return low + (high - low) * static_cast<double>(draws_.below(1'000'001)) / 1e6; }
  std::int64_t whole(std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(draws_.below(static_cast<std::uint64_t>(high - low + 1))); }
  static std::string rate(double records_a_second) { return fmt::format("{:.6f}rps", records_a_second); }
  void add(StreamFault f) { run_.scenario.phases[1].faults.push_back(std::move(f)); }
  std::string seconds(double low, double high) { return fmt::format("{:.0f}ms", 1000 * between(low, high)); }

  /// Row by row: nearly all of them within six seconds of their event.
  void copies(std::string delivery) {
    StreamScenario& s = run_.scenario;
    s.pipeline = "scenarios/pipelines/copies.sql";
    s.variables["delivery"] = std::move(delivery);
    s.results.push_back({.topic = "copies", .input = "orders", .id = "event_id"});
    s.promise = {.within = "6s", .share = "95%", .window = "60s"};
  }
  /// By minute: never older than two and a half of them, and 99 of 100 records in them.
  void minute_counts() {
    StreamScenario& s = run_.scenario;
    s.pipeline = "scenarios/pipelines/minute-counts.sql";
    s.variables = {{"strategy", "on-periodic"}, {"bound_s", fmt::format("{}", whole(2, 5))}, {"window_s", "60"}};
    s.settings["table.exec.source.idle-timeout"] = draws_.chance(0.5) ? "0s" : fmt::format("{}s", whole(20, 40));
    s.results.push_back({.topic = "minutes", .input = "orders", .window = "window_start", .value = "orders", .size = "60s"});
    s.promise = {.window = "120s", .fresh = "150s", .complete = "99%"};
    s.inputs[0].partitions = std::max(2, s.inputs[0].partitions);
  }
  void slow_commit() {
    run_.scenario.variables["delivery"] = "exactly-once";
    add({.kind = StreamFault::Kind::kPoint, .delay = seconds(0.5, 15), .point = "stream.commit.before"});
  }
  void failing_checkpoints(const char* delivery) {
    run_.scenario.variables["delivery"] = delivery;
    static constexpr const char* kTolerated[] = {"0", "3", "2147483647"};
    run_.scenario.settings["execution.checkpointing.tolerable-failed-checkpoints"] = kTolerated[draws_.below(3)];
    add({.kind = StreamFault::Kind::kPoint, .delay = seconds(2, 15), .point = "checkpoint.store", .fails = true});
  }
  void killed_worker() {
    run_.kills = static_cast<double>(whole(1, 3));
    add({.kind = StreamFault::Kind::kKill, .times = fmt::format("{}", run_.kills), .detect = seconds(1, 40), .stop = "0s"});
    run_.scenario.phases[1].length_us = std::max(run_.scenario.phases[1].length_us, static_cast<DurationUs>(run_.kills) * 90 * kSecond);
  }
  void late_records(bool windows) {
    const double share = between(0.03, 0.2);
    add({.kind = StreamFault::Kind::kDelay, .topic = "orders", .share = fmt::format("{:.4f}", share), .delay = windows ? seconds(20, 150) : seconds(2, 60)});
  }
  void change_rate(double records_a_second) {
    run_.rate_in_fault = records_a_second;
    add({.kind = StreamFault::Kind::kRate, .topic = "orders", .rate = rate(records_a_second)});
  }
  /// What lag is made of, and no reader is hurt: checkpoints that fail or are slow below a sink in no transaction, a burst that is handled as it comes, a partition that has nothing to say.
  void lag_only() {
    const std::uint64_t which = draws_.below(4);
    if (which == 0) return failing_checkpoints("at-least-once");
    if (which == 1) {
      run_.scenario.variables["delivery"] = "at-least-once";
      return add({.kind = StreamFault::Kind::kPoint, .delay = seconds(5, 40), .point = "checkpoint.store"});
    }
    if (which == 2) return change_rate(run_.rate * between(3, 12));
    run_.scenario.inputs[0].partitions = std::max(2, run_.scenario.inputs[0].partitions);
    add({.kind = StreamFault::Kind::kSilence, .topic = "orders", .partition = 0});
  }

  workload::Draws draws_;
  DrawnRun run_;
};

}  // namespace

Result<DrawnRun> draw_run(const DetectionScenario& scenario, std::uint64_t run) {
  const std::uint64_t seed = hash_combine(hash_u64(scenario.seed), run);
  const std::size_t label = hash_u64(seed) % scenario.labels.size();
  SUPYO_ASSIGN(const double most, scenario.value(scenario.rate, kRate));
  DrawnRun drawn = Draw(seed).run(scenario.labels[label], seed % 1'000'000'007, most);
  drawn.label = label;
  drawn.scenario.file = scenario.file;
  if (!scenario.inject) drawn.scenario.phases[1].faults.clear();
  return drawn;
}

Result<DetectionScenario> parse_detection_scenario(std::string_view text, std::string_view file, const std::string* base) { return DetectionReader(file).read(text, base); }

Result<DetectionScenario> load_detection_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_detection_scenario(text.own, path, text.base_or_null());
}

}  // namespace supyo::scenario
