#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// A word in a record's value, after its number: its handler takes long.
inline constexpr std::string_view kSlowWord = "slow";

/// A member of the group of a lab: takes a batch, handles its records one after the other, commits, and comes back for more.
struct GroupMember {
  std::string servers, topic, group, client_id;
  std::string static_id;                       ///< group.instance.id; empty: none
  std::string assignor = "range";
  std::string journal;                         ///< a new file; empty: none
  std::string statistics;                      ///< a new file: what judge/diagnosis/client_log.h reads, a line a second; empty: none
  std::uint64_t batch = 20;                    ///< records at most
  DurationUs commit_us = 0;                    ///< between commits at least; 0: after each batch
  DurationUs handler_us = kMillisecond;        ///< of a record
  bool compute = false;                        ///< its handler computes for so long, instead of waiting as for an outside call
  DurationUs slow_us = 0;                      ///< of a record with kSlowWord
  std::uint64_t slow_times = 0;                ///< for so many members that come to one: each makes `slow_mark`-N, and the one that finds all of them there is as quick as with any other
  std::string slow_mark;
  DurationUs poll_us = 300 * kSecond, session_us = 45 * kSecond, heartbeat_us = 3 * kSecond;
};

/// Runs until `stopped` says so; the batch in hand is given up then, and the member leaves (a static one keeps its place). Errors: those of GroupConsumer and the journal.
Status run_group_member(const env::Env& env, const GroupMember& member, const std::function<bool()>& stopped);

}  // namespace supyo::scenario
