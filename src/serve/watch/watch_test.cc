#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"
#include "data/log/groups.h"
#include "data/log/partition_writer.h"
#include "serve/watch/look.h"
#include "serve/watch/monitor.h"
#include "serve/watch/render.h"
#include "serve/watch/watcher.h"

namespace supyo::watch {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

View view_of(std::int64_t committed, std::int64_t log_start, std::int64_t end) {
  View view{.source = "here", .reachable = true};
  view.topics = {{.name = "t", .partitions = {{.id = 0, .log_start = log_start, .end = end}}}};
  view.groups = {{.name = "g", .partitions = {{.topic = "t", .partition = 0, .committed = committed, .log_start = log_start, .end = end}}}};
  return view;
}

class TrackerTest : public testing::Test {
 protected:
  const GroupPartitionView& see(std::int64_t committed, std::int64_t log_start, std::int64_t end, DurationUs later = kSecond) {
    now_ += later;
    view_ = view_of(committed, log_start, end);
    tracker_.observe(view_, now_);
    return view_.groups[0].partitions[0];
  }
  Tracker tracker_;
  View view_;
  TimeUs now_ = 0;
};

TEST_F(TrackerTest, AGroupThatKeepsUpLosesNothingThoughTheLogStartPassesWhereItWas) {
  for (int i = 0; i < 60; ++i) {
    const auto& p = see(1000 + 2000 * i, std::max(0, 2000 * (i - 1)), 1500 + 2000 * i);   // the log start is past what was committed a look ago
    EXPECT_EQ(p.lost, 0U);
  }
  EXPECT_NEAR(view_.groups[0].partitions[0].rate, 2000, 1);
  EXPECT_NEAR(view_.topics[0].partitions[0].rate, 2000, 1);
}

TEST_F(TrackerTest, AJumpOverDeletedOffsetsIsLost) {
  std::uint64_t lost = 0;
  std::int64_t committed = 0;
  for (int i = 0; i < 20; ++i) lost = see(committed = 500 * i, 0, 2000 * i).lost;
  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(see(committed += 500, 20'000, 40'000).lost, 0U);   // 10,000 offsets are gone, and it has not come to that yet
  EXPECT_EQ(view_.groups[0].partitions[0].gone(), 10'000);
  EXPECT_EQ(view_.groups[0].partitions[0].headroom(), -10'000);
  EXPECT_EQ(view_.groups[0].partitions[0].lag(), 30'000);
  // It had 300 more in its queue, jumped to 20,000, and handled 200 there: by its commits alone 10,000, of which 500 are its usual second.
  EXPECT_EQ(see(20'200, 20'000, 42'000).lost, 9'700U);
  EXPECT_EQ(see(20'700, 20'000, 44'000).lost, 9'700U) << "once";
}

TEST_F(TrackerTest, AJumpWithinWhatIsDeletedIsSeenByThePace) {
  // The client's queue holds what was read before it was deleted: the group goes on at its pace far below the log start, and the gaps come later, one after the other.
  std::int64_t committed = 0, lost = 0;
  for (int i = 0; i < 100; ++i) {
    committed += i % 3 == 0 ? 520 : 490;
    if (i > 20 && i % 10 == 0) {
      committed += 3000;
      lost += 3000;
    }
    see(committed, std::max(0, 2000 * (i - 5)), 2000 * i);
  }
  EXPECT_NEAR(static_cast<double>(view_.groups[0].partitions[0].lost), static_cast<double>(lost), 0.02 * static_cast<double>(lost));
}

TEST_F(TrackerTest, ACommitSetBackIsNoLossAndAnotherLogOfThatNameBeginsAnew) {
  see(5000, 1000, 9000);
  EXPECT_EQ(see(1000, 1000, 9000).lost, 0U);
  EXPECT_EQ(see(1500, 1000, 9000).lost, 0U);
  EXPECT_EQ(see(10, 0, 20).lost, 0U);
  EXPECT_EQ(see(20, 0, 40).lost, 0U);
}

TEST_F(TrackerTest, ForecastsWhenTheLogStartArrives) {
  for (int i = 0; i < 30; ++i) see(100'000 + 500 * i, 2000 * i, 200'000 + 2000 * i);
  const auto& p = view_.groups[0].partitions[0];
  ASSERT_TRUE(p.loss_in_s);
  EXPECT_NEAR(*p.loss_in_s, static_cast<double>(p.headroom()) / 1500, 0.1);
  for (int i = 0; i < 30; ++i) see(200'000 + 3000 * i, 60'000 + 2000 * i, 300'000 + 2000 * i);
  EXPECT_FALSE(view_.groups[0].partitions[0].loss_in_s) << "it gains on it";
}

TEST(Monitoring, WhatGrowsIsKnownAfterTwoLooksAndSureAfterAMinute) {
  Monitor monitor;
  std::int64_t used = 1'000'000;
  const auto finding = [&](TimeUs at) -> std::optional<diagnosis::Finding> {
    ClusterLook look{.at_us = at, .groups_listed = true, .sizes_fresh = true};
    look.disks = {{.broker = 1, .path = "/data", .total_bytes = 1'000'000'000'000, .usable_bytes = 72'000'000'000, .used_by_logs = used}};
    monitor.observe(look);
    const Report report = monitor.report();
    const auto disk = std::ranges::find(report.cluster, diagnosis::Cause::kDiskForecast, &diagnosis::Finding::cause);
    return disk == report.cluster.end() ? std::nullopt : std::optional(*disk);
  };
  EXPECT_FALSE(finding(0)) << "one look knows no growth";
  used += 20 * 10'000'000;
  const auto early = finding(20 * kSecond);
  ASSERT_TRUE(early);
  EXPECT_EQ(early->severity, diagnosis::Severity::kTicket);
  EXPECT_EQ(early->what, "the disk is full in 2 h 0 min at this rate") << "10 MB/s, not a part of it";
  used += 60 * 10'000'000;
  const auto later = finding(80 * kSecond);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->severity, diagnosis::Severity::kIncident);
  EXPECT_EQ(later->what, early->what);
}

TEST(Monitoring, WhatCouldNotBeAskedIsNotGood) {
  Monitor monitor;
  monitor.observe({.at_us = kMinute, .groups_listed = true});
  EXPECT_EQ(monitor.report().worst(), Health::kOk) << "a cluster without groups";
  monitor.flink(std::nullopt);
  EXPECT_EQ(monitor.report().worst(), Health::kUnknown) << "Flink was asked, and did not answer";
  monitor.flink(std::vector<connect::FlinkJob>{});
  EXPECT_EQ(monitor.report().worst(), Health::kOk);
  monitor.observe({.at_us = 2 * kMinute, .groups_listed = false});
  EXPECT_EQ(monitor.report().worst(), Health::kUnknown) << "groups that nobody could name may be behind";
}

TEST(Monitoring, AClockThatGoesBackLeavesNothingStanding) {
  for (const bool lossy : {false, true}) {
    Monitor monitor;
    const std::int64_t start = lossy ? 18'000 : 0;
    const auto look = [&](TimeUs at, std::int64_t end, std::int64_t committed, std::int64_t log_start) {
      ClusterLook l{.at_us = at, .groups_listed = true};
      l.cluster.topics = {{.name = "t", .partitions = {}}};
      l.ends[{"t", 0}] = {log_start, end};
      l.groups.push_back({.told = {.name = "g", .state = "Stable", .assignor = {}, .members = {{.id = "m", .client_id = "c", .host = "h", .instance_id = {}, .assigned = {{"t", 0}}}}}, .described = true, .offsets_known = true, .committed = {{{"t", 0}, committed}}});
      monitor.observe(l);
      return monitor.report();
    };
    Report r;
    for (int i = 0; i <= 120; ++i) r = look(kHour + i * kSecond, 1000 + 100 * i, 1000 + 100 * i, 0);
    ASSERT_EQ(r.groups.size(), 1U);
    EXPECT_EQ(r.groups[0].lag, 0);
    EXPECT_NEAR(r.groups[0].append_rate, 100, 5);
    EXPECT_EQ(r.groups[0].health, Health::kOk);
    r = look(kHour + 130 * kSecond, 30'000, 20'000, start);   // where it is lossy it jumped over deleted records
    const std::int64_t lost = r.groups[0].lost;
    EXPECT_EQ(lost > 0, lossy);
    // Half an hour back, and from now on the group reads nothing.
    for (int i = 0; i < 10; ++i) r = look(kHour / 2 + i * kSecond, 30'000 + 100 * i, 20'000, start);
    EXPECT_EQ(r.groups[0].lag, 10'900) << "what is seen now, not what was seen last before the step";
    EXPECT_EQ(r.groups[0].health, lossy ? Health::kIncident : Health::kUnknown) << "nothing is known by this clock yet but what was lost";
    EXPECT_EQ(r.groups[0].lost, lost);
    EXPECT_EQ(r.watched_for_us, 9 * kSecond);
    for (int i = 10; i < 120; ++i) r = look(kHour / 2 + i * kSecond, 30'000 + 100 * i, 20'000, start);
    EXPECT_NEAR(r.groups[0].append_rate, 100, 5);
    EXPECT_EQ(r.groups[0].lag, 21'900);
  }
}

TEST(Monitoring, AClockThatIsSetForwardMakesNobodyStuck) {
  Monitor monitor;
  std::int64_t end = 0;
  const auto look = [&](TimeUs at, TimeUs steady) {
    ClusterLook l{.at_us = at, .steady_us = steady, .groups_listed = true};
    l.cluster.topics = {{.name = "t", .partitions = {}}};
    l.ends[{"t", 0}] = {0, end += 100};
    l.groups.push_back({.told = {.name = "g", .state = "Stable", .assignor = {}, .members = {{.id = "m", .client_id = "c", .host = "h", .instance_id = {}, .assigned = {{"t", 0}}}}}, .described = true, .offsets_known = true, .committed = {{{"t", 0}, end - 50}}});
    monitor.observe(l);
    return monitor.report();
  };
  Report r;
  for (int i = 0; i <= 120; ++i) r = look(kHour + i * kSecond, kMinute + i * kSecond);
  EXPECT_EQ(r.groups.at(0).health, Health::kOk);
  for (int i = 121; i <= 180; ++i) r = look(2 * kHour + i * kSecond, kMinute + i * kSecond);
  EXPECT_NEAR(r.groups.at(0).append_rate, 100, 5) << "no hour without records";
  EXPECT_EQ(r.watched_for_us, 59 * kSecond);
  EXPECT_EQ(r.groups.at(0).health, Health::kOk);
}

TEST(Monitoring, ASizeIsAskedForOnceAMinuteAndGrowsMeanwhile) {
  Monitor monitor;
  const auto expected = [&](int second) {
    const std::int64_t end = 10'000 + 100 * second;
    ClusterLook l{.at_us = kHour + second * kSecond, .steady_us = kHour + second * kSecond, .groups_listed = true};
    l.cluster.topics = {{.name = "t", .partitions = {}}};
    l.settings["t"] = {.retention = {.known = true, .retention_ms = -1, .retention_bytes = 4'000'000, .segment_bytes = 100'000, .check_interval_ms = 5'000}};
    l.ends[{"t", 0}] = {0, end};
    const int asked = second / 60 * 60;
    l.sizes[{"t", 0}] = {.bytes = (10'000 + 100 * asked) * 100, .offsets = 10'000 + 100 * asked};
    l.groups.push_back({.told = {.name = "g", .state = "Empty", .assignor = {}, .members = {}}, .described = true, .offsets_known = true, .committed = {{{"t", 0}, 1'000}}});
    monitor.observe(l);
    const auto f = monitor.report().groups.at(0).partitions.at(0).forecast;
    return f.stopped && f.stopped->mid ? static_cast<double>(*f.stopped->mid - l.at_us) / kSecond : -1;
  };
  // Records of 100 bytes: 40,000 are kept, and the first unread one goes with its segment at 42,000 or so: 320 s from the start.
  for (int second = 0; second <= 179; ++second)
    if (const double in = expected(second); second >= 60) EXPECT_NEAR(in + second, 320, 20) << second;
}

TEST(Render, NamesAreDataFromOutside) {
  View view = view_of(100, 200, 1000);
  view.topics[0].name = view.groups[0].partitions[0].topic = "<script>\"\n";
  view.groups[0].partitions[0].lost = 7;
  const std::string text = metrics_text(view);
  EXPECT_THAT(text, HasSubstr("supyo_consumergroup_lost_total{consumergroup=\"g\",partition=\"0\",topic=\"<script>\\\"\\n\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("supyo_consumergroup_headroom{consumergroup=\"g\",partition=\"0\",topic=\"<script>\\\"\\n\"} -100\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("supyo_watch_up 1\n"), Not(HasSubstr("size_bytes"))));
  const std::string json = flows_json(view);
  EXPECT_THAT(json, AllOf(HasSubstr("\\u003cscript\\u003e\\\"\\u000a"), Not(HasSubstr("<")), HasSubstr("\"bytes\":null"), HasSubstr("\"lost\":7")));
  view.reachable = false;
  EXPECT_THAT(metrics_text(view), AllOf(HasSubstr("supyo_watch_up 0\n"), Not(HasSubstr("consumergroup"))));
}

TEST(Look, AtAnEmbeddedLog) {
  env::SimEnv sim(1);
  EXPECT_EQ(look_at_log(sim.files(), "none").error().code, ErrorCode::kFileNotFound);
  const log::Topic topic = *log::create_topic(sim.env(), "log", "t", {.partitions = 2});
  auto writer = *log::PartitionWriter::open(sim.env(), topic, PartitionId(0));
  log::RecordBatch batch;
  for (int i = 0; i < 10; ++i) batch.add(i, "k", "v");
  ASSERT_TRUE(writer->append(batch) && writer->flush() && writer->delete_before(Offset(4)));
  ASSERT_TRUE(log::commit_group(sim.files(), "log", "g", {{{"t", PartitionId(0)}, Offset(6)}, {{"gone", PartitionId(0)}, Offset(1)}}));
  const View view = *look_at_log(sim.files(), "log");
  ASSERT_EQ(view.topics.size(), 1U);
  ASSERT_EQ(view.topics[0].partitions.size(), 2U);
  EXPECT_EQ(view.topics[0].partitions[0].log_start, 4);
  EXPECT_EQ(view.topics[0].partitions[0].end, 10);
  EXPECT_GT(view.topics[0].partitions[0].bytes, 0);
  ASSERT_EQ(view.groups.size(), 1U);
  ASSERT_EQ(view.groups[0].partitions.size(), 1U);
  EXPECT_EQ(view.groups[0].partitions[0].lag(), 4);
  EXPECT_EQ(view.groups[0].partitions[0].headroom(), 2);
}

/// A cluster whose answers the test writes.
class FakeAdmin final : public connect::KafkaAdmin {
 public:
  Result<Cluster> describe() override {
    Cluster c;
    for (const auto& [name, e] : topics) c.topics.push_back({.name = name, .partitions = {}});
    c.topics.push_back({.name = "vanished", .partitions = {}});
    return c;
  }
  Status create_topic(const std::string&, int, int, const std::map<std::string, std::string>&) override { return refused(); }
  Status delete_topic(const std::string&) override { return refused(); }
  Result<std::map<std::string, std::string>> topic_config(const std::string&) override { return std::map<std::string, std::string>{}; }
  Status set_topic_config(const std::string&, const std::map<std::string, std::string>&) override { return refused(); }
  Result<std::map<std::string, std::string>> broker_config(std::int32_t) override { return std::map<std::string, std::string>{}; }
  Result<std::vector<Ends>> ends(const std::string& topic) override {
    const auto found = topics.find(topic);
    if (found == topics.end()) return fail(ErrorCode::kUnknownTable, "no such topic");
    return found->second;
  }
  Result<Ends> ends_of(const std::string& topic, std::int32_t partition) override {
    SUPYO_ASSIGN(const std::vector<Ends> all, ends(topic));
    return all.at(static_cast<std::size_t>(partition));
  }
  Result<std::int64_t> delete_records(const std::string&, std::int32_t, std::int64_t) override { return fail(ErrorCode::kNotAllowed, "looking changes nothing"); }
  Result<std::map<std::pair<std::string, std::int32_t>, std::int64_t>> committed(const std::string& group) override { return offsets[group]; }
  Status set_committed(const std::string&, const std::string&, std::int32_t, std::int64_t) override { return refused(); }
  Result<std::vector<Group>> groups() override { return std::vector<Group>{{.name = "slow", .state = "Stable", .protocol = "range", .members = 1}, {.name = "fast", .state = "Empty", .protocol = "", .members = 0}}; }
  Status delete_group(const std::string&) override { return refused(); }
  Status refused() {
    ++changes;
    return fail(ErrorCode::kNotAllowed, "looking changes nothing");
  }
  std::map<std::string, std::vector<Ends>> topics{{"events", {{10, 100}, {0, 50}}}, {"other", {{0, 1}}}, {"__consumer_offsets", {{0, 9}}}};
  std::map<std::string, std::map<std::pair<std::string, std::int32_t>, std::int64_t>> offsets{{"slow", {{{"events", 0}, 5}, {{"events", 1}, 50}, {{"__consumer_offsets", 0}, 1}}}};
  int changes = 0;
};

TEST(Look, AtACluster) {
  FakeAdmin admin;
  const View all = *look_at_cluster(admin, {});
  ASSERT_EQ(all.topics.size(), 2U) << "internal ones and those that went are left out";
  ASSERT_EQ(all.groups.size(), 2U);
  EXPECT_EQ(all.groups[0].name, "fast");
  ASSERT_EQ(all.groups[1].partitions.size(), 2U);
  EXPECT_EQ(all.groups[1].partitions[0].gone(), 5);
  EXPECT_EQ(all.groups[1].partitions[0].lag(), 95);
  EXPECT_EQ(all.groups[1].members, 1);
  const View one = *look_at_cluster(admin, {.groups = {"slow", "absent"}, .topic = "events"});
  EXPECT_EQ(one.topics.size(), 1U);
  ASSERT_EQ(one.groups.size(), 2U);
  EXPECT_EQ(one.groups[0].name, "absent");
  EXPECT_EQ(look_at_cluster(admin, {.groups = {}, .topic = "none"}).error().code, ErrorCode::kUnknownTable);
  EXPECT_EQ(admin.changes, 0);
}

TEST(Watching, GoesOnAfterAnError) {
  env::RealEnv real;
  int looks = 0;
  const auto watcher = Watcher::start(real.env(), "here", [&looks]() -> Result<View> {
    if (++looks == 1) return fail(ErrorCode::kOutsideUnavailable, "nobody answers");
    return view_of(1, 0, 2);
  }, kMillisecond);
  while (watcher->looks() < 1) real.env().threads->idle(100);
  while (watcher->looks() < 3) real.env().threads->idle(100);
  const View view = watcher->view();
  EXPECT_TRUE(view.reachable);
  EXPECT_EQ(view.source, "here");
}

}  // namespace
}  // namespace supyo::watch
