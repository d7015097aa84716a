#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "data/log/topic.h"

namespace supyo::broker {

/// Settings of the broker, named as Kafka names them; times in milliseconds as Kafka's are.
struct BrokerConfig {
  std::int64_t node_id = 1;
  std::int64_t auto_create_topics = 1;
  std::int64_t partitions = 1;
  std::int64_t request_bytes_max = 104'857'600;
  std::int64_t queued_bytes_max = 512LL << 20;
  std::int64_t connections_max = 1'000;
  std::int64_t connections_idle_ms_max = 600'000;
  std::int64_t fetch_bytes_max = 57'671'680;
  std::int64_t group_delay_ms = 3'000;
  std::int64_t group_session_ms_min = 6'000;
  std::int64_t group_session_ms_max = 1'800'000;
  std::int64_t group_size_max = INT32_MAX;
  std::int64_t offsets_retention_minutes = 10'080;
  std::int64_t offset_metadata_bytes_max = 4'096;
  std::int64_t transaction_ms_max = 900'000;
  std::int64_t transaction_check_ms = 10'000;
  std::int64_t transactional_id_expiration_ms = 604'800'000;
  std::int64_t producer_id_expiration_ms = 86'400'000;
  std::int64_t first_task_ms = 30'000;
  std::int64_t retention_check_ms = 300'000;
  std::int64_t cleaner_backoff_ms = 15'000;
  log::TopicConfig topic;          ///< what a new topic gets where its creator says nothing
};

struct BrokerSetting {
  std::string_view key;
  std::int64_t BrokerConfig::*field;
  std::int64_t min, max;
  std::string_view help;
};
/// All but the topic defaults.
std::span<const BrokerSetting> broker_settings();

/// A default for new topics, and the topic setting that it is: {"log.retention.ms", "retention.ms"}.
struct TopicDefault {
  std::string_view key;
  std::string_view topic_key;
};
std::span<const TopicDefault> topic_defaults();

/// "auto.create.topics.enable=true". kUnknownOption (with the nearest name), kBadOptionValue (with the bounds).
Status set_broker_setting(BrokerConfig& config, std::string_view key, std::string_view value);
/// As text; null for a key that does not exist.
std::optional<std::string> broker_setting(const BrokerConfig& config, std::string_view key);

}  // namespace supyo::broker
