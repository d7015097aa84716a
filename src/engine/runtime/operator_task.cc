#include "engine/runtime/operator_task.h"

#include <fmt/format.h>

#include "core/base/check.h"

namespace supyo::runtime {

OperatorTask::OperatorTask(const PlanNode& node, ShardContext& shard, NodeCounters& counters, Epoch last, std::unique_ptr<dataflow::Operator> op, state::SpillSpace* space)
    : Task(node, shard, counters, last), op_(std::move(op)), state_(op_->state(), space) {}

Status OperatorTask::named(Status s) const {
  // An entry that did not come back is missing in what the operator did just now.
  if (s && state_.damage() != nullptr) s = fail(*state_.damage());
  if (s) return s;
  return fail(s.error().with_context(fmt::format("operator {}", node_.name)));
}

Status OperatorTask::on_rows(const BatchPtr& batch, std::size_t input) { return run([&] { return op_->process(batch, input, *this, *this); }); }

Status OperatorTask::on_watermark(TimeUs us) { return run([&] { return op_->on_watermark({us}, *this, *this); }); }

Status OperatorTask::on_barrier(Epoch e) {
  SUPYO_TRY(run([&] { return op_->on_barrier({e}, *this, *this); }));
  return run([&] { return hand_over(); });
}

Status OperatorTask::hand_over() {
  if (!shard_.keeps_changes) {
    state_.forget_changes();
    return ok();
  }
  for (std::size_t t = 0; t < state_.tables(); ++t) {
    state::TableChanges changes{.operator_id = node_.state_id, .table = static_cast<std::uint16_t>(t), .encoded = {}, .changes = {}};
    state_.take_changes(t, changes.encoded);
    if (!changes.encoded.empty()) shard_.part->tables.push_back(std::move(changes));
  }
  return ok();
}

Status OperatorTask::fire_timers() {
  if (op_->next_timer_us(*this) > shard_.now_us) return ok();
  if (op_->makes_time()) {
    const TimeUs made = op_->made_watermark(*this);
    return made > watermark_us_ ? advance(made) : ok();
  }
  ++shard_.activity;
  return run([&] { return op_->on_timer(shard_.now_us, *this, *this); });
}

Result<bool> OperatorTask::load_state(std::size_t bytes) {
  bool more = false;
  SUPYO_TRY(run([&] {
    more = state_.load(bytes);
    return ok();
  }));
  return more;
}

void OperatorTask::measure(EpochPart& part) const {
  part.state_bytes += state_.memory_bytes();
  part.state_entries += state_.entries();
}

Status OperatorTask::emit_late(BatchPtr rows) {
  counters_.late.add(rows->rows);
  if (shard_.observer != nullptr) shard_.observer->dropped_late(epoch_, rows->rows, shard_.now_us);
  return side_.rows(rows);
}

Status OperatorTask::emit(BatchPtr batch) {
  SUPYO_CHECK(batch->rows > 0 && batch->rows <= Batch::kMaxRows);
  counters_.rows_out.add(batch->rows);
  if (shard_.by_the_clock) ++shard_.activity;
  shard_.note(node_.id, batch->rows);
  return main_.rows(batch);
}

}  // namespace supyo::runtime
