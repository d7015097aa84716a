#include "connect/kafka/transaction_producer.h"

#include <fmt/format.h>

#include "connect/kafka/client.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own

constexpr int kCallMs = 1'000;    // of one call that waits; repeated while the client says that it may be
constexpr int kCalls = 30;

class ClientTransactions final : public TransactionProducer {
 public:
  explicit ClientTransactions(const TransactionProducerOptions& options) : topic_name_(options.topic), listener_(options.topic) {}

  Status open(const TransactionProducerOptions& options) {
    SUPYO_ASSIGN(client_, make_client({.producer = true, .table = options.topic, .servers = options.servers, .properties = options.properties,
                                       .fixed = {{"transactional.id", options.transactional_id}, {"transaction.timeout.ms", "60000"}, {"message.timeout.ms", "60000"}}, .listener = &listener_}));
    SUPYO_ASSIGN([[maybe_unused]] const auto partitions, partition_count(client_.get(), options.topic, kCalls * kCallMs, listener_));
    topic_.reset(rd_kafka_topic_new(client_.get(), options.topic.c_str(), nullptr));
    return repeat("fencing earlier producers", [&] { return rd_kafka_init_transactions(client_.get(), kCallMs); });
  }

  Status begin() override {
    return repeat("beginning a transaction", [&] { return rd_kafka_begin_transaction(client_.get()); });
  }

  Status send(std::optional<std::string_view> key, std::string_view value, TimeUs timestamp_us) override {
    const OutgoingRecord record{.key = key, .value = value, .timestamp_ms = timestamp_us / kMillisecond};
    for (int i = 0; i < kCalls; ++i) {
      const auto e = produce(client_.get(), topic_.get(), record);
      if (e == RD_KAFKA_RESP_ERR_NO_ERROR) return ok();
      if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL) return unavailable(what("sending a record"), rd_kafka_err2str(e), listener_);
      (void)rd_kafka_poll(client_.get(), kCallMs);
    }
    return unavailable(what("sending a record"), "the client's queue stays full", listener_);
  }

  Status commit(const std::string& group, const std::string& topic, std::int32_t partition, std::int64_t offset) override {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
    const Owned<rd_kafka_consumer_group_metadata_t> member(rd_kafka_consumer_group_metadata_new(group.c_str()));
    SUPYO_TRY(repeat("adding the offsets", [&] { return rd_kafka_send_offsets_to_transaction(client_.get(), list.get(), member.get(), kCallMs); }));
    return repeat("committing", [&] { return rd_kafka_commit_transaction(client_.get(), kCallMs); });
  }

 private:
  std::string what(std::string_view doing) const { return fmt::format("topic '{}': {}", topic_name_, doing); }

  template <class F>
  Status repeat(std::string_view doing, F call) {
    std::string why;
    for (int i = 0; i < kCalls; ++i) {
      const ClientError e(call());
      if (!e) return ok();
      why = rd_kafka_error_string(e.get());
      if (!rd_kafka_error_is_retriable(e.get())) break;
    }
    return unavailable(what(doing), why, listener_);
  }

  std::string topic_name_;
  Listener listener_;   // outlives the client
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_topic_t> topic_;
};

}  // namespace

Result<std::unique_ptr<TransactionProducer>> TransactionProducer::open(const TransactionProducerOptions& options) {
  auto producer = std::make_unique<ClientTransactions>(options);
  SUPYO_TRY(producer->open(options));
  return std::unique_ptr<TransactionProducer>(std::move(producer));
}

}  // namespace supyo::connect
