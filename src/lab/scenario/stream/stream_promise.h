#pragma once
#include "judge/slo/objective.h"
#include "lab/scenario/result.h"
#include "lab/scenario/stream/stream_results.h"
#include "lab/scenario/stream/stream_scenario.h"

namespace supyo::scenario {

/// What readers were promised, as objectives for the judge, whose thresholds for time are `lenience` times as long as what was promised (1: the same). Errors: kBadConfigFile.
Result<slo::Objectives> promised_objectives(const StreamScenario& scenario, double lenience = 1);

/// Adds to an arm what its readers had, by reading alone, and what the lag alarm would have said: the columns e2e_p50, e2e_p95, e2e_p99 and bad_share (of the first result with ids), slo_broken, lag_alarm.
Status add_promise(const StreamScenario& scenario, const StreamTruth& truth, TimeUs start_us, TimeUs baseline_end_us, Arm& arm);

}  // namespace supyo::scenario
