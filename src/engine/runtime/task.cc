#include "engine/runtime/task.h"

#include <algorithm>

#include "core/base/check.h"

namespace supyo::runtime {

using dataflow::Barrier;
using dataflow::EndOfInput;
using dataflow::Event;
using dataflow::Idle;
using dataflow::Watermark;

Status Output::rows(const BatchPtr& batch) {
  for (auto& q : queues_) q.send_rows(batch);
  for (const auto& [target, channel] : calls_) SUPYO_TRY(target->receive(channel, batch));
  return ok();
}

Status Output::broadcast(const Event& event) {
  for (auto& q : queues_) q.broadcast(event);
  for (const auto& [target, channel] : calls_) SUPYO_TRY(target->receive(channel, event));
  return ok();
}

bool Output::flush() {
  bool all = true;
  for (auto& q : queues_) all &= q.flush();
  return all;
}

void Task::restore_watermark(TimeUs us) {
  watermark_us_ = us;
  untold_ = true;
  counters_.watermark_us.set(us);
}

std::size_t Task::add_channel(std::size_t input) {
  channels_.push_back({.input = input});
  return channels_.size() - 1;
}

Status Task::broadcast(const Event& event) {
  SUPYO_TRY(main_.broadcast(event));
  return side_.broadcast(event);
}

Status Task::receive(std::size_t channel, const Event& event) {
  ChannelState& c = channels_[channel];
  SUPYO_CHECK(!c.barrier);
  if (const auto* batch = std::get_if<BatchPtr>(&event)) {
    c.idle = false;
    idle_ = false;
    counters_.rows_in.add((*batch)->rows);
    counters_.batches_in.add(1);
    return on_rows(*batch, c.input);
  }
  if (const auto* w = std::get_if<Watermark>(&event)) {
    c.idle = false;
    c.watermark_us = std::max(c.watermark_us, w->us);
    return combine();
  }
  if (const auto* b = std::get_if<Barrier>(&event)) return take_barrier(c, b->epoch);
  if (std::holds_alternative<Idle>(event)) {
    c.idle = true;
    return combine();
  }
  if (const auto* p = std::get_if<dataflow::Passed>(&event)) return pass(c, p->us);
  c.ended = true;
  if (!std::ranges::all_of(channels_, &ChannelState::ended)) return ok();
  return broadcast(EndOfInput{});
}

/// The watermark is the lowest of the active channels'. It never goes back: a channel that returns from idleness behind it does not count
/// until it has caught up, and its rows are late by their own edge watermark. An idle channel is left out, but it has not ended: where all
/// others have, the end waits for it.
Status Task::combine() {
  TimeUs lowest = kTimeMax;
  bool active = false;
  bool some_idle = false;
  for (const ChannelState& c : channels_) {
    some_idle |= c.idle;
    if (c.idle) continue;
    active = true;
    lowest = std::min(lowest, c.watermark_us);
  }
  // Only the end of its input tells an operator that makes time anything.
  if (makes_time() && (!active || lowest != kTimeMax)) return ok();
  if (!active) {
    if (std::exchange(idle_, true)) return ok();
    return broadcast(Idle{});
  }
  const bool returned = std::exchange(idle_, false);
  if (lowest == kTimeMax && some_idle) lowest = watermark_us_;
  if (lowest > watermark_us_) return advance(lowest);
  // What was reached before the restart was acted upon, but those downstream do not know it of this channel yet.
  const bool untold = lowest == watermark_us_ && std::exchange(untold_, false);
  return returned || untold ? broadcast(Watermark{output_watermark(watermark_us_)}) : ok();
}

/// What all channels have passed, whether they are idle or not.
Status Task::pass(ChannelState& c, TimeUs us) {
  c.passed_us = std::max(c.passed_us, us);
  const TimeUs lowest = std::ranges::min(channels_, {}, &ChannelState::passed_us).passed_us;
  if (lowest <= passed_us_ || keeps_back()) return ok();   // the next one comes soon
  passed_us_ = lowest;
  SUPYO_TRY(on_passed(lowest));
  return broadcast(dataflow::Passed{lowest});
}

Status Task::advance(TimeUs us) {
  watermark_us_ = us;
  untold_ = false;
  counters_.watermark_us.set(us);
  shard_.note(node_.id, static_cast<std::uint64_t>(us));
  SUPYO_TRY(on_watermark(us));
  return broadcast(Watermark{output_watermark(us)});
}

Status Task::take_barrier(ChannelState& c, Epoch e) {
  SUPYO_CHECK_EQ(e.value, epoch_.value);
  c.barrier = true;
  if (!std::ranges::all_of(channels_, &ChannelState::barrier)) return ok();
  for (ChannelState& each : channels_) each.barrier = false;
  SUPYO_TRY(on_barrier(e));
  return cut(e);
}

Status Task::cut(Epoch e) {
  SUPYO_CHECK(shard_.part != nullptr && shard_.part->epoch == e && shard_.tasks_to_cut > 0);
  if (!channels_.empty() && node_.state_id != PlanNode::kTransient) shard_.part->watermarks.push_back({.node = node_.state_id, .watermark_us = watermark_us_});
  epoch_ = Epoch(e.value + 1);
  --shard_.tasks_to_cut;
  return broadcast(Barrier{e});
}

}  // namespace supyo::runtime
