#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/runtime/control_server.h"
#include "engine/runtime/epochs.h"
#include "engine/runtime/job_runner.h"
#include "engine/runtime/restart_policy.h"

namespace supyo::runtime {

/// The life of a job over its executions. Coordinator's thread, except the flags and what `mutex` guards.
struct JobRunner::Impl {
  enum class Phase : std::uint8_t { kOpening, kRecommitting, kPriming, kRunning, kWaiting, kEnded };

  Impl(const env::Env& e, dataflow::JobGraph g, JobConfig c);
  ~Impl();
  Status prepare();
  std::string own_spill_dir() const;

  /// The coordinator's share of a round: opens, coordinates epochs, restarts. An error is the job's end.
  Result<dataflow::Poll> poll();
  Result<dataflow::Poll> poll_execution();
  Result<dataflow::Poll> recover();
  Result<dataflow::Poll> poll_priming();
  Result<dataflow::Poll> poll_running();
  Status open_execution();
  void begin_running();
  Result<dataflow::Poll> failed(Error error);
  void close_execution();
  void end(JobState state);
  void set_state(JobState s);
  void follow_control();
  JobStats snapshot() const;
  JobShape shape() const;
  std::vector<EpochRecord> epoch_records() const;
  void show_epochs();

  // Real drive
  void start_threads();
  void shard_loop(Shard& shard, const Commands& commands) const;
  void wait(const dataflow::Poll& poll);
  // Stepped drive
  Result<dataflow::Poll> step();

  env::Env env;
  dataflow::JobGraph graph;
  JobConfig config;
  FaultPoints no_faults;
  Plan plan;
  std::unique_ptr<DurableState> state;
  std::string job_id;
  std::string spill_dir;
  std::unique_ptr<ControlServer> control;
  std::vector<std::deque<NodeCounters>> counters;   // [node][shard]
  std::deque<ShardCounters> shard_counters;

  Phase phase = Phase::kOpening;
  std::unique_ptr<Execution> execution;
  std::unique_ptr<Epochs> epochs;
  EpochMeta no_meta;
  EpochStats epoch_stats;                           // the coordinator's own copy
  RestartPolicy restarts;
  std::vector<std::unique_ptr<env::Thread>> threads;
  bool real = false;
  bool observer_restored = false;
  Epoch visible_before;                             // last visible when this execution began
  TimeUs restart_at_us = 0;
  TimeUs idle_since_us = 0;
  std::uint64_t random = 0;
  std::uint64_t trace = 0;                          // of executions that are over
  JobResult result;

  std::atomic<bool> stop{false};
  std::atomic<bool> drain{false};
  std::atomic<std::uint64_t> savepoints_wished{0};
  std::uint64_t savepoints_done = 0;

  mutable std::mutex mutex;
  JobState shown_state = JobState::kCreated;        // guarded, as what follows
  EpochStats shown_epochs;
  std::deque<EpochRecord> shown_records;            // the newest kEpochRecords, oldest first
  std::string last_error;
  std::uint64_t restart_count = 0;
  TimeUs started_us = 0;
};

}  // namespace supyo::runtime
