#include "lab/fault/delay_line.h"

#include <algorithm>

#include "core/base/check.h"

namespace supyo::fault {
namespace {

/// With a limit, bytes leave in steps of about so much time: a limit of 1 MB/s does not let a megabyte go at once.
constexpr DurationUs kStep = 5 * kMillisecond;

std::size_t step_of(const Flow& flow) { return std::max<std::size_t>(1, flow.bytes_per_second * static_cast<std::uint64_t>(kStep) / kSecond); }

}  // namespace

void DelayLine::push(std::string_view bytes, TimeUs now, const Flow& flow, env::Random& random) {
  SUPYO_CHECK(bytes.size() <= room());
  if (bytes.empty()) return;
  DurationUs delay = flow.latency_us;
  if (flow.jitter_us > 0) delay += static_cast<DurationUs>(random.below(2 * static_cast<std::uint64_t>(flow.jitter_us) + 1)) - flow.jitter_us;
  last_due_us_ = std::max(last_due_us_, now + std::max<DurationUs>(delay, 0));
  // Small pieces that leave at one time are one: many tiny writes must not become many allocations.
  if (!pieces_.empty() && pieces_.back().due_us == last_due_us_) pieces_.back().bytes += bytes;
  else pieces_.push_back({last_due_us_, std::string(bytes)});
  size_ += bytes.size();
}

std::string_view DelayLine::ready(TimeUs now, const Flow& flow) const {
  if (flow.held || pieces_.empty() || pieces_.front().due_us > now) return {};
  const std::string_view bytes = std::string_view(pieces_.front().bytes).substr(from_);
  if (flow.bytes_per_second == 0) return bytes;
  return line_free_us_ > now ? std::string_view() : bytes.substr(0, step_of(flow));
}

void DelayLine::taken(std::size_t n, TimeUs now, const Flow& flow) {
  SUPYO_CHECK(n <= size_);
  size_ -= n;
  from_ += n;
  while (!pieces_.empty() && from_ >= pieces_.front().bytes.size()) {
    from_ -= pieces_.front().bytes.size();
    pieces_.pop_front();
  }
  if (flow.bytes_per_second == 0) return;
  // What was not used in the last step may be caught up (timers are coarse), more may not: idle time is no credit.
  line_free_us_ = std::max(line_free_us_, now - kStep) + static_cast<DurationUs>(n * static_cast<std::uint64_t>(kSecond) / flow.bytes_per_second);
}

TimeUs DelayLine::due(const Flow& flow) const {
  if (flow.held || pieces_.empty()) return kTimeMax;
  return flow.bytes_per_second == 0 ? pieces_.front().due_us : std::max(pieces_.front().due_us, line_free_us_);
}

}  // namespace supyo::fault
