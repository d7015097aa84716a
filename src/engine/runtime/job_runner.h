#pragma once
#include <functional>
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/event.h"
#include "engine/dataflow/graph.h"
#include "engine/runtime/job_config.h"
#include "engine/runtime/job_stats.h"

namespace supyo::runtime {

/// How a job ended.
struct JobResult {
  JobState state = JobState::kCreated;   ///< kFinished or kStopped
  bool was_finished = false;             ///< the state said so already: nothing was read or written
  Epoch last_epoch;                      ///< last visible epoch
  std::uint64_t restarts = 0;
};

/// Runs one job: shards, exchanges, epochs, restarts, from its state directory if that holds something.
///
/// Two drives over the same shards:
/// - *real*: run() starts one thread a shard and coordinates on the calling thread until the job ends. Needs `env.threads`.
/// - *stepped*: step() polls everything once on the calling thread, in an order that the seed decides, and says what to wait for. For
///   simulation, replay and virtual-time labs: whoever owns the clock moves it to `until_us` when nothing else wants to run before.
/// One drive a runner. Everything that the graph points at, the observer and the fault points outlive it. Destroying a runner that has not
/// ended is a crash as far as durable state goes: what is final stays, the rest is forgotten.
class JobRunner {
 public:
  /// Checks the graph, locks the state directory and reads what it holds. Nothing is opened outside yet.
  /// Errors: kStateLocked, kStateOfOtherJob, kDamaged, kBadOptionValue.
  static Result<std::unique_ptr<JobRunner>> create(const env::Env& env, dataflow::JobGraph graph, JobConfig config);
  ~JobRunner();

  /// Real drive, to the end. The error is the one that ended the job (after the restart strategy gave up).
  Result<JobResult> run();

  /// Stepped drive: one round. kDone when the job ended (see result()); kWaitingUntil with the earliest time at which something is due;
  /// kBlockedOnInput when only the outside can make more happen.
  Result<dataflow::Poll> step();
  /// Stepped drive to the end: calls `advance(t)` whenever nothing can happen before `t`. For replay and tests.
  /// Blocked with nothing due calls `advance(kTimeMax)`, which may feed a source or ask the job to stop.
  Result<JobResult> run_stepped(const std::function<void(TimeUs)>& advance);
  /// How it ended; valid once step() gave kDone or run() returned.
  const JobResult& result() const;

  /// From any thread, and from a signal handler (each stores one flag). The job ends with a final epoch; stop keeps windows open.
  void stop();
  void drain();
  /// Asks for an epoch and a snapshot now; the job goes on. `stats().epochs.last_visible` tells when.
  void savepoint();

  const std::string& job_id() const;
  /// A consistent-enough copy; any thread, any time.
  JobStats stats() const;
  /// What runs where; does not change. Any thread.
  JobShape shape() const;
  /// The newest epochs of this process, oldest first, at most kEpochRecords. Any thread, any time.
  static constexpr std::size_t kEpochRecords = 600;
  std::vector<EpochRecord> epoch_records() const;
  /// Hash over everything that the stepped drive did, in order: two runs of one seed must have the same.
  std::uint64_t trace_hash() const;

 private:
  struct Impl;
  explicit JobRunner(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::runtime
