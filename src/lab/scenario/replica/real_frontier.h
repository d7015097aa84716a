#pragma once
#include "core/env/env.h"
#include "lab/scenario/replica/broker_processes.h"
#include "lab/scenario/replica/frontier_lab.h"

namespace supyo::scenario {

/// A frontier on real brokers. The cells with one replica are topics with one replica on the same brokers, so that nothing else differs. Errors: kOutsideUnavailable, kCancelled.
Result<LabResult> run_real_frontier_scenario(const env::Env& env, BrokerProcesses& brokers, const FrontierScenario& scenario, const RunOptions& options);

}  // namespace supyo::scenario
