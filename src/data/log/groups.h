#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/env.h"

namespace supyo::log {

/// A consumer group's committed offsets: (topic, partition) -> next offset to read.
using GroupOffsets = std::map<std::pair<std::string, PartitionId>, Offset>;

/// Names of the groups that committed something, sorted.
Result<std::vector<std::string>> list_groups(env::Files& files, const std::string& log_directory);
/// Reads a group's offsets; empty when the group never committed. Any process, at any time.
Result<GroupOffsets> read_group(env::Files& files, const std::string& log_directory, const std::string& group);
/// Sets some of a group's offsets and keeps the others: under the group's lock, atomic, durable when it returns.
/// kStateLocked when another process is doing the same this moment (try again). kBadOptionValue for a bad group name.
Status commit_group(env::Files& files, const std::string& log_directory, const std::string& group, const GroupOffsets& offsets);

}  // namespace supyo::log
