#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/frame.h"

namespace supyo::log {

/// Settings of a topic, named as Kafka names them. -1 = no limit.
struct TopicConfig {
  std::int32_t partitions = 1;
  std::int64_t segment_bytes = 128 << 20;
  std::int64_t segment_ms = 7 * 86'400'000LL;
  std::int64_t retention_bytes = -1;
  std::int64_t retention_ms = -1;   ///< not Kafka's 7 days: an embedded log deletes nothing unless told to
  bool operator==(const TopicConfig&) const = default;
};

/// A topic as its manifest (`DIR/<topic>/topic`) describes it.
struct Topic {
  std::string directory;   ///< of the topic
  std::string name;
  std::uint64_t log_id = 0;
  TopicConfig config;

  LogIdentity identity(PartitionId p) const { return {log_id, p}; }
  std::string partition_directory(PartitionId p) const;
};

/// Reads the manifest. Errors: kUnknownTable (no such topic, with the topics that exist), kDamaged, kFormatVersion.
Result<Topic> open_topic(env::Files& files, const std::string& log_directory, const std::string& name);
/// Creates the topic, durable when it returns. kAlreadyExists; kBadOptionValue for a bad name or config.
/// Safe against another process that creates the same topic: one of them wins.
Result<Topic> create_topic(const env::Env& env, const std::string& log_directory, const std::string& name, const TopicConfig& config);
/// Opens it, or creates it with `config` when absent.
Result<Topic> open_or_create_topic(const env::Env& env, const std::string& log_directory, const std::string& name, const TopicConfig& config);
/// Names of the topics in a log directory, sorted; empty when the directory is absent.
Result<std::vector<std::string>> list_topics(env::Files& files, const std::string& log_directory);

/// Creates `path` and its missing parents, each durable.
Status create_directories_durably(env::Files& files, const std::string& path);

}  // namespace supyo::log
