#include "judge/slo/openslo.h"

#include <gtest/gtest.h>

#include <fstream>

#include "judge/slo/feasibility.h"

namespace supyo::slo {
namespace {

constexpr std::string_view kLatency = R"(apiVersion: openslo/v1
kind: SLO
metadata:
  name: end-to-end-latency
  annotations:
    supyo.dev/clock: event
    supyo.dev/reference: record
    supyo.dev/role: deciding
spec:
  service: product
  indicator:
    metadata: {name: e2e}
    spec:
      thresholdMetric:
        metricSource: {type: supyo, spec: {measure: end_to_end_latency}}
  timeWindow:
    - {duration: 10m, isRolling: true}
  budgetingMethod: Occurrences
  objectives:
    - op: lt
      value: 5
      target: 0.95
)";

std::string with(std::string_view from, std::string_view to) {
  std::string s(kLatency);
  const auto at = s.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return s.replace(at, from.size(), to);
}

TEST(OpenSlo, ReadsWhatItPrints) {
  std::string text(kLatency);
  text += R"(  alertPolicies: [fast-burn]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast-burn}
spec:
  conditions:
    - kind: AlertCondition
      metadata: {name: page-fast}
      spec:
        severity: page
        condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: late}
spec:
  indicator: {metadata: {name: late}, spec: {ratioMetric: {bad: {metricSource: {type: supyo, spec: {measure: late_event_rate}}}, total: {metricSource: {type: supyo, spec: {measure: late_event_rate}}}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.99}]
)";
  const auto first = parse_openslo(text, "a.yaml");
  ASSERT_TRUE(first) << first.error().to_string();
  ASSERT_EQ(first->items.size(), 2U);
  const Objective& o = first->items[0];
  EXPECT_EQ(o.threshold_us, 5 * kSecond);
  EXPECT_EQ(o.window_us, 10 * kMinute);
  EXPECT_EQ(o.target, 0.95);
  EXPECT_EQ(o.alerts.at(0).short_window_us, 5 * kMinute);
  EXPECT_EQ(first->items[1].role, Role::kAdvising);
  EXPECT_EQ(o.sentence(), "95 % of records visible in under 5 s, counted from event time, over 10 min");
  const std::string printed = print_openslo(*first);
  const auto again = parse_openslo(printed, "b.yaml");
  ASSERT_TRUE(again) << again.error().to_string() << printed;
  EXPECT_EQ(print_openslo(*again), printed);
}

TEST(OpenSlo, EveryMistakeHasANumberAndALine) {
  struct Case {
    std::string text;
    ErrorCode code;
    std::string part;
    int line;
  };
  const std::vector<Case> cases{
      {with("apiVersion: openslo/v1", "apiVersion: openslo/v9"), ErrorCode::kBadConfigFile, "openslo/v9", 1},
      {with("kind: SLO", "kind: SLOO"), ErrorCode::kBadConfigFile, "SLOO", 2},
      {with("name: end-to-end-latency", "name: End To End"), ErrorCode::kBadConfigFile, "is not a name", 4},
      {with("clock: event", "clock: wall"), ErrorCode::kBadConfigFile, "event or produce", 6},
      {with("measure: end_to_end_latency", "measure: latencyy"), ErrorCode::kBadConfigFile, "not known", 15},
      {with("type: supyo", "type: prometheus"), ErrorCode::kBadConfigFile, "prometheus", 15},
      {with("duration: 10m", "duration: ten"), ErrorCode::kBadConfigFile, "not a duration", 17},
      {with("duration: 10m", "duration: 60d"), ErrorCode::kBadConfigFile, "at most 30 days", 17},
      {with("isRolling: true", "isRolling: false"), ErrorCode::kBadConfigFile, "rolling", 17},
      {with("target: 0.95", "target: 1"), ErrorCode::kObjectiveInvalid, "between 0 and 1", 22},
      {with("target: 0.95", "target: high"), ErrorCode::kBadConfigFile, "number", 22},
      {with("value: 5", "value: -5"), ErrorCode::kBadConfigFile, "above zero", 21},
      {with("op: lt", "op: gt"), ErrorCode::kBadConfigFile, "below the value", 20},
      {with("service: product", "servise: product"), ErrorCode::kBadConfigFile, "unknown field 'servise'", 10},
      {with("budgetingMethod: Occurrences", "budgetingMethod: Timeslices"), ErrorCode::kBadConfigFile, "budgeted by Occurrences", 18},
      {with("kind: SLO", "kind: [SLO"), ErrorCode::kBadConfigFile, "not YAML", 3},
      {"", ErrorCode::kBadConfigFile, "no objective", 0},
      {"- 1\n", ErrorCode::kBadConfigFile, "mapping", 1},
      {std::string(kLatency) + "---\n" + with("name: end-to-end-latency", "name: other"), ErrorCode::kObjectiveInvalid, "says nothing", 24},
      {std::string(kLatency) + "  alertPolicies: [nowhere]\n", ErrorCode::kBadConfigFile, "nowhere", 23},
      {std::string(kLatency) + "  alertPolicies:\n    - kind: AlertPolicy\n      spec: {conditions: [{spec: {severity: page, condition: {kind: burnrate, threshold: 25, lookbackWindow: 1h}}}]}\n",
       ErrorCode::kObjectiveInvalid, "can never fire", 25},
  };
  for (const Case& c : cases) {
    const auto r = parse_openslo(c.text, "slo.yaml");
    ASSERT_FALSE(r) << c.part;
    EXPECT_EQ(r.error().code, c.code) << r.error().to_string();
    EXPECT_NE(r.error().message.find(c.part), std::string::npos) << r.error().to_string();
    EXPECT_NE(r.error().message.find("slo.yaml"), std::string::npos);
    EXPECT_EQ(r.error().position ? r.error().position->line : 0, c.line) << r.error().to_string();
  }
}

TEST(OpenSlo, NoTruncationOrDamageCrashes) {
  for (std::size_t n = 0; n < kLatency.size(); ++n) {
    (void)parse_openslo(kLatency.substr(0, n), "x");
    std::string s(kLatency);
    s[n] = static_cast<char>("[]{}:-&*!|>'\"%@\n\t 0"[n % 19]);
    (void)parse_openslo(s, "x");
  }
}

TEST(OpenSlo, TheExampleHoldsDocument000sThreeObjectives) {
  std::ifstream in(SUPYO_SOURCE_DIR "/examples/product/slo.yaml");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto o = parse_openslo(text, "examples/product/slo.yaml");
  ASSERT_TRUE(o) << o.error().to_string();
  ASSERT_EQ(o->items.size(), 3U);
  EXPECT_EQ(o->items[0].sentence(), "95 % of records visible in under 5 s, counted from event time, over 10 min");
  EXPECT_EQ(o->items[1].sentence(), "newest visible event younger than 30 s in 99 % of the samples, over 10 min");
  EXPECT_EQ(o->items[2].sentence(), "99.9 % of records visible once within 30 s of its production, over 10 min");
  for (const Objective& x : o->items) EXPECT_EQ(x.role, Role::kDeciding);
}

TEST(OpenSlo, AFreshnessBelowTheLatencyThresholdContradicts) {
  auto o = parse_openslo(kLatency, "x");
  ASSERT_TRUE(o);
  Objective fresh;
  fresh.name = "f";
  fresh.measure = Measure::kFreshness;
  fresh.threshold_us = 2 * kSecond;
  fresh.target = 0.99;
  o->items.push_back(fresh);
  EXPECT_EQ(check_consistent(*o).error().code, ErrorCode::kObjectiveInvalid);
}

TEST(Feasibility, PrintsTheLargestIntervalThatTheLatencyAllows) {
  const auto o = parse_openslo(kLatency, "x");
  ASSERT_TRUE(o);
  // (5 - 1 - 0.1) / 0.95
  auto f = check_feasibility(*o, {3 * kSecond, 100 * kMillisecond, 0, kSecond});
  EXPECT_TRUE(f.feasible());
  EXPECT_NEAR(static_cast<double>(*f.largest_interval_us), 3.9 / 0.95 * 1e6, 1);
  EXPECT_EQ(predicted_latency({3 * kSecond, 0, 0, kSecond}, 0.95), 3'850'000);
  EXPECT_EQ(predicted_latency({3 * kSecond, 0, 2 * kSecond, kSecond}, 0.95), 5'850'000);
  // Above D + C = 3 s the interval in effect grows with the commit.
  EXPECT_EQ(predicted_latency({3 * kSecond, 0, 6 * kSecond, kSecond}, 0.95), 12'700'000);
  f = check_feasibility(*o, {5 * kSecond, 500 * kMillisecond, 0, 0});
  EXPECT_FALSE(f.feasible());
  EXPECT_NEAR(static_cast<double>(*f.largest_interval_us), 4.5 / 0.95 * 1e6, 1);
  f = check_feasibility(*o, {kSecond, kSecond, 2 * kSecond, kSecond});
  EXPECT_FALSE(f.feasible());
  EXPECT_FALSE(f.largest_interval_us.has_value());
  // The largest interval itself meets the threshold, a little more does not.
  for (const DurationUs d : {0L, 10L, 200L}) {
    const PipelineTiming t{kSecond, d * kMillisecond, 0, kSecond};
    PipelineTiming most = t, more = t;
    most.interval_us = *check_feasibility(*o, t).largest_interval_us;
    more.interval_us = most.interval_us + 10;
    EXPECT_LE(predicted_latency(most, 0.95), 5 * kSecond);
    EXPECT_GT(predicted_latency(more, 0.95), 5 * kSecond);
  }
}

TEST(Duration, ParsesAndShows) {
  EXPECT_EQ(*parse_duration("300ms"), 300'000);
  EXPECT_EQ(*parse_duration("1.5 h"), 90 * kMinute);
  EXPECT_EQ(*parse_duration("30d"), 30 * kDay);
  for (const char* bad : {"", "5", "s", "-1s", "1y", "1e300s", "nan s", "5ss"}) EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(show_duration(10 * kMinute), "10 min");
  EXPECT_EQ(show_duration(5'850'000), "5.85 s");
  EXPECT_EQ(show_duration(635 * kSecond), "10 min 35 s");
  EXPECT_EQ(show_duration(30 * kDay), "30 d");
}

}  // namespace
}  // namespace supyo::slo
