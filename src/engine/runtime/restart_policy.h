#pragma once
#include <algorithm>

#include "core/base/error_codes.h"
#include "engine/runtime/job_config.h"

namespace supyo::runtime {

/// Whether another attempt may do better: what an outside system, the disk or an operator's surroundings caused. The same rows give the same
/// arithmetic error again, and a journal or log that failed to sync must not be tried again at all (architecture 5).
constexpr bool worth_restarting(ErrorCode code) {
  switch (code) {
    case ErrorCode::kJobFailed:
    case ErrorCode::kOutsideUnavailable:
    case ErrorCode::kOutsideConflict:
    case ErrorCode::kOutsideUnknown:
    case ErrorCode::kIo:
    case ErrorCode::kDiskFull:
    case ErrorCode::kLogFull: return true;
    default: return false;
  }
}

/// Counts failures in a row. Coordinator's.
class RestartPolicy {
 public:
  explicit RestartPolicy(const RestartStrategy& strategy) : strategy_(strategy) {}
  void succeeded() { failures_ = 0; }
  /// The delay before the next attempt, or -1 when there is none.
  DurationUs failed() {
    if (strategy_.kind == RestartStrategy::Kind::kNone || failures_ >= strategy_.attempts) return -1;
    const std::uint32_t doublings = strategy_.kind == RestartStrategy::Kind::kExponential ? std::min(failures_, 30U) : 0;
    ++failures_;
    const DurationUs delay = strategy_.delay_us << doublings;
    return doublings == 0 ? delay : std::min(delay, strategy_.delay_max_us);
  }

 private:
  RestartStrategy strategy_;
  std::uint32_t failures_ = 0;
};

}  // namespace supyo::runtime
