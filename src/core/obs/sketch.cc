#include "core/obs/sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace supyo::obs {

Sketch::Sketch(double relative_error)
    : relative_error_(relative_error),
      gamma_((1 + relative_error) / (1 - relative_error)),
      log_gamma_inverse_(1 / std::log(gamma_)) {
  SUPYO_CHECK(relative_error > 0 && relative_error < 1);
}

// Bin b holds (gamma^(b-1), gamma^b]; every value of it is within the relative error of 2 gamma^b / (gamma + 1).
std::int32_t Sketch::bin_of(double value) const { return static_cast<std::int32_t>(std::ceil(std::log(value) * log_gamma_inverse_)); }
double Sketch::value_of(std::int32_t bin) const { return 2 * std::exp(bin / log_gamma_inverse_) / (gamma_ + 1); }

void Sketch::add_to_bin(std::int32_t bin, std::uint64_t times) {
  if (bins_.empty()) {
    first_bin_ = bin;
    bins_.assign(1, 0);
  }
  const std::int32_t last = first_bin_ + static_cast<std::int32_t>(bins_.size()) - 1;
  if (bin > last) {
    bins_.resize(static_cast<std::size_t>(bin - first_bin_) + 1);
    if (bins_.size() > kMaxBins) {
      const auto extra = static_cast<std::ptrdiff_t>(bins_.size() - kMaxBins);
      const std::uint64_t low = std::accumulate(bins_.begin(), bins_.begin() + extra, std::uint64_t{0});
      bins_.erase(bins_.begin(), bins_.begin() + extra);
      bins_.front() += low;
      first_bin_ += static_cast<std::int32_t>(extra);
    }
  } else if (bin < first_bin_) {
    const std::int32_t lowest = last - static_cast<std::int32_t>(kMaxBins) + 1;
    bin = std::max(bin, lowest);
    if (bin < first_bin_) {
      bins_.insert(bins_.begin(), static_cast<std::size_t>(first_bin_ - bin), 0);
      first_bin_ = bin;
    }
  }
  bins_[static_cast<std::size_t>(bin - first_bin_)] += times;
}

void Sketch::add(double value, std::uint64_t times) {
  if (times == 0 || std::isnan(value)) return;
  value = std::clamp(value, 0.0, 1e300);
  if (count_ == 0) min_ = max_ = value;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += times;
  sum_ += value * static_cast<double>(times);
  if (value < 1e-300) zeros_ += times;
  else add_to_bin(bin_of(value), times);
}

void Sketch::merge(const Sketch& other) {
  SUPYO_CHECK(relative_error_ == other.relative_error_);
  if (other.count_ == 0) return;
  if (count_ == 0) min_ = other.min_, max_ = other.max_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  zeros_ += other.zeros_;
  sum_ += other.sum_;
  // From the highest bin down, so that the store grows at most twice.
  for (std::size_t i = other.bins_.size(); i-- > 0;) {
    if (other.bins_[i] > 0) add_to_bin(other.first_bin_ + static_cast<std::int32_t>(i), other.bins_[i]);
  }
}

void Sketch::clear() { *this = Sketch(relative_error_); }

double Sketch::quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_ - 1));
  if (rank < zeros_) return 0;
  std::uint64_t seen = zeros_;
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    seen += bins_[i];
    if (seen > rank) return std::clamp(value_of(first_bin_ + static_cast<std::int32_t>(i)), min_, max_);
  }
  return max_;
}

std::uint64_t Sketch::count_at_most(double threshold) const {
  if (threshold < 0) return 0;
  if (threshold >= max_) return count_;
  std::uint64_t seen = zeros_;
  const std::int32_t last = threshold < 1e-300 ? first_bin_ - 1 : bin_of(threshold);
  for (std::size_t i = 0; i < bins_.size() && first_bin_ + static_cast<std::int32_t>(i) <= last; ++i) seen += bins_[i];
  return seen;
}

std::string Sketch::encode() const {
  std::string out;
  ByteWriter w(out);
  w.u8(1);
  for (const double v : {relative_error_, sum_, min_, max_}) w.u64(std::bit_cast<std::uint64_t>(v));
  w.varint(count_);
  w.varint(zeros_);
  w.u32(static_cast<std::uint32_t>(first_bin_));
  w.varint(bins_.size());
  for (const std::uint64_t n : bins_) w.varint(n);
  return out;
}

Result<Sketch> Sketch::decode(std::string_view bytes) {
  const auto damaged = fail(ErrorCode::kDamaged, "a stored quantile sketch does not read");
  ByteReader r(bytes);
  if (r.u8() != 1) return damaged;
  const auto number = [&] { return std::bit_cast<double>(r.u64()); };
  const double relative_error = number();
  if (!(relative_error > 0 && relative_error < 1)) return damaged;
  Sketch s(relative_error);
  s.sum_ = number();
  s.min_ = number();
  s.max_ = number();
  s.count_ = r.varint();
  s.zeros_ = r.varint();
  s.first_bin_ = static_cast<std::int32_t>(r.u32());
  const std::uint64_t bins = r.varint();
  if (r.failed() || bins > kMaxBins) return damaged;
  std::uint64_t total = s.zeros_;
  for (std::uint64_t i = 0; i < bins; ++i) s.bins_.push_back(r.varint()), total += s.bins_.back();
  if (r.failed() || !r.done() || total != s.count_) return damaged;
  return s;
}

}  // namespace supyo::obs
