#include "core/base/human_duration.h"

#include <fmt/format.h>

namespace supyo {

std::string human_duration(DurationUs us) {
  const double seconds = static_cast<double>(us) / kSecond;
  if (us == 0) return "0 s";
  if (us < kMillisecond) return fmt::format("{} us", us);
  if (us < kSecond) return fmt::format("{} ms", us / kMillisecond);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const std::int64_t whole = us / kSecond;
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86'400, whole / 3600 % 24);
}

}  // namespace supyo
