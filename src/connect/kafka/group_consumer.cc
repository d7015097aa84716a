#include "connect/kafka/group_consumer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "connect/kafka/client.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own

constexpr int kOpenTimeoutMs = 30'000;

// Of the group itself: a job's source has no use for them.
constexpr std::string_view kGroupProperties[] = {"auto.commit.interval.ms", "group.protocol", "heartbeat.interval.ms", "max.poll.interval.ms", "partition.assignment.strategy", "session.timeout.ms"};
constexpr const char* kTelling[] = {
    "auto.commit.interval.ms", "auto.offset.reset",       "bootstrap.servers",     "check.crcs",
    "client.id",               "enable.auto.commit",      "enable.auto.offset.store", "fetch.max.bytes",
    "fetch.message.max.bytes", "fetch.min.bytes",         "fetch.queue.backoff.ms", "fetch.wait.max.ms",
    "group.id",                "group.instance.id",       "group.protocol",        "heartbeat.interval.ms",
    "isolation.level",         "max.poll.interval.ms",    "partition.assignment.strategy", "queued.max.messages.kbytes",
    "queued.min.messages",     "session.timeout.ms"};

/// "T [3]: offset reset (at offset 100 (leader epoch 0), broker 1) to ...": the partition and the position that a fetch was refused for.
/// The wording is the client's since 1.9 (rd_kafka_offset_reset); a test holds each version to it.
struct Reset {
  std::int32_t partition = 0;
  std::int64_t from = 0;
};
std::optional<Reset> parse_reset(std::string_view text) {
  constexpr std::string_view kWords = "]: offset reset (at offset ";
  const std::size_t words = text.find(kWords);
  if (words == std::string_view::npos) return std::nullopt;
  const std::size_t bracket = text.rfind('[', words);
  if (bracket == std::string_view::npos) return std::nullopt;
  Reset r;
  const auto number = [](std::string_view from, auto& into) { return std::from_chars(from.data(), from.data() + from.size(), into).ec == std::errc(); };
  if (!number(text.substr(bracket + 1, words - bracket - 1), r.partition) || !number(text.substr(words + kWords.size()), r.from)) return std::nullopt;   // BEGINNING, INVALID
  return r;
}

/// Keeps the resets that the client logs from its threads, and what its callbacks say on ours.
class GroupListener final : public Listener {
 public:
  using Listener::Listener;

  void on_log(int level, const char* facility, const char* text) override {
    const auto reset = std::string_view(facility) == "OFFSET" ? parse_reset(text) : std::nullopt;
    if (!reset) return Listener::on_log(level, facility, text);
    const std::lock_guard lock(mutex_);
    resets_[reset->partition].push_back(reset->from);
  }

  /// Those that lie before `offset`, the next record that came; all when `all` says so.
  std::vector<std::int64_t> take_resets(std::int32_t partition, std::int64_t offset, bool all) {
    const std::lock_guard lock(mutex_);
    std::deque<std::int64_t>& waiting = resets_[partition];
    std::vector<std::int64_t> taken;
    while (!waiting.empty() && (all || waiting.front() < offset)) {
      taken.push_back(waiting.front());
      waiting.pop_front();
    }
    return taken;
  }
  void forget(std::int32_t partition) {
    const std::lock_guard lock(mutex_);
    resets_.erase(partition);
  }

  // Only from within poll() and commit(): one thread.
  std::vector<GroupEvent> events;
  struct Partition {
    std::int64_t next = -1;      ///< expected; -1: whatever comes first
    std::int64_t fetch = -1;
  };
  std::map<std::int32_t, Partition> partitions;
  std::string topic;
  std::optional<bool> cooperative;

 private:
  std::mutex mutex_;
  std::map<std::int32_t, std::deque<std::int64_t>> resets_;
};

GroupListener& listener_of(void* opaque) { return *static_cast<GroupListener*>(static_cast<Listener*>(opaque)); }

void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list, void* opaque) {
  GroupListener& listener = listener_of(opaque);
  const bool assign = what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, revoke = what == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS;
  GroupEvent event{.kind = assign ? GroupEvent::Kind::kAssigned : rd_kafka_assignment_lost(client) ? GroupEvent::Kind::kLost : GroupEvent::Kind::kRevoked};
  for (int i = 0; i < list->cnt; ++i) {
    const std::int32_t partition = list->elems[i].partition;
    event.partitions.push_back(partition);
    listener.forget(partition);   // before fetching begins
    if (assign) listener.partitions[partition] = {};
    else listener.partitions.erase(partition);
  }
  // Asked with the first assignment: within rd_kafka_consumer_close() the question can wait for ever (librdkafka issue 4041).
  if (!listener.cooperative) listener.cooperative = std::string_view(rd_kafka_rebalance_protocol(client)) == "COOPERATIVE";
  ClientError error;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (*listener.cooperative && (assign || revoke))
    error.reset(assign ? rd_kafka_incremental_assign(client, list) : rd_kafka_incremental_unassign(client, list));
  else code = rd_kafka_assign(client, assign ? list : nullptr);
  listener.events.push_back(std::move(event));
  if (error || code != RD_KAFKA_RESP_ERR_NO_ERROR)
    listener.events.push_back({.kind = GroupEvent::Kind::kError, .text = fmt::format("the assignment failed: {}", error ? rd_kafka_error_string(error.get()) : rd_kafka_err2str(code))});
}

void on_commit(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list, void* opaque) {
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET || list == nullptr) return;   // nothing to commit
  for (int i = 0; i < list->cnt; ++i) {
    const auto& e = list->elems[i];
    const auto why = e.err != RD_KAFKA_RESP_ERR_NO_ERROR ? e.err : error;
    if (e.offset < 0) continue;
    const bool done = why == RD_KAFKA_RESP_ERR_NO_ERROR;
    listener_of(opaque).events.push_back({.kind = done ? GroupEvent::Kind::kCommitted : GroupEvent::Kind::kCommitFailed, .partitions = {e.partition}, .to = e.offset,
                                          .text = done ? "" : rd_kafka_err2name(why)});
  }
}

int on_statistics(rd_kafka_t*, char* json, std::size_t size, void* opaque) {
  GroupListener& listener = listener_of(opaque);
  constexpr int kFreeIt = 0;
  const auto all = nlohmann::json::parse(json, json + size, nullptr, false);
  if (!all.is_object()) return kFreeIt;
  const nlohmann::json nothing = nlohmann::json::object();
  const auto topic = all.value("topics", nothing).value(listener.topic, nothing).value("partitions", nothing);
  for (auto& [id, partition] : listener.partitions)
    if (const auto it = topic.find(std::to_string(id)); it != topic.end()) partition.fetch = it->value("next_offset", std::int64_t{-1});
  return kFreeIt;
}

std::string java_or_own(const std::string& name, const std::string& value) {
  if (name != "partition.assignment.strategy") return value;
  constexpr std::string_view kJava = "org.apache.kafka.clients.consumer.";
  if (!value.starts_with(kJava)) return value;
  const std::string_view assignor = std::string_view(value).substr(kJava.size());
  return assignor == "RangeAssignor" ? "range" : assignor == "RoundRobinAssignor" ? "roundrobin" : assignor == "CooperativeStickyAssignor" ? "cooperative-sticky" : value;
}

std::string_view reset_setting(GroupReset reset) {
  switch (reset) {
    case GroupReset::kEarliest: return "earliest";
    case GroupReset::kLatest: return "latest";
    case GroupReset::kError: return "error";
  }
  return "error";
}

Result<Settings> fixed_settings(const GroupConsumerOptions& o) {
  const auto known = client_property_list();
  Settings fixed;
  for (const auto& [name, value] : o.properties) {
    if (std::ranges::find(kGroupProperties, name) != std::end(kGroupProperties)) fixed.emplace_back(name, java_or_own(name, value));
    else if (std::ranges::none_of(known, [&](const ClientProperty& p) { return p.name == name && p.side != ClientProperty::Side::kSink && !p.client.empty(); }))
      return fail(ErrorCode::kUnknownOption, fmt::format("'{}' is no property of a group's member that may be set", name), "the list is in docs/reference/connectors.md, kafka");
  }
  const std::string automatic = o.auto_commit ? "true" : "false";
  fixed.insert(fixed.end(), {{"group.id", o.group},
                             {"auto.offset.reset", std::string(reset_setting(o.reset))},
                             {"enable.auto.commit", automatic},
                             {"enable.auto.offset.store", automatic},
                             {"isolation.level", o.read_committed ? "read_committed" : "read_uncommitted"},
                             {"statistics.interval.ms", "500"}});
  if (!o.client_id.empty()) fixed.emplace_back("client.id", o.client_id);
  if (!o.static_id.empty()) fixed.emplace_back("group.instance.id", o.static_id);
  fixed.insert(fixed.end(), o.client_settings.begin(), o.client_settings.end());
  return fixed;
}

class ClientGroupConsumer final : public GroupConsumer {
 public:
  explicit ClientGroupConsumer(const GroupConsumerOptions& options) : topic_(options.topic), group_(options.group), stopped_(options.stopped), listener_(options.topic) { listener_.topic = topic_; }
  ~ClientGroupConsumer() override {
    message_.reset();
    if (client_ && subscribed_) rd_kafka_consumer_close(client_.get());
  }

  Status open(const GroupConsumerOptions& options) {
    if (options.group.empty()) return fail(ErrorCode::kMissingOption, "a member needs a group", "--group NAME");
    SUPYO_ASSIGN(Settings fixed, fixed_settings(options));
    SUPYO_ASSIGN(client_, make_client({.producer = false, .table = topic_, .servers = options.servers, .properties = options.properties, .fixed = std::move(fixed), .listener = &listener_,
                                       .on_rebalance = on_rebalance, .on_commit = on_commit, .on_statistics = on_statistics}));
    SUPYO_TRY(partition_count(client_.get(), topic_, kOpenTimeoutMs, listener_));
    const PartitionList topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
    const auto error = rd_kafka_subscribe(client_.get(), topics.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(ErrorCode::kBadOptionValue, fmt::format("group '{}' cannot read topic '{}': {}", group_, topic_, rd_kafka_err2str(error)));
    subscribed_ = true;
    return ok();
  }

  Result<std::optional<GroupRecord>> poll(DurationUs wait_us) override {
    message_.reset(rd_kafka_consumer_poll(client_.get(), static_cast<int>(wait_us / kMillisecond)));
    if (const std::string fatal = fatal_error(); !fatal.empty()) return unavailable(fmt::format("reading as a member of '{}'", group_), fatal, listener_);
    if (!message_) return std::nullopt;
    const rd_kafka_message_t& m = *message_;
    if (m.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      SUPYO_TRY(other_than_record(m));
      return std::nullopt;
    }
    arrived_at(m.partition, m.offset);
    listener_.partitions[m.partition].next = m.offset + 1;
    GroupRecord r{.partition = m.partition, .offset = m.offset, .timestamp_us = rd_kafka_message_timestamp(&m, nullptr) * kMillisecond};
    // The client tells an absent key or value from an empty one by the pointer.
    if (m.key != nullptr) r.key = std::string_view(static_cast<const char*>(m.key), m.key_len);
    if (m.payload != nullptr) r.value = std::string_view(static_cast<const char*>(m.payload), m.len);
    return r;
  }

  std::vector<GroupEvent> events() override { return std::exchange(listener_.events, {}); }

  Status commit(std::int32_t partition, std::int64_t offset, bool wait) override {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition)->offset = offset;
    const auto error = wait ? committed(list.get()) : rd_kafka_commit(client_.get(), list.get(), 1);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return ok();
    return unavailable(fmt::format("committing offset {} of {}/{} as '{}'", offset, topic_, partition, group_), rd_kafka_err2str(error), listener_);
  }

  std::int64_t fetch_position(std::int32_t partition) const override {
    const auto it = listener_.partitions.find(partition);
    return it == listener_.partitions.end() ? -1 : std::max({it->second.fetch, it->second.next, std::int64_t{-1}});
  }

  std::vector<std::pair<std::string, std::string>> settings() const override {
    std::vector<std::pair<std::string, std::string>> all;
    std::array<char, 1024> value{};
    for (const char* name : kTelling) {
      std::size_t size = value.size();
      if (rd_kafka_conf_get(rd_kafka_conf(client_.get()), name, value.data(), &size) == RD_KAFKA_CONF_OK) all.emplace_back(name, value.data());
    }
    return all;
  }

 private:
  struct MessageDeleter {
    void operator()(rd_kafka_message_t* m) const { rd_kafka_message_destroy(m); }
  };

  /// The client's own waiting ends with the broker's answer only, which does not come from a dead one.
  rd_kafka_resp_err_t committed(const rd_kafka_topic_partition_list_t* list) {
    constexpr int kSliceMs = 100;
    constexpr int kSlicesAfterStop = 20;
    std::optional<rd_kafka_resp_err_t> answer;
    const Owned<rd_kafka_queue_t> answers(rd_kafka_queue_new(client_.get()));   // destroyed first: no answer reaches `answer` later
    const auto take = [](rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* of, void* opaque) {
      *static_cast<std::optional<rd_kafka_resp_err_t>*>(opaque) = error == RD_KAFKA_RESP_ERR_NO_ERROR && of != nullptr && of->cnt > 0 ? of->elems[0].err : error;
    };
    const auto given = rd_kafka_commit_queue(client_.get(), list, answers.get(), take, &answer);
    if (given != RD_KAFKA_RESP_ERR_NO_ERROR) return given;
    for (int left = kSlicesAfterStop; !answer && left > 0;) {
      rd_kafka_queue_poll_callback(answers.get(), kSliceMs);
      if (stopped_ && stopped_()) --left;
    }
    return answer.value_or(RD_KAFKA_RESP_ERR__TIMED_OUT);
  }

  std::string fatal_error() const {
    char text[512];
    return rd_kafka_fatal_error(client_.get(), text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR ? std::string() : std::string(text);
  }

  /// A record or the partition's end came from this offset. If it is not the one that followed, and the client had been refused a fetch in between, something is gone.
  void arrived_at(std::int32_t partition, std::int64_t offset) {
    const std::int64_t next = listener_.partitions[partition].next;
    if (offset == next) return;
    const auto from = listener_.take_resets(partition, offset, offset < next);
    for (std::size_t i = 0; i < from.size(); ++i) {
      const std::int64_t to = i + 1 < from.size() ? from[i + 1] : offset;   // gone again before it was read: goes on from there
      listener_.events.push_back({.kind = GroupEvent::Kind::kPositionGone, .partitions = {partition}, .from = from[i], .to = to});
    }
  }

  Status other_than_record(const rd_kafka_message_t& m) {
    switch (m.err) {
      case RD_KAFKA_RESP_ERR__PARTITION_EOF: {
        arrived_at(m.partition, m.offset);
        auto& next = listener_.partitions[m.partition].next;
        next = std::max<std::int64_t>(next, m.offset);   // past the markers of transactions
        return ok();
      }
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        if (m.offset < 0)
          return fail(ErrorCode::kOffsetOutOfRange, fmt::format("group '{}' has no committed position for {}/{}, and its reset policy is an error", group_, topic_, m.partition), "commit one, or reset to earliest or latest");
        listener_.events.push_back({.kind = GroupEvent::Kind::kPositionGone, .partitions = {m.partition}, .from = m.offset, .to = -1, .text = rd_kafka_message_errstr(&m)});
        return fail(ErrorCode::kOffsetOutOfRange, fmt::format("position {} of group '{}' in {}/{} is not in the log any more", m.offset, group_, topic_, m.partition),
                    "records were deleted before this group had read them; reset the group where it shall go on");
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return fail(ErrorCode::kUnknownTable, fmt::format("topic '{}' is gone from the brokers: {}", topic_, rd_kafka_message_errstr(&m)), "was it deleted?");
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      case RD_KAFKA_RESP_ERR__BAD_MSG:
      case RD_KAFKA_RESP_ERR__FATAL: return unavailable(fmt::format("reading {} as a member of '{}'", topic_, group_), rd_kafka_message_errstr(&m), listener_);
      default:
        // Brokers that are away for a while, a poll that came too late, a leader that moved: the client goes on by itself.
        listener_.events.push_back({.kind = GroupEvent::Kind::kError, .text = fmt::format("{}: {}", rd_kafka_err2name(m.err), rd_kafka_message_errstr(&m))});
        return ok();
    }
  }

  std::string topic_, group_;
  std::function<bool()> stopped_;
  GroupListener listener_;         // outlives the client
  Owned<rd_kafka_t> client_;
  std::unique_ptr<rd_kafka_message_t, MessageDeleter> message_;   // of the last poll
  bool subscribed_ = false;
};

}  // namespace

Result<std::unique_ptr<GroupConsumer>> GroupConsumer::open(const GroupConsumerOptions& options) {
  auto consumer = std::make_unique<ClientGroupConsumer>(options);
  SUPYO_TRY(consumer->open(options));
  return std::unique_ptr<GroupConsumer>(std::move(consumer));
}

}  // namespace supyo::connect
