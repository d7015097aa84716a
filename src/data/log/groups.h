#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/env.h"

namespace supyo::log {

using GroupKey = std::pair<std::string, PartitionId>;   ///< topic, partition
/// A consumer group's committed offsets: (topic, partition) -> next offset to read.
using GroupOffsets = std::map<GroupKey, Offset>;

/// An offset with all that a Kafka client may say about it.
struct GroupCommit {
  Offset offset;                     ///< next to read
  std::int32_t leader_epoch = -1;    ///< of the last record read; -1 unknown
  std::string metadata;              ///< the client's own words
  TimeUs committed_us = 0;           ///< wall time; 0 unknown: never expires
  bool operator==(const GroupCommit&) const = default;
};
using GroupCommits = std::map<GroupKey, GroupCommit>;

/// Names of the groups that committed something, sorted.
Result<std::vector<std::string>> list_groups(env::Files& files, const std::string& log_directory);
/// Reads a group's offsets; empty when the group never committed. Any process, at any time. kBadOptionValue for a bad group name
/// (1 to 255 bytes; in the file's name all but letters, digits, '.', '_', '-' stand as %XX), kDamaged.
Result<GroupOffsets> read_group(env::Files& files, const std::string& log_directory, const std::string& group);
Result<GroupCommits> read_group_commits(env::Files& files, const std::string& log_directory, const std::string& group);
/// Sets some of a group's offsets and keeps the others: under the group's lock, atomic, durable when it returns.
/// kStateLocked when another process is doing the same this moment (try again). kBadOptionValue for a bad group name.
Status commit_group(env::Files& files, const std::string& log_directory, const std::string& group, const GroupOffsets& offsets);
/// The same with everything, and with offsets to forget.
Status change_group(env::Files& files, const std::string& log_directory, const std::string& group, const GroupCommits& set, const std::vector<GroupKey>& forget = {});
/// Forgets the group, durably; fine when there is none.
Status delete_group(env::Files& files, const std::string& log_directory, const std::string& group);

}  // namespace supyo::log
