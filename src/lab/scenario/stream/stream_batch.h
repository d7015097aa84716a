#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/env/env.h"
#include "core/env/real/real_env.h"
#include "engine/job/engine.h"
#include "lab/scenario/result.h"
#include "lab/scenario/stream/stream_scenario.h"

namespace supyo::scenario {

/// What a job of a lab is made with, besides its SQL.
struct StreamJobSetup {
  const env::Env& env;
  env::VirtualClock& clock;
  std::string directory;                             ///< of the arm
  std::map<std::string, std::string> variables, settings;
  runtime::VirtualCosts costs;
  std::uint64_t seed = 0;
};

/// A job that is run every so often over what came since its last run, in virtual time: a run takes `start` and a time that follows from how many records there are, and only then
/// its results are there. Runs never overlap: one that takes longer than the period holds up the next. One thread.
class StreamBatchRuns {
 public:
  static Result<StreamBatchRuns> make(const StreamScenario& scenario, const StreamBatch& batch, std::string sql, TimeUs start_us);
  const StreamBatch& batch() const { return *batch_; }
  /// When something is due: a period's end, or a run's.
  TimeUs due_us() const;
  /// `records`: in the log of its input so far. What is due by `setup.clock` is done; a run whose time has passed moves the clock by what its commit costs. Errors: of the job.
  Status advance(const StreamJobSetup& setup, std::uint64_t records);
  /// counts: run_mean_TOPIC, run_mean_before_TOPIC (runs over what came before the fault), run_max_TOPIC, runs_TOPIC; trials: each run's records and time.
  void reckon(TimeUs start_us, TimeUs fault_us, Arm& arm, std::vector<Trial>& trials) const;

 private:
  struct Run {
    TimeUs from_us = 0, to_us = 0, end_us = 0;
    std::uint64_t records = 0;
  };
  Status execute(const StreamJobSetup& setup, const Run& run) const;

  const StreamBatch* batch_ = nullptr;
  std::string sql_;
  DurationUs every_us_ = 0, start_cost_us_ = 0;
  double rate_ = 1;
  TimeUs boundary_us_ = 0;
  std::uint64_t records_ = 0;
  std::size_t executed_ = 0;
  std::vector<Run> runs_;
};

/// Runs a job again from the start of its input, as fast as it can (a round costs a millisecond), with its results below `OUT` = DIRECTORY/replay; gives the rows of each topic.
Result<std::map<std::string, std::multiset<std::string>>> replay_stream_job(const StreamJobSetup& setup, const std::string& sql, const std::vector<std::string>& topics);

}  // namespace supyo::scenario
