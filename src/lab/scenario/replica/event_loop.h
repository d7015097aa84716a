#pragma once
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "core/base/strong.h"

namespace supyo::scenario {

/// What happens next, in virtual microseconds from 0. Events of one moment happen in the order in which they were asked for. One thread.
class EventLoop {
 public:
  TimeUs now() const { return now_; }
  void at(TimeUs t, std::function<void()> what) { events_.push({t < now_ ? now_ : t, next_++, std::move(what)}); }
  void after(DurationUs delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  /// Everything up to and including `t`; then it is `t`.
  void run_until(TimeUs t) {
    while (!events_.empty() && events_.top().t <= t) {
      // The queue gives const access only; what is moved out is not compared again.
      Event e = std::move(const_cast<Event&>(events_.top()));
      events_.pop();
      now_ = e.t;
      e.what();
    }
    now_ = t;
  }

 private:
  struct Event {
    TimeUs t;
    std::uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const { return t != other.t ? t > other.t : number > other.number; }
  };
  std::priority_queue<Event> events_;
  TimeUs now_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace supyo::scenario
