#include "judge/diagnosis/time_marks.h"

#include <algorithm>
#include <array>

namespace supyo::diagnosis {
namespace {

constexpr DurationUs kFinest = 2 * kSecond;
constexpr DurationUs kFirstReach = 7 * kDay;      // how far back the first question goes where nothing expires
constexpr std::int64_t kOfExpiry = 50;            // the interval around a record is this part of the time it has left
constexpr std::int64_t kOfBacklog = 8;            // and elsewhere in the backlog, this part of it

}  // namespace

std::optional<TimeUs> TimeMarks::ask(const Where& w) const {
  if (w.committed >= w.end) return std::nullopt;
  const DurationUs reach = w.retention > 0 ? w.retention : kFirstReach;
  if (marks_.empty() || marks_.front().offset > w.log_start) {
    // Further back each time that the answer lies behind the record; what is older than twice its retention is as good as gone.
    const TimeUs from = marks_.empty() ? w.now - reach : marks_.front().timestamp - reach / 4;
    return w.now - from <= 2 * reach ? std::optional(from) : std::nullopt;
  }
  const std::int64_t backlog = w.end - w.committed;
  const std::array<std::int64_t, 6> targets{w.committed, w.segment_end, w.log_start, w.committed + backlog / 2, w.committed + backlog / 4, w.committed + backlog * 3 / 4};
  const auto before = std::ranges::upper_bound(marks_, w.committed, {}, &TimeMark::offset);
  const DurationUs whole = before == marks_.begin() ? 0 : w.now - (before - 1)->timestamp;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] < marks_.front().offset || targets[i] >= w.end) continue;
    const auto next = std::ranges::upper_bound(marks_, targets[i], {}, &TimeMark::offset);
    const TimeUs low = (next - 1)->timestamp, high = next == marks_.end() ? w.now : next->timestamp;
    const DurationUs left = std::max<DurationUs>(0, low + reach - w.now);
    const DurationUs enough = std::max({kFinest, i < 2 ? left / kOfExpiry : whole / kOfBacklog});
    if (high - low > enough) return low + (high - low) / 2;
  }
  return std::nullopt;
}

void TimeMarks::add(TimeUs asked, std::int64_t offset, const Where& w) {
  // Another log of that name, or timestamps that go back: what is known does not hold together, and the newer answer stands.
  std::erase_if(marks_, [&](const TimeMark& m) { return (m.timestamp < asked && m.offset > offset) || (m.timestamp > asked && m.offset < offset) || m.timestamp == asked || m.offset > w.end; });
  const auto at = std::ranges::upper_bound(marks_, asked, {}, &TimeMark::timestamp);
  marks_.insert(at, {offset, asked});
  // Of what is deleted only the last mark says something: of the log start.
  while (marks_.size() > 1 && marks_[1].offset <= w.log_start) marks_.erase(marks_.begin());
  if (marks_.size() <= kMost) return;
  std::size_t kept = 2;
  for (std::size_t i = 2; i < marks_.size(); i += 2) marks_[kept++] = marks_[i];
  marks_.resize(kept);
}

std::optional<TimeUs> TimeMarks::timestamp(std::int64_t offset) const {
  const auto next = std::ranges::upper_bound(marks_, offset, {}, &TimeMark::offset);
  if (next == marks_.begin() || next == marks_.end()) return std::nullopt;
  const TimeMark& before = *(next - 1);
  const double share = static_cast<double>(offset - before.offset) / static_cast<double>(next->offset - before.offset);
  return before.timestamp + static_cast<TimeUs>(share * static_cast<double>(next->timestamp - before.timestamp));
}

}  // namespace supyo::diagnosis
