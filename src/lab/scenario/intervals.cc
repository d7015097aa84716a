#include "lab/scenario/intervals.h"

#include <cmath>
#include <limits>
#include <vector>

namespace supyo::scenario {
namespace {

/// Student's t, two-sided, by degrees of freedom.
double t_value(std::size_t freedom, Confidence confidence) {
  struct Table {
    double values[30];
    double limit, slope;   // beyond the table: limit + slope / freedom
  };
  static constexpr Table k95{{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                              2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042},
                             1.96, 2.5};
  static constexpr Table k99{{63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947,
                              2.921,  2.898, 2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756, 2.750},
                             2.576, 5.2};
  const Table& t = confidence == Confidence::k95 ? k95 : k99;
  return freedom <= std::size(t.values) ? t.values[freedom - 1] : t.limit + t.slope / static_cast<double>(freedom);
}

/// P(at most k of n), each with probability p.
double at_most(int k, int n, double p) {
  double sum = 0;
  for (int i = 0; i <= k; ++i) {
    const double ways = std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1);
    sum += std::exp(ways + i * std::log(p) + (n - i) * std::log1p(-p));
  }
  return sum;
}

/// Where a falling function of a probability crosses `level`.
template <class F>
double crossing(F f, double level) {
  double low = 1e-12, high = 1 - 1e-12;
  for (int i = 0; i < 60; ++i) (f((low + high) / 2) > level ? low : high) = (low + high) / 2;
  return (low + high) / 2;
}

}  // namespace

MeanInterval mean_interval(std::span<const double> values, Confidence confidence) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  if (values.empty()) return {kNaN, kNaN, kNaN};
  const double n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  const double mean = sum / n;
  if (values.size() == 1) return {mean, -kInf, kInf};
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double half = t_value(values.size() - 1, confidence) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

MeanInterval ratio_interval(std::span<const double> values, Confidence confidence) {
  std::vector<double> logs;
  for (const double v : values) logs.push_back(v > 0 ? std::log(v) : std::numeric_limits<double>::quiet_NaN());
  const MeanInterval m = mean_interval(logs, confidence);
  return {std::exp(m.mean), std::exp(m.low), std::exp(m.high)};
}

ShareInterval share_interval(int hits, int trials) {
  constexpr double kTail = 0.025;
  if (trials <= 0) return {};
  ShareInterval out;
  if (hits > 0) out.low = crossing([&](double p) { return at_most(hits - 1, trials, p); }, 1 - kTail);
  if (hits < trials) out.high = crossing([&](double p) { return at_most(hits, trials, p); }, kTail);
  return out;
}

}  // namespace supyo::scenario
