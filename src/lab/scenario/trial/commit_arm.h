#pragma once
#include <string>
#include <vector>

#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {

/// Where an arm runs and how its lives end.
struct CommitArmRequest {
  std::string name;              ///< "fault", "control"
  std::string servers;
  std::string directory;         ///< for journals and logs
  std::uint64_t ends = 0;        ///< of each consumer
  bool clean = false;            ///< asked to end instead of killed
  DurationUs before_us = 0;      ///< of undisturbed work first
};

struct CommitArmResult {
  Arm arm;
  std::vector<Trial> trials;
  double from_s = 0, to_s = 0;   ///< first and last end
};

/// Produces at the declared rate while every consumer lives, ends at random moments, and lives again; then lets all of them reach the end. The arm's columns, sampled
/// four times a second: offered, applied_G, behind_G (records). Its counts: sent, acked, failed, unknown.
Result<CommitArmResult> run_commit_arm(const env::Env& env, const CommitScenario& scenario, const CommitArmRequest& request, const RunOptions& options);

}  // namespace supyo::scenario
