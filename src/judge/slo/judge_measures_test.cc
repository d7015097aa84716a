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

TEST(Judge, AtRiskAndATicketSayWhichObjectiveAndByHowMuch) {
  Objectives objectives = document_000();
  objectives.items[0].window_us = kHour;
  objectives.items[0].alerts = {{.name = "slow", .severity = "ticket", .threshold = 1, .long_window_us = 4 * kMinute, .short_window_us = kMinute}};
  AnalyticPipeline p{.tps = 20};
  p.commit_delay_us = [](TimeUs t) { return t >= kStart + 40 * kMinute && t < kStart + 40 * kMinute + 20 * kSecond ? 9 * kSecond : 0; };
  Judge judge(objectives, {});
  p.run(judge, kStart, kStart + 41 * kMinute);
  const Decision d = judge.decision();
  EXPECT_EQ(d.state, State::kAtRisk);
  ASSERT_FALSE(d.reasons.empty());
  EXPECT_TRUE(d.reasons[0].starts_with("end-to-end-latency: ") && d.reasons[0].ends_with(" records good in the last 60 s, 95 % needed")) << d.reasons[0];
  ASSERT_EQ(d.tickets.size(), 1U);
  EXPECT_TRUE(d.tickets[0].evidence.starts_with("burn alert slow: the error budget is spent ") && d.tickets[0].evidence.ends_with(" (alert at 1); 79 % of it left")) << d.tickets[0].evidence;
}

TEST(Judge, RecordsThatTheSourcePassedOverAreLostEachOfThem) {
  AnalyticPipeline p;
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 3 * kMinute);
  ASSERT_EQ(judge.decision().state, State::kOk);
  const TimeUs now = kStart + 3 * kMinute;
  judge.taken({.epoch = Epoch{1'000}, .split = 0, .event_us = {}, .produce_us = {}, .now_us = now, .lost = 5'000});
  judge.advance(now + 2 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kIncident);
  EXPECT_EQ(judge.totals().lost, 5'000U);
  EXPECT_EQ(judge.objectives()[2].window.bad, 5'000U) << "each of them is missing";
}

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

// ---- sinks in no transaction ---------------------------------------------------------------------------------------------------------

/// Readers of such sinks do not wait for epochs: here none ever becomes final.
struct AsWritten {
  AsWritten(std::uint32_t writers, bool hold, Measure measure = Measure::kEndToEndLatency) : judge({.items = {objective(measure, 0.95, 5 * kSecond)}, .targets = {}, .file = {}}, {}), shape{hold, 1, writers} {
    judge.started(shape, now);
  }
  void take(std::int64_t epoch, std::uint64_t records, DurationUs age = 0) {
    const std::vector<TimeUs> times(records, now - age);
    judge.taken({.epoch = Epoch{epoch}, .event_us = times, .produce_us = times, .now_us = now});
    judge.lags(0, records, 0, false, now);
  }
  Counts window() {
    judge.advance(now = (now / kSecond + 1) * kSecond);
    return judge.objectives()[0].window;
  }

  TimeUs now = kStart;
  Judge judge;
  VisibilityObserver::PipelineShape shape;
};

TEST(AsWritten, ReadersDoNotWaitForEpochs) {
  AsWritten run(1, false);
  for (int second = 0; second < 120; ++second, run.now += kSecond) {
    run.take(1, 10);
    run.judge.written(0, run.now, kTimeMin, run.now);
  }
  EXPECT_EQ(run.judge.decision().state, State::kOk);
  EXPECT_EQ(run.window(), (Counts{1200, 0}));
  EXPECT_LE(run.judge.freshness().proved_s.value_or(99), 2);
  // A writer that is stuck is one that readers wait for.
  for (int second = 0; second < 30; ++second, run.now += kSecond) run.take(1, 10);
  EXPECT_EQ(run.judge.decision().state, State::kIncident);
}

TEST(AsWritten, TheLastWriterCounts) {
  AsWritten run(2, false);
  run.take(1, 10, 4 * kSecond);
  run.judge.written(0, run.now, kTimeMin, run.now);
  run.now += 2 * kSecond;
  EXPECT_EQ(run.window(), (Counts{0, 10}));
  run.take(1, 7);   // the other has not come to these
  run.judge.written(1, run.now - kSecond, kTimeMin, run.now);
  EXPECT_EQ(run.judge.totals().unfinished, 7U);
  run.judge.written(1, run.now, kTimeMin, run.now);
  EXPECT_EQ(run.judge.totals().unfinished, 7U) << "the first has not";
  run.judge.written(0, run.now, kTimeMin, run.now);
  EXPECT_EQ(run.judge.totals().unfinished, 0U);
}

TEST(AsWritten, WhatIsHeldWaitsForTheWatermarkThere) {
  AsWritten run(1, true);
  run.take(1, 10);
  run.judge.written(0, run.now, kStart - 1, run.now);
  EXPECT_EQ(run.judge.totals().unfinished, 10U);
  run.judge.written(0, run.now, kStart, run.now);
  EXPECT_EQ(run.judge.totals().unfinished, 0U);
}

TEST(AsWritten, WhatComesAgainAfterARestartIsNoNewsToReaders) {
  AsWritten run(1, false);
  run.take(1, 100);
  run.judge.written(0, run.now, kTimeMin, run.now);
  run.now += kMinute;
  for (int restart = 0; restart < 2; ++restart) {   // the second comes before all was read again
    run.judge.started(run.shape, run.now);
    run.take(1, restart == 0 ? 60 : 100, kMinute);
    run.judge.written(0, run.now, kTimeMin, run.now);
  }
  run.take(1, 5, kMinute);   // these are new
  run.judge.written(0, run.now, kTimeMin, run.now);
  EXPECT_EQ(run.window(), (Counts{100, 5}));
}

/// After a kill the counters go on from what was saved last: of the epoch's record, or of a moment since.
TEST(AsWritten, WhatReadersHadBeforeAKillIsNoNewsToThemEither) {
  for (const bool since : {false, true}) {
    AsWritten run(1, false), after(1, false);
    run.take(1, 100);
    run.judge.epoch_cut(Epoch{1}, kTimeMin, run.now);
    std::string saved = run.judge.save(Epoch{1});   // all sinks have prepared the epoch, though nobody said that its rows are written
    run.judge.written(0, run.now, kTimeMin, run.now);
    run.take(2, 60);
    run.judge.written(0, run.now, kTimeMin, run.now);
    run.take(2, 40);   // on their way when it was killed
    if (since) {
      run.judge.epoch_final(Epoch{1}, run.now);
      run.judge.epoch_visible(Epoch{1}, run.now);
      saved = run.judge.save(Epoch{1});
    }
    after.judge.restore(saved);
    after.now += kMinute;
    after.judge.started(after.shape, after.now);
    after.judge.epoch_final(Epoch{1}, after.now);
    after.judge.epoch_visible(Epoch{1}, after.now);
    after.take(2, 100, kMinute);
    after.judge.written(0, after.now, kTimeMin, after.now);
    // What the record of the epoch cannot know is taken for what it may be: news, a minute old.
    EXPECT_EQ(after.window(), since ? (Counts{160, 40}) : (Counts{100, 100})) << since;
    EXPECT_EQ(after.judge.totals().finished, 200U);
  }
}

/// The same of rows of results, by the sink that they are written to.
TEST(AsWritten, ResultsThatReadersHadAreNoNewsAfterARestartOrAKill) {
  Objective o = objective(Measure::kEndToEndLatency, 0.95, 5 * kSecond);
  o.reference = Reference::kCompletion;
  const Objectives all{.items = {o}, .targets = {}, .file = {}};
  TimeUs now = kStart;
  const VisibilityObserver::PipelineShape shape{false, 1, 1};
  const auto give = [&](Judge& judge, std::string_view sink, std::size_t rows, DurationUs age) {
    const std::vector<TimeUs> times(rows, now - age);
    judge.sink_rows(Epoch{2}, sink, times, times, now);
  };
  const auto window = [&](Judge& judge) {
    judge.advance(now = (now / kSecond + 1) * kSecond);
    return judge.objectives()[0].window;
  };
  Judge judge(all, {});
  judge.started(shape, now);
  give(judge, "b", 30, 0);
  give(judge, "a", 10, 0);
  EXPECT_EQ(window(judge), (Counts{40, 0}));
  now += kMinute;
  judge.started(shape, now);   // inside the process
  give(judge, "b", 20, kMinute);
  EXPECT_EQ(window(judge), (Counts{40, 0}));
  Judge after(all, {});
  after.restore(judge.save(Epoch{1}));
  now += kMinute;
  after.started(shape, now);
  give(after, "a", 12, 2 * kMinute);
  give(after, "b", 30, 2 * kMinute);
  EXPECT_EQ(window(after), (Counts{40, 2})) << "two are new";
}

// ---- what was not even read ----------------------------------------------------------------------------------------------------------

TEST(Unread, RecordsThatTheLogHasCountAtTheirAge) {
  One one(objective(Measure::kEndToEndLatency, 0.95, 5 * kSecond));
  TimeUs& now = one.now;
  std::int64_t epoch = 0;
  const auto second = [&](std::uint64_t read, std::uint64_t unread) {
    one.take(++epoch, std::vector<TimeUs>(read, now));
    one.cut(epoch);
    one.commit(epoch);
    one.judge.lags(0, unread, unread, false, now);
    one.judge.advance(now += kSecond);
  };
  for (int i = 0; i < 120; ++i) second(10, 3);   // three are always on their way: that is no backlog
  EXPECT_EQ(one.window().bad, 0U);
  const TimeUs stuck = now;
  std::uint64_t unread = 0;
  while (one.judge.decision().state != State::kIncident && now < stuck + 5 * kMinute) second(0, unread += 10);
  // 5 % of 1,200 and more in the window, of which none is read, take some seconds beyond the five.
  EXPECT_NEAR(static_cast<double>(now - stuck) / kSecond, 5 + 7, 2);
  const Counts waiting = one.judge.objectives()[0].unfinished;
  EXPECT_EQ(waiting.total(), unread);
  second(unread, 0);   // all of it is read now, and counted by its own times
  EXPECT_EQ(one.judge.objectives()[0].unfinished.total(), 0U);
}

TEST(Unread, GapsInTheOffsetsAreNoRecords) {
  One one(objective(Measure::kEndToEndLatency, 0.95, 5 * kSecond));
  for (std::int64_t epoch = 1; epoch < 120; ++epoch, one.now += kSecond) {
    one.judge.lags(0, 0, epoch == 60 ? 1'000'000 : 0, false, one.now);   // a compacted log: a million offsets, ten records
    one.take(epoch, std::vector<TimeUs>(10, one.now));
    one.cut(epoch);
    one.commit(epoch);
  }
  EXPECT_EQ(one.window().bad, 0U);
}

TEST(Unread, AJobThatIsGoneKeepsItsReadersWaiting) {
  One one(objective(Measure::kEndToEndLatency, 0.95, 5 * kSecond));
  for (std::int64_t epoch = 1; epoch <= 120; ++epoch, one.now += kSecond) {
    one.judge.lags(0, 0, 0, false, one.now);
    one.take(epoch, std::vector<TimeUs>(10, one.now));
    one.cut(epoch);
    if (epoch < 119) one.commit(epoch);
  }
  one.judge.stopped(one.now);   // twenty records were read in vain
  const TimeUs gone = one.now;
  for (std::uint64_t lag = 20; one.judge.decision().state != State::kIncident && one.now < gone + 5 * kMinute; lag += 10) {
    one.judge.lags(0, lag, lag, false, one.now);
    EXPECT_EQ(one.judge.totals().unfinished, 0U);
    one.judge.advance(one.now += kSecond);
  }
  EXPECT_NEAR(static_cast<double>(one.now - gone) / kSecond, 5 + 7, 3);
}

TEST(ResultFreshness, IsTheAgeOfTheNewestResultAndNotOfTheNewestRecord) {
  Objective o = objective(Measure::kFreshness, 0.99, 150 * kSecond);
  o.reference = Reference::kCompletion;
  o.window_us = kMinute;
  One one(o);
  std::int64_t epoch = 0;
  TimeUs last_end = 0;
  const auto second = [&](bool window_ends) {
    one.take(++epoch, {one.now});
    if (window_ends) last_end = one.now / kMinute * kMinute;
    const std::vector<TimeUs> ends{last_end};
    if (window_ends) one.judge.sink_rows(Epoch{epoch}, "minutes", ends, ends, one.now);
    one.judge.lags(0, 0, 0, false, one.now);
    one.cut(epoch);
    one.commit(epoch);
    one.judge.advance(one.now += kSecond);
  };
  for (int i = 0; i < 300; ++i) second(i % 60 == 0);
  EXPECT_EQ(one.judge.objectives()[0].window.bad, 0U);
  while (one.judge.decision().state != State::kIncident && one.now < last_end + kHour) second(false);   // records come and are visible, windows are not
  EXPECT_NEAR(static_cast<double>(one.now - last_end) / kSecond, 150, 2);
  // Nothing to read, and nothing on its way: a night.
  One night(o);
  for (int i = 0; i < 600; ++i, night.now += kSecond) night.judge.lags(0, 0, 0, true, night.now);
  EXPECT_EQ(night.window().bad, 0U);
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
    const std::string saved = judge.save(Epoch{epoch});
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
