#pragma once
#include <optional>

#include "data/types/value.h"

/// DECIMAL arithmetic on unscaled values. Results that need more than 38 digits are nothing: SQL null, as in Flink.
namespace supyo::expr {

struct Scaled {
  Int128 value = 0;
  int scale = 0;
};

/// 10^n, 0 <= n <= 38.
Int128 power_of_ten(int n);
bool fits_precision(Int128 value, int precision);
/// `value` with another scale, half away from zero; nothing beyond `precision` digits.
std::optional<Int128> rescale(Scaled v, int precision, int scale);
std::optional<Int128> decimal_add(Scaled a, Scaled b, int precision, int scale);
std::optional<Int128> decimal_subtract(Scaled a, Scaled b, int precision, int scale);
std::optional<Int128> decimal_multiply(Scaled a, Scaled b, int precision, int scale);
/// b is not zero.
std::optional<Int128> decimal_divide(Scaled a, Scaled b, int precision, int scale);
std::optional<Int128> decimal_modulo(Scaled a, Scaled b, int precision, int scale);
/// Nothing for NaN, infinities and values beyond `precision` digits.
std::optional<Int128> decimal_from_double(double v, int precision, int scale);
double decimal_to_double(Scaled v);
/// The whole part, cut towards zero.
Int128 decimal_whole(Scaled v);

}  // namespace supyo::expr
