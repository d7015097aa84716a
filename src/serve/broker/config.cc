#include "serve/broker/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace supyo::broker {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
using C = BrokerConfig;

constexpr std::array kSettings = {
    BrokerSetting{"node.id", &C::node_id, 0, INT32_MAX, "the broker's number in the answers to clients"},
    BrokerSetting{"auto.create.topics.enable", &C::auto_create_topics, 0, 1, "create a topic when a client asks about it"},
    BrokerSetting{"num.partitions", &C::partitions, 1, 10'000, "partitions of a topic whose creator names no number"},
    BrokerSetting{"socket.request.max.bytes", &C::request_bytes_max, 1'024, INT32_MAX, "largest request; a longer one closes the connection"},
    BrokerSetting{"queued.max.request.bytes", &C::queued_bytes_max, 1 << 20, INT64_MAX, "bytes of unfinished requests and unread answers, all connections together"},
    BrokerSetting{"max.connections", &C::connections_max, 1, 60'000, "connections at a time; more are closed at once"},
    BrokerSetting{"connections.max.idle.ms", &C::connections_idle_ms_max, 1'000, INT32_MAX, "a connection without requests for so long is closed"},
    BrokerSetting{"fetch.max.bytes", &C::fetch_bytes_max, 1'024, INT32_MAX, "largest fetch answer"},
    BrokerSetting{"group.initial.rebalance.delay.ms", &C::group_delay_ms, 0, 600'000, "how long a new group waits for more members"},
    BrokerSetting{"group.min.session.timeout.ms", &C::group_session_ms_min, 1, INT32_MAX, "shortest session timeout of a group member"},
    BrokerSetting{"group.max.session.timeout.ms", &C::group_session_ms_max, 1, INT32_MAX, "longest session timeout of a group member"},
    BrokerSetting{"group.max.size", &C::group_size_max, 1, INT32_MAX, "members of a group"},
    BrokerSetting{"offsets.retention.minutes", &C::offsets_retention_minutes, 1, INT32_MAX, "offsets of a group without members are kept so long"},
    BrokerSetting{"offset.metadata.max.bytes", &C::offset_metadata_bytes_max, 0, 1 << 20, "largest metadata of a committed offset"},
    BrokerSetting{"transaction.max.timeout.ms", &C::transaction_ms_max, 1, INT32_MAX, "longest transaction timeout that a producer may ask for"},
    BrokerSetting{"transaction.abort.timed.out.transaction.cleanup.interval.ms", &C::transaction_check_ms, 1, INT32_MAX, "how often transactions are looked at that took too long"},
    BrokerSetting{"transactional.id.expiration.ms", &C::transactional_id_expiration_ms, 1, INT64_MAX / 1000, "an unused transactional id is forgotten after so long"},
    BrokerSetting{"producer.id.expiration.ms", &C::producer_id_expiration_ms, 1, INT64_MAX / 1000, "a partition forgets a producer after so long"},
    BrokerSetting{"log.initial.task.delay.ms", &C::first_task_ms, 0, kDayMs, "first retention and compaction after the start"},
    BrokerSetting{"log.retention.check.interval.ms", &C::retention_check_ms, 1, kDayMs, "how often retention looks for segments to delete"},
    BrokerSetting{"log.cleaner.backoff.ms", &C::cleaner_backoff_ms, 1, kDayMs, "how often compaction looks for something to clean"},
};

constexpr std::array kTopicDefaults = {
    TopicDefault{"log.segment.bytes", "segment.bytes"},
    TopicDefault{"log.roll.ms", "segment.ms"},
    TopicDefault{"log.retention.bytes", "retention.bytes"},
    TopicDefault{"log.retention.ms", "retention.ms"},
    TopicDefault{"log.cleanup.policy", "cleanup.policy"},
    TopicDefault{"log.segment.delete.delay.ms", "file.delete.delay.ms"},
    TopicDefault{"message.max.bytes", "max.message.bytes"},
    TopicDefault{"log.message.timestamp.type", "message.timestamp.type"},
    TopicDefault{"log.message.timestamp.before.max.ms", "message.timestamp.before.max.ms"},
    TopicDefault{"log.message.timestamp.after.max.ms", "message.timestamp.after.max.ms"},
    TopicDefault{"min.insync.replicas", "min.insync.replicas"},
    TopicDefault{"log.cleaner.min.cleanable.ratio", "min.cleanable.dirty.ratio"},
    TopicDefault{"log.cleaner.delete.retention.ms", "delete.retention.ms"},
    TopicDefault{"log.cleaner.min.compaction.lag.ms", "min.compaction.lag.ms"},
    TopicDefault{"log.cleaner.max.compaction.lag.ms", "max.compaction.lag.ms"},
};

/// The setting that shares most of its beginning and end with `key`.
std::string_view nearest(std::string_view key) {
  std::string_view best;
  std::size_t most = 2;
  const auto consider = [&](std::string_view candidate) {
    const std::size_t shorter = std::min(candidate.size(), key.size());
    std::size_t head = 0, tail = 0;
    while (head < shorter && candidate[head] == key[head]) ++head;
    while (tail < shorter - head && candidate[candidate.size() - 1 - tail] == key[key.size() - 1 - tail]) ++tail;
    if (head + tail > most) {
      most = head + tail;
      best = candidate;
    }
  };
  for (const BrokerSetting& s : kSettings) consider(s.key);
  for (const TopicDefault& d : kTopicDefaults) consider(d.key);
  return best;
}

}  // namespace

std::span<const BrokerSetting> broker_settings() { return kSettings; }
std::span<const TopicDefault> topic_defaults() { return kTopicDefaults; }

Status set_broker_setting(BrokerConfig& config, std::string_view key, std::string_view value) {
  for (const TopicDefault& d : kTopicDefaults)
    if (d.key == key) return log::set_topic_setting(config.topic, d.topic_key, value);
  const auto* setting = std::ranges::find(kSettings, key, &BrokerSetting::key);
  if (setting == kSettings.end()) return fail(ErrorCode::kUnknownOption, fmt::format("the broker has no setting '{}'", key), nearest(key).empty() ? std::string("supyo broker --settings lists them") : fmt::format("did you mean {}?", nearest(key)));
  std::int64_t number = 0;
  if (value == "true" || value == "false") {
    number = value == "true" ? 1 : 0;
  } else if (const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number); error != std::errc() || end != value.data() + value.size()) {
    number = INT64_MIN;
  }
  if (number < setting->min || number > setting->max)
    return fail(ErrorCode::kBadOptionValue, fmt::format("{}={} is not possible", key, value), fmt::format("a number from {} to {}: {}", setting->min, setting->max, setting->help));
  config.*(setting->field) = number;
  return ok();
}

std::optional<std::string> broker_setting(const BrokerConfig& config, std::string_view key) {
  for (const TopicDefault& d : kTopicDefaults)
    if (d.key == key) return log::topic_setting(config.topic, d.topic_key);
  const auto* setting = std::ranges::find(kSettings, key, &BrokerSetting::key);
  if (setting == kSettings.end()) return std::nullopt;
  const std::int64_t value = config.*(setting->field);
  if (key == "auto.create.topics.enable") return value != 0 ? "true" : "false";
  return fmt::format("{}", value);
}

}  // namespace supyo::broker
