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

/// Records that were taken and that no reader can see yet, in chunks of one epoch and one split. Not thread-safe.
///
/// Times are kept as they are, 16 bytes a record, so counts under a threshold are exact. Beyond `kExactRecords` unfinished records the oldest chunks are
/// folded into cells of `kFoldUs` (times rounded down, so that nothing looks younger than it is): memory stays bounded in a long stall.
class PendingRecords {
 public:
  static constexpr std::uint64_t kExactRecords = 8'000'000;
  static constexpr DurationUs kFoldUs = 100 * kMillisecond;
  static constexpr DurationUs kTogetherUs = 100 * kMillisecond;

  struct Chunk {
    Epoch epoch;
    std::uint32_t split = 0;
    std::vector<TimeUs> event_us;
    std::vector<TimeUs> produce_us;
    std::vector<std::uint32_t> counts;  ///< empty: one record a row; else the records of each folded cell
    std::uint64_t records = 0;
    TimeUs min_event_us = kTimeMax;
    TimeUs max_event_us = kTimeMin;
    std::uint64_t taken_records = 0;    ///< with taken_sum_us: the mean time at which the chunk's records were taken
    double taken_sum_us = 0;            ///< relative to taken_base_us
    TimeUs taken_base_us = 0;
    TimeUs last_taken_us = kTimeMin;
    TimeUs first_cut_us = kTimeMin;
    TimeUs mean_taken_us() const;
    std::uint32_t count_at(std::size_t i) const { return counts.empty() ? 1u : counts[i]; }
  };

  /// `by_time`: chunks hold what was taken within `kTogetherUs` at most, for finish_taken().
  void add(Epoch epoch, std::uint32_t split, std::span<const TimeUs> event_us, std::span<const TimeUs> produce_us, TimeUs now_us, bool by_time = false);
  /// Notes when the chunks up to `epoch` were first cut.
  void cut(Epoch epoch, TimeUs now_us);
  /// Removes the finished records of the chunks up to `epoch`: all of them, or with `hold` those whose event time `watermark_us` has reached.
  /// `done` gets each chunk that finished anything, holding just the finished records.
  void finish(Epoch epoch, bool hold, TimeUs watermark_us, const std::function<void(const Chunk&)>& done);
  /// The same of the chunks that were taken at or before `taken_us`, of whatever epoch.
  void finish_taken(TimeUs taken_us, bool hold, TimeUs watermark_us, const std::function<void(const Chunk&)>& done);
  /// Forgets the records of epochs after `epoch`: a restart will take them again.
  void drop_after(Epoch epoch);

  std::uint64_t records() const { return records_; }
  std::uint64_t records_of(std::uint32_t split) const;
  /// How many were folded, ever: from then on counts are exact to kFoldUs only.
  std::uint64_t folded() const { return folded_; }
  /// Unfinished records whose event (or produce) time is at most `t`.
  std::uint64_t at_or_before(TimeUs t, bool produce_clock) const;
  TimeUs oldest_produce_us() const;
  void for_each(const std::function<void(const Chunk&)>& visit) const;

  void save(ByteWriter& out, Epoch upto) const;
  bool restore(ByteReader& in);

 private:
  Chunk& chunk_of(Epoch epoch, std::uint32_t split, TimeUs since_us);
  void finish(Chunk& chunk, bool hold, TimeUs watermark_us, const std::function<void(const Chunk&)>& done);
  void remove_finished();
  static void fold(Chunk& chunk);
  /// Moves the records whose event time `watermark_us` has reached from `chunk` to `out`.
  static void split(Chunk& chunk, TimeUs watermark_us, Chunk& out);
  std::deque<Chunk> chunks_;                     ///< in epoch order
  std::vector<std::vector<TimeUs>> spare_;       ///< buffers of finished chunks, used again
  std::uint64_t records_ = 0;
  std::uint64_t folded_ = 0;
};

}  // namespace supyo::slo
