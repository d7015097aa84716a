#include "engine/runtime/sink_task.h"

#include <utility>

#include <fmt/format.h>

namespace supyo::runtime {

Error SinkTask::named(Error e) const { return e.with_context(fmt::format("sink {}", node_.name)); }

Status SinkTask::on_rows(const BatchPtr& batch, std::size_t input) {
  (void)input;
  if (auto s = writer_->write(batch, epoch_); !s) return fail(named(std::move(s).error()));
  counters_.rows_out.add(batch->rows);
  shard_.note(node_.id, batch->rows);
  if (shard_.observer != nullptr && !node_.side) tell_observer(*batch);
  return ok();
}

/// A row that takes an older one back completes nothing.
void SinkTask::tell_observer(const Batch& batch) {
  if (batch.origins.empty()) return;
  completion_event_us_.clear();
  completion_produce_us_.clear();
  for (std::size_t i = 0; i < batch.rows; ++i) {
    if (batch.kind(i) == RowKind::kUpdateBefore) continue;
    completion_event_us_.push_back(batch.origins[i].event_max);
    completion_produce_us_.push_back(batch.origins[i].produce_max);
  }
  if (!completion_event_us_.empty())
    shard_.observer->sink_rows(epoch_, node_.sink_id, completion_event_us_, completion_produce_us_, shard_.now_us);
}

Status SinkTask::on_passed(TimeUs us) {
  if (!node_.side) shard_.observer->written(node_.id * shard_.shards + shard_.shard, us, watermark_us_, shard_.now_us);
  return ok();
}

Status SinkTask::on_barrier(Epoch e) {
  if (shard_.last_cut) {
    if (auto s = writer_->closing(); !s) return fail(named(std::move(s).error()));
  }
  writer_->watermark(watermark_us_);
  if (auto s = writer_->begin_prepare(e); !s) return fail(named(std::move(s).error()));
  preparing_ = e;
  return ok();
}

Result<bool> SinkTask::poll_prepare(dataflow::Poll& wait) {
  if (preparing_.value == 0) return true;
  auto prepared = writer_->poll_prepare(preparing_);
  if (!prepared) return fail(named(std::move(prepared).error()));
  wait = prepared->poll;
  if (!prepared->done) return false;
  preparing_ = Epoch(0);
  if (!prepared->handle.empty()) shard_.part->handles.emplace_back(node_.id, std::move(prepared->handle));
  return true;
}

}  // namespace supyo::runtime
