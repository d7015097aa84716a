#pragma once
#include "core/env/env.h"
#include "lab/scenario/group/group_scenario.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// Runs a lab about groups in real time, on real clients: all arms side by side, each a topic and a group of its own, each member a process. Errors: those of the cluster and its clients,
/// kJobFailed (a member ended by itself: its log is in the message), kCancelled.
Result<LabResult> run_group_scenario(const env::Env& env, const GroupScenario& scenario, const RunOptions& options);

/// As evaluate(). Measures: the knobs; rate, partitions, members, batch, handler, poll, session, heartbeat, look; and of each arm (the arm "fault" without prefix, else NAME_): the counts of GroupArmRun::finish, those in _s
/// without it, and leave (between leave_low and leave_high).
Status evaluate_group(const GroupScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
