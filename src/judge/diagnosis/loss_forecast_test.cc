#include "judge/diagnosis/loss_forecast.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

namespace supyo::diagnosis {
namespace {

constexpr TimeUs kStart = 1'700'000'000LL * kSecond;

/// A partition at constant rates, seen every 15 s for 20 minutes; where it is at the last look.
struct Steady {
  double append = 1000, read = 400;
  std::int64_t lag = 100'000, headroom = 1'000'000, bytes = 100;
  Retention retention = {.known = true, .retention_ms = -1};
  bool sizes = true;
};

LossForecast forecast(const Steady& s) {
  Trail trail;
  constexpr int kLooks = 80;
  TimeUs now = kStart;
  std::int64_t end = 0, committed = 0;
  for (int i = 0; i <= kLooks; ++i) {
    now = kStart + i * 15 * kSecond;
    const double back = (kLooks - i) * 15.0;
    committed = 10'000'000 - static_cast<std::int64_t>(s.read * back);
    end = 10'000'000 + s.lag - static_cast<std::int64_t>(s.append * back);
    const std::int64_t start = 10'000'000 - s.headroom;
    trail.add({.at = now, .log_start = start, .end = end, .committed = committed, .bytes = s.sizes ? (end - start) * s.bytes : -1});
  }
  std::vector<TimeMark> marks;
  const double first = static_cast<double>(s.lag + s.headroom) / s.append;
  for (double back = first; back >= 0; back -= first / 40) marks.push_back({end - static_cast<std::int64_t>(back * s.append), now - static_cast<DurationUs>(back * kSecond)});
  return forecast_loss({.trail = trail, .retention = s.retention, .marks = marks, .pass_at = kStart});
}

double seconds_to(std::optional<TimeUs> at) { return static_cast<double>(at.value() - (kStart + 80 * 15 * kSecond)) / kSecond; }

TEST(LossForecast, BySizeOfAStoppedConsumer) {
  Steady s{.read = 0, .lag = 400'000};
  s.retention.retention_bytes = 100'000'000;   // a million records
  s.retention.segment_bytes = 1'000'000;       // ten thousand
  s.retention.check_interval_ms = 1'000;
  const LossForecast f = forecast(s);
  EXPECT_EQ(f.state, LossState::kComing);
  EXPECT_EQ(f.cause, LossCause::kSizeExpiry);
  // A million behind the record: 600,000 more at 1,000/s; then at the end of its segment, ten seconds of records long.
  EXPECT_NEAR(seconds_to(f.moving->mid), 605, 10);
  EXPECT_NEAR(seconds_to(f.moving->low), 600 / 1.02, 2);
  EXPECT_GE(seconds_to(f.moving->high), 610);
  EXPECT_EQ(f.moving->mid, f.stopped->mid);
  EXPECT_TRUE(f.warns(kStart + 80 * 15 * kSecond, 10 * kMinute));
  EXPECT_FALSE(f.warns(kStart + 80 * 15 * kSecond, 9 * kMinute));
}

TEST(LossForecast, ByTimeOfAStoppedConsumer) {
  Steady s{.read = 0, .lag = 600'000};         // the first unread record is ten minutes old
  s.retention.retention_ms = 1'800'000;
  s.retention.segment_ms = 60'000;
  s.retention.check_interval_ms = 1'000;
  const LossForecast f = forecast(s);
  EXPECT_EQ(f.cause, LossCause::kTimeExpiry);
  EXPECT_NEAR(seconds_to(f.moving->mid), 1230, 32);
  EXPECT_LE(seconds_to(f.moving->low), 1201);
  EXPECT_GE(seconds_to(f.moving->high), 1260);
}

TEST(LossForecast, TheMeetingOfASlowConsumer) {
  Steady s{.append = 2000, .read = 500, .lag = 10'000};
  s.retention.retention_bytes = 100'000'000;
  s.retention.segment_bytes = 1'000'000;
  s.retention.check_interval_ms = 1'000;
  const LossForecast f = forecast(s);
  // (1,000,000 - 10,000) records of room, 1,500/s eaten.
  EXPECT_NEAR(seconds_to(f.moving->mid), 660, 15);
  EXPECT_NEAR(f.append_rate, 2000, 1);
  EXPECT_NEAR(f.read_rate, 500, 1);
  EXPECT_NEAR(seconds_to(f.stopped->mid), 495, 15) << "sooner, if it stops";
}

TEST(LossForecast, AConsumerThatGainsLosesNothingButWouldIfItStopped) {
  Steady s{.append = 1000, .read = 1500, .lag = 300'000};
  s.retention.retention_bytes = 100'000'000;
  s.retention.segment_bytes = 1'000'000;
  const LossForecast f = forecast(s);
  EXPECT_EQ(f.state, LossState::kNone);
  ASSERT_TRUE(f.stopped && f.stopped->mid);
  EXPECT_NEAR(seconds_to(f.stopped->mid), 700, 310) << "passes every five minutes";
}

TEST(LossForecast, ALagThatOnlyWaversIsNoLossToCome) {
  std::mt19937_64 random(7);
  Trail trail;
  std::int64_t end = 1'000'000;
  for (int i = 0; i < 60; ++i) {
    end += 15'000;
    trail.add({.at = kStart + i * 15 * kSecond, .log_start = 0, .end = end, .committed = end - static_cast<std::int64_t>(random() % 2000), .bytes = end * 100});
  }
  const LossForecast f = forecast_loss({.trail = trail, .retention = {.known = true, .retention_ms = -1, .retention_bytes = 200'000'000, .segment_bytes = 1'000'000}});
  EXPECT_EQ(f.state, LossState::kNone);
  EXPECT_TRUE(f.stopped && f.stopped->mid);
}

TEST(LossForecast, NothingDeletesAnEndlessTopicAndDeletionsByHandAreSeen) {
  Steady s{.read = 0};
  EXPECT_EQ(forecast(s).state, LossState::kNone);
  s.retention.deletes = false;
  EXPECT_EQ(forecast(s).state, LossState::kNone);
  Trail purged;
  for (int i = 0; i <= 40; ++i) purged.add({.at = kStart + i * 15 * kSecond, .log_start = 3000 * i, .end = 1'000'000 + 3000 * i, .committed = 150'000, .bytes = 1});
  const LossForecast f = forecast_loss({.trail = purged, .retention = {.known = true, .retention_ms = -1}, .marks = {}});
  EXPECT_EQ(f.cause, LossCause::kLogStartMoves);
  ASSERT_TRUE(f.moving && f.moving->mid);
  EXPECT_NEAR(static_cast<double>(*f.moving->mid - purged.last().at) / kSecond, 150, 3) << "30,000 offsets at 200/s";
}

TEST(LossForecast, WhatIsNotKnownIsSaid) {
  Steady s{.read = 0};
  s.sizes = false;
  s.retention.retention_bytes = 100'000'000;
  LossForecast f = forecast(s);
  EXPECT_EQ(f.state, LossState::kUnknown);
  EXPECT_NE(f.why.find("size of the partition"), std::string::npos) << f.why;
  s.retention = {};
  f = forecast(s);
  EXPECT_EQ(f.state, LossState::kUnknown);
  EXPECT_NE(f.why.find("settings"), std::string::npos) << f.why;
  Trail none;
  none.add({.at = kStart, .log_start = 0, .end = 10, .committed = -1});
  EXPECT_EQ(forecast_loss({.trail = none}).state, LossState::kUnknown);
  EXPECT_EQ(forecast_loss({.trail = Trail{}}).state, LossState::kUnknown);
}

TEST(LossForecast, WhatIsGoneIsExposed) {
  Trail trail;
  for (int i = 0; i < 3; ++i) trail.add({.at = kStart + i * kSecond, .log_start = 500, .end = 1000, .committed = 100});
  const LossForecast f = forecast_loss({.trail = trail, .retention = {.known = true}});
  EXPECT_EQ(f.state, LossState::kExposed);
  EXPECT_EQ(f.exposed, 400);
  EXPECT_TRUE(f.warns(kStart, 0));
}

TEST(LossForecast, TheLimitingPartition) {
  const auto at = [](LossState state, TimeUs low) { return LossForecast{.state = state, .moving = LossEstimate{.low = low}}; };
  const std::vector<LossForecast> all{at(LossState::kNone, 5), at(LossState::kComing, 200), at(LossState::kComing, 100), at(LossState::kUnknown, 1)};
  EXPECT_EQ(limiting(all), &all[2]);
  EXPECT_EQ(limiting({}), nullptr);
}

/// Laws that hold whatever the numbers.
TEST(LossForecast, Laws) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    std::mt19937_64 random(seed);
    const auto upto = [&](std::int64_t n) { return 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
    Steady s{.append = static_cast<double>(upto(5000)), .read = 0, .lag = upto(2'000'000), .headroom = upto(3'000'000), .bytes = upto(2000)};
    s.read = random() % 4 == 0 ? 0 : s.append * static_cast<double>(upto(150)) / 100;
    s.retention.retention_bytes = random() % 3 == 0 ? -1 : upto(1'000'000'000);
    s.retention.retention_ms = random() % 3 == 0 ? -1 : upto(86'400'000);
    s.retention.segment_bytes = upto(200'000'000);
    s.retention.segment_ms = upto(86'400'000);
    s.retention.check_interval_ms = upto(300'000);
    const LossForecast f = forecast(s);
    const std::string what = fmt::format("seed {}", seed);
    for (const auto& e : {f.moving, f.stopped}) {
      if (!e) continue;
      EXPECT_GE(e->low, kStart + 80 * 15 * kSecond) << what;
      if (e->mid) EXPECT_LE(e->low, *e->mid) << what;
      if (e->mid && e->high) EXPECT_LE(*e->mid, *e->high) << what;
    }
    if (f.moving) {
      ASSERT_TRUE(f.stopped) << what << ": what is lost by one that reads is lost by one that does not";
      EXPECT_LE(f.stopped->low, f.moving->low) << what;
    }
    if (f.state == LossState::kComing) EXPECT_TRUE(f.moving && f.moving->mid) << what;
    // More room never makes it sooner.
    Steady more = s;
    if (more.retention.retention_bytes >= 0) more.retention.retention_bytes *= 2;
    if (more.retention.retention_ms >= 0) more.retention.retention_ms *= 2;
    if (const LossForecast later = forecast(more); later.moving) {
      ASSERT_TRUE(f.moving) << what;
      EXPECT_LE(f.moving->low, later.moving->low) << what;
    }
    // A group that is further behind never loses later.
    Steady behind = s;
    behind.lag += behind.headroom / 2;
    behind.headroom -= behind.headroom / 2;
    if (f.moving) {
      const LossForecast sooner = forecast(behind);
      ASSERT_TRUE(sooner.moving) << what;
      EXPECT_LE(sooner.moving->low, f.moving->low + kSecond) << what;
    }
  }
}

TEST(Trail, KeepsADayInLittle) {
  Trail trail;
  for (int i = 0; i < 4 * 60 * 24; ++i) trail.add({.at = kStart + i * 15 * kSecond, .log_start = i, .end = 100 * i, .committed = 90 * i});
  EXPECT_LT(trail.samples().size(), 160U);
  EXPECT_GT(trail.samples().size(), 60U);
  EXPECT_EQ(trail.span(), (4 * 60 * 24 - 1) * 15 * kSecond);
  EXPECT_NEAR(trail.append_rate(6 * kHour)->mid, 100.0 / 15, 0.01);
  EXPECT_NEAR(trail.lag_growth(10 * kMinute)->mid, 10.0 / 15, 0.01);
  EXPECT_EQ(trail.start_steps().size(), Trail::kStepsKept);
}

TEST(Trail, BeginsAnewWhereItIsContradictedAndNotWhenTheClockGoesBack) {
  Trail trail;
  trail.add({.at = 100, .log_start = 5, .end = 10, .committed = 7});
  trail.add({.at = 90, .log_start = 5, .end = 11, .committed = 7});
  EXPECT_EQ(trail.samples().size(), 1U);
  trail.add({.at = 110, .log_start = 5, .end = 12, .committed = 6});
  EXPECT_EQ(trail.samples().size(), 1U);
  EXPECT_EQ(trail.last().committed, 6);
}

}  // namespace
}  // namespace supyo::diagnosis
