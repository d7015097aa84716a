#include "serve/broker/pace.h"

#include <algorithm>

#include "core/base/check.h"

namespace supyo::broker {

void FlushPace::began(TimeUs now, std::size_t waiting) {
  begun_.push_back(now);
  if (expected_ == 0) return;
  in_vain_ = waiting < expected_ ? in_vain_ + 1 : 0;
  expected_ = 0;
}

void FlushPace::ended(TimeUs now, std::size_t answered, std::size_t waiting) {
  SUPYO_CHECK(!begun_.empty());
  const DurationUs took = now - begun_.front();
  begun_.pop_front();
  usual_us_ = usual_us_ == 0 ? took : (7 * usual_us_ + took) / 8;
  ended_us_ = now;
  const bool ask = in_vain_ < kPatience || ++since_asked_ % kAskAgain == 0;
  expected_ = ask && begun_.empty() ? answered + waiting : 0;
}

TimeUs FlushPace::due(std::size_t waiting, std::uint64_t bytes) const {
  if (begun_.size() >= kFlushes) return kTimeMax;
  if (bytes >= kMuch) return kTimeMin;
  if (!begun_.empty()) return begun_.back() + usual_us_;
  if (waiting >= expected_) return kTimeMin;
  return ended_us_ + std::min(usual_us_ / 2, kLongestWait);
}

}  // namespace supyo::broker
