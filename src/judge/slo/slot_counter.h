#pragma once
#include <cstdint>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/strong.h"

namespace supyo::slo {

/// Good and bad, counted exactly.
struct Counts {
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  std::uint64_t total() const { return good + bad; }
  /// Share of bad, 0 where there is nothing.
  double bad_share() const { return total() == 0 ? 0.0 : static_cast<double>(bad) / static_cast<double>(total()); }
  Counts& operator+=(const Counts& o) { good += o.good; bad += o.bad; return *this; }
  Counts& operator-=(const Counts& o) { good -= o.good; bad -= o.bad; return *this; }
  friend Counts operator+(Counts a, const Counts& b) { return a += b; }
  bool operator==(const Counts&) const = default;
};

/// Counters over time: one-second slots for the last hour, one-minute slots for 30 days. Not thread-safe (the Judge locks).
class SlotCounter {
 public:
  static constexpr std::int64_t kSeconds = 3600;
  static constexpr std::int64_t kMinutes = 43'200;
  static constexpr DurationUs kSecondsReach = kSeconds * kSecond;

  /// Adds to the slots of time `t`. A time before the newest slot but within reach goes to its own slot; older ones to nothing.
  void add(TimeUs t, Counts c);
  /// What was counted in the `window` before `now`. Up to an hour: the whole seconds [now - window, now). Longer: the whole minutes, and the one begun.
  Counts window(DurationUs window_us, TimeUs now);
  Counts lifetime() const { return lifetime_; }
  /// The clock goes on at `t`, before what was counted last: the seconds, and the minutes after t, are forgotten. Not what was counted in all.
  void forget_after(TimeUs t);

  /// Only the seconds of the last `seconds_reach_us` are kept, and all minutes that hold anything.
  void save(ByteWriter& out, DurationUs seconds_reach_us) const;
  bool restore(ByteReader& in);

 private:
  void advance(TimeUs t);
  struct Ring {
    std::vector<Counts> slots;
    std::int64_t newest = INT64_MIN;      ///< number of the newest slot
    std::int64_t oldest = INT64_MIN;      ///< of the first slot that was ever used
    std::int64_t size = 0;
    void advance(std::int64_t index);
    Counts* at(std::int64_t index);       ///< null out of reach
    Counts sum(std::int64_t from, std::int64_t to) const;  ///< [from, to)
  };
  struct MinuteSum {                       ///< running sum of closed minutes, so that a 30-day window costs nothing a second
    std::int64_t minutes = 0;
    std::int64_t upto = INT64_MIN;
    Counts sum;
  };
  Ring seconds_{{}, INT64_MIN, INT64_MIN, kSeconds + 1};  ///< the hour, and the second begun
  Ring minutes_{{}, INT64_MIN, INT64_MIN, kMinutes};
  std::vector<MinuteSum> sums_;
  Counts lifetime_;
};

}  // namespace supyo::slo
