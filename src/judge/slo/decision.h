#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "judge/slo/lag_rules.h"
#include "judge/slo/objective.h"
#include "judge/slo/slot_counter.h"

namespace supyo::slo {

/// State of a pipeline at a moment, best first except UNKNOWN: stale or missing data is never good.
enum class State : std::uint8_t { kOk = 0, kAtRisk = 1, kIncident = 2, kUnknown = 3 };
std::string_view state_name(State s);

/// How one objective stands.
struct ObjectiveStatus {
  std::string name;
  Counts window;            ///< over the objective's own window, unfinished records at their age included
  Counts now;               ///< the same over the last minute
  bool judged = false;      ///< enough was seen to say
  bool breached = false;    ///< judged, and more is bad in the window than the budget allows
  double budget_left = 1;   ///< share of the window's error budget that is left; below 0 when broken
  TimeUs breached_since_us = 0;
  std::vector<std::string> alerts;  ///< burn-rate alerts that fire
  Counts finished;          ///< since this process started; never goes back, what a restart counts again included: Prometheus' counters
  Counts unfinished;        ///< not visible yet, by their age now; part of `window` and `now`
};

/// Advice that is no incident: what to inspect, and why.
struct Ticket {
  std::string rule;      ///< short stable name: "sink-bottleneck"
  std::string evidence;  ///< the numbers
  std::string next_step;
};

/// The judgement, its reasons, and lag beside it. Lag takes no part in `state`.
struct Decision {
  State state = State::kUnknown;
  TimeUs since_us = 0;
  std::vector<std::string> reasons;
  std::vector<Ticket> tickets;
  double lag_committed = 0;     ///< records; NaN when not known
  double lag_fetched = 0;
  bool raw_alarm = false;       ///< what a threshold on committed lag says
  BurrowStatus burrow = BurrowStatus::kOk;
};

}  // namespace supyo::slo
