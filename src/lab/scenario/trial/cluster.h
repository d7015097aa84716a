#pragma once
#include <map>
#include <string>

#include "core/base/result.h"
#include "core/env/net.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// Settings of a broker that one of these labs starts itself: groups do not wait for members that will not come.
inline std::map<std::string, std::string> own_broker_settings() { return {{"group.initial.rebalance.delay.ms", "0"}}; }

/// Versions and mode of a result: of options.cluster, or of a broker of the lab's own.
void describe_cluster(const RunOptions& options, LabResult& result);

/// A topic with the cluster's own replication; every broker knows it when this returns. Errors: KafkaAdmin's.
Status make_topic(const std::string& servers, const std::string& topic, int partitions = 1);

/// Leaves nothing of a lab on a cluster that goes on; what cannot be removed stays.
void remove_topic(const std::string& servers, const std::string& topic);

/// A port that was free a moment ago.
Result<env::NetAddress> free_address(env::Net& net);

}  // namespace supyo::scenario
