#pragma once
#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/stream/stream_arm.h"
#include "lab/scenario/stream/stream_scenario.h"

namespace supyo::scenario {

/// Runs the arms of a stream lab in virtual time on the embedded log, one after the other, and works out the verdict. Errors: as run_scenario.
Result<LabResult> run_stream_scenario(const env::Env& env, const StreamScenario& scenario, const RunOptions& options);

/// Runs the job of `scenario`, as its arm has it, from the beginning of 2026 on, in options.directory/`name`. Errors: as run_scenario.
Result<StreamArmResult> run_stream_once(const env::Env& env, const StreamScenario& scenario, const slo::Objectives& objectives, const std::string& name, const RunOptions& options);

/// The same file as it is on real systems: a job of a real Flink (options.flink) between topics of options.cluster, in real time (flink_arm.h). Errors besides: kFileNotFound (no Flink there), kUnsupported (a fault
/// that cannot be made there).
Result<LabResult> run_real_stream_scenario(const env::Env& env, const StreamScenario& scenario, const RunOptions& options);

/// As evaluate(), of what a stream lab recorded. Measures that formulas may name (of the arm "fault"; ARM_name of another arm): the knobs, ARM_knob of an arm's own knobs, fault_seconds, every
/// count of the arm (stream_arm.cc: sent, acked, lost, repeated, window_input, window_final, window_unfired (records of windows that nobody got), windows_wrong, windows_updated, side, late, epochs, epochs_failed, restarts, kills, ..), and
/// lag_committed_max, lag_fetched_max, lag_committed_end, freshness_max, freshness_growth (seconds a second over the fault's second half), e2e_p95_max, e2e_p95_baseline, input_in_fault, fired_in_fault (windows that
/// readers got first in the fault, from `settle` = 10 s on), stall_max (longest time without a new window, in the fault), resumed_after (from the fault's start to the first of them;
/// infinity: none), committed_still (longest time in the fault in which the committed position stood still), slo_bad_s, lag_alarm_s, burrow_bad_s, blind_s (broken, and neither
/// the raw rule nor Burrow's said so), false_alarm_s (the raw rule alarmed, and readers had what they were promised), incident_s (the judge's state is INCIDENT), t_slo, t_lag, t_burrow, t_incident (from the fault's start to the first such second; infinity: never),
/// what the oracles count (stream_oracle.h), batches (stream_batch.h) and replays (replay_equal_TOPIC, replay_rows_TOPIC); state_bytes_max;
/// late_rate (of what the job took), baseline_fetched_max, epochs_in_fault, epochs_failed_in_fault, restarts_in_fault; repeated_mean, repeated_low, repeated_high (a kill's repeats, with the 95 % interval), back_after_max (from a kill until
/// the job had read everything again); on Flink also checkpoint_time (mean), late (as Flink counts what its windows drop), detected_after_mean, running_after_mean and checkpoint_after_mean (from a kill until the JobManager knew, the job ran again, and had a checkpoint).
Status evaluate_stream(const StreamScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
