#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/base/strong.h"
#include "core/env/env.h"

namespace supyo::fault {

/// What happens to the bytes of one direction of a connection.
struct Flow {
  DurationUs latency_us = 0;          ///< they arrive so much later
  DurationUs jitter_us = 0;           ///< and up to so much earlier or later than that, evenly spread; their order is kept
  std::uint64_t bytes_per_second = 0; ///< 0: as fast as they come
  bool held = false;                  ///< a black hole: what is sent is taken and not passed on, until this ends; then it arrives, as after a network's partition
};

/// The bytes that are under way in one direction. Knows no sockets and no clock: `now` is given, in microseconds. Never holds more than its capacity. One thread.
class DelayLine {
 public:
  explicit DelayLine(std::size_t capacity) : capacity_(capacity) {}

  std::size_t room() const { return capacity_ - size_; }
  bool empty() const { return size_ == 0; }
  /// Takes bytes, at most room() of them: they leave after the flow's latency of this moment.
  void push(std::string_view bytes, TimeUs now, const Flow& flow, env::Random& random);
  /// What may leave now; empty when nothing may. Valid until the next call of push() or taken().
  std::string_view ready(TimeUs now, const Flow& flow) const;
  /// The first `n` bytes of ready() have left.
  void taken(std::size_t n, TimeUs now, const Flow& flow);
  /// When to ask ready() again; kTimeMax when nothing is under way, or all is held.
  TimeUs due(const Flow& flow) const;

 private:
  struct Piece {
    TimeUs due_us = 0;
    std::string bytes;
  };
  std::size_t capacity_;
  std::size_t size_ = 0;
  std::size_t from_ = 0;           ///< of the first piece, so many have left
  TimeUs last_due_us_ = kTimeMin;
  TimeUs line_free_us_ = kTimeMin; ///< the bandwidth is used up until then
  std::deque<Piece> pieces_;
};

}  // namespace supyo::fault
