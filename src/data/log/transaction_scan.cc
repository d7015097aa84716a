#include "data/log/transaction_scan.h"

#include <algorithm>

namespace supyo::log {

void TransactionScan::forget() {
  markers_.clear();
  count_ = 0;
  cursor_.reset();
  from_ = to_ = Offset();
}

Result<std::optional<bool>> TransactionScan::aborted(std::int64_t producer, Offset at, Offset end) {
  // On foot within a segment, so that each head is looked at once; a jump would begin at the segment's start again.
  for (bool moved = true; moved && at > to_ && cursor_;) {
    const Offset base = cursor_->base();
    SUPYO_ASSIGN(moved, step(at));
    moved = moved && cursor_ && cursor_->base() == base;
  }
  if (at < from_ || at > to_) {
    forget();
    from_ = to_ = at;
  }
  from_ = at;
  prune();
  while (true) {
    if (const auto known = markers_.find(producer); known != markers_.end()) {
      for (; !known->second.empty() && known->second.front().at <= at; --count_) known->second.pop_front();
      if (!known->second.empty()) return !known->second.front().commit;
      markers_.erase(known);
    }
    SUPYO_ASSIGN(const bool moved, step(end));
    if (!moved) return std::nullopt;
  }
}

/// Markers of producers that are not asked for are forgotten once they lie behind, now and then.
void TransactionScan::prune() {
  constexpr std::size_t kMany = 4096;
  if (count_ < kMany || count_ < 2 * pruned_count_) return;
  for (auto it = markers_.begin(); it != markers_.end();) {
    for (; !it->second.empty() && it->second.front().at <= from_; --count_) it->second.pop_front();
    it = it->second.empty() ? markers_.erase(it) : std::next(it);
  }
  pruned_count_ = count_;
}

/// Looks at one more frame. False at `end`, or where no frame is.
Result<bool> TransactionScan::step(Offset end) {
  if (to_ >= end) return false;
  for (bool fresh = false;; fresh = true) {
    if (!cursor_) {
      SUPYO_ASSIGN(const auto bases, list_segments(*files_, directory_));
      const auto after = std::upper_bound(bases.begin(), bases.end(), to_);
      if (after == bases.begin()) return false;
      auto opened = SegmentCursor::open(*files_, directory_, log_, *(after - 1), 4096);
      if (!opened && opened.error().code == ErrorCode::kNotFoundOnDisk && !fresh) continue;   // deleted since: look again
      if (!opened) return fail(std::move(opened).error());
      cursor_ = std::move(*opened);
      SUPYO_ASSIGN(const bool there, cursor_->seek(to_));
      if (!there) return false;
    }
    SUPYO_ASSIGN(const auto head, cursor_->peek_head());
    if (!head) {
      cursor_.reset();
      if (fresh) return false;
      continue;   // the end of a segment: the next one
    }
    if (!head->batch || !head->batch->control()) {
      cursor_->skip(head->frame);
      to_ = cursor_->expected();
      return true;
    }
    SUPYO_ASSIGN(const auto found, cursor_->next());   // with its checksum: much depends on it
    if (found != SegmentCursor::Found::kFrame) return false;
    if (const auto marker = parse_kafka_marker(cursor_->frame().batch(), *head->batch)) {
      markers_[head->batch->producer_id].push_back({Offset(head->batch->base_offset), marker->commit});
      ++count_;
    }
    to_ = cursor_->expected();
    return true;
  }
}

}  // namespace supyo::log
