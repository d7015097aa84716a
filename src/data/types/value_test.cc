#include "data/types/value.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "data/types/testing.h"

namespace supyo {
namespace {

using testing_types::Draw;

Int128 power(int n) {
  Int128 p = 1;
  while (n-- > 0) p *= 10;
  return p;
}

TEST(Dates, EveryDayOfTheCalendarRoundTrips) {
  namespace c = std::chrono;
  const int first = static_cast<int>(c::sys_days(c::year(1) / 1 / 1).time_since_epoch().count());
  const int last = static_cast<int>(c::sys_days(c::year(9999) / 12 / 31).time_since_epoch().count());
  for (int day = first; day <= last; day += 3) {
    const c::year_month_day ymd{c::sys_days(c::days(day))};
    const std::string text = format_date(day);
    ASSERT_EQ(text, fmt::format("{:04}-{:02}-{:02}", int(ymd.year()), unsigned(ymd.month()), unsigned(ymd.day())));
    ASSERT_EQ(parse_date(text).value(), day);
  }
}

TEST(Dates, Refusals) {
  for (const char* s : {"", "2013", "2013-01", "2013-01-01x", "x2013-01-01", "13-01-01", "2013/01/01", " 2013-01-01", "2013-01-011"}) {
    ASSERT_FALSE(parse_date(s)) << s;
    EXPECT_EQ(parse_date(s).error().code, ErrorCode::kMalformedRecord) << s;
  }
  for (const char* s : {"2013-00-01", "2013-13-01", "2013-02-29", "2013-04-31", "1900-02-29", "2013-01-00"}) {
    ASSERT_FALSE(parse_date(s)) << s;
    EXPECT_EQ(parse_date(s).error().code, ErrorCode::kValueOutOfRange) << s;
  }
  EXPECT_TRUE(parse_date("2000-02-29"));
  EXPECT_EQ(parse_date("2013-1-5").value(), parse_date("2013-01-05").value());
}

TEST(Timestamps, RoundTripAtEveryPrecision) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Draw draw(seed);
    const int precision = static_cast<int>(draw.below(7));
    std::int64_t grain = 1;
    for (int i = precision; i < 6; ++i) grain *= 10;
    const TimeUs us = (static_cast<TimeUs>(draw.below(300'000ULL * kDay)) - 60'000 * kDay) / grain * grain;
    const std::string text = format_timestamp(us, precision);
    ASSERT_EQ(parse_timestamp(text).value(), us) << text << " precision " << precision;
  }
}

TEST(Timestamps, FormsTaken) {
  const TimeUs t = parse_timestamp("2013-01-01 05:15:00").value();
  EXPECT_EQ(t, 1'357'017'300'000'000);
  EXPECT_EQ(parse_timestamp("2013-01-01T05:15:00Z").value(), t);
  EXPECT_EQ(parse_timestamp("2013-01-01 05:15").value(), t);
  EXPECT_EQ(parse_timestamp("2013-01-01 05:15:00.000000999").value(), t);
  EXPECT_EQ(parse_timestamp("2013-01-01 05:15:00.5").value(), t + 500'000);
  EXPECT_EQ(parse_timestamp("2013-01-01").value(), t - 5 * kHour - 15 * kMinute);
  EXPECT_EQ(format_timestamp(t, 3), "2013-01-01 05:15:00.000");
  EXPECT_EQ(format_timestamp(-1, 6), "1969-12-31 23:59:59.999999");
  for (const char* s : {"2013-01-01 ", "2013-01-01  05:15", "2013-01-01 05:15:00.", "2013-01-01 05:15:00+09:00", "2013-01-01 05", "2013-01-01 05:15ZZ"}) {
    ASSERT_FALSE(parse_timestamp(s)) << s;
    EXPECT_EQ(parse_timestamp(s).error().code, ErrorCode::kMalformedRecord) << s;
  }
  for (const char* s : {"2013-01-01 24:00", "2013-01-01 05:60", "2013-01-01 05:15:60", "2013-02-30 05:15"}) {
    ASSERT_FALSE(parse_timestamp(s)) << s;
    EXPECT_EQ(parse_timestamp(s).error().code, ErrorCode::kValueOutOfRange) << s;
  }
  // Extremes print without trapping.
  EXPECT_FALSE(format_timestamp(kTimeMin, 6).empty());
  EXPECT_FALSE(format_timestamp(kTimeMax, 6).empty());
}

TEST(Times, RoundTrip) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Draw draw(seed);
    const auto us = static_cast<std::int64_t>(draw.below(kDay));
    ASSERT_EQ(parse_time(format_time(us, 6)).value(), us);
  }
  EXPECT_EQ(format_time(parse_time("05:15").value(), 0), "05:15:00");
}

TEST(Decimals, RoundTripUpTo38Digits) {
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    Draw draw(seed);
    const int precision = 1 + static_cast<int>(draw.below(38));
    const int scale = static_cast<int>(draw.below(static_cast<std::uint64_t>(precision) + 1));
    Int128 v = static_cast<Int128>((static_cast<unsigned __int128>(draw.next()) << 62 | draw.next()) % static_cast<unsigned __int128>(power(precision)));
    if (draw.one_in(2)) v = -v;
    const std::string text = format_decimal(v, scale);
    const auto back = parse_decimal(text, precision, scale);
    ASSERT_TRUE(back) << text;
    ASSERT_TRUE(*back == v) << text << " became " << format_decimal(*back, scale);
  }
}

TEST(Decimals, RoundsHalfAwayFromZeroAndChecksPrecision) {
  const auto text = [](const char* s, int p, int scale) { return format_decimal(parse_decimal(s, p, scale).value(), scale); };
  EXPECT_EQ(text("12.345", 10, 2), "12.35");
  EXPECT_EQ(text("-12.345", 10, 2), "-12.35");
  EXPECT_EQ(text("12.3449999999999999999999999999999999999999999", 10, 2), "12.34");
  EXPECT_EQ(text("1e3", 10, 2), "1000.00");
  EXPECT_EQ(text("1.5E-1", 10, 2), "0.15");
  EXPECT_EQ(text("+.5", 10, 0), "1");
  EXPECT_EQ(text("5.", 10, 1), "5.0");
  EXPECT_EQ(text("0.004", 3, 2), "0.00");
  EXPECT_EQ(text("0e999999999", 3, 2), "0.00");
  EXPECT_EQ(text("1e-999999999", 3, 2), "0.00");
  EXPECT_EQ(format_decimal(-5, 2), "-0.05");
  for (const char* s : {"9.995", "10", "-10", "1e1", "1e999999999"}) {
    ASSERT_FALSE(parse_decimal(s, 3, 2)) << s;
    EXPECT_EQ(parse_decimal(s, 3, 2).error().code, ErrorCode::kValueOutOfRange) << s;
  }
  for (const char* s : {"", "-", ".", "1.2.3", "1e", "e5", "1 ", "0x10", "1e5.5", "nan", "1e99999999999"}) {
    ASSERT_FALSE(parse_decimal(s, 10, 2)) << s;
    EXPECT_EQ(parse_decimal(s, 10, 2).error().code, ErrorCode::kMalformedRecord) << s;
  }
}

TEST(Durations, RoundTripAndForms) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    Draw draw(seed);
    const auto us = static_cast<DurationUs>(draw.next() >> (1 + draw.below(62)));
    EXPECT_EQ(parse_duration(format_duration(us)).value(), us);
  }
  EXPECT_EQ(format_duration(90 * kSecond), "90s");
  EXPECT_EQ(format_duration(120 * kSecond), "2m");
  EXPECT_EQ(format_duration(48 * kHour), "2d");
  EXPECT_EQ(parse_duration("100 millis").value(), 100'000);
  EXPECT_EQ(parse_duration("3min").value(), 3 * kMinute);
  EXPECT_EQ(parse_duration("0").value(), 0);
  for (const char* s : {"", "3", "s", "-3s", "3 fortnights", "99999999999999999999s", "9999999999999999d", "1.5s"}) {
    ASSERT_FALSE(parse_duration(s)) << s;
    EXPECT_EQ(parse_duration(s).error().code, ErrorCode::kBadOptionValue) << s;
  }
}

TEST(Values, PrintAsFlinksConsole) {
  const auto text = [](const Type& t, auto v) { return Value{t, v}.to_string(); };
  EXPECT_EQ((Value{Type::big_int(), {}}).to_string(), "NULL");
  EXPECT_EQ(text(Type::boolean(), true), "true");
  EXPECT_EQ(text(Type::decimal(10, 2), Int128{1250}), "12.50");
  EXPECT_EQ(text(Type::timestamp(3), std::int64_t{1'357'017'300'000'000}), "2013-01-01 05:15:00.000");
  EXPECT_EQ(text(Type::double_(), 1.0), "1.0");
  EXPECT_EQ(text(Type::double_(), 0.001), "0.001");
  EXPECT_EQ(text(Type::double_(), 0.00012345), "1.2345E-4");
  EXPECT_EQ(text(Type::double_(), 1e7), "1.0E7");
  EXPECT_EQ(text(Type::double_(), 1234567.25), "1234567.25");
  EXPECT_EQ(text(Type::double_(), -0.1), "-0.1");
  EXPECT_EQ(text(Type::float_(), static_cast<double>(0.1F)), "0.1");
  EXPECT_EQ(text(Type::double_(), std::nan("")), "NaN");
  EXPECT_EQ(text(Type::double_(), -std::numeric_limits<double>::infinity()), "-Infinity");
  EXPECT_EQ(text(Type::bytes(), std::string("A\xff", 2)), "x'41ff'");
  EXPECT_EQ(text(Type::interval_month(), std::int64_t{-14}), "-1-02");
  EXPECT_EQ(text(Type::interval_day(), std::int64_t{90'061'500'000}), "+1 01:01:01.500000");
}

TEST(Values, DoublesPrintTheirShortestForm) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Draw draw(seed);
    const double v = std::bit_cast<double>(draw.next());
    if (!std::isfinite(v)) continue;
    EXPECT_EQ(std::strtod(Value{Type::double_(), v}.to_string().c_str(), nullptr), v) << seed;
  }
}

TEST(Values, TextOfAColumnEqualsTextOfItsValue) {
  Draw draw(11);
  for (const Type& type : testing_types::all_types()) {
    const ColumnPtr c = testing_types::column_of(type, testing_types::random_values(type, 100, 4, draw));
    for (std::size_t i = 0; i < 100; ++i) {
      std::string out = "|";
      append_text_of(*c, i, out);
      ASSERT_EQ(out, "|" + value_at(*c, i).to_string()) << type.to_string();
    }
  }
}

}  // namespace
}  // namespace supyo
