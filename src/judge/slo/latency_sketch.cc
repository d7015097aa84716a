#include "judge/slo/latency_sketch.h"

#include <algorithm>
#include <cmath>

namespace supyo::slo {

void LatencySketch::merge(const LatencySketch& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
}

void LatencySketch::clear() {
  counts_.fill(0);
  total_ = 0;
}

DurationUs LatencySketch::quantile(double q) const { return quantiles({q}).front(); }

std::vector<DurationUs> LatencySketch::quantiles(const std::vector<double>& qs, const LatencySketch* extra) const {
  std::vector<DurationUs> out(qs.size(), -1);
  const std::uint64_t n = total_ + (extra == nullptr ? 0 : extra->total_);
  if (n == 0) return out;
  std::uint64_t seen = 0;
  std::size_t next = 0;
  const auto rank = [&](double q) {
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(n))), 1, n);
  };
  for (std::size_t i = 0; i < counts_.size() && next < qs.size(); ++i) {
    seen += counts_[i] + (extra == nullptr ? 0 : extra->counts_[i]);
    while (next < qs.size() && seen >= rank(qs[next])) out[next++] = LatencyBuckets::value(i);
  }
  return out;
}

void RollingSketch::forget() {
  std::vector<DurationUs> lengths;
  for (const Window& w : windows_) lengths.push_back(w.length);
  *this = RollingSketch(std::move(lengths));
}

RollingSketch::RollingSketch(std::vector<DurationUs> windows) {
  windows_.reserve(windows.size());
  for (const DurationUs w : windows) windows_.push_back({w, 0, {}});
}

void RollingSketch::close(TimeUs now) {
  if (open_.total() > 0) {
    Slot slot{now, {}};
    for (std::size_t i = 0; i < LatencyBuckets::kCount; ++i) {
      std::uint64_t n = open_.count(i);
      while (n > 0) {  // a count beyond 32 bits takes several entries
        const auto part = static_cast<std::uint32_t>(std::min<std::uint64_t>(n, UINT32_MAX));
        slot.counts.emplace_back(static_cast<std::uint16_t>(i), part);
        n -= part;
      }
    }
    for (Window& w : windows_) for (const auto& [b, n] : slot.counts) w.sum.add_bucket(b, n);
    slots_.push_back(std::move(slot));
    open_.clear();
  }
  for (Window& w : windows_) {
    while (w.first < first_slot_ + slots_.size()) {
      const Slot& oldest = slots_[w.first - first_slot_];
      if (oldest.end > now - w.length) break;
      for (const auto& [b, n] : oldest.counts) w.sum.remove_bucket(b, n);
      ++w.first;
    }
  }
  while (!slots_.empty() && slots_.front().end <= now - kHour &&
         std::all_of(windows_.begin(), windows_.end(), [&](const Window& w) { return w.first > first_slot_; })) {
    slots_.pop_front();
    ++first_slot_;
  }
}

LatencySketch RollingSketch::between(TimeUs from, TimeUs to) const {
  LatencySketch out;
  for (const Slot& s : slots_) {
    if (s.end <= from || s.end > to) continue;
    for (const auto& [b, n] : s.counts) out.add_bucket(b, n);
  }
  return out;
}

}  // namespace supyo::slo
