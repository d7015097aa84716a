#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/strong.h"

namespace supyo::slo {

/// Where a record's time went, as sums over `records` records in microseconds; the parts add up to visible - event.
struct Waterfall {
  std::uint64_t records = 0;
  std::int64_t source_us = 0;     ///< produce - event: the source's own lateness (may be negative)
  std::int64_t log_us = 0;        ///< taken - produce: wait in the log
  std::int64_t interval_us = 0;   ///< first cut - taken: decoding, processing and the wait for the epoch to close
  std::int64_t watermark_us = 0;  ///< finishing cut - first cut: held until the watermark
  std::int64_t epoch_us = 0;      ///< durable - cut
  std::int64_t commit_us = 0;     ///< visible - durable
  Waterfall& operator+=(const Waterfall& o);
  std::int64_t total_us() const { return source_us + log_us + interval_us + watermark_us + epoch_us + commit_us; }
};

/// A clock that was set forward: what was produced until `before_us`, by the clock as it was, counts as `by_us` later than it says.
struct ClockStep {
  TimeUs before_us = kTimeMin;
  DurationUs by_us = 0;
  DurationUs of(TimeUs produce_us) const { return produce_us <= before_us ? by_us : 0; }
};

/// Records that were taken and that no reader can see yet, in chunks of one epoch and one split. Not thread-safe.
///
/// Times are kept as they are, 16 bytes a record, so counts under a threshold are exact. Beyond `kExactRecords` unfinished records the oldest chunks are
/// folded into cells of `kFoldUs` (times rounded down, so that nothing looks younger than it is): memory stays bounded in a long stall.
/// A chunk that the watermark reaches in part is ordered by event time then: once into slots, and a slot's rows when the watermark is amid them. So a record that is held costs
/// the same whether it waits for two cuts or for a hundred.
class PendingRecords {
 public:
  static constexpr std::uint64_t kExactRecords = 8'000'000;
  static constexpr DurationUs kFoldUs = 100 * kMillisecond;
  static constexpr DurationUs kTogetherUs = 100 * kMillisecond;

  /// Some rows of a chunk, as they lie there.
  struct Rows {
    std::span<const TimeUs> event_us;
    std::span<const TimeUs> produce_us;
    std::span<const std::uint32_t> counts;  ///< empty: one record a row; else the records of each folded cell
    std::uint64_t records = 0;
    std::uint32_t count_at(std::size_t i) const { return counts.empty() ? 1U : counts[i]; }
  };

  /// How many unfinished records lie in each pair of an event and a produce time, both rounded down to kFoldUs: by event time, then by how much later produce time is.
  struct Cells {
    TimeUs event_base_us = 0, produce_base_us = 0;   ///< of the first cell
    std::size_t width = 0;                           ///< cells of one event time
    std::vector<std::uint32_t> counts;               ///< empty: not counted
    std::uint32_t& at(TimeUs event_us, TimeUs produce_us);
  };

  struct Chunk {
    Epoch epoch;
    std::uint32_t split = 0;
    std::uint64_t records = 0;            ///< unfinished
    TimeUs min_event_us = kTimeMax;       ///< bounds of the unfinished records' times
    TimeUs max_event_us = kTimeMin;
    TimeUs min_produce_us = kTimeMax;
    TimeUs max_produce_us = kTimeMin;
    std::uint64_t taken_records = 0;    ///< with taken_sum_us: the mean time at which the chunk's records were taken
    double taken_sum_us = 0;
    TimeUs taken_base_us = 0;
    TimeUs last_taken_us = kTimeMin;
    TimeUs first_cut_us = kTimeMin;
    TimeUs mean_taken_us() const;
    /// The unfinished ones.
    Rows rows() const { return rows(event_us.size()); }

   private:
    friend class PendingRecords;
    Rows rows(std::size_t end) const;
    void note(std::span<const TimeUs> event, std::span<const TimeUs> produce);
    void divide(std::vector<TimeUs>& event, std::vector<TimeUs>& produce);
    void sort_slot(std::size_t from);
    std::size_t reach(TimeUs watermark_us);
    void finish_upto(std::size_t end);
    void forget_finished();
    bool count_cells();
    struct CellAt {
      TimeUs event_us, produce_us;
      std::uint32_t records;
    };
    std::vector<CellAt> filled_cells() const;
    void fold();

    std::vector<TimeUs> event_us;
    std::vector<TimeUs> produce_us;
    std::vector<std::uint32_t> counts;
    std::size_t first = 0;                ///< rows before it are finished
    std::vector<std::size_t> slot_end;    ///< rows in order of their slots of 2^slot_shift us; empty: as they were taken
    TimeUs slot_base_us = 0;
    int slot_shift = 0;
    std::size_t slot = 0;                 ///< the one that `first` is in
    bool slot_sorted = false;
    Cells cells;                          ///< for save(), once there was much to save; what finishes is taken out
  };

  /// `by_time`: chunks hold what was taken within `kTogetherUs` at most, for finish_taken().
  void add(Epoch epoch, std::uint32_t split, std::span<const TimeUs> event_us, std::span<const TimeUs> produce_us, TimeUs now_us, bool by_time = false);
  /// Notes when the chunks up to `epoch` were first cut.
  void cut(Epoch epoch, TimeUs now_us);
  using Done = std::function<void(const Chunk&, const Rows&)>;
  /// Removes the finished records of the chunks up to `epoch`: all of them, or with `hold` those whose event time `watermark_us` has reached.
  /// `done` gets them with the chunk that they leave (its bounds and records still count them).
  void finish(Epoch epoch, bool hold, TimeUs watermark_us, const Done& done);
  /// The same of the chunks that were taken at or before `taken_us`, of whatever epoch.
  void finish_taken(TimeUs taken_us, bool hold, TimeUs watermark_us, const Done& done);
  /// The clock goes on at `now`, before some were taken by it: they count as taken now.
  void taken_by(TimeUs now);
  /// Forgets the records of epochs after `epoch`: a restart will take them again.
  void drop_after(Epoch epoch);

  std::uint64_t records() const { return records_; }
  std::uint64_t records_of(std::uint32_t split) const;
  /// How many were folded, ever: from then on counts are exact to kFoldUs only.
  std::uint64_t folded() const { return folded_; }
  /// Unfinished records whose event (or produce) time is at most `t`.
  std::uint64_t at_or_before(TimeUs t, bool produce_clock, const ClockStep& step = {}) const;
  TimeUs oldest_produce_us() const;
  void for_each(const std::function<void(const Chunk&)>& visit) const;

  void save(ByteWriter& out, Epoch upto);
  bool restore(ByteReader& in);

 private:
  Chunk& chunk_of(Epoch epoch, std::uint32_t split, TimeUs since_us);
  void finish(Chunk& chunk, bool hold, TimeUs watermark_us, const Done& done);
  void remove_finished();
  std::vector<TimeUs> spare();
  void give_back(std::vector<TimeUs>&& buffer);
  std::deque<Chunk> chunks_;                     ///< in epoch order
  std::vector<std::vector<TimeUs>> spare_;       ///< buffers of finished chunks, used again
  std::uint64_t records_ = 0;
  std::uint64_t folded_ = 0;
};

/// Of `rows`, how many records have a time at or before `t` on the clock. `chunk` is where they lie: by its bounds most questions are answered without a look.
std::uint64_t at_or_before(const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows, TimeUs t, bool produce_clock, const ClockStep& step = {});

}  // namespace supyo::slo
