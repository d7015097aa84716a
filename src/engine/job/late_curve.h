#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "engine/job/engine.h"

namespace supyo::job {

/// How many rows are late as a function of the watermark's bound, from one pass over a bounded source.
///
/// With M the largest row time of the row's split before it, a watermark bound b makes the row *behind* when its time < M - b, and
/// *late for a window* when the window's end - 1 ms <= M - b. Both depend on b only through M, so one histogram gives every bound.
struct LateCurve {
  struct Point {
    DurationUs bound_us = 0;
    double behind_rate = 0;    ///< of rows
    double window_rate = 0;    ///< of (row, window) pairs; 0 when the query has no window
  };
  std::string table;           ///< the source's name
  std::string row_time;
  std::string window;          ///< "TUMBLE 1h"; empty when the query has none
  std::uint64_t rows = 0;      ///< with a row time, nothing null that must not be
  std::uint64_t dead = 0;      ///< undecodable, or null where NOT NULL
  DurationUs declared_bound_us = 0;
  std::vector<Point> points;
  Point declared;              ///< at the bound that the file declares
  /// Smallest whole second of bound at which the rate is below `target`; absent when even 7 days are not enough.
  std::optional<DurationUs> behind_needs_us;
  std::optional<DurationUs> window_needs_us;
};

struct LateCurveOptions {
  DurationUs from_us = 5 * kMinute;
  DurationUs to_us = 6 * kHour;
  std::size_t points = 24;     ///< spread evenly on a logarithmic scale
  double target = 0.01;        ///< the rate that the bound is asked for
};

/// Errors: kNoTimeAttribute (no source of the job has a WATERMARK), kInvalidQuery (more than one has), kUnsupported (it is unbounded), and the source's.
Result<LateCurve> late_curve(const env::Env& env, Engine& engine, const plan::Job& job, const std::string& base_directory, const LateCurveOptions& options);

}  // namespace supyo::job
