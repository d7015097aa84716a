#include "connect/kafka/record_producer.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/kafka/client.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own

constexpr int kOpenTimeoutMs = 30'000;

/// Reports come as calls of the client, from within its poll: on our thread.
class ReportListener final : public Listener {
 public:
  using Listener::Listener;
  std::vector<RecordReport> reports;
};

RecordReport::Outcome outcome_of(const rd_kafka_message_t* message) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return RecordReport::Outcome::kAcknowledged;
  return rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? RecordReport::Outcome::kFailed : RecordReport::Outcome::kUnknown;
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* listener = static_cast<ReportListener*>(static_cast<Listener*>(opaque));
  listener->reports.push_back({.id = reinterpret_cast<std::uintptr_t>(message->_private),
                               .outcome = outcome_of(message),
                               .partition = message->partition,
                               .why = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_err2name(message->err),
                               .offset = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? message->offset : -1});
}

Status check_properties(const ClientProperties& properties) {
  const auto known = client_property_list();
  for (const auto& [name, value] : properties)
    if (std::ranges::none_of(known, [&](const ClientProperty& p) { return p.name == name && p.side != ClientProperty::Side::kSource; }))
      return fail(ErrorCode::kUnknownOption, fmt::format("'{}' is no property of a producer that may be set", name), "the list is in docs/reference/connectors.md, kafka");
  return ok();
}

/// Returns when the brokers have created it, or somebody else has meanwhile.
Status create_topic(rd_kafka_t* client, const std::string& topic, const Listener& listener) {
  constexpr int kBrokerDefault = -1;
  char why[256];
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic.c_str(), kBrokerDefault, kBrokerDefault, why, sizeof why);
  if (wanted == nullptr) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' cannot be a topic: {}", topic, why), "letters, digits, '.', '_' and '-'");
  const Owned<rd_kafka_queue_t> answers(rd_kafka_queue_new(client));
  rd_kafka_CreateTopics(client, &wanted, 1, nullptr, answers.get());
  rd_kafka_NewTopic_destroy(wanted);
  const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(rd_kafka_queue_poll(answers.get(), kOpenTimeoutMs), rd_kafka_event_destroy);
  const std::string what = fmt::format("creating topic '{}'", topic);
  if (event == nullptr) return unavailable(what, "no answer", listener);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(what, rd_kafka_event_error_string(event.get()), listener);
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count == 1 && rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR && rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    return unavailable(what, rd_kafka_topic_result_error_string(results[0]), listener);
  return ok();
}

class ClientProducer final : public RecordProducer {
 public:
  explicit ClientProducer(const std::string& topic) : listener_(topic) {}

  Status open(const RecordProducerOptions& options) {
    SUPYO_TRY(check_properties(options.properties));
    const auto acks = options.properties.find("acks");
    const bool all = acks == options.properties.end() || acks->second == "all" || acks->second == "-1";
    Settings fixed{{"enable.idempotence", all ? "true" : "false"}};
    fixed.insert(fixed.end(), options.client_settings.begin(), options.client_settings.end());
    SUPYO_ASSIGN(client_, make_client({.producer = true, .table = options.topic, .servers = options.servers, .properties = options.properties, .fixed = std::move(fixed), .listener = &listener_,
                                       .on_delivery = on_delivery}));
    const auto partitions = partition_count(client_.get(), options.topic, kOpenTimeoutMs, listener_);
    if (!partitions && partitions.error().code == ErrorCode::kUnknownTable && options.create_topic) SUPYO_TRY(create_topic(client_.get(), options.topic, listener_));
    else if (!partitions) return fail(partitions.error());
    topic_.reset(rd_kafka_topic_new(client_.get(), options.topic.c_str(), nullptr));
    return ok();
  }

  Result<bool> send_to(std::int32_t partition, std::uint64_t id, std::optional<std::string_view> key, std::string_view value, TimeUs timestamp_us) override {
    const auto error = produce(client_.get(), topic_.get(), {.partition = partition, .key = key, .value = value, .timestamp_ms = timestamp_us / kMillisecond, .opaque = reinterpret_cast<void*>(static_cast<std::uintptr_t>(id))});
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
    if (const std::string fatal = listener_.fatal(); !fatal.empty()) return unavailable("sending a record", fatal, listener_);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) listener_.reports.push_back({.id = id, .outcome = RecordReport::Outcome::kFailed, .why = rd_kafka_err2name(error)});
    ++taken_;
    return true;
  }

  std::vector<RecordReport> reports(DurationUs wait_us) override {
    rd_kafka_poll(client_.get(), listener_.reports.empty() ? static_cast<int>(wait_us / kMillisecond) : 0);
    std::vector<RecordReport> all = std::exchange(listener_.reports, {});
    taken_ -= all.size();
    return all;
  }

  void give_up() override { rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); }

  std::size_t in_flight() const override { return taken_; }

 private:
  ReportListener listener_;        // outlives the client
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_topic_t> topic_;
  std::size_t taken_ = 0;
};

}  // namespace

Result<std::unique_ptr<RecordProducer>> RecordProducer::open(const RecordProducerOptions& options) {
  auto producer = std::make_unique<ClientProducer>(options.topic);
  SUPYO_TRY(producer->open(options));
  return std::unique_ptr<RecordProducer>(std::move(producer));
}

}  // namespace supyo::connect
