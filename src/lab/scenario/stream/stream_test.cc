#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/env/real/real_env.h"
#include "lab/scenario/stream/flink_cluster.h"
#include "lab/scenario/stream/stream_lab.h"
#include "lab/scenario/stream/stream_measures.h"
#include "lab/scenario/stream/stream_results.h"

namespace supyo::scenario {
namespace {

using testing::HasSubstr;

std::string repository_file(const std::string& path) {
  std::ifstream in(std::string(SUPYO_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class StreamLab : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("supyo-stream-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  StreamScenario load(const std::string& name) {
    auto s = load_stream_scenario(real_.env().files, fmt::format("{}/scenarios/{}.yaml", SUPYO_SOURCE_DIR, name));
    EXPECT_TRUE(s) << s.error().to_string();
    return *s;
  }
  LabResult run(const StreamScenario& s) {
    RunOptions options;
    options.root = SUPYO_SOURCE_DIR;
    options.directory = directory_.string();
    auto r = run_stream_scenario(real_.env(), s, options);
    EXPECT_TRUE(r) << r.error().to_string();
    return *r;
  }
  /// The verdict that the file announces, and the same again from what its result.json holds.
  LabResult verdict_of(const StreamScenario& s) {
    const LabResult r = run(s);
    EXPECT_EQ(verdict_name(r.verdict), verdict_name(s.expect)) << s.lab << ": " << r.why;
    const auto again = result_from_json(to_json(r));
    EXPECT_TRUE(again) << again.error().to_string();
    if (again) {
      LabResult judged = *again;
      EXPECT_TRUE(evaluate_stream(s, judged));
      EXPECT_EQ(judged.verdict, r.verdict) << judged.why;
    }
    return r;
  }
  static double value(const LabResult& r, std::string_view measure) { return r.measure(measure) == nullptr ? std::nan("") : r.measure(measure)->value; }

  env::RealEnv real_;
  std::filesystem::path directory_;
};

/// The file with the fewest records that its formula still holds for.
StreamScenario at_rate(StreamScenario s, const char* rate) {
  EXPECT_TRUE(set_knob(s, fmt::format("rate={}", rate)));
  return s;
}

TEST_F(StreamLab, WatermarkStall) {
  const LabResult r = verdict_of(at_rate(load("watermark-stall"), "50rps"));
  EXPECT_EQ(value(r, "fired_in_fault"), 0);
  // The side output has exactly what the windows lack.
  EXPECT_EQ(value(r, "window_final") + value(r, "side"), value(r, "window_input"));
  EXPECT_EQ(value(r, "windows_wrong_with_side"), 0);
  EXPECT_EQ(r.arms.size(), 9U);
}

TEST_F(StreamLab, WatermarkStallPlanted) {
  verdict_of(at_rate(load("watermark-stall-refuted"), "50rps"));
  const LabResult invalid = verdict_of(at_rate(load("watermark-stall-invalid"), "50rps"));
  EXPECT_THAT(invalid.why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(StreamLab, CheckpointTimeout) {
  const LabResult r = verdict_of(at_rate(load("checkpoint-timeout"), "50rps"));
  EXPECT_GT(value(r, "false_alarm_s"), 60);
  const auto& told = r.fault.timeline;
  const auto ticket = std::ranges::find_if(told, [](const auto& e) { return e.second.starts_with("ticket checkpoint-failures: 2 epochs failed in the last 10 min; inspect the write path or the state"); });
  ASSERT_NE(ticket, told.end());
  EXPECT_GT(ticket->first, 240) << "under the fault, and not before it";
  EXPECT_EQ(r.fault.counts.at("repeated_copies"), 0);
}

TEST_F(StreamLab, CheckpointTimeoutPlanted) {
  verdict_of(at_rate(load("checkpoint-timeout-refuted"), "50rps"));
  EXPECT_THAT(verdict_of(at_rate(load("checkpoint-timeout-invalid"), "50rps")).why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(StreamLab, WorkerKill) {
  const LabResult r = verdict_of(at_rate(load("worker-kill"), "50rps"));
  EXPECT_EQ(std::ranges::count(r.trials, std::string("fault"), &Trial::arm), 40);
  for (const Trial& t : r.trials) EXPECT_TRUE(t.values.contains("back_after")) << t.arm << " " << t.t_s;
}

TEST_F(StreamLab, WorkerKillOnRealSystemsIsTheSameFileWithItsOwnPhases) {
  const auto s = load_stream_scenario(real_.env().files, SUPYO_SOURCE_DIR "/scenarios/worker-kill.yaml", true);
  ASSERT_TRUE(s) << s.error().to_string();
  EXPECT_EQ(s->count("kills").value(), 20U);
  EXPECT_EQ(s->arm("stopped")->duration(s->phases[1].faults[0].stop).value(), 20 * kSecond);
  // The planted variants stay planted there.
  EXPECT_EQ(load_stream_scenario(real_.env().files, SUPYO_SOURCE_DIR "/scenarios/worker-kill-invalid.yaml", true)->count("kills").value(), 0U);
  EXPECT_EQ(load_stream_scenario(real_.env().files, SUPYO_SOURCE_DIR "/scenarios/checkpoint-timeout-invalid.yaml", true)->phases[1].faults[0].point, "checkpoint.nowhere");
  // A store that refuses, unless --set hang= makes it one that does not answer until the job's time-out.
  auto store = load_stream_scenario(real_.env().files, SUPYO_SOURCE_DIR "/scenarios/checkpoint-timeout.yaml", true).value();
  EXPECT_EQ(store.duration(store.phases[1].faults[0].delay).value(), 0);
  EXPECT_EQ(store.settings.at("execution.checkpointing.timeout"), "$timeout");
  ASSERT_TRUE(set_knob(store, "hang=10s"));
  EXPECT_EQ(store.duration(store.phases[1].faults[0].delay).value(), store.duration("timeout").value());
  EXPECT_EQ(load_stream_scenario(real_.env().files, SUPYO_SOURCE_DIR "/scenarios/load-surge.yaml", true).error().code, ErrorCode::kUnsupported);
  // Supyo's own job cannot stand still.
  StreamScenario standing = at_rate(load("worker-kill"), "20rps");
  ASSERT_TRUE(set_knob(standing, "stop=20s"));
  RunOptions options;
  options.root = SUPYO_SOURCE_DIR;
  options.directory = directory_.string();
  EXPECT_THAT(run_stream_scenario(real_.env(), standing, options).error().message, HasSubstr("cannot stand still"));
}

TEST_F(StreamLab, LabsOfWhatComesInRunOnRealSystemsAsWell) {
  for (const char* lab : {"watermark-stall", "late-window", "dedup-horizon", "stale-join", "alarm-latency"}) {
    for (const char* variant : {"", "-refuted", "-invalid"}) {
      const auto s = load_stream_scenario(real_.env().files, fmt::format("{}/scenarios/{}{}.yaml", SUPYO_SOURCE_DIR, lab, variant), true);
      ASSERT_TRUE(s) << s.error().to_string();
      DurationUs length = 0;
      for (const StreamPhase& p : s->phases) length += p.length_us;
      EXPECT_LE(length, 10 * kMinute) << lab << variant << ": a person waits for it";
      EXPECT_TRUE(s->batches.empty());
    }
  }
  // What is planted is planted there, too.
  const auto real = [&](const char* lab) { return load_stream_scenario(real_.env().files, fmt::format("{}/scenarios/{}.yaml", SUPYO_SOURCE_DIR, lab), true).value(); };
  EXPECT_EQ(real("watermark-stall").duration("idle").value(), 0);
  EXPECT_EQ(real("watermark-stall-refuted").duration("idle").value(), 10 * kSecond);
  EXPECT_EQ(real("late-window-refuted").duration("allowed").value(), 0);
  EXPECT_EQ(real("late-window-invalid").value("share", kNumber).value(), 0);
  EXPECT_NE(real("dedup-horizon-refuted").settings.at("table.exec.state.ttl"), real("dedup-horizon").settings.at("table.exec.state.ttl"));
  EXPECT_EQ(real("alarm-latency-invalid").value("surge", kRate).value(), real("alarm-latency-invalid").value("rate", kRate).value());
}

TEST(PlanKills, EachPartOfTheIntervalIsHitOnce) {
  workload::Draws draws(7);
  std::set<DurationUs> parts;
  TimeUs last = 0;
  for (const PlannedKill& k : plan_kills(20, 3 * kSecond, 100 * kSecond, 500 * kSecond, draws)) {
    EXPECT_GT(k.from_us, last);
    last = k.from_us;
    parts.insert(k.phase_us / (150 * kMillisecond));
  }
  EXPECT_EQ(parts.size(), 20U);
  EXPECT_LT(last, 500 * kSecond);
}

TEST_F(StreamLab, WorkerKillPlanted) {
  verdict_of(at_rate(load("worker-kill-refuted"), "50rps"));
  EXPECT_THAT(verdict_of(at_rate(load("worker-kill-invalid"), "50rps")).why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(StreamLab, UnderLoad) {
  for (const char* lab : {"load-surge", "worker-kill-load", "checkpoint-timeout-load"}) {
    verdict_of(load(lab));
    verdict_of(load(std::string(lab) + "-refuted"));
    EXPECT_THAT(verdict_of(load(std::string(lab) + "-invalid")).why, HasSubstr("fault_seen_by_probe"));
  }
}

TEST_F(StreamLab, LateWindow) {
  const LabResult r = verdict_of(at_rate(load("late-window"), "25rps"));
  for (const Arm* a : {&r.fault, &r.control, &r.arms[0], &r.arms[1]})
    EXPECT_EQ(a->counts.at("window_input"), a->counts.at("window_final") + a->counts.at("side")) << a->name;
}

TEST_F(StreamLab, LateWindowPlanted) {
  verdict_of(at_rate(load("late-window-refuted"), "25rps"));
  EXPECT_THAT(verdict_of(at_rate(load("late-window-invalid"), "25rps")).why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(StreamLab, TheSameSeedGivesTheSameNumbers) {
  StreamScenario s = at_rate(load("watermark-stall"), "20rps");
  std::erase_if(s.arms, [](const auto& arm) { return arm.first != "control"; });
  s.verdict = Expression::parse("fired_in_fault == 0").value();
  s.plots.clear();
  EXPECT_EQ(to_json(run(s)), to_json(run(s)));
}

workload::GeneratedRecord record(std::uint64_t id, double event_s) {
  workload::GeneratedRecord r;
  r.id = id;
  r.event_us = static_cast<TimeUs>(event_s * 1e6);
  r.value = "{}";
  return r;
}

TEST(KillMoment, WaitsForACheckpointThatBeganAfterTheJobHadCaughtUp) {
  // Seen on a real Flink: the job read 1,009 records of a backlog between the cut of the checkpoint that was complete next and the kill 787 ms later, where 112 came.
  KillMoment moment;
  constexpr DurationUs kPhase = 700 * kMillisecond;
  EXPECT_EQ(moment.due(10 * kSecond, false, 9 * kSecond, 9 * kSecond + 200, kPhase), std::nullopt);
  EXPECT_EQ(moment.due(20 * kSecond, true, 9 * kSecond, 9 * kSecond + 200, kPhase), std::nullopt) << "it has caught up now";
  EXPECT_EQ(moment.due(21 * kSecond, true, 19 * kSecond, 20 * kSecond + 900, kPhase), std::nullopt) << "complete since, but cut before";
  EXPECT_EQ(moment.due(22 * kSecond, false, 19 * kSecond, 20 * kSecond + 900, kPhase), std::nullopt) << "it fell back";
  EXPECT_EQ(moment.due(23 * kSecond, true, 21 * kSecond, 22 * kSecond, kPhase), std::nullopt) << "so it counts from here";
  EXPECT_EQ(moment.due(25 * kSecond, true, 24 * kSecond, 24 * kSecond + 300 * kMillisecond, kPhase), 25 * kSecond);
  EXPECT_EQ(moment.due(25 * kSecond, true, 25 * kSecond, 26 * kSecond, kPhase), 25 * kSecond) << "and stays";
  moment.reset();
  EXPECT_EQ(moment.due(30 * kSecond, true, 29 * kSecond, 29 * kSecond, kPhase), std::nullopt);
}

TEST(StreamTruthOfIds, CountsLostAndRepeated) {
  IdTruth t;
  for (const std::uint64_t id : {1U, 2U, 3U, 3U}) t.sent(record(id, 1), kSecond);
  t.seen(1, 2 * kSecond);
  t.seen(3, 2 * kSecond);
  t.seen(3, 3 * kSecond);
  EXPECT_EQ(t.distinct(), 3U);
  EXPECT_EQ(t.lost(), 1U);
  EXPECT_EQ(t.repeated(), 1U);
}

TEST(StreamTruthOfIds, WhatIsNotVisibleBreaksThePromiseByItsAge) {
  IdTruth t;
  for (std::uint64_t id = 1; id <= 100; ++id) t.sent(record(id, 1), kSecond);
  for (std::uint64_t id = 1; id <= 90; ++id) t.seen(id, 2 * kSecond);   // in time; ten are never seen
  const ReaderSeries r = reader_series(t, 0, 20, 5 * kSecond, 60 * kSecond);
  EXPECT_EQ(r.bad_share[3], 0);                       // they are not old yet
  EXPECT_DOUBLE_EQ(r.bad_share[9], 0.1);
  EXPECT_NEAR(r.p50_s[2], 1, 0.02);
  EXPECT_NEAR(r.p99_s[9], 9, 0.6);                    // at their age
}

TEST(StreamTruthOfWindows, HoldsWhatWasSentAgainstWhatIsThere) {
  WindowTruth w(10 * kSecond, "");
  for (const double t : {1.0, 9.999, 10.0}) w.sent(record(1, t));
  w.seen(0, "", 1, 12 * kSecond);
  w.seen(0, "", 2, 15 * kSecond);
  EXPECT_EQ(w.windows().at({0, ""}).truth, 2);
  EXPECT_EQ(w.windows().at({0, ""}).value, 2);
  EXPECT_EQ(w.windows().at({10 * kSecond, ""}).value, 0);
  EXPECT_EQ(w.missing(), 0);
  w.sent(record(2, 5));
  EXPECT_EQ(w.missing(), 1);
  EXPECT_EQ(w.fired(), 1U);
  EXPECT_EQ(w.updates(), 1U);
}

TEST(StreamScenarioFile, SaysWhatIsWrongAndWhere) {
  const std::string base = repository_file("scenarios/watermark-stall.yaml");
  const auto wrong = [&](const std::string& text) {
    const auto s = parse_stream_scenario(text, "x.yaml", &base);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong("inputs: [{topic: orders, domain: order, rate: 3s}]"), HasSubstr("it must be in records/s"));
  EXPECT_THAT(wrong("results: [{topic: a, input: nothing, id: x}]"), HasSubstr("there is no input 'nothing'"));
  EXPECT_THAT(wrong("results: [{topic: a, input: orders}]"), HasSubstr("either 'id' or 'window'"));
  EXPECT_THAT(wrong("phases: [{name: a, for: 5s}, {name: b, for: 5s, inject: {topic: orders, partition: 4, silence: true}}]"), HasSubstr("a number from 0 to 3"));
  EXPECT_THAT(wrong("phases: [{name: a, for: 5s}, {name: b, for: 5s, inject: {topic: orders}}]"), HasSubstr("what happens to the topic is missing"));
  EXPECT_THAT(wrong("phases: [{name: a, for: 5s}]"), HasSubstr("injects the fault"));
  EXPECT_THAT(wrong("arms: {control: {speed: 4}}"), HasSubstr("has no knob 'speed'"));
  EXPECT_THAT(wrong("promise: {within: 5s}"), HasSubstr("needs a result with ids"));
  EXPECT_THAT(wrong("settings: {x: $nothing}"), HasSubstr("there is no knob 'nothing'"));
  EXPECT_THAT(wrong("oops: 1"), HasSubstr("unknown field 'oops'"));
}

}  // namespace
}  // namespace supyo::scenario
