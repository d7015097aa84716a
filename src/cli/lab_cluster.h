#pragma once
#include <functional>
#include <memory>
#include <string>

#include "cli/context.h"
#include "lab/scenario/child_broker.h"
#include "lab/scenario/runner.h"

namespace supyo::cli {

/// The cluster that a lab with --on real runs on, and what lives as long as the lab does.
struct LabCluster {
  std::unique_ptr<scenario::ChildBroker> child;   ///< --bootstrap embedded
  scenario::RealCluster cluster;
};

/// `bootstrap`: an address; "embedded": a broker of the lab's own with its data in `directory`; empty: what `supyo stack up STACK` started and still runs, of the names in `stacks`.
/// A lab makes topics and deletes records, so it takes no cluster that nobody called one for labs (R-12 of docs/requirements.md): the stack's and its own are; another only with
/// `is_lab`. Errors: kNotAllowed, kOutsideUnavailable (no stack runs), those of ChildBroker::start.
Result<LabCluster> lab_cluster(const Context& context, const std::string& bootstrap, bool is_lab, const std::vector<std::string>& stacks, const std::string& directory);

}  // namespace supyo::cli
