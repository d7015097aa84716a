#include "lab/scenario/stream/flink_watch.h"

#include <algorithm>
#include <limits>

namespace supyo::scenario {
namespace {

constexpr DurationUs kMetricsEvery = kSecond;

}  // namespace

FlinkWatch::FlinkWatch(const env::Env& env, const FlinkCluster& cluster, std::string job, DurationUs every_us)
    : env_(env), cluster_(cluster), job_(std::move(job)), every_us_(every_us), collector_([this](const std::string& path) { return cluster_.rest(path); }) {
  thread_ = env.threads->start("flink-watch", [this] {
    for (TimeUs metrics_us = 0; !ended_; env_.threads->idle(every_us_)) {
      look();
      if (const TimeUs now = env_.clock.monotonic_us(); now >= metrics_us) {
        look_at_metrics();
        metrics_us = now + kMetricsEvery;
      }
    }
  });
}

FlinkWatch::~FlinkWatch() {
  ended_ = true;
  thread_->join();
}

FlinkWatch::Seen FlinkWatch::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

double FlinkWatch::checkpoint_time() const {
  const std::lock_guard lock(mutex_);
  return took_ == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(took_us_) / static_cast<double>(took_) / 1e6;
}

void FlinkWatch::look() {
  const auto job = cluster_.look(job_);
  if (!job) return;
  const std::lock_guard lock(mutex_);
  if (job->last_id != seen_.last_id && job->last_id != 0) took_us_ += job->last_took_us, ++took_;
  static_cast<FlinkCluster::Job&>(seen_) = *job;
}

void FlinkWatch::look_at_metrics() {
  const auto job = collector_.look_at(job_, env_.clock.now_us());
  if (!job) return;
  std::int64_t late = 0;
  std::optional<std::int64_t> pending, watermark;
  for (const auto& v : job->vertices) {
    late += v.late_dropped.value_or(0);
    if (v.pending) pending = pending.value_or(0) + *v.pending;
    if (v.watermark_ms) watermark = std::min(watermark.value_or(*v.watermark_ms), *v.watermark_ms);
  }
  const std::lock_guard lock(mutex_);
  // What a job that ended had counted is not told any more.
  seen_.late = std::max(seen_.late, late);
  seen_.pending = pending;
  seen_.watermark_ms = watermark;
}

}  // namespace supyo::scenario
