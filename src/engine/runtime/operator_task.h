#pragma once
#include <memory>

#include "engine/dataflow/operator.h"
#include "engine/runtime/task.h"

namespace supyo::runtime {

/// An operator instance with its state, on one shard.
class OperatorTask final : public Task, private dataflow::OperatorContext, private dataflow::Collector {
 public:
  OperatorTask(const PlanNode& node, ShardContext& shard, NodeCounters& counters, Epoch last, std::unique_ptr<dataflow::Operator> op, state::SpillSpace* space);

  state::OperatorState& operator_state() { return state_; }
  Status on_restored() {
    return run([&] { return op_->on_restored(*this); });
  }
  /// Time that is made stands still behind the last barrier: no row may follow it.
  TimeUs next_timer_us() const override { return makes_time() && shard_.last_cut ? kTimeMax : op_->next_timer_us(*this); }
  Status fire_timers() override;
  Result<bool> load_state(std::size_t bytes) override;
  void measure(EpochPart& part) const override;

 private:
  Status on_rows(const BatchPtr& batch, std::size_t input) override;
  Status on_watermark(TimeUs us) override;
  TimeUs output_watermark(TimeUs us) const override { return op_->output_watermark(us); }
  Status on_barrier(Epoch e) override;
  Status hand_over();
  bool makes_time() const override { return op_->makes_time(); }
  bool keeps_back() const override { return op_->keeps_back(); }
  /// Around whatever the operator does with its state.
  template <class Call>
  Status run(const Call& call) { return named(state_.call(call)); }
  Status named(Status s) const;

  // OperatorContext
  state::OperatorState& state() override { return state_; }
  TimeUs now_us() const override { return shard_.now_us; }
  TimeUs watermark_us() const override { return watermark_us_; }
  Epoch epoch() const override { return epoch_; }
  bool keeps_changes() const override { return shard_.keeps_changes; }
  env::Random& random() const override { return shard_.env.random; }
  std::uint64_t job_salt() const override { return shard_.job_salt; }
  Status emit_late(BatchPtr rows) override;
  void finish_job() override { shard_.finish_requested = true; }
  // Collector
  Status emit(BatchPtr batch) override;

  std::unique_ptr<dataflow::Operator> op_;
  state::OperatorState state_;
};

}  // namespace supyo::runtime
