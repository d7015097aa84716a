#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/env/real/real_env.h"
#include "lab/scenario/topic/topic_lab.h"

namespace supyo::scenario {
namespace {

using ::testing::HasSubstr;

/// The lab of the repository, small: 400 records a second, a tenth of the bytes, shorter phases.
constexpr std::string_view kSmall = R"(
extends: retention-cliff.yaml
lab: small
workload: {rate: 400rps, record: 1KiB, seed: 3}
knobs: {retention: 2MiB, segment: 256KiB, slow_rate: 100rps, prefetch: 256KiB}
phases:
  - {name: baseline, for: 15s}
  - {name: fault, for: 60s, inject: {group: slow, rate: $slow_rate}}
  - {name: recovery, for: 5s}
arms: {control: {slow_rate: 1000rps}, more_prefetch: {prefetch: 2MiB}}
predict: {loss_share_slow: {formula: 1 - slow_rate / rate, within: 10%}}
verdict: >-
  lost_slow > 0 and lost_fast == 0 and lost_slow == lost_gap_slow and abs(lost_slow - lost_broker_slow) <= 64KiB / record_size
  and t_first_slow >= 0.9 * (retention + prefetch) / record_size / (rate - slow_rate)
  and t_first_slow <= 1.1 * ((retention + segment + prefetch) / record_size + rate * check) / (rate - slow_rate)
  and more_prefetch_t_first_slow > t_first_slow
plots: []
)";

std::string repository_file(const std::string& path) {
  std::ifstream in(std::string(SUPYO_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class TopicLab : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("supyo_topic_test_" + std::to_string(::getpid()));
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  TopicScenario small(const std::string& more = "") { return parsed(std::string(kSmall) + more); }
  TopicScenario parsed(const std::string& text) {
    const std::string base = repository_file("scenarios/retention-cliff.yaml");
    auto s = parse_topic_scenario(text, "small.yaml", &base);
    EXPECT_TRUE(s) << s.error().to_string();
    return *s;
  }
  LabResult run(const TopicScenario& s) {
    RunOptions options;
    options.directory = directory_.string();
    auto r = run_topic_scenario(real_.env(), s, options);
    EXPECT_TRUE(r) << r.error().to_string();
    return *r;
  }
  static double value(const LabResult& r, std::string_view measure) { return r.measure(measure) == nullptr ? std::nan("") : r.measure(measure)->value; }

  env::RealEnv real_;
  std::filesystem::path directory_;
};

TEST_F(TopicLab, ASlowGroupLosesWhatRetentionDeletes) {
  const LabResult r = run(small());
  EXPECT_EQ(r.verdict, Verdict::kConfirmed) << r.why;
  EXPECT_GT(value(r, "lost_slow"), 5000);
  EXPECT_EQ(value(r, "control_lost_slow"), 0);
  EXPECT_EQ(r.arms.size(), 1U);
  const auto again = result_from_json(to_json(r));
  ASSERT_TRUE(again) << again.error().to_string();
  LabResult judged = *again;
  ASSERT_TRUE(evaluate_topic(small(), judged));
  EXPECT_EQ(judged.verdict, r.verdict) << judged.why;
  EXPECT_EQ(to_json(*again), to_json(r));
}

TEST_F(TopicLab, TheSameSeedGivesTheSameNumbers) {
  const TopicScenario s = small();
  EXPECT_EQ(to_json(run(s)), to_json(run(s)));
}

TEST_F(TopicLab, EnoughRetentionRefutesIt) {
  TopicScenario s = small();
  ASSERT_TRUE(set_knob(s, "retention=1GiB"));
  const LabResult r = run(s);
  EXPECT_EQ(r.verdict, Verdict::kRefuted);
  EXPECT_EQ(value(r, "lost_slow"), 0);
  EXPECT_TRUE(std::isinf(value(r, "t_first_slow")));
}

TEST_F(TopicLab, AHandlerThatIsNotSlowProvesNothing) {
  TopicScenario s = small();
  ASSERT_TRUE(set_knob(s, "slow_rate=800rps"));
  const LabResult r = run(s);
  EXPECT_EQ(r.verdict, Verdict::kInvalid);
  EXPECT_THAT(r.why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(TopicLab, ResetLatestLosesMoreAndResetErrorSaysSo) {
  const std::string groups = "groups: [{name: fast}, {name: slow, prefetch: $prefetch, reset: ";
  const double earliest = value(run(small()), "lost_slow");
  const LabResult latest = run(small(groups + "latest}]\n"));
  EXPECT_GT(value(latest, "lost_slow"), earliest);
  const LabResult error = run(small(groups + "error}]\n"));
  EXPECT_EQ(value(error, "errors_slow"), 1);
  EXPECT_EQ(value(error, "lost_gap_slow"), 0);   // nothing was skipped in silence
}

TEST_F(TopicLab, DeletedRecordsAreCounted) {
  const LabResult r = run(parsed(R"(
lab: deletion
workload: {rate: 400rps, record: 1KiB, seed: 3}
knobs: {retention: 1GiB}
plots: []
phases:
  - {name: baseline, for: 20s}
  - {name: fault, for: 20s, inject: {group: slow, delete_past_committed: 500records}}
arms: {control: {retention: 1GiB}}
guards: [fault_seen_by_probe, ledger_balances]
predict: {}
verdict: lost_slow > 0 and lost_fast == 0
groups: [{name: fast}, {name: slow, rate: 300rps, prefetch: 1KiB, fetch: 1KiB}]
)"));
  EXPECT_EQ(r.verdict, Verdict::kConfirmed) << r.why;
  EXPECT_EQ(value(r, "lost_slow"), value(r, "lost_gap_slow"));
  EXPECT_EQ(value(r, "lost_slow"), value(r, "lost_broker_slow"));
}

TEST(TopicScenarioFile, SaysWhatIsWrongAndWhere) {
  const std::string base = repository_file("scenarios/retention-cliff.yaml");
  const auto wrong = [&](const std::string& text) {
    const auto s = parse_topic_scenario(text, "x.yaml", &base);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong("topic: {retention: 3s, segment: 1MiB, check: 1s}"), HasSubstr("it must be in B"));
  EXPECT_THAT(wrong("phases: [{name: a, for: 5s}, {name: b, for: 5s, inject: {group: nobody, rate: 5rps}}]"), HasSubstr("there is no group 'nobody'"));
  EXPECT_THAT(wrong("arms: {control: {speed: 4}}"), HasSubstr("has no knob 'speed'"));
  EXPECT_THAT(wrong("arms: {other: {}}"), HasSubstr("'arms' with 'control' is missing"));
  EXPECT_THAT(wrong("groups: [{name: a, reset: never}]"), HasSubstr("earliest, latest or error"));
  EXPECT_THAT(wrong("verdict: lost_slow >"), HasSubstr("in the formula"));
  EXPECT_THAT(wrong("knobs: {retention: 5XB}"), HasSubstr("is not a unit"));
  EXPECT_THAT(wrong("oops: 1"), HasSubstr("unknown field 'oops'"));
}

TEST(TopicScenarioFile, EveryFileOfTheRepositoryLoads) {
  env::RealEnv real;
  for (const char* name : {"retention-cliff", "retention-cliff-refuted", "retention-cliff-invalid", "retention-sizing", "retention-sizing-refuted", "retention-sizing-invalid", "silent-skip",
                           "silent-skip-refuted", "silent-skip-invalid"}) {
    const std::string path = fmt::format("{}/scenarios/{}.yaml", SUPYO_SOURCE_DIR, name);
    EXPECT_EQ(scenario_kind(real.env().files, path), "topic");
    const auto s = load_topic_scenario(real.env().files, path);
    ASSERT_TRUE(s) << s.error().to_string();
    const auto on_cluster = load_topic_scenario(real.env().files, path, true);
    ASSERT_TRUE(on_cluster) << on_cluster.error().to_string();
    const auto length = [](const TopicScenario& t) {
      DurationUs sum = 0;
      for (const TopicPhase& p : t.phases) sum += p.length_us;
      return sum;
    };
    EXPECT_LE(length(*on_cluster), 2 * kMinute) << name;   // what a person waits for
    EXPECT_EQ(on_cluster->expect, s->expect);
  }
}

TEST(TopicScenarioFile, APlantedVariantStaysPlantedOnARealCluster) {
  env::RealEnv real;
  const auto load = [&](const std::string& name) { return load_topic_scenario(real.env().files, fmt::format("{}/scenarios/{}.yaml", SUPYO_SOURCE_DIR, name), true).value(); };
  EXPECT_EQ(load("retention-cliff-refuted").knobs.at("retention").text, "1GiB");
  EXPECT_EQ(load("retention-cliff-invalid").knobs.at("slow_rate").text, "3000rps");
  const TopicScenario sizing = load("retention-sizing"), longer = load("retention-sizing-refuted"), clean = load("retention-sizing-invalid");
  EXPECT_GT(longer.phases[1].length_us, sizing.phases[1].length_us);
  EXPECT_EQ(longer.knobs.at("outage").text, sizing.knobs.at("outage").text);
  EXPECT_EQ(clean.arms.at("control").at("retention"), "10MiB");
  EXPECT_EQ(load("silent-skip-refuted").groups[0].reset, Reset::kError);
  EXPECT_NE(load("silent-skip-invalid").phases[1].inject->kind, TopicFault::Kind::kDeleteRecords);
}

TEST(TopicScenarioFile, WithoutAPartForRealClustersThereIsNoRunOnOne) {
  const std::string base = repository_file("scenarios/retention-cliff.yaml");
  const auto s = parse_topic_scenario(base.substr(0, base.find("\n# On a real cluster")) + base.substr(base.find("\ntiles:")), "x.yaml", nullptr, true);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::scenario
