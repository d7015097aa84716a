#include "sql/expr/time_unit.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "sql/expr/time_pattern.h"

namespace supyo::expr {

namespace {

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0); }
std::int64_t positive_rest(std::int64_t a, std::int64_t b) { return a - floor_divide(a, b) * b; }

/// Monday = 0.
std::int64_t weekday(std::int64_t days) { return positive_rest(days + 3, 7); }

/// ISO 8601: week 1 holds the year's first Thursday.
struct IsoWeek {
  std::int64_t year;
  std::int64_t week;
};
IsoWeek iso_week(std::int64_t days) {
  const std::int64_t thursday = days - weekday(days) + 3;
  const int year = civil_from(thursday * kDay).year;
  return {year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1};
}

std::int64_t months_of(const CivilTime& c) { return static_cast<std::int64_t>(c.year) * 12 + c.month - 1; }

/// Months of a calendar unit; 0 for the others.
std::int64_t unit_months(TimeUnit u) {
  switch (u) {
    case TimeUnit::kMonth: return 1;
    case TimeUnit::kQuarter: return 3;
    case TimeUnit::kYear: return 12;
    case TimeUnit::kDecade: return 120;
    case TimeUnit::kCentury: return 1200;
    case TimeUnit::kMillennium: return 12000;
    default: return 0;
  }
}

TimeUs start_of_month(std::int64_t months) {
  const std::int64_t year = floor_divide(months, 12);
  return days_from_civil(static_cast<int>(year), static_cast<int>(months - year * 12) + 1, 1) * kDay;
}

}  // namespace

Result<TimeUnit> parse_time_unit(std::string_view text) {
  std::string s;
  for (const char c : text) s += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  if (s.starts_with("SQL_TSI_")) s.erase(0, 8);
  static constexpr std::array<std::pair<std::string_view, TimeUnit>, 23> kNames = {{
      {"NANOSECOND", TimeUnit::kNanosecond},
      {"MICROSECOND", TimeUnit::kMicrosecond}, {"MILLISECOND", TimeUnit::kMillisecond}, {"SECOND", TimeUnit::kSecond}, {"MINUTE", TimeUnit::kMinute},
      {"HOUR", TimeUnit::kHour}, {"DAY", TimeUnit::kDay}, {"WEEK", TimeUnit::kWeek}, {"MONTH", TimeUnit::kMonth}, {"QUARTER", TimeUnit::kQuarter},
      {"YEAR", TimeUnit::kYear}, {"DECADE", TimeUnit::kDecade}, {"CENTURY", TimeUnit::kCentury}, {"MILLENNIUM", TimeUnit::kMillennium},
      {"DOW", TimeUnit::kDayOfWeek}, {"ISODOW", TimeUnit::kIsoDayOfWeek}, {"DOY", TimeUnit::kDayOfYear}, {"ISOYEAR", TimeUnit::kIsoYear},
      {"EPOCH", TimeUnit::kEpoch}, {"DAYOFWEEK", TimeUnit::kDayOfWeek}, {"DAYOFYEAR", TimeUnit::kDayOfYear}, {"DAYOFMONTH", TimeUnit::kDay},
      {"FRAC_SECOND", TimeUnit::kMicrosecond},
  }};
  for (const auto& [name, unit] : kNames) {
    if (s == name || (s.ends_with('S') && std::string_view(s).substr(0, s.size() - 1) == name)) return unit;
  }
  return fail(ErrorCode::kArithmetic, fmt::format("'{}' is not a unit of time", text), "SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR, ..");
}

DurationUs unit_length(TimeUnit u) {
  switch (u) {
    case TimeUnit::kMicrosecond: return 1;
    case TimeUnit::kMillisecond: return kMillisecond;
    case TimeUnit::kSecond: return kSecond;
    case TimeUnit::kMinute: return kMinute;
    case TimeUnit::kHour: return kHour;
    case TimeUnit::kDay: return kDay;
    case TimeUnit::kWeek: return 7 * kDay;
    default: return 0;
  }
}

std::int64_t extract_unit(TimeUnit u, TimeUs t) {
  const std::int64_t days = floor_divide(t, kDay);
  const CivilTime c = civil_from(t);
  switch (u) {
    // As Flink computes it: the fraction of the second.
    case TimeUnit::kNanosecond: return positive_rest(t, kSecond) * 1000;
    case TimeUnit::kMicrosecond: return positive_rest(t, kSecond);
    case TimeUnit::kMillisecond: return positive_rest(t, kSecond) / kMillisecond;
    case TimeUnit::kSecond: return c.second;
    case TimeUnit::kMinute: return c.minute;
    case TimeUnit::kHour: return c.hour;
    case TimeUnit::kDay: return c.day;
    case TimeUnit::kWeek: return iso_week(days).week;
    case TimeUnit::kMonth: return c.month;
    case TimeUnit::kQuarter: return (c.month - 1) / 3 + 1;
    case TimeUnit::kYear: return c.year;
    case TimeUnit::kDecade: return floor_divide(c.year, 10);
    case TimeUnit::kCentury: return c.year > 0 ? (c.year + 99) / 100 : (c.year - 99) / 100;
    case TimeUnit::kMillennium: return c.year > 0 ? (c.year + 999) / 1000 : (c.year - 999) / 1000;
    case TimeUnit::kDayOfWeek: return positive_rest(weekday(days) + 1, 7) + 1;
    case TimeUnit::kIsoDayOfWeek: return weekday(days) + 1;
    case TimeUnit::kDayOfYear: return days - days_from_civil(c.year, 1, 1) + 1;
    case TimeUnit::kIsoYear: return iso_week(days).year;
    case TimeUnit::kEpoch: return floor_divide(t, kSecond);
  }
  return 0;
}

TimeUs floor_to_unit(TimeUnit u, TimeUs t) {
  if (u == TimeUnit::kWeek) {
    // As Calcite: weeks begin on Sunday.
    const std::int64_t days = floor_divide(t, kDay);
    return (days - positive_rest(days + 4, 7)) * kDay;
  }
  if (const DurationUs length = unit_length(u); length != 0) return floor_divide(t, length) * length;
  const std::int64_t step = unit_months(u);
  if (step == 0) return t;
  // Centuries and millennia begin with their year 1.
  const std::int64_t shift = step > 120 ? 12 : 0;
  return start_of_month(floor_divide(months_of(civil_from(t)) - shift, step) * step + shift);
}

TimeUs ceil_to_unit(TimeUnit u, TimeUs t) {
  const TimeUs start = floor_to_unit(u, t);
  if (start == t) return t;
  if (const DurationUs length = unit_length(u); length != 0) return start + length;
  return start_of_month(months_of(civil_from(start)) + unit_months(u));
}

TimeUs add_units(TimeUnit u, std::int64_t n, TimeUs t) {
  const TimeUs beyond = n < 0 ? kTimeMin : kTimeMax;
  if (const DurationUs length = unit_length(u); length != 0) {
    std::int64_t distance = 0;
    TimeUs sum = 0;
    return __builtin_mul_overflow(n, length, &distance) || __builtin_add_overflow(t, distance, &sum) ? beyond : sum;
  }
  constexpr std::int64_t kMostUnits = 12 * 20'000;  // months; further than any year that prints
  if (n > kMostUnits || n < -kMostUnits) return beyond;
  const std::int64_t days = floor_divide(t, kDay);
  return add_months(days, n * unit_months(u)) * kDay + positive_rest(t, kDay);
}

std::int64_t units_between(TimeUnit u, TimeUs a, TimeUs b) {
  if (const DurationUs length = unit_length(u); length != 0) return (b - a) / length;
  const std::int64_t step = unit_months(u);
  if (step == 0) return 0;
  if (b < a) return -units_between(u, b, a);   // from January 31st to February 29th is a month, and so is the way back
  std::int64_t months = months_of(civil_from(b)) - months_of(civil_from(a));
  // A month that has begun but not ended does not count.
  const TimeUs reached = add_units(TimeUnit::kMonth, months, a);
  if (months > 0 && reached > b) --months;
  return months / step;
}

}  // namespace supyo::expr
