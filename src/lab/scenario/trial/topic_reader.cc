#include "lab/scenario/trial/topic_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/kafka/admin.h"
#include "connect/kafka/group_consumer.h"

namespace supyo::scenario {

Result<bool> read_topic(const env::Env& env, const std::string& servers, const std::string& topic, DurationUs limit_us, const std::function<Status(std::string_view value)>& each) {
  SUPYO_ASSIGN(const auto admin, connect::KafkaAdmin::open(servers));
  SUPYO_ASSIGN(const auto ends, admin->ends(topic));
  const std::int64_t end = ends.at(0).end;
  const std::string group = fmt::format("{}-read-{}", topic, env::new_uuid(env.random));
  bool reached = ends[0].start >= end;
  {
    SUPYO_ASSIGN(const auto consumer, connect::GroupConsumer::open({.servers = servers, .topic = topic, .group = group}));
    const TimeUs until = env.clock.monotonic_us() + limit_us;
    while (!reached && env.clock.monotonic_us() < until) {
      SUPYO_ASSIGN(const auto record, consumer->poll(50 * kMillisecond));
      (void)consumer->events();
      if (record) SUPYO_TRY(each(record->value.value_or("")));
      // Markers of transactions are passed without a record: nothing more comes, and the next to fetch lies at the end.
      reached = record ? record->offset + 1 >= end : consumer->fetch_position(0) >= end;
    }
  }
  (void)admin->delete_group(group);
  return reached;
}

void OrderCheck::add(std::uint64_t id) {
  ++records;
  if (id >= seen_.size()) seen_.resize(std::max<std::size_t>(id + 1, 2 * seen_.size()));
  if (seen_[id]) {
    ++repeated;
    return;
  }
  seen_[id] = true;
  if (id < highest_) ++inversions;
  highest_ = std::max(highest_, id);
}

}  // namespace supyo::scenario
