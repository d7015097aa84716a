#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "core/base/fault_point.h"
#include "core/base/strong.h"
#include "data/state/journal.h"
#include "data/types/visibility.h"

namespace supyo::runtime {

/// What happens when an operator, a source or a sink fails: the job starts again inside the process from its last final epoch.
/// Without a state directory there is nothing to start from, and the first failure ends the job.
struct RestartStrategy {
  enum class Kind : std::uint8_t { kNone, kFixedDelay, kExponential } kind = Kind::kFixedDelay;
  std::uint32_t attempts = 3;             ///< failures in a row that are survived; an epoch that became visible sets the count back
  DurationUs delay_us = kSecond;          ///< before the first restart
  DurationUs delay_max_us = kMinute;      ///< kExponential: the delay doubles up to this
};

/// What outside effects cost in virtual time, where real files are fast but the clock stands still. Reports print them. All 0 in real time.
struct VirtualCosts {
  DurationUs journal_sync_us = 0;         ///< from the last shard's part to the final record
  DurationUs sink_commit_us = 0;          ///< from the final record to the first poll_commit
};

/// Where the tables of operators are beyond memory. Scratch: the journal holds the state.
struct SpillConfig {
  std::size_t memory_bytes = 0;           ///< of a shard; 0 = all state is in memory
  std::string directory;                  ///< in which the job makes one of its own, on the machine's real disk; empty: in the state directory, or in /tmp
};

struct JobConfig {
  std::string name = "job";               ///< for messages and status only; never part of the identity
  std::uint32_t parallelism = 1;          ///< shards, 1..256
  DurationUs checkpoint_interval_us = 100 * kMillisecond;
  std::uint32_t tolerable_failed_checkpoints = 0;   ///< how often in a row the state directory may refuse an epoch (a full disk) and is asked again, before that is a failure of the job
  std::uint64_t epoch_rows = 0;           ///< also close an epoch once that many source rows are in it; 0 = by time only
  std::size_t batch_rows = 1024;          ///< what a source is asked for at a time, 1..4096
  std::size_t queue_batches = 16;         ///< capacity of one exchange queue
  std::string state_dir;                  ///< empty: the job keeps nothing and cannot be resumed
  state::JournalOptions journal;          ///< sizes of the journal's segments, and when snapshots are made
  SpillConfig spill;
  RestartStrategy restart;
  VirtualCosts costs;
  VisibilityObserver* observer = nullptr; ///< not owned; outlives the runner
  const FaultPoints* faults = nullptr;    ///< not owned; null = none armed
  std::uint64_t seed = 0;                 ///< stepped drive: order of the tasks
  bool control = true;                    ///< answer `supyo job` through the state directory (see control.h)
  DurationUs lag_sample_us = kSecond;     ///< how often SourceReader::lags is asked
};

}  // namespace supyo::runtime
