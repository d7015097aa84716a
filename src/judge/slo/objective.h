#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::slo {

/// What an objective is about. The word in the file is `measure_name()`.
enum class Measure : std::uint8_t {
  kEndToEndLatency,     ///< visible - event (or - produce, by the objective's clock); unfinished records at their age
  kFreshness,           ///< now - newest visible event time, a good or a bad time slice each sample; worst source split
  kProcessingSuccess,   ///< records visible once within the bound; bad: lost, duplicated, dead, dropped late, overdue
  kStreamLag,           ///< `stream.lag_ms`: taken in by the engine - event; the receive side, so a sink's delay is not in it
  kLateEventRate,       ///< share of records behind their split's watermark
  kWindowLateRate,      ///< share of records dropped because their window had closed; a record of several windows counts in each, at most all
  kDuplicateRate,       ///< share of visible results whose identity (Objective::identity) was visible before, or that a reader found twice
  kCompleteness,        ///< share of records that are in the result at all: bad are lost, dead and dropped late
  kCheckpointDuration,  ///< from an epoch's cut until its record is durable
};

/// From which of a record's times its latency is counted.
enum class LatencyClock : std::uint8_t { kEvent, kProduce };
/// What is timed: each record taken from the source, or each result row (the later of newest contributing record and window end).
enum class Reference : std::uint8_t { kRecord, kCompletion };
/// Deciding objectives are those of the reader, and only they raise INCIDENT. Advising ones raise a ticket.
enum class Role : std::uint8_t { kDeciding, kAdvising };

std::string_view measure_name(Measure m);
std::string_view clock_name(LatencyClock c);
std::string_view reference_name(Reference r);
std::string_view role_name(Role r);

/// Every measure, in the order above.
std::span<const Measure> all_measures();
/// Whether a reader of the results experiences it, so that it may decide.
bool can_decide(Measure m);

/// A burn-rate alert: fires while the budget has been burning at least `threshold` times too fast over both windows for `hold_us`.
struct BurnAlert {
  std::string name;
  std::string severity = "page";           ///< "page" or "ticket"; only a page of a deciding objective is an incident
  double threshold = 14.4;
  DurationUs long_window_us = kHour;
  DurationUs short_window_us = 5 * kMinute;
  DurationUs hold_us = 0;                  ///< OpenSLO's alertAfter, Prometheus' `for`
  std::vector<std::string> targets = {};   ///< names of who is notified
  bool tells_end = true;                   ///< OpenSLO's alertWhenResolved: kept for who reads the file; whether it is sent is Alertmanager's
  SourcePosition position = {};
};

/// Who is notified, by name: where that leads is Alertmanager's.
struct NotificationTarget {
  std::string name;
  std::string target;                      ///< "email", "slack", ..
  std::string description;
};

/// What a document of the file says about itself and nobody reads here: kept for `slo export`. As YAML in one line; empty: not there.
struct Notes {
  std::string labels = {}, annotations = {};   ///< annotations: those of others
};
/// A service that objectives name.
struct ServiceDeclaration {
  std::string name, display_name = {}, description = {};
  Notes notes = {};
};

/// One objective: at least the share `target` of records (or time slices) of the rolling window is good.
struct Objective {
  std::string name;
  std::string display_name;
  std::string description;
  std::string service;
  Measure measure = Measure::kEndToEndLatency;
  LatencyClock clock = LatencyClock::kEvent;
  Reference reference = Reference::kRecord;
  Role role = Role::kDeciding;
  double target = 0.95;              ///< 0 < target < 1
  DurationUs threshold_us = 0;       ///< good is below it (or at it, where `at_most`); 0 where the measure has none
  bool at_most = false;              ///< OpenSLO's `op: lte`
  DurationUs slice_us = kSecond;     ///< kFreshness: a time slice of so many samples, one a second, ..
  double slice_target = 1;           ///< ..is good where at least this share of them is
  DurationUs window_us = 10 * kMinute;
  std::vector<std::string> identity; ///< kDuplicateRate: columns of the sink's table that tell one event from another; empty: only readers tell
  std::vector<BurnAlert> alerts;
  Notes notes = {};                  ///< of its document
  SourcePosition position;           ///< where it stands in its file

  /// The smallest time that is not good any more.
  DurationUs bound_us() const { return threshold_us + (at_most ? 1 : 0); }
  /// Whether records are compared with `threshold_us`.
  bool has_threshold() const;
  /// "95 % of records under 5 s over 10 min, from event time": what the objective asks, for people.
  std::string sentence() const;
};

/// The objectives of one pipeline.
struct Objectives {
  std::vector<Objective> items;
  std::vector<NotificationTarget> targets;
  std::vector<ServiceDeclaration> services = {};
  std::string file;                  ///< for messages
  const Objective* find(Measure m) const;
  const Objective* find(std::string_view name) const;
};

/// The burn-rate pairs that an objective of a day or longer has unless its file says otherwise: page at 14.4x over 1 h and 5 m and at 6x over 6 h and
/// 30 m, ticket at 3x over 1 d and 2 h and at 1x over 3 d and 6 h (Site Reliability Workbook, chapter 5). Left out: what can never fire (a burn above
/// 1 / (1 - target)) and windows above the objective's own. An advising objective's are all tickets. Empty below a day: there the breach is the incident.
std::vector<BurnAlert> default_alerts(const Objective& o);

/// "5s", "10m", "300ms", "30d", "1h" to microseconds; kBadConfigFile without position otherwise.
Result<DurationUs> parse_duration(std::string_view text);
/// The largest unit that leaves a whole number, as YAML and PromQL write it: "10m", "1h", "30d".
std::string duration_text(DurationUs us);
/// Exactly, for people: "1.5 s", "10 min", "36 h 0 min 5 s", "30 d".
std::string show_duration(DurationUs us);
/// A share as a percentage without needless digits: 0.999 -> "99.9 %".
std::string show_share(double share);

}  // namespace supyo::slo
