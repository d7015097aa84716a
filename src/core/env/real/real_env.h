#pragma once
#include <memory>

#include "core/env/env.h"

namespace supyo::env {

/// The machine's own clock, files, randomness and threads. One per process; lives as long as what uses it.
class RealEnv {
 public:
  RealEnv();
  ~RealEnv();
  Env& env();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Of the machine since it was started, its sleep included: nobody sets it, so a jump of the wall clock against it is no time that passed.
TimeUs since_boot_us();

/// A clock that stands still until it is told to move: replay and virtual-time labs run on it, with real files.
class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(TimeUs start_us) : now_us_(start_us) {}
  TimeUs now_us() const override { return now_us_; }
  TimeUs monotonic_us() const override { return now_us_; }
  /// Moves to `t`; never back.
  void advance_to(TimeUs t) { if (t > now_us_) now_us_ = t; }

 private:
  TimeUs now_us_;
};

}  // namespace supyo::env
