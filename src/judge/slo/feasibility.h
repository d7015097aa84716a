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
  bool readable_as_written = false;             ///< readers wait for no epoch: I, D and C are nothing to them
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

/// The largest epoch duration D that a latency objective allows at commit delay C when the interval is no longer than D + C; 0 or below: none.
/// From B + q (D + C) + D + C < threshold.
DurationUs largest_epoch(const Objective& latency, const PipelineTiming& timing);

/// What comes in, and who reads it. 0: not known.
struct Load {
  double records_per_s = 0;
  double record_bytes = 0;
  double member_records_per_s = 0;     ///< what one member of the consumer group handles
  std::uint32_t partitions = 0;
  DurationUs repair_us = 0;            ///< from the incident until the reader reads again
};

/// What the objectives, by their own numbers, ask of everything around the pipeline.
struct Sizing {
  std::string first;                   ///< the objective that breaks first when nothing becomes visible any more
  DurationUs tolerated_us = 0;         ///< and after how long: its threshold, and the share of its window that may be bad
  DurationUs retention_us = 0;         ///< smallest: what was written when the reader stopped is still there when it reads again
  std::optional<double> retention_bytes;          ///< of a partition
  std::optional<std::uint32_t> fewest_members, most_members;  ///< to keep up with the rate; one partition each
  DurationUs stall_us = 0;             ///< the longest stall of the log after which waiting records can still be in time
  std::optional<double> queue_records; ///< smallest: the producer's queue over such a stall
};
/// Empty where no objective decides.
std::optional<Sizing> size_for(const Objectives& objectives, const PipelineTiming& timing, const Load& load);

/// Refuses what contradicts itself whatever the pipeline: two objectives on the same measure, clock and window of which one makes the other
/// pointless, a freshness bound below the latency threshold, an alert that can never fire, one that pages for an objective that only advises. kObjectiveInvalid with the line.
Status check_consistent(const Objectives& objectives);

}  // namespace supyo::slo
