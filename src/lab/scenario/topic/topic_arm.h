#pragma once
#include <string>

#include "core/env/env.h"
#include "core/env/real/real_env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/topic/topic_scenario.h"

namespace supyo::scenario {

/// Runs one arm of a topic lab in virtual time, on the embedded log with its real retention: a producer, groups whose clients fetch ahead of their handlers,
/// and the log's own deletion every `check`. The arm's columns, sampled every second (per group G of the file):
///   offered, log_start, end (records), bytes (of the log), applied_G, lag_committed_G, lag_fetched_G, headroom_G (committed position minus log start, 0 at least),
///   exposure_G (records below the log start that G had not committed), lost_G (records that the handler never got, counted at its gaps), forecast_s_G (until
///   the first unread record goes), burrow_G (BurrowStatus).
/// Its counts: sent, acked, failed, unknown, record_bytes (mean, as the log stores them), and of each group: applied_G, lost_G (acknowledged but never applied:
/// the ledger, after the drain), lost_gap_G, lost_broker_G, resets_G, errors_G,
/// t_first_G (seconds after the fault began; infinity: never).
Result<Arm> run_topic_arm(const env::Env& env, env::VirtualClock& clock, const TopicScenario& scenario, const std::string& name, const RunOptions& options);

}  // namespace supyo::scenario
