// The settings of a topic: one table for the manifest, for Kafka's clients and for the documentation.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "data/log/frame.h"
#include "data/log/topic.h"

namespace supyo::log {
namespace {

using Type = TopicSetting::Type;

struct Entry {
  TopicSetting setting;
  std::int64_t TopicConfig::* number = nullptr;   // of kNumber
  std::int64_t least = 0;
  std::int64_t most = INT64_MAX;
};

constexpr std::int64_t kMaxMessageBytes = static_cast<std::int64_t>(kFrameBytesMax) - 4096;

constexpr Entry kEntries[] = {
    {{"cleanup.policy", Type::kList, "delete: by age and size; compact: the last record of each key stays; or both"}},
    {{"compression.type", Type::kWord, "producer: batches are kept as they come"}},
    {{"delete.retention.ms", Type::kNumber, "how long compaction keeps tombstones and transaction markers"}, &TopicConfig::delete_retention_ms, 0},
    {{"file.delete.delay.ms", Type::kNumber, "how long a deleted segment keeps its bytes on disk"}, &TopicConfig::file_delete_delay_ms, 0},
    {{"max.compaction.lag.ms", Type::kNumber, "compaction does not wait for the dirty ratio longer than this"}, &TopicConfig::max_compaction_lag_ms, 1},
    {{"max.message.bytes", Type::kNumber, "largest record batch"}, &TopicConfig::max_message_bytes, 0, kMaxMessageBytes},
    {{"message.timestamp.after.max.ms", Type::kNumber, "how far ahead of now a record's timestamp may lie"}, &TopicConfig::timestamp_after_max_ms, 0},
    {{"message.timestamp.before.max.ms", Type::kNumber, "how far behind now a record's timestamp may lie"}, &TopicConfig::timestamp_before_max_ms, 0},
    {{"message.timestamp.type", Type::kWord, "CreateTime, or LogAppendTime"}},
    {{"min.cleanable.dirty.ratio", Type::kRatio, "compaction waits until this part of the log is new since it last ran"}},
    {{"min.compaction.lag.ms", Type::kNumber, "records younger than this are not compacted"}, &TopicConfig::min_compaction_lag_ms, 0},
    {{"min.insync.replicas", Type::kNumber, "kept, without effect: there is one replica"}, &TopicConfig::min_insync_replicas, 1, INT32_MAX},
    {{"retention.bytes", Type::kNumber, "size of a partition beyond which its oldest segments go; -1: none"}, &TopicConfig::retention_bytes, -1},
    {{"retention.ms", Type::kNumber, "age beyond which segments go; -1: none"}, &TopicConfig::retention_ms, -1},
    {{"segment.bytes", Type::kNumber, "size at which a segment is sealed"}, &TopicConfig::segment_bytes, 4096, INT32_MAX},
    {{"segment.ms", Type::kNumber, "span of time at which a segment is sealed"}, &TopicConfig::segment_ms, 1},
};

const Entry* find_entry(std::string_view key) {
  const auto* found = std::find_if(std::begin(kEntries), std::end(kEntries), [&](const Entry& e) { return e.setting.key == key; });
  return found == std::end(kEntries) ? nullptr : found;
}

std::unexpected<Error> bad(std::string_view key, std::string_view value, std::string allowed) {
  return fail(ErrorCode::kBadOptionValue, fmt::format("{} = '{}': {}", key, value, allowed));
}

template <class T>
bool parse_all(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

Status set_policy(TopicConfig& c, std::string_view key, std::string_view value) {
  bool removes = false;
  bool compacts = false;
  for (std::string_view rest = value; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view word = trimmed(rest.substr(0, comma));
    if (word == "delete") removes = true;
    else if (word == "compact") compacts = true;
    else return bad(key, value, "delete, compact, or both with a comma");
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!removes && !compacts) return bad(key, value, "delete, compact, or both with a comma");
  c.cleanup_delete = removes;
  c.cleanup_compact = compacts;
  return ok();
}

}  // namespace

bool longer_than(TimeUs from, TimeUs to, std::int64_t ms) {
  DurationUs span = 0;
  if (__builtin_sub_overflow(to, from, &span)) return to > from;
  return span > (ms > kTimeMax / kMillisecond ? kTimeMax : ms * kMillisecond);
}

std::span<const TopicSetting> topic_settings() {
  static const std::vector<TopicSetting> all = [] {
    std::vector<TopicSetting> v;
    for (const Entry& e : kEntries) v.push_back(e.setting);
    return v;
  }();
  return all;
}

std::optional<std::string> topic_setting(const TopicConfig& c, std::string_view key) {
  const Entry* e = find_entry(key);
  if (e == nullptr) return std::nullopt;
  if (e->number != nullptr) return std::to_string(c.*(e->number));
  if (key == "cleanup.policy") return c.cleanup_delete && c.cleanup_compact ? "compact,delete" : c.cleanup_compact ? "compact" : "delete";
  if (key == "message.timestamp.type") return c.log_append_time ? "LogAppendTime" : "CreateTime";
  if (key == "min.cleanable.dirty.ratio") return fmt::format("{}", c.min_cleanable_dirty_ratio);
  return "producer";   // compression.type
}

Status set_topic_setting(TopicConfig& c, std::string_view key, std::string_view value) {
  const Entry* e = find_entry(key);
  if (e == nullptr) return fail(ErrorCode::kUnknownOption, fmt::format("a topic has no setting '{}'", key));
  value = trimmed(value);
  if (e->number != nullptr) {
    std::int64_t number = 0;
    if (!parse_all(value, number) || number < e->least || number > e->most) return bad(key, value, fmt::format("a whole number from {} to {}", e->least, e->most));
    c.*(e->number) = number;
    return ok();
  }
  if (key == "cleanup.policy") return set_policy(c, key, value);
  if (key == "message.timestamp.type") {
    if (value != "CreateTime" && value != "LogAppendTime") return bad(key, value, "CreateTime or LogAppendTime");
    c.log_append_time = value == "LogAppendTime";
    return ok();
  }
  if (key == "min.cleanable.dirty.ratio") {
    double ratio = 0;
    if (!parse_all(value, ratio) || !(ratio >= 0 && ratio <= 1)) return bad(key, value, "a number from 0 to 1");
    c.min_cleanable_dirty_ratio = ratio;
    return ok();
  }
  if (value != "producer") return bad(key, value, "only 'producer' is supported: batches are kept as the client compressed them");
  return ok();
}

}  // namespace supyo::log
