#pragma once
#include <memory>
#include <string>

#include "cli/context.h"
#include "lab/scenario/replica/broker_processes.h"

namespace supyo::cli {

/// The brokers of the user's own `supyo stack up STACK`: only those are stopped and killed, never a cluster that somebody else started. Errors: kOutsideUnavailable (it does not run, or not all of it).
Result<std::unique_ptr<scenario::BrokerProcesses>> stack_brokers(const Context& context, const std::string& stack);

}  // namespace supyo::cli
