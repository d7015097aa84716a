#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  bool cleanup_delete = true;       ///< cleanup.policy: delete, compact, or both
  bool cleanup_compact = false;
  std::int64_t file_delete_delay_ms = 0;   ///< not Kafka's minute: how long a deleted segment keeps its bytes on disk, as NAME.deleted
  std::int64_t max_message_bytes = 1'048'588;
  bool log_append_time = false;     ///< message.timestamp.type=LogAppendTime
  std::int64_t timestamp_before_max_ms = INT64_MAX;   ///< message.timestamp.before.max.ms
  std::int64_t timestamp_after_max_ms = INT64_MAX;    ///< Kafka 4: one hour; set it where clients are to be refused
  std::int64_t min_insync_replicas = 1;               ///< kept and told, without effect: there is one replica
  double min_cleanable_dirty_ratio = 0.5;
  std::int64_t delete_retention_ms = 86'400'000;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = INT64_MAX;
  bool operator==(const TopicConfig&) const = default;
};

/// A setting as it is named in the manifest and by Kafka's clients. `partitions` is not one of them.
struct TopicSetting {
  std::string_view key;      ///< "retention.ms"
  enum class Type : std::uint8_t { kNumber, kRatio, kList, kWord } type = Type::kNumber;
  std::string_view help;
};
/// All of them, by name.
std::span<const TopicSetting> topic_settings();
/// The value as text, as Kafka prints it; null for a key that does not exist.
std::optional<std::string> topic_setting(const TopicConfig& config, std::string_view key);
/// kUnknownOption, kBadOptionValue (what is allowed is in the message). compression.type: only "producer", batches are kept as they come.
Status set_topic_setting(TopicConfig& config, std::string_view key, std::string_view value);

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
/// Key -> new value, or null for the default.
using TopicChanges = std::map<std::string, std::optional<std::string>>;
/// Changes settings: all or none, durable when it returns. The writers that are open take it over by set_config().
/// kUnknownTable, kUnknownOption, kBadOptionValue; kStateLocked while another process is doing the same.
Result<Topic> alter_topic_config(const env::Env& env, const std::string& log_directory, const std::string& name, const TopicChanges& changes);
/// Grows the topic to `partitions` in all, durably. kBadOptionValue when it has as many or more.
Result<Topic> add_partitions(const env::Env& env, const std::string& log_directory, const std::string& name, std::int32_t partitions);
/// Deletes the topic, durably: gone from its name first, then its files. Readers that have it open find it gone (kNotFoundOnDisk) at the latest where
/// they would open its next segment. kStateLocked while a writer has one of its partitions: close those first.
Status delete_topic(const env::Env& env, const std::string& log_directory, const std::string& name);
/// Removes what a crash within delete_topic() left. To be called when a broker starts.
Status sweep_deleted_topics(env::Files& files, const std::string& log_directory);
/// Names of the topics in a log directory, sorted; empty when the directory is absent.
Result<std::vector<std::string>> list_topics(env::Files& files, const std::string& log_directory);

/// Whether more than `ms` milliseconds lie between two times, whatever the times are: clients choose them.
bool longer_than(TimeUs from, TimeUs to, std::int64_t ms);

/// Creates `path` and its missing parents, each durable.
Status create_directories_durably(env::Files& files, const std::string& path);

}  // namespace supyo::log
