#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/examine.h"
#include "data/log/groups.h"
#include "data/log/topic.h"

namespace supyo::log {

/// A partition as its readers see it, without reading its records.
struct PartitionSummary {
  PartitionId partition;
  Mark mark;                       ///< all zero when no writer ever opened it
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;         ///< of the segment files
};
struct TopicSummary {
  Topic topic;
  std::vector<PartitionSummary> partitions;
};
struct GroupSummary {
  std::string group;
  GroupOffsets offsets;
};
struct LogSummary {
  std::vector<TopicSummary> topics;
  std::vector<GroupSummary> groups;
};
/// What is in a log directory. Safe beside live writers. kNotFoundOnDisk when there is no such directory.
Result<LogSummary> summarize(env::Files& files, const std::string& log_directory);

struct PartitionCheck {
  std::string topic;
  PartitionId partition;
  PartitionReport report;
};
/// Reads every record and checks every checksum, of one topic or (empty name) of all. Safe beside live writers.
Result<std::vector<PartitionCheck>> verify(env::Files& files, const std::string& log_directory, const std::string& topic);

}  // namespace supyo::log
