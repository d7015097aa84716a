#pragma once
#include <string>

#include "core/env/env.h"
#include "core/env/real/real_env.h"
#include "judge/slo/objective.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/stream/stream_scenario.h"

namespace supyo::scenario {

struct StreamArmResult {
  Arm arm;
  std::vector<Trial> trials;              ///< one a kill
};

/// Runs a job in virtual time as `scenario` (with this arm's knobs) says. The clock goes on to whatever is due next: a record, a sample, or what the job waits for. A killed job is dropped
/// as it stands and started again from its state directory.
///
/// Columns, by the second: offered, acked, committed (by the job's consumer groups, as the log has it), rows (read by readers), lag_committed, lag_fetched, lag_time, burrow (the judge's, of the job's sources), watermark_lag (of the job: now less its watermark),
/// silent_P and watermark_P of partition P of the first input (seconds since it got a record; now less its newest event), fired (windows), updates, repeated, freshness (now less the newest
/// that readers have), e2e_p50, e2e_p95, e2e_p99, bad_share (of the first result with ids), late, missing (sent, and not in the windows that readers have), epochs, epochs_failed, restarts, running, and slo_broken, lag_alarm as the scenario promises.
Result<StreamArmResult> run_stream_arm(const env::Env& env, env::VirtualClock& clock, const StreamScenario& scenario, const slo::Objectives& objectives, const std::string& sql, const std::string& name,
                                       const RunOptions& options);

}  // namespace supyo::scenario
