#include "lab/scenario/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "core/env/sim/sim_env.h"
#include "judge/slo/openslo.h"
#include "lab/scenario/arm.h"
#include "lab/scenario/evaluate.h"
#include "lab/scenario/lab_files.h"

namespace supyo::scenario {
namespace {

Result<std::string> read_declared(env::Files& files, const std::string& root, const std::string& path, std::string_view what) {
  const std::string full = env::join_path(root, path);
  auto text = files.read_all(full);
  if (text) return text;
  if (text.error().code != ErrorCode::kNotFoundOnDisk) return text;
  return fail(ErrorCode::kFileNotFound, fmt::format("the scenario's {} {} is not there", what, full), "run it from the directory that holds scenarios/ and examples/");
}

/// The control arm's scenario: the same but for the knobs that `control` sets.
Result<Scenario> control_of(const Scenario& s) {
  Scenario c = s;
  for (const auto& [knob, value] : s.control) SUPYO_TRY(set_knob(c, fmt::format("{}={}", knob, value)));
  return c;
}

void scale_windows(slo::Objectives& o, double scale) {
  const auto scaled = [&](DurationUs w) { return std::max(10 * kSecond, static_cast<DurationUs>(std::llround(static_cast<double>(w) * scale / 1e6)) * kSecond); };
  for (slo::Objective& x : o.items) {
    x.window_us = scaled(x.window_us);
    for (slo::BurnAlert& a : x.alerts) {
      a.long_window_us = scaled(a.long_window_us);
      a.short_window_us = scaled(a.short_window_us);
    }
  }
}

Result<Arm> run_arm(const env::Env& env, const Scenario& s, const slo::Objectives& objectives, const std::string& sql, const std::string& name, double scale, Bench& bench,
                    const RunOptions& options) {
  if (options.real_clock) return ArmRun({env, nullptr, s, objectives, sql, name, scale, options, bench}).run();
  env::VirtualClock clock(s.workload.start_us);
  UnsyncedFiles files(env.files);
  env::SeededRandom random(s.workload.seed);
  const env::Env virtual_env{clock, files, random, nullptr};
  return ArmRun({virtual_env, &clock, s, objectives, sql, name, scale, options, bench}).run();
}

/// Both arms, side by side where there are threads: they share nothing but the machine.
Status run_arms(const env::Env& env, const Scenario& scenario, const Scenario& control, const slo::Objectives& objectives, const std::string& sql, Bench& bench, const RunOptions& options, LabResult& r) {
  std::mutex mutex;
  RunOptions shared = options;
  if (options.progress) {
    shared.progress = [&](std::string_view arm, double share) {
      const std::lock_guard lock(mutex);
      options.progress(arm, share);
    };
  }
  std::optional<Result<Arm>> control_arm;
  const auto run_control = [&] { control_arm.emplace(run_arm(env, control, objectives, sql, "control", r.window_scale, bench, shared)); };
  std::unique_ptr<env::Thread> thread;
  if (env.threads != nullptr) thread = env.threads->start("lab-control", run_control);
  else run_control();
  auto fault_arm = run_arm(env, scenario, objectives, sql, "fault", r.window_scale, bench, shared);
  if (thread != nullptr) thread->join();
  if (!fault_arm) return fail(fault_arm.error());
  if (!*control_arm) return fail(control_arm->error());
  r.fault = *std::move(fault_arm);
  r.control = **std::move(control_arm);
  return ok();
}

void describe(const Scenario& s, const slo::Objectives& objectives, const RunOptions& options, LabResult& r) {
  r.lab = s.lab;
  r.title = s.title;
  r.hypothesis = s.hypothesis;
  if (options.cluster) r.mode = "real";
  r.clock = options.real_clock ? "real" : "virtual";
  r.seed = s.workload.seed;
  r.expected = s.expect;
  r.repeat = options.repeat;
  double t = 0;
  for (const Phase& p : s.phases) {
    const double length = std::round(static_cast<double>(p.length_us) * r.window_scale / 1e6);
    r.phases.push_back({p.name, t, t + length, p.inject.has_value()});
    t += length;
  }
  for (const slo::Objective& o : objectives.items) {
    r.objectives.push_back({o.name, o.display_name.empty() ? o.name : o.display_name, o.sentence(), std::string(slo::measure_name(o.measure)), std::string(slo::role_name(o.role)), o.target,
                            static_cast<double>(o.threshold_us) / 1e6, static_cast<double>(o.window_us) / 1e6});
  }
  auto& c = r.config;
  c["workload"] = fmt::format("{}, {:g} changes/s, disorder below {}, duplicates {:g}, late {:g}, {} keys, seed {}", s.domain, s.workload.tps, slo::show_duration(s.workload.disorder_us),
                              s.workload.duplicates, s.workload.late, s.workload.keys, s.workload.seed);
  if (options.cluster) c["cluster"] = options.cluster->name;
  c["producer linger"] = slo::show_duration(s.linger_us);
  c["pipeline"] = s.pipeline;
  c["objectives"] = s.objectives;
  for (const auto& [name, k] : s.knobs) c["knob " + name] = k.text;
  for (const auto& [name, value] : s.settings) c[name] = value.starts_with("$") ? s.knobs.find(value.substr(1))->second.text : value;
  c["raw lag rule"] = fmt::format("{} > {} for {}", s.raw_rule.series, s.raw_rule.threshold.text(), slo::show_duration(s.raw_rule.hold_us));
  const Phase& fault = s.phases[s.fault_phase()];
  c["fault"] = fmt::format("{}, delay {}, phase {}", fault.inject->point, fault.inject->delay, fault.name);
  if (!options.real_clock) {
    c["declared cost of a durable epoch record"] = slo::show_duration(options.journal_sync_us);
    c["declared cost of a table commit"] = slo::show_duration(options.sink_commit_us);
  }
}

}  // namespace

Status begin_data(const env::Env& env, const RunOptions& options) {
  if (options.directory.empty()) return fail(ErrorCode::kMissingOption, "a lab needs a directory for its data", "--out DIR");
  SUPYO_TRY(env.files.remove_all(options.directory));
  return env.files.create_directories(options.directory);
}

Status end_data(const env::Env& env, const RunOptions& options) { return options.keep ? ok() : env.files.remove_all(options.directory); }

Result<LabResult> run_scenario(const env::Env& env, const Scenario& scenario, Bench& bench, const RunOptions& options) {
  SUPYO_ASSIGN(const std::string sql, read_declared(env.files, options.root, scenario.pipeline, "pipeline"));
  SUPYO_ASSIGN(const std::string slo_text, read_declared(env.files, options.root, scenario.objectives, "objectives file"));
  SUPYO_ASSIGN(slo::Objectives objectives, slo::parse_openslo(slo_text, scenario.objectives));
  SUPYO_ASSIGN(const Scenario control, control_of(scenario));
  LabResult r;
  r.window_scale = options.real_clock ? scenario.real_scale : 1;
  scale_windows(objectives, r.window_scale);
  describe(scenario, objectives, options, r);
  SUPYO_TRY(begin_data(env, options));
  SUPYO_TRY(run_arms(env, scenario, control, objectives, sql, bench, options, r));
  SUPYO_TRY(end_data(env, options));
  r.versions = bench.versions();
  SUPYO_TRY(evaluate(scenario, r));
  return r;
}

}  // namespace supyo::scenario
