#include "judge/slo/series.h"

#include <algorithm>

#include "core/base/check.h"

namespace supyo::slo {

void Series::add(TimeUs t, const std::vector<double>& values) {
  SUPYO_CHECK_EQ(values.size(), columns_.size());
  if (seen_++ % stride_ != 0) return;
  if (times_.size() >= kMaxSamples) {
    const auto halve = [](auto& v) {
      for (std::size_t i = 0; 2 * i < v.size(); ++i) v[i] = v[2 * i];
      v.resize((v.size() + 1) / 2);
    };
    halve(times_);
    for (Column& c : columns_) halve(c.values);
    stride_ *= 2;
  }
  times_.push_back(t);
  for (std::size_t i = 0; i < values.size(); ++i) columns_[i].values.push_back(values[i]);
}

void Series::forget_after(TimeUs t) {
  times_.resize(static_cast<std::size_t>(std::ranges::upper_bound(times_, t) - times_.begin()));
  for (Column& c : columns_) c.values.resize(times_.size());
}

const Column* Series::find(std::string_view name) const {
  const auto it = std::find_if(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == name; });
  return it == columns_.end() ? nullptr : &*it;
}

}  // namespace supyo::slo
