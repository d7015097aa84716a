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

enum class BurrowStatus : std::uint8_t { kOk, kWarning, kStop, kStall, kRewind };   // the later, the worse: of a group its worst partition is told
std::string_view burrow_status_name(BurrowStatus s);

/// What Burrow 1.2.1 with its defaults says of one partition of one group (github.com/linkedin/Burrow; the real one runs beside this in tests/watch/monitors.py). It keeps the last ten commits
/// and the last ten ends of the log, one every ten seconds; the lag of a commit is against the end it knew then, so it may be zero where there is some. In this order, none with a threshold:
///   1. the lag against the newest end is zero: OK;
///   2. more time has passed since the last commit than the commits span, and none of the ends was reached by it: STOP;
///   3. any commit with a lag of zero: OK;
///   4. an offset below the one before it: REWIND;
///   5. all offsets equal: STALL;
///   6. the lag fell from no commit to the next: WARNING.
/// Fewer commits than ten are judged like ten. Until an end is known commits are passed over.
class BurrowPartition {
 public:
  static constexpr std::size_t kWindow = 10;
  static constexpr DurationUs kRefresh = 10 * kSecond;
  /// Where the log ends, as often as one knows: one of them every kRefresh is kept.
  void end(TimeUs t, std::uint64_t offset);
  void committed(TimeUs t, std::uint64_t offset);
  BurrowStatus status(TimeUs now) const;

 private:
  struct Commit {
    TimeUs t = 0;
    std::uint64_t offset = 0;
    std::uint64_t lag = 0;
  };
  std::deque<Commit> commits_;
  std::deque<std::uint64_t> ends_;
  TimeUs end_at_ = 0;
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
