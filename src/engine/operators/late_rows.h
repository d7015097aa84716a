#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// Gathers the late rows of one batch and sends them to `T$late` in late_schema(). Scratch of an operator: empty between batches.
class LateRows {
 public:
  explicit LateRows(std::string operator_label) : label_(std::move(operator_label)) {}

  /// Why a row is late. kNullTime: it has no row time at all, and belongs to no window.
  enum class Reason : std::uint8_t { kLate, kIdleReturn, kNullTime };
  struct Entry {
    std::uint32_t row = 0;
    TimeUs watermark_us = kTimeMin;
    TimeUs time_us = 0;
    TimeUs window_start_us = kTimeMin;  ///< kTimeMin = no window (OVER)
    TimeUs window_end_us = kTimeMin;
    Reason reason = Reason::kLate;
  };
  void add(const Entry& e) { entries_.push_back(e); }
  /// The row's time, for an operator that waits until the watermark has passed it; nothing where that has happened, or where it has none: the row is noted then.
  std::optional<TimeUs> time_to_come(const Batch& batch, const Column& time, std::uint32_t row, TimeUs combined_us);
  bool empty() const { return entries_.empty(); }
  /// Sends what was added and forgets it.
  Status flush(const Batch& batch, dataflow::OperatorContext& ctx);

 private:
  BatchPtr build(const Batch& batch, std::span<const Entry> part) const;
  std::string label_;
  std::vector<Entry> entries_;
};

/// The watermark that decides whether a row is late: its own partition's just before it, or (rows born in an operator) the combined one.
inline TimeUs edge_watermark(const Batch& batch, std::size_t row, TimeUs combined_us) {
  return batch.edge_watermarks.empty() ? combined_us : batch.edge_watermarks[row];
}

}  // namespace supyo::operators
