#pragma once
#include <functional>

#include "core/env/env.h"
#include "lab/scenario/replica/replica_scenario.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// What every page and result of a run on the model carries.
inline constexpr std::string_view kModelNote = "A model of Kafka's replication in virtual time: simulated, not measured Kafka.";

/// What a result says of any lab about replicas, on the model or on real brokers.
void describe_replicated(const Declaration& declared, const RunOptions& options, bool real, LabResult& result);

/// Runs one trial of an arm, wherever that is.
using ReplicaTrialRunner = std::function<Result<Arm>(const ReplicaPlan& plan, int trial)>;

/// Runs the arms of a lab about replicas on the model, in virtual time, and works out the verdict. Errors: kBadConfigFile, kCancelled.
Result<LabResult> run_replica_scenario(const env::Env& env, const ReplicaScenario& scenario, const RunOptions& options);
/// The same with trials that run elsewhere; `real` says that they run on real brokers (arms that only the model knows are left out).
Result<LabResult> run_replica_trials(const ReplicaScenario& scenario, const RunOptions& options, bool real, const ReplicaTrialRunner& run_trial);

/// As evaluate(). Measures that formulas may name (of the arm "fault"; ARM_name of another arm): the knobs, rate, every count of the arm (replica_trial.h), ARM_knob of an arm's own knobs, and what the file derives.
Status evaluate_replica(const ReplicaScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
