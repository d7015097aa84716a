#pragma once
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "judge/slo/series.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

struct Measure {
  std::string name;
  double value = 0;                  ///< infinity: never; NaN: not measured
  std::string unit;                  ///< "s", "records", "records/s", "share", ""
  std::optional<double> predicted, low, high;
};

struct GuardResult {
  std::string id, name;
  bool ok = false;
  std::string why;
};

struct PhaseSpan {
  std::string name;
  double from_s = 0, to_s = 0;
  bool fault = false;
};

/// One objective as the report shows it.
struct ObjectiveInfo {
  std::string name, title, sentence, measure, role;
  double target = 0, threshold_s = 0, window_s = 0;
};

/// What the judge said at a moment.
struct Judgement {
  double t_s = 0;
  std::string state;
  std::vector<std::string> reasons;
  struct Ticket { std::string rule, evidence, next_step; };
  std::vector<Ticket> tickets;
};

/// A latency distribution: upper bounds in seconds and how many records lie in each step.
struct Distribution {
  std::vector<double> upper_s;
  std::vector<double> records;
  double quantile(double q) const;   ///< NaN when empty
};

/// Where the time of a mean record went, in seconds, additive to the total.
struct MeanWaterfall {
  double records = 0, source_s = 0, log_s = 0, interval_s = 0, watermark_s = 0, epoch_s = 0, commit_s = 0;
};

/// What one arm of the experiment recorded.
struct Arm {
  std::string name;                            ///< "fault", "control"
  std::vector<double> t_s;                     ///< sample times, seconds since the start
  std::vector<slo::Column> columns;            ///< the judge's series and the runner's own (offered, table_rows)
  std::vector<std::pair<double, std::string>> timeline;
  std::map<std::string, Distribution> latency; ///< by phase, without the settling time after each change
  std::map<std::string, MeanWaterfall> waterfall;
  std::map<std::string, double> counts;        ///< sent, acked, failed, unknown, applied, distinct, late, dead, epochs, epochs_failed, unfinished
  bool drained = false;
  std::vector<Judgement> judgements;           ///< at the end of each phase
  const slo::Column* column(std::string_view name) const;
};

/// What a topic lab's report shows, as its file declares it.
struct PlotLine {
  std::string series, label, arm = "fault";
  bool band = false;
};
struct Plot {
  std::string id, title, unit, note;
  std::vector<PlotLine> lines;
  std::string x = {}, y = {};                  ///< instead of lines: two values of the trials, one point a trial
};
struct Tile {
  std::string name, measure, note;
};

/// One of many like experiments: a kill, a pulse.
struct Trial {
  std::string arm, group;
  double t_s = 0;                              ///< when the fault struck
  std::map<std::string, double> values;
};

/// A lab's whole outcome: what was declared, what was recorded, and what follows. `result.json` is this, and the verdict can be worked out again from it.
struct LabResult {
  std::string lab, title, hypothesis, mode = "embedded", clock = "virtual", formula, why, repeat;
  std::uint64_t seed = 0;
  Verdict verdict = Verdict::kInvalid, expected = Verdict::kConfirmed;
  double window_scale = 1;
  std::vector<Measure> measures;
  std::vector<GuardResult> guards;
  std::vector<PhaseSpan> phases;
  std::vector<ObjectiveInfo> objectives;
  Arm fault, control;
  std::string kind = "pipeline";               ///< or "topic", "stream", "replica", "frontier", "trials": which page shows it
  std::string model;                           ///< not empty: nothing of it was measured on a real system, and what it is instead
  std::vector<Arm> arms;                       ///< all but pipeline: further arms
  std::vector<Plot> plots;                     ///< all but pipeline
  std::vector<Tile> tiles;                     ///< all but pipeline
  std::vector<Trial> trials;                   ///< trials
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  double t_spike_s = kNever, t_breach_s = kNever, t_lag_alarm_s = kNever, t_burrow_s = kNever, blind_s = 0;
  bool lag_changed = false;
  double raw_threshold = 0, raw_hold_s = 0;    ///< of the raw lag rule, once its baseline is known
  std::map<std::string, std::string> versions, config;
  std::string scenario_text;                   ///< the declaration itself, knobs as run

  const Measure* measure(std::string_view name) const;
  const PhaseSpan* fault_phase() const;
  /// "fault", "control", or one of `arms`; null when there is none.
  const Arm* arm(std::string_view name) const;
};

std::string to_json(const LabResult& result);
/// Errors: kBadConfigFile when it is not a lab's result.
Result<LabResult> result_from_json(std::string_view json);

}  // namespace supyo::scenario
