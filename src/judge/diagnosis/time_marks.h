#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/strong.h"

namespace supyo::diagnosis {

/// The first record whose timestamp is `timestamp` or later is at `offset` (as ListOffsets by timestamp answers).
struct TimeMark {
  std::int64_t offset = 0;
  TimeUs timestamp = 0;
};

/// What was learned of the timestamps in one partition by asking for offsets by timestamp: facts that stay true, so that each look asks for one more and the interval around
/// the first unread record, and around the places where a loss may come, closes in. At most `kMost` are kept. Plain memory, one thread.
class TimeMarks {
 public:
  static constexpr std::size_t kMost = 64;

  struct Where {
    TimeUs now = 0;
    DurationUs retention = -1;          ///< retention.ms as a duration; negative: none
    std::int64_t log_start = 0, end = 0, committed = 0;
    std::int64_t segment_end = -1;      ///< where the segment of the first unread record is expected to end; -1: not known
  };
  /// The timestamp to ask for next; absent when more would not make the answer better.
  std::optional<TimeUs> ask(const Where& where) const;
  /// The answer: the first offset with that timestamp or a later one (`end` when there is none).
  void add(TimeUs asked, std::int64_t offset, const Where& where);
  /// In order of offsets.
  const std::vector<TimeMark>& marks() const { return marks_; }
  /// When the record at `offset` was produced, between the marks around it; absent when they are not known.
  std::optional<TimeUs> timestamp(std::int64_t offset) const;

 private:
  std::vector<TimeMark> marks_;
};

}  // namespace supyo::diagnosis
