#pragma once
#include <string>

#include "core/env/env.h"
#include "lab/scenario/stream/stream_arm.h"

namespace supyo::scenario {

class FlinkCluster;

/// Runs the arm's pipeline as a job of a real Flink between topics of a real Kafka, in real time: on `shared`, which arms use side by side, or (null) on a cluster of the arm's own, killed or stopped as the scenario says.
/// Topics have names of their own and are deleted however it ends. What is measured is what a producer and readers of the lab see, what the brokers say of the group, and the JobManager's checkpoints and metrics.
/// `scenario` is the arm's; batches: kUnsupported.
///
/// Columns, by the second: offered, acked, committed, rows, fired, updates, repeated, missing, late (as Flink counts what its windows drop), freshness, epochs, epochs_failed, epoch_duration, restarts, running (by the JobManager),
/// state_bytes (of the newest checkpoint), watermark_lag (of the job's last vertex), watermark_N (now less the newest event of the first input's partition N), end_N (by the brokers), lag_committed (by the brokers), lag_fetched
/// (acknowledged, and not yet written to the first result with ids: from outside that is what Flink has fetched; without such a result what Flink's sources tell), and those of stream_promise.h.
/// A trial has ms_after_commit and ms_after_cut (since the newest complete checkpoint was complete, and was triggered), repeated, detected_after, running_after and checkpoint_after (from the kill on).
Result<StreamArmResult> run_flink_arm(const env::Env& env, const StreamScenario& scenario, const std::string& sql, const std::string& name, const RunOptions& options, FlinkCluster* shared = nullptr);

}  // namespace supyo::scenario
