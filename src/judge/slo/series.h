#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/strong.h"

namespace supyo::slo {

/// A recorded measure: one value a sample, NaN where it is not known. Times are seconds, counts are numbers, shares are 0..1.
struct Column {
  std::string name;
  std::string unit;  ///< "s", "records", "share", "state"
  std::vector<double> values;
};

/// Everything that the judge recorded, sample by sample. When it grows past `kMaxSamples`, every second sample is dropped and the
/// stride doubles; what happened when is kept apart in the timeline and stays exact.
class Series {
 public:
  static constexpr std::size_t kMaxSamples = 86'400;

  explicit Series(std::vector<Column> columns = {}) : columns_(std::move(columns)) {}
  /// `values` in the order of the columns.
  void add(TimeUs t, const std::vector<double>& values);
  /// Drops the samples after `t`.
  void forget_after(TimeUs t);
  const std::vector<TimeUs>& times() const { return times_; }
  const std::vector<Column>& columns() const { return columns_; }
  /// Null when there is no such column.
  const Column* find(std::string_view name) const;
  std::uint64_t stride() const { return stride_; }

 private:
  std::vector<TimeUs> times_;
  std::vector<Column> columns_;
  std::uint64_t stride_ = 1;
  std::uint64_t seen_ = 0;
};

/// Something that happened at a moment: "objective e2e-latency broken", "state INCIDENT".
struct TimelineEvent {
  TimeUs t = 0;
  std::string what;
};

}  // namespace supyo::slo
