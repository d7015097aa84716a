#pragma once
#include <cstdint>

#include "core/env/env.h"
#include "core/env/real/real_env.h"
#include "core/env/sim/choices.h"
#include "core/env/sim/sim_files.h"

namespace supyo::env {

/// The same numbers for the same seed, on every machine (splitmix64).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next_u64() override;

 private:
  std::uint64_t state_;
};

/// A whole machine in memory, a function of its seed: virtual clock, files that forget, no threads. One thread only.
class SimEnv {
 public:
  static constexpr TimeUs kStart = 1'700'000'000 * kSecond;

  explicit SimEnv(std::uint64_t seed, TimeUs start_us = kStart);

  Env& env() { return env_; }
  VirtualClock& clock() { return clock_; }
  SimFiles& files() { return files_; }
  Random& random() { return random_; }

 private:
  SeededRandom random_;
  SeededRandom disk_random_;  ///< of its own, so that the faults do not shift what the program draws
  RandomChoices disk_choices_;
  VirtualClock clock_;
  SimFiles files_;
  Env env_;
};

}  // namespace supyo::env
