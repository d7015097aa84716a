#pragma once
#include <algorithm>
#include <cmath>
#include <deque>
#include <random>

#include "judge/diagnosis/loss_forecast.h"

namespace supyo::diagnosis {

/// One partition that rolls and deletes segments exactly by Kafka's rules (UnifiedLog.deleteRetentionSizeBreachedSegments, deleteRetentionMsBreachedSegments; a pass in a
/// fixed rhythm), without bytes: the truth that a forecast is held against.
class SimulatedLog {
 public:
  SimulatedLog(const Retention& retention, DurationUs pass_phase) : retention_(retention), next_pass_(pass_phase) { segments_.push_back({}); }

  /// `records` of `bytes` each, produced at `now`, in batches as small as a hundredth of a segment.
  void append(TimeUs now, std::int64_t records, std::int64_t bytes) {
    const std::int64_t batch = std::max<std::int64_t>(1, retention_.segment_bytes / 100 / bytes);
    while (records > 0) {
      const std::int64_t n = std::min(records, batch);
      Segment& active = segments_.back();
      const bool full = active.bytes + n * bytes > retention_.segment_bytes;
      const bool old = active.records > 0 && now - active.first_at > retention_.segment_ms * kMillisecond;
      if (active.records > 0 && (full || old)) segments_.push_back({.base = end_});
      Segment& into = segments_.back();
      if (into.records == 0) into.first_at = now;
      into.records += n;
      into.bytes += n * bytes;
      into.last_at = now;
      bytes_ += n * bytes;
      end_ += n;
      records -= n;
    }
    times_.emplace_back(now, end_);
  }
  /// Makes the passes that are due.
  void advance(TimeUs now) {
    for (; next_pass_ <= now; next_pass_ += retention_.check_interval_ms * kMillisecond) pass(next_pass_);
    while (times_.size() > 2 && times_[1].second <= log_start()) times_.pop_front();
  }
  std::int64_t log_start() const { return segments_.front().base; }
  std::int64_t end() const { return end_; }
  std::int64_t bytes() const { return bytes_; }
  std::int64_t segments() const { return static_cast<std::int64_t>(segments_.size()); }
  /// ListOffsets by timestamp.
  std::int64_t offset_for(TimeUs timestamp) const {
    const auto at = std::lower_bound(times_.begin(), times_.end(), timestamp, [](const auto& t, TimeUs v) { return t.first < v; });
    const std::int64_t first = at == times_.begin() ? log_start() : (at - 1)->second;
    return std::max(first, log_start());
  }

 private:
  struct Segment {
    std::int64_t base = 0, records = 0, bytes = 0;
    TimeUs first_at = 0, last_at = 0;
  };
  void drop_oldest() {
    bytes_ -= segments_.front().bytes;
    segments_.pop_front();
    if (segments_.empty()) segments_.push_back({.base = end_});
  }
  void pass(TimeUs now) {
    if (!retention_.deletes) return;
    if (retention_.retention_ms >= 0)
      while (segments_.front().records > 0 && now - segments_.front().last_at > retention_.retention_ms * kMillisecond) drop_oldest();
    if (retention_.retention_bytes < 0) return;
    std::int64_t over = bytes_ - retention_.retention_bytes;
    while (segments_.size() > 1 && over - segments_.front().bytes >= 0) {
      over -= segments_.front().bytes;
      drop_oldest();
    }
  }

  Retention retention_;
  TimeUs next_pass_;
  std::deque<Segment> segments_;
  std::deque<std::pair<TimeUs, std::int64_t>> times_;
  std::int64_t end_ = 0, bytes_ = 0;
};

}  // namespace supyo::diagnosis
