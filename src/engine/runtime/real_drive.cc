#include <algorithm>

#include <fmt/format.h>

#include "engine/runtime/job_runner_impl.h"

namespace supyo::runtime {

using dataflow::Poll;
using dataflow::Progress;

namespace {
// Waiting is adaptive: the longer nothing happened, the longer the next nap, so that a busy job answers within a fraction of a millisecond
// and an idle one wakes a hundred times a second.
constexpr DurationUs kNapShortest = 200;          ///< while an epoch or a neighbour is waited for
constexpr DurationUs kNapForRows = 500;           ///< while the next rows are: short against any epoch, long enough for a batch of them
constexpr DurationUs kNapLongest = 10 * kMillisecond;
constexpr DurationUs kIdleShare = 16;   ///< a nap is at most this part of the time for which nothing happened

DurationUs nap(DurationUs shortest, DurationUs idle_for, const Poll& poll, TimeUs now) {
  DurationUs length = std::clamp(idle_for / kIdleShare, shortest, kNapLongest);
  if (poll.progress == Progress::kWaitingUntil) length = std::clamp<DurationUs>(poll.until_us - now, 1, length);
  return length;
}
}  // namespace

void JobRunner::Impl::start_threads() {
  for (const auto& shard : execution->shards())
    threads.push_back(env.threads->start(fmt::format("supyo-shard-{}", shard->context().shard),
                                         [this, s = shard.get(), &commands = execution->commands()] { shard_loop(*s, commands); }));
}

void JobRunner::Impl::shard_loop(Shard& shard, const Commands& commands) const {
  ShardCounters& spent = shard.counters();
  TimeUs before = env.clock.monotonic_us();
  TimeUs idle_since = before;
  while (!commands.exit.load(std::memory_order_acquire)) {
    const Poll poll = shard.poll();
    const TimeUs after = env.clock.monotonic_us();
    spent.busy_us.add(after - before);
    before = after;
    if (poll.progress == Progress::kMore) {
      idle_since = after;
      continue;
    }
    const bool soon = shard.backpressured() || shard.cutting();
    env.threads->idle(soon ? kNapShortest : nap(kNapForRows, after - idle_since, poll, env.clock.now_us()));
    before = env.clock.monotonic_us();
    (shard.backpressured() ? spent.backpressured_us : spent.idle_us).add(before - after);
  }
}

void JobRunner::Impl::wait(const Poll& poll) {
  if (poll.progress == Progress::kMore) return;
  const TimeUs now = env.clock.monotonic_us();
  const bool in_flight = epochs && epochs->in_flight().value > 0;
  if (in_flight) idle_since_us = now;
  // Between two epochs only a wish or an error could come before the time is up.
  if (poll.progress == Progress::kWaitingUntil && config.epoch_rows == 0)
    env.threads->idle(std::clamp<DurationUs>(poll.until_us - env.clock.now_us(), 1, kNapLongest));
  else
    env.threads->idle(nap(kNapShortest, now - idle_since_us, poll, env.clock.now_us()));
}

Result<JobResult> JobRunner::run() {
  Impl& d = *impl_;
  if (d.env.threads == nullptr) return fail(ErrorCode::kInternal, "the real drive needs an environment with threads");
  for (const dataflow::Node& n : d.graph.nodes)
    if (const auto* source = std::get_if<dataflow::SourceNode>(&n.kind); source != nullptr && source->replay)
      return fail(ErrorCode::kUsage, fmt::format("{} is replayed, which needs virtual time", source->table), "use --replay, which drives the job step by step");
  d.real = true;
  for (;;) {
    SUPYO_ASSIGN(const Poll p, d.poll());
    if (p.progress == Progress::kDone) return d.result;
    d.wait(p);
  }
}

}  // namespace supyo::runtime
