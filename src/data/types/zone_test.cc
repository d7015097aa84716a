#include "data/types/zone.h"

#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <random>

#include "data/types/value.h"

namespace supyo {
namespace {

TimeUs at(std::string_view text) { return parse_timestamp(text).value(); }
std::string shown(TimeUs t) { return format_timestamp(t, 0); }

TEST(Zones, OffsetsAndNames) {
  const auto offset = [](std::string_view name) -> std::optional<DurationUs> {
    const auto zone = Zone::parse(name);
    return zone ? std::optional(zone->to_local(0)) : std::nullopt;
  };
  for (const char* utc : {"UTC", "Z", "GMT", "Etc/UTC", "+00:00", "UTC+0"}) EXPECT_EQ(offset(utc), 0) << utc;
  for (const char* seoul : {"+09:00", "+9", "GMT+9", "UTC+09:00", "+0900", "Asia/Seoul", "Asia/Tokyo"}) EXPECT_EQ(offset(seoul), 9 * kHour) << seoul;
  EXPECT_EQ(offset("-03:30"), -3 * kHour - 30 * kMinute);
  for (const char* wrong : {"", "Asia/Soul", "+19:00", "+9:5", "+:30", "+09:60", "+09:", "9", "/etc/passwd", "../UTC", "localtime", "Europe"})
    EXPECT_EQ(offset(wrong), std::nullopt) << wrong;
  EXPECT_TRUE(Zone::parse("Z")->is_utc());
  EXPECT_FALSE(Zone::parse("Europe/Berlin")->is_utc());
}

TEST(Zones, ClocksSetForwardAndBack) {
  const Zone z = Zone::parse("America/New_York").value();
  EXPECT_EQ(shown(z.to_local(at("2026-03-08 06:59:59"))), "2026-03-08 01:59:59");
  EXPECT_EQ(shown(z.to_local(at("2026-03-08 07:00:00"))), "2026-03-08 03:00:00");
  // 02:30 was not: it is read as 03:30, and has passed when the clocks were set.
  EXPECT_EQ(shown(z.to_utc(at("2026-03-08 02:30:00"))), "2026-03-08 07:30:00");
  EXPECT_EQ(shown(z.passed(at("2026-03-08 02:30:00"))), "2026-03-08 07:00:00");
  EXPECT_EQ(shown(z.passed(at("2026-03-08 01:59:59"))), "2026-03-08 06:59:59");
  EXPECT_EQ(shown(z.to_utc(at("2026-03-08 03:00:00"))), "2026-03-08 07:00:00");
  // 01:30 came twice: the first is meant, and it has passed after the second.
  EXPECT_EQ(shown(z.to_utc(at("2026-11-01 01:30:00"))), "2026-11-01 05:30:00");
  EXPECT_EQ(shown(z.passed(at("2026-11-01 01:30:00"))), "2026-11-01 06:30:00");
  EXPECT_EQ(shown(z.to_utc(at("2026-11-01 02:00:00"))), "2026-11-01 07:00:00");
  EXPECT_EQ(shown(z.to_local(at("2250-07-01 00:00:00"))), "2250-06-30 20:00:00");   // by the rules of today
}

TEST(Zones, AgreeWithTheDatabase) {
  std::mt19937_64 random(7);
  for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Seoul", "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo"}) {
    const Zone zone = Zone::parse(name).value();
    absl::TimeZone database;
    ASSERT_TRUE(absl::LoadTimeZone(name, &database));
    for (int i = 0; i < 20'000; ++i) {
      const TimeUs t = static_cast<TimeUs>(random() % (500ULL * 365 * kDay)) - 260LL * 365 * kDay;
      const TimeUs local = zone.to_local(t);
      ASSERT_EQ(local - t, DurationUs{database.At(absl::FromUnixMicros(t)).offset} * kSecond) << name << " " << t;
      const TimeUs first = zone.to_utc(local);
      const TimeUs last = zone.passed(local);
      ASSERT_TRUE(first <= t && t <= last && zone.to_local(first) == local && zone.to_local(last) == local) << name << " " << shown(t);
      ASSERT_LE(zone.passed(local - 1), last) << name << " " << shown(t);
      const auto civil = database.At(absl::ToCivilSecond(absl::FromUnixMicros(local), absl::UTCTimeZone()));
      const TimeUs part = ((local % kSecond) + kSecond) % kSecond;
      ASSERT_EQ(first, absl::ToUnixMicros(civil.pre) + part) << name << " " << shown(t);
      ASSERT_EQ(last, absl::ToUnixMicros(civil.post) + part) << name << " " << shown(t);
    }
  }
}

}  // namespace
}  // namespace supyo
