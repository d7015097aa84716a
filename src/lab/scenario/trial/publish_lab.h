#pragma once
#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {

/// Runs the arms of a lab about a producer's outcomes in real time, one after the other: a broker that stands still (SIGSTOP), or connections that the lab's proxy
/// resets; then reads the topic back. Errors: those of the cluster and its clients, kUnsupported (a cluster without what the faults need), kCancelled.
Result<LabResult> run_publish_scenario(const env::Env& env, const PublishScenario& scenario, const RunOptions& options);

/// As evaluate(). Measures (of the arm "fault"; ARM_NAME of another one): the knobs; rate; and of each arm: sent, acked, failed, unknown, refused (by the client's full
/// queue; they are among the failed), expired (failed or unknown, but not refused), repeated, inversions (in the topic), missing (acknowledged and not in the topic),
/// phantom (failed and in the topic), kept (unknown and in the topic), stopped (seconds that the broker stood), resets (connections), timeout, queue, in_flight,
/// ack_max (seconds), queue_max (records that waited in the client).
Status evaluate_publish(const PublishScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
