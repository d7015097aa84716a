#include "judge/slo/look.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "judge/slo/judge_impl.h"

namespace supyo::slo {
namespace {

/// Of two samples the worse one. States have an order of their own: UNKNOWN hides what is good, never what is bad.
double worse(const Column& column, double a, double b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (column.name == "records_in" || column.name == "records_out") return a + b;
  if (column.name != "state") return std::max(a, b);
  const auto rank = [](double s) { return s == 3 ? 1.5 : s; };
  return rank(a) >= rank(b) ? a : b;
}

}  // namespace

Look fold(const Series& series, const Range& range) {
  Look out;
  const auto steps = static_cast<std::size_t>(std::max<DurationUs>((range.to_us - range.from_us + range.step_us - 1) / range.step_us, 0));
  for (std::size_t i = 1; i <= steps; ++i) out.times.push_back(range.from_us + static_cast<DurationUs>(i) * range.step_us);
  for (const Column& c : series.columns()) out.columns.push_back({c.name, c.unit, std::vector<double>(steps, std::numeric_limits<double>::quiet_NaN())});
  const auto& times = series.times();
  for (auto at = static_cast<std::size_t>(std::ranges::upper_bound(times, range.from_us) - times.begin()); at < times.size() && times[at] <= range.to_us; ++at) {
    const auto step = static_cast<std::size_t>((times[at] - range.from_us - 1) / range.step_us);
    for (std::size_t c = 0; c < out.columns.size(); ++c) out.columns[c].values[step] = worse(out.columns[c], out.columns[c].values[step], series.columns()[c].values[at]);
  }
  return out;
}

Look Judge::look(const Range& range) const {
  const std::lock_guard lock(mutex_);
  Look out = fold(impl_->series, range);
  out.waterfalls.resize(out.times.size());
  for (const auto& [t, w] : impl_->waterfalls)
    if (t > range.from_us && t <= range.to_us) out.waterfalls[static_cast<std::size_t>((t - range.from_us - 1) / range.step_us)] += w;
  for (const TimelineEvent& e : impl_->timeline)
    if (e.t > range.from_us && e.t <= range.to_us) out.events.push_back(e);
  const auto& moments = impl_->moments;
  auto first = std::ranges::upper_bound(moments, range.from_us, {}, &Moment::t);
  if (first != moments.begin()) --first;
  for (; first != moments.end() && first->t <= range.to_us; ++first) out.moments.push_back(*first);
  return out;
}

TimeUs Judge::started_us() const {
  const std::lock_guard lock(mutex_);
  return impl_->started_us;
}

TimeUs Judge::sampled_us() const {
  const std::lock_guard lock(mutex_);
  return impl_->series.times().empty() ? 0 : impl_->series.times().back();
}

std::vector<Cause> Judge::causes() const {
  const std::lock_guard lock(mutex_);
  const Impl& d = *impl_;
  return d.series.times().empty() ? std::vector<Cause>() : d.causes(d.series.times().back());
}

}  // namespace supyo::slo
