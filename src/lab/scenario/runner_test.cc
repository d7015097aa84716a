#include "lab/scenario/runner.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/env/real/real_env.h"
#include "lab/scenario/evaluate.h"
#include "lab/scenario/paper_bench_test.h"

namespace supyo::scenario {
namespace {

Result<LabResult> run(const std::string& name, PaperBench bench = {}, std::vector<std::string> knobs = {}) {
  env::RealEnv real;
  auto s = load_scenario(real.env().files, SUPYO_SOURCE_DIR "/scenarios/" + name + ".yaml");
  if (!s) return fail(s.error());
  s->workload.tps = 40;  // the paper pipeline is exact at any rate
  s->linger_us = 100 * kMillisecond;
  for (const std::string& k : knobs) SUPYO_TRY(set_knob(*s, k));
  return run_scenario(real.env(), *s, bench, {.root = SUPYO_SOURCE_DIR, .directory = testing::TempDir() + "supyo_lab_" + env::new_uuid(real.env().random), .repeat = "supyo lab run " + name});
}

bool guard_ok(const LabResult& r, std::string_view id) {
  for (const GuardResult& g : r.guards) if (g.id == id) return g.ok;
  return false;
}

/// One run for the tests that only look at it.
const Result<LabResult>& the_lab() {
  static const Result<LabResult> result = run("lag-blind-sink");
  return result;
}

TEST(Runner, TheLabIsConfirmedAndItsNumbersAreThePredictedOnes) {
  const auto& r = the_lab();
  ASSERT_TRUE(r) << r.error().to_string();
  EXPECT_EQ(r->verdict, Verdict::kConfirmed) << r->why;
  EXPECT_EQ(r->verdict, r->expected);
  for (const GuardResult& g : r->guards) EXPECT_TRUE(g.ok) << g.id << " " << g.why;
  EXPECT_EQ(r->guards.size(), 6U);
  const double e2e = r->measure("e2e_p95")->value;
  EXPECT_NEAR(e2e, *r->measure("e2e_p95")->predicted, 0.1 * e2e);
  EXPECT_NEAR(r->measure("control_e2e_p95")->value, 3.97, 0.15);
  EXPECT_NEAR(r->measure("detect")->value, 90, 20);
  EXPECT_TRUE(std::isinf(r->t_lag_alarm_s));
  EXPECT_LT(r->t_spike_s, r->t_breach_s);
  EXPECT_FALSE(r->lag_changed);
  EXPECT_EQ(r->measure("lost")->value, 0);
  EXPECT_EQ(r->fault.judgements.at(1).state, "INCIDENT");
  EXPECT_EQ(r->control.judgements.at(1).state, "OK");
}

TEST(Runner, TheResultSaysEnoughToJudgeAgain) {
  const auto& r = the_lab();
  ASSERT_TRUE(r);
  const std::string json = to_json(*r);
  auto again = result_from_json(json);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(to_json(*again), json);
  env::RealEnv real;
  auto s = load_scenario(real.env().files, SUPYO_SOURCE_DIR "/scenarios/lag-blind-sink.yaml");
  s->workload.tps = 40;
  again->verdict = Verdict::kInvalid;
  again->measures.clear();
  again->guards.clear();
  ASSERT_TRUE(evaluate(*s, *again));
  EXPECT_EQ(again->verdict, Verdict::kConfirmed) << again->why;
  // A tampered series gives another verdict: it is worked out, not copied.
  for (slo::Column& c : again->fault.columns) if (c.name.starts_with("breached:")) std::fill(c.values.begin(), c.values.end(), 0.0);
  ASSERT_TRUE(evaluate(*s, *again));
  EXPECT_EQ(again->verdict, Verdict::kRefuted);
  for (std::size_t n = 0; n < json.size(); n += json.size() / 50) EXPECT_FALSE(result_from_json(std::string_view(json).substr(0, n)));
}

TEST(Runner, PlantedVariantsAreRefutedAndInvalid) {
  const auto refuted = run("lag-blind-sink-refuted");
  ASSERT_TRUE(refuted) << refuted.error().to_string();
  EXPECT_EQ(refuted->verdict, Verdict::kRefuted) << refuted->why;
  EXPECT_EQ(refuted->expected, Verdict::kRefuted);
  EXPECT_TRUE(refuted->lag_changed);
  const auto invalid = run("lag-blind-sink-invalid");
  ASSERT_TRUE(invalid) << invalid.error().to_string();
  EXPECT_EQ(invalid->verdict, Verdict::kInvalid) << invalid->why;
  EXPECT_EQ(invalid->expected, Verdict::kInvalid);
  EXPECT_FALSE(guard_ok(*invalid, "G2"));
}

TEST(Runner, GuardsFindBrokenPipelines) {
  auto r = run("lag-blind-sink", PaperBench(&PaperBench::loses_records));
  ASSERT_TRUE(r);
  EXPECT_EQ(r->verdict, Verdict::kInvalid) << r->why;
  EXPECT_GT(r->measure("lost")->value, 0);
  EXPECT_FALSE(guard_ok(*r, "G4"));
  r = run("lag-blind-sink", PaperBench(&PaperBench::never_drains));
  ASSERT_TRUE(r);
  EXPECT_FALSE(guard_ok(*r, "G6"));
  r = run("lag-blind-sink", PaperBench(&PaperBench::rejects_some));
  ASSERT_TRUE(r);
  EXPECT_TRUE(guard_ok(*r, "G3"));  // unknown outcomes are counted, so the ledger still balances
  EXPECT_GT(r->measure("unknown")->value, 0);
}

TEST(Runner, KnobsChangeTheOutcome) {
  const auto r = run("lag-blind-sink", {}, {"commit_delay=100ms"});
  ASSERT_TRUE(r);
  EXPECT_NE(r->verdict, Verdict::kConfirmed);
  EXPECT_TRUE(std::isinf(r->t_breach_s));
  EXPECT_EQ(run("lag-blind-sink", {}, {"nonsense=1"}).error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(run("lag-blind-sink", {}, {"commit_delay=fast"}).error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(run("nothing-here").error().code, ErrorCode::kFileNotFound);
}

TEST(Scenario, MistakesSayWhere) {
  env::RealEnv real;
  const std::string good = real.env().files.read_all(SUPYO_SOURCE_DIR "/scenarios/lag-blind-sink.yaml").value();
  ASSERT_TRUE(parse_scenario(good, "s.yaml"));
  struct Case {
    const char* from;
    const char* to;
    const char* part;
  };
  for (const Case& c : {Case{"lab: lag", "labb: lag", "unknown field 'labb'"}, {"tps: 2000", "tps: fast", "a number"}, {"$commit_delay}}", "$delay}}", "not a duration"}, {"for: 12m", "for: soon", "duration"},
                        {"guards: [", "guards: [luck, ", "luck"}, {"t_slo < inf and", "t_slo < and", "column"}, {"control: {commit_delay", "control: {delay", "no knob 'delay'"},
                        {" for 60s", "", "a lag rule reads"}, {"within: 10%", "within: 0", "above zero"}, {"default: 3s", "default: [3s", "not YAML"}, {"$interval", "$intervall", "no knob"}}) {
    std::string s = good;
    const auto at = s.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    s.replace(at, std::string_view(c.from).size(), c.to);
    const auto r = parse_scenario(s, "s.yaml");
    ASSERT_FALSE(r) << c.to;
    EXPECT_EQ(r.error().code, ErrorCode::kBadConfigFile);
    EXPECT_NE(r.error().message.find(c.part), std::string::npos) << r.error().to_string();
    EXPECT_TRUE(r.error().position.has_value());
  }
  for (std::size_t n = 0; n < good.size(); n += 3) {
    (void)parse_scenario(std::string_view(good).substr(0, n), "x");
    std::string s = good;
    s[n] = "[]{}:-&*!|>'\"%@\n\t 0"[n % 19];
    (void)parse_scenario(s, "x");
  }
}

}  // namespace
}  // namespace supyo::scenario
