#include "judge/slo/look.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "judge/slo/analytic_pipeline_test.h"

namespace supyo::slo {
namespace {

using testing::HasSubstr;

constexpr TimeUs kStart = 1'000'000 * kSecond;

TEST(Look, StepsHaveTheWorstOfTheirSamples) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Series series({{"e2e_p95", "s", {}}, {"records_in", "records", {}}, {"state", "state", {}}});
  const std::vector<std::array<double, 3>> rows = {{1, 10, 0}, {5, 10, 3}, {nan, 0, 1}, {2, 30, 2}, {nan, 40, 3}};
  for (std::size_t i = 0; i < rows.size(); ++i) series.add(static_cast<TimeUs>(i + 1) * kSecond, {rows[i][0], rows[i][1], rows[i][2]});
  const Look look = fold(series, {.from_us = 0, .to_us = 6 * kSecond, .step_us = 2 * kSecond});
  EXPECT_EQ(look.times, (std::vector<TimeUs>{2 * kSecond, 4 * kSecond, 6 * kSecond}));
  EXPECT_EQ(look.columns[0].values[0], 5);
  EXPECT_EQ(look.columns[0].values[1], 2);
  EXPECT_TRUE(std::isnan(look.columns[0].values[2]));
  EXPECT_EQ(look.columns[1].values, (std::vector<double>{20, 30, 40}));
  EXPECT_EQ(look.columns[2].values, (std::vector<double>{3, 2, 3}));   // UNKNOWN over OK, INCIDENT over AT RISK
  EXPECT_EQ(fold(series, {.from_us = kSecond, .to_us = 2 * kSecond, .step_us = kSecond}).columns[1].values, std::vector<double>{10});
  EXPECT_TRUE(std::isnan(fold(series, {.from_us = 100 * kSecond, .to_us = 101 * kSecond, .step_us = kSecond}).columns[1].values[0]));
}

TEST(Look, WaterfallsAddUpToTheWholeRange) {
  Judge judge(document_000(), {});
  AnalyticPipeline{}.run(judge, kStart, kStart + 3 * kMinute);
  const Look look = judge.look({.from_us = kStart, .to_us = kStart + 3 * kMinute, .step_us = 10 * kSecond});
  Waterfall sum;
  for (const Waterfall& w : look.waterfalls) sum += w;
  const Waterfall all = judge.waterfall(kStart, kStart + 3 * kMinute);
  EXPECT_GT(all.records, 30'000u);
  EXPECT_EQ(sum.records, all.records);
  EXPECT_EQ(sum.total_us(), all.total_us());
}

std::string first(const std::vector<Cause>& causes) { return causes.empty() ? "" : causes.front().rule; }

TEST(Causes, ASlowCommitIsNamedWhileItLasts) {
  Judge judge(document_000(), {});
  AnalyticPipeline p;
  p.commit_delay_us = [](TimeUs t) { return t < kStart + 5 * kMinute ? 50 * kMillisecond : 40 * kSecond; };
  p.run(judge, kStart, kStart + 8 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kIncident);
  const auto causes = judge.causes();
  ASSERT_EQ(first(causes), "commit-slow");
  EXPECT_THAT(causes.front().evidence, HasSubstr("for the sink's commit"));
  EXPECT_THAT(causes.front().next_step, HasSubstr("inspect the sink"));
  // And it can be looked back at.
  const Look look = judge.look({.from_us = kStart, .to_us = kStart + 8 * kMinute, .step_us = 10 * kSecond});
  ASSERT_FALSE(look.moments.empty());
  EXPECT_EQ(look.moments.front().state, State::kUnknown);
  EXPECT_EQ(look.moments.back().state, State::kIncident);
  EXPECT_EQ(first(look.moments.back().causes), "commit-slow");
  EXPECT_FALSE(look.moments.back().reasons.empty());
  for (std::size_t i = 1; i < look.moments.size(); ++i) EXPECT_LT(look.moments[i - 1].t, look.moments[i].t);
}

TEST(Causes, RowsHeldForAWatermarkThatStandsStill) {
  Judge judge(document_000(), {});
  AnalyticPipeline p;
  p.run(judge, kStart, kStart + 5 * kMinute);
  // The producers stop; what the watermark has not passed stays inside. Epochs go on, with nothing in them.
  for (TimeUs t = kStart + 5 * kMinute; t < kStart + 7 * kMinute; t += kSecond) judge.lags(0, 0, 0, true, t);
  ASSERT_GT(judge.totals().unfinished, 0u);
  const auto causes = judge.causes();
  EXPECT_TRUE(first(causes) == "watermark-wait" || first(causes) == "processing-wait") << first(causes);
  double waiting = 0;
  for (const Cause& c : causes)
    for (const auto& [name, value] : c.numbers) waiting += name == "waiting" ? value : 0;
  EXPECT_EQ(waiting, static_cast<double>(judge.totals().unfinished));
}

TEST(Causes, AJobThatSaysNothingComesFirst) {
  Judge judge(document_000(), {});
  AnalyticPipeline{}.run(judge, kStart, kStart + 3 * kMinute);
  judge.advance(kStart + 4 * kMinute);
  EXPECT_EQ(first(judge.causes()), "job-silent");
}

TEST(Causes, NoMomentIsKeptWhileNothingChanges) {
  Judge judge(document_000(), {});
  AnalyticPipeline p;
  p.commit_delay_us = [](TimeUs) { return 50 * kMillisecond; };
  p.run(judge, kStart, kStart + 20 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kOk);
  EXPECT_LE(judge.look({.from_us = 0, .to_us = kStart + kHour, .step_us = kHour * 1000}).moments.size(), 3u);
}

}  // namespace
}  // namespace supyo::slo
