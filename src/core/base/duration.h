#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo {

/// "3s", "250ms", "10m", "1h", "2d", "100us": settings, scenario files, command line. Flink's longer unit names (min, sec, minutes, ...) and
/// a blank before the unit are taken too; a bare number is refused, except 0. kBadOptionValue.
Result<DurationUs> parse_duration(std::string_view s);
/// The shortest exact form of the same grammar: 90 s is "90s", 120 s is "2m", 0 is "0s".
std::string format_duration(DurationUs us);

}  // namespace supyo
