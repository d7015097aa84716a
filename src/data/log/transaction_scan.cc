#include "data/log/transaction_scan.h"

#include <algorithm>

namespace supyo::log {

void TransactionScan::forget() {
  markers_.clear();
  cursor_.reset();
  from_ = to_ = Offset();
}

Result<std::optional<bool>> TransactionScan::aborted(std::int64_t producer, Offset at, Offset end) {
  if (at < from_ || at > to_) {
    forget();
    from_ = to_ = at;
  }
  from_ = at;
  while (true) {
    if (const auto known = markers_.find(producer); known != markers_.end()) {
      while (!known->second.empty() && known->second.front().at <= at) known->second.pop_front();
      if (!known->second.empty()) return !known->second.front().commit;
      markers_.erase(known);
    }
    SUPYO_ASSIGN(const bool moved, step(end));
    if (!moved) return std::nullopt;
  }
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
    if (const auto marker = parse_kafka_marker(cursor_->frame().batch(), *head->batch))
      markers_[head->batch->producer_id].push_back({Offset(head->batch->base_offset), marker->commit});
    to_ = cursor_->expected();
    return true;
  }
}

}  // namespace supyo::log
