#pragma once
#include <memory>
#include <string>

#include "core/env/env.h"
#include "lab/scenario/group/group_scenario.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// One arm of a lab about a group: members (a process each), a producer, the fault, and what it came to. Several run side by side, in turns of one thread.
class GroupArmRun {
 public:
  /// `unique`: what its topic and its group are called.
  static Result<std::unique_ptr<GroupArmRun>> prepare(const env::Env& env, const GroupScenario& scenario, const GroupArm& arm, const std::string& servers, const std::string& unique, const std::string& directory);
  virtual ~GroupArmRun() = default;   ///< kills what still runs

  virtual const std::string& unique() const = 0;
  virtual Status start_members() = 0;
  /// Every member is in the group and has what it gets.
  virtual bool ready(const GroupWatch& watch) const = 0;
  /// Produces, hurts, goes on, and lets the members reach the end. `begin_us`: when the arms began. True once it is over.
  virtual Result<bool> turn(const GroupWatch& watch, TimeUs begin_us) = 0;
  /// Asks the members to end, and counts. Columns (four times a second): offered, members, behind (records). Counts: sent, acked, failed, unknown, lost, repeated, uncommitted (records); refused (commits);
  /// evictions; late (times that a member's own client said so); pingpong (evictions at one offset, at most) and pingpong_clients (of how many clients); stall_s (the longest time that a member which nothing kept
  /// had no partition); faulted (times) and fault_s (how long at most), both measured. Of the first eviction (NaN: there was none): leave_low_s and leave_high_s since the last poll or the stop, late_by_s (its client's own
  /// word, beyond the poll interval), unowned (partitions that it had), gap_s (their mean time until somebody else was given them) and gap_sum_s.
  virtual Result<Arm> finish(const GroupWatch& watch) = 0;
};

}  // namespace supyo::scenario
