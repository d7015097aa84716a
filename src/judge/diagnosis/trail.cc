#include "judge/diagnosis/trail.h"

#include <algorithm>
#include <cmath>

namespace supyo::diagnosis {
namespace {

constexpr DurationUs kDense = 4 * kMinute;   // all samples of so long are kept
constexpr std::int64_t kThinning = 12;       // of older ones, a distance of a twelfth of their age
constexpr int kQuarters = 4;
constexpr double kDeviations = 2;

bool contradicts(const OffsetSample& before, const OffsetSample& after) {
  return after.end < before.end || after.log_start < before.log_start || after.committed < before.committed || (before.committed < 0) != (after.committed < 0);
}

}  // namespace

void Trail::add(const OffsetSample& sample) {
  if (!samples_.empty() && (sample.at <= samples_.back().at || contradicts(samples_.back(), sample))) {
    if (!contradicts(samples_.back(), sample)) return;   // the clock went back: nothing can be said of it
    samples_.clear();
    steps_.clear();
    commits_.clear();
    longest_commit_gap_ = 0;
  }
  if (samples_.empty()) {
    committed_changed_at_ = end_changed_at_ = sample.at;
  } else {
    const OffsetSample& before = samples_.back();
    if (sample.log_start > before.log_start) {
      steps_.push_back({.after = before.at, .by = sample.at, .from = before.log_start, .to = sample.log_start, .end = sample.end});
      if (steps_.size() > kStepsKept) steps_.pop_front();
    }
    if (sample.committed != before.committed) {
      longest_commit_gap_ = std::max(longest_commit_gap_, sample.at - committed_changed_at_);
      committed_changed_at_ = sample.at;
      commits_.push_back(sample.at);
      if (commits_.size() > kCommitsKept) commits_.pop_front();
    }
    if (sample.end != before.end) end_changed_at_ = sample.at;
  }
  samples_.push_back(sample);
  thin();
}

void Trail::thin() {
  const TimeUs now = samples_.back().at;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const bool between = kept > 0 && i + 1 < samples_.size() && now - samples_[i].at > kDense;
    const bool close = between && samples_[i + 1].at - samples_[kept - 1].at < (now - samples_[i].at) / kThinning;
    if (!close) samples_[kept++] = samples_[i];
  }
  samples_.resize(kept);
}

template <class Value>
std::optional<Rate> Trail::slope(DurationUs window, Value value) const {
  if (samples_.size() < 3) return std::nullopt;
  const TimeUs now = samples_.back().at;
  const TimeUs from = std::max(samples_.front().at, now - window);
  const auto at = [&](double t) {
    const auto next = std::ranges::lower_bound(samples_, t, {}, [](const OffsetSample& s) { return static_cast<double>(s.at); });
    if (next == samples_.begin()) return value(*next);
    if (next == samples_.end()) return value(samples_.back());
    const OffsetSample& before = *(next - 1);
    const double share = (t - static_cast<double>(before.at)) / static_cast<double>(next->at - before.at);
    return value(before) + share * (value(*next) - value(before));
  };
  const double quarter = static_cast<double>(now - from) / kQuarters;
  std::array<double, kQuarters> rates{};
  double before = at(static_cast<double>(from));
  const double first = before;
  for (int i = 0; i < kQuarters; ++i) {
    const double after = at(static_cast<double>(from) + quarter * (i + 1));
    rates[static_cast<std::size_t>(i)] = (after - before) / quarter * kSecond;
    before = after;
  }
  const double mid = (before - first) / static_cast<double>(now - from) * kSecond;
  double squares = 0;
  for (const double r : rates) squares += (r - mid) * (r - mid);
  const double deviation = std::sqrt(squares / (kQuarters - 1));
  return Rate{.low = mid - kDeviations * deviation, .mid = mid, .high = mid + kDeviations * deviation};
}

std::optional<TimeUs> Trail::appended_at(std::int64_t offset) const {
  const auto next = std::ranges::upper_bound(samples_, offset, {}, &OffsetSample::end);
  if (next == samples_.begin() || next == samples_.end()) return std::nullopt;
  const OffsetSample& before = *(next - 1);
  const double share = static_cast<double>(offset - before.end) / static_cast<double>(next->end - before.end);
  return before.at + static_cast<TimeUs>(share * static_cast<double>(next->at - before.at));
}

std::optional<Rate> Trail::append_rate(DurationUs window) const {
  auto rate = slope(window, [](const OffsetSample& s) { return static_cast<double>(s.end); });
  if (rate) rate->low = std::max(rate->low, 0.0);
  return rate;
}

std::optional<Rate> Trail::lag_growth(DurationUs window) const {
  if (samples_.empty() || samples_.front().committed < 0) return std::nullopt;
  return slope(window, [](const OffsetSample& s) { return static_cast<double>(s.end - s.committed); });
}

std::optional<double> Trail::bytes_per_offset() const {
  if (samples_.empty()) return std::nullopt;
  const OffsetSample& s = samples_.back();
  if (s.bytes <= 0 || s.end <= s.log_start) return std::nullopt;
  return static_cast<double>(s.bytes) / static_cast<double>(s.end - s.log_start);
}

}  // namespace supyo::diagnosis
