#pragma once
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/partition_writer.h"
#include "lab/scenario/stream/stream_results.h"
#include "lab/scenario/stream/stream_scenario.h"
#include "lab/workload/generator.h"
#include "lab/workload/sender.h"
#include "lab/workload/window_truth.h"

namespace supyo::scenario {

/// What a topic's producer sends, and when: the generator's records, as the faults of the phase have them. One thread.
class StreamSchedule {
 public:
  using Take = std::function<void(std::int32_t partition, const workload::GeneratedRecord&)>;
  struct Counts {
    std::uint64_t silenced = 0, delayed = 0;   ///< silenced ones are never sent
    std::uint64_t copied = 0;                  ///< sent again
  };
  /// Errors: of the input's expressions and its domain.
  static Result<StreamSchedule> make(const StreamScenario& scenario, const StreamInput& input, TimeUs start_us);

  /// The faults of the phase that holds from `now` to `until_us`.
  Status enter(const StreamScenario& scenario, const std::vector<StreamFault>& faults, TimeUs now, TimeUs until_us);
  /// Gives `take` what is due now and belongs before `end_us`.
  void due(TimeUs now, TimeUs end_us, const Take& take);
  /// Nothing is held back any more.
  bool drained() const { return held_.empty(); }
  const Counts& counts() const { return counts_; }
  const StreamInput& input() const { return *input_; }

 private:
  struct Rule {
    StreamFault::Kind kind;
    std::int32_t partition;        // -1: all
    double share;
    DurationUs delay_us;           // -1: until the phase ends
    StreamFault::Spread spread = StreamFault::Spread::kConstant;
    DurationUs span_us = kSecond;
  };
  struct Held {
    TimeUs due_us;
    std::uint64_t order;
    std::int32_t partition;
    workload::GeneratedRecord record;
  };
  struct Later {
    bool operator()(const Held& a, const Held& b) const { return a.due_us != b.due_us ? a.due_us > b.due_us : a.order > b.order; }
  };
  StreamSchedule(const StreamInput& input, std::uint64_t seed);
  void pass(const workload::GeneratedRecord& record, TimeUs now, const Take& take);
  void repeat(const Rule& rule, const workload::GeneratedRecord& record, std::int32_t partition, TimeUs now);

  const StreamInput* input_;
  std::uint64_t seed_;
  workload::Draws draws_;
  std::unique_ptr<workload::Generator> generator_;
  std::vector<Rule> rules_;
  TimeUs until_us_ = 0;
  double rate_ = 0;

  workload::GeneratedRecord next_;
  bool more_ = false;
  std::uint64_t order_ = 0;
  std::priority_queue<Held, std::vector<Held>, Later> held_;
  Counts counts_;
};

/// The partition that an input's records go to, of those that it has: by the hash of their key, or of the field that the file names.
std::int32_t stream_partition(const StreamInput& input, const workload::GeneratedRecord& record);

/// A topic's producer: gives records to the embedded log when their time has come. One thread.
class StreamFeed {
 public:
  struct Counts {
    std::uint64_t sent = 0, acked = 0, failed = 0, unknown = 0;
  };
  static Result<std::unique_ptr<StreamFeed>> open(const env::Env& env, const std::string& log_directory, const StreamScenario& scenario, const StreamInput& input, TimeUs start_us);

  StreamSchedule& schedule() { return schedule_; }
  const StreamSchedule& schedule() const { return schedule_; }
  /// What is due now and belongs before `end_us`. Each record that the log took is told to `truth`.
  Status feed(TimeUs now, TimeUs end_us, StreamTruth& truth);
  const Counts& counts() const { return counts_; }
  /// Newest event time sent to a partition; kTimeMin before the first.
  TimeUs newest_event(std::int32_t partition) const { return newest_[static_cast<std::size_t>(partition)]; }
  std::int64_t end(std::int32_t partition) const { return writers_[static_cast<std::size_t>(partition)]->next_offset().value; }
  Status retain();

 private:
  explicit StreamFeed(StreamSchedule schedule) : schedule_(std::move(schedule)) {}
  Status flush(TimeUs now, StreamTruth& truth);

  StreamSchedule schedule_;
  std::vector<std::unique_ptr<log::PartitionWriter>> writers_;
  std::vector<TimeUs> newest_;
  std::vector<std::vector<workload::GeneratedRecord>> batch_;   // by partition
  log::RecordBatch records_;
  Counts counts_;
};

}  // namespace supyo::scenario
