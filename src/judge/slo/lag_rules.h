#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/strong.h"

namespace supyo::slo {

/// What lag alarms would have said, over the same data as the objectives. Comparison arms: nothing here ever decides.

/// A raw threshold: the alarm is on while the lag has been above `threshold` at every sample for at least `hold_us`.
struct RawLagRule {
  double threshold = 0;
  DurationUs hold_us = kMinute;
};
/// The alarm's state at each sample; a NaN sample (unknown) breaks the run.
std::vector<bool> evaluate_raw(const RawLagRule& rule, std::span<const TimeUs> t, std::span<const double> lag);

enum class BurrowStatus : std::uint8_t { kOk, kWarning, kStop, kStall };
std::string_view burrow_status_name(BurrowStatus s);

/// Burrow's rules for one partition of one group (github.com/linkedin/Burrow, wiki "Consumer Lag Evaluation Rules"), on a window of the last ten
/// offset commits, none with a threshold:
///   1. any lag of zero in the window: OK;
///   2. offsets do not change while lag is not falling: STALL (error);
///   3. offsets grow, and lag never falls from one commit to the next and is higher at the end: WARNING;
///   4. more time has passed since the last commit than the window spans: STOP (error), unless the lag is zero.
/// A window that is not full yet is OK.
class BurrowPartition {
 public:
  static constexpr std::size_t kWindow = 10;
  void committed(TimeUs t, std::uint64_t offset, std::uint64_t lag);
  BurrowStatus status(TimeUs now) const;

 private:
  struct Commit {
    TimeUs t = 0;
    std::uint64_t offset = 0;
    std::uint64_t lag = 0;
  };
  std::deque<Commit> commits_;
};

/// What an alarm by one rule says. kWarning: soon; kCritical: it happened.
enum class AlarmLevel : std::uint8_t { kOk, kWarning, kCritical };
std::string_view alarm_level_name(AlarmLevel level);

/// Where a group stands in a partition.
struct Standing {
  std::int64_t log_start = 0, end = 0, committed = 0;
};

/// The retention percentage as klag has it (github.com/themoah/klag: RetentionRisk, Diagnoser): lag as a share of what is kept, (end - committed) / (end - log start), in percent. Of a
/// group, its worst partition decides: a warning from 80 %, critical from 100 %. An offset ratio knows neither rates nor what deletes, so it says nothing of when.
double retention_percent(const Standing& s);   ///< 0 where nothing is kept
AlarmLevel retention_percent_level(double percent);

/// klag-exporter's rules (github.com/softwaremill/klag-exporter, README "Data Loss Detection"): the gauge `messages_lost` is max(0, log start - committed), critical while above zero;
/// `lag_retention_ratio` above 80 % for five minutes is a warning. The gauge is back at zero as soon as the group commits behind the log start: what was lost then is not told any more.
class MessagesLostGauge {
 public:
  static constexpr double kRatioWarning = 80;
  static constexpr DurationUs kRatioHold = 5 * kMinute;
  static std::int64_t messages_lost(const Standing& s);
  /// At each look, in time order.
  AlarmLevel observe(TimeUs t, const Standing& s);

 private:
  bool above_ = false;
  TimeUs since_ = 0;
};

}  // namespace supyo::slo
