#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo {

/// A time zone: how far its clocks are ahead of UTC, at which moment. "Local" times are what its clocks show, as microseconds of a TIMESTAMP. A small value; any thread.
///
/// Where clocks are set forward, local times are missing; where they are set back, some come twice. As in Java (and Flink), to_utc() takes the first of two moments, and moves a
/// missing time on by what is missing.
class Zone {
 public:
  Zone() = default;   ///< UTC
  /// Always `offset_us` ahead of UTC.
  static Zone fixed(DurationUs offset_us) { Zone z; z.offset_ = offset_us; return z; }
  /// "UTC", "Z", "+09:00", "GMT+9", "Asia/Seoul", "Europe/Berlin": named zones are those of the system's time zone database. kBadOptionValue.
  static Result<Zone> parse(std::string_view name);

  TimeUs to_local(TimeUs utc) const { return plus(utc, rules_ ? offset_at(utc) : offset_); }
  TimeUs to_utc(TimeUs local) const { return rules_ ? earlier(local) : plus(local, -offset_); }
  /// The moment from which on no clock of the zone will show `local` again: when a window whose last time it is may fire.
  TimeUs passed(TimeUs local) const { return rules_ ? later(local) : plus(local, -offset_); }
  /// Neither moment is ahead of the other: nothing to do.
  bool is_utc() const { return !rules_ && offset_ == 0; }

 private:
  struct Rules;   // when the offset changes
  /// Wraps: texts and numbers of users can stand for any moment.
  static TimeUs plus(TimeUs t, DurationUs offset) { return static_cast<TimeUs>(static_cast<std::uint64_t>(t) + static_cast<std::uint64_t>(offset)); }
  DurationUs offset_at(TimeUs utc) const;
  TimeUs earlier(TimeUs local) const;
  TimeUs later(TimeUs local) const;

  DurationUs offset_ = 0;                  // where there are no rules
  std::shared_ptr<const Rules> rules_;
};

}  // namespace supyo
