#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/runtime/operator_task.h"
#include "engine/runtime/sink_task.h"
#include "engine/runtime/source_task.h"

namespace supyo::runtime {

/// What the coordinator tells the shards. Written by the coordinator, read by every shard once a poll.
struct Commands {
  std::atomic<std::int64_t> cut{0};        ///< close this epoch: inject its barrier
  std::atomic<std::int64_t> last{-1};      ///< the epoch after which sources read no more
  std::atomic<std::int64_t> finished{-1};  ///< the epoch with which the job has ended: nothing will ever restore its state
  std::atomic<std::int64_t> final{0};      ///< durable up to here
  std::atomic<bool> drain{false};          ///< end all sources
  std::atomic<bool> exit{false};
};

/// A shard's barrier went in at its sources.
struct CutReport {
  Epoch epoch;
  TimeUs watermark_us = kTimeMax;   ///< lowest of its sources that are not idle
  bool active = false;              ///< there are such
  bool idle = false;                ///< some are idle
  TimeUs now_us = 0;
};

/// What the shards tell the coordinator. Locked: used a few times an epoch, never for rows.
class Mailbox {
 public:
  struct Contents {
    std::vector<CutReport> cuts;
    std::vector<EpochPart> parts;
    std::optional<Error> error;     ///< the first one
  };
  void post(CutReport cut) { const std::scoped_lock lock(mutex_); contents_.cuts.push_back(cut); }
  void post(EpochPart part) { const std::scoped_lock lock(mutex_); contents_.parts.push_back(std::move(part)); }
  void post(Error error) { const std::scoped_lock lock(mutex_); if (!contents_.error) contents_.error = std::move(error); }
  Contents take() { const std::scoped_lock lock(mutex_); return std::exchange(contents_, {}); }

 private:
  std::mutex mutex_;
  Contents contents_;
};

/// What the coordinator may look at while the shard runs.
struct ShardGauges {
  std::atomic<std::uint64_t> activity{0};
  std::atomic<std::uint64_t> rows{0};      ///< taken by its sources
  std::atomic<bool> sources_done{false};
  std::atomic<bool> finish_requested{false};
};

/// The receiving end of a task's queues on this shard.
struct Receiver {
  Task* task = nullptr;
  struct Input {
    Channel* channel = nullptr;
    std::size_t number = 0;          ///< the task's name for it
  };
  std::vector<Input> inputs;
  std::size_t next = 0;              ///< where the round robin goes on
  std::vector<Task*> chain;          ///< tasks that run inside a call of this one, itself included: their queues must have room
  TimeUs blocked_us = kTimeMin;      ///< the last poll that found no room; kTimeMin: it found some
};
struct SourceHead {
  SourceTask* task = nullptr;
  std::vector<Task*> chain;
  TimeUs blocked_us = kTimeMin;
};

/// One shard: its tasks, their state, their timers. `last` is the epoch it goes on from. Everything but `gauges` belongs to the one thread that polls it.
class Shard {
 public:
  Shard(ShardContext context, Epoch last, Commands& commands, Mailbox& mailbox, ShardCounters& counters, DurationUs lag_sample_us, std::uint64_t seed);

  ShardContext& context() { return context_; }
  void add(std::unique_ptr<Task> task, SourceTask* as_source);
  void add_receiver(Receiver receiver) { receivers_.push_back(std::move(receiver)); }
  void finish_wiring();

  /// A round over everything that may run: kMore when something did. An error was posted to the mailbox already and ends the shard's work.
  dataflow::Poll poll();
  bool backpressured() const { return backpressured_; }
  bool cutting() const { return cutting_; }   ///< an epoch's barrier is on its way through
  /// Before the first poll: see SourceTask::prime.
  Result<TimeUs> prime();

  const ShardGauges& gauges() const { return gauges_; }
  ShardCounters& counters() { return counters_; }

 private:
  Result<dataflow::Poll> work();
  Status follow_commands();
  Status inject(Epoch e);
  Result<bool> poll_receiver(Receiver& r);
  Status poll_sources(dataflow::Poll& poll);
  Status poll_timers(dataflow::Poll& poll);
  Status load_state(dataflow::Poll& poll);
  Status poll_part(dataflow::Poll& poll);
  void publish();
  std::vector<Task*> chain_of(Task& head) const;
  static bool has_room(const std::vector<Task*>& chain);
  void count_blocked(NodeCounters& counters, TimeUs& blocked_us) const;

  ShardContext context_;
  Commands& commands_;
  Mailbox& mailbox_;
  ShardCounters& counters_;
  ShardGauges gauges_;
  DurationUs lag_sample_us_;
  std::uint64_t random_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<SourceHead> sources_;
  std::vector<Receiver> receivers_;
  EpochPart part_;
  bool cutting_ = false;
  Epoch injected_;
  std::int64_t acknowledged_ = 0;
  TimeUs sampled_us_ = kTimeMin;
  bool loaded_ = false;   // all state is back
  bool drained_ = false;
  bool backpressured_ = false;
  bool failed_ = false;
};

}  // namespace supyo::runtime
