#pragma once
#include <span>

namespace supyo::scenario {

enum class Confidence { k95, k99 };

/// A mean with its interval by Student's t. Of one value the interval is unbounded; of none everything is NaN.
struct MeanInterval {
  double mean = 0, low = 0, high = 0;
};
MeanInterval mean_interval(std::span<const double> values, Confidence confidence = Confidence::k95);
/// Of positive values: their geometric mean, with the interval of the mean of their logarithms. For times, rates and ratios of them: it says the same of a/b as of b/a, and a late value that is ten times the others does not make up the mean.
/// With a value that is not positive everything is NaN.
MeanInterval ratio_interval(std::span<const double> values, Confidence confidence = Confidence::k95);

/// The 95 % interval (Clopper and Pearson) of the probability of something that happened `hits` times in `trials`.
struct ShareInterval {
  double low = 0, high = 1;
};
ShareInterval share_interval(int hits, int trials);

}  // namespace supyo::scenario
