#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/strong.h"

namespace supyo::runtime {

enum class JobState : std::uint8_t {
  kCreated,
  kRunning,
  kRestarting,   ///< waiting for the restart strategy's delay
  kStopping,     ///< the last epoch of a stop is under way; windows stay open
  kDraining,     ///< the last epoch of a drain is under way; windows fire
  kFinished,     ///< input ended or drained; run again on its state the job does nothing
  kStopped,      ///< may be resumed from its state
  kFailed,
};
std::string_view job_state_text(JobState s);   ///< "RUNNING", ...

/// A copy of a running job's counters. Counts are since the process started, unless said otherwise.
struct NodeStats {
  std::uint32_t id = 0;            ///< in JobShape
  std::string name;
  std::string uid;
  std::uint64_t rows_in = 0;
  std::uint64_t rows_out = 0;
  std::uint64_t batches_in = 0;
  std::uint64_t behind = 0;        ///< sources: rows behind their split's watermark when they came
  std::uint64_t late = 0;          ///< operators: rows (per window) dropped as too late
  std::uint64_t dead = 0;          ///< sources: records that could not become rows
  TimeUs watermark_us = kTimeMin;  ///< lowest over the shards
  DurationUs busy_us = 0;          ///< heads of chains: time that the chain worked, all shards together
  DurationUs backpressured_us = 0; ///< heads of chains: had input (or could have had) and no room downstream
};

/// The job's graph as it runs. Nodes that are joined by calls in one thread are one chain, and named by its first node, the head.
struct JobShape {
  enum class Kind : std::uint8_t { kSource, kOperator, kSink, kSideSink };
  struct Node {
    std::uint32_t id = 0;
    Kind kind = Kind::kOperator;
    std::string name;
    std::uint32_t head = 0;
    std::uint32_t instances = 1;   ///< shards that run it
  };
  struct Edge {
    std::uint32_t from = 0, to = 0;
    bool direct = false;           ///< a call; else a queue
    bool keyed = false;            ///< rows go to the shard of their key
  };
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  bool readable_as_written = false;   ///< readers wait for no epoch: all sinks are in no transaction
};

/// One epoch as it went.
struct EpochRecord {
  Epoch epoch;
  bool failed = false;             ///< did not become visible: it is taken again after the restart; no times
  TimeUs at_us = 0;                ///< visible, or failed: wall clock
  DurationUs duration_us = 0;      ///< from trigger to final
  DurationUs commit_us = 0;        ///< from final to visible
  std::uint64_t bytes = 0;         ///< of the journal record
};

struct ShardStats {
  DurationUs busy_us = 0;          ///< working
  DurationUs idle_us = 0;          ///< nothing to do
  DurationUs backpressured_us = 0; ///< had input but no room downstream
  std::uint64_t state_bytes = 0;   ///< as of the last epoch
  std::uint64_t state_entries = 0;
};

struct EpochStats {
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  Epoch last_final;                ///< survives restarts
  Epoch last_visible;
  DurationUs last_duration_us = 0; ///< from trigger to final
  DurationUs last_commit_us = 0;   ///< from final to visible
  DurationUs duration_max_us = 0;
  DurationUs duration_sum_us = 0;
  std::uint64_t last_bytes = 0;    ///< of the journal record
  TimeUs last_visible_at_us = 0;   ///< wall clock; 0 = none yet
};

struct JobStats {
  JobState state = JobState::kCreated;
  std::string job_id;
  std::string name;
  std::uint32_t parallelism = 1;
  std::string_view state_backend = "hashmap";   ///< as 'state.backend.type'
  TimeUs started_us = 0;           ///< wall clock
  TimeUs now_us = 0;
  std::uint64_t rows_in = 0;       ///< taken from all sources
  std::uint64_t rows_out = 0;      ///< written to all sinks (not the late and dead tables)
  std::uint64_t late = 0;
  std::uint64_t dead = 0;
  std::uint64_t behind = 0;
  std::uint64_t restarts = 0;
  TimeUs watermark_us = kTimeMin;  ///< lowest over the sources
  EpochStats epochs;
  std::vector<NodeStats> nodes;
  std::vector<ShardStats> shards;
  std::string last_error;          ///< what the last restart or the failure was about; empty when nothing failed
};

/// One line of JSON, as `supyo job status --json` prints and status.json holds.
std::string to_json(const JobStats& stats);

}  // namespace supyo::runtime
