#include "core/env/sim/sim_env.h"

#include "core/base/hash.h"

namespace supyo::env {

std::uint64_t SeededRandom::next_u64() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

SimEnv::SimEnv(std::uint64_t seed, TimeUs start_us)
    : random_(hash_u64(seed)),
      disk_random_(hash_u64(seed ^ 0xd15c)),
      disk_choices_(disk_random_),
      clock_(start_us),
      files_(disk_choices_),
      env_{clock_, files_, random_} {}

}  // namespace supyo::env
