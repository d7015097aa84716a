#include <fmt/format.h>

#include <array>

#include "core/base/duration.h"
#include "data/types/value.h"

namespace supyo {
namespace {

std::unexpected<Error> malformed(std::string_view s, std::string_view type, std::string_view form) {
  return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' is not a {}", s, type), fmt::format("expected {}", form));
}

std::unexpected<Error> out_of_range(std::string_view s, std::string_view type, std::string_view part) {
  return fail(ErrorCode::kValueOutOfRange, fmt::format("'{}' is not a {}: {} out of range", s, type, part));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads a number of `least` to `most` digits from the front of `s`; -1 when there are too few.
int take_number(std::string_view& s, int least, int most) {
  int value = 0;
  int digits = 0;
  while (digits < most && !s.empty() && is_digit(s.front())) {
    value = value * 10 + (s.front() - '0');
    s.remove_prefix(1);
    ++digits;
  }
  return digits < least ? -1 : value;
}

bool take_char(std::string_view& s, char c) {
  if (!s.starts_with(c)) return false;
  s.remove_prefix(1);
  return true;
}

bool is_leap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int days_in_month(std::int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Days of the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the last of its year, and in
// eras of 400 years, which all have 146,097 days. Day 0 of era 0 is 0000-03-01, 719,468 days before 1970-01-01.
constexpr std::int64_t kDaysPerEra = 146'097;
constexpr std::int64_t kEraStartToEpoch = 719'468;

std::int64_t days_from_date(std::int64_t year, int month, int day) {
  const std::int64_t march_year = month > 2 ? year : year - 1;
  const std::int64_t era = floor_div(march_year, 400);
  const std::int64_t year_of_era = march_year - era * 400;
  const std::int64_t months_after_march = (month + 9) % 12;
  const std::int64_t day_of_year = (153 * months_after_march + 2) / 5 + day - 1;  // 153 days in every five months from March
  return era * kDaysPerEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - kEraStartToEpoch;
}

struct Date {
  std::int64_t year;
  int month;
  int day;
};

Date date_from_days(std::int64_t days) {
  days += kEraStartToEpoch;
  const std::int64_t era = floor_div(days, kDaysPerEra);
  const std::int64_t day_of_era = days - era * kDaysPerEra;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t months_after_march = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(months_after_march < 10 ? months_after_march + 3 : months_after_march - 9);
  return {.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
          .month = month,
          .day = static_cast<int>(day_of_year - (153 * months_after_march + 2) / 5 + 1)};
}

constexpr std::string_view kDateForm = "YYYY-MM-DD";
constexpr std::string_view kTimeForm = "HH:MM[:SS[.ffffff]]";
constexpr std::string_view kTimestampForm = "YYYY-MM-DD HH:MM[:SS[.ffffff]], with a T for the blank and a Z at the end if you like";

Result<std::int64_t> take_date(std::string_view& s, std::string_view whole, std::string_view type, std::string_view form) {
  const int year = take_number(s, 4, 4);
  if (year < 0 || !take_char(s, '-')) return malformed(whole, type, form);
  const int month = take_number(s, 1, 2);
  if (month < 0 || !take_char(s, '-')) return malformed(whole, type, form);
  const int day = take_number(s, 1, 2);
  if (day < 0) return malformed(whole, type, form);
  if (month < 1 || month > 12) return out_of_range(whole, type, "month");
  if (day < 1 || day > days_in_month(year, month)) return out_of_range(whole, type, "day");
  return days_from_date(year, month, day);
}

Result<std::int64_t> take_time(std::string_view& s, std::string_view whole, std::string_view type, std::string_view form) {
  const int hour = take_number(s, 1, 2);
  if (hour < 0 || !take_char(s, ':')) return malformed(whole, type, form);
  const int minute = take_number(s, 1, 2);
  if (minute < 0) return malformed(whole, type, form);
  int second = 0;
  std::int64_t micros = 0;
  if (take_char(s, ':')) {
    second = take_number(s, 1, 2);
    if (second < 0) return malformed(whole, type, form);
    if (take_char(s, '.')) {
      if (s.empty() || !is_digit(s.front())) return malformed(whole, type, form);
      for (std::int64_t scale = 100'000; !s.empty() && is_digit(s.front()); s.remove_prefix(1), scale /= 10) micros += (s.front() - '0') * scale;
    }
  }
  if (hour > 23) return out_of_range(whole, type, "hour");
  if (minute > 59) return out_of_range(whole, type, "minute");
  if (second > 59) return out_of_range(whole, type, "second");
  return hour * kHour + minute * kMinute + second * kSecond + micros;
}

void append_fraction(std::string& out, std::int64_t us_of_second, int precision) {
  if (precision <= 0) return;
  std::int64_t value = us_of_second;
  for (int p = precision; p < 6; ++p) value /= 10;
  fmt::format_to(std::back_inserter(out), ".{:0{}}", value, std::min(precision, 6));
}

}  // namespace

Result<std::int32_t> parse_date(std::string_view s) {
  std::string_view rest = s;
  SUPYO_ASSIGN(const std::int64_t days, take_date(rest, s, "DATE", kDateForm));
  if (!rest.empty()) return malformed(s, "DATE", kDateForm);
  return static_cast<std::int32_t>(days);
}

Result<std::int64_t> parse_time(std::string_view s) {
  std::string_view rest = s;
  SUPYO_ASSIGN(const std::int64_t us, take_time(rest, s, "TIME", kTimeForm));
  if (!rest.empty()) return malformed(s, "TIME", kTimeForm);
  return us;
}

Result<TimeUs> parse_timestamp(std::string_view s) {
  std::string_view rest = s;
  SUPYO_ASSIGN(const std::int64_t days, take_date(rest, s, "TIMESTAMP", kTimestampForm));
  std::int64_t us = 0;
  if (!rest.empty()) {
    if (!take_char(rest, ' ') && !take_char(rest, 'T')) return malformed(s, "TIMESTAMP", kTimestampForm);
    SUPYO_ASSIGN(us, take_time(rest, s, "TIMESTAMP", kTimestampForm));
    take_char(rest, 'Z');
    if (!rest.empty()) return malformed(s, "TIMESTAMP", kTimestampForm);
  }
  return days * kDay + us;
}

std::string format_date(std::int32_t days) {
  const Date d = date_from_days(days);
  return fmt::format("{:04}-{:02}-{:02}", d.year, d.month, d.day);
}

std::string format_time(std::int64_t us, int precision) {
  const std::int64_t seconds = us / kSecond;
  std::string out = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  append_fraction(out, us % kSecond, precision);
  return out;
}

std::string format_timestamp(TimeUs us, int precision) {
  const std::int64_t days = floor_div(us, kDay);
  const std::int64_t rest = us % kDay + (us % kDay < 0 ? kDay : 0);
  const Date d = date_from_days(days);
  const std::int64_t seconds = rest / kSecond;
  std::string out = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", d.year, d.month, d.day, seconds / 3600, seconds / 60 % 60, seconds % 60);
  append_fraction(out, rest % kSecond, precision);
  return out;
}

}  // namespace supyo
