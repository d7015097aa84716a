#pragma once
#include <string>

#include "core/env/env.h"
#include "lab/scenario/stream/stream_arm.h"

namespace supyo::scenario {

/// Runs the arm's pipeline as a job of a real Flink between topics of a real Kafka, in real time: a cluster of Flink of the arm's own, killed or stopped as the scenario says, and topics with names of their own, which
/// are deleted however it ends. What is measured is what a producer and readers of the lab see, what the brokers say of the group, and the JobManager's checkpoints. `scenario` is the arm's; faults other than kills: kUnsupported.
///
/// Columns, by the second: offered, acked, committed, rows, fired, updates, repeated, missing, freshness, epochs, epochs_failed, epoch_duration, restarts, running (by the JobManager), lag_committed (by the brokers), lag_fetched
/// (acknowledged, and not yet written to the first result with ids: from outside that is what Flink has fetched), and those of stream_promise.h.
/// A trial has ms_after_commit (since the newest complete checkpoint), repeated, detected_after, running_after and checkpoint_after (from the kill on).
Result<StreamArmResult> run_flink_arm(const env::Env& env, const StreamScenario& scenario, const std::string& sql, const std::string& name, const RunOptions& options);

}  // namespace supyo::scenario
