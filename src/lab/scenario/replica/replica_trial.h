#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lab/scenario/replica/replica_scenario.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

inline constexpr DurationUs kReplicaSample = 500 * kMillisecond;

/// What is seen of a partition at a moment; NaN where nobody can say (no leader answers).
struct ReplicaSample {
  double sent = 0, acked = 0;                   ///< by the producer
  double end = 0, high_watermark = 0;           ///< of the leader's log
  double committed = 0;                         ///< of the consumer
  double isr = 0, epoch = 0, leader = -1;       ///< leader: the broker's number, from 1; 0: none
  double freshness_s = 0;                       ///< age of the newest record that the consumer has seen
  std::map<std::string, double> errors = {};         ///< so far, by the client's name of the error
};

/// Columns of an arm: sent, acked, ack_rate (records/s), end, high_watermark, lag_hidden (end - high watermark), lag_committed (high watermark - committed), isr, epoch, leader,
/// freshness, and of errors so far: errors_not_enough_replicas, errors_transport, errors_not_leader, errors_timed_out, errors_other.
void add_replica_columns(Arm& arm);
void add_replica_sample(Arm& arm, TimeUs t_us, const ReplicaSample& sample);
/// "errors_not_leader" for "NOT_LEADER_OR_FOLLOWER".
std::string error_column(std::string_view client_name);

/// Adds to the counts of a trial what follows from its columns. The "late" part is the last third of the fault: acked_late, hw_late, lag_late (growth of the committed lag), fresh_slope
/// (seconds a second); lag_hidden_max, isr_min, epochs (leader changes), and errors by name.
void summarise_trial(Arm& trial, const ReplicaPlan& plan);
/// One arm of its trials: the columns and events of the first, and of each count the sum (what the ledger counts) or the mean, X_min and X_max. Of `lost` also lost_mean with lost_low and
/// lost_high (95 %), lost_trials, and loss_rate_high, the upper 95 % bound of the share of trials that lose anything.
Arm join_trials(const std::string& name, std::vector<Arm> trials);

/// One trial on the model, in virtual time. Its own counts: sent, acked, failed, unknown, lost (acknowledged and not in the log at the end), duplicates, read_lost (read by the consumer and not in the
/// log at the end), prompt_share (acknowledged within a second), outage (the longest time between two acknowledgements, seconds), truncated, unclean_elections, fault_seen (1: what was ordered shows).
Result<Arm> run_model_trial(const ReplicaPlan& plan, int trial, const RunOptions& options);

}  // namespace supyo::scenario
