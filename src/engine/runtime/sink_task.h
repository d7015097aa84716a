#pragma once
#include <memory>
#include <vector>

#include "engine/dataflow/sink.h"
#include "engine/runtime/task.h"

namespace supyo::runtime {

/// A sink's writer on one shard.
class SinkTask final : public Task {
 public:
  SinkTask(const PlanNode& node, ShardContext& shard, NodeCounters& counters, Epoch last, std::unique_ptr<dataflow::SinkWriter> writer)
      : Task(node, shard, counters, last), writer_(std::move(writer)) {}

  Result<bool> poll_prepare(dataflow::Poll& wait) override;

 private:
  Status on_rows(const BatchPtr& batch, std::size_t input) override;
  Status on_barrier(Epoch e) override;
  Status on_passed(TimeUs us) override;
  void tell_observer(const Batch& batch);
  Error named(Error e) const;

  std::unique_ptr<dataflow::SinkWriter> writer_;
  Epoch preparing_;                          // 0 = none
  std::vector<TimeUs> completion_event_us_;  // reused
  std::vector<TimeUs> completion_produce_us_;
};

}  // namespace supyo::runtime
