#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "connect/kafka/admin.h"
#include "connect/kafka/group_consumer.h"
#include "connect/kafka/log_dirs.h"
#include "connect/kafka/record_producer.h"
#include "connect/kafka/survey.h"
#include "core/env/real/real_env.h"
#include "serve/broker/server.h"
#include "serve/watch/live.h"
#include "serve/watch/report.h"

/// The clients of connect/kafka against the broker of serve/broker: here, since no other room may see both.
namespace supyo {
namespace {

using connect::GroupConsumer;
using connect::GroupEvent;
using connect::KafkaAdmin;
using testing::Contains;
using testing::Pair;

class KafkaClients : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("supyo_kafka_clients_" + std::to_string(::getpid()));
    std::filesystem::remove_all(directory_);
    broker::ServerOptions options;
    options.directory = directory_.string();
    options.listen = {"127.0.0.1", 0};
    ASSERT_TRUE(broker::set_broker_setting(options.config, "group.initial.rebalance.delay.ms", "0"));
    auto server = broker::Server::open(real_.env(), std::move(options));
    ASSERT_TRUE(server) << server.error().to_string();
    server_ = std::move(*server);
    thread_ = std::thread([this] { EXPECT_TRUE(server_->run()); });
    servers_ = server_->address().to_string();
    auto admin = KafkaAdmin::open(servers_);
    ASSERT_TRUE(admin) << admin.error().to_string();
    admin_ = std::move(*admin);
  }
  void TearDown() override {
    admin_.reset();
    if (server_) server_->stop();
    if (thread_.joinable()) thread_.join();
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void produce(const std::string& topic, int records) {
    auto producer = connect::RecordProducer::open({.servers = servers_, .topic = topic});
    ASSERT_TRUE(producer) << producer.error().to_string();
    for (int i = 0; i < records; ++i) ASSERT_TRUE(*(*producer)->send(static_cast<std::uint64_t>(i), std::nullopt, "value", kSecond));
    while ((*producer)->in_flight() > 0)
      for (const auto& r : (*producer)->reports(kSecond)) ASSERT_EQ(r.outcome, connect::RecordReport::Outcome::kAcknowledged) << r.why;
  }
  static constexpr int kBreachedStatus = 3;
  static ErrorCode code(const auto& result) { return result ? ErrorCode::kUsage : result.error().code; }

  env::RealEnv real_;
  std::filesystem::path directory_;
  std::unique_ptr<broker::Server> server_;
  std::thread thread_;
  std::string servers_;
  std::unique_ptr<KafkaAdmin> admin_;
};

TEST_F(KafkaClients, TopicsAndTheirSettings) {
  ASSERT_TRUE(admin_->create_topic("t", 2, 1, {{"retention.bytes", "10485760"}, {"segment.bytes", "1048576"}}));
  EXPECT_EQ(code(admin_->create_topic("t", 2, 1, {})), ErrorCode::kAlreadyExists);
  EXPECT_EQ(code(admin_->create_topic("u", 1, 1, {{"segment.bytes", "many"}})), ErrorCode::kBadOptionValue);
  EXPECT_EQ(code(admin_->create_topic("u", 0, 1, {})), ErrorCode::kBadOptionValue);
  auto config = admin_->topic_config("t");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_THAT(*config, Contains(Pair("segment.bytes", "1048576")));
  EXPECT_THAT(*config, Contains(Pair("cleanup.policy", "delete")));   // a default
  ASSERT_TRUE(admin_->set_topic_config("t", {{"retention.bytes", "2097152"}}));
  config = admin_->topic_config("t");
  ASSERT_TRUE(config);
  EXPECT_THAT(*config, Contains(Pair("retention.bytes", "2097152")));
  EXPECT_THAT(*config, Contains(Pair("segment.bytes", "1048576")));   // the others stay
  EXPECT_EQ(code(admin_->topic_config("nowhere")), ErrorCode::kUnknownTable);
  const auto cluster = admin_->describe();
  ASSERT_TRUE(cluster) << cluster.error().to_string();
  ASSERT_EQ(cluster->brokers.size(), 1U);
  EXPECT_EQ(cluster->brokers[0].port, server_->address().port);
  EXPECT_FALSE(cluster->id.empty());
  const auto topic = std::ranges::find(cluster->topics, "t", &KafkaAdmin::TopicView::name);
  ASSERT_NE(topic, cluster->topics.end());
  ASSERT_EQ(topic->partitions.size(), 2U);
  EXPECT_EQ(topic->partitions[1].leader, cluster->brokers[0].id);
  EXPECT_EQ(topic->partitions[1].in_sync, std::vector<std::int32_t>{cluster->brokers[0].id});
  const auto broker = admin_->broker_config(cluster->brokers[0].id);
  ASSERT_TRUE(broker) << broker.error().to_string();
  EXPECT_TRUE(broker->contains("log.retention.check.interval.ms"));
  ASSERT_TRUE(admin_->delete_topic("t"));
  EXPECT_EQ(code(admin_->delete_topic("t")), ErrorCode::kUnknownTable);
}

TEST_F(KafkaClients, DeletedRecordsAreGoneForAGroup) {
  ASSERT_TRUE(admin_->create_topic("t", 1, 1, {}));
  produce("t", 1000);
  auto ends = admin_->ends("t");
  ASSERT_TRUE(ends) << ends.error().to_string();
  ASSERT_EQ(ends->size(), 1U);
  EXPECT_EQ((*ends)[0].end, 1000);
  EXPECT_TRUE(admin_->committed("g").value().empty());
  ASSERT_TRUE(admin_->set_committed("g", "t", 0, 100));
  EXPECT_THAT(admin_->committed("g").value(), Contains(Pair(std::pair(std::string("t"), 0), 100)));
  const auto start = admin_->delete_records("t", 0, 600);
  ASSERT_TRUE(start) << start.error().to_string();
  EXPECT_EQ(*start, 600);
  EXPECT_EQ(admin_->ends("t").value()[0].start, 600);
  EXPECT_EQ(code(admin_->delete_records("t", 0, 5000)), ErrorCode::kOffsetOutOfRange);

  auto consumer = GroupConsumer::open({.servers = servers_, .topic = "t", .group = "g"});
  ASSERT_TRUE(consumer) << consumer.error().to_string();
  std::vector<std::int64_t> offsets;
  while (offsets.size() < 400) {
    const auto record = (*consumer)->poll(kSecond);
    ASSERT_TRUE(record) << record.error().to_string();
    if (*record) offsets.push_back((*record)->offset);
  }
  EXPECT_EQ(offsets.front(), 600);
  std::vector<GroupEvent> gone;
  for (GroupEvent& e : (*consumer)->events())
    if (e.kind == GroupEvent::Kind::kPositionGone) gone.push_back(std::move(e));
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].from, 100);
  EXPECT_EQ(gone[0].to, 600);

  auto groups = admin_->groups();
  ASSERT_TRUE(groups) << groups.error().to_string();
  ASSERT_EQ(groups->size(), 1U);
  EXPECT_EQ((*groups)[0].name, "g");
  EXPECT_EQ((*groups)[0].state, "Stable");
  EXPECT_EQ((*groups)[0].members, 1);
  EXPECT_EQ(code(admin_->delete_group("g")), ErrorCode::kOutsideConflict);
  EXPECT_EQ(code(admin_->set_committed("g", "t", 0, 0)), ErrorCode::kOutsideConflict);
  consumer->reset();
  ASSERT_TRUE(admin_->delete_group("g"));
  EXPECT_TRUE(admin_->delete_group("g"));   // already gone
  EXPECT_TRUE(admin_->groups().value().empty());
}

TEST_F(KafkaClients, ASurveyAsksForAllAtOnce) {
  ASSERT_TRUE(admin_->create_topic("t", 3, 1, {{"retention.ms", "600000"}}) && admin_->create_topic("u", 1, 1, {}));
  produce("u", 500);
  ASSERT_TRUE(admin_->set_committed("a", "u", 0, 100) && admin_->set_committed("b", "u", 0, 200) && admin_->set_committed("b", "t", 2, 0) && admin_->delete_records("u", 0, 50));
  auto survey = connect::KafkaSurvey::open(servers_);
  ASSERT_TRUE(survey) << survey.error().to_string();
  const auto cluster = (*survey)->describe();
  ASSERT_TRUE(cluster) << cluster.error().to_string();
  const auto ends = (*survey)->ends({{"t", 0}, {"t", 1}, {"t", 2}, {"u", 0}});
  ASSERT_TRUE(ends) << ends.error().to_string();
  ASSERT_EQ(ends->size(), 4U);
  EXPECT_EQ(ends->at({"u", 0}).start, 50);
  EXPECT_EQ(ends->at({"u", 0}).end, 500);
  EXPECT_EQ(ends->at({"t", 2}).end, 0);
  const auto twice = (*survey)->ends({{"u", 0}, {"t", 1}, {"u", 0}});
  ASSERT_TRUE(twice) << twice.error().to_string();
  ASSERT_EQ(twice->size(), 2U) << "a place that is named twice";
  EXPECT_EQ(twice->at({"u", 0}).end, 500);
  const auto times = (*survey)->offsets_for_times({{{"u", 0}, 1000}, {{"t", 0}, 1000}});   // produce() gives all records the first second of 1970
  ASSERT_TRUE(times) << times.error().to_string();
  EXPECT_EQ(times->at({"u", 0}), 50);
  EXPECT_EQ(times->at({"t", 0}), -1) << "nothing there";
  EXPECT_THAT((*survey)->group_names().value(), testing::ElementsAre("a", "b"));
  const auto committed = (*survey)->committed({"a", "b", "nobody"});
  ASSERT_TRUE(committed) << committed.error().to_string();
  EXPECT_EQ(committed->at("a").at({"u", 0}), 100);
  EXPECT_EQ(committed->at("b").at({"u", 0}), 200);
  const auto configs = (*survey)->topic_configs({"t", "u"});
  ASSERT_TRUE(configs) << configs.error().to_string();
  EXPECT_EQ(configs->at("t").at("retention.ms"), "600000");
  auto consumer = GroupConsumer::open({.servers = servers_, .topic = "u", .group = "a"});
  ASSERT_TRUE(consumer) << consumer.error().to_string();
  while (!(*consumer)->poll(kSecond).value()) {}
  const auto groups = (*survey)->groups({"a"});
  ASSERT_TRUE(groups && groups->size() == 1);
  ASSERT_EQ((*groups)[0].members.size(), 1U);
  EXPECT_THAT((*groups)[0].members[0].assigned, testing::ElementsAre(Pair("u", 0)));
  EXPECT_FALSE((*groups)[0].members[0].client_id.empty());

  const auto dirs = connect::describe_log_dirs(real_.env(), server_->address(), 10 * kSecond);
  ASSERT_TRUE(dirs) << dirs.error().to_string();
  ASSERT_EQ(dirs->directories.size(), 1U);
  const auto u = std::ranges::find(dirs->directories[0].partitions, "u", &connect::LogDirs::Partition::topic);
  ASSERT_NE(u, dirs->directories[0].partitions.end());
  EXPECT_GT(u->bytes, 500);
}

TEST_F(KafkaClients, AMonitorCountsWhatIsLostAndKnowsWhomItDoesNotKnow) {
  ASSERT_TRUE(admin_->create_topic("t", 1, 1, {}));
  produce("t", 1000);
  ASSERT_TRUE(admin_->set_committed("g", "t", 0, 100));
  watch::Collector collector(real_.env(), servers_, {.groups = {"g", "nobody"}, .topic = {}}, 10 * kSecond);
  watch::Monitor monitor;
  const auto look = [&] {
    const auto seen = collector.look();
    ASSERT_TRUE(seen) << seen.error().to_string();
    monitor.observe(*seen);
    const auto questions = monitor.questions(10);
    monitor.answer(questions, collector.offsets_for_times(questions));
  };
  const auto group = [&](const char* name) {
    const watch::Report r = monitor.report();
    const auto g = std::ranges::find(r.groups, name, &watch::GroupReport::name);
    return g == r.groups.end() ? watch::GroupReport{} : *g;
  };
  look();
  EXPECT_EQ(group("g").lag, 900);
  EXPECT_EQ(group("nobody").health, watch::Health::kUnknown);
  ASSERT_FALSE(group("nobody").findings.empty());
  EXPECT_EQ(group("nobody").findings[0].cause, diagnosis::Cause::kUnknownGroup);
  ASSERT_TRUE(admin_->delete_records("t", 0, 600));
  look();
  EXPECT_EQ(group("g").exposed, 500);
  EXPECT_EQ(group("g").health, watch::Health::kIncident);
  EXPECT_EQ(group("g").messages_lost, slo::AlarmLevel::kCritical);
  ASSERT_TRUE(admin_->set_committed("g", "t", 0, 700));
  look();
  EXPECT_EQ(group("g").exposed, 0);
  EXPECT_EQ(group("g").lost, 500) << "what is lost stays lost";
  EXPECT_EQ(group("g").messages_lost, slo::AlarmLevel::kOk) << "the gauge forgets";
  EXPECT_EQ(group("g").findings[0].cause, diagnosis::Cause::kLossHappened);
  EXPECT_EQ(watch::exit_status(monitor.report()), kBreachedStatus);
  EXPECT_EQ(monitor.view().groups[0].partitions[0].lost, 500U);
  ASSERT_TRUE(admin_->delete_group("g"));
  look();
  EXPECT_EQ(group("g").health, watch::Health::kUnknown) << "a group that vanished is not good";
}

TEST_F(KafkaClients, LiveGoesOnWhenNobodyAnswers) {
  testing::internal::CaptureStderr();
  const auto live = watch::Live::start(real_.env(), {.servers = "127.0.0.1:1", .every_us = 100 * kMillisecond, .timeout_us = 200 * kMillisecond});
  while (live->looks() < 2) std::this_thread::yield();
  EXPECT_FALSE(live->report()->reachable);
  EXPECT_EQ(live->report()->worst(), watch::Health::kUnknown);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "what the client complains about stands in the view, not over it";
  EXPECT_NE(live->report()->problem.find("; the client said: "), std::string::npos) << live->report()->problem;
  EXPECT_NE(live->report()->problem.find("SUPYO-5001"), std::string::npos) << live->report()->problem;
}

TEST_F(KafkaClients, NobodyThere) {
  auto admin = KafkaAdmin::open("127.0.0.1:1", kSecond);
  ASSERT_TRUE(admin);
  EXPECT_EQ(code((*admin)->describe()), ErrorCode::kOutsideUnavailable);
  EXPECT_EQ(code((*admin)->create_topic("t", 1, 1, {})), ErrorCode::kOutsideUnavailable);
  EXPECT_EQ(code(admin_->ends("nowhere")), ErrorCode::kUnknownTable);
  EXPECT_EQ(code(GroupConsumer::open({.servers = servers_, .topic = "nowhere", .group = "g"})), ErrorCode::kUnknownTable);
}

}  // namespace
}  // namespace supyo
