#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/fault_point.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "data/state/tables.h"
#include "data/types/batch.h"
#include "engine/dataflow/event.h"

namespace supyo::dataflow {

/// Where an operator's output goes. Batches of more than Batch::kMaxRows rows or of none are bugs.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual Status emit(BatchPtr batch) = 0;
};

/// What an operator instance sees besides its input. Lives as long as the instance; one shard thread.
class OperatorContext {
 public:
  virtual ~OperatorContext() = default;
  virtual state::OperatorState& state() = 0;
  /// Wall clock at the start of this poll (stamped once a batch). Processing time for PROCTIME().
  virtual TimeUs now_us() const = 0;
  /// Combined watermark over the active inputs, kTimeMin before the first. Never goes back, across a restart too.
  virtual TimeUs watermark_us() const = 0;
  virtual Epoch epoch() const = 0;
  /// The changes of this epoch and the coming ones are for others to restore. False: what an operator has in memory beside its state may stay there.
  virtual bool keeps_changes() const { return true; }
  virtual env::Random& random() const = 0;
  /// The same number as long as the job's state lives, and another one for each job.
  virtual std::uint64_t job_salt() const = 0;
  /// Rows beyond lateness, in the schema that late_schema() gives for this operator's input; they go to `T$late` with the epoch.
  virtual Status emit_late(BatchPtr rows) = 0;
  /// This operator wants no more input (LIMIT is reached): the job drains as if its input had ended.
  virtual void finish_job() {}
};

/// Schema of `T$late`: the operator's input columns, then `watermark` TIMESTAMP(3), `lateness_ms` BIGINT (watermark - event time),
/// `window_start` and `window_end` TIMESTAMP(3) (null for OVER), `operator` STRING, `reason` STRING (LATE | IDLE_RETURN).
Schema late_schema(const Schema& input);

/// Keyed or stateless transformation. Immutable after construction; all that changes lives in the state it declares, so that snapshot,
/// restore, rescale and inspection are the runtime's business. Called by one shard thread at a time (each shard has its own instance);
/// never blocks; sees time only through ctx. The runtime passes watermarks, barriers and end of input on downstream by itself, after the call.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual std::string_view name() const = 0;
  virtual state::StateSpec state() const { return {}; }
  /// State and watermark are those of the epoch that the job goes on from. Before any other call, and only where there is such an epoch.
  virtual Status on_restored(OperatorContext& ctx) { (void)ctx; return ok(); }
  virtual Status process(const BatchPtr& batch, std::size_t input, OperatorContext& ctx, Collector& out) = 0;
  /// The combined watermark moved to w. kTimeMax = the input ended: fire everything.
  virtual Status on_watermark(Watermark w, OperatorContext& ctx, Collector& out) { (void)w, (void)ctx, (void)out; return ok(); }
  /// What the runtime tells downstream when the combined watermark is w: earlier where later output can be older than w. Must not go back as w goes on.
  virtual TimeUs output_watermark(TimeUs w) const { return w; }
  /// An operator that gives rows their time by the clock (processing time): asked when next_timer_us() is reached, and what it says is the watermark that goes downstream.
  /// Of its input's watermarks only the end passes, and idleness does not. ctx.watermark_us() is what it said last, over a restart too; later rows must be after it.
  virtual bool makes_time() const { return false; }
  virtual TimeUs made_watermark(const OperatorContext& ctx) const { (void)ctx; return kTimeMin; }
  /// Processing time reached next_timer_us(). For operators that wait on the clock (mini-batch, TTL).
  virtual Status on_timer(TimeUs now_us, OperatorContext& ctx, Collector& out) { (void)now_us, (void)ctx, (void)out; return ok(); }
  virtual TimeUs next_timer_us(const OperatorContext& ctx) const { (void)ctx; return kTimeMax; }
  /// True while rows that came are not in what it gave out although no watermark is waited for (mini-batch).
  virtual bool keeps_back() const { return false; }
  /// Flush what is buffered outside state before the cut.
  virtual Status on_barrier(Barrier b, OperatorContext& ctx, Collector& out) { (void)b, (void)ctx, (void)out; return ok(); }
};
/// Makes the instance for one shard.
using OperatorFactory = std::function<Result<std::unique_ptr<Operator>>(std::uint32_t shard, std::uint32_t shards)>;

}  // namespace supyo::dataflow
