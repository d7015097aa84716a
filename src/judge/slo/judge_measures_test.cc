#include <gtest/gtest.h>

#include "judge/slo/analytic_pipeline_test.h"
#include "judge/slo/judge.h"

/// The measures beside latency, freshness and success, the alerts that wait, and what Prometheus is told.
namespace supyo::slo {
namespace {

constexpr TimeUs kStart = 1'700'000'000 * kSecond;

Objective objective(Measure measure, double target, DurationUs threshold = 0) {
  Objective o;
  o.name = std::string(measure_name(measure));
  o.measure = measure;
  o.role = can_decide(measure) ? Role::kDeciding : Role::kAdvising;
  o.target = target;
  o.threshold_us = threshold;
  o.window_us = 10 * kMinute;
  return o;
}

/// A judge of one objective, and epochs that take what a test gives them.
struct One {
  explicit One(Objective o) : judge({.items = {std::move(o)}, .targets = {}, .file = {}}, {.unknown_after_us = kHour}) { judge.started({.source_splits = 1}, now); }

  void take(std::int64_t epoch, const std::vector<TimeUs>& event, std::uint64_t late = 0) {
    judge.taken({.epoch = Epoch{epoch}, .event_us = event, .produce_us = event, .now_us = now});
    if (late > 0) judge.dropped_late(Epoch{epoch}, late, now);
  }
  void cut(std::int64_t epoch) { judge.epoch_cut(Epoch{epoch}, kTimeMin, now); }
  void commit(std::int64_t epoch) {
    judge.epoch_final(Epoch{epoch}, now);
    judge.epoch_visible(Epoch{epoch}, now);
  }
  Counts window() {
    judge.advance(now = (now / kSecond + 1) * kSecond);
    return judge.objectives()[0].window;
  }

  TimeUs now = kStart;
  Judge judge;
};

TEST(Measures, StreamLagIsTakenInLessEventAndCountsBeforeAnythingIsVisible) {
  One one(objective(Measure::kStreamLag, 0.95, 5 * kSecond));
  one.take(1, {one.now, one.now - 4'999'999, one.now - 5 * kSecond, one.now - kHour});
  EXPECT_EQ(one.window(), (Counts{2, 2}));
  const auto quantiles = one.judge.stream_lag_quantiles(one.now - kMinute, one.now, {0.01, 0.99});
  EXPECT_LT(quantiles[0], kMillisecond);
  EXPECT_NEAR(static_cast<double>(quantiles[1]), static_cast<double>(kHour), 0.01 * static_cast<double>(kHour));
  one.now += 30 * kSecond;  // a slow sink is not the receive side's fault
  one.cut(1);
  one.commit(1);
  EXPECT_EQ(one.window(), (Counts{2, 2}));
  one.now += 11 * kMinute;
  EXPECT_EQ(one.window(), (Counts{0, 0}));
}

TEST(Measures, WhatARestartTakesAgainIsCountedOnce) {
  One one(objective(Measure::kStreamLag, 0.95, 5 * kSecond));
  one.take(1, {one.now - kHour});
  one.cut(1);
  one.commit(1);
  one.take(2, {one.now, one.now});
  one.judge.started({.source_splits = 1}, one.now);
  EXPECT_EQ(one.window(), (Counts{0, 1}));
  one.take(2, {one.now, one.now});
  EXPECT_EQ(one.window(), (Counts{2, 1}));
}

TEST(Measures, WindowLateRateCountsDroppedRecordsAtMostOnceEach) {
  One one(objective(Measure::kWindowLateRate, 0.99));
  one.take(1, std::vector<TimeUs>(10, one.now), 3);
  one.take(2, std::vector<TimeUs>(2, one.now), 7);  // of overlapping windows each
  for (const std::int64_t epoch : {1, 2}) {
    one.cut(epoch);
    one.commit(epoch);
  }
  EXPECT_EQ(one.window(), (Counts{7, 5}));
}

TEST(Measures, DuplicatesAreIdentitiesThatWereVisibleBefore) {
  Objective o = objective(Measure::kDuplicateRate, 0.999);
  o.identity = {"id"};
  One one(o);
  EXPECT_FALSE(one.judge.objectives()[0].judged);
  const std::vector<std::uint64_t> first{1, 2, 3}, again{3, 4, 4}, lost{9, 10};
  one.judge.sink_identities(Epoch{1}, first);
  one.cut(1);
  one.commit(1);
  one.judge.sink_identities(Epoch{2}, again);
  EXPECT_EQ(one.window(), (Counts{3, 0})) << "not visible yet";
  one.cut(2);
  one.commit(2);
  EXPECT_EQ(one.window(), (Counts{4, 2}));
  EXPECT_EQ(one.judge.totals().duplicates, 2U);
  // A restart gives the rows of the epoch that was under way again: no repeat, the first were never visible.
  one.judge.sink_identities(Epoch{3}, lost);
  one.judge.started({.source_splits = 1}, one.now);
  one.judge.sink_identities(Epoch{3}, lost);
  one.cut(3);
  one.commit(3);
  EXPECT_EQ(one.window(), (Counts{6, 2}));
  one.judge.count_duplicates(5, one.now);
  EXPECT_EQ(one.window(), (Counts{6, 7})) << "a reader found them";
}

TEST(Measures, AFailedAndAnOverdueEpochAreBadCheckpoints) {
  One one(objective(Measure::kCheckpointDuration, 0.95, 10 * kSecond));
  one.cut(1);
  one.now += 8 * kSecond;
  EXPECT_EQ(one.window(), (Counts{0, 0}));
  EXPECT_EQ(one.window(), (Counts{0, 1})) << "10 s and not durable yet";
  one.commit(1);
  EXPECT_EQ(one.window(), (Counts{0, 1})) << "counted once";
  one.cut(2);
  one.commit(2);
  one.judge.epoch_failed(Epoch{3}, one.now);
  EXPECT_EQ(one.window(), (Counts{1, 2}));
}

TEST(Alerts, WaitForTheirHold) {
  Objectives o = document_000();
  o.items.resize(1);
  o.items[0].alerts = {{.name = "held", .severity = "page", .threshold = 2, .long_window_us = 2 * kMinute, .short_window_us = kMinute, .hold_us = 3 * kMinute, .targets = {}, .position = {}}};
  Judge judge(o, {});
  judge.started({.source_splits = 1}, kStart);
  const TimeUs fault = kStart + 10 * kMinute, over = fault + 6 * kMinute;
  std::vector<TimeUs> changes;   // of the alert
  bool firing = false;
  for (std::int64_t second = 1; second < 25 * 60; ++second) {
    const TimeUs now = kStart + second * kSecond + 1;
    const std::vector<TimeUs> times(10, now >= fault && now < over ? now - 8 * kSecond : now);
    judge.taken({.epoch = Epoch{second}, .event_us = times, .produce_us = times, .now_us = now});
    judge.epoch_cut(Epoch{second}, now, now);
    judge.epoch_final(Epoch{second}, now);
    judge.epoch_visible(Epoch{second}, now);
    if (firing == judge.objectives()[0].alerts.empty()) {
      firing = !firing;
      changes.push_back(now);
    }
  }
  // Burning at 2 means 10 % bad: over two minutes that is after 12 s, then the hold; good again, the short window has less than 10 % after 54 s.
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_NEAR(static_cast<double>(changes[0] - fault) / kSecond, 12 + 180, 2);
  EXPECT_NEAR(static_cast<double>(changes[1] - over) / kSecond, 54, 2);
}

TEST(Exported, CountersNeverGoBackAndStartAtZeroInANewProcess) {
  Objectives o = document_000();
  o.items.resize(1);
  const auto visible = [](Judge& judge, std::int64_t epoch, std::uint64_t records, TimeUs now) {
    const std::vector<TimeUs> times(records, now);
    judge.taken({.epoch = Epoch{epoch}, .event_us = times, .produce_us = times, .now_us = now});
    judge.epoch_cut(Epoch{epoch}, now, now);
    const std::string saved = judge.save();
    judge.epoch_final(Epoch{epoch}, now);
    judge.epoch_visible(Epoch{epoch}, now);
    judge.advance(now + kSecond);
    return saved;
  };
  Judge judge(o, {});
  judge.started({.source_splits = 1}, kStart);
  (void)visible(judge, 1, 100, kStart + kSecond);
  const std::string saved = visible(judge, 2, 10, kStart + 3 * kSecond);
  (void)visible(judge, 3, 1000, kStart + 5 * kSecond);
  EXPECT_EQ(judge.objectives()[0].finished.total(), 1110U);
  judge.restore(saved);  // inside the process: back to the cut of epoch 2
  judge.started({.source_splits = 1}, kStart + 7 * kSecond);
  judge.advance(kStart + 8 * kSecond);
  EXPECT_EQ(judge.objectives()[0].finished.total(), 1110U);
  judge.epoch_visible(Epoch{2}, kStart + 9 * kSecond);
  judge.advance(kStart + 10 * kSecond);
  EXPECT_EQ(judge.objectives()[0].finished.total(), 1120U);
  EXPECT_EQ(judge.objectives()[0].window.total(), 110U) << "the judge itself counts once";
  Judge fresh(o, {});
  fresh.restore(saved);
  fresh.started({.source_splits = 1}, kStart + 20 * kSecond);
  fresh.advance(kStart + 21 * kSecond);
  EXPECT_EQ(fresh.objectives()[0].finished.total(), 0U);
  EXPECT_EQ(fresh.objectives()[0].unfinished.total(), 10U);
}

}  // namespace
}  // namespace supyo::slo
