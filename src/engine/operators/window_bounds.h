#pragma once
#include "data/types/changelog.h"
#include "data/types/zone.h"

namespace supyo::operators {

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0); }

/// Bounds of the windows of a time. TUMBLE, HOP and CUMULATE; a window is named by its number, which counts its slides (HOP), steps
/// (CUMULATE) or sizes (TUMBLE) since the offset: from it follow all its bounds.
///
/// Windows over TIMESTAMP_LTZ are cut in the session's zone, as in Flink: bounds are what its clocks show, and what window_start and window_end give. Where clocks are set
/// back, the windows of the hour that comes twice hold both; they fire after the second. Over TIMESTAMP the zone is UTC.
class WindowBounds {
 public:
  WindowBounds(const WindowSpec& spec, Zone zone) : spec_(spec), zone_(std::move(zone)) {
    step_ = spec.kind == WindowSpec::Kind::kTumble ? spec.size_us : spec.slide_us;
  }

  /// What the zone's clocks show at time `t`.
  TimeUs local(TimeUs t) const { return zone_.to_local(t); }
  /// The earliest-ending and the number of windows that hold the local time `t`: they are number .. number + count - 1.
  struct Range {
    std::int64_t first = 0;
    std::int64_t count = 0;
  };
  Range windows_of(TimeUs t) const {
    const std::int64_t step = floor_divide(t - spec_.offset_us, step_);  // t lies in this step: the window ending after it
    const std::int64_t first = step + 1;                                            // numbers are those of the ends
    switch (spec_.kind) {
      case WindowSpec::Kind::kHop: return hop_range(t, first);
      case WindowSpec::Kind::kCumulate: return {first, floor_divide(step, per_size()) * per_size() + per_size() - step};
      default: return {first, 1};
    }
  }
  /// Windows that overlap share slices: what came while the same windows were open to it. A slice has a number too, in the order of its first window. Where they do: expr::shares_slices().
  struct Slice {
    std::int64_t first = 0, last = 0;   // windows
  };
  std::int64_t slice_number(const Slice& s) const { return s.first * per_size() + (s.last - s.first); }
  Slice slice(std::int64_t number) const {
    const std::int64_t first = floor_divide(number, per_size());
    return {.first = first, .last = first + (number - first * per_size())};
  }
  /// End of window `number`, local; so are all that follow.
  TimeUs end(std::int64_t number) const { return number * step_ + spec_.offset_us + end_surplus(); }
  TimeUs start(std::int64_t number) const { return start_of_end(end(number)); }
  TimeUs start_of_end(TimeUs end_us) const {
    if (spec_.kind != WindowSpec::Kind::kCumulate) return end_us - spec_.size_us;
    return floor_divide(end_us - 1 - spec_.offset_us, spec_.size_us) * spec_.size_us + spec_.offset_us;
  }
  /// The watermark at which the window that ends at local `end_us` is complete: its last moment, in the time attribute's own time.
  TimeUs fires(TimeUs end_us) const { return zone_.passed(end_us - kWindowGrain); }

 private:
  std::int64_t per_size() const { return spec_.size_us / step_; }
  /// HOP windows start at multiples of the slide, so when the size is no multiple of it their ends lie beside those multiples.
  DurationUs end_surplus() const { return spec_.kind == WindowSpec::Kind::kHop ? (spec_.size_us % step_) : 0; }
  Range hop_range(TimeUs t, std::int64_t) const {
    const TimeUs local = t - spec_.offset_us;
    const std::int64_t last_start = floor_divide(local, step_);                            // start = last_start * step
    const std::int64_t first_start = floor_divide(local - spec_.size_us, step_) + 1;       // start > t - size
    const std::int64_t to_number = spec_.size_us / step_;                                  // end = (start + to_number) * step + surplus
    return {first_start + to_number, last_start - first_start + 1};
  }

  WindowSpec spec_;
  Zone zone_;
  DurationUs step_ = 0;
};

}  // namespace supyo::operators
