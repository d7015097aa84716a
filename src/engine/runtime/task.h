#pragma once
#include <cstdint>
#include <vector>

#include "core/base/hash.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "data/types/visibility.h"
#include "engine/dataflow/event.h"
#include "engine/runtime/counters.h"
#include "engine/runtime/epoch_part.h"
#include "engine/runtime/exchange.h"
#include "engine/runtime/plan.h"

namespace supyo::runtime {

/// What the tasks of one shard share. One thread.
struct ShardContext {
  env::Env env;
  std::uint32_t shard = 0;
  std::uint32_t shards = 1;
  std::uint64_t job_salt = 0;        ///< a hash of the job's id
  VisibilityObserver* observer = nullptr;
  bool origins = false;
  bool by_the_clock = false;         ///< JobGraph's
  bool as_written = false;           ///< an observer is told when rows have been written (dataflow::Passed)
  TimeUs now_us = 0;                 ///< the clock at the start of this poll
  EpochPart* part = nullptr;         ///< of the epoch whose barrier is on its way through this shard
  std::uint32_t tasks_to_cut = 0;    ///< tasks that have not seen that barrier yet
  std::uint64_t activity = 0;        ///< counts everything that makes the next epoch worth writing
  bool last_cut = false;             ///< the barrier on its way is the last one: sinks close what they have open
  bool keeps_changes = true;         ///< the epoch's record holds what the state changed: someone may restore it
  bool finish_requested = false;     ///< an operator wants no more input
  std::uint64_t trace = 0;

  void note(std::uint64_t a, std::uint64_t b) { trace = hash_combine(trace, hash_combine(a, b)); }
};

class Task;

/// Everything that leaves a task by one kind of edge.
class Output {
 public:
  void add_call(Task* target, std::size_t channel) { calls_.push_back({target, channel}); }
  void add_queue(ExchangeSender sender) { queues_.push_back(std::move(sender)); }
  bool empty() const { return calls_.empty() && queues_.empty(); }
  const std::vector<std::pair<Task*, std::size_t>>& calls() const { return calls_; }

  Status rows(const BatchPtr& batch);
  Status broadcast(const dataflow::Event& event);
  bool flush();   ///< true when nothing waits in a queue of this task

 private:
  std::vector<std::pair<Task*, std::size_t>> calls_;
  std::vector<ExchangeSender> queues_;
};

/// One node on one shard: combines its inputs (watermarks by minimum over the active ones, barriers by waiting for all) and hands on what
/// comes out. Sources have no inputs.
class Task {
 public:
  Task(const PlanNode& node, ShardContext& shard, NodeCounters& counters, Epoch last)
      : node_(node), shard_(shard), counters_(counters), epoch_(Epoch(last.value + 1)) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const PlanNode& node() const { return node_; }
  NodeCounters& counters() { return counters_; }
  Output& output(PlanEdge::Kind kind) { return kind == PlanEdge::Kind::kMain ? main_ : side_; }

  /// Before the first event: an input channel that feeds `input`. Returns its number.
  std::size_t add_channel(std::size_t input);
  /// The watermark of the epoch that the job goes on from.
  void restore_watermark(TimeUs us);
  /// An event from input channel `channel`, which must not be waiting for the others' barriers. By value: queues hand theirs over.
  Status receive(std::size_t channel, const dataflow::Event& event);
  /// True while `channel` has seen the barrier and another has not: nothing may be taken from it.
  bool waits(std::size_t channel) const { return channels_[channel].barrier; }

  Epoch epoch() const { return epoch_; }   ///< the one being filled
  bool flush() { return static_cast<int>(main_.flush()) + static_cast<int>(side_.flush()) == 2; }

  /// Processing-time timers: earliest, and firing them.
  virtual TimeUs next_timer_us() const { return kTimeMax; }
  virtual Status fire_timers() { return ok(); }
  /// Sinks: goes on preparing the epoch; true when done (or not preparing).
  virtual Result<bool> poll_prepare(dataflow::Poll& wait) { (void)wait; return true; }
  /// After a restart: brings back about that much more of the state; true while there is more to come.
  virtual Result<bool> load_state(std::size_t bytes) { (void)bytes; return false; }
  virtual void measure(EpochPart& part) const { (void)part; }

 protected:
  virtual Status on_rows(const BatchPtr& batch, std::size_t input) = 0;
  virtual Status on_watermark(TimeUs us) { (void)us; return ok(); }
  /// What goes downstream for it.
  virtual TimeUs output_watermark(TimeUs us) const { return us; }
  virtual Status on_barrier(Epoch e) = 0;
  virtual Status on_passed(TimeUs us) { (void)us; return ok(); }
  virtual bool makes_time() const { return false; }
  virtual bool keeps_back() const { return false; }
  /// The task's own watermark moves on.
  Status advance(TimeUs us);
  /// All of its own part for the epoch is in; passes the barrier on.
  Status cut(Epoch e);
  Status broadcast(const dataflow::Event& event);

  const PlanNode& node_;
  ShardContext& shard_;
  NodeCounters& counters_;
  Output main_;
  Output side_;      // T$late, T$dead
  Epoch epoch_;
  TimeUs watermark_us_ = kTimeMin;

 private:
  struct ChannelState {
    std::size_t input = 0;
    TimeUs watermark_us = kTimeMin;
    TimeUs passed_us = kTimeMin;
    bool idle = false;
    bool barrier = false;
    bool ended = false;
  };
  Status combine();
  Status pass(ChannelState& c, TimeUs us);

  bool untold_ = false;   // of a restored watermark: nobody downstream has heard of it
  Status take_barrier(ChannelState& c, Epoch e);

  std::vector<ChannelState> channels_;
  TimeUs passed_us_ = kTimeMin;
  bool idle_ = false;
};

}  // namespace supyo::runtime
