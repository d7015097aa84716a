#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "engine/runtime/execution.h"
#include "engine/runtime/job_stats.h"

namespace supyo::runtime {

/// Drives the epochs of one execution: trigger, wait for all parts, one durable record, tell upstream, make visible. One epoch at a time:
/// the next is not closed before this one is visible (I_eff = max(I, D + C)), so a slow commit slows the whole job, as it does in Flink.
/// An epoch that the state directory did not take (a full disk) is given to it again an interval later, `tolerable_failed_checkpoints` times; the next failure ends the execution.
/// Coordinator's thread; polled.
class Epochs {
 public:
  struct Wishes {
    bool stop = false;
    bool drain = false;
    bool savepoint = false;
  };

  /// `state` may be null: then nothing is written, and an epoch is final at once. `stats` outlives it.
  Epochs(const env::Env& env, const JobConfig& config, const Plan& plan, Execution& execution, DurableState* state, Epoch last, EpochStats& stats);

  /// Errors: that of a shard, of a sink, or of the journal; `fatal()` says whether a restart may help.
  /// kDone when the last epoch of the job is visible.
  Result<dataflow::Poll> poll(const Wishes& wishes);
  bool fatal() const { return fatal_; }
  bool finished() const { return finished_; }       ///< the job ended for good, and not by a stop
  /// Savepoints that were taken: the epoch is visible and its snapshot begun.
  std::uint64_t savepoints() const { return savepoints_; }
  Epoch in_flight() const { return phase_ == Phase::kOpen ? Epoch(0) : epoch_; }
  std::uint64_t trace() const { return trace_; }

 private:
  enum class Phase : std::uint8_t { kOpen, kCutting, kStoring, kSyncCost, kCommitCost, kCommitting, kEnded };

  Status read_mailbox();
  Result<bool> poll_snapshot(const Wishes& wishes);
  Result<dataflow::Poll> poll_phase(const Wishes& wishes);
  std::optional<dataflow::Poll> poll_open(const Wishes& wishes);
  std::uint64_t activity() const;
  bool sources_done() const;
  std::uint64_t rows_in_epoch() const;
  void trigger(bool last, bool finished);
  Result<dataflow::Poll> poll_cutting();
  Result<dataflow::Poll> poll_storing();
  Status store();
  Result<dataflow::Poll> not_stored(Error error);
  void make_final();
  Result<dataflow::Poll> poll_committing();
  void gather();
  void note_observer();
  DurationUs since(TimeUs monotonic_us) const { return env_.clock.monotonic_us() - monotonic_us; }

  env::Env env_;
  const JobConfig& config_;
  const Plan& plan_;
  Execution& execution_;
  DurableState* state_;
  EpochStats& stats_;

  Phase phase_ = Phase::kOpen;
  Epoch epoch_;                          // the one in flight, or the last one
  bool last_ = false;                    // the one in flight ends the job
  bool finished_ = false;
  bool fatal_ = false;
  bool drain_sent_ = false;
  bool savepoint_cut_ = false;           // the epoch of the wished-for savepoint was triggered
  std::uint64_t savepoints_ = 0;
  TimeUs next_trigger_us_;
  std::uint64_t activity_at_cut_ = 0;
  std::uint64_t rows_at_cut_ = 0;
  TimeUs cut_watermark_us_ = kTimeMin;
  TimeUs triggered_us_ = 0;              // monotonic
  TimeUs final_us_ = 0;                  // monotonic
  TimeUs due_us_ = 0;                    // end of a declared cost
  TimeUs noted_us_ = kTimeMin;           // what the observer knows was kept
  std::uint64_t noted_activity_ = 0;
  std::vector<CutReport> cuts_;
  std::vector<EpochPart> parts_;
  EpochMeta meta_;
  state::EpochRecord record_;            // kStoring: what the store is to take
  TimeUs store_at_us_ = 0;               // not before: after an attempt that failed
  std::optional<TimeUs> stored_at_us_;   // when the attempt under way ends, with a fault point
  bool refused_ = false;                 // how it ends
  std::uint32_t store_failures_ = 0;     // in a row, of this epoch
  std::uint64_t trace_ = 0;
};

}  // namespace supyo::runtime
