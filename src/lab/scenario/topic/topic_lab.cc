#include "lab/scenario/topic/topic_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/lab_files.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/topic/live_arm.h"
#include "lab/scenario/topic/topic_arm.h"

namespace supyo::scenario {
namespace {

constexpr TimeUs kStart = 1'767'225'600 * kSecond;   // 2026-01-01, as the other labs' workloads

Result<Arm> run_one(const env::Env& env, const TopicScenario& s, const std::string& name, const RunOptions& options) {
  env::VirtualClock clock(kStart);
  UnsyncedFiles files(env.files);
  env::SeededRandom random(s.seed);
  const env::Env virtual_env{clock, files, random, nullptr};
  return run_topic_arm(virtual_env, clock, s, name, options);
}

void describe(const TopicScenario& s, const RunOptions& options, LabResult& r) {
  r.kind = "topic";
  describe_declaration(s, r);
  r.repeat = options.repeat;
  double t = 0;
  for (const TopicPhase& p : s.phases) {
    const double length = static_cast<double>(p.length_us) / 1e6;
    r.phases.push_back({p.name, t, t + length, p.inject.has_value()});
    t += length;
  }
  auto& c = r.config;
  c["topic"] = fmt::format("1 partition, retention.bytes {}, segment.bytes {}, checked every {}", s.retention, s.segment, s.check);
  c["producer"] = fmt::format("{} of {}, linger {}, seed {}", s.rate, s.record_size, format_duration(s.linger_us), s.seed);
  for (const GroupSpec& g : s.groups)
    c["group " + g.name] = fmt::format("handler {}, prefetch {}, fetch {}, commit every {}, reset {}", g.rate.empty() ? "as they come" : g.rate, g.prefetch, g.fetch, g.commit, reset_name(g.reset));
  const TopicPhase& fault = s.phases[s.fault_phase()];
  const TopicFault& f = *fault.inject;
  c["fault"] = f.kind == TopicFault::Kind::kSlowHandler ? fmt::format("the handler of {} takes {:g} records/s, phase {}", f.group, s.value(f.rate, kRate).value_or(0), fault.name)
               : f.kind == TopicFault::Kind::kStop      ? fmt::format("{} is stopped, phase {}", f.group, fault.name)
                                                        : fmt::format("DeleteRecords {:g} records past the committed position of {}, phase {}", s.value(f.past, kRecords).value_or(0), f.group, fault.name);
  for (const auto& [arm, knobs] : s.arms) {
    std::string text;
    for (const auto& [k, v] : knobs) text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", k, v);
    c["arm " + arm] = text;
  }
}

class Evaluation {
 public:
  Evaluation(const TopicScenario& s, LabResult& r) : s_(s), r_(r), fault_(*r.fault_phase()) {}

  Status run() {
    begin_reckoning(s_, r_);
    SUPYO_TRY(settings());
    arm_measures(r_.fault, "");
    arm_measures(r_.control, "control_");
    for (const Arm& a : r_.arms) arm_measures(a, a.name + "_");
    SUPYO_TRY(knobs_of_arms());
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void add(std::string name, double value, std::string unit) {
    add_measure(r_, std::move(name), value, std::move(unit));
  }
  double measured(const std::string& name) const {
    const Measure* m = r_.measure(name);
    return m == nullptr ? std::numeric_limits<double>::quiet_NaN() : m->value;
  }

  Status settings() {
    const auto put = [&](const char* name, const std::string& text, Unit unit) -> Status {
      SUPYO_ASSIGN(const double v, s_.value(text, unit));
      add(name, v, unit_name(unit));
      return ok();
    };
    SUPYO_TRY(put("rate", s_.rate, kRate));
    SUPYO_TRY(put("retention", s_.retention, kBytes));
    SUPYO_TRY(put("segment", s_.segment, kBytes));
    SUPYO_TRY(put("check", s_.check, kSeconds));
    add("record_size", r_.fault.counts.at("record_bytes"), "B/record");   // as the log stores it, not as it was declared
    add("fault_seconds", fault_.to_s - fault_.from_s, "s");
    return ok();
  }

  Status knobs_of_arms() {
    for (const auto& [arm, knobs] : s_.arms) {
      for (const auto& [knob, text] : knobs) SUPYO_TRY(add_knob_of_arm(s_, arm, knob, text, r_));
    }
    return ok();
  }

  void arm_measures(const Arm& a, const std::string& prefix) {
    for (const auto& [name, v] : a.counts) {
      if (name == "record_bytes") continue;
      add(prefix + name, v, name.starts_with("t_first") ? "s" : name.starts_with("resets") || name.starts_with("errors") ? "" : "records");
    }
    if (const slo::Column* bytes = a.column("bytes"); bytes != nullptr && !bytes->values.empty()) add(prefix + "bytes_max", *std::ranges::max_element(bytes->values), "B");
    const double half = (fault_.from_s + fault_.to_s) / 2;
    const double offered = value_at(a, "offered", fault_.to_s) - value_at(a, "offered", half);
    for (const GroupSpec& g : s_.groups) {
      const auto put = [&](const char* name, double v, const char* unit) { add(fmt::format("{}{}_{}", prefix, name, g.name), v, unit); };
      const auto column = [&](const char* name, double t) { return value_at(a, fmt::format("{}_{}", name, g.name), t); };
      put("loss_share", (column("lost", fault_.to_s) - column("lost", half)) / offered, "share");
      put("fault_rate", (column("applied", fault_.to_s) - column("applied", half)) / (fault_.to_s - half), "records/s");
      put("lost_in_fault", column("lost", fault_.to_s), "records");
      put("lag_committed_end", column("lag_committed", fault_.to_s), "records");
      put("unseen", value_at(a, "end", fault_.to_s) - column("applied", fault_.to_s) - column("lag_committed", fault_.to_s), "records");
      const slo::Column* lag = a.column("lag_committed_" + g.name);
      const slo::Column* burrow = a.column("burrow_" + g.name);
      double most = 0, bad = 0, calm = std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < a.t_s.size(); ++i) {
        if (a.t_s[i] <= fault_.from_s || a.t_s[i] > fault_.to_s) continue;
        most = std::max(most, lag->values[i]);
        bad += burrow->values[i] != 0 ? 1 : 0;
        if (burrow->values[i] == 0 && std::isinf(calm)) calm = a.t_s[i] - fault_.from_s;
      }
      put("burrow_ok_after", calm, "s");
      put("lag_committed_max", most, "records");
      put("burrow_bad_s", bad, "s");
    }
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: {
        const double from = std::max(r_.phases.front().from_s, fault_.from_s - 60), to = fault_.from_s;
        const double rate = (value_at(r_.fault, "offered", to) - value_at(r_.fault, "offered", std::max(from, r_.fault.t_s.empty() ? 0 : r_.fault.t_s.front()))) / (to - std::max(from, 1.0));
        return {std::abs(rate / measured("rate") - 1) <= 0.02, fmt::format("{:.0f} records/s offered before the fault, {:.0f} declared", rate, measured("rate"))};
      }
      case Guard::kFaultSeen: return fault_seen();
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean: {
        for (const GroupSpec& group : s_.groups) {
          const double lost = r_.control.counts.at("lost_" + group.name);
          if (lost != 0) return {false, fmt::format("without the fault, {} lost {:.0f} records", group.name, lost)};
        }
        return {true, "without the fault no group lost anything"};
      }
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: {
        for (const Arm* a : arms_of(r_)) if (!a->drained) return {false, fmt::format("the groups of the arm {} did not reach the end", a->name)};
        return {true, "every group reached the end of the log, or stopped with its error"};
      }
    }
    return {false, "?"};
  }

  /// The fault by what it did, not by what was ordered: what the group applied, or where the log began.
  Checked fault_seen() const {
    const TopicFault& f = *s_.phases[s_.fault_phase()].inject;
    if (f.kind == TopicFault::Kind::kDeleteRecords) {
      const double before = value_at(r_.fault, "log_start", fault_.from_s - 1), after = value_at(r_.fault, "log_start", fault_.from_s + 1);
      return {after > before, fmt::format("the log began at {:.0f}, and at {:.0f} once records were deleted", before, after)};
    }
    const auto wanted = f.kind == TopicFault::Kind::kStop ? Result<double>(0.0) : s_.value(f.rate, kRate);
    const double applied = measured("fault_rate_" + f.group), offered = measured("rate");
    // A handler that is quicker than the producer is no fault: it would take less than it can.
    const bool holds = wanted && *wanted < offered && std::abs(applied - *wanted) <= std::max(1.0, 0.05 * *wanted);
    return {holds, fmt::format("{} applied {:.0f} records/s in the second half of the fault, {:.0f} ordered, {:.0f} offered", f.group, applied, wanted.value_or(0), offered)};
  }

  const TopicScenario& s_;
  LabResult& r_;
  const PhaseSpan fault_;
};

}  // namespace

Status evaluate_topic(const TopicScenario& scenario, LabResult& result) { return Evaluation(scenario, result).run(); }

namespace {

Status run_virtual(const env::Env& env, const TopicScenario& scenario, const RunOptions& options, LabResult& r) {
  SUPYO_ASSIGN(r.fault, run_one(env, scenario, "fault", options));
  for (const auto& [name, knobs] : scenario.arms) {
    TopicScenario changed = scenario;
    for (const auto& [knob, value] : knobs) SUPYO_TRY(set_knob(changed, fmt::format("{}={}", knob, value)));
    SUPYO_ASSIGN(Arm arm, run_one(env, changed, name, options));
    // The arms are big on disk; one at a time is enough.
    SUPYO_TRY(env.files.remove_all(env::join_path(options.directory, name)));
    if (name == "control") r.control = std::move(arm);
    else r.arms.push_back(std::move(arm));
  }
  return ok();
}

/// The arms side by side, each in a topic of its own: real time is dear.
class RealRun {
 public:
  RealRun(const env::Env& env, const TopicScenario& scenario, const RunOptions& options) : env_(env), options_(options) {
    options_.cancelled = [this] { return failed_.load() || (asked_to_stop_ && asked_to_stop_()); };
    options_.progress = [this](std::string_view arm, double share) {
      if (arm != "fault" || !told_) return;   // all go at one pace
      told_(arm, share);
    };
    asked_to_stop_ = options.cancelled;
    told_ = options.progress;
    arms_.push_back({"fault", scenario});
    for (const auto& [name, knobs] : scenario.arms) arms_.push_back({name, scenario});
  }

  Status run(LabResult& r) {
    for (One& one : arms_) {
      const auto knobs = one.scenario.arms.find(one.name);
      for (const auto& [knob, value] : knobs == one.scenario.arms.end() ? std::map<std::string, std::string>() : knobs->second) SUPYO_TRY(set_knob(one.scenario, fmt::format("{}={}", knob, value)));
    }
    SUPYO_TRY(check_cluster(*options_.cluster, arms_.front().scenario, r.config));
    std::vector<std::unique_ptr<env::Thread>> threads;
    for (One& one : arms_)
      threads.push_back(env_.threads->start("lab-arm", [this, &one] {
        one.result = run_live_arm(env_, *options_.cluster, one.scenario, one.name, options_);
        if (!one.result) failed_.store(true);   // the others have nothing to be compared with
      }));
    threads.clear();   // waits
    for (One& one : arms_)
      if (!one.result && one.result.error().code != ErrorCode::kCancelled) return fail(std::move(one.result.error()));
    for (One& one : arms_) {
      SUPYO_TRY(one.result);
      if (one.name == "fault") r.config.merge(one.result->config);
      (one.name == "fault" ? r.fault : one.name == "control" ? r.control : r.arms.emplace_back()) = std::move(one.result->arm);
    }
    return ok();
  }

 private:
  struct One {
    std::string name;
    TopicScenario scenario;
    Result<LiveArm> result = fail(ErrorCode::kCancelled, "the arm did not run");
  };
  env::Env env_;
  RunOptions options_;
  std::function<bool()> asked_to_stop_;
  std::function<void(std::string_view, double)> told_;
  std::vector<One> arms_;
  std::atomic<bool> failed_ = false;
};

}  // namespace

Result<LabResult> run_topic_scenario(const env::Env& env, const TopicScenario& scenario, const RunOptions& options) {
  if (options.real_clock && !options.cluster) return fail(ErrorCode::kUnsupported, fmt::format("{} has no run in real time on the embedded log", scenario.lab), "--on real, or --clock virtual");
  LabResult r;
  describe(scenario, options, r);
  r.versions = {{"supyo", SUPYO_VERSION}};
  if (options.cluster) {
    r.mode = "real";
    r.clock = "real";
    r.versions.insert(options.cluster->versions.begin(), options.cluster->versions.end());
    SUPYO_TRY(RealRun(env, scenario, options).run(r));
  } else {
    SUPYO_TRY(begin_data(env, options));
    SUPYO_TRY(run_virtual(env, scenario, options, r));
    SUPYO_TRY(end_data(env, options));
  }
  SUPYO_TRY(evaluate_topic(scenario, r));
  return r;
}

}  // namespace supyo::scenario
