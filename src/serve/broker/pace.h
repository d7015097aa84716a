#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>

#include "core/base/strong.h"

namespace supyo::broker {

/// When the next flush should begin, so that one sync covers what could wait for it together. A client keeps a few requests on their way and sends the next ones
/// when it hears of those before: a flush that begins the moment something is there covers one request, the next one all others, for ever. So after a flush the
/// next one waits until as many requests are there as were just answered, half a sync's time at the longest, and not for those who did not come the last times.
/// And a second one goes side by side with the first only when much is there, or when the first takes longer than usual. One thread; times are monotonic.
class FlushPace {
 public:
  static constexpr std::size_t kFlushes = 2;                  ///< at a time
  static constexpr std::uint64_t kMuch = 1 << 20;             ///< bytes that are worth a sync of their own
  static constexpr DurationUs kLongestWait = 1 * kMillisecond;
  static constexpr unsigned kPatience = 4, kAskAgain = 32;    ///< so often in vain, then once in so many flushes

  void began(TimeUs now, std::size_t waiting);
  /// The oldest flush ended: that many requests are answered by it, and `waiting` others came meanwhile.
  void ended(TimeUs now, std::size_t answered, std::size_t waiting);
  /// When to begin one for so many requests and bytes; kTimeMax: not before one ends.
  TimeUs due(std::size_t waiting, std::uint64_t bytes) const;

  /// How long a flush takes lately.
  DurationUs usual() const { return usual_us_; }

 private:
  std::deque<TimeUs> begun_;       ///< of those under way, oldest first
  DurationUs usual_us_ = 0;
  TimeUs ended_us_ = kTimeMin;
  std::size_t expected_ = 0;       ///< requests, when those who were answered last have come again; 0: nobody is waited for
  unsigned in_vain_ = 0, since_asked_ = 0;
};

}  // namespace supyo::broker
