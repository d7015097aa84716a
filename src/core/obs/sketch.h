#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace supyo::obs {

/// A quantile sketch with bounded relative error: quantile(q) is within `relative_error` of a value whose rank is the asked one, for positive
/// values; values at or below zero count as zero. Mergeable without loss. Not thread-safe.
/// Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.
///
/// At most kMaxBins bins: beyond, the lowest ones are put together (with 1 % and microseconds that takes more than 17 decades).
class Sketch {
 public:
  static constexpr std::size_t kMaxBins = 2048;

  explicit Sketch(double relative_error = 0.01);
  void add(double value, std::uint64_t times = 1);
  /// Both must have the same relative error.
  void merge(const Sketch& other);
  void clear();

  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }
  double min() const { return min_; }   ///< exact; 0 when empty
  double max() const { return max_; }   ///< exact; 0 when empty
  /// The value at rank floor(q * (count - 1)); q in [0, 1]. 0 when empty.
  double quantile(double q) const;
  /// How many values were at most `threshold`, off only by those within the relative error of it.
  std::uint64_t count_at_most(double threshold) const;

  std::string encode() const;
  static Result<Sketch> decode(std::string_view bytes);   ///< kDamaged
  bool operator==(const Sketch&) const = default;

 private:
  std::int32_t bin_of(double value) const;
  double value_of(std::int32_t bin) const;
  void add_to_bin(std::int32_t bin, std::uint64_t times);

  double relative_error_;
  double gamma_;
  double log_gamma_inverse_;
  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;
  double sum_ = 0;
  double min_ = 0;
  double max_ = 0;
  std::int32_t first_bin_ = 0;            // of bins_[0]
  std::vector<std::uint64_t> bins_;
};

}  // namespace supyo::obs
