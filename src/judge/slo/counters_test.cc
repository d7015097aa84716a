#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "judge/slo/lag_rules.h"
#include "judge/slo/latency_sketch.h"
#include "judge/slo/series.h"
#include "judge/slo/slot_counter.h"

namespace supyo::slo {
namespace {

TEST(SlotCounter, EqualsBruteForce) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 rng(seed);
    SlotCounter counter;
    std::vector<std::pair<TimeUs, Counts>> all;
    TimeUs now = static_cast<TimeUs>(rng() % 1'000'000'000'000);
    for (int i = 0; i < 400; ++i) {
      static constexpr DurationUs kSteps[] = {kMillisecond, kSecond, 10 * kSecond, 5 * kMinute, 3 * kHour, 4 * kDay};
      now += static_cast<TimeUs>(rng() % static_cast<std::uint64_t>(kSteps[rng() % 6]));
      const Counts c{rng() % 100, rng() % 3};
      counter.add(now, c);
      all.emplace_back(now, c);
      for (const DurationUs w : {kMinute, 10 * kMinute, kHour, 6 * kHour, kDay, 30 * kDay}) {
        const TimeUs b = (now / kSecond + 1) * kSecond;
        Counts want;
        for (const auto& [t, x] : all) {
          const bool inside = w <= kHour ? t >= b - w && t < b : t / kMinute > b / kMinute - std::min(w / kMinute, SlotCounter::kMinutes - 1) - 1;
          if (inside) want += x;
        }
        ASSERT_EQ(counter.window(w, b), want) << "seed " << seed << " window " << w;
      }
      if (i % 50 == 0) {
        std::string bytes;
        ByteWriter out(bytes);
        counter.save(out, kHour);
        ByteReader in(bytes);
        SlotCounter again;
        ASSERT_TRUE(again.restore(in));
        counter = again;
      }
    }
  }
}

TEST(LatencySketch, QuantilesAreWithinTheBoundAndMergingIsAdding) {
  std::mt19937_64 rng(7);
  for (int round = 0; round < 20; ++round) {
    std::lognormal_distribution<double> draw(static_cast<double>(rng() % 12), 2.0);
    std::vector<DurationUs> all;
    LatencySketch a, b, both;
    for (int i = 0; i < 5000; ++i) {
      const auto v = static_cast<DurationUs>(std::min(draw(rng) * 100, 1e12));
      all.push_back(v);
      (i % 3 == 0 ? a : b).add(v);
      both.add(v);
    }
    a.merge(b);
    std::sort(all.begin(), all.end());
    for (const double q : {0.0, 0.01, 0.5, 0.95, 0.99, 0.999, 1.0}) {
      const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(q * 5000)));
      const auto exact = static_cast<double>(all[rank - 1]);
      const auto got = static_cast<double>(both.quantile(q));
      ASSERT_LE(std::abs(got - exact), 0.008 * exact + 0.5) << q;
      ASSERT_EQ(a.quantile(q), both.quantile(q));
    }
  }
  EXPECT_EQ(LatencySketch{}.quantile(0.5), -1);
  for (std::size_t i = 0; i < LatencyBuckets::kCount; ++i) ASSERT_EQ(LatencyBuckets::index(LatencyBuckets::value(i)), i);
}

TEST(RollingSketch, WindowHoldsWhatWasClosedInside) {
  RollingSketch r({10 * kSecond});
  for (int s = 1; s <= 30; ++s) {
    r.add(s * kSecond);
    r.close(s * kSecond);
    EXPECT_EQ(r.window(0).total(), static_cast<std::uint64_t>(std::min(s, 10)));
  }
  EXPECT_EQ(r.between(5 * kSecond, 8 * kSecond).total(), 3U);
}

TEST(RawLagRule, NeedsTheWholeHoldTimeAboveTheThreshold) {
  std::vector<TimeUs> t;
  std::vector<double> lag;
  for (int i = 0; i < 200; ++i) {
    t.push_back(i * kSecond);
    lag.push_back(i < 20 || i == 70 ? 10 : 11);
  }
  const auto alarm = evaluate_raw({10, kMinute}, t, lag);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(alarm[static_cast<std::size_t>(i)], i >= 131) << i;
}

TEST(Series, HalvesInsteadOfGrowingForever) {
  Series s({{"a", "s", {}}});
  for (std::size_t i = 0; i < 3 * Series::kMaxSamples; ++i) s.add(static_cast<TimeUs>(i), {static_cast<double>(i)});
  EXPECT_LE(s.times().size(), Series::kMaxSamples);
  EXPECT_EQ(s.stride(), 4U);
  for (std::size_t i = 0; i < s.times().size(); ++i) ASSERT_EQ(s.times()[i], static_cast<TimeUs>(i * 4));
}

}  // namespace
}  // namespace supyo::slo
