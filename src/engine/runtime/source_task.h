#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/types/builder.h"
#include "engine/dataflow/source.h"
#include "engine/runtime/task.h"

namespace supyo::runtime {

/// One split as a source task follows it.
struct SplitProgress {
  std::string id;
  std::uint32_t number = 0;          ///< over all sources of the job: what the observer calls it
  TimeUs watermark_us = kTimeMin;    ///< its highest row time minus the bound; never goes back
  bool idle = false;
  bool quiet = false;                ///< its end was polled since it last gave anything
  bool unreachable = false;          ///< nobody answered for it since it was last quiet or gave anything
  TimeUs active_us = 0;              ///< clock when it last gave something, or could not be asked
  std::uint64_t skip_rows = 0;       ///< still to be dropped after a restart (see SplitState)
  std::uint64_t skip_dead = 0;
  std::uint64_t given_rows = 0;      ///< replay: released since the position that would be saved now
  std::uint64_t given_dead = 0;
};

/// A source on one shard: the splits that this shard reads.
///
/// What the runtime knows about time starts here: the watermark of each split, the watermark that each row met (its edge watermark), rows
/// behind it, origins, idleness. Rows with a null where the table says NOT NULL become dead records.
class SourceTask final : public Task, private dataflow::SourceOutput {
 public:
  SourceTask(const PlanNode& node, ShardContext& shard, NodeCounters& counters, Epoch last, std::vector<SplitProgress> splits,
             std::unique_ptr<dataflow::SourceReader> reader, std::size_t batch_rows);

  /// Reads about a batch and sends it on. Never after done().
  Result<dataflow::Poll> poll();
  /// Was not polled because its output is full: nobody may call its splits idle for that.
  void blocked() { blocked_ = true; }
  /// Replay: reads until it knows when its first row is to be released; kTimeMax when it holds none and has none at hand.
  Result<TimeUs> prime();

  /// The cut: records the positions and sends the barrier. With `last`, reads no more.
  Status inject(Epoch e, bool last);
  /// No more rows, as if the input had ended: the watermark goes to its end, and windows fire.
  Status end();
  /// The epoch that the last inject() cut is final.
  Status acknowledge(Epoch e);
  bool done() const { return done_; }
  /// Of the splits that are not idle; kTimeMax when it has ended, kTimeMin when one of them gave nothing yet.
  TimeUs cut_watermark_us() const { return watermark_us_; }
  bool idle() const { return reader_ != nullptr && !done_ && all_idle(); }
  /// Counts in the combined watermark: has splits on this shard, and not all of them idle.
  bool active() const { return reader_ != nullptr && !idle(); }
  /// Tells the observer the lags of its splits.
  void sample_lags();
  std::uint64_t rows() const { return rows_; }   ///< ever taken

 private:
  // Task
  Status on_rows(const BatchPtr& batch, std::size_t input) override;
  Status on_barrier(Epoch e) override;
  // SourceOutput
  Status emit(dataflow::SourceBatch batch) override;
  Status dead(dataflow::DeadRecord record) override;
  void quiet(std::uint32_t split) override;
  void unreachable(std::uint32_t split) override;

  struct Held {                      // read but not yet released (replay)
    dataflow::SourceBatch batch;     // or, when it has no batch:
    dataflow::DeadRecord record;
    std::size_t next = 0;
  };

  Status take_rows(dataflow::SourceBatch batch);
  Status take_dead(dataflow::DeadRecord record);
  Result<dataflow::SourceBatch> without_nulls(dataflow::SourceBatch batch);
  Status null_record(const dataflow::SourceBatch& batch, std::size_t row, std::size_t column);
  std::shared_ptr<Batch> stamp(const dataflow::SourceBatch& batch, SplitProgress& split);
  Status flush_dead();
  Status hold(Held held);
  Result<TimeUs> release();
  Result<dataflow::Poll> poll_reader();
  bool all_idle() const;
  Status note_idleness(dataflow::Poll& poll);
  Status send_watermark();
  Status send_passed();
  std::vector<SplitState> split_states() const;

  const dataflow::SourceNode& source_;
  std::vector<SplitProgress> splits_;
  std::unique_ptr<dataflow::SourceReader> reader_;
  std::size_t batch_rows_;
  std::vector<std::uint8_t> polled_quiet_;    // per split, within one poll
  std::vector<std::uint8_t> polled_rows_;
  std::vector<dataflow::SplitPosition> cut_positions_;
  Epoch cut_epoch_;
  std::vector<std::uint64_t> dead_since_, lost_since_;   // per split: not yet told the observer
  std::vector<TimeUs> own_event_us_;   // scratch of stamp()
  BatchBuilder dead_rows_;
  std::vector<TimeUs> event_us_;              // reused
  std::deque<Held> held_;
  std::vector<dataflow::SplitPosition> held_from_;   // replay: positions before what is held
  TimeUs released_us_ = kTimeMin;
  TimeUs passed_us_ = kTimeMin;        // last told those downstream
  std::uint64_t passed_rows_ = 0;
  std::uint64_t rows_ = 0;
  bool reader_done_ = false;
  bool done_ = false;
  bool stopped_ = false;
  bool blocked_ = false;
  bool sent_idle_ = false;
};

}  // namespace supyo::runtime
