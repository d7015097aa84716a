#pragma once
#include <map>
#include <string>

#include "core/env/env.h"
#include "lab/scenario/replica/broker_processes.h"
#include "lab/scenario/replica/replica_trial.h"

namespace supyo::scenario {

/// One trial on real brokers, in real time, in a topic of its own: a producer with a ledger, a consumer of a group of its own, two probes that ask the brokers four times a second, and processes that are really
/// stopped and killed. Columns and counts are run_model_trial's, with these differences: `end` is the highest acknowledged offset + 1; `epoch` counts the changes of the leader that the probe saw;
/// `lag_committed` counts from the position that the consumer gave to be committed; errors count records by their last error, not requests; read_back counts what a reader found afterwards (its number must be
/// the log's offsets, else the trial is not drained); `truncated` and `unclean_elections` are not known. Its own: what was lost, counted twice more, lost_by_offset (acknowledged at an offset where in the
/// end another record is, or none) and lost_on_disk (from the brokers' files: acknowledged by the leader that died, and cut from its log), with lost_apart, how far the three are apart; cut (records cut from the
/// dead leader's log, acknowledged or not; of the one that led before the fault); clients_lost (producers that gave up for good and were replaced). `config` gets what the brokers say of themselves, once.
Result<Arm> run_real_trial(const env::Env& env, BrokerProcesses& brokers, const ReplicaPlan& plan, int trial, const RunOptions& options, std::map<std::string, std::string>& config);

/// A lab about replicas on real brokers: its trials, one after the other. Arms that only the model knows are left out; the caller has set the file's `real` knobs. Errors: kOutsideUnavailable, kCancelled.
Result<LabResult> run_real_replica_scenario(const env::Env& env, BrokerProcesses& brokers, const ReplicaScenario& scenario, const RunOptions& options);

}  // namespace supyo::scenario
