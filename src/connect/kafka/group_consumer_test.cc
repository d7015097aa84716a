#include "connect/kafka/group_consumer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
// after it
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>

#include "connect/kafka/client.h"

namespace supyo::connect {
namespace {

using Kind = GroupEvent::Kind;

/// A cluster of the client library's own. It keeps 5 MiB of a partition, whatever was read of it.
class GroupConsumerTest : public testing::Test {
 protected:
  void SetUp() override {
    char why[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "linger.ms", "0", why, sizeof why);
    rd_kafka_conf_set(conf, "batch.num.messages", "100", why, sizeof why);   // of which each is kept or dropped as a whole
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why));
    cluster_ = rd_kafka_mock_cluster_new(handle_.get(), 1);
#if RD_KAFKA_VERSION >= 0x020c0000
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster_, 0);
#endif
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, "t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_brokers_add(handle_.get(), rd_kafka_mock_cluster_bootstraps(cluster_));
  }
  void TearDown() override {
    consumer_.reset();
    rd_kafka_mock_cluster_destroy(cluster_);
  }

  void produce(int records) {
    const kafka::Owned<rd_kafka_topic_t> topic(rd_kafka_topic_new(handle_.get(), "t", nullptr));
    const std::string value(1000, 'x');
    for (int i = 0; i < records; ++i)
      while (kafka::produce(handle_.get(), topic.get(), {.partition = 0, .key = "k", .value = value, .timestamp_ms = 1}) == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(handle_.get(), 10);
    ASSERT_EQ(rd_kafka_flush(handle_.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  GroupConsumerOptions options(GroupReset reset = GroupReset::kEarliest) {
    // Fetches little ahead, so that what retention deletes is not in the client's queue already.
    return {.servers = rd_kafka_mock_cluster_bootstraps(cluster_), .topic = "t", .group = "g", .reset = reset,
            .properties = {{"session.timeout.ms", "1000"}, {"heartbeat.interval.ms", "100"}},   // for which the cluster waits when a member left
            .client_settings = {{"queued.max.messages.kbytes", "64"}, {"queued.min.messages", "1"}, {"fetch.message.max.bytes", "65536"}}};
  }
  void open(GroupConsumerOptions o) {
    auto opened = GroupConsumer::open(o);
    ASSERT_TRUE(opened) << opened.error().to_string();
    consumer_ = std::move(*opened);
  }
  /// Offsets of the next records up to `last`, with their events.
  std::vector<std::int64_t> read_to(std::int64_t last) {
    std::vector<std::int64_t> offsets;
    while (offsets.empty() || offsets.back() < last) {
      const auto record = consumer_->poll(kSecond);
      EXPECT_TRUE(record) << record.error().to_string();
      if (!record) break;
      if (*record) offsets.push_back((*record)->offset);
      collect();
    }
    return offsets;
  }
  void collect() {
    for (GroupEvent& e : consumer_->events()) events_.push_back(std::move(e));
  }
  std::vector<GroupEvent> events_of(Kind kind) const {
    std::vector<GroupEvent> some;
    std::ranges::copy_if(events_, std::back_inserter(some), [&](const GroupEvent& e) { return e.kind == kind; });
    return some;
  }

  kafka::Owned<rd_kafka_t> handle_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::unique_ptr<GroupConsumer> consumer_;
  std::vector<GroupEvent> events_;
};

TEST_F(GroupConsumerTest, ACommitThatNobodyAnswersEndsWhenToldToStop) {
  produce(10);
  GroupConsumerOptions o = options();
  int asked = 0;
  bool stop = false;
  o.stopped = [&] { return ++asked, stop; };
  open(o);
  read_to(9);
  ASSERT_TRUE(consumer_->commit(0, 5, true));
  rd_kafka_mock_broker_set_down(cluster_, 1);
  stop = true;
  asked = 0;
  const Status done = consumer_->commit(0, 10, true);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kOutsideUnavailable);
  EXPECT_GT(asked, 0);
  EXPECT_LE(asked, 20);   // two seconds more, and no further question
  rd_kafka_mock_broker_set_up(cluster_, 1);
}

TEST_F(GroupConsumerTest, ReadsCommitsAndGoesOnWhereItCommitted) {
  produce(300);
  open(options());
  EXPECT_EQ(consumer_->fetch_position(0), -1);
  const auto offsets = read_to(299);
  ASSERT_EQ(offsets.size(), 300U);
  EXPECT_EQ(offsets.front(), 0);
  EXPECT_EQ(consumer_->fetch_position(0), 300);
  ASSERT_EQ(events_of(Kind::kAssigned).size(), 1U);
  EXPECT_EQ(events_of(Kind::kAssigned)[0].partitions, std::vector<std::int32_t>{0});
  ASSERT_TRUE(consumer_->commit(0, 100, true));
  ASSERT_TRUE(consumer_->commit(0, 120, false));
  while (events_of(Kind::kCommitted).empty()) {
    ASSERT_TRUE(consumer_->poll(100 * kMillisecond));
    collect();
  }
  EXPECT_EQ(events_of(Kind::kCommitted)[0].to, 120);
  EXPECT_TRUE(events_of(Kind::kPositionGone).empty());
  consumer_.reset();
  open(options());
  EXPECT_EQ(read_to(299).front(), 120);
  EXPECT_TRUE(events_of(Kind::kPositionGone).empty());   // a start is no gap
}

TEST_F(GroupConsumerTest, SaysWhatWasGoneAndWhereItGoesOn) {
  produce(500);
  open(options());
  auto offsets = read_to(10);
  produce(12'000);   // 12 MB: all that it had not fetched
  const auto rest = read_to(12'499);
  offsets.insert(offsets.end(), rest.begin(), rest.end());
  const auto gap = std::ranges::adjacent_find(offsets, [](std::int64_t a, std::int64_t b) { return b != a + 1; });
  ASSERT_NE(gap, offsets.end());
  const auto gone = events_of(Kind::kPositionGone);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].from, *gap + 1);
  EXPECT_EQ(gone[0].to, *(gap + 1));
  EXPECT_EQ(gone[0].partitions, std::vector<std::int32_t>{0});
}

TEST_F(GroupConsumerTest, SaysItForACommittedPositionThatIsGoneAtTheStart) {
  produce(500);
  open(options());
  read_to(10);
  ASSERT_TRUE(consumer_->commit(0, 11, true));
  consumer_.reset();
  produce(12'000);
  open(options());
  const auto offsets = read_to(12'499);
  const auto gone = events_of(Kind::kPositionGone);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].from, 11);
  EXPECT_EQ(gone[0].to, offsets.front());
}

TEST_F(GroupConsumerTest, ResetToTheEndIsSaidAtTheEnd) {
  produce(500);
  open(options(GroupReset::kLatest));
  consumer_.reset();
  GroupConsumerOptions earliest = options();
  open(earliest);
  read_to(10);
  ASSERT_TRUE(consumer_->commit(0, 11, true));
  consumer_.reset();
  produce(12'000);
  events_.clear();
  open(options(GroupReset::kLatest));
  while (events_of(Kind::kPositionGone).empty()) {
    const auto record = consumer_->poll(kSecond);
    ASSERT_TRUE(record);
    EXPECT_FALSE(*record);   // nothing is left to read
    collect();
  }
  EXPECT_EQ(events_of(Kind::kPositionGone)[0].from, 11);
  EXPECT_EQ(events_of(Kind::kPositionGone)[0].to, 12'500);
}

TEST_F(GroupConsumerTest, ResetErrorIsSaidOnceAndSkipsNothing) {
  produce(500);
  open(options());
  read_to(10);
  ASSERT_TRUE(consumer_->commit(0, 11, true));
  consumer_.reset();
  produce(12'000);
  events_.clear();
  open(options(GroupReset::kError));
  Result<std::optional<GroupRecord>> record = std::nullopt;
  while (record && !*record) record = consumer_->poll(kSecond);
  ASSERT_FALSE(record) << "a record came: " << (*record)->offset;
  EXPECT_EQ(record.error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_THAT(record.error().message, testing::HasSubstr("position 11"));
  collect();
  ASSERT_EQ(events_of(Kind::kPositionGone).size(), 1U);
  EXPECT_EQ(events_of(Kind::kPositionGone)[0].from, 11);
  EXPECT_EQ(events_of(Kind::kPositionGone)[0].to, -1);
  const auto after = consumer_->poll(300 * kMillisecond);
  ASSERT_TRUE(after) << after.error().to_string();
  EXPECT_FALSE(*after);
}

TEST_F(GroupConsumerTest, NoCommittedPositionIsNoLoss) {
  produce(10);
  open(options(GroupReset::kError));
  Result<std::optional<GroupRecord>> record = std::nullopt;
  while (record && !*record) record = consumer_->poll(kSecond);
  ASSERT_FALSE(record);
  EXPECT_THAT(record.error().message, testing::HasSubstr("no committed position"));
  collect();
  EXPECT_TRUE(events_of(Kind::kPositionGone).empty());
}

TEST_F(GroupConsumerTest, ItsOwnCommitIsSaidToo) {
  produce(50);
  GroupConsumerOptions o = options();
  o.auto_commit = true;
  o.properties["auto.commit.interval.ms"] = "50";
  open(o);
  read_to(49);
  while (events_of(Kind::kCommitted).empty() || events_of(Kind::kCommitted).back().to < 50) {
    ASSERT_TRUE(consumer_->poll(100 * kMillisecond));
    collect();
  }
}

TEST_F(GroupConsumerTest, ShowsWhatIsInEffect) {
  GroupConsumerOptions o = options();
  o.client_id = "me";
  o.properties = {{"session.timeout.ms", "7000"}, {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"}, {"fetch.max.wait.ms", "33"}};
  open(o);
  const auto settings = consumer_->settings();
  EXPECT_TRUE(std::ranges::is_sorted(settings));
  for (const auto& wanted : std::vector<std::pair<std::string, std::string>>{{"auto.offset.reset", "smallest"}, {"client.id", "me"}, {"enable.auto.commit", "false"}, {"fetch.wait.max.ms", "33"},
                                                                            {"group.id", "g"}, {"partition.assignment.strategy", "cooperative-sticky"}, {"queued.max.messages.kbytes", "64"}, {"session.timeout.ms", "7000"}})
    EXPECT_THAT(settings, testing::Contains(wanted));
}

TEST_F(GroupConsumerTest, RefusesWhatItMayNotSet) {
  const auto code = [&](auto change) {
    GroupConsumerOptions o = options();
    change(o);
    const auto opened = GroupConsumer::open(o);
    return opened ? ErrorCode::kUsage : opened.error().code;
  };
  EXPECT_EQ(code([](auto& o) { o.properties = {{"ssl.engine.location", "/tmp/x.so"}}; }), ErrorCode::kUnknownOption);
  EXPECT_EQ(code([](auto& o) { o.properties = {{"acks", "1"}}; }), ErrorCode::kUnknownOption);
  EXPECT_EQ(code([](auto& o) { o.properties = {{"session.timeout.ms", "soon"}}; }), ErrorCode::kBadOptionValue);
  EXPECT_EQ(code([](auto& o) { o.client_settings = {{"no.such.setting", "1"}}; }), ErrorCode::kBadOptionValue);
  EXPECT_EQ(code([](auto& o) { o.group.clear(); }), ErrorCode::kMissingOption);
}

}  // namespace
}  // namespace supyo::connect
