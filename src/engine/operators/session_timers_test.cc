#include "engine/operators/session_timers.h"

#include <gtest/gtest.h>

#include <random>

namespace supyo::operators {
namespace {

/// Entries come, go, are prolonged, and give their slot to others; each fires with the first watermark that is at its time or beyond, and in order of time.
TEST(SessionTimersTest, EveryEntryFiresInItsTime) {
  for (const DurationUs gap : {kMillisecond, 3 * kSecond, kHour}) {
    std::mt19937 random(static_cast<std::uint32_t>(gap / kMillisecond));
    const auto some = [&](DurationUs most) { return static_cast<DurationUs>(random() % static_cast<std::uint64_t>(most / kMillisecond)) * kMillisecond; };
    SessionTimers timers(gap);
    std::map<state::Slot, TimeUs> entries;
    TimeUs watermark = -7 * gap;
    timers.start_again(watermark);
    std::size_t fired = 0;
    for (int step = 0; step < 400; ++step) {
      for (int i = 0; i < 40; ++i) {
        const auto slot = static_cast<state::Slot>(random() % 3000);
        const auto at = entries.find(slot);
        if (at == entries.end()) {
          entries[slot] = watermark + kMillisecond + some(2 * gap);
          timers.put(slot, entries[slot]);
        } else if (random() % 3 == 0) {
          timers.forget(slot);
          entries.erase(at);
        } else {
          at->second += some(3 * gap);   // the timer stays
        }
      }
      watermark += random() % 9 == 0 ? 4 * gap : some(gap / 8 + kMillisecond) + kMillisecond;
      timers.start(watermark);
      std::vector<state::Slot> taken;
      for (TimeUs last = kTimeMin; timers.take(taken);) {
        TimeUs latest = last;
        for (const state::Slot slot : taken) {
          ASSERT_TRUE(entries.contains(slot));
          const TimeUs fires = entries[slot];
          if (!timers.due(fires)) {
            timers.put(slot, fires);
            continue;
          }
          ++fired;
          ASSERT_LE(fires, watermark);
          ASSERT_GE(fires, last);
          latest = std::max(latest, fires);
          timers.forget(slot);
          entries.erase(slot);
        }
        last = latest;
      }
      for (const auto& [slot, fires] : entries) ASSERT_GT(fires, watermark) << slot;
    }
    EXPECT_GT(fired, 1000U);
    timers.start(kTimeMax);
    std::vector<state::Slot> taken;
    while (timers.take(taken))
      for (const state::Slot slot : taken) timers.due(entries[slot]) ? void(entries.erase(slot)) : timers.put(slot, entries[slot]);
    EXPECT_TRUE(entries.empty());
    EXPECT_EQ(timers.size(), 0U);
  }
}

}  // namespace
}  // namespace supyo::operators
