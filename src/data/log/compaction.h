#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/examine.h"
#include "data/log/topic.h"

namespace supyo::log {

/// What compaction is to do: made by the partition's writer (plan_compaction), carried out anywhere (run_compaction), put in place by the writer again
/// (install_compaction). Sealed segments alone, so the writer may work on meanwhile.
struct CompactionPlan {
  Topic topic;
  PartitionId partition;
  std::vector<SegmentInfo> segments;   ///< from the oldest on; all committed, none of them active
  Offset dirty_from;                   ///< below it the last run has been
  TimeUs now_us = 0;
  std::size_t key_bytes_max = 256U << 20;   ///< memory for keys of one run; a run takes fewer segments when it does not suffice
};

/// A segment file, written and synced under another name, and the segments that it stands for.
struct CleanedSegment {
  std::string path;
  SegmentInfo info;
  std::vector<SegmentInfo> replaces;
};
struct CompactionStats {
  std::uint64_t records_kept = 0;
  std::uint64_t records_dropped = 0;   ///< superseded, aborted, expired tombstones, without a key
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};
struct CompactionResult {
  std::vector<CleanedSegment> segments;   ///< those that changed
  Offset cleaned_to;
  CompactionStats stats;
};

/// Kafka's rules (Cleaner): of each key the record with the highest offset stays, offsets stay what they are; tombstones stay delete.retention.ms after the
/// first run that saw them; records of aborted transactions go, a transaction's marker goes delete.retention.ms after its last record has; records
/// without a key go. kDamaged: a record that does not check is never cleaned away. What a failed run wrote, the next opening removes.
Result<CompactionResult> run_compaction(env::Files& files, const CompactionPlan& plan);

}  // namespace supyo::log
