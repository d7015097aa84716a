#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/result.h"
#include "lab/scenario/stream/stream_results.h"
#include "lab/scenario/stream/stream_scenario.h"
#include "lab/workload/sender.h"

/// What is worked out alike of a job of ours on the embedded log and of Flink's on a real cluster, when a run is over: from an arm's columns and from what readers got.
namespace supyo::scenario {

/// It waits for the first checkpoint that is complete after `from_us`, and strikes `phase_us` later.
struct PlannedKill {
  TimeUs from_us = 0;
  DurationUs phase_us = 0;
};
/// Evenly over the time between `from` and `to`, at moments of the interval: each is drawn from one of `times` equal parts of it, and each part is hit once, so that few kills show what many would.
std::vector<PlannedKill> plan_kills(std::uint64_t times, DurationUs interval_us, TimeUs from, TimeUs to, workload::Draws& draws);

/// When a planned kill is due, of a job whose checkpoints others take. What a kill costs is what was written since the cut of the last complete checkpoint: the rate times that time only if the job
/// was up with its input at the cut already. So a checkpoint that was triggered while it caught up is no beginning, however soon after it is complete.
class KillMoment {
 public:
  /// At each look: whether the job runs and is up with its input, and its newest complete checkpoint. The kill's time, from the look on at which it is known.
  std::optional<TimeUs> due(TimeUs now, bool caught_up, TimeUs triggered_us, TimeUs completed_us, DurationUs phase_us);
  void reset() { *this = {}; }

 private:
  std::optional<TimeUs> calm_since_us_, at_us_;
};

/// back_after of each trial: how long after the kill the job had read everything again that was there, back at the fetched lag of the first phase.
void add_catch_up(const StreamScenario& scenario, double detect_s, const Arm& arm, std::vector<Trial>& trials);
/// Adds what readers lost and got again, and how their windows are. Windows that were given out first after `end_us` say nothing of the delay.
void count_truth(const StreamTruth& truth, TimeUs end_us, Arm& arm);
/// replay_equal_TOPIC, the share of the rows of either run that both gave, and replay_rows_TOPIC: `again` has the rows of the second run, by topic. Needs a scenario with `replay`.
void count_replay(const StreamTruth& truth, const std::map<std::string, std::multiset<std::string>>& again, Arm& arm);

}  // namespace supyo::scenario
