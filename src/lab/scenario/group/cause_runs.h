#pragma once
#include <string>
#include <vector>

#include "core/env/env.h"
#include "lab/scenario/group/fit_scenario.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// A group with a trouble: how it is made. Drawn by the seed.
struct CauseSpec {
  std::size_t label = 0;                   ///< in FitScenario::labels
  std::uint64_t members = 2, partitions = 4;
  double rate = 50;                        ///< records a second
  double hot = 0;                          ///< share of the records with one key
  DurationUs handler_us = 0, first_handler_us = 0;   ///< of a record; of the first member
  bool compute = false;
  enum class Trouble : std::uint8_t { kNone, kLeave, kHang, kChurn, kShare };   ///< from the begin of the looks on: members leave or hang; another comes and goes; a member of another application does
  Trouble trouble = Trouble::kNone;
};
/// Labels come in equal numbers, in a random order.
Result<std::vector<CauseSpec>> draw_causes(const FitScenario& scenario);

/// What `supyo diagnose --json` says of groups: the first finding's cause, or "healthy" when that is information and none of `labels`. Absent: it does not know the group. kMalformedRecord.
Result<std::map<std::string, std::string>> named_causes(std::string_view diagnosis, const std::vector<std::string>& labels = {});

/// Lets the runs happen, some side by side, each a topic, a group and a process of members, and has `supyo diagnose`, a process of its own that is told nothing but the groups' names, say what is wrong with each.
/// Trials (arm "causes", group: the label): label, named (indices of labels; -1: something else), offered (share of the declared rate), grew (what is not committed grew by so much of what came), changes (of members), each (records a second of a partition).
/// `fault` and `control` (the healthy ones): counts of the ledger, timeline, and the columns offered and behind.
Status run_causes(const env::Env& env, const FitScenario& scenario, const std::string& servers, const RunOptions& options, LabResult& result);

}  // namespace supyo::scenario
