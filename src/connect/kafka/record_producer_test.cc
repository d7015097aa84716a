#include "connect/kafka/record_producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
// after it
#include <librdkafka/rdkafka_mock.h>

#include <map>

#include "connect/kafka/client.h"
#include "connect/kafka/transaction_producer.h"

namespace supyo::connect {
namespace {

using Outcome = RecordReport::Outcome;

/// A cluster of the client library's own, whose answers the test chooses.
class RecordProducerTest : public testing::Test {
 protected:
  void SetUp() override {
    char why[256];
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why));
    cluster_ = rd_kafka_mock_cluster_new(handle_.get(), 1);
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, "t", 3, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void TearDown() override {
    producer_.reset();
    rd_kafka_mock_cluster_destroy(cluster_);
  }
  void open(ClientProperties properties = {}) {
    auto opened = RecordProducer::open({.servers = rd_kafka_mock_cluster_bootstraps(cluster_), .topic = "t", .properties = std::move(properties)});
    ASSERT_TRUE(opened) << opened.error().to_string();
    producer_ = std::move(*opened);
  }
  /// Reports until nothing is in flight, by id.
  std::map<std::uint64_t, RecordReport> settle() {
    std::map<std::uint64_t, RecordReport> by_id;
    while (producer_->in_flight() > 0)
      for (RecordReport& r : producer_->reports(kSecond)) EXPECT_TRUE(by_id.emplace(r.id, r).second) << "reported twice: " << r.id;
    return by_id;
  }
  kafka::Owned<rd_kafka_t> handle_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::unique_ptr<RecordProducer> producer_;
};

TEST_F(RecordProducerTest, GoesToThePartitionThatTheCallerChose) {
  open();
  for (std::uint64_t id = 0; id < 30; ++id) ASSERT_TRUE(*producer_->send_to(static_cast<std::int32_t>(id % 3), id, "one key", "value", kSecond));
  const auto reports = settle();
  ASSERT_EQ(reports.size(), 30U);
  for (const auto& [id, r] : reports) EXPECT_EQ(r.partition, static_cast<std::int32_t>(id % 3));
}

TEST_F(RecordProducerTest, EveryRecordIsReportedOnce) {
  open();
  for (std::uint64_t id = 1; id <= 500; ++id) ASSERT_TRUE(*producer_->send(id, "key-" + std::to_string(id % 7), "value", kSecond));
  std::map<std::string, std::int32_t> partitions;
  const auto reports = settle();
  ASSERT_EQ(reports.size(), 500U);
  for (const auto& [id, r] : reports) {
    EXPECT_EQ(r.outcome, Outcome::kAcknowledged);
    // One key, one partition.
    EXPECT_EQ(partitions.emplace("key-" + std::to_string(id % 7), r.partition).first->second, r.partition);
  }
}

TEST_F(RecordProducerTest, WhatABrokerRefusesIsNotInTheTopic) {
  open({{"acks", "1"}});
  rd_kafka_mock_push_request_errors(cluster_, 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE);
  ASSERT_TRUE(*producer_->send(1, "a", "value", kSecond));
  auto reports = settle();
  EXPECT_EQ(reports.at(1).outcome, Outcome::kFailed);
  EXPECT_EQ(reports.at(1).why, "INVALID_MSG_SIZE");
  ASSERT_TRUE(*producer_->send(2, "a", "value", kSecond));
  EXPECT_EQ(settle().at(2).outcome, Outcome::kAcknowledged);
  ASSERT_TRUE(*producer_->send(3, "a", std::string(2'000'000, 'x'), kSecond));
  reports = settle();
  EXPECT_EQ(reports.at(3).outcome, Outcome::kFailed);
  EXPECT_EQ(reports.at(3).why, "MSG_SIZE_TOO_LARGE");
}

TEST_F(RecordProducerTest, WhatWasSentAndNotAnsweredIsUnknown) {
  open({{"acks", "1"}});
  ASSERT_TRUE(*producer_->send(1, "a", "value", kSecond));
  ASSERT_EQ(settle().at(1).outcome, Outcome::kAcknowledged);   // connected
  rd_kafka_mock_broker_set_rtt(cluster_, 1, 60'000);
  ASSERT_TRUE(*producer_->send(2, "a", "value", kSecond));
  EXPECT_TRUE(producer_->reports(300 * kMillisecond).empty());   // out by now: linger.ms is 5
  producer_->give_up();
  const auto reports = settle();
  EXPECT_EQ(reports.at(2).outcome, Outcome::kUnknown);
  EXPECT_EQ(reports.at(2).why, "_PURGE_INFLIGHT");
}

TEST_F(RecordProducerTest, RefusesWhatItMayNotSet) {
  const std::string servers = rd_kafka_mock_cluster_bootstraps(cluster_);
  EXPECT_EQ(RecordProducer::open({.servers = servers, .topic = "t", .properties = {{"ssl.engine.location", "/tmp/x.so"}}}).error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(RecordProducer::open({.servers = servers, .topic = "t", .properties = {{"fetch.min.bytes", "1"}}}).error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(RecordProducer::open({.servers = servers, .topic = "t", .properties = {{"acks", "nonsense"}}}).error().code, ErrorCode::kBadOptionValue);
}

TEST_F(RecordProducerTest, TransactionsGoOnWhenTheOnlyBrokerWasAway) {
  auto opened = TransactionProducer::open({.servers = rd_kafka_mock_cluster_bootstraps(cluster_), .topic = "t", .transactional_id = "id"});
  ASSERT_TRUE(opened) << opened.error().to_string();
  TransactionProducer& transactions = **opened;
  ASSERT_TRUE(transactions.begin());
  ASSERT_TRUE(transactions.send("key", "before", kSecond));
  ASSERT_TRUE(transactions.commit("group", "t", 0, 1));   // which finds the group's coordinator
  ASSERT_EQ(rd_kafka_mock_broker_set_down(cluster_, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_poll(handle_.get(), 1'000);
  ASSERT_EQ(rd_kafka_mock_broker_set_up(cluster_, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  ASSERT_TRUE(transactions.begin());
  ASSERT_TRUE(transactions.send("key", "after", kSecond));
  const Status committed = transactions.commit("group", "t", 0, 2);
  EXPECT_TRUE(committed) << committed.error().to_string();
}

}  // namespace
}  // namespace supyo::connect
