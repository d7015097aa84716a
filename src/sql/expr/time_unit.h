#pragma once
#include <optional>
#include <string_view>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::expr {

/// Units of EXTRACT, FLOOR .. TO, TIMESTAMPADD and TIMESTAMPDIFF. The binder hands them over as a STRING literal: 'HOUR'.
enum class TimeUnit {
  kNanosecond, kMicrosecond, kMillisecond, kSecond, kMinute, kHour, kDay, kWeek, kMonth, kQuarter, kYear, kDecade, kCentury, kMillennium,
  kDayOfWeek, kIsoDayOfWeek, kDayOfYear, kIsoYear, kEpoch,
};
/// Upper or lower case, SECOND or SECONDS or SQL_TSI_SECOND. Errors: kArithmetic (unknown unit).
Result<TimeUnit> parse_time_unit(std::string_view text);
/// Length of a unit up to kWeek; 0 for those that depend on the calendar.
DurationUs unit_length(TimeUnit u);
std::int64_t extract_unit(TimeUnit u, TimeUs local_us);
/// The start of the unit that holds the time.
TimeUs floor_to_unit(TimeUnit u, TimeUs local_us);
TimeUs ceil_to_unit(TimeUnit u, TimeUs local_us);
/// Far beyond the calendar it is kTimeMin or kTimeMax.
TimeUs add_units(TimeUnit u, std::int64_t n, TimeUs local_us);
/// Whole units from a to b, cut towards zero.
std::int64_t units_between(TimeUnit u, TimeUs a, TimeUs b);

}  // namespace supyo::expr
