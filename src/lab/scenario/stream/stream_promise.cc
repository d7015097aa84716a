#include "lab/scenario/stream/stream_promise.h"

#include <algorithm>

#include "judge/slo/lag_rules.h"

namespace supyo::scenario {
namespace {

slo::Objective objective(slo::Measure measure, std::string name, double target, DurationUs threshold, DurationUs window) {
  slo::Objective o;
  o.measure = measure;
  o.name = std::move(name);
  o.target = target;
  o.threshold_us = threshold;
  o.window_us = window;
  return o;
}

void break_if(std::vector<double>& broken, const std::vector<double>& values, double above) {
  for (std::size_t i = 0; i < broken.size(); ++i)
    if (values[i] > above) broken[i] = 1;
}

/// Of the records that came within the window, those that are in none of the results that readers have although these say to be complete.
Status add_missing(const StreamScenario& s, const Arm& arm, std::vector<double>& broken) {
  SUPYO_ASSIGN(const double share, s.value(s.promise.complete, kNumber));
  SUPYO_ASSIGN(const DurationUs window, s.duration(s.promise.window));
  const auto back = static_cast<std::size_t>(window / kSecond);
  const std::vector<double>&missing = arm.column("missing")->values, &acked = arm.column("acked")->values;
  const auto grown = [back](const std::vector<double>& v, std::size_t i) { return v[i] - (i < back ? 0 : v[i - back]); };
  for (std::size_t i = 0; i < broken.size(); ++i)
    if (grown(missing, i) > (1 - share) * grown(acked, i)) broken[i] = 1;
  return ok();
}

}  // namespace

Result<slo::Objectives> promised_objectives(const StreamScenario& s, double lenience) {
  slo::Objectives all;
  SUPYO_ASSIGN(const DurationUs window, s.promise.window.empty() ? Result<DurationUs>(kMinute) : s.duration(s.promise.window));
  const auto longer = [lenience](DurationUs us) { return static_cast<DurationUs>(lenience * static_cast<double>(us)); };
  if (!s.promise.within.empty()) {
    SUPYO_ASSIGN(const DurationUs within, s.duration(s.promise.within));
    SUPYO_ASSIGN(const double share, s.value(s.promise.share, kNumber));
    all.items.push_back(objective(slo::Measure::kEndToEndLatency, "latency", share, longer(within), window));
  }
  if (!s.promise.fresh.empty()) {   // never older: one second of a minute is too much
    SUPYO_ASSIGN(const DurationUs fresh, s.duration(s.promise.fresh));
    all.items.push_back(objective(slo::Measure::kFreshness, "freshness", 0.99, longer(fresh), kMinute));
    all.items.back().reference = slo::Reference::kCompletion;
  }
  if (!s.promise.complete.empty()) {
    SUPYO_ASSIGN(const double share, s.value(s.promise.complete, kNumber));
    all.items.push_back(objective(slo::Measure::kCompleteness, "completeness", share, 0, window));
  }
  return all;
}

Status add_promise(const StreamScenario& s, const StreamTruth& truth, TimeUs start_us, TimeUs baseline_end_us, Arm& arm) {
  const std::size_t samples = arm.t_s.size();
  std::vector<double> broken(samples, 0);
  const bool timed = !s.promise.within.empty();
  const auto ids = std::ranges::find_if(truth.results(), [](const auto& r) { return r.ids != nullptr; });
  if (ids != truth.results().end()) {
    SUPYO_ASSIGN(const DurationUs within, timed ? s.duration(s.promise.within) : Result<DurationUs>(kMinute));
    SUPYO_ASSIGN(const DurationUs window, timed ? s.duration(s.promise.window) : Result<DurationUs>(kMinute));
    SUPYO_ASSIGN(const double share, timed ? s.value(s.promise.share, kNumber) : Result<double>(0.0));
    ReaderSeries r = reader_series(*ids->ids, start_us, samples, within, window);
    if (timed) break_if(broken, r.bad_share, 1 - share);
    arm.columns.push_back({"e2e_p50", "s", std::move(r.p50_s)});
    arm.columns.push_back({"e2e_p95", "s", std::move(r.p95_s)});
    arm.columns.push_back({"e2e_p99", "s", std::move(r.p99_s)});
    arm.columns.push_back({"bad_share", "share", std::move(r.bad_share)});
  }
  if (!s.promise.fresh.empty()) {
    SUPYO_ASSIGN(const double fresh, s.value(s.promise.fresh, kSeconds));
    break_if(broken, arm.column("freshness")->values, fresh);
  }
  if (!s.promise.complete.empty()) SUPYO_TRY(add_missing(s, arm, broken));
  arm.columns.push_back({"slo_broken", "state", std::move(broken)});
  const slo::Column* lag = arm.column("lag_committed");
  if (lag == nullptr) return ok();
  SUPYO_ASSIGN(const double factor, s.value(s.lag_factor, kNumber));
  SUPYO_ASSIGN(const DurationUs hold, s.duration(s.lag_hold));
  double baseline = 0;
  std::vector<TimeUs> times;
  for (std::size_t i = 0; i < samples; ++i) {
    times.push_back(start_us + static_cast<TimeUs>(arm.t_s[i]) * kSecond);
    if (times.back() <= baseline_end_us && lag->values[i] > baseline) baseline = lag->values[i];
  }
  const std::vector<bool> alarm = slo::evaluate_raw({factor * baseline, hold}, times, lag->values);
  arm.counts["baseline_lag_max"] = baseline;
  arm.columns.push_back({"lag_alarm", "state", std::vector<double>(alarm.begin(), alarm.end())});
  return ok();
}

}  // namespace supyo::scenario
