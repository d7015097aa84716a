#pragma once
#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/topic/topic_scenario.h"

namespace supyo::scenario {

/// Runs the arms of a topic lab and works out the verdict: in virtual time on the embedded log, one after the other (their logs are big); with options.cluster in real time
/// on that cluster, side by side. Errors: as run_scenario, and of a cluster those of check_cluster and run_live_arm.
Result<LabResult> run_topic_scenario(const env::Env& env, const TopicScenario& scenario, const RunOptions& options);

/// As evaluate(), of what a topic lab recorded. Measures that formulas may name (of the arm "fault"; ARM_name of another arm): the knobs; rate, record_size,
/// retention, segment, check; sent, acked; fault_seconds; and per group G: every count of the arm, loss_share_G (of what was offered in the second half of the
/// fault), lag_committed_max_G (in the fault), lag_committed_end_G (at its end), lost_in_fault_G, unseen_G (what G had not applied at the fault's end, beyond its
/// committed lag), fault_rate_G (records a second that it applied in the second half of the fault), burrow_bad_s_G (seconds of the fault in which Burrow's
/// rules did not say OK), burrow_ok_after_G (seconds from the fault's start until they said OK; infinity: never). Also bytes_max (of the log), ARM_knob of an arm's
/// own knobs, and what the file derives.
Status evaluate_topic(const TopicScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
