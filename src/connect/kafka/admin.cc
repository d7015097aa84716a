#include "connect/kafka/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "connect/kafka/client.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own

constexpr int kLookAgainMs = 20;
constexpr int kAttemptMs = 3'000;   // of a request that may be made again
// Never joined. Without any, the client (2.12.1) dies of a null pointer where ListConsumerGroupOffsets is answered with "the coordinator loads": on a cluster that is new.
constexpr const char* kGroup = "supyo-administration";

using Event = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;
using ConfigResource = std::unique_ptr<rd_kafka_ConfigResource_t, decltype(&rd_kafka_ConfigResource_destroy)>;

/// The cluster answered, and this is its no.
std::unexpected<Error> refused(const std::string& what, rd_kafka_resp_err_t code, const char* text, const Listener& listener) {
  const std::string message = fmt::format("{}: {}", what, text != nullptr ? text : rd_kafka_err2str(code));
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return fail(ErrorCode::kUnknownTable, message, "check its name");
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: return fail(ErrorCode::kAlreadyExists, message, "choose another name, or delete it first");
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: return fail(ErrorCode::kOffsetOutOfRange, message, "the offset lies beyond the end of the log");
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID: return fail(ErrorCode::kOutsideConflict, message, "stop the members of the group first");
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return fail(ErrorCode::kBadOptionValue, message);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return fail(ErrorCode::kNotAllowed, message, "ask for the right, or use another user");
    default: return unavailable(what, text != nullptr ? text : rd_kafka_err2str(code), listener);
  }
}

class ClientAdmin final : public KafkaAdmin {
 public:
  ClientAdmin(std::string servers, DurationUs timeout_us) : servers_(std::move(servers)), timeout_ms_(static_cast<int>(timeout_us / kMillisecond)) {}

  Status open() {
    const ClientProperties none;
    // A consumer, since only such have an isolation level: the high watermark is asked for, not the last stable offset.
    SUPYO_ASSIGN(client_, make_client({.producer = false, .table = "administration", .servers = servers_, .properties = none, .fixed = {{"group.id", kGroup}, {"isolation.level", "read_uncommitted"}}, .listener = &listener_}));
    queue_.reset(rd_kafka_queue_new(client_.get()));
    return ok();
  }

  Result<Cluster> describe() override {
    const rd_kafka_metadata_t* answer = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 1, nullptr, &answer, timeout_ms_);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("describing the cluster", rd_kafka_err2str(error), listener_);
    const Owned<const rd_kafka_metadata_t> owner(answer);
    Cluster c;
    if (char* id = rd_kafka_clusterid(client_.get(), timeout_ms_); id != nullptr) {
      c.id = id;
      rd_kafka_mem_free(client_.get(), id);
    }
    for (int i = 0; i < answer->broker_cnt; ++i) c.brokers.push_back({answer->brokers[i].id, answer->brokers[i].host, answer->brokers[i].port});
    for (int i = 0; i < answer->topic_cnt; ++i) c.topics.push_back(topic_view(answer->topics[i]));
    return c;
  }

  Status create_topic(const std::string& name, int partitions, int replicas, const std::map<std::string, std::string>& config) override {
    const std::string what = fmt::format("creating topic '{}'", name);
    char why[256];
    const std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> wanted(rd_kafka_NewTopic_new(name.c_str(), partitions, replicas, why, sizeof why), rd_kafka_NewTopic_destroy);
    if (wanted == nullptr) return fail(ErrorCode::kBadOptionValue, fmt::format("{}: {}", what, why));
    for (const auto& [key, value] : config) rd_kafka_NewTopic_set_config(wanted.get(), key.c_str(), value.c_str());
    rd_kafka_NewTopic_t* one = wanted.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_CreateTopics(client_.get(), &one, 1, o, queue_.get()); }));
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
    SUPYO_TRY(topic_results(what, results, count));
    return until_it_has_leaders(name);
  }

  Status delete_topic(const std::string& name) override {
    const std::string what = fmt::format("deleting topic '{}'", name);
    const std::unique_ptr<rd_kafka_DeleteTopic_t, decltype(&rd_kafka_DeleteTopic_destroy)> doomed(rd_kafka_DeleteTopic_new(name.c_str()), rd_kafka_DeleteTopic_destroy);
    rd_kafka_DeleteTopic_t* one = doomed.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DeleteTopics(client_.get(), &one, 1, o, queue_.get()); }));
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
    return topic_results(what, results, count);
  }

  Result<std::map<std::string, std::string>> topic_config(const std::string& name) override {
    return config_of(RD_KAFKA_RESOURCE_TOPIC, name, fmt::format("asking for the settings of topic '{}'", name), false);
  }
  Result<std::map<std::string, std::string>> broker_config(std::int32_t broker) override {
    return config_of(RD_KAFKA_RESOURCE_BROKER, std::to_string(broker), fmt::format("asking for the settings of broker {}", broker), false);
  }

  Status set_topic_config(const std::string& name, const std::map<std::string, std::string>& config) override {
    const std::string what = fmt::format("changing the settings of topic '{}'", name);
    const ConfigResource resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()), rd_kafka_ConfigResource_destroy);
    rd_kafka_ConfigResource_t* one = resource.get();
    std::size_t count = 0;
#if RD_KAFKA_VERSION >= 0x02020000
    for (const auto& [key, value] : config) {
      const ClientError error(rd_kafka_ConfigResource_add_incremental_config(one, key.c_str(), RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.c_str()));
      if (error) return fail(ErrorCode::kBadOptionValue, fmt::format("{}: {}", what, rd_kafka_error_string(error.get())));
    }
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_IncrementalAlterConfigs(client_.get(), &one, 1, o, queue_.get()); }));
    const auto** results = rd_kafka_IncrementalAlterConfigs_result_resources(rd_kafka_event_IncrementalAlterConfigs_result(event.get()), &count);
#else
    // The older call replaces all that was set for the topic: what was is sent along.
    SUPYO_ASSIGN(auto all, config_of(RD_KAFKA_RESOURCE_TOPIC, name, what, true));
    for (const auto& [key, value] : config) all[key] = value;
    for (const auto& [key, value] : all) rd_kafka_ConfigResource_set_config(one, key.c_str(), value.c_str());
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_AlterConfigs(client_.get(), &one, 1, o, queue_.get()); }));
    const auto** results = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event.get()), &count);
#endif
    if (count != 1) return unavailable(what, "an answer without a result", listener_);
    if (const auto error = rd_kafka_ConfigResource_error(results[0])) return refused(what, error, rd_kafka_ConfigResource_error_string(results[0]), listener_);
    return ok();
  }

  Result<std::vector<Ends>> ends(const std::string& topic) override {
    SUPYO_ASSIGN(const std::int32_t partitions, partition_count(client_.get(), topic, timeout_ms_, listener_));
    std::vector<Ends> all(static_cast<std::size_t>(partitions));
    for (std::int32_t p = 0; p < partitions; ++p) {
      SUPYO_ASSIGN(all[static_cast<std::size_t>(p)], ends_of(topic, p));
    }
    return all;
  }
  Result<Ends> ends_of(const std::string& topic, std::int32_t partition) override {
    Ends e;
    const auto error = rd_kafka_query_watermark_offsets(client_.get(), topic.c_str(), partition, &e.start, &e.end, timeout_ms_);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return refused(fmt::format("asking for the ends of {}/{}", topic, partition), error, nullptr, listener_);
    return e;
  }

  Result<std::int64_t> delete_records(const std::string& topic, std::int32_t partition, std::int64_t offset) override {
    const std::string what = fmt::format("deleting the records of {}/{} before {}", topic, partition, offset);
    const std::unique_ptr<rd_kafka_DeleteRecords_t, decltype(&rd_kafka_DeleteRecords_destroy)> wanted(rd_kafka_DeleteRecords_new(list_of(topic, partition, offset).get()), rd_kafka_DeleteRecords_destroy);
    rd_kafka_DeleteRecords_t* one = wanted.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DeleteRecords(client_.get(), &one, 1, o, queue_.get()); }));
    const auto* list = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
    if (list == nullptr || list->cnt != 1) return unavailable(what, "an answer without a result", listener_);
    if (list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) return refused(what, list->elems[0].err, nullptr, listener_);
    return list->elems[0].offset;
  }

  Result<Committed> committed(const std::string& group) override {
    return until_coordinated([&] { return committed_now(group); });
  }
  Status set_committed(const std::string& group, const std::string& topic, std::int32_t partition, std::int64_t offset) override {
    return until_coordinated([&] { return set_committed_now(group, topic, partition, offset); });
  }
  Status delete_group(const std::string& group) override {
    const Status deleted = until_coordinated([&] { return delete_group_now(group); });
    return !deleted && deleted.error().code == ErrorCode::kFileNotFound ? ok() : deleted;
  }

  Result<std::vector<Group>> groups() override {
    SUPYO_ASSIGN(const Event listed, ask("listing groups", [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_ListConsumerGroups(client_.get(), o, queue_.get()); }));
    const auto* result = rd_kafka_event_ListConsumerGroups_result(listed.get());
    std::size_t count = 0;
    if (const rd_kafka_error_t** errors = rd_kafka_ListConsumerGroups_result_errors(result, &count); count > 0)
      return refused("listing groups", rd_kafka_error_code(errors[0]), rd_kafka_error_string(errors[0]), listener_);
    const rd_kafka_ConsumerGroupListing_t** listings = rd_kafka_ListConsumerGroups_result_valid(result, &count);
    std::vector<const char*> names;
    for (std::size_t i = 0; i < count; ++i) names.push_back(rd_kafka_ConsumerGroupListing_group_id(listings[i]));
    std::vector<Group> all;
    if (names.empty()) return all;
    SUPYO_ASSIGN(const Event described, ask("describing groups", [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DescribeConsumerGroups(client_.get(), names.data(), names.size(), o, queue_.get()); }));
    const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(described.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
      const rd_kafka_error_t* error = rd_kafka_ConsumerGroupDescription_error(groups[i]);
      if (error != nullptr && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;   // gone meanwhile
      const char* assignor = rd_kafka_ConsumerGroupDescription_partition_assignor(groups[i]);
      all.push_back({rd_kafka_ConsumerGroupDescription_group_id(groups[i]), rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(groups[i])), assignor == nullptr ? "" : assignor,
                     static_cast<int>(rd_kafka_ConsumerGroupDescription_member_count(groups[i]))});
    }
    return all;
  }

 private:
  /// A cluster that has just started, or that gives a group to another broker, says no to requests about groups for a moment, or the client waits for an answer that does
  /// not come: asked again, with less patience each, until the timeout. Asking twice does no harm to any of them.
  template <class Once>
  auto until_coordinated(Once once) -> decltype(once()) {
    for (int waited = 0;;) {
      refusal_ = RD_KAFKA_RESP_ERR_NO_ERROR;
      attempt_ms_ = std::min(timeout_ms_, kAttemptMs);
      auto done = once();
      attempt_ms_ = timeout_ms_;
      const bool silent = refusal_ == RD_KAFKA_RESP_ERR__TIMED_OUT;
      const bool moving = silent || refusal_ == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || refusal_ == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS || refusal_ == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
      waited += silent ? kAttemptMs : kLookAgainMs;
      if (done || !moving || waited >= timeout_ms_) return done;
      wait_a_little();
    }
  }
  void wait_a_little() {
    if (rd_kafka_event_t* nothing = rd_kafka_queue_poll(queue_.get(), kLookAgainMs); nothing != nullptr) rd_kafka_event_destroy(nothing);
  }

  Result<Committed> committed_now(const std::string& group) {
    const std::string what = fmt::format("asking for the offsets of group '{}'", group);
    const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, decltype(&rd_kafka_ListConsumerGroupOffsets_destroy)> wanted(
        rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), nullptr), rd_kafka_ListConsumerGroupOffsets_destroy);
    rd_kafka_ListConsumerGroupOffsets_t* one = wanted.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_ListConsumerGroupOffsets(client_.get(), &one, 1, o, queue_.get()); }));
    std::size_t count = 0;
    const rd_kafka_group_result_t** results = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event.get()), &count);
    Committed all;
    const auto listed = group_results(what, results, count);
    if (!listed && listed.error().code != ErrorCode::kFileNotFound) return fail(listed.error());
    for (std::size_t i = 0; listed && i < count; ++i) {
      const auto* list = rd_kafka_group_result_partitions(results[i]);
      for (int p = 0; list != nullptr && p < list->cnt; ++p)
        if (list->elems[p].offset >= 0) all[{list->elems[p].topic, list->elems[p].partition}] = list->elems[p].offset;
    }
    return all;
  }

  Status set_committed_now(const std::string& group, const std::string& topic, std::int32_t partition, std::int64_t offset) {
    const std::string what = fmt::format("setting the offset of group '{}' in {}/{}", group, topic, partition);
    const std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t, decltype(&rd_kafka_AlterConsumerGroupOffsets_destroy)> wanted(
        rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list_of(topic, partition, offset).get()), rd_kafka_AlterConsumerGroupOffsets_destroy);
    rd_kafka_AlterConsumerGroupOffsets_t* one = wanted.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_AlterConsumerGroupOffsets(client_.get(), &one, 1, o, queue_.get()); }));
    std::size_t count = 0;
    return group_results(what, rd_kafka_AlterConsumerGroupOffsets_result_groups(rd_kafka_event_AlterConsumerGroupOffsets_result(event.get()), &count), count);
  }

  Status delete_group_now(const std::string& group) {
    const std::string what = fmt::format("deleting group '{}'", group);
    const std::unique_ptr<rd_kafka_DeleteGroup_t, decltype(&rd_kafka_DeleteGroup_destroy)> doomed(rd_kafka_DeleteGroup_new(group.c_str()), rd_kafka_DeleteGroup_destroy);
    rd_kafka_DeleteGroup_t* one = doomed.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DeleteGroups(client_.get(), &one, 1, o, queue_.get()); }));
    std::size_t count = 0;
    return group_results(what, rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event.get()), &count), count);
  }

  static TopicView topic_view(const rd_kafka_metadata_topic& t) {
    TopicView view{.name = t.topic, .partitions = {}};
    for (int p = 0; p < t.partition_cnt; ++p) {
      const rd_kafka_metadata_partition& from = t.partitions[p];
      view.partitions.push_back({.id = from.id, .leader = from.leader, .replicas = {from.replicas, from.replicas + from.replica_cnt}, .in_sync = {from.isrs, from.isrs + from.isr_cnt}});
    }
    return view;
  }

  static PartitionList list_of(const std::string& topic, std::int32_t partition, std::int64_t offset) {
    PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
    return list;
  }

  /// Sends a request and waits for its answer, which is none of an error of the whole.
  Result<Event> ask(const std::string& what, const std::function<void(const rd_kafka_AdminOptions_t*)>& send) {
    const AdminOptions options(rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_ANY), rd_kafka_AdminOptions_destroy);
    char why[256];
    if (rd_kafka_AdminOptions_set_request_timeout(options.get(), attempt_ms_, why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(ErrorCode::kBadOptionValue, fmt::format("{}: {}", what, why));
    send(options.get());
    Event event(rd_kafka_queue_poll(queue_.get(), attempt_ms_ + 1000), rd_kafka_event_destroy);   // the client's own timeout comes first
    if (event == nullptr) {
      queue_.reset(rd_kafka_queue_new(client_.get()));   // an answer that comes too late is not taken for the next one
      return unavailable(what, "no answer", listener_);
    }
    refusal_ = rd_kafka_event_error(event.get());
    if (refusal_ != RD_KAFKA_RESP_ERR_NO_ERROR) return refused(what, refusal_, rd_kafka_event_error_string(event.get()), listener_);
    return event;
  }

  Status topic_results(const std::string& what, const rd_kafka_topic_result_t** results, std::size_t count) const {
    if (count != 1) return unavailable(what, "an answer without a result", listener_);
    if (const auto error = rd_kafka_topic_result_error(results[0])) return refused(what, error, rd_kafka_topic_result_error_string(results[0]), listener_);
    return ok();
  }

  /// kFileNotFound for a group that does not exist: callers make of it what they promise.
  Status group_results(const std::string& what, const rd_kafka_group_result_t** results, std::size_t count) {
    if (count != 1) return unavailable(what, "an answer without a result", listener_);
    if (const rd_kafka_error_t* error = rd_kafka_group_result_error(results[0]); error != nullptr) {
      refusal_ = rd_kafka_error_code(error);
      if (refusal_ == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return fail(ErrorCode::kFileNotFound, fmt::format("{}: there is no such group", what));
      return refused(what, refusal_, rd_kafka_error_string(error), listener_);
    }
    const auto* list = rd_kafka_group_result_partitions(results[0]);
    for (int i = 0; list != nullptr && i < list->cnt; ++i) {
      if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      refusal_ = list->elems[i].err;
      return refused(what, refusal_, nullptr, listener_);
    }
    return ok();
  }

  /// A topic is known to the brokers a moment after it was created.
  Status until_it_has_leaders(const std::string& name) {
    const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
    for (int waited = 0; waited < timeout_ms_; waited += kLookAgainMs) {
      const rd_kafka_metadata_t* answer = nullptr;
      if (rd_kafka_metadata(client_.get(), 0, handle.get(), &answer, timeout_ms_) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const Owned<const rd_kafka_metadata_t> owner(answer);
        bool led = answer->topic_cnt == 1 && answer->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR && answer->topics[0].partition_cnt > 0;
        for (int p = 0; led && p < answer->topics[0].partition_cnt; ++p) led = answer->topics[0].partitions[p].leader >= 0;
        if (led) return ok();
      }
      wait_a_little();
    }
    return unavailable(fmt::format("creating topic '{}'", name), "it was created, and its partitions have no leader yet", listener_);
  }

  Result<std::map<std::string, std::string>> config_of(rd_kafka_ResourceType_t type, const std::string& name, const std::string& what, bool only_set) {
    const ConfigResource resource(rd_kafka_ConfigResource_new(type, name.c_str()), rd_kafka_ConfigResource_destroy);
    rd_kafka_ConfigResource_t* one = resource.get();
    SUPYO_ASSIGN(const Event event, ask(what, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DescribeConfigs(client_.get(), &one, 1, o, queue_.get()); }));
    std::size_t count = 0;
    const rd_kafka_ConfigResource_t** results = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    if (count != 1) return unavailable(what, "an answer without a result", listener_);
    if (const auto error = rd_kafka_ConfigResource_error(results[0])) return refused(what, error, rd_kafka_ConfigResource_error_string(results[0]), listener_);
    const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(results[0], &count);
    std::map<std::string, std::string> all;
    for (std::size_t i = 0; i < count; ++i) {
      const char* value = rd_kafka_ConfigEntry_value(entries[i]);
      if (only_set && rd_kafka_ConfigEntry_source(entries[i]) != RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG) continue;
      if (value != nullptr) all[rd_kafka_ConfigEntry_name(entries[i])] = value;   // secrets have none
    }
    return all;
  }

  std::string servers_;
  int timeout_ms_, attempt_ms_ = timeout_ms_;
  rd_kafka_resp_err_t refusal_ = RD_KAFKA_RESP_ERR_NO_ERROR;   // of the last request
  Listener listener_;              // outlives the client
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_queue_t> queue_;  // gone before the client
};

}  // namespace

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::open(const std::string& servers, DurationUs timeout_us) {
  auto admin = std::make_unique<ClientAdmin>(servers, timeout_us);
  SUPYO_TRY(admin->open());
  return std::unique_ptr<KafkaAdmin>(std::move(admin));
}

}  // namespace supyo::connect
