#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "lab/scenario/replica/frontier_lab.h"
#include "lab/scenario/replica/replica_lab.h"

namespace supyo::scenario {
namespace {

using ::testing::HasSubstr;

std::string base_text_of_lab() {
  std::ifstream in(SUPYO_SOURCE_DIR "/scenarios/ack-frontier.yaml");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

FrontierScenario parsed(const std::string& more) {
  const std::string base = base_text_of_lab();
  auto s = parse_frontier_scenario("extends: ack-frontier.yaml\n" + more, "small.yaml", &base);
  EXPECT_TRUE(s) << s.error().to_string();
  return *s;
}

LabResult run(const std::string& knobs) {
  auto r = run_frontier_scenario(parsed("knobs: {run: 300ms" + knobs + "}\nlinger: [0ms, 100ms]\n"), {});
  EXPECT_TRUE(r) << r.error().to_string();
  return *r;
}

double value(const LabResult& r, std::string_view name) { return r.measure(name) == nullptr ? std::nan("") : r.measure(name)->value; }

TEST(Frontier, AcksAllCostsLatencyAndLingerHidesIt) {
  const LabResult r = run("");
  EXPECT_EQ(r.verdict, Verdict::kConfirmed) << r.why;
  EXPECT_EQ(r.model, kModelNote);
  EXPECT_LT(value(r, "rho_rf3_l0"), 0.9);
  EXPECT_GT(value(r, "rho_rf3_l100"), 0.95);
  // The ratio is better because both are slower.
  EXPECT_LT(value(r, "thr_rf3_1_l100"), value(r, "thr_rf3_all_l0"));
  // What is outstanding is throughput times latency.
  EXPECT_NEAR(value(r, "thr_rf3_all_l100") * value(r, "p50_rf3_all_l100"), 500, 50);
  auto again = result_from_json(to_json(r));
  ASSERT_TRUE(again) << again.error().to_string();
  ASSERT_TRUE(evaluate_frontier(parsed("knobs: {run: 300ms}\nlinger: [0ms, 100ms]\n"), *again));
  EXPECT_EQ(again->verdict, r.verdict);
  EXPECT_EQ(to_json(run("")), to_json(r));
}

TEST(Frontier, WhatIsJudgedHasMoreTrialsAndNeighboursTakeTurns) {
  const auto cells = cells_of(parsed("knobs: {trials: 6, other_trials: 2}\n"));
  ASSERT_TRUE(cells) << cells.error().to_string();
  std::vector<std::string> judged;
  for (const FrontierCell& c : *cells) {
    EXPECT_EQ(c.trials, c.judged ? 6 : 2) << c.name;
    if (c.judged) judged.push_back(c.name);
  }
  EXPECT_THAT(judged, ::testing::UnorderedElementsAre("rf1_1_l0", "rf1_all_l0", "rf3_1_l0", "rf3_all_l0", "rf3_1_l100", "rf3_all_l100"));

  const auto order = order_of(*cells);
  std::map<std::string, std::vector<std::size_t>> at;
  for (std::size_t i = 0; i < order.size(); ++i) at[(*cells)[order[i]].name].push_back(i);
  EXPECT_EQ(order.size(), 6 * 6 + 18 * 2);
  for (const FrontierCell& c : *cells) EXPECT_EQ(at[c.name].size(), static_cast<std::size_t>(c.trials)) << c.name;
  // A ratio is of neighbours in time, each of them first in every other round.
  for (std::size_t t = 0; t < 6; ++t) EXPECT_EQ(at["rf3_all_l0"][t] + (t % 2 == 0 ? 0 : 1), at["rf3_1_l0"][t] + (t % 2 == 0 ? 1 : 0)) << t;
  // The others are spread: not all at the beginning.
  EXPECT_LT(at["rf3_1_l5"][0], order.size() / 2);
  EXPECT_GT(at["rf3_1_l5"][1], order.size() / 2);

  const auto r = run_frontier_scenario(parsed("knobs: {run: 300ms, trials: 5, other_trials: 2}\nlinger: [0ms, 100ms]\n"), {});
  ASSERT_TRUE(r) << r.error().to_string();
  EXPECT_EQ(r->verdict, Verdict::kConfirmed) << r->why;
  EXPECT_EQ(value(*r, "trials"), 5);
}

TEST(Frontier, BrokersAreSteadyWhenTwoRoundsStayWithinFivePercent) {
  Settling s;
  for (const double v : {100.0, 180.0, 184.0, 200.0, 206.0}) {
    s.add({v, 2 * v});
    EXPECT_FALSE(s.settled()) << v;
  }
  s.add({210, 420});
  EXPECT_TRUE(s.settled());
  EXPECT_EQ(s.rounds(), 6);
  Settling silent;   // nothing acknowledged: never steady
  for (int i = 0; i < 4; ++i) silent.add({0, 100});
  EXPECT_FALSE(silent.settled());
}

TEST(Frontier, PlantedVariants) {
  EXPECT_EQ(run(", safe_acks: 1").verdict, Verdict::kRefuted);
  EXPECT_EQ(run(", many: 1").verdict, Verdict::kInvalid);
  EXPECT_THAT(run(", trials: 3").why, HasSubstr("too few"));
}

TEST(Frontier, BadFilesAreRefused) {
  const std::string base = base_text_of_lab();
  const auto error_of = [&](const std::string& more) {
    const auto s = parse_frontier_scenario("extends: ack-frontier.yaml\n" + more, "bad.yaml", &base);
    return s ? "" : s.error().to_string();
  };
  EXPECT_THAT(error_of("acks: {some: 2}\n"), HasSubstr("acks 2"));
  EXPECT_THAT(error_of("linger: 5ms\n"), HasSubstr("linger"));
  EXPECT_THAT(error_of("replicas: {1: 12}\n"), HasSubstr("replicas is 12"));
  EXPECT_THAT(error_of("guards: [offered_rate_within_2_percent]\n"), HasSubstr("offers no rate"));
  EXPECT_THAT(error_of("workload: {outstanding: 5s}\n"), HasSubstr("outstanding"));
  EXPECT_THAT(error_of("workload: {idempotence: 2}\n"), HasSubstr("idempotence is 2"));
  EXPECT_THAT(error_of("other_trials: 0\n"), HasSubstr("other_trials is 0"));
}

}  // namespace
}  // namespace supyo::scenario
