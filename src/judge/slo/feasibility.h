#pragma once
#include <optional>
#include <string>
#include <vector>

#include "judge/slo/objective.h"

namespace supyo::slo {

/// What a pipeline costs by construction. A record waits for the watermark bound where the plan holds rows, then on average half and at the
/// 95th percentile 0.95 of a commit interval, then for the epoch to become durable and for the sink to make it visible.
struct PipelineTiming {
  DurationUs interval_us = 100 * kMillisecond;  ///< I: execution.checkpointing.interval
  DurationUs epoch_us = 0;                      ///< D: cut to durable
  DurationUs commit_us = 0;                     ///< C: durable to visible
  DurationUs watermark_bound_us = 0;            ///< B: 0 where rows are not held until the watermark
};

struct Feasibility {
  struct Finding {
    enum class Kind { kFine, kWarning, kImpossible } kind = Kind::kFine;
    std::string objective;
    std::string text;
  };
  std::vector<Finding> findings;
  std::optional<DurationUs> largest_interval_us;  ///< the largest I that every latency objective allows; empty where none does
  bool feasible() const;
};

/// The quantile q of end-to-end latency that a healthy job with this timing has: B + q max(I, D + C) + D + C
/// (an epoch is not cut before the one before it is visible, so the interval in effect is max(I, D + C)).
DurationUs predicted_latency(const PipelineTiming& timing, double quantile);

/// Whether the objectives can be met at all, and by what interval.
Feasibility check_feasibility(const Objectives& objectives, const PipelineTiming& timing);

/// Refuses what contradicts itself whatever the pipeline: two objectives on the same measure, clock and window of which one makes the other
/// pointless, a freshness bound below the latency threshold, an alert that can never fire. kObjectiveInvalid with the line.
Status check_consistent(const Objectives& objectives);

}  // namespace supyo::slo
