#include <gtest/gtest.h>

#include <cmath>

#include "core/env/real/real_env.h"
#include "lab/scenario/evaluate.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {
namespace {

/// The shipped scenario on the real engine, log and table, at a rate and a length that a test can afford (`make demo` runs all of it).
Result<LabResult> run(const std::string& name) {
  env::RealEnv real;
  auto s = load_scenario(real.env().files, SUPYO_SOURCE_DIR "/scenarios/" + name + ".yaml");
  if (!s) return fail(s.error());
  s->workload.tps = 50;
  s->linger_us = 50 * kMillisecond;
  s->phases[0].length_us = s->phases[1].length_us = 3 * kMinute;
  s->phases[2].length_us = kMinute;
  const auto bench = make_embedded_bench();
  return run_scenario(real.env(), *s, *bench, {.root = SUPYO_SOURCE_DIR, .directory = testing::TempDir() + "supyo_engine_" + env::new_uuid(real.env().random), .repeat = "supyo lab run " + name});
}

TEST(EmbeddedPipeline, TheLabHoldsOnTheEngine) {
  const auto r = run("lag-blind-sink");
  ASSERT_TRUE(r) << r.error().to_string();
  EXPECT_EQ(r->verdict, Verdict::kConfirmed) << r->why;
  EXPECT_EQ(r->measure("lost")->value, 0);
  EXPECT_EQ(r->measure("duplicates")->value, 0);
  EXPECT_EQ(r->measure("late")->value, 0);
  EXPECT_TRUE(std::isinf(r->t_lag_alarm_s));
}

TEST(EmbeddedPipeline, SlowFilesAreAsBlindAsASlowCommit) {
  for (const auto& [variant, verdict] : {std::pair{"", Verdict::kConfirmed}, {"-refuted", Verdict::kRefuted}, {"-invalid", Verdict::kInvalid}}) {
    const auto r = run(std::string("lag-blind-sink-writer") + variant);
    ASSERT_TRUE(r) << r.error().to_string();
    EXPECT_EQ(r->verdict, verdict) << variant << r->why;
    EXPECT_EQ(r->measure("lost")->value, 0);
  }
}

TEST(EmbeddedPipeline, ACommitSlowerThanTheIntervalIsRefuted) {
  const auto r = run("lag-blind-sink-refuted");
  ASSERT_TRUE(r) << r.error().to_string();
  EXPECT_EQ(r->verdict, Verdict::kRefuted) << r->why;
}

}  // namespace
}  // namespace supyo::scenario
