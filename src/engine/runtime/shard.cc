#include "engine/runtime/shard.h"

#include <algorithm>
#include <utility>

namespace supyo::runtime {

using dataflow::Poll;
using dataflow::Progress;

namespace {
constexpr int kEventsPerTurn = 8;  ///< that a task takes from its queues before another may run
constexpr std::size_t kLoadBytes = 512U << 10;  ///< of state that a poll brings back after a restart: about a millisecond

/// The earlier wish wins; kMore above all.
void merge(Poll& into, const Poll& p) {
  if (into.progress == Progress::kMore) return;
  if (p.progress == Progress::kMore) into = Poll::more();
  else if (p.progress == Progress::kWaitingUntil) into = Poll::waiting_until(into.progress == Progress::kWaitingUntil ? std::min(into.until_us, p.until_us) : p.until_us);
}
}  // namespace

Shard::Shard(ShardContext context, Epoch last, Commands& commands, Mailbox& mailbox, ShardCounters& counters, DurationUs lag_sample_us, std::uint64_t seed)
    : context_(context),
      commands_(commands),
      mailbox_(mailbox),
      counters_(counters),
      lag_sample_us_(lag_sample_us),
      random_(hash_combine(seed, context.shard)),
      injected_(last),
      acknowledged_(last.value) {}

void Shard::add(std::unique_ptr<Task> task, SourceTask* as_source) {
  if (as_source != nullptr) sources_.push_back({.task = as_source, .chain = {}});
  tasks_.push_back(std::move(task));
}

void Shard::finish_wiring() {
  for (SourceHead& s : sources_) s.chain = chain_of(*s.task);
  for (Receiver& r : receivers_) r.chain = chain_of(*r.task);
}

std::vector<Task*> Shard::chain_of(Task& head) const {
  std::vector<Task*> chain{&head};
  for (std::size_t i = 0; i < chain.size(); ++i)
    for (const auto kind : {PlanEdge::Kind::kMain, PlanEdge::Kind::kLate})
      for (const auto& [target, channel] : chain[i]->output(kind).calls())
        if (std::ranges::find(chain, target) == chain.end()) chain.push_back(target);
  return chain;
}

bool Shard::has_room(const std::vector<Task*>& chain) {
  bool room = true;
  for (Task* t : chain) room &= t->flush();
  return room;
}

Result<TimeUs> Shard::prime() {
  context_.now_us = context_.env.clock.now_us();
  TimeUs first = kTimeMax;
  for (SourceHead& s : sources_) {
    SUPYO_ASSIGN(const TimeUs t, s.task->prime());
    first = std::min(first, t);
  }
  return first;
}

Poll Shard::poll() {
  if (failed_) return Poll::blocked_on_input();
  context_.now_us = context_.env.clock.now_us();
  auto poll = work();
  publish();
  if (poll) return *poll;
  failed_ = true;
  mailbox_.post(std::move(poll).error());
  return Poll::more();
}

Result<Poll> Shard::work() {
  SUPYO_TRY(follow_commands());
  backpressured_ = false;
  Poll poll = Poll::blocked_on_input();
  random_ = hash_u64(random_ + 0x9e3779b97f4a7c15ULL);
  TimeUs before = context_.env.clock.monotonic_us();
  const std::size_t first = receivers_.empty() ? 0 : random_ % receivers_.size();
  for (std::size_t i = 0; i < receivers_.size(); ++i) {
    Receiver& receiver = receivers_[(first + i) % receivers_.size()];
    SUPYO_ASSIGN(const bool more, poll_receiver(receiver));
    if (!more) continue;
    poll = Poll::more();
    const TimeUs after = context_.env.clock.monotonic_us();
    receiver.task->counters().busy_us.add(after - std::exchange(before, after));
  }
  SUPYO_TRY(poll_sources(poll));
  SUPYO_TRY(poll_timers(poll));
  SUPYO_TRY(poll_part(poll));
  SUPYO_TRY(load_state(poll));
  const bool due = sampled_us_ == kTimeMin || context_.now_us - sampled_us_ >= lag_sample_us_ || context_.now_us < sampled_us_;   // the clock may be set back
  if (lag_sample_us_ > 0 && context_.observer != nullptr && due) {
    sampled_us_ = context_.now_us;
    for (SourceHead& s : sources_) s.task->sample_lags();
  }
  return poll;
}

Status Shard::follow_commands() {
  if (const std::int64_t final = commands_.final.load(std::memory_order_acquire); final > acknowledged_) {
    acknowledged_ = final;
    for (SourceHead& s : sources_) SUPYO_TRY(s.task->acknowledge(Epoch(final)));
  }
  if (!drained_ && commands_.drain.load(std::memory_order_acquire)) {
    drained_ = true;
    for (SourceHead& s : sources_) SUPYO_TRY(s.task->end());
  }
  if (const std::int64_t cut = commands_.cut.load(std::memory_order_acquire); cut > injected_.value) SUPYO_TRY(inject(Epoch(cut)));
  return ok();
}

/// All sources of the shard at once, with no row between them: tasks that are called by several of them find their barriers together.
Status Shard::inject(Epoch e) {
  injected_ = e;
  cutting_ = true;
  part_ = EpochPart{};
  part_.epoch = e;
  part_.shard = context_.shard;
  part_.activity = context_.activity;
  context_.part = &part_;
  context_.tasks_to_cut = static_cast<std::uint32_t>(tasks_.size());
  const bool last = commands_.last.load(std::memory_order_acquire) == e.value;
  context_.last_cut = last;
  context_.keeps_changes &= commands_.finished.load(std::memory_order_acquire) != e.value;
  CutReport report{.epoch = e, .now_us = context_.now_us};
  for (SourceHead& s : sources_) {
    report.idle |= s.task->idle();
    if (s.task->active()) {
      report.active = true;
      report.watermark_us = std::min(report.watermark_us, s.task->cut_watermark_us());
    }
    SUPYO_TRY(s.task->inject(e, last));
  }
  context_.note(static_cast<std::uint64_t>(e.value), static_cast<std::uint64_t>(report.watermark_us));
  mailbox_.post(report);
  return ok();
}

/// Time from one poll without room to the next.
void Shard::count_blocked(NodeCounters& counters, TimeUs& blocked_us) const {
  if (blocked_us != kTimeMin && context_.now_us > blocked_us) counters.backpressured_us.add(context_.now_us - blocked_us);
  blocked_us = context_.now_us;
}

Result<bool> Shard::poll_receiver(Receiver& r) {
  bool any = false;
  for (int turn = 0; turn < kEventsPerTurn; ++turn) {
    if (!has_room(r.chain)) {
      backpressured_ = true;
      count_blocked(r.task->counters(), r.blocked_us);
      return any;
    }
    r.blocked_us = kTimeMin;
    bool took = false;
    for (std::size_t i = 0; i < r.inputs.size() && !took; ++i) {
      const std::size_t at = (r.next + i) % r.inputs.size();
      const Receiver::Input& input = r.inputs[at];
      if (r.task->waits(input.number)) continue;
      dataflow::Event* front = input.channel->front();
      if (front == nullptr) continue;
      // A barrier must not overtake this shard's own look at the command: it may come from a shard that saw it earlier.
      if (const auto* b = std::get_if<dataflow::Barrier>(front); b != nullptr && b->epoch > injected_) continue;
      const dataflow::Event event = std::move(*front);
      input.channel->pop();
      r.next = (at + 1) % r.inputs.size();
      SUPYO_TRY(r.task->receive(input.number, event));
      took = true;
    }
    if (!took) return any;
    any = true;
  }
  return any;
}

Status Shard::poll_sources(Poll& poll) {
  bool done = true;
  const std::size_t first = sources_.empty() ? 0 : (random_ >> 32) % sources_.size();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    SourceHead& s = sources_[(first + i) % sources_.size()];
    const bool room = has_room(s.chain);
    if (s.task->done()) continue;
    if (!room) {
      s.task->blocked();
      backpressured_ = true;
      count_blocked(s.task->counters(), s.blocked_us);
      done = false;
      continue;
    }
    s.blocked_us = kTimeMin;
    const TimeUs before = context_.env.clock.monotonic_us();
    SUPYO_ASSIGN(const Poll p, s.task->poll());
    s.task->counters().busy_us.add(context_.env.clock.monotonic_us() - before);
    done &= s.task->done();
    merge(poll, p);
  }
  // The coordinator is to see this before a virtual clock moves on.
  if (done && !gauges_.sources_done.exchange(done, std::memory_order_acq_rel)) poll = Poll::more();
  return ok();
}

Status Shard::poll_timers(Poll& poll) {
  for (const auto& t : tasks_) {
    const TimeUs due = t->next_timer_us();
    if (due == kTimeMax) continue;
    if (due <= context_.now_us) {
      SUPYO_TRY(t->fire_timers());
      poll = Poll::more();
    } else {
      merge(poll, Poll::waiting_until(due));
    }
  }
  return ok();
}

/// Rows take what they need by themselves; this brings the rest, so that the files need not be kept.
Status Shard::load_state(Poll& poll) {
  if (loaded_) return ok();
  loaded_ = true;
  for (const auto& t : tasks_) {
    SUPYO_ASSIGN(const bool more, t->load_state(kLoadBytes));
    if (more) loaded_ = false;
  }
  if (!loaded_) poll = Poll::more();
  return ok();
}

/// The part of the epoch goes to the coordinator once every task has passed the barrier and every sink is prepared.
Status Shard::poll_part(Poll& poll) {
  if (!cutting_) return ok();
  bool ready = context_.tasks_to_cut == 0;
  for (const auto& t : tasks_) {
    Poll wait = Poll::more();
    SUPYO_ASSIGN(const bool prepared, t->poll_prepare(wait));
    if (!prepared) merge(poll, wait);
    ready &= prepared;
  }
  if (!ready) return ok();
  for (const auto& t : tasks_) t->measure(part_);
  counters_.state_bytes.set(part_.state_bytes);
  counters_.state_entries.set(part_.state_entries);
  cutting_ = false;
  context_.part = nullptr;
  mailbox_.post(std::move(part_));
  poll = Poll::more();
  return ok();
}

void Shard::publish() {
  gauges_.activity.store(context_.activity, std::memory_order_release);
  std::uint64_t rows = 0;
  for (const SourceHead& s : sources_) rows += s.task->rows();
  gauges_.rows.store(rows, std::memory_order_relaxed);
  if (context_.finish_requested) gauges_.finish_requested.store(true, std::memory_order_release);
}

}  // namespace supyo::runtime
