#include "engine/runtime/epochs.h"

#include <algorithm>
#include <utility>

#include "core/base/hash.h"

namespace supyo::runtime {

using dataflow::Poll;
using dataflow::Progress;

namespace {
constexpr DurationUs kNoteObserverUs = kSecond;
}

Epochs::Epochs(const env::Env& env, const JobConfig& config, const Plan& plan, Execution& execution, DurableState* state, Epoch last, EpochStats& stats)
    : env_(env),
      config_(config),
      plan_(plan),
      execution_(execution),
      state_(state),
      stats_(stats),
      epoch_(last),
      next_trigger_us_(env.clock.now_us() + config.checkpoint_interval_us) {}

std::uint64_t Epochs::activity() const {
  std::uint64_t sum = 0;
  for (const auto& s : execution_.shards()) sum += s->gauges().activity.load(std::memory_order_acquire);
  return sum;
}

std::uint64_t Epochs::rows_in_epoch() const {
  std::uint64_t sum = 0;
  for (const auto& s : execution_.shards()) sum += s->gauges().rows.load(std::memory_order_relaxed);
  return sum - rows_at_cut_;
}

bool Epochs::sources_done() const {
  return std::ranges::all_of(execution_.shards(), [](const auto& s) { return s->gauges().sources_done.load(std::memory_order_acquire); });
}

Status Epochs::read_mailbox() {
  Mailbox::Contents mail = execution_.mailbox().take();
  if (mail.error) {
    fatal_ = mail.error->code == ErrorCode::kInternal;
    return fail(*std::move(mail.error));
  }
  for (const CutReport& c : mail.cuts) cuts_.push_back(c);
  for (EpochPart& p : mail.parts) parts_.push_back(std::move(p));
  if (config_.observer == nullptr || mail.cuts.empty() || cuts_.size() < plan_.shards) return ok();
  // All barriers are in. Combined as the operators do it.
  CutReport all;
  for (const CutReport& c : cuts_) {
    all.now_us = std::max(all.now_us, c.now_us);
    all.idle |= c.idle;
    all.active |= c.active;
    if (c.active) all.watermark_us = std::min(all.watermark_us, c.watermark_us);
  }
  if (all.active && !(all.watermark_us == kTimeMax && all.idle)) cut_watermark_us_ = std::max(cut_watermark_us_, all.watermark_us);
  config_.observer->epoch_cut(epoch_, cut_watermark_us_, all.now_us);
  return ok();
}

Result<Poll> Epochs::poll(const Wishes& wishes) {
  SUPYO_TRY(read_mailbox());
  if (wishes.drain || std::ranges::any_of(execution_.shards(), [](const auto& s) { return s->gauges().finish_requested.load(std::memory_order_acquire); }))
    if (!std::exchange(drain_sent_, true)) execution_.commands().drain.store(true, std::memory_order_release);
  note_observer();
  const std::uint64_t before = savepoints_;
  SUPYO_ASSIGN(const bool slices, poll_snapshot(wishes));
  Wishes left = wishes;
  left.savepoint &= savepoints_ == before;
  SUPYO_ASSIGN(const Poll poll, poll_phase(left));
  return slices && poll.progress != Progress::kDone ? Poll::more() : poll;
}

/// Readers of sinks in no transaction see more than the newest epoch: what they have had is kept in between, so that after a kill it is not taken for news. Best effort: else that is not known.
void Epochs::note_observer() {
  if (state_ == nullptr || config_.observer == nullptr || plan_.writers_as_written == 0) return;
  const TimeUs now = env_.clock.now_us();
  if (noted_us_ == kTimeMin || now < noted_us_) noted_us_ = now;
  if (now - noted_us_ < kNoteObserverUs || activity() == noted_activity_) return;
  noted_us_ = now;
  noted_activity_ = activity();
  (void)state_->note_observer(stats_.last_final, config_.observer->save(stats_.last_final));
}

/// A snapshot that is due or wished for; true when another slice of it could be built at once (no threads: in simulation).
Result<bool> Epochs::poll_snapshot(const Wishes& wishes) {
  const bool now = wishes.savepoint && savepoint_cut_ && phase_ == Phase::kOpen;
  if (now) {
    savepoint_cut_ = false;
    ++savepoints_;
  }
  return state_ == nullptr ? Result<bool>(false) : state_->poll_snapshot(now);
}

Result<Poll> Epochs::poll_phase(const Wishes& wishes) {
  for (;;) {
    switch (phase_) {
      case Phase::kOpen:
        if (auto wait = poll_open(wishes)) return *wait;
        break;
      case Phase::kCutting: {
        SUPYO_ASSIGN(const Poll p, poll_cutting());
        if (phase_ == Phase::kCutting) return p;
        break;
      }
      case Phase::kStoring: {
        SUPYO_ASSIGN(const Poll p, poll_storing());
        if (phase_ == Phase::kStoring) return p;
        break;
      }
      case Phase::kSyncCost:
        if (env_.clock.now_us() < due_us_) return Poll::waiting_until(due_us_);
        make_final();
        break;
      case Phase::kCommitCost:
        if (env_.clock.now_us() < due_us_) return Poll::waiting_until(due_us_);
        phase_ = Phase::kCommitting;
        break;
      case Phase::kCommitting: {
        SUPYO_ASSIGN(const Poll p, poll_committing());
        if (phase_ == Phase::kCommitting) return p;
        return Poll::more();
      }
      case Phase::kEnded: return Poll::done();
    }
  }
}

/// Triggers when it is time, or says what to wait for. The times of the triggers lie on a grid of the interval, as a periodic timer's do,
/// also after nothing happened for a while; an epoch that took longer than the interval is followed at once.
std::optional<Poll> Epochs::poll_open(const Wishes& wishes) {
  const TimeUs now = env_.clock.now_us();
  if (sources_done()) {
    trigger(true, true);
    return std::nullopt;
  }
  if (wishes.stop) {
    trigger(true, false);
    return std::nullopt;
  }
  const DurationUs interval = std::max<DurationUs>(config_.checkpoint_interval_us, 1);
  // Never so far ahead unless the clock was set back: readers must not wait until it is where it was.
  if (next_trigger_us_ - now > 2 * interval) next_trigger_us_ = now + interval;
  if (activity() == activity_at_cut_) {
    savepoint_cut_ |= wishes.savepoint;  // what is final is all there is
    if (now >= next_trigger_us_) next_trigger_us_ += ((now - next_trigger_us_) / interval + 1) * interval;
    return Poll::blocked_on_input();
  }
  savepoint_cut_ |= wishes.savepoint;
  const bool full = config_.epoch_rows > 0 && rows_in_epoch() >= config_.epoch_rows;
  if (now < next_trigger_us_ && !full && !wishes.savepoint) return Poll::waiting_until(next_trigger_us_);
  next_trigger_us_ = now + interval;
  trigger(false, false);
  return std::nullopt;
}

void Epochs::trigger(bool last, bool finished) {
  epoch_ = Epoch(epoch_.value + 1);
  last_ = last;
  finished_ = finished;
  triggered_us_ = env_.clock.monotonic_us();
  rows_at_cut_ += rows_in_epoch();
  cuts_.clear();
  parts_.clear();
  if (finished) execution_.commands().finished.store(epoch_.value, std::memory_order_release);
  if (last) execution_.commands().last.store(epoch_.value, std::memory_order_release);
  execution_.commands().cut.store(epoch_.value, std::memory_order_release);
  phase_ = Phase::kCutting;
}

Result<Poll> Epochs::poll_cutting() {
  if (parts_.size() < plan_.shards) return Poll::blocked_on_input();
  std::uint64_t at_cut = 0;
  for (const EpochPart& p : parts_) at_cut += p.activity;
  bool empty = at_cut == std::exchange(activity_at_cut_, at_cut);
  for (const EpochPart& p : parts_) empty &= p.handles.empty();  // a sink that closes what it had open has something to commit
  if (empty && !finished_) {  // a stop with nothing to save: the epoch before is the last
    epoch_ = Epoch(epoch_.value - 1);
    phase_ = Phase::kEnded;
    return Poll::done();
  }
  gather();
  store_failures_ = 0;
  store_at_us_ = 0;
  phase_ = Phase::kStoring;
  return Poll::more();
}

/// What the parts hold together, ready to be stored.
void Epochs::gather() {
  std::vector<state::TableChanges> tables;
  std::ranges::sort(parts_, {}, &EpochPart::shard);
  EpochMeta meta;
  meta.finished = finished_;
  meta.now_us = env_.clock.now_us();
  meta.splits = execution_.absent_splits();
  for (EpochPart& p : parts_) {
    std::ranges::move(p.splits, std::back_inserter(meta.splits));
    std::ranges::move(p.tables, std::back_inserter(tables));
    for (const NodeWatermark& w : p.watermarks) {
      const auto it = std::ranges::find(meta.watermarks, w.node, &NodeWatermark::node);
      if (it == meta.watermarks.end()) meta.watermarks.push_back(w);
      else it->watermark_us = std::min(it->watermark_us, w.watermark_us);
    }
    for (auto& [node, handle] : p.handles) {
      const std::string& id = plan_.nodes[node].sink_id;
      auto it = std::ranges::find(meta.sinks, id, &SinkHandles::sink_id);
      if (it == meta.sinks.end()) it = meta.sinks.insert(it, SinkHandles{.sink_id = id, .handles = {}});
      it->handles.push_back(std::move(handle));
    }
  }
  if (config_.observer != nullptr) meta.observer = config_.observer->save(epoch_);
  parts_.clear();
  trace_ = hash_combine(trace_, static_cast<std::uint64_t>(epoch_.value));
  record_ = {.epoch = epoch_, .sections = encode(meta), .tables = std::move(tables)};
  meta_ = std::move(meta);
}

Result<Poll> Epochs::poll_storing() {
  const TimeUs now = env_.clock.now_us();
  if (now < store_at_us_) return Poll::waiting_until(store_at_us_);
  if (!stored_at_us_) {
    const FaultDecision fault = config_.faults == nullptr ? FaultDecision{} : config_.faults->at("checkpoint.store", now);
    stored_at_us_ = now + fault.delay_us;
    refused_ = fault.fail;
  }
  if (now < *stored_at_us_) return Poll::waiting_until(*stored_at_us_);
  stored_at_us_.reset();
  const Status stored = refused_ ? Status(fail(ErrorCode::kOutsideUnavailable, "the store refused the epoch by a fault point")) : store();
  if (!stored) return not_stored(stored.error().with_context("the epoch journal"));
  record_ = {};
  due_us_ = now + config_.costs.journal_sync_us;
  phase_ = Phase::kSyncCost;
  return Poll::more();
}

Status Epochs::store() {
  if (state_ == nullptr) return ok();
  SUPYO_TRY(state_->append(record_));
  stats_.last_bytes = state_->last_bytes();
  return ok();
}

/// A full disk left everything as it was: the same epoch may be tried again, or a restart may find room. After anything else nobody knows what the disk holds.
Result<Poll> Epochs::not_stored(Error error) {
  fatal_ = error.code != ErrorCode::kDiskFull && error.code != ErrorCode::kOutsideUnavailable;
  if (fatal_ || ++store_failures_ > config_.tolerable_failed_checkpoints) return fail(std::move(error));
  ++stats_.failed;
  const TimeUs now = env_.clock.now_us();
  if (config_.observer != nullptr) config_.observer->epoch_failed(epoch_, now);
  store_at_us_ = std::max(now, next_trigger_us_);
  next_trigger_us_ = store_at_us_ + std::max<DurationUs>(config_.checkpoint_interval_us, 1);
  return Poll::waiting_until(store_at_us_);
}

void Epochs::make_final() {
  const TimeUs now = env_.clock.now_us();
  final_us_ = env_.clock.monotonic_us();
  stats_.last_final = epoch_;
  stats_.last_duration_us = since(triggered_us_);
  stats_.duration_max_us = std::max(stats_.duration_max_us, stats_.last_duration_us);
  stats_.duration_sum_us += stats_.last_duration_us;
  execution_.commands().final.store(epoch_.value, std::memory_order_release);
  if (config_.observer != nullptr) config_.observer->epoch_final(epoch_, now);
  noted_us_ = now;   // its record has it
  due_us_ = now + (meta_.sinks.empty() ? 0 : config_.costs.sink_commit_us);
  phase_ = Phase::kCommitCost;
}

Result<Poll> Epochs::poll_committing() {
  const TimeUs now = env_.clock.now_us();
  SUPYO_ASSIGN(const Poll wait, poll_committers(execution_.committers(), epoch_, meta_.sinks, now));
  if (wait.progress != Progress::kDone) return wait;
  stats_.last_visible = epoch_;
  stats_.last_visible_at_us = now;
  stats_.last_commit_us = since(final_us_);
  ++stats_.completed;
  if (config_.observer != nullptr) config_.observer->epoch_visible(epoch_, now);
  phase_ = last_ ? Phase::kEnded : Phase::kOpen;
  return Poll::more();
}

}  // namespace supyo::runtime
