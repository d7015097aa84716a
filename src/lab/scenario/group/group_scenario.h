#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/declaration.h"

namespace supyo::scenario {

/// A group of members over a topic of its own, and what happens to it. Texts are expressions over the knobs.
struct GroupArm {
  std::string name;
  std::string slow, times;   ///< one record's handler takes so long, in the first so many members that come to it; empty: none does
  std::string stop;          ///< a member stands still (SIGSTOP) for so long; empty: none does
  std::string after;         ///< the producer goes on so long after the fault
  std::string assignor;      ///< "range", "roundrobin", "cooperative-sticky"
  bool is_static = false;    ///< members have a group.instance.id
};

/// `kind: group`: members handle records of a topic with real clients, and something keeps one of them from coming back for more.
struct GroupScenario : PacedDeclaration {
  std::string partitions, members;
  std::string batch;                        ///< records that a member takes, handles and commits at a time
  std::string handler;                      ///< time for a record
  std::string poll, session, heartbeat;     ///< max.poll.interval.ms, session.timeout.ms, heartbeat.interval.ms
  std::string look;                         ///< between two looks at the group's state
  std::string before;                       ///< undisturbed
  std::vector<GroupArm> arms;
};

/// As parse_scenario and load_scenario, with `extends`. Errors: kBadConfigFile with line and column.
Result<GroupScenario> parse_group_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<GroupScenario> load_group_scenario(env::Files& files, const std::string& path);

}  // namespace supyo::scenario
