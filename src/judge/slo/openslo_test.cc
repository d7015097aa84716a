#include "judge/slo/openslo.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "judge/slo/feasibility.h"
#include "judge/slo/judge.h"

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

/// The latency objective with one inline alert policy; its `spec` is on line 26, the condition's on line 27.
std::string policy(std::string_view condition, std::string_view more = {}) {
  return std::string(kLatency) + fmt::format("  alertPolicies:\n    - kind: AlertPolicy\n      metadata: {{name: p}}\n      spec: {{{}\n        conditions: [{{spec: {{{}}}}}]}}\n", more, condition);
}

/// An objective of a ratio; the ratio is on line 7.
std::string ratio(std::string_view good, std::string_view total, std::string_view more = {}) {
  const auto source = [](std::string_view measure) { return fmt::format("{{metricSource: {{type: supyo, spec: {{measure: {}}}}}}}", measure); };
  return fmt::format("apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: r}}\nspec:\n  timeWindow: [{{duration: 30d, isRolling: true}}]\n  objectives: [{{target: 0.99}}]\n  indicator: {{spec: {{ratioMetric: {{{}good: {}, total: {}}}}}}}\n", more,
                     source(good), source(total));
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
      metadata: {name: page-fast, annotations: {supyo.dev/shortWindow: 5m}}
      spec:
        severity: page
        condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 2m}
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
  EXPECT_EQ(o.alerts.at(0).hold_us, 2 * kMinute);
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
      {with("type: supyo", "metricSourceRef: elsewhere"), ErrorCode::kBadConfigFile, "data source 'elsewhere'", 15},
      {with("duration: 10m, isRolling: true", "duration: 10m, calendar: {startTime: 2026-01-01 00:00:00}"), ErrorCode::kBadConfigFile, "only rolling", 17},
      {with("target: 0.95", "target: 0.95\n      timeSliceWindow: 1m"), ErrorCode::kBadConfigFile, "timeSliceWindow", 23},
      {with("target: 0.95", "target: 0.95\n      targetPercent: 95"), ErrorCode::kBadConfigFile, "both", 23},
      {with("measure: end_to_end_latency", "measure: duplicate_rate"), ErrorCode::kBadConfigFile, "identity", 4},
      {with("duration: 10m", "duration: ten"), ErrorCode::kBadConfigFile, "not a duration", 17},
      {with("duration: 10m", "duration: 60d"), ErrorCode::kBadConfigFile, "at most 30 days", 17},
      {with("isRolling: true", "isRolling: false"), ErrorCode::kBadConfigFile, "rolling", 17},
      {with("target: 0.95", "target: 1"), ErrorCode::kObjectiveInvalid, "between 0 and 1", 22},
      {with("target: 0.95", "target: high"), ErrorCode::kBadConfigFile, "number", 22},
      {with("value: 5", "value: -5"), ErrorCode::kBadConfigFile, "above zero", 21},
      {with("op: lt", "op: gt"), ErrorCode::kBadConfigFile, "less is better", 20},
      {with("service: product", "servise: product"), ErrorCode::kBadConfigFile, "unknown field 'servise'", 10},
      {with("budgetingMethod: Occurrences", "budgetingMethod: Timeslices"), ErrorCode::kBadConfigFile, "budgeted by Occurrences", 18},
      {with("kind: SLO", "kind: [SLO"), ErrorCode::kBadConfigFile, "not YAML", 3},
      {"", ErrorCode::kBadConfigFile, "no objective", 0},
      {"- 1\n", ErrorCode::kBadConfigFile, "mapping", 1},
      {std::string(kLatency) + "---\n" + with("name: end-to-end-latency", "name: other"), ErrorCode::kObjectiveInvalid, "says nothing", 24},
      {std::string(kLatency) + "  alertPolicies: [nowhere]\n", ErrorCode::kBadConfigFile, "nowhere", 23},
      {std::string(kLatency) + "  alertPolicies:\n    - kind: AlertPolicy\n      spec: {conditions: [{spec: {severity: page, condition: {kind: burnrate, threshold: 25, lookbackWindow: 5m}}}]}\n",
       ErrorCode::kBadConfigFile, "no name", 25},
      {policy("severity: page, condition: {kind: burnrate, threshold: 25, lookbackWindow: 5m}"), ErrorCode::kObjectiveInvalid, "can never fire", 27},
      {policy("severity: page, condition: {kind: burnrate, threshold: 0, lookbackWindow: 5m}"), ErrorCode::kObjectiveInvalid, "fires always", 27},
      {policy("severity: page, condition: {kind: burnrate, threshold: 2, lookbackWindow: 1500ms}"), ErrorCode::kBadConfigFile, "whole seconds", 27},
      {policy("severity: urgent, condition: {kind: burnrate, threshold: 2, lookbackWindow: 5m}"), ErrorCode::kBadConfigFile, "severity 'urgent'", 27},
      {policy("severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 5m}"), ErrorCode::kBadConfigFile, "at its threshold", 27},
      {policy("severity: page, condition: {kind: count, threshold: 2, lookbackWindow: 5m}"), ErrorCode::kBadConfigFile, "burnrate", 27},
      {policy("severity: page, condition: {kind: burnrate, threshold: 2, lookbackWindow: 5m}", "notificationTargets: [{targetRef: nobody}], "), ErrorCode::kBadConfigFile, "'nobody'", 26},
      {policy("severity: page, condition: {kind: burnrate, threshold: 2, lookbackWindow: 5m}", "alertWhenNoData: false, "), ErrorCode::kBadConfigFile, "never good", 26},
      {with("target: 0.95", "target: 0.95\n      target: 0.5"), ErrorCode::kBadConfigFile, "'target' is given twice", 23},
      {with("kind: SLO", "kind: SLO\nkind: SLI"), ErrorCode::kBadConfigFile, "'kind' is given twice", 3},
      {with("type: supyo, spec: {measure: end_to_end_latency}", "metricSourceRef: mine, type: Prometheus, spec: {measure: end_to_end_latency}") + "---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: mine}\nspec: {type: supyo}\n", ErrorCode::kBadConfigFile, "'Prometheus' is not measured", 15},
      {ratio("late_event_rate", "late_event_rate", "bad: {metricSource: {type: supyo, spec: {measure: late_event_rate}}}, "), ErrorCode::kBadConfigFile, "both 'good' and 'bad'", 7},
      {ratio("late_event_rate", "window_late_rate"), ErrorCode::kBadConfigFile, "'total' is not of the measure 'late_event_rate'", 7},
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

Objectives example(const std::string& name) {
  std::ifstream in(SUPYO_SOURCE_DIR "/examples/" + name + "/slo.yaml");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  auto o = parse_openslo(text, "examples/" + name + "/slo.yaml");
  EXPECT_TRUE(o) << o.error().to_string();
  return o ? *o : Objectives{};
}

TEST(OpenSlo, EveryKindOfDocumentIsReadAndWritten) {
  const std::string_view text = R"(apiVersion: openslo/v1
kind: DataSource
metadata: {name: judge}
spec: {type: supyo, connectionDetails: {url: "http://127.0.0.1:8081"}}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: product}
spec: {description: prices}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: success}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {metricSourceRef: judge, spec: {measure: processing_success}}}
    total: {metricSource: {metricSourceRef: judge, spec: {measure: processing_success}}}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: NightShift_2}
spec: {target: slack, description: who is awake}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast, annotations: {supyo.dev/shortWindow: 10m, elsewhere.example/x: y}}
spec: {severity: page, condition: {kind: burnrate, op: gte, threshold: 10, lookbackWindow: 2h, alertAfter: 1m}}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: nights}
spec:
  alertWhenNoData: true
  alertWhenResolved: false
  conditions: [{conditionRef: fast}]
  notificationTargets: [{targetRef: NightShift_2}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: success}
spec:
  service: product
  indicatorRef: success
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{op: lt, value: 30, targetPercent: 99.9}]
  alertPolicies: [{alertPolicyRef: nights}]
)";
  const auto first = parse_openslo(text, "all.yaml");
  ASSERT_TRUE(first) << first.error().to_string();
  const Objective& o = first->items.at(0);
  EXPECT_EQ(o.measure, Measure::kProcessingSuccess);
  EXPECT_NEAR(o.target, 0.999, 1e-12);
  ASSERT_EQ(o.alerts.size(), 1U);
  EXPECT_EQ(o.alerts[0].name, "fast");
  EXPECT_EQ(o.alerts[0].short_window_us, 10 * kMinute);
  EXPECT_EQ(o.alerts[0].hold_us, kMinute);
  EXPECT_EQ(o.alerts[0].targets, std::vector<std::string>{"NightShift_2"}) << "others write names as they like";
  const std::string printed = print_openslo(*first);
  EXPECT_NE(printed.find("alertWhenResolved: false"), std::string::npos) << printed;
  for (const char* kind : {"DataSource", "Service", "AlertNotificationTarget", "AlertPolicy", "AlertCondition", "SLO"}) EXPECT_NE(printed.find(std::string("kind: ") + kind), std::string::npos) << kind;
  const auto again = parse_openslo(printed, "again.yaml");
  ASSERT_TRUE(again) << again.error().to_string() << printed;
  EXPECT_EQ(print_openslo(*again), printed);
}

constexpr std::string_view kSlices = R"(apiVersion: openslo/v1
kind: Service
metadata:
  name: shop
  displayName: The shop
  labels: {team: web, tier: [one, two]}
  annotations: {runbook: "https://example.org/shop: restart"}
spec: {description: what customers see}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: fresh
  labels: {team: data}
  annotations: {example.org/owner: "ops: night", supyo.dev/role: advising}
spec:
  service: shop
  indicator: {metadata: {name: fresh}, spec: {thresholdMetric: {metricSource: {type: supyo, spec: {measure: freshness}}}}}
  timeWindow: [{duration: 1h, isRolling: true}]
  budgetingMethod: Timeslices
  objectives: [{op: lte, value: 30, target: 0.9, timeSliceTarget: 0.75, timeSliceWindow: 1m}]
  alertPolicies: []
)";

TEST(OpenSlo, SlicesComparisonsAndWhatOthersWroteComeBackOut) {
  const auto first = parse_openslo(kSlices, "s.yaml");
  ASSERT_TRUE(first) << first.error().to_string();
  const Objective& o = first->items.at(0);
  EXPECT_TRUE(o.at_most);
  EXPECT_EQ(o.slice_us, kMinute);
  EXPECT_EQ(o.slice_target, 0.75);
  EXPECT_EQ(o.sentence(), "newest visible event no older than 30 s in 90 % of the slices of 60 s (75 % of each), over 1 h");
  const std::string printed = print_openslo(*first);
  for (const char* kept : {"op: lte", "timeSliceTarget: 0.75", "timeSliceWindow: 1m", "\"ops: night\"", "\"team\": \"data\"", "The shop", "[\"one\", \"two\"]", "https://example.org/shop: restart", "what customers see"})
    EXPECT_NE(printed.find(kept), std::string::npos) << kept << printed;
  const auto again = parse_openslo(printed, "again.yaml");
  ASSERT_TRUE(again) << again.error().to_string() << printed;
  EXPECT_EQ(print_openslo(*again), printed);
  const auto refused = [](std::string_view from, std::string_view to) {
    std::string text(kSlices);
    text.replace(text.find(from), from.size(), to);
    const auto read = parse_openslo(text, "s.yaml");
    return read ? std::string() : read.error().to_string();
  };
  EXPECT_NE(refused("timeSliceWindow: 1m", "timeSliceWindow: 7m").find("whole slices"), std::string::npos);
  EXPECT_NE(refused("timeSliceTarget: 0.75", "timeSliceTarget: 1.5").find("share of a time slice"), std::string::npos);
  EXPECT_NE(refused("timeSliceWindow: 1m", "timeSliceWindow: 1s").find("one sample"), std::string::npos);
  EXPECT_NE(refused("op: lte", "op: gte").find("less is better"), std::string::npos);
}

TEST(OpenSlo, ATimeSliceIsGoodWhereEnoughOfItIs) {
  auto objectives = parse_openslo(kSlices, "s.yaml");
  ASSERT_TRUE(objectives);
  Judge judge(*objectives, {});
  constexpr TimeUs kStart = 1'700'000'040 * kSecond;   // a whole minute
  judge.started({.source_splits = 1}, kStart);
  std::int64_t epoch = 1;
  for (int s = 0; s < 600; ++s) {
    const TimeUs now = kStart + s * kSecond;
    judge.advance(now);
    // Nothing new until second 44 or 46 of a minute: 14 bad samples, or 16, where 15 are a quarter. 30 s old is good yet.
    const int second = s % 60, again = s / 60 % 2 == 0 ? 44 : 46;
    if (second > 0 && second < again) continue;
    judge.taken({.epoch = Epoch{epoch}, .split = 0, .event_us = std::vector<TimeUs>{now}, .produce_us = std::vector<TimeUs>{now}, .now_us = now});
    judge.epoch_cut(Epoch{epoch}, now, now);
    judge.epoch_final(Epoch{epoch}, now);
    judge.epoch_visible(Epoch{epoch++}, now);
  }
  judge.advance(kStart + 600 * kSecond);
  EXPECT_EQ(judge.objectives()[0].window, (Counts{5, 5})) << "slices, not seconds";
}

TEST(OpenSlo, LongWindowsHaveTheFourBurnPairsUnlessTheFileSaysOtherwise) {
  const Objectives product = example("product");
  const Objective* month = product.find("processing-success-30d");
  ASSERT_NE(month, nullptr);
  std::vector<std::string> pairs;
  for (const BurnAlert& a : month->alerts) pairs.push_back(fmt::format("{} {:g} {} {}", a.severity, a.threshold, duration_text(a.long_window_us), duration_text(a.short_window_us)));
  EXPECT_EQ(pairs, (std::vector<std::string>{"page 14.4 1h 5m", "page 6 6h 30m", "ticket 3 1d 2h", "ticket 1 3d 6h"}));
  EXPECT_TRUE(product.find("end-to-end-latency")->alerts.empty());
  // 14.4 times the budget of 10 % is more than everything.
  Objective loose = *month;
  loose.target = 0.90;
  EXPECT_EQ(default_alerts(loose).size(), 3U);
  for (const Objective& o : example("flights").items) EXPECT_TRUE(o.alerts.empty()) << "its file says: none";
}

TEST(OpenSlo, TheOrdersExampleHoldsDocument001sFourObjectives) {
  const Objectives o = example("orders");
  std::vector<std::string> sentences;
  for (const Objective& x : o.items) {
    sentences.push_back(x.sentence());
    EXPECT_EQ(x.role, Role::kAdvising);
    EXPECT_EQ(x.alerts.size(), 4U);
    for (const BurnAlert& a : x.alerts) EXPECT_EQ(a.severity, "ticket");
  }
  EXPECT_EQ(sentences, (std::vector<std::string>{"95 % of records taken in less than 5 s after their event, over 30 d", "less than 0.1 % of results visible twice, over 30 d",
                                                 "less than 1 % of records behind the watermark, over 30 d", "less than 1 % of records dropped because their window had closed, over 30 d",
                                                 "95 % of epochs durable in under 10 s, over 30 d"}));
}

TEST(Feasibility, TenSecondCheckpointsAndAFiveSecondLatencyCannotBothHold) {
  Objectives both = example("product");
  for (const Objective& o : example("orders").items) both.items.push_back(o);
  const auto f = check_feasibility(both, {3 * kSecond, 0, 0, 0});
  EXPECT_TRUE(f.feasible());
  std::string text;
  for (const auto& finding : f.findings) if (finding.objective == "checkpoint-duration") text = finding.text;
  EXPECT_EQ(text, "epochs of 10 s, which it allows, and end-to-end-latency under 5 s cannot both hold: with them p95 is at least 19.5 s; end-to-end-latency allows epochs up to 2.564 s");
  EXPECT_FALSE(check_feasibility(both, {3 * kSecond, 10 * kSecond, 0, 0}).feasible());
  // Readers who wait for no epoch are told nothing of epochs.
  const auto as_written = check_feasibility(both, {.interval_us = kHour, .epoch_us = kMinute, .readable_as_written = true});
  EXPECT_TRUE(as_written.feasible());
  for (const auto& finding : as_written.findings) EXPECT_EQ(finding.kind, Feasibility::Finding::Kind::kFine) << finding.text;
  EXPECT_FALSE(check_feasibility(both, {.interval_us = kHour, .epoch_us = kMinute}).feasible());
  // The bound is exact: an epoch of that length is met, a little more is not.
  const Objective& latency = *both.find(Measure::kEndToEndLatency);
  const DurationUs most = largest_epoch(latency, {});
  EXPECT_LE(predicted_latency({0, most, 0, 0}, 0.95), 5 * kSecond);
  EXPECT_GT(predicted_latency({0, most + 10, 0, 0}, 0.95), 5 * kSecond);
}

TEST(Feasibility, SizesWhatIsAroundThePipelineByTheObjectivesOwnNumbers) {
  const auto s = size_for(example("product"), {3 * kSecond, 0, 0, kSecond}, {.records_per_s = 2000, .record_bytes = 1024, .member_records_per_s = 500, .partitions = 6, .repair_us = kHour});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->first, "processing-success");       // 30 s, and 0.1 % of 10 min
  EXPECT_EQ(s->tolerated_us, 30 * kSecond + 600 * kMillisecond);
  EXPECT_EQ(s->retention_us, s->tolerated_us + kHour);
  EXPECT_NEAR(*s->retention_bytes, 2000.0 * 1024 * 3630.6 / 6, 1);
  EXPECT_EQ(*s->fewest_members, 4U);
  EXPECT_EQ(*s->most_members, 6U);
  EXPECT_EQ(s->stall_us, 26 * kSecond);            // 30 s less 1 s bound and a whole interval
  EXPECT_EQ(*s->queue_records, 52'000);
  EXPECT_FALSE(size_for(example("orders"), {}, {}));
}

TEST(OpenSlo, TheExampleHoldsDocument000sThreeObjectives) {
  const Objectives product = example("product");
  const Objectives* o = &product;
  ASSERT_EQ(o->items.size(), 4U);
  EXPECT_EQ(o->items[0].sentence(), "95 % of records visible in under 5 s, counted from event time, over 10 min");
  EXPECT_EQ(o->items[1].sentence(), "newest visible event younger than 30 s in 99 % of the samples, over 10 min");
  EXPECT_EQ(o->items[2].sentence(), "99.9 % of records visible once within 30 s of its production, over 10 min");
  EXPECT_EQ(o->items[3].sentence(), "99.9 % of records visible once within 30 s of its production, over 30 d");
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
  EXPECT_EQ(show_duration(kDay), "1 d");
  EXPECT_EQ(show_duration(36 * kHour + 5 * kSecond), "36 h 0 min 5 s");
  EXPECT_EQ(show_duration(60 * kMinute + 31 * kSecond), "60 min 31 s");
  EXPECT_EQ(show_duration(kHour), "1 h");
  EXPECT_EQ(show_duration(150 * kMinute), "2 h 30 min");
  EXPECT_EQ(show_duration(3 * kDay + 4 * kHour), "3 d 4 h");
  EXPECT_EQ(show_duration(7 * kMinute + 30'500'000), "7 min 30.5 s");
  EXPECT_EQ(show_duration(90 * kSecond), "90 s");
  EXPECT_EQ(show_duration(-kMinute - 500'000), "-60.5 s");
  EXPECT_EQ(show_duration(0), "0 s");
  EXPECT_EQ(show_duration(2'500), "2.5 ms");
}

}  // namespace
}  // namespace supyo::slo
