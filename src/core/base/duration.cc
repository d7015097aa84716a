#include "core/base/duration.h"

#include <fmt/format.h>

#include <charconv>

namespace supyo {
namespace {

struct Unit {
  std::string_view name;
  DurationUs us;
};

// The first name of a unit is the one that format_duration() prints; units from long to short.
constexpr Unit kUnits[] = {
    {"d", kDay}, {"day", kDay}, {"days", kDay},
    {"h", kHour}, {"hour", kHour}, {"hours", kHour},
    {"m", kMinute}, {"min", kMinute}, {"minute", kMinute}, {"minutes", kMinute},
    {"s", kSecond}, {"sec", kSecond}, {"secs", kSecond}, {"second", kSecond}, {"seconds", kSecond},
    {"ms", kMillisecond}, {"milli", kMillisecond}, {"millis", kMillisecond}, {"millisecond", kMillisecond}, {"milliseconds", kMillisecond},
    {"us", 1}, {"micro", 1}, {"micros", 1}, {"microsecond", 1}, {"microseconds", 1},
};

std::unexpected<Error> bad(std::string_view s, std::string_view why) {
  return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a duration: {}", s, why), "write for example 250ms, 3s, 10m, 1h or 2d");
}

}  // namespace

Result<DurationUs> parse_duration(std::string_view s) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), number);
  if (error == std::errc::result_out_of_range) return bad(s, "too large");
  if (error != std::errc{}) return bad(s, "it does not begin with a whole number");
  if (number < 0) return bad(s, "it is negative");
  std::string_view unit(end, static_cast<std::size_t>(s.data() + s.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty()) {
    if (number == 0) return 0;
    return bad(s, "it has no unit");
  }
  for (const Unit& u : kUnits) {
    if (unit != u.name) continue;
    DurationUs us = 0;
    if (__builtin_mul_overflow(number, u.us, &us)) return bad(s, "too large");
    return us;
  }
  return bad(s, fmt::format("unknown unit '{}'", unit));
}

std::string format_duration(DurationUs us) {
  if (us == 0) return "0s";
  DurationUs last = 0;
  for (const Unit& u : kUnits) {
    if (u.us == last) continue;
    last = u.us;
    if (us % u.us == 0) return fmt::format("{}{}", us / u.us, u.name);
  }
  return fmt::format("{}us", us);
}

}  // namespace supyo
