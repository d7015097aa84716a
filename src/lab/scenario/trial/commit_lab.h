#pragma once
#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {

/// Runs a lab about the order of commits in real time, on real clients: first a control arm whose consumers are asked to end, then the arm whose consumers are
/// killed; all consumers of an arm at a time, each a process and a group of its own, over one topic of one partition. One trial is one end of a consumer's life.
/// Errors: those of the cluster and its clients, kJobFailed (a consumer ended by itself: its log is in the message), kCancelled.
Result<LabResult> run_commit_scenario(const env::Env& env, const CommitScenario& scenario, const RunOptions& options);

/// As evaluate(). Measures (of the arm "fault"; control_NAME of the control arm): the knobs; rate, handler, batch, interval; sent, acked, failed, unknown; ends (of all
/// consumers); and per consumer G: ends_G, lost_G, repeated_G (records, all ends together), lost_max_G, repeated_max_G (of one end), lost_ends_G, repeated_ends_G (ends
/// that lost or repeated something), beyond_flight_G (ends that lost more than was in flight), beyond_commit_G (ends that repeated more than was not committed),
/// loss_share_G (of its ends) with loss_share_low_G and loss_share_high_G (95 % interval, Wilson), in_flight_max_G.
Status evaluate_commit(const CommitScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
