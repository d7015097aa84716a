#pragma once
#include <map>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/topic/topic_scenario.h"

namespace supyo::scenario {

struct LiveArm {
  Arm arm;
  std::map<std::string, std::string> config;   ///< the settings in effect of topic and clients, as the cluster and the client library say them
};

/// Whether the cluster of `options` can show what the scenario is about: its brokers look for what retention may delete at least as often as the file says. What they
/// say of themselves goes into `config`. Errors: kBadOptionValue (with the setting to change), kOutsideUnavailable.
Status check_cluster(const RealCluster& cluster, const TopicScenario& scenario, std::map<std::string, std::string>& config);

/// Runs one arm of a topic lab on a real cluster in real time, in a topic and groups of its own, which are gone afterwards however it ends: a producer with a ledger, a
/// thread and a client for each group, and a probe that asks the brokers for the log's ends ten times a second. Columns and counts are run_topic_arm's; besides `disk`
/// (bytes of the log's files with those that wait for their deletion; where the data directory is known), ack_p50 and ack_p99 (s, of a second's records) and duplicates_G (records
/// that G handled twice).
/// Lost is counted three times: by number (what was acknowledged and not handled), at the gaps that the handler saw, and from the probe: at each position that was
/// gone, the log start (reset to latest: the high watermark) that the brokers had then, minus the position.
Result<LiveArm> run_live_arm(const env::Env& env, const RealCluster& cluster, const TopicScenario& scenario, const std::string& name, const RunOptions& options);

}  // namespace supyo::scenario
