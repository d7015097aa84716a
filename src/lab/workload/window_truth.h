#pragma once
#include <algorithm>

#include "core/base/strong.h"

namespace supyo::workload {

/// The watermark of one partition, as its rows arrive: the newest event time before this row, less a bound.
class EdgeWatermark {
 public:
  /// The watermark just before this row.
  TimeUs arrive(TimeUs event_us, DurationUs bound_us) {
    const TimeUs before = newest_us_ == kTimeMin ? kTimeMin : newest_us_ - bound_us;
    newest_us_ = std::max(newest_us_, event_us);
    return before;
  }

 private:
  TimeUs newest_us_ = kTimeMin;
};

/// A window is over for a row when the watermark before the row has reached its last millisecond.
inline bool window_is_over(TimeUs window_end_us, TimeUs watermark_us) { return watermark_us != kTimeMin && window_end_us - kMillisecond <= watermark_us; }

/// The last start of a window of this slide at or before t (t not negative).
inline TimeUs window_start(TimeUs t, DurationUs slide_us) { return t - t % slide_us; }

}  // namespace supyo::workload
