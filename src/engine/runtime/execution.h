#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "data/state/spill_space.h"
#include "engine/runtime/durable_state.h"
#include "engine/runtime/job_config.h"
#include "engine/runtime/shard.h"

namespace supyo::runtime {

/// What an execution starts from. Everything outlives it.
struct ExecutionStart {
  const env::Env& env;
  const Plan& plan;
  const dataflow::JobGraph& graph;
  const JobConfig& config;
  const std::string& spill_dir;                      ///< the job's own, for what its shards spill
  const FaultPoints& faults;
  std::string job_id;
  Epoch last;                                        ///< last final epoch; 0 = from the beginning
  const EpochMeta& meta;                             ///< of that epoch
  const DurableState* state = nullptr;               ///< its tables; null = none kept
  std::vector<std::deque<NodeCounters>>& counters;   ///< [node][shard]
  std::deque<ShardCounters>& shard_counters;
};

/// One sink of the job, on the coordinator.
struct Committer {
  const PlanNode* node = nullptr;
  std::unique_ptr<dataflow::SinkCommitter> committer;
  bool visible = false;                              ///< of the epoch being committed
};
/// Goes on committing `epoch`; kDone when all of `handles` are visible.
Result<dataflow::Poll> poll_committers(std::vector<Committer>& committers, Epoch epoch, const std::vector<SinkHandles>& handles, TimeUs now_us);


/// One life of a job between two failures: everything that is opened and built when it starts, and thrown away when it fails.
/// The coordinator's thread builds it; once open() returned, each shard belongs to the thread that polls it.
class Execution {
 public:
  explicit Execution(const ExecutionStart& start) : start_(start) {}
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  /// Opens the committers, which find out what is visible. First call.
  Status open_committers();
  /// Finishes the commit of the epoch that the job goes on from; kDone when it is visible.
  Result<dataflow::Poll> poll_recommit();
  /// Removes what was prepared for later epochs, opens sources and writers, restores tables, wires the shards.
  Status open();

  std::vector<std::unique_ptr<Shard>>& shards() { return shards_; }
  std::vector<Committer>& committers() { return committers_; }
  Commands& commands() { return commands_; }
  Mailbox& mailbox() { return mailbox_; }
  std::uint32_t source_splits() const { return source_splits_; }
  /// Splits of the last epoch that the sources did not name this time: kept, in case they come back.
  const std::vector<SplitState>& absent_splits() const { return absent_splits_; }

 private:
  dataflow::SinkOpen sink_open(const PlanNode& node) const;
  Status make_spaces();
  Status make_shards();
  Status make_source(const PlanNode& node);
  Status make_operator(const PlanNode& node);
  Status make_sink(const PlanNode& node);
  void place(std::uint32_t shard, const PlanNode& node, std::unique_ptr<Task> task, SourceTask* source);
  void wire(const PlanEdge& edge);
  void wire_queue(const PlanEdge& edge, std::uint32_t from_shard);
  Status restore_tables();

  ExecutionStart start_;
  Commands commands_;
  Mailbox mailbox_;
  std::vector<Committer> committers_;
  std::deque<Channel> channels_;
  std::deque<state::SpillSpace> spaces_;             // by shard; none: all state is in memory
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::vector<Task*>> tasks_;            // [node][shard]; null where the node does not run
  std::vector<std::vector<OperatorTask*>> operators_;
  std::vector<std::vector<Receiver>> receivers_;     // [shard][node], being wired
  std::vector<SplitState> absent_splits_;
  std::uint32_t source_splits_ = 0;
};

}  // namespace supyo::runtime
