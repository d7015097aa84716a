#include "lab/scenario/stream/stream_oracle.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/env/real/real_env.h"
#include "data/types/value.h"
#include "lab/scenario/stream/stream_lab.h"
#include "lab/workload/request.h"

namespace supyo::scenario {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

// ---- labs: declared, planted to be refuted, planted to be invalid ------------------------------------------------------------------

class StreamApplicationLab : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("supyo-oracle-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  /// The lab with these knobs gives the verdict that its file announces, and again from what its result.json holds.
  LabResult verdict_of(const std::string& name, const std::vector<std::string>& knobs) {
    auto s = load_stream_scenario(real_.env().files, fmt::format("{}/scenarios/{}.yaml", SUPYO_SOURCE_DIR, name));
    if (!s) {
      ADD_FAILURE() << s.error().to_string();
      return {};
    }
    for (const std::string& k : knobs) EXPECT_TRUE(set_knob(*s, k)) << k;
    RunOptions options;
    options.root = SUPYO_SOURCE_DIR;
    options.directory = directory_.string();
    auto r = run_stream_scenario(real_.env(), *s, options);
    if (!r) {
      ADD_FAILURE() << r.error().to_string();
      return {};
    }
    EXPECT_EQ(verdict_name(r->verdict), verdict_name(s->expect)) << name << ": " << r->why;
    auto again = result_from_json(to_json(*r));
    EXPECT_TRUE(again && evaluate_stream(*s, *again));
    EXPECT_EQ(again->verdict, r->verdict) << again->why;
    return *r;
  }
  static double value(const LabResult& r, std::string_view measure) { return r.measure(measure) == nullptr ? std::nan("") : r.measure(measure)->value; }

  env::RealEnv real_;
  std::filesystem::path directory_;
};

TEST_F(StreamApplicationLab, DedupHorizon) {
  const LabResult r = verdict_of("dedup-horizon", {"rate=20rps"});
  EXPECT_GT(value(r, "copies_dispatches"), 1000);
  EXPECT_EQ(value(r, "control_copies_dispatches"), 0);
}

TEST_F(StreamApplicationLab, DedupHorizonPlanted) {
  EXPECT_GT(value(verdict_of("dedup-horizon-refuted", {"rate=5rps"}), "leaked_young_dispatches"), 0);
  EXPECT_THAT(verdict_of("dedup-horizon-invalid", {"rate=5rps"}).why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(StreamApplicationLab, StaleJoin) {
  const LabResult r = verdict_of("stale-join", {});
  EXPECT_GT(value(r, "wrong_newest"), 500);
  EXPECT_EQ(value(r, "control_wrong_waited"), 0);
}

TEST_F(StreamApplicationLab, StaleJoinPlanted) {
  EXPECT_GT(value(verdict_of("stale-join-refuted", {"rate=5rps"}), "wrong_waited"), 0);
  EXPECT_THAT(verdict_of("stale-join-invalid", {"rate=5rps"}).why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(StreamApplicationLab, AlarmLatency) {
  const LabResult r = verdict_of("alarm-latency", {});
  EXPECT_EQ(value(r, "replay_equal_sliding"), 1);
  EXPECT_GT(value(r, "replay_rows_sliding"), 100);
  EXPECT_LT(value(r, "replay_rows_by_the_clock"), value(r, "alarms_by_the_clock") / 10);
}

TEST_F(StreamApplicationLab, AlarmLatencyPlanted) {
  EXPECT_GT(value(verdict_of("alarm-latency-refuted", {}), "delay_max_tumbling"), 90);
  EXPECT_THAT(verdict_of("alarm-latency-invalid", {}).why, HasSubstr("fault_seen_by_probe"));
}

// ---- oracles -----------------------------------------------------------------------------------------------------------------------

workload::GeneratedRecord record(std::uint64_t id, double event_s, const std::string& value = "{}") {
  workload::GeneratedRecord r;
  r.id = id;
  r.event_us = static_cast<TimeUs>(event_s * 1e6);
  r.value = value;
  return r;
}
Arm reckoned(const StreamOracle& oracle, const StreamSpan& span, std::vector<Trial>* trials = nullptr) {
  Arm arm;
  std::vector<Trial> own;
  oracle.reckon(span, arm, trials == nullptr ? own : *trials);
  return arm;
}

TEST(CopyOracle, TellsYoungCopiesFromOld) {
  StreamResult spec;
  spec.topic = "a-b", spec.input = "in", spec.id = "id";
  CopyOracle o(spec, {.horizon_us = 10 * kSecond, .cleanup_us = kSecond});
  for (const std::uint64_t id : {1U, 2U, 3U}) o.sent("in", record(id, 0), kSecond);
  o.sent("other", record(9, 0), kSecond);
  o.sent("in", record(1, 0), 6 * kSecond);     // 5 s: held back
  o.sent("in", record(2, 0), 8 * kSecond);     // 7 s: passes
  o.sent("in", record(3, 0), 15 * kSecond);    // 14 s: passes
  for (const std::uint64_t id : {1U, 2U, 3U, 2U, 3U}) o.seen(Json{{"id", id}}, "", 20 * kSecond);
  std::vector<Trial> trials;
  const auto c = reckoned(o, {}, &trials).counts;
  EXPECT_EQ(c.at("copies_a_b"), 3);
  EXPECT_EQ(c.at("young_copies_a_b"), 2);
  EXPECT_EQ(c.at("leaked_young_a_b"), 1);
  EXPECT_EQ(c.at("leaked_old_a_b"), 1);
  EXPECT_EQ(c.at("youngest_leaked_a_b"), 7);
  EXPECT_EQ(c.at("oldest_held_a_b"), 5);
  EXPECT_DOUBLE_EQ(c.at("raw_duplicate_rate_a_b"), 0.5);
  EXPECT_DOUBLE_EQ(c.at("duplicate_rate_a_b"), 0.4);
  EXPECT_EQ(c.at("missing_a_b"), 0);
  EXPECT_EQ(trials.size(), 3U);
}

TEST(BloomFilter, ForgetsAfterTwoGenerationsAndErrsAsOftenAsItsSizeSays) {
  BloomFilter f(80'000, 4, 10 * kSecond);
  std::size_t wrong = 0;
  for (std::uint64_t id = 0; id < 10'000; ++id) wrong += f.known(id, kSecond) ? 1 : 0;   // the mean over its filling
  EXPECT_GT(wrong, 20U);
  EXPECT_LT(wrong, 100U);
  EXPECT_TRUE(f.known(5, 2 * kSecond));
  wrong = 0;
  for (std::uint64_t id = 20'000; id < 21'000; ++id) wrong += f.known(id, 3 * kSecond) ? 1 : 0;
  const double full = std::pow(1 - std::exp(-4 * 10'500.0 / 80'000), 4);
  EXPECT_NEAR(static_cast<double>(wrong) / 1000, full, 0.02);
  EXPECT_TRUE(f.known(6, 15 * kSecond)) << "in the generation before";
  EXPECT_FALSE(f.known(700, 45 * kSecond)) << "and then forgotten";
}

TEST(VersionOracle, TakesTheVersionOfTheRecordsTime) {
  StreamResult spec;
  spec.topic = "joined", spec.input = "orders", spec.id = "order_id", spec.key = "user_id", spec.table = "users", spec.version = "changed";
  VersionOracle o(spec, 0);
  const auto change = [&](int user, double at) { o.sent("users", record(1, at, fmt::format(R"({{"after":{{"user_id":{}}}}})", user)), 0); };
  const auto order = [&](int id, int user, double at) { o.sent("orders", record(1, at, fmt::format(R"({{"order_id":{},"user_id":{}}})", id, user)), 0); };
  change(1, 10);
  order(1, 1, 15);
  order(2, 1, 25);
  order(3, 1, 30);      // at the moment of a change: that one
  order(4, 2, 30);      // nobody knows the user: left out
  order(5, 1, 31);
  change(1, 30);
  change(1, 20);        // late: it counts by its own time
  const auto row = [&](int id, const char* version, double at) { o.seen(Json{{"order_id", id}, {"changed", version}}, "", static_cast<TimeUs>(at * 1e6)); };
  row(1, "1970-01-01 00:00:10.000", 16);
  row(2, "1970-01-01 00:00:10.000", 27);   // wrong, and right later
  row(2, "1970-01-01 00:00:20.000", 28);
  row(3, "1970-01-01 00:00:30.000", 31);
  const auto c = reckoned(o, {0, 0, 60 * kSecond}).counts;
  EXPECT_EQ(c.at("joined_joined"), 4);
  EXPECT_EQ(c.at("wrong_joined"), 1);
  EXPECT_EQ(c.at("missing_joined"), 1);
  EXPECT_EQ(c.at("wrong_share_at_last_joined"), 0);
  EXPECT_EQ(c.at("replaced_joined"), 1);
  EXPECT_EQ(c.at("wait_p95_joined"), 2);
  EXPECT_EQ(reckoned(o, {0, 30 * kSecond, 60 * kSecond}).counts.at("joined_joined"), 2) << "before the fault nothing counts";
}

TEST(AlarmOracle, CountsFromTheBurstsBegin) {
  StreamResult spec;
  spec.topic = "alarms", spec.input = "requests", spec.window = "w";
  const TimeUs start = 1'767'225'600 * kSecond;
  const auto bursts = workload::request_bursts(1, start, start + kHour);
  ASSERT_EQ(bursts.size(), 4U);
  AlarmOracle o(spec, 1, kMinute);
  o.sent("requests", record(1, static_cast<double>(start + kHour) / 1e6), 0);
  const auto alarm = [&](TimeUs window, TimeUs visible) { o.seen(Json{{"w", format_timestamp(window, 3)}}, "", visible); };
  const auto minute = [](TimeUs t) { return t / kMinute * kMinute; };
  alarm(minute(bursts[0].from_us), bursts[0].from_us + 50 * kSecond);
  alarm(minute(bursts[0].from_us) + kMinute, bursts[0].from_us + 110 * kSecond);
  alarm(minute(bursts[2].from_us) + kMinute, bursts[2].from_us + 100 * kSecond);
  alarm(bursts[3].end_us + 2 * kMinute, bursts[3].end_us + 3 * kMinute);
  const auto c = reckoned(o, {start, start + 30 * kMinute, start + kHour}).counts;
  EXPECT_EQ(c.at("bursts_alarms"), 4);
  EXPECT_EQ(c.at("missed_alarms"), 2);
  EXPECT_EQ(c.at("false_alarms_alarms"), 1);
  EXPECT_DOUBLE_EQ(c.at("delay_mean_before_alarms"), 50);
  EXPECT_DOUBLE_EQ(c.at("delay_max_alarms"), 100);
}

TEST(MarkOracle, WhatChangedAfterItWasTakenMustBeMarked) {
  StreamResult spec;
  spec.topic = "marked", spec.input = "orders", spec.window = "w", spec.key = "region", spec.value = "n", spec.mark = "stale";
  MarkOracle o(spec, kMinute, 10 * kSecond);
  const auto order = [&](const char* region) { o.sent("orders", record(1, 30, fmt::format(R"({{"region":"{}"}})", region)), 0); };
  const auto row = [&](const char* region, int n, bool stale, double at) { o.seen(Json{{"w", "1970-01-01 00:00:00.000"}, {"region", region}, {"n", n}, {"stale", stale}}, "", static_cast<TimeUs>(at * 1e6)); };
  for (const char* region : {"calm", "told", "told", "hidden", "hidden", "nervous", "short", "short", "absent"}) order(region);
  o.sent("users", record(1, 30, R"({"region":"calm"})"), 0);   // of another topic
  row("calm", 1, false, 31);
  row("told", 1, false, 31);
  row("told", 2, true, 90);
  row("hidden", 1, false, 70);    // at the last moment, and then more, without a word
  row("hidden", 2, false, 70.1);
  row("nervous", 1, true, 65);
  row("short", 1, false, 31);     // one of two is never counted
  const auto c = reckoned(o, {0, 0, 60 * kSecond}).counts;
  EXPECT_EQ(c.at("windows_marked"), 6);
  EXPECT_EQ(c.at("changed_marked"), 2);
  EXPECT_EQ(c.at("unmarked_marked"), 1);
  EXPECT_EQ(c.at("marked_in_vain_marked"), 1);
  EXPECT_EQ(c.at("wrong_marked"), 2);
}

TEST(StreamOracleFile, SaysWhatIsWrong) {
  std::ifstream in(std::string(SUPYO_SOURCE_DIR) + "/scenarios/stale-join.yaml");
  const std::string base{std::istreambuf_iterator<char>(in), {}};
  const auto wrong = [&](const std::string& text) {
    const auto s = parse_stream_scenario(text, "x.yaml", &base);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong("results: [{topic: a, input: orders, id: order_id, versions: {table: nothing, key: k, version: v}}]"), HasSubstr("there is no input 'nothing'"));
  EXPECT_THAT(wrong("results: [{topic: a, input: orders, copies: {horizon: 1m}}]"), HasSubstr("'copies' needs an 'id'"));
  EXPECT_THAT(wrong("results: [{topic: a, input: orders, id: order_id, marks: {column: stale, final_after: 5s}}]"), HasSubstr("'marks' are of windows"));
  EXPECT_THAT(wrong("results: [{topic: a, input: orders, alarms: true, window: w, size: 1m}]"), HasSubstr("domain 'request'"));
  EXPECT_THAT(wrong("phases: [{name: a, for: 5s}, {name: b, for: 5s, inject: {topic: users, repeat: 10%, age: 1m, spread: wide}}]"), HasSubstr("there is no spread 'wide'"));
  EXPECT_THAT(wrong("batches: [{topic: nothing, input: orders, pipeline: p, every: 1m, rate: 1rps}]"), HasSubstr("there is no result 'nothing'"));
}

}  // namespace
}  // namespace supyo::scenario
