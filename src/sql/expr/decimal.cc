#include "sql/expr/decimal.h"

#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <charconv>
#include <cmath>
#include <string>

namespace supyo::expr {

namespace {

// Enough for 38 digits times 10^114: the widest intermediate of a division.
using Wide = boost::multiprecision::int512_t;

constexpr std::array<Int128, 39> kPowers = [] {
  std::array<Int128, 39> p{};
  p[0] = 1;
  for (std::size_t i = 1; i < p.size(); ++i) p[i] = p[i - 1] * 10;
  return p;
}();

Wide wide_power(int n) {
  Wide p = 1;
  for (int i = 0; i < n; ++i) p *= 10;
  return p;
}

/// n / d, half away from zero.
template <class T>
T divide_half_up(const T& n, const T& d) {
  T q = n / d;
  const T r = n % d;
  const T twice = (r < 0 ? T(-r) : r) * 2;
  if (twice >= (d < 0 ? T(-d) : d)) q += ((n < 0) == (d < 0)) ? 1 : -1;
  return q;
}

std::optional<Int128> narrowed(const Wide& v, int precision) {
  const Wide limit = wide_power(precision);
  if (v >= limit || v <= -limit) return std::nullopt;
  return static_cast<Int128>(v);
}

std::optional<Int128> rescale_wide(Wide v, int from, int precision, int to) {
  if (to >= from) return narrowed(v * wide_power(to - from), precision);
  return narrowed(divide_half_up(v, wide_power(from - to)), precision);
}

bool scale_up(Int128& v, int by) { return by <= 38 && !__builtin_mul_overflow(v, kPowers[static_cast<std::size_t>(by)], &v); }

template <class Combine>
std::optional<Int128> aligned(Scaled a, Scaled b, int precision, int scale, Combine combine) {
  const int common = std::max(a.scale, b.scale);
  Int128 x = a.value;
  Int128 y = b.value;
  Int128 sum = 0;
  if (scale_up(x, common - a.scale) && scale_up(y, common - b.scale) && combine(x, y, sum)) return rescale({sum, common}, precision, scale);
  Wide wx = Wide(a.value) * wide_power(common - a.scale);
  Wide wy = Wide(b.value) * wide_power(common - b.scale);
  Wide wide_sum;
  combine(wx, wy, wide_sum);
  return rescale_wide(wide_sum, common, precision, scale);
}

struct Add {
  bool operator()(Int128 a, Int128 b, Int128& out) const { return !__builtin_add_overflow(a, b, &out); }
  void operator()(const Wide& a, const Wide& b, Wide& out) const { out = a + b; }
};
struct Subtract {
  bool operator()(Int128 a, Int128 b, Int128& out) const { return !__builtin_sub_overflow(a, b, &out); }
  void operator()(const Wide& a, const Wide& b, Wide& out) const { out = a - b; }
};
struct Modulo {
  bool operator()(Int128 a, Int128 b, Int128& out) const { out = a % b; return true; }
  void operator()(const Wide& a, const Wide& b, Wide& out) const { out = a % b; }
};

}  // namespace

Int128 power_of_ten(int n) { return kPowers[static_cast<std::size_t>(n)]; }

bool fits_precision(Int128 value, int precision) {
  const Int128 limit = power_of_ten(precision);
  return value < limit && value > -limit;
}

std::optional<Int128> rescale(Scaled v, int precision, int scale) {
  Int128 x = v.value;
  if (scale >= v.scale) {
    if (!scale_up(x, scale - v.scale)) return x == 0 ? std::optional<Int128>(0) : std::nullopt;
  } else {
    const int down = v.scale - scale;
    x = down > 38 ? 0 : divide_half_up(x, power_of_ten(down));
  }
  if (!fits_precision(x, precision)) return std::nullopt;
  return x;
}

std::optional<Int128> decimal_add(Scaled a, Scaled b, int precision, int scale) { return aligned(a, b, precision, scale, Add{}); }
std::optional<Int128> decimal_subtract(Scaled a, Scaled b, int precision, int scale) { return aligned(a, b, precision, scale, Subtract{}); }
std::optional<Int128> decimal_modulo(Scaled a, Scaled b, int precision, int scale) { return aligned(a, b, precision, scale, Modulo{}); }

std::optional<Int128> decimal_multiply(Scaled a, Scaled b, int precision, int scale) {
  Int128 product = 0;
  if (!__builtin_mul_overflow(a.value, b.value, &product)) return rescale({product, a.scale + b.scale}, precision, scale);
  return rescale_wide(Wide(a.value) * Wide(b.value), a.scale + b.scale, precision, scale);
}

std::optional<Int128> decimal_divide(Scaled a, Scaled b, int precision, int scale) {
  // a / 10^sa : b / 10^sb at scale s is a * 10^(s + sb - sa) : b.
  const int up = scale + b.scale - a.scale;
  Int128 numerator = a.value;
  if (up >= 0 && scale_up(numerator, up)) {
    const Int128 q = divide_half_up(numerator, b.value);
    return fits_precision(q, precision) ? std::optional<Int128>(q) : std::nullopt;
  }
  const Wide n = up >= 0 ? Wide(a.value) * wide_power(up) : Wide(a.value);
  const Wide d = up >= 0 ? Wide(b.value) : Wide(b.value) * wide_power(-up);
  return narrowed(divide_half_up(n, d), precision);
}

std::optional<Int128> decimal_from_double(double v, int precision, int scale) {
  if (!std::isfinite(v) || std::abs(v) >= 1e38) return std::nullopt;
  // As Java's BigDecimal.valueOf: from the shortest decimal text of the double, not from its binary value.
  std::array<char, 400> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), v, std::chars_format::fixed);
  const auto parsed = parse_decimal({text.data(), static_cast<std::size_t>(end.ptr - text.data())}, precision, scale);
  return parsed ? std::optional<Int128>(*parsed) : std::nullopt;
}

double decimal_to_double(Scaled v) {
  // Through text for the correctly rounded value beyond 2^53.
  constexpr Int128 kExact = Int128{1} << 53;
  if (v.value < kExact && v.value > -kExact && v.scale <= 22) return static_cast<double>(v.value) / static_cast<double>(power_of_ten(v.scale));
  const std::string text = format_decimal(v.value, v.scale);
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

Int128 decimal_whole(Scaled v) { return v.value / power_of_ten(v.scale); }

}  // namespace supyo::expr
