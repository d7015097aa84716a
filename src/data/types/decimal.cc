#include <fmt/format.h>

#include <charconv>

#include "data/types/value.h"

namespace supyo {
namespace {

using UInt128 = unsigned __int128;

constexpr UInt128 power_of_ten(int n) {
  UInt128 p = 1;
  for (int i = 0; i < n; ++i) p *= 10;
  return p;
}

std::unexpected<Error> malformed(std::string_view s) {
  return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' is not a number", s), "expected digits with an optional sign, point and exponent");
}

std::unexpected<Error> beyond(std::string_view s, int precision, int scale) {
  return fail(ErrorCode::kValueOutOfRange, fmt::format("'{}' does not fit DECIMAL({}, {})", s, precision, scale));
}

/// A decimal text taken apart: the digits without the point, and how many of them stand before it (with the exponent applied).
struct Digits {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  std::int64_t exponent = 0;

  std::size_t count() const { return whole.size() + fraction.size(); }
  int at(std::size_t i) const { return (i < whole.size() ? whole[i] : fraction[i - whole.size()]) - '0'; }
};

std::string_view take_digits(std::string_view& s) {
  std::size_t n = 0;
  while (n < s.size() && s[n] >= '0' && s[n] <= '9') ++n;
  const std::string_view digits = s.substr(0, n);
  s.remove_prefix(n);
  return digits;
}

bool split(std::string_view s, Digits& out) {
  if (s.starts_with('-') || s.starts_with('+')) {
    out.negative = s.front() == '-';
    s.remove_prefix(1);
  }
  out.whole = take_digits(s);
  if (s.starts_with('.')) {
    s.remove_prefix(1);
    out.fraction = take_digits(s);
  }
  if (out.count() == 0) return false;
  if (s.empty()) return true;
  if (s.front() != 'e' && s.front() != 'E') return false;
  s.remove_prefix(1);
  if (s.starts_with('+')) s.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), exponent);
  if (error != std::errc{} || end != s.data() + s.size()) return false;
  out.exponent = exponent;
  return true;
}

}  // namespace

Result<Int128> parse_decimal(std::string_view s, int precision, int scale) {
  Digits d;
  if (!split(s, d)) return malformed(s);
  // The unscaled value is the first `keep` digits (with zeros after the last), rounded by the digit behind them.
  const std::int64_t keep = static_cast<std::int64_t>(d.whole.size()) + d.exponent + scale;
  const auto count = static_cast<std::int64_t>(d.count());
  const UInt128 limit = power_of_ten(precision);
  UInt128 value = 0;
  for (std::int64_t i = 0; i < keep; ++i) {
    if (i >= count && value == 0) break;   // "0e999999999" must not loop for long
    value = value * 10 + static_cast<UInt128>(i < count ? d.at(static_cast<std::size_t>(i)) : 0);
    if (value >= limit) return beyond(s, precision, scale);
  }
  if (keep >= 0 && keep < count && d.at(static_cast<std::size_t>(keep)) >= 5) ++value;
  if (value >= limit) return beyond(s, precision, scale);
  return d.negative ? -static_cast<Int128>(value) : static_cast<Int128>(value);
}

std::string format_decimal(Int128 unscaled, int scale) {
  UInt128 magnitude = unscaled < 0 ? UInt128{0} - static_cast<UInt128>(unscaled) : static_cast<UInt128>(unscaled);
  char text[64];
  char* const end = text + sizeof text;
  char* p = end;
  for (int digits = 0; magnitude != 0 || digits <= scale; ++digits) {
    if (digits == scale && scale > 0) *--p = '.';
    *--p = static_cast<char>('0' + static_cast<int>(magnitude % 10));
    magnitude /= 10;
  }
  if (unscaled < 0) *--p = '-';
  return {p, static_cast<std::size_t>(end - p)};
}

}  // namespace supyo
