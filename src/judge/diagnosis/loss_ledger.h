#pragma once
#include <cstdint>
#include <optional>

#include "judge/diagnosis/trail.h"

namespace supyo::diagnosis {

/// Counts the records that a group lost in one partition, from outside: cumulative, since a gauge of "deleted and not committed" is back at zero when the group has moved on.
///
/// A loss is settled when `committed` jumps over offsets that are deleted. What of them the group had fetched before they went, nobody outside can see: of a group that stood still
/// the count is exact to what was deleted between two looks; of one that was reading, what it usually handles in that time is taken off, and may be wrong by as much (`least`).
/// A jump that is smaller than what the group handles between two looks is not seen: `exposed` says then that it reads at the edge.
/// A group that comes back at the end of the log (auto.offset.reset=latest) passes over what is still there, too: `passed_over`, unless it read all that between two looks.
/// Offsets are records only where the topic is neither compacted nor transactional. Plain memory, one thread.
class LossLedger {
 public:
  struct Count {
    std::int64_t lost = 0;      ///< deleted before they were read
    std::int64_t least = 0;     ///< of those: certainly
    std::int64_t passed_over = 0;   ///< readable still when it jumped to the end of the log
    int jumps = 0;
    bool exact() const { return lost == least; }
  };
  /// The clock went back: no rate goes across that. What was counted stays.
  void begin_anew() { last_.reset(); }
  /// Samples in time order. True when this one settled a loss.
  bool observe(const OffsetSample& sample);
  const Count& count() const { return count_; }
  /// Deleted and not committed at the last sample: part of the loss that is not settled yet.
  std::int64_t exposed() const;

 private:
  std::optional<OffsetSample> last_;
  TimeUs changed_at_ = 0;       ///< when `committed` last moved
  DurationUs commit_gap_ = 0;   ///< the longest between two commits while it read
  double usual_rate_ = 0;       ///< records a second while it reads without jumping; 0: not known
  Count count_;
};

}  // namespace supyo::diagnosis
