#include <gtest/gtest.h>

#include "judge/slo/analytic_pipeline_test.h"

namespace supyo::slo {
namespace {

constexpr TimeUs kStart = 1'700'000'000 * kSecond;
constexpr TimeUs kStep = kStart + 5 * kMinute;

bool ever(const Judge& judge, std::string_view what) {
  return std::ranges::any_of(judge.timeline(), [&](const TimelineEvent& e) { return e.what.find(what) != std::string::npos; });
}

/// A pipeline with a judge that has a clock which nobody sets.
struct Watched {
  AnalyticPipeline p{.tps = 5};
  JudgeOptions options{.steady_us = [this] { return p.steady_us; }};
  std::unique_ptr<Judge> after(DurationUs time) {
    auto judge = std::make_unique<Judge>(document_000(), options);
    p.run(*judge, kStart, kStep + time);
    return judge;
  }
};

TEST(JudgeClock, SetForwardItIsNoStall) {
  for (const DurationUs by : {10 * kSecond, 5 * kMinute, kHour}) {
    Watched w;
    w.p.set_back_us = [&](TimeUs t) { return t >= kStep ? -by : 0; };
    EXPECT_EQ(w.after(-kSecond)->decision().state, State::kOk);
    const auto at_once = w.after(100 * kMillisecond);
    EXPECT_EQ(at_once->decision().state, State::kUnknown);
    ASSERT_EQ(at_once->decision().reasons.size(), 1U);
    EXPECT_NE(at_once->decision().reasons[0].find("the clock went forward by " + show_duration(by)), std::string::npos) << at_once->decision().reasons[0];
    const auto soon = w.after(50 * kSecond);
    EXPECT_EQ(soon->decision().state, State::kUnknown) << "less than a minute was seen by this clock";
    EXPECT_NE(soon->decision().reasons[0].find("judging begins anew"), std::string::npos) << soon->decision().reasons[0];
    const auto judge = w.after(5 * kMinute);
    EXPECT_EQ(judge->decision().state, State::kOk);
    EXPECT_FALSE(ever(*judge, "INCIDENT")) << by;
    EXPECT_TRUE(std::ranges::is_sorted(judge->series().times()));
    for (const ObjectiveStatus& s : judge->objectives()) {
      EXPECT_EQ(s.window.bad, 0U) << s.name << ": what was under way is no older for it";
      EXPECT_EQ(s.finished.bad, 0U) << s.name << ": Prometheus pages nobody either";
      EXPECT_GT(s.window.total(), 200U);
    }
  }
}

TEST(JudgeClock, SetForwardForAMinuteItIsNoStall) {
  Watched w;
  w.p.set_back_us = [](TimeUs t) { return t >= kStep && t < kStep + kMinute ? -10 * kMinute : 0; };
  for (const auto& [time, state] : {std::pair{30 * kSecond, State::kUnknown}, {65 * kSecond, State::kUnknown}, {2 * kMinute, State::kUnknown}, {4 * kMinute, State::kOk}, {12 * kMinute, State::kOk}}) {
    const auto judge = w.after(time);
    EXPECT_EQ(judge->decision().state, state) << time / kSecond;
    EXPECT_FALSE(ever(*judge, "INCIDENT"));
  }
}

TEST(JudgeClock, ReadersWhoWaitAreSeenByIt) {
  Watched w;
  w.p.set_back_us = [](TimeUs t) { return t >= kStep ? -kHour : 0; };
  w.p.commit_delay_us = [](TimeUs t) { return t >= kStep + kSecond ? 90 * kSecond : 0; };
  EXPECT_EQ(w.after(2 * kMinute)->decision().state, State::kIncident);
  // An INCIDENT stays one through the step.
  w.p.commit_delay_us = [](TimeUs t) { return t >= kStep - 2 * kMinute ? 90 * kSecond : 0; };
  for (const DurationUs time : {-kSecond, kSecond, 30 * kSecond, 2 * kMinute, 5 * kMinute}) EXPECT_EQ(w.after(time)->decision().state, State::kIncident) << time / kSecond;
}

TEST(JudgeClock, AProcessThatWasStoppedAndAMachineThatSleptAreStalls) {
  Watched w;
  Judge judge(document_000(), w.options);
  w.p.run(judge, kStart, kStep);
  ASSERT_EQ(judge.decision().state, State::kOk);
  w.p.steady_us += 10 * kMinute;
  judge.advance(kStep + 10 * kMinute);
  EXPECT_FALSE(ever(judge, "the clock went forward"));
  EXPECT_TRUE(std::ranges::any_of(judge.objectives(), [](const ObjectiveStatus& s) { return s.judged && s.breached; }));
}

TEST(JudgeClock, AThreadThatWasStoppedBringsAnOldTimeAndTheNextIsNoStep) {
  Watched w;
  w.p.tps = 20;
  w.p.set_back_us = [](TimeUs t) { return t == kStep ? 10 * kMinute : t == kStep + kSecond ? 4 * kSecond : 0; };
  const auto judge = w.after(30 * kSecond);
  EXPECT_EQ(judge->decision().state, State::kOk);
  EXPECT_FALSE(ever(*judge, "the clock went forward"));
}

TEST(JudgeClock, SetWrongItIsUnknownWhileRecordsComeAsOld) {
  Watched w;
  Judge judge(document_000(), w.options);
  w.p.run(judge, kStart, kStep);
  ASSERT_EQ(judge.decision().state, State::kOk);
  // This clock went, those of the producers did not.
  DurationUs wrong = kHour;
  std::int64_t epoch = 1'000;
  const auto go = [&](TimeUs from, TimeUs until) {
    for (; from < until; from += kSecond, ++epoch) {
      w.p.steady_us = from;
      const TimeUs now = from + wrong;
      const std::vector<TimeUs> at(100, from);
      judge.taken({.epoch = Epoch{epoch}, .split = 0, .event_us = at, .produce_us = at, .now_us = now});
      judge.epoch_cut(Epoch{epoch}, from, now);
      judge.epoch_final(Epoch{epoch}, now);
      judge.epoch_visible(Epoch{epoch}, now);
      judge.lags(0, 0, 0, false, now);
    }
  };
  go(kStep, kStep + 20 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kUnknown);
  EXPECT_NE(judge.decision().reasons[0].find("see which clock is wrong"), std::string::npos) << judge.decision().reasons[0];
  for (const ObjectiveStatus& s : judge.objectives()) EXPECT_EQ(s.finished.bad, 0U) << s.name << ": no page from Prometheus either";
  wrong = 0;   // put right
  go(kStep + 20 * kMinute, kStep + 23 * kMinute);
  EXPECT_EQ(judge.decision().state, State::kOk);
  EXPECT_FALSE(ever(judge, "INCIDENT"));
}

}  // namespace
}  // namespace supyo::slo
