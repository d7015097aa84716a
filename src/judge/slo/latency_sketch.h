#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/base/strong.h"

namespace supyo::slo {

/// Logarithmic buckets with 64 linear steps an octave (HDR histogram's layout): any quantile is within 0.8 % of the exact one, merging is adding.
/// Values are microseconds; below zero counts as zero, above 2^43 us (100 days) as that.
struct LatencyBuckets {
  static constexpr int kStepBits = 6;
  static constexpr int kMaxBits = 43;
  static constexpr std::size_t kCount = static_cast<std::size_t>(kMaxBits - kStepBits + 1) << kStepBits;

  static std::size_t index(DurationUs us) {
    const std::uint64_t v = us < 0 ? 0 : static_cast<std::uint64_t>(us);
    if (v < (1u << kStepBits)) return static_cast<std::size_t>(v);
    if (v >= (1ULL << kMaxBits)) return kCount - 1;
    const int shift = static_cast<int>(std::bit_width(v)) - kStepBits - 1;
    return (static_cast<std::size_t>(shift + 1) << kStepBits) + static_cast<std::size_t>((v >> shift) - (1u << kStepBits));
  }
  /// The middle of a bucket.
  static DurationUs value(std::size_t index) {
    if (index < (1u << kStepBits)) return static_cast<DurationUs>(index);
    const int shift = static_cast<int>(index >> kStepBits) - 1;
    const std::uint64_t low = ((index & ((1u << kStepBits) - 1)) + (1u << kStepBits)) << shift;
    return static_cast<DurationUs>(low + ((1ULL << shift) >> 1));
  }
};

/// A histogram of latencies. 19 KB; add() is a few instructions.
class LatencySketch {
 public:
  void add(DurationUs us, std::uint64_t n = 1) { add_bucket(LatencyBuckets::index(us), n); }
  void add_bucket(std::size_t bucket, std::uint64_t n) { counts_[bucket] += n; total_ += n; }
  void remove_bucket(std::size_t bucket, std::uint64_t n) { counts_[bucket] -= n; total_ -= n; }
  void merge(const LatencySketch& other);
  void clear();
  std::uint64_t total() const { return total_; }
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket]; }
  /// The smallest value that at least the share q of all values does not exceed (nearest rank); -1 where there is none.
  DurationUs quantile(double q) const;
  /// Several quantiles in one pass; `qs` ascending. `extra` is counted in as well.
  std::vector<DurationUs> quantiles(const std::vector<double>& qs, const LatencySketch* extra = nullptr) const;

 private:
  std::array<std::uint64_t, LatencyBuckets::kCount> counts_{};
  std::uint64_t total_ = 0;
};

/// Sketches of the last hour, second by second, with running windows over them.
class RollingSketch {
 public:
  explicit RollingSketch(std::vector<DurationUs> windows);
  void add(DurationUs latency, std::uint64_t n = 1) { open_.add(latency, n); }
  /// Ends the second (or longer sample) that began at the last close and ended at `now`.
  void close(TimeUs now);
  /// As it was when it was made.
  void forget();
  /// The running window number i, of what was closed.
  const LatencySketch& window(std::size_t i) const { return windows_[i].sum; }
  /// Everything closed in (from, to], within the last hour.
  LatencySketch between(TimeUs from, TimeUs to) const;

 private:
  struct Slot {
    TimeUs end = 0;
    std::vector<std::pair<std::uint16_t, std::uint32_t>> counts;  ///< bucket, count
  };
  struct Window {
    DurationUs length = 0;
    std::uint64_t first = 0;  ///< sequence number of the oldest slot inside
    LatencySketch sum;
  };
  LatencySketch open_;
  std::deque<Slot> slots_;
  std::uint64_t first_slot_ = 0;  ///< sequence number of slots_.front()
  std::vector<Window> windows_;
};

}  // namespace supyo::slo
