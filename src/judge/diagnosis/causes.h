#pragma once
#include <vector>

#include "judge/diagnosis/evidence.h"
#include "judge/diagnosis/finding.h"

namespace supyo::diagnosis {

/// Why a group is behind, or will lose records: ranked findings with the numbers that they rest on and the next action. What cannot be said is said (not-enough-data), a group
/// that nobody knows is unknown and not good. `horizon`: losses further away are not reported. Thresholds are in the .cc, each with its reason.
std::vector<Finding> diagnose_group(const GroupEvidence& group, DurationUs horizon = 6 * kHour);

/// What is wrong with the topics and disks of a cluster: settings that cannot do what they say, topics that nobody owns, durability, disks that fill.
std::vector<Finding> diagnose_cluster(const ClusterEvidence& cluster);

}  // namespace supyo::diagnosis
