#include "connect/kafka/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <span>

#include "connect/kafka/client.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own

// Never joined; see admin.cc for why there must be one.
constexpr const char* kGroup = "supyo-administration";
constexpr std::int64_t kLatest = -1, kEarliest = -2, kNewest = -3;   // timestamps that are not, as the protocol has them (and the client's specifications of offsets)
constexpr int kPollMs = 100;                                           // how long it may go unnoticed that the caller gave up
constexpr int kMetadataMs = 900;                                       // a request that cannot be given up is short, and made again
constexpr int kUnreachableMs = 3'600;                                  // after so long nobody is there

using Event = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;
using Question = std::pair<KafkaSurvey::Place, std::int64_t>;

std::string text_or_empty(const char* text) { return text == nullptr ? "" : text; }

class ClientSurvey final : public KafkaSurvey {
 public:
  ClientSurvey(std::string servers, DurationUs timeout_us, std::function<bool()> given_up) : servers_(std::move(servers)), timeout_ms_(static_cast<int>(timeout_us / kMillisecond)), given_up_(std::move(given_up)) {}

  Status open() {
    const ClientProperties none;
    SUPYO_ASSIGN(client_, make_client({.producer = false, .table = "survey", .servers = servers_, .properties = none, .fixed = {{"group.id", kGroup}, {"isolation.level", "read_uncommitted"}}, .listener = &listener_}));
    queue_.reset(rd_kafka_queue_new(client_.get()));
    return ok();
  }

  Result<KafkaAdmin::Cluster> describe() override {
    const rd_kafka_metadata_t* answer = nullptr;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int left = std::min(timeout_ms_, kUnreachableMs); left > 0 && !given_up_() && (error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT); left -= kMetadataMs)
      error = rd_kafka_metadata(client_.get(), 1, nullptr, &answer, std::min(left, kMetadataMs));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("describing the cluster", rd_kafka_err2str(error), listener_);
    const Owned<const rd_kafka_metadata_t> owner(answer);
    KafkaAdmin::Cluster c;
    for (int i = 0; i < answer->broker_cnt; ++i) c.brokers.push_back({answer->brokers[i].id, answer->brokers[i].host, answer->brokers[i].port});
    for (int i = 0; i < answer->topic_cnt; ++i) {
      const rd_kafka_metadata_topic& t = answer->topics[i];
      if (t.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      KafkaAdmin::TopicView& view = c.topics.emplace_back(KafkaAdmin::TopicView{.name = t.topic, .partitions = {}});
      for (int p = 0; p < t.partition_cnt; ++p) {
        const rd_kafka_metadata_partition& from = t.partitions[p];
        view.partitions.push_back({.id = from.id, .leader = from.leader, .replicas = {from.replicas, from.replicas + from.replica_cnt}, .in_sync = {from.isrs, from.isrs + from.isr_cnt}});
      }
    }
    return c;
  }

  Result<std::map<Place, KafkaAdmin::Ends>> ends(const std::vector<Place>& places) override {
    std::vector<Question> first, last;
    for (const Place& p : places) {
      first.emplace_back(p, kEarliest);
      last.emplace_back(p, kLatest);
    }
    // The log start first: what is appended or deleted meanwhile never makes the end lie before it.
    SUPYO_ASSIGN(const auto starts, offsets_for_times(first));
    SUPYO_ASSIGN(const auto ends, offsets_for_times(last));
    std::map<Place, KafkaAdmin::Ends> all;
    for (const auto& [place, start] : starts)
      if (const auto end = ends.find(place); end != ends.end()) all[place] = {.start = start, .end = end->second};
    return all;
  }

  Result<std::map<Place, std::int64_t>> offsets_for_times(const std::vector<Question>& questions) override {
    SUPYO_ASSIGN(const auto found, list_offsets(questions));
    std::map<Place, std::int64_t> all;
    for (const auto& [place, f] : found) all[place] = f.offset;
    return all;
  }

  Result<std::map<Place, std::int64_t>> newest_timestamps(const std::vector<Place>& places) override {
    std::map<Place, std::int64_t> all;
#if RD_KAFKA_VERSION >= 0x02030000
    std::vector<Question> questions;
    for (const Place& p : places) questions.emplace_back(p, kNewest);
    const auto found = list_offsets(questions);
    if (!found) return all;   // an older broker
    for (const auto& [place, f] : *found)
      if (f.timestamp >= 0) all[place] = f.timestamp;
#else
    (void)places;
#endif
    return all;
  }

  Result<std::vector<std::string>> group_names() override {
    send(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, 0, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_ListConsumerGroups(client_.get(), o, queue_.get()); });
    const Event event = answer();
    if (event == nullptr) return unavailable("listing groups", "no answer", listener_);
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("listing groups", text_or_empty(rd_kafka_event_error_string(event.get())), listener_);
    std::size_t count = 0;
    const rd_kafka_ConsumerGroupListing_t** listings = rd_kafka_ListConsumerGroups_result_valid(rd_kafka_event_ListConsumerGroups_result(event.get()), &count);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) names.emplace_back(rd_kafka_ConsumerGroupListing_group_id(listings[i]));
    std::ranges::sort(names);
    return names;
  }

  Result<std::vector<Group>> groups(const std::vector<std::string>& names) override {
    std::vector<Group> all;
    for (std::size_t begin = 0; begin < names.size() && !given_up_(); begin += kGroupsInFlight) {
      std::vector<const char*> some;
      for (std::size_t i = begin; i < std::min(names.size(), begin + kGroupsInFlight); ++i) some.push_back(names[i].c_str());
      send(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, 0, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DescribeConsumerGroups(client_.get(), some.data(), some.size(), o, queue_.get()); });
      const Event event = answer();
      if (event == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      std::size_t count = 0;
      const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
      for (std::size_t i = 0; i < count; ++i) {
        const rd_kafka_error_t* error = rd_kafka_ConsumerGroupDescription_error(groups[i]);
        if (error == nullptr || rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_NO_ERROR) all.push_back(group_of(groups[i]));
      }
    }
    return all;
  }

  Result<std::map<std::string, KafkaAdmin::Committed>> committed(const std::vector<std::string>& groups) override {
    std::map<std::string, KafkaAdmin::Committed> all;
    std::size_t next = 0, under_way = 0;
    const auto ask_next = [&] {
      const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, decltype(&rd_kafka_ListConsumerGroupOffsets_destroy)> wanted(rd_kafka_ListConsumerGroupOffsets_new(groups[next].c_str(), nullptr), rd_kafka_ListConsumerGroupOffsets_destroy);
      rd_kafka_ListConsumerGroupOffsets_t* one = wanted.get();
      send(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, next, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_ListConsumerGroupOffsets(client_.get(), &one, 1, o, queue_.get()); });
      ++next;
      ++under_way;
    };
    while (next < groups.size() && under_way < kGroupsInFlight) ask_next();
    while (under_way > 0) {
      const Event event = answer();
      if (event == nullptr) break;   // what is missing is not known
      --under_way;
      if (next < groups.size()) ask_next();
      const auto index = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(rd_kafka_event_opaque(event.get())));
      if (rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_NO_ERROR && index < groups.size()) add_committed(event.get(), all[groups[index]]);
    }
    return all;
  }

  Result<std::map<std::string, std::map<std::string, std::string>>> topic_configs(const std::vector<std::string>& topics) override {
    std::map<std::string, std::map<std::string, std::string>> all;
    for (std::size_t begin = 0; begin < topics.size(); begin += kResourcesARequest)
      SUPYO_TRY(configs(RD_KAFKA_RESOURCE_TOPIC, {topics.data() + begin, std::min(kResourcesARequest, topics.size() - begin)}, all));
    return all;
  }
  Result<std::map<std::string, std::string>> broker_config(std::int32_t broker) override {
    std::map<std::string, std::map<std::string, std::string>> all;
    const std::string name = std::to_string(broker);
    SUPYO_TRY(configs(RD_KAFKA_RESOURCE_BROKER, {&name, 1}, all));
    return all[name];
  }

 private:
  static Group group_of(const rd_kafka_ConsumerGroupDescription_t* from) {
    Group g{.name = rd_kafka_ConsumerGroupDescription_group_id(from), .state = rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(from)), .assignor = text_or_empty(rd_kafka_ConsumerGroupDescription_partition_assignor(from)), .members = {}};
    for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(from); ++i) {
      const rd_kafka_MemberDescription_t* m = rd_kafka_ConsumerGroupDescription_member(from, i);
      Member& member = g.members.emplace_back(Member{.id = text_or_empty(rd_kafka_MemberDescription_consumer_id(m)), .client_id = text_or_empty(rd_kafka_MemberDescription_client_id(m)),
                                                     .host = text_or_empty(rd_kafka_MemberDescription_host(m)), .instance_id = text_or_empty(rd_kafka_MemberDescription_group_instance_id(m)), .assigned = {}});
      const auto* assignment = rd_kafka_MemberDescription_assignment(m);
      const auto* list = assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
      for (int p = 0; list != nullptr && p < list->cnt; ++p) member.assigned.emplace_back(list->elems[p].topic, list->elems[p].partition);
    }
    return g;
  }

  struct Found {
    std::int64_t offset = -1, timestamp = -1;
  };
  Result<std::map<Place, Found>> list_offsets(const std::vector<Question>& questions) {
    std::map<Place, Found> all;
    if (questions.empty()) return all;
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(questions.size())));
    std::set<Place> asked;   // a list that names a partition twice is refused
    for (const auto& [place, time] : questions)
      if (asked.insert(place).second) rd_kafka_topic_partition_list_add(list.get(), place.first.c_str(), place.second)->offset = time;
    const auto add = [&](const rd_kafka_topic_partition_t* p, std::int64_t timestamp) {
      if (p->err == RD_KAFKA_RESP_ERR_NO_ERROR) all[{p->topic, p->partition}] = {.offset = p->offset, .timestamp = timestamp};
    };
#if RD_KAFKA_VERSION >= 0x02030000
    send(RD_KAFKA_ADMIN_OP_LISTOFFSETS, 0, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_ListOffsets(client_.get(), list.get(), o, queue_.get()); });
    const Event event = answer();
    if (event == nullptr) return unavailable("asking for offsets", "no answer", listener_);
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("asking for offsets", text_or_empty(rd_kafka_event_error_string(event.get())), listener_);
    std::size_t count = 0;
    const auto** infos = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &count);
    for (std::size_t i = 0; i < count; ++i) add(rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]), rd_kafka_ListOffsetsResultInfo_timestamp(infos[i]));
#else
    const auto error = rd_kafka_offsets_for_times(client_.get(), list.get(), timeout_ms_);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("asking for offsets", rd_kafka_err2str(error), listener_);
    for (int i = 0; i < list->cnt; ++i) add(&list->elems[i], -1);
#endif
    return all;
  }

  static void add_committed(rd_kafka_event_t* event, KafkaAdmin::Committed& to) {
    std::size_t count = 0;
    const rd_kafka_group_result_t** results = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto* list = rd_kafka_group_result_partitions(results[i]);
      for (int p = 0; list != nullptr && p < list->cnt; ++p)
        if (list->elems[p].offset >= 0) to[{list->elems[p].topic, list->elems[p].partition}] = list->elems[p].offset;
    }
  }

  Status configs(rd_kafka_ResourceType_t type, std::span<const std::string> names, std::map<std::string, std::map<std::string, std::string>>& all) {
    std::vector<rd_kafka_ConfigResource_t*> resources;
    for (const std::string& name : names) resources.push_back(rd_kafka_ConfigResource_new(type, name.c_str()));
    send(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, 0, [&](const rd_kafka_AdminOptions_t* o) { rd_kafka_DescribeConfigs(client_.get(), resources.data(), resources.size(), o, queue_.get()); });
    rd_kafka_ConfigResource_destroy_array(resources.data(), resources.size());
    const Event event = answer();
    if (event == nullptr) return unavailable("asking for settings", "no answer", listener_);
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("asking for settings", text_or_empty(rd_kafka_event_error_string(event.get())), listener_);
    std::size_t count = 0;
    const rd_kafka_ConfigResource_t** results = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
      if (rd_kafka_ConfigResource_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      auto& to = all[rd_kafka_ConfigResource_name(results[i])];
      std::size_t entries = 0;
      const rd_kafka_ConfigEntry_t** list = rd_kafka_ConfigResource_configs(results[i], &entries);
      for (std::size_t e = 0; e < entries; ++e)
        if (const char* value = rd_kafka_ConfigEntry_value(list[e]); value != nullptr) to[rd_kafka_ConfigEntry_name(list[e])] = value;   // secrets have none
    }
    return ok();
  }

  void send(rd_kafka_admin_op_t operation, std::size_t tag, const std::function<void(const rd_kafka_AdminOptions_t*)>& ask) {
    const AdminOptions options(rd_kafka_AdminOptions_new(client_.get(), operation), rd_kafka_AdminOptions_destroy);
    char why[256];
    (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms_, why, sizeof why);
    rd_kafka_AdminOptions_set_opaque(options.get(), reinterpret_cast<void*>(tag));
    ask(options.get());
  }
  /// Null when the caller gave up, or the client, against its word, does not end a request in time; what comes later is then not taken for another's answer.
  Event answer() {
    Event event(nullptr, rd_kafka_event_destroy);
    for (int left = timeout_ms_ + 1000; event == nullptr && left > 0 && !given_up_(); left -= kPollMs) event.reset(rd_kafka_queue_poll(queue_.get(), kPollMs));
    if (event == nullptr) queue_.reset(rd_kafka_queue_new(client_.get()));
    return event;
  }

  std::string servers_;
  int timeout_ms_;
  std::function<bool()> given_up_;
  Listener listener_;              // outlives the client
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_queue_t> queue_;  // gone before the client
};

}  // namespace

Result<std::unique_ptr<KafkaSurvey>> KafkaSurvey::open(const std::string& servers, DurationUs timeout_us, std::function<bool()> given_up) {
  auto survey = std::make_unique<ClientSurvey>(servers, timeout_us, std::move(given_up));
  SUPYO_TRY(survey->open());
  return std::unique_ptr<KafkaSurvey>(std::move(survey));
}

}  // namespace supyo::connect
