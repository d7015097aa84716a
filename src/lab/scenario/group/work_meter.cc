#include "lab/scenario/group/work_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace supyo::scenario {
namespace {

constexpr const char* kCounters = "/proc/thread-self/schedstat";   // "RUN WAIT SLICES": nanoseconds on a CPU, and runnable without one
constexpr DurationUs kNsInUs = 1000;

}  // namespace

Result<WorkMeter> WorkMeter::start(const env::Env& env, const std::string& path, std::string group, std::string client) {
  WorkMeter m(env, std::move(group), std::move(client));
  if (auto counters = env.files.open(kCounters, env::OpenMode::kRead)) m.scheduler_ = std::move(*counters);
  if (!path.empty()) { SUPYO_ASSIGN(m.file_, env.files.open(path, env::OpenMode::kCreateNew)); }
  m.since_us_ = env.clock.monotonic_us();
  return m;
}

DurationUs WorkMeter::cpu_us(bool waiting) const {
  std::array<char, 96> text{};
  const auto read = scheduler_ ? scheduler_->read_at(0, text) : Result<std::size_t>(0);
  const char* const end = text.data() + read.value_or(0);
  std::int64_t run = 0, wait = 0;
  const auto first = std::from_chars(text.data(), end, run);
  if (first.ec != std::errc() || first.ptr == end || std::from_chars(first.ptr + 1, end, wait).ec != std::errc()) return env_.clock.monotonic_us();
  return (run + (waiting ? wait : 0)) / kNsInUs;
}

void WorkMeter::begin() {
  begun_us_ = env_.clock.monotonic_us();
  begun_cpu_us_ = cpu_us(true);
}

void WorkMeter::end() {
  busy_us_ += env_.clock.monotonic_us() - begun_us_;
  busy_cpu_us_ += cpu_us(true) - begun_cpu_us_;
  ++records_;
}

Status WorkMeter::tell() {
  const TimeUs now = env_.clock.monotonic_us();
  const DurationUs took = now - since_us_;
  if (took < kSecond || !file_) return ok();
  const std::string line = fmt::format("{{\"group\":\"{}\",\"client_id\":\"{}\",\"at_ms\":{},\"busy_share\":{:.4f},\"cpu_share\":{:.4f},\"records_per_s\":{:.3f},\"poll_timeouts\":{}}}\n", group_, client_, env_.clock.now_us() / kMillisecond,
                                       static_cast<double>(busy_us_) / static_cast<double>(took), busy_us_ > 0 ? std::min(1.0, static_cast<double>(busy_cpu_us_) / static_cast<double>(busy_us_)) : 0,
                                       static_cast<double>(records_) * kSecond / static_cast<double>(took), late_);
  SUPYO_TRY(file_->write_at(size_, line));
  size_ += line.size();
  since_us_ = now;
  busy_us_ = busy_cpu_us_ = 0;
  records_ = late_ = 0;
  return ok();
}

}  // namespace supyo::scenario
