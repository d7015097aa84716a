#pragma once
#include <vector>

#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/stream/detection_scenario.h"

namespace supyo::scenario {

/// What was said beside what was so, second by second.
struct Comparison {
  double episodes = 0;              ///< of what was so; breaks of a minute and less are no ends
  double missed = 0;                ///< of them, those that were not said from `within` before their start to `within` after it
  double unsaid = 0;                ///< of them, those that were not said as long as they lasted, nor `within` after
  double false_calls = 0;           ///< stretches of saying with nothing so from `within` before they began to `within` after
  std::vector<double> delays;       ///< of each episode that was said, in seconds from its start; below 0: before it
};
Comparison compare(const std::vector<bool>& was_so, const std::vector<bool>& said, std::size_t within);

/// Runs what the seed draws, one after the other in virtual time, and works out the verdict. Errors: as run_scenario.
Result<LabResult> run_detection_scenario(const env::Env& env, const DetectionScenario& scenario, const RunOptions& options);

/// As evaluate(), of the trials that such a lab recorded. Measures that formulas may name: the knobs, runs, episodes (of broken promises), breached_runs (that had one), missed (not said in time by the judge's INCIDENT), false_incidents, delay_mean, delay_max;
/// lag_missed, lag_unsaid, lag_false, lag_delay_mean of the raw lag rule, burrow_.. of Burrow's; of each label runs_LABEL, episodes_LABEL, missed_LABEL, false_LABEL, delay_max_LABEL, lag_unsaid_LABEL, lag_false_LABEL, burrow_unsaid_LABEL, burrow_false_LABEL.
Status evaluate_detection(const DetectionScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
