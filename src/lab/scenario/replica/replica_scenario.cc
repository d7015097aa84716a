#include "lab/scenario/replica/replica_scenario.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

using Kind = ReplicaStep::Kind;
using Who = ReplicaStep::Who;
constexpr std::array kKinds{Kind::kStop, Kind::kContinue, Kind::kKill, Kind::kStart, Kind::kCut, Kind::kHeal};
constexpr std::array kWhos{Who::kLeader, Who::kFollowers, Who::kFirstFollower, Who::kSecondFollower};
constexpr int kMostTrials = 10'000;

using Field = DeclaredField;
constexpr std::array kCluster{Field{"replicas", kNumber, "3"}, Field{"min_isr", kNumber, "1"}, Field{"unclean", kNumber, "off"}, Field{"elr", kNumber, "on"}, Field{"lag_max", kSeconds, "30s"},
                              Field{"session", kSeconds, "9s"}, Field{"heartbeat", kSeconds, "2s"}};
constexpr std::array kWorkload{Field{"rate", kRate, nullptr}, Field{"record", kBytes, "100B"}, Field{"acks", kNumber, "1"}, Field{"linger", kSeconds, "5ms"}, Field{"delivery_timeout", kSeconds, "120s"},
                               Field{"request_timeout", kSeconds, "30s"}, Field{"retries", kNumber, "inf"}, Field{"in_flight", kNumber, "5"}};
constexpr std::array kPhases{Field{"baseline", kSeconds, "10s"}, Field{"fault", kSeconds, nullptr}, Field{"recovery", kSeconds, "20s"}};

class ReplicaReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<ReplicaScenario> read(std::string_view text, const std::string* base_text) {
    return parsed(text, base_text, [this](const YAML::Node& root) { return scenario(root); });
  }

 private:
  Result<ReplicaScenario> scenario(const YAML::Node& root) {
    SUPYO_TRY(allow(root, "a replica scenario", {"lab", "kind", "title", "extends", "expect", "hypothesis", "cluster", "workload", "knobs", "phases", "trials", "faults", "fault", "arms", "real", "derive", "guards",
                                                 "predict", "verdict", "tiles", "plots"}));
    ReplicaScenario s;
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(fields(root, "cluster", kCluster, s.knobs, s.cluster));
    SUPYO_TRY(fields(root, "workload", kWorkload, s.knobs, s.workload));
    SUPYO_TRY(fields(root, "phases", kPhases, s.knobs, s.phases));
    SUPYO_TRY(seed(root["workload"], s.seed));
    s.trials = root["trials"] ? root["trials"].Scalar() : "1";
    SUPYO_TRY(faults(root, s));
    SUPYO_TRY(arms(root, s));
    SUPYO_TRY(settings_of_knobs(root["real"], s, s.real));
    SUPYO_TRY(judgement(root, s));
    SUPYO_TRY(plots(root, s.plots, [&](const std::string& arm) { return arm == "fault" || s.arms.contains(arm); }));
    return checked(root, std::move(s));
  }

  Status faults(const YAML::Node& root, ReplicaScenario& s) const {
    s.faults["none"];
    for (const auto& e : root["faults"]) {
      const auto name = e.first.as<std::string>();
      if (!e.second.IsSequence()) return complain(e.second, fmt::format("the fault '{}' is a list of steps", name), "[{at: 0s, stop: followers}, {at: 2s, kill: leader}]");
      for (const YAML::Node& n : e.second) {
        SUPYO_ASSIGN(ReplicaStep step, this->step(n, s));
        s.faults[name].push_back(std::move(step));
      }
    }
    SUPYO_ASSIGN(s.fault, YamlReader::text(root, "fault"));
    if (!s.faults.contains(s.fault)) return complain(root["fault"], fmt::format("there is no fault '{}'", s.fault));
    return ok();
  }

  Result<ReplicaStep> step(const YAML::Node& n, const ReplicaScenario& s) const {
    SUPYO_TRY(allow(n, "a step", {"at", "stop", "continue", "kill", "start", "cut", "heal"}));
    ReplicaStep out;
    SUPYO_ASSIGN(out.at, YamlReader::text(n, "at"));
    if (const auto v = s.value(out.at, kSeconds); !v) return complain(n["at"], v.error().message, v.error().hint);
    int kinds = 0;
    for (const Kind k : kKinds) {
      const YAML::Node who = n[std::string(step_name(k))];
      if (!who) continue;
      ++kinds;
      out.kind = k;
      std::vector<std::string> names;
      if (who.IsSequence()) for (const YAML::Node& w : who) names.push_back(w.Scalar());
      else names.push_back(who.Scalar());
      for (const std::string& name : names) {
        const auto it = std::ranges::find_if(kWhos, [&](Who w) { return who_name(w) == name; });
        if (it == kWhos.end()) return complain(who, fmt::format("there is no '{}'", name), "leader, followers, first_follower, second_follower");
        out.who.push_back(*it);
      }
    }
    if (kinds != 1) return complain(n, "a step does one thing", "{at: 2s, kill: leader}");
    return out;
  }

  Status arms(const YAML::Node& root, ReplicaScenario& s) const {
    const YAML::Node map = root["arms"];
    if (!map || !map.IsMap() || !map["control"]) return complain(root, "'arms' with 'control' is missing", "arms: {control: {fault: none}}");
    for (const auto& arm : map) {
      const auto name = arm.first.as<std::string>();
      if (name == "fault") return complain(arm.first, "the arm 'fault' is the file's own knobs");
      ReplicaArmSpec& spec = s.arms[name];
      for (const auto& e : arm.second) {
        const auto key = e.first.as<std::string>();
        const std::string text = e.second.Scalar();
        if (key == "fault") {
          if (!s.faults.contains(text)) return complain(e.second, fmt::format("there is no fault '{}'", text));
          spec.fault = text;
        } else if (key == "trials") {
          spec.trials = text;
        } else if (key == "on") {
          if (text != "embedded") return complain(e.second, "an arm can be bound to 'embedded' only");
          spec.model_only = true;
        } else {
          ReplicaScenario trial = s;
          const Status set = set_knob(trial, fmt::format("{}={}", key, arm_knob_text(s, text)));
          if (!set) return complain(e.first, set.error().message, set.error().hint);
          spec.knobs[key] = text;
        }
      }
    }
    return ok();
  }

  /// Every arm can be planned, so that a run does not fail half way.
  Result<ReplicaScenario> checked(const YAML::Node& root, ReplicaScenario s) const {
    std::vector<std::string> names{"fault"};
    for (const auto& [name, arm] : s.arms) names.push_back(name);
    for (const std::string& name : names)
      if (const auto plan = plan_of(s, name); !plan) return complain(root, fmt::format("arm '{}': {}", name, plan.error().message), plan.error().hint);
    return s;
  }
};

}  // namespace

std::string_view acks_name(Acks a) { return a == Acks::kAll ? "all" : a == Acks::kLeader ? "1" : "0"; }

Result<Acks> acks_of(double value) {
  if (std::isinf(value)) return Acks::kAll;
  if (value != 0 && value != 1) return fail(ErrorCode::kBadConfigFile, fmt::format("acks {}", value), "0, 1 or all");
  return value == 0 ? Acks::kNone : Acks::kLeader;
}

std::string_view step_name(Kind k) {
  switch (k) {
    case Kind::kStop: return "stop";
    case Kind::kContinue: return "continue";
    case Kind::kKill: return "kill";
    case Kind::kStart: return "start";
    case Kind::kCut: return "cut";
    case Kind::kHeal: return "heal";
  }
  return "?";
}

std::string_view who_name(Who w) {
  switch (w) {
    case Who::kLeader: return "leader";
    case Who::kFollowers: return "followers";
    case Who::kFirstFollower: return "first_follower";
    case Who::kSecondFollower: return "second_follower";
  }
  return "?";
}

bool ReplicaPlan::kills_leader() const {
  return std::ranges::any_of(steps, [](const Step& s) { return s.kind == Kind::kKill && std::ranges::find(s.who, Who::kLeader) != s.who.end(); });
}

Result<ReplicaScenario> parse_replica_scenario(std::string_view text, std::string_view file, const std::string* base) { return ReplicaReader(file).read(text, base); }

Result<ReplicaScenario> load_replica_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_replica_scenario(text.own, path, text.base_or_null());
}

std::string arm_knob_text(const ReplicaScenario& scenario, const std::string& text) {
  const auto it = scenario.knobs.find(text);
  return it == scenario.knobs.end() ? text : it->second.text;
}

Result<ReplicaPlan> plan_of(const ReplicaScenario& scenario, const std::string& arm) {
  ReplicaScenario s = scenario;
  std::string fault = s.fault, trials = s.trials;
  if (arm != "fault") {
    const ReplicaArmSpec& spec = s.arms.at(arm);
    for (const auto& [knob, text] : spec.knobs) SUPYO_TRY(set_knob(s, fmt::format("{}={}", knob, arm_knob_text(scenario, text))));
    if (!spec.fault.empty()) fault = spec.fault;
    if (!spec.trials.empty()) trials = spec.trials;
  }
  ReplicaPlan p{.arm = arm, .seed = s.seed};
  const auto number = [&](const std::map<std::string, std::string>& from, const char* name, Unit unit) { return s.value(from.at(name), unit); };
  const auto us = [&](const std::map<std::string, std::string>& from, const char* name) -> Result<DurationUs> {
    SUPYO_ASSIGN(const double v, number(from, name, kSeconds));
    return std::llround(std::min(v, 1e9) * 1e6);
  };
  SUPYO_ASSIGN(const double replicas, number(s.cluster, "replicas", kNumber));
  SUPYO_ASSIGN(const double min_isr, number(s.cluster, "min_isr", kNumber));
  SUPYO_ASSIGN(const double unclean, number(s.cluster, "unclean", kNumber));
  SUPYO_ASSIGN(const double elr, number(s.cluster, "elr", kNumber));
  if (!(replicas >= 1 && replicas <= 9)) return fail(ErrorCode::kBadConfigFile, fmt::format("{} replicas", replicas), "1 to 9");
  if (!(min_isr >= 1 && min_isr <= replicas)) return fail(ErrorCode::kBadConfigFile, fmt::format("min_isr {} of {} replicas", min_isr, replicas), "1 to the number of replicas");
  p.cluster = {.replicas = static_cast<int>(replicas), .min_isr = static_cast<int>(min_isr), .unclean = unclean != 0, .elr = elr != 0};
  SUPYO_ASSIGN(p.cluster.lag_max_us, us(s.cluster, "lag_max"));
  SUPYO_ASSIGN(p.cluster.session_us, us(s.cluster, "session"));
  SUPYO_ASSIGN(p.cluster.heartbeat_us, us(s.cluster, "heartbeat"));
  if (p.cluster.heartbeat_us < kMillisecond || p.cluster.lag_max_us < kMillisecond) return fail(ErrorCode::kBadConfigFile, "heartbeat and lag_max are a millisecond or more");
  SUPYO_ASSIGN(p.producer.rate, number(s.workload, "rate", kRate));
  SUPYO_ASSIGN(const double acks, number(s.workload, "acks", kNumber));
  SUPYO_ASSIGN(const double retries, number(s.workload, "retries", kNumber));
  SUPYO_ASSIGN(const double in_flight, number(s.workload, "in_flight", kNumber));
  SUPYO_ASSIGN(const double record, number(s.workload, "record", kBytes));
  if (!(p.producer.rate > 0) || !(in_flight >= 1) || !(record >= 16)) return fail(ErrorCode::kBadConfigFile, "rate and in_flight are above zero, a record has 16 bytes or more");
  SUPYO_ASSIGN(p.producer.acks, acks_of(acks));
  p.producer.retries = static_cast<std::int64_t>(std::min(retries, 1e9));
  p.producer.in_flight = static_cast<int>(std::min(in_flight, 1e6));
  p.record_bytes = static_cast<std::int64_t>(record);
  SUPYO_ASSIGN(p.producer.linger_us, us(s.workload, "linger"));
  SUPYO_ASSIGN(p.producer.delivery_timeout_us, us(s.workload, "delivery_timeout"));
  SUPYO_ASSIGN(p.producer.request_timeout_us, us(s.workload, "request_timeout"));
  SUPYO_ASSIGN(p.baseline_us, us(s.phases, "baseline"));
  SUPYO_ASSIGN(p.fault_us, us(s.phases, "fault"));
  SUPYO_ASSIGN(p.recovery_us, us(s.phases, "recovery"));
  if (p.baseline_us < kSecond || p.fault_us < kSecond || p.recovery_us < kSecond) return fail(ErrorCode::kBadConfigFile, "a phase lasts a second or more");
  SUPYO_ASSIGN(const double count, s.value(trials, kNumber));
  if (!(count >= 1 && count <= kMostTrials)) return fail(ErrorCode::kBadConfigFile, fmt::format("{} trials", count), fmt::format("1 to {}", kMostTrials));
  p.trials = static_cast<int>(count);
  for (const ReplicaStep& step : s.faults.at(fault)) {
    SUPYO_ASSIGN(const double at, s.value(step.at, kSeconds));
    p.steps.push_back({std::llround(at * 1e6), step.kind, step.who});
  }
  std::ranges::stable_sort(p.steps, {}, &ReplicaPlan::Step::at_us);
  return p;
}

}  // namespace supyo::scenario
