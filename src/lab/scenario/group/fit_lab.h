#pragma once
#include "core/env/env.h"
#include "lab/scenario/group/fit_scenario.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// Runs a lab about the fit of members and partitions, and about the causes of delay, in real time, on real clients. Errors: those of the cluster and its clients, kJobFailed, kCancelled.
Result<LabResult> run_fit_scenario(const env::Env& env, const FitScenario& scenario, const RunOptions& options);

/// As evaluate(). Measures: the knobs; partitions; throughput_M (records a second, of M members), throughput_max, knee (the fewest members with nine tenths of it), idle_wrong (how many of the groups have not max(0, M - partitions) members
/// without a partition); join_misses and pinned_misses (records whose key lies in another partition of the table's topic, with the partitioners of the file and with one for both); runs, right, accuracy, and of each trouble
/// (with _ for -) runs_LABEL and right_LABEL.
Status evaluate_fit(const FitScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
