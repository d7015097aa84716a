#include <algorithm>

#include <fmt/format.h>

#include "engine/runtime/job_runner_impl.h"

namespace supyo::runtime {

using dataflow::Poll;
using dataflow::Progress;

namespace {
// Waiting is adaptive: the longer nothing happened, the longer the next nap, so that a busy job answers within a fraction of a millisecond
// and an idle one wakes a hundred times a second.
constexpr DurationUs kNapShortest = 200;
constexpr DurationUs kNapLongest = 10 * kMillisecond;
constexpr DurationUs kIdleShare = 16;   ///< a nap is at most this part of the time for which nothing happened

DurationUs nap(DurationUs idle_for, const Poll& poll, TimeUs now) {
  DurationUs length = std::clamp(idle_for / kIdleShare, kNapShortest, kNapLongest);
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
    // Backpressure ends when a neighbour gets on: look again soon.
    env.threads->idle(shard.backpressured() ? kNapShortest : nap(after - idle_since, poll, env.clock.now_us()));
    before = env.clock.monotonic_us();
    (shard.backpressured() ? spent.backpressured_us : spent.idle_us).add(before - after);
  }
}

void JobRunner::Impl::wait(const Poll& poll) {
  const TimeUs now = env.clock.monotonic_us();
  if (poll.progress == Progress::kMore || (epochs && epochs->in_flight().value > 0)) idle_since_us = now;
  if (poll.progress != Progress::kMore) env.threads->idle(nap(now - idle_since_us, poll, env.clock.now_us()));
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
