#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/strong.h"

namespace supyo::diagnosis {

/// What was seen of one group in one partition at one moment. `at` is the brokers' time (a clock offset is taken off by whoever looks).
struct OffsetSample {
  TimeUs at = 0;
  std::int64_t log_start = 0;
  std::int64_t end = 0;          ///< high watermark
  std::int64_t committed = -1;   ///< next offset that the group reads; -1: it has committed nothing
  std::int64_t bytes = -1;       ///< of the partition's segment files; -1: not told
};

/// A rate a second with what it may be: `low` and `high` are two standard deviations, taken over the quarters of the time that it was measured in.
struct Rate {
  double low = 0, mid = 0, high = 0;
};

/// A move of the log start: it happened after `after` and at the latest at `by`.
struct StartStep {
  TimeUs after = 0, by = 0;
  std::int64_t from = 0, to = 0;
  std::int64_t end = 0;          ///< high watermark as seen with it
};

/// Samples of one group in one partition, in time order: all of the last minutes, ever fewer of older times (the distance between two grows with their age), so that a day at
/// four samples a minute takes some 150. Also the last moves of the log start, exactly. A sample that contradicts the ones before it (log end or log start went back: another
/// topic of that name; committed went back: somebody reset it; or it appeared) begins a new trail. Plain memory, one thread.
class Trail {
 public:
  static constexpr std::size_t kStepsKept = 12;
  static constexpr std::size_t kCommitsKept = 16;

  void add(const OffsetSample& sample);
  bool empty() const { return samples_.empty(); }
  const OffsetSample& last() const { return samples_.back(); }
  DurationUs span() const { return samples_.empty() ? 0 : samples_.back().at - samples_.front().at; }
  const std::vector<OffsetSample>& samples() const { return samples_; }
  const std::deque<StartStep>& start_steps() const { return steps_; }
  /// When `committed`, or the log end, last changed as far as samples tell.
  TimeUs committed_changed_at() const { return committed_changed_at_; }
  TimeUs end_changed_at() const { return end_changed_at_; }
  /// The longest time that passed between two changes of `committed`, of those since the trail began.
  DurationUs longest_commit_gap() const { return longest_commit_gap_; }
  /// The looks that saw `committed` elsewhere than the look before did: the last ones.
  const std::deque<TimeUs>& commits() const { return commits_; }

  /// When the log end passed `offset`, between the looks around it; absent when that was before the trail.
  std::optional<TimeUs> appended_at(std::int64_t offset) const;
  /// Records appended a second over the last `window` (less when the trail is shorter). Absent with fewer than 3 samples.
  std::optional<Rate> append_rate(DurationUs window) const;
  /// By how much the lag grows a second (negative: it falls). Measured as one, since what comes and what is read are not independent. Absent where the group has committed nothing.
  std::optional<Rate> lag_growth(DurationUs window) const;
  /// Bytes in the files an offset; absent when sizes are not told or nothing is kept.
  std::optional<double> bytes_per_offset() const;

 private:
  void thin();
  template <class Value>
  std::optional<Rate> slope(DurationUs window, Value value) const;

  std::vector<OffsetSample> samples_;
  std::deque<StartStep> steps_;
  std::deque<TimeUs> commits_;
  TimeUs committed_changed_at_ = 0, end_changed_at_ = 0;
  DurationUs longest_commit_gap_ = 0;
};

}  // namespace supyo::diagnosis
