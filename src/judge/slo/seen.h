#pragma once
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <utility>

namespace supyo::slo {

/// Which identities (64-bit hashes) were seen among the last kGeneration to 2 * kGeneration: two sets, of which the older is dropped when the newer is
/// full, so memory is bounded (about 40 MB) and a repeat farther back is not found. Not thread-safe.
class SeenIdentities {
 public:
  static constexpr std::size_t kGeneration = 1'000'000;

  /// Whether `hash` was seen before; it is from now on.
  bool seen(std::uint64_t hash) {
    if (newer_.contains(hash)) return true;
    const bool repeated = older_.contains(hash);
    newer_.insert(hash);
    if (newer_.size() >= kGeneration) {
      older_ = std::exchange(newer_, {});
    }
    return repeated;
  }

 private:
  absl::flat_hash_set<std::uint64_t> newer_, older_;
};

}  // namespace supyo::slo
