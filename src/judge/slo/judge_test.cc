#include "judge/slo/judge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "judge/slo/analytic_pipeline_test.h"

namespace supyo::slo {
namespace {

/// Every record of a history, and the rules of the header written down as plainly as possible.
struct Oracle {
  struct Record {
    std::int64_t epoch;
    std::uint32_t split;
    TimeUs event, produce;
    TimeUs finished = kTimeMax;
  };
  std::vector<Record> records;
  std::map<std::int64_t, TimeUs> watermark;
  std::map<std::int64_t, std::pair<std::uint64_t, std::uint64_t>> behind_dead;  // by epoch
  std::vector<std::tuple<TimeUs, std::uint64_t, std::uint64_t, std::uint64_t>> visible;  // time, taken, behind, dead
  bool hold = false;
  TimeUs started = 0;
  std::vector<TimeUs> quiet_at;  // by split, kTimeMin: not quiet
  std::vector<std::pair<TimeUs, bool>> fresh_samples;

  void make_visible(std::int64_t epoch, TimeUs now) {
    std::uint64_t taken = 0, behind = 0, dead = 0;
    for (Record& r : records) {
      if (r.epoch <= epoch && r.finished == kTimeMax && (!hold || r.event <= watermark[epoch])) r.finished = now;
    }
    for (auto it = behind_dead.begin(); it != behind_dead.end() && it->first <= epoch; it = behind_dead.erase(it)) {
      behind += it->second.first;
      dead += it->second.second;
      for (const Record& r : records) taken += r.epoch == it->first ? 1 : 0;
    }
    visible.emplace_back(now, taken, behind, dead);
  }
  Counts latency(const Objective& o, TimeUs b) const {
    Counts c;
    for (const Record& r : records) {
      const TimeUs at = o.clock == LatencyClock::kEvent ? r.event : r.produce;
      if (r.finished < b && r.finished < b - o.window_us) continue;
      const DurationUs age = (r.finished < b ? r.finished : b) - at;
      (age < o.threshold_us ? c.good : c.bad) += 1;
    }
    if (o.measure == Measure::kProcessingSuccess) for (const auto& [t, n, late, dead] : visible) if (t < b && t >= b - o.window_us) c.bad += dead;
    return c;
  }
  Counts late(const Objective& o, TimeUs b) const {
    Counts c;
    for (const auto& [t, n, late, dead] : visible) if (t < b && t >= b - o.window_us) c += Counts{n - late, late};
    return c;
  }
  Counts freshness(const Objective& o, TimeUs b) {
    DurationUs worst = 0;
    for (std::uint32_t s = 0; s < quiet_at.size(); ++s) {
      TimeUs as_of = started;
      bool unfinished = false;
      for (const Record& r : records) {
        if (r.split != s) continue;
        if (r.finished < b) as_of = std::max(as_of, std::min(r.event, r.finished));
        else unfinished = true;
      }
      if (quiet_at[s] != kTimeMin && !unfinished) as_of = std::max(as_of, quiet_at[s]);
      worst = std::max(worst, b - as_of);
    }
    fresh_samples.emplace_back(b, worst < o.threshold_us);
    Counts c;
    for (const auto& [t, good] : fresh_samples) if (t > b - o.window_us) (good ? c.good : c.bad) += 1;
    return c;
  }
};

/// Faults that a careless judge could have; each must be found by the oracle.
enum class Plant { kNone, kIgnoresHold, kForgetsOneUnfinished, kWrongClock, kFinishesAtCut, kNoQuietRule, kIgnoresDead };

Objectives test_objectives() {
  Objectives o = document_000();
  o.items[0].window_us = 20 * kSecond;
  o.items[0].threshold_us = 3 * kSecond;
  o.items[1].window_us = 30 * kSecond;
  o.items[1].threshold_us = 4 * kSecond;
  o.items[2].window_us = 2 * kMinute;
  o.items[2].threshold_us = 6 * kSecond;
  Objective pipe = o.items[0];
  pipe.name = "pipeline-delay";
  pipe.clock = LatencyClock::kProduce;
  Objective late;
  late.name = "late";
  late.measure = Measure::kLateEventRate;
  late.window_us = 40 * kSecond;
  late.target = 0.99;
  o.items.push_back(pipe);
  o.items.push_back(late);
  return o;
}

/// Plays one random history; returns what differs first, or nothing.
std::string play(std::uint64_t seed, Plant plant) {
  std::mt19937_64 rng(seed);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(rng() % n); };
  const Objectives declared = test_objectives();
  Judge judge(declared, {.unknown_after_us = kHour});
  Oracle oracle;
  TimeUs now = 1'700'000'000 * kSecond + below(1'000'000);
  oracle.hold = below(2) == 0;
  oracle.started = now;
  const auto splits = static_cast<std::uint32_t>(1 + below(3));
  oracle.quiet_at.assign(splits, kTimeMin);
  judge.started({.holds_until_watermark = oracle.hold && plant != Plant::kIgnoresHold, .source_splits = splits}, now);
  std::int64_t filling = 1, in_flight = 0;
  TimeUs next_sample = (now / kSecond + 1) * kSecond;
  for (int step = 0; step < 600; ++step) {
    now += below(400) * kMillisecond + below(1000);
    if (below(40) == 0) now += below(8) * kSecond;
    while (next_sample <= now) {
      judge.advance(next_sample);
      const auto status = judge.objectives();
      for (std::size_t i = 0; i < declared.items.size(); ++i) {
        const Objective& o = declared.items[i];
        const Counts want = o.measure == Measure::kFreshness       ? oracle.freshness(o, next_sample)
                            : o.measure == Measure::kLateEventRate ? oracle.late(o, next_sample)
                                                                   : oracle.latency(o, next_sample);
        if (!(status[i].window == want)) {
          return fmt::format("seed {} step {}: {} has {}/{}, oracle {}/{}", seed, step, o.name, status[i].window.good, status[i].window.bad, want.good, want.bad);
        }
      }
      next_sample += kSecond;
    }
    const auto split = static_cast<std::uint32_t>(below(splits));
    const bool calm = step % 120 > 70;  // the source rests, all that is on its way arrives
    switch (calm ? 3 + below(3) : below(6)) {
      case 0:
      case 1:
      case 2: {
        std::vector<TimeUs> event, produce;
        for (std::int64_t i = below(12); i >= 0; --i) {
          produce.push_back(now - below(2'000'000));
          event.push_back(produce.back() - below(3'000'000) + 500'000);
          oracle.records.push_back({filling, split, event.back(), produce.back()});
        }
        const auto behind = static_cast<std::uint64_t>(below(2));
        const auto dead = static_cast<std::uint64_t>(below(8) == 0 ? 1 : 0);
        oracle.behind_dead[filling].first += behind;
        oracle.behind_dead[filling].second += dead;
        if (plant == Plant::kForgetsOneUnfinished && below(30) == 0) { event.pop_back(); produce.pop_back(); }
        if (plant == Plant::kWrongClock) std::swap(event, produce);
        judge.taken({Epoch{filling}, split, event, produce, behind, plant == Plant::kIgnoresDead ? 0 : dead, now});
        break;
      }
      case 3:
        if (in_flight != 0) break;
        oracle.watermark[filling] = calm ? now + kSecond : now - below(4'000'000);
        judge.epoch_cut(Epoch{filling}, oracle.watermark[filling], now);
        in_flight = filling++;
        if (plant == Plant::kFinishesAtCut) judge.epoch_visible(Epoch{in_flight}, now);
        break;
      case 4:
        if (in_flight == 0) break;
        if (below(3) != 0) { judge.epoch_final(Epoch{in_flight}, now); break; }
        oracle.make_visible(in_flight, now);
        if (plant != Plant::kFinishesAtCut) judge.epoch_visible(Epoch{in_flight}, now);
        in_flight = 0;
        break;
      default: {
        const bool quiet = below(2) == 0;
        oracle.quiet_at[split] = quiet ? now : kTimeMin;
        // All are polled together, as the coordinator does, so that no source is UNKNOWN.
        for (std::uint32_t s = 0; s < splits; ++s) {
          if (s != split) oracle.quiet_at[s] = kTimeMin;
          judge.lags(s, 5, 0, plant != Plant::kNoQuietRule && s == split && quiet, now);
        }
      }
    }
    if (step % 20 == 0) for (std::uint32_t s = 0; s < splits; ++s) { judge.lags(s, 5, 0, false, now); oracle.quiet_at[s] = kTimeMin; }
  }
  return {};
}

TEST(Judge, AgreesWithTheOracleOnRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) ASSERT_EQ(play(seed, Plant::kNone), "");
}

TEST(Judge, PlantedBugsBite) {
  for (const Plant plant : {Plant::kIgnoresHold, Plant::kForgetsOneUnfinished, Plant::kWrongClock, Plant::kFinishesAtCut, Plant::kNoQuietRule, Plant::kIgnoresDead}) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) found += play(seed, plant).empty() ? 0 : 1;
    EXPECT_GT(found, 0) << "plant " << static_cast<int>(plant);
  }
}

constexpr TimeUs kStart = 1'700'000'000 * kSecond;

double at(const Series& s, std::string_view column, TimeUs t) {
  const Column* c = s.find(column);
  for (std::size_t i = 0; i < s.times().size(); ++i) if (s.times()[i] >= t) return c->values[i];
  return std::nan("");
}

TEST(Judge, SlowCommitBreaksTheObjectiveAsPredictedWhileLagStaysFlat) {
  AnalyticPipeline p;
  p.tps = 200;
  const TimeUs fault = kStart + 12 * kMinute;
  p.commit_delay_us = [&](TimeUs t) { return t >= fault && t < fault + 12 * kMinute ? 2 * kSecond : 0; };
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 36 * kMinute);
  const Series s = judge.series();
  // Control: B + 0.95 I + D = 3.87 s; fault: 5.87 s, within the sketch's and the records' grain.
  EXPECT_NEAR(at(s, "e2e_p95", fault - 10 * kSecond), 3.87, 0.06);
  EXPECT_NEAR(at(s, "e2e_p95", fault + 5 * kMinute), 5.87, 0.08);
  EXPECT_NEAR(static_cast<double>(judge.latency_quantiles(fault + kMinute, fault + 11 * kMinute, {0.95})[0]) / 1e6, 5.87, 0.08);
  TimeUs broken = 0, met = 0;
  for (const TimelineEvent& e : judge.timeline()) {
    if (e.what == "objective end-to-end-latency broken") broken = e.t;
    if (e.what == "objective end-to-end-latency met again") met = e.t;
  }
  // 600 s x 5 % / the third of the records above 5 s: about 90 s, plus the first slow commit.
  EXPECT_NEAR(static_cast<double>(broken - fault) / 1e6, 95, 15);
  EXPECT_GT(met, fault + 12 * kMinute);
  double base = 0, during = 0;
  const Column* lag = s.find("lag_committed");
  for (std::size_t i = 0; i < s.times().size(); ++i) {
    double& most = s.times()[i] < fault ? base : during;
    if (!std::isnan(lag->values[i])) most = std::max(most, lag->values[i]);
  }
  EXPECT_LE(during, base + 1);
  const Waterfall w = judge.waterfall(fault + kMinute, fault + 11 * kMinute);
  const double n = static_cast<double>(w.records);
  EXPECT_NEAR(static_cast<double>(w.commit_us) / n / 1e6, 2.0, 0.01);
  EXPECT_NEAR(static_cast<double>(w.total_us()) / n / 1e6, 1 + 1.5 + 0.02 + 2, 0.05);
}

TEST(Judge, AStallIsSeenThoughNothingCompletes) {
  AnalyticPipeline p;
  const TimeUs fault = kStart + 12 * kMinute;
  p.commit_delay_us = [&](TimeUs t) { return t >= fault ? kHour : 0; };
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 14 * kMinute);
  const Decision d = judge.decision();
  EXPECT_EQ(d.state, State::kIncident);
  ASSERT_FALSE(d.reasons.empty());
  EXPECT_NE(d.reasons[0].find("end-to-end-latency"), std::string::npos) << d.reasons[0];
  EXPECT_NEAR(static_cast<double>(d.since_us - fault) / 1e6, 30, 5);  // 30 s of records are 5 % of ten minutes
  EXPECT_GT(judge.totals().unfinished, 15'000U);
}

TEST(Judge, UnknownIsNeverGood) {
  AnalyticPipeline p;
  Judge judge(document_000(), {});
  judge.started({.source_splits = 1}, kStart);
  judge.advance(kStart + 5 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kUnknown);
  p.run(judge, kStart + 5 * kSecond, kStart + 3 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kOk);
  judge.advance(kStart + 3 * kMinute + 20 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kUnknown);
}

TEST(Judge, ThatNothingComesFromAnotherPipelineIsGoodOnlyIfItHasReadAll) {
  enum class Upstream { kFinished, kBehind, kSilent };
  const TimeUs stop = kStart + 5 * kMinute;
  const auto after = [&](Upstream upstream, bool another) {
    auto judge = std::make_unique<Judge>(document_000(), JudgeOptions{.results_of_another = another});
    judge->started({.holds_until_watermark = false, .source_splits = 2}, kStart);
    std::int64_t epoch = 1;
    for (TimeUs t = kStart; t < stop + 3 * kMinute; t += kSecond, ++epoch) {
      const bool comes = t < stop;
      // Two partitions, of which one gets no results.
      if (comes) judge->taken({.epoch = Epoch{epoch}, .split = 0, .event_us = std::vector<TimeUs>(100, t), .produce_us = std::vector<TimeUs>(100, t), .now_us = t});
      judge->epoch_cut(Epoch{epoch}, t, t + 1);
      judge->epoch_final(Epoch{epoch}, t + 2);
      judge->epoch_visible(Epoch{epoch}, t + 3);
      for (const std::uint32_t split : {0U, 1U}) judge->lags(split, 0, 0, true, t + 4);
      if (upstream != Upstream::kSilent || comes) judge->upstream(!comes && upstream == Upstream::kFinished, t + 5);
      if (t == stop - kSecond) EXPECT_EQ(judge->decision().state, State::kOk) << "the partition that gets nothing is no harm";
    }
    return judge;
  };
  EXPECT_EQ(after(Upstream::kFinished, true)->decision().state, State::kOk) << "a quiet night";
  EXPECT_EQ(after(Upstream::kBehind, true)->decision().state, State::kIncident) << "it is dead";
  EXPECT_EQ(after(Upstream::kSilent, true)->decision().state, State::kUnknown) << "nobody can tell";
  EXPECT_EQ(after(Upstream::kBehind, false)->decision().state, State::kOk) << "what the job itself reads has come to its end: that is all there is";
}

TEST(Judge, ASourceThatNobodyAnswersForIsUnknown) {
  const TimeUs stop = kStart + 5 * kMinute;
  for (const auto& [time, state] : {std::pair{-kSecond, State::kOk}, {10 * kSecond, State::kOk}, {25 * kSecond, State::kUnknown}}) {
    Judge judge(document_000(), {});
    judge.started({.holds_until_watermark = false, .source_splits = 2}, kStart);
    std::int64_t epoch = 1;
    for (TimeUs t = kStart; t < stop + time; t += kSecond, ++epoch) {
      judge.taken({.epoch = Epoch{epoch}, .split = 0, .event_us = std::vector<TimeUs>(100, t), .produce_us = std::vector<TimeUs>(100, t), .now_us = t});
      judge.epoch_cut(Epoch{epoch}, t, t + 1);
      judge.epoch_final(Epoch{epoch}, t + 2);
      judge.epoch_visible(Epoch{epoch}, t + 3);
      judge.lags(0, 0, 0, true, t + 4);
      if (t < stop) judge.lags(1, 0, 0, true, t + 4);
    }
    EXPECT_EQ(judge.decision().state, state) << time / kSecond;
  }
}

TEST(Judge, AClockThatGoesBackIsNoGoodNews) {
  AnalyticPipeline p;
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 5 * kMinute);
  ASSERT_EQ(judge.decision().state, State::kOk);
  // Slewing is not going back.
  judge.advance(kStart + 5 * kMinute - 2 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kOk);
  judge.advance(kStart + 2 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kUnknown);
  ASSERT_EQ(judge.decision().reasons.size(), 1U);
  EXPECT_NE(judge.decision().reasons[0].find("the clock went back by"), std::string::npos) << judge.decision().reasons[0];
  judge.ended(kStart + 2 * kMinute + kSecond);
  for (const ObjectiveStatus& s : judge.objectives()) EXPECT_FALSE(s.judged) << "a job that ends meanwhile has met nothing";
  judge.advance(kStart + 2 * kMinute + 8 * kSecond);
  EXPECT_EQ(std::ranges::count_if(judge.timeline(), [](const TimelineEvent& e) { return e.what.starts_with("the clock went back"); }), 1);
  // Where it was: it goes on.
  judge.advance(kStart + 5 * kMinute + 2 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kOk);
}

TEST(Judge, AClockThatStaysBackIsGoneByAfterTenSeconds) {
  Objectives objectives = document_000();
  Objective month = objectives.items[2];
  month.name = "success-30d";
  month.window_us = 30 * kDay;
  objectives.items.push_back(month);
  // An hour and a half back: of two and a half, the first hour stays history, the rest comes again.
  AnalyticPipeline p{.tps = 20};
  const TimeUs step = kStart + 150 * kMinute;
  p.set_back_us = [&](TimeUs t) { return t >= step ? 90 * kMinute : 0; };
  const auto after = [&](DurationUs time) {
    auto judge = std::make_unique<Judge>(objectives, JudgeOptions{});
    p.run(*judge, kStart, step + time);
    return judge;
  };
  EXPECT_EQ(after(-kSecond)->decision().state, State::kOk);
  EXPECT_EQ(after(9 * kSecond)->decision().state, State::kUnknown);
  EXPECT_EQ(after(50 * kSecond)->decision().state, State::kUnknown) << "less than a minute was seen by this clock";
  const auto judge = after(5 * kMinute);
  EXPECT_EQ(judge->decision().state, State::kOk);
  EXPECT_EQ(judge->sampled_us(), step - 90 * kMinute + 5 * kMinute);
  EXPECT_TRUE(std::ranges::is_sorted(judge->series().times()));
  EXPECT_TRUE(std::ranges::is_sorted(judge->timeline(), {}, &TimelineEvent::t));
  EXPECT_EQ(std::ranges::count_if(judge->timeline(), [](const TimelineEvent& e) { return e.what.find("judging begins anew") != std::string::npos; }), 1);
  const std::vector<ObjectiveStatus> now = judge->objectives();
  EXPECT_NEAR(static_cast<double>(now[3].finished.total()), 20.0 * 155 * 60, 20.0 * 10) << "Prometheus' counters never go back";
  EXPECT_NEAR(static_cast<double>(now[3].window.total()), 20.0 * 65 * 60, 20.0 * 70) << "the hour before, and what came since";
  EXPECT_NEAR(static_cast<double>(now[0].window.total()), 20.0 * 5 * 60, 20.0 * 20) << "the ten minutes know nothing of the time that comes again";
  // Readers who wait are seen at once, by this clock.
  p.commit_delay_us = [&](TimeUs t) { return t >= step + 2 * kMinute ? 60 * kSecond : 0; };
  EXPECT_EQ(after(4 * kMinute)->decision().state, State::kIncident);
}

TEST(Judge, AnIncidentIsLeftAfterAStepOnceItsCauseIsGone) {
  const TimeUs step = kStart + 10 * kMinute;
  AnalyticPipeline p{.tps = 20};
  p.set_back_us = [&](TimeUs t) { return t >= step ? kHour : 0; };
  p.commit_delay_us = [&](TimeUs t) { return t >= kStart + 5 * kMinute && t < step - 90 * kSecond ? 60 * kSecond : 0; };
  for (const auto& [time, state] : {std::pair{-kSecond, State::kIncident}, {9 * kSecond, State::kIncident}, {50 * kSecond, State::kIncident}, {5 * kMinute, State::kOk}}) {
    Judge judge(document_000(), {});
    p.run(judge, kStart, step + time);
    EXPECT_EQ(judge.decision().state, state) << time / kSecond;
  }
}

TEST(Judge, AClockSetWrongIsUnknownWhileRecordsComeFromItsFuture) {
  Judge judge(document_000(), {});
  AnalyticPipeline p;
  p.run(judge, kStart, kStart + 5 * kMinute);
  ASSERT_EQ(judge.decision().state, State::kOk);
  DurationUs wrong = kHour;
  const auto go = [&](TimeUs from, TimeUs until) {
    judge.started({.holds_until_watermark = false, .source_splits = 1}, from);
    for (std::int64_t e = 1; from < until; from += kSecond, ++e) {
      const std::vector<TimeUs> at(100, from + wrong);
      judge.taken({.epoch = Epoch{e}, .split = 0, .event_us = at, .produce_us = at, .now_us = from});
      judge.epoch_cut(Epoch{e}, from + wrong, from);
      judge.epoch_final(Epoch{e}, from);
      judge.epoch_visible(Epoch{e}, from);
      judge.lags(0, 0, 0, true, from);
    }
    judge.advance(until);
  };
  const TimeUs back = kStart + 5 * kMinute - kHour;
  go(back, back + 5 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kUnknown) << "an age below nothing is no good news";
  ASSERT_FALSE(judge.decision().reasons.empty());
  EXPECT_NE(judge.decision().reasons[0].find("from its future"), std::string::npos) << judge.decision().reasons[0];
  wrong = 0;   // producers and this clock agree
  go(back + 5 * kMinute, back + 8 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kOk);
}

TEST(Judge, AThreadThatWasStoppedBringsAnOldTimeAndNothingIsForgotten) {
  AnalyticPipeline p{.tps = 20};
  const TimeUs stopped = kStart + 15 * kMinute;
  p.set_back_us = [&](TimeUs t) { return t == stopped ? 10 * kMinute : 0; };
  Judge judge(document_000(), {});
  p.run(judge, kStart, stopped + 30 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kOk);
  EXPECT_NEAR(static_cast<double>(judge.objectives()[0].window.total()), 20.0 * 600, 20.0 * 20);
}

TEST(Judge, AnIncidentStaysOneWhenTheClockGoesBack) {
  AnalyticPipeline p;
  const TimeUs fault = kStart + 5 * kMinute;
  p.commit_delay_us = [&](TimeUs t) { return t >= fault ? 60 * kSecond : 0; };
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 10 * kMinute);
  ASSERT_EQ(judge.decision().state, State::kIncident);
  const TimeUs since = judge.decision().since_us;
  judge.advance(kStart);
  EXPECT_EQ(judge.decision().state, State::kIncident);
  EXPECT_EQ(judge.decision().since_us, since);
  EXPECT_TRUE(std::ranges::any_of(judge.objectives(), [](const ObjectiveStatus& s) { return s.judged && s.breached; })) << "its page does not go away either";
}

TEST(Judge, HysteresisLeavesAStateOnlyAfterAMinuteWithoutItsCause) {
  AnalyticPipeline p;
  const TimeUs fault = kStart + 5 * kMinute;
  p.commit_delay_us = [&](TimeUs t) { return t >= fault && t < fault + 4 * kSecond ? 3 * kSecond : 0; };
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 12 * kMinute);
  std::vector<std::string> states;
  std::vector<TimeUs> times;
  for (const TimelineEvent& e : judge.timeline()) if (e.what.starts_with("state ")) { states.push_back(e.what); times.push_back(e.t); }
  ASSERT_EQ(states, (std::vector<std::string>{"state UNKNOWN -> OK", "state OK -> AT RISK", "state AT RISK -> OK"}));
  EXPECT_GE(times[2] - times[1], 2 * kMinute - 10 * kSecond);  // the minute that was bad, and the minute of hysteresis
}

TEST(Judge, LossIsAnIncidentAndKeepsCounting) {
  AnalyticPipeline p;
  Judge judge(document_000(), {});
  p.run(judge, kStart, kStart + 3 * kMinute);
  judge.count_lost(100, kStart + 3 * kMinute);
  judge.advance(kStart + 3 * kMinute + 2 * kSecond);
  EXPECT_EQ(judge.decision().state, State::kIncident);
  EXPECT_EQ(judge.objectives()[2].window.bad, 100U);
  EXPECT_EQ(judge.totals().lost, 100U);
}

TEST(Judge, ALateDroppedRecordIsBadOnce) {
  Judge judge(document_000(), {});
  const std::vector<TimeUs> times(10, kStart);
  judge.started({.holds_until_watermark = true, .source_splits = 1}, kStart);
  judge.taken({.epoch = Epoch{1}, .event_us = times, .produce_us = times, .behind = 2, .dead = 1, .now_us = kStart + 1});
  judge.dropped_late(Epoch{1}, 2, kStart + 2);
  judge.epoch_cut(Epoch{1}, kStart, kStart + 3);
  judge.epoch_final(Epoch{1}, kStart + 4);
  judge.epoch_visible(Epoch{1}, kStart + 5);
  judge.advance(kStart + kSecond);
  EXPECT_EQ(judge.objectives()[2].window, (Counts{8, 3}));
}

TEST(Judge, RestartContinuesTheCounters) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 rng(seed);
    Judge whole(test_objectives(), {}), first(test_objectives(), {}), second(test_objectives(), {});
    const VisibilityObserver::PipelineShape shape{.holds_until_watermark = rng() % 2 == 0, .source_splits = 1};
    TimeUs now = kStart;
    whole.started(shape, now);
    first.started(shape, now);
    const int crash_at = 5 + static_cast<int>(rng() % 40);
    Judge* live = &first;
    for (int epoch = 1; epoch < 60; ++epoch) {
      const auto take = [&](Judge& j, std::uint64_t n) {
        std::vector<TimeUs> t;
        for (std::uint64_t i = 0; i < n; ++i) t.push_back(now - static_cast<TimeUs>((i * 997) % 3'000'000));
        j.taken({.epoch = Epoch{epoch}, .event_us = t, .produce_us = t, .behind = n / 10, .dead = 1, .now_us = now});
      };
      now += 700 * kMillisecond;
      const std::uint64_t n = rng() % 50 + 1;
      take(whole, n);
      take(*live, n);
      now += 400 * kMillisecond;
      for (Judge* j : {&whole, live}) j->epoch_cut(Epoch{epoch}, now - kSecond, now);
      const std::string saved = live->save(Epoch{epoch});
      if (epoch == crash_at) {
        Epoch lost{epoch + 1};
        const std::vector<TimeUs> gone(7, now);
        live->taken({.epoch = lost, .event_us = gone, .produce_us = gone, .now_us = now});
        second.restore(saved);
        second.started(shape, now);
        live = &second;
      }
      now += 50 * kMillisecond;
      for (Judge* j : {&whole, live}) { j->epoch_final(Epoch{epoch}, now); j->epoch_visible(Epoch{epoch}, now); }
      const auto a = whole.objectives(), b = live->objectives();
      if (epoch == crash_at) continue;  // the next sample brings the new judge's view
      for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(a[i].window, b[i].window) << "seed " << seed << " epoch " << epoch << " objective " << a[i].name;
    }
    EXPECT_EQ(whole.totals().taken, second.totals().taken);
    EXPECT_EQ(whole.totals().finished, second.totals().finished);
    EXPECT_EQ(second.totals().restarts, 1U);
  }
}

TEST(Judge, DamagedSavedCountersAreLeftAside) {
  Judge judge(document_000(), {});
  AnalyticPipeline{}.run(judge, kStart, kStart + 30 * kSecond);
  const std::string saved = judge.save(Epoch{3});
  for (std::size_t n = 0; n < saved.size(); n += 7) {
    Judge other(document_000(), {});
    other.restore(std::string_view(saved).substr(0, n));
    EXPECT_EQ(other.totals().restarts, 0U);
  }
  Objectives edited = document_000();
  edited.items[0].threshold_us = kSecond;
  Judge other(edited, {});
  other.restore(saved);
  EXPECT_EQ(other.totals().taken, 0U);
}

TEST(Judge, FailingEpochsAreATicketThatSaysWhatToInspect) {
  Judge judge(document_000(), {});
  const TimeUs start = 1'700'000'000 * kSecond;
  judge.started({.source_splits = 1}, start);
  judge.epoch_failed(Epoch{1}, start + 10 * kSecond);
  judge.advance(start + 20 * kSecond);
  EXPECT_TRUE(judge.decision().tickets.empty()) << "one is no trend";
  judge.epoch_failed(Epoch{1}, start + 30 * kSecond);
  judge.advance(start + 40 * kSecond);
  ASSERT_EQ(judge.decision().tickets.size(), 1U);
  EXPECT_EQ(judge.decision().tickets[0].rule, "checkpoint-failures");
  EXPECT_EQ(judge.decision().tickets[0].next_step, "inspect the write path or the state");
  const auto opened = [&] { return std::ranges::count_if(judge.timeline(), [](const TimelineEvent& e) { return e.what.starts_with("ticket checkpoint-failures: 2 epochs failed"); }); };
  EXPECT_EQ(opened(), 1) << "told once, and kept";
  judge.advance(start + 15 * kMinute);
  EXPECT_TRUE(judge.decision().tickets.empty());
  EXPECT_EQ(opened(), 1);
}

TEST(Judge, AStalledSplitIsNamed) {
  Judge judge(document_000(), {});
  TimeUs now = 1'700'000'000 * kSecond;
  judge.started({.source_splits = 3}, now);
  for (std::int64_t e = 1; e <= 120; ++e) {
    for (const std::uint32_t s : {0U, 1U, 2U})
      if (s != 1 || e == 1) judge.taken({.epoch = Epoch{e}, .split = s, .event_us = std::vector{now}, .produce_us = std::vector{now}, .now_us = now});
    judge.epoch_cut(Epoch{e}, now, now);
    judge.epoch_final(Epoch{e}, now);
    judge.epoch_visible(Epoch{e}, now);
    now += kSecond;
  }
  judge.advance(now);
  const std::vector<double> ages = judge.freshness().by_split_s;
  ASSERT_EQ(ages.size(), 3U);
  EXPECT_EQ(ages[1], 120);
  EXPECT_LT(ages[0], 3);
  EXPECT_EQ(judge.freshness().proved_s, 120) << "a stalled split does not hide behind lively ones";
  EXPECT_EQ(judge.decision().state, State::kIncident);
  EXPECT_TRUE(std::ranges::any_of(judge.decision().reasons, [](const std::string& r) { return r.ends_with("; 1 of 3 source splits now over 30 s, the oldest is number 1 with 2 min"); })) << judge.decision().reasons[0];
}

TEST(Judge, WhatTheLastSecondOfAJobBroughtIsJudgedToo) {
  Judge judge(document_000(), {});
  const TimeUs start = 1'700'000'000 * kSecond, end = start + 300 * kMillisecond;
  judge.started({.source_splits = 1}, start);
  judge.taken({.epoch = Epoch{1}, .event_us = std::vector{start}, .produce_us = std::vector{start}, .now_us = start});
  judge.epoch_cut(Epoch{1}, start, end);
  judge.epoch_final(Epoch{1}, end);
  judge.epoch_visible(Epoch{1}, end);
  judge.advance(end);
  EXPECT_EQ(judge.objectives()[0].window.total(), 0U);
  judge.ended(end);
  EXPECT_EQ(judge.objectives()[0].window, (Counts{1, 0}));
}

TEST(Judge, FoldedRecordsNeverLookYounger) {
  PendingRecords p;
  std::vector<TimeUs> t(4096);
  for (std::uint64_t i = 0; p.records() < PendingRecords::kExactRecords + 50'000; ++i) {
    for (std::size_t k = 0; k < t.size(); ++k) t[k] = static_cast<TimeUs>(i * 1000 + k % 7);
    p.add(Epoch{1}, 0, t, t, 0);
  }
  EXPECT_GT(p.folded(), 0U);
  EXPECT_EQ(p.at_or_before(kTimeMax, false), p.records());
  EXPECT_GE(p.at_or_before(500'000, false), std::uint64_t{500} * 4096);
  std::uint64_t out = 0;
  p.finish(Epoch{1}, true, 999'999, [&](const PendingRecords::Chunk&, const PendingRecords::Rows& rows) { out += rows.records; });
  EXPECT_EQ(out + p.records(), p.at_or_before(kTimeMax, false) + out);
  EXPECT_GT(out, std::uint64_t{999} * 4096);
}

}  // namespace
}  // namespace supyo::slo
