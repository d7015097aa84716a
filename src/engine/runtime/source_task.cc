#include "engine/runtime/source_task.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/check.h"
#include "core/base/utf8.h"
#include "data/types/value.h"

namespace supyo::runtime {

using dataflow::Idle;
using dataflow::Poll;
using dataflow::Progress;
using dataflow::SourceBatch;
using dataflow::Watermark;

namespace {
constexpr std::size_t kRawBytesMax = 64U << 10;

TimeUs minus_bound(TimeUs t, DurationUs bound) { return t < kTimeMin + bound ? kTimeMin : t - bound; }

std::string row_text(const Batch& batch, std::size_t row) {
  std::string out;
  for (std::size_t c = 0; c < batch.columns.size(); ++c) {
    if (c > 0) out += ',';
    if (!batch.columns[c]->is_null(row)) append_text_of(*batch.columns[c], row, out);
  }
  return out;
}
}  // namespace

SourceTask::SourceTask(const PlanNode& node, ShardContext& shard, NodeCounters& counters, Epoch last, std::vector<SplitProgress> splits,
                       std::unique_ptr<dataflow::SourceReader> reader, std::size_t batch_rows)
    : Task(node, shard, counters, last),
      source_(*node.source),
      splits_(std::move(splits)),
      reader_(std::move(reader)),
      batch_rows_(batch_rows),
      polled_quiet_(splits_.size()),
      polled_rows_(splits_.size()),
      dead_since_(splits_.size()),
      lost_since_(splits_.size()),
      dead_rows_(dataflow::dead_schema(), 16),
      blocked_(true) {}

Status SourceTask::on_rows(const BatchPtr&, std::size_t) { return fail(ErrorCode::kInternal, "a source has no input"); }
Status SourceTask::on_barrier(Epoch) { return fail(ErrorCode::kInternal, "a source has no input"); }

// ---- what the reader gives -------------------------------------------------------------------------------------------------------

Status SourceTask::emit(SourceBatch batch) {
  if (batch.batch == nullptr || batch.batch->rows == 0) return ok();
  SUPYO_CHECK_LT(batch.split, splits_.size());
  SUPYO_CHECK_EQ(batch.produce_us.size(), batch.batch->rows);
  SUPYO_CHECK_LE(batch.batch->rows, Batch::kMaxRows);
  SplitProgress& split = splits_[batch.split];
  polled_rows_[batch.split] = 1;
  Held held{.batch = std::move(batch), .record = {}, .next = 0};
  if (split.skip_rows > 0) {
    held.next = std::min<std::size_t>(split.skip_rows, held.batch.batch->rows);
    split.skip_rows -= held.next;
    split.given_rows += held.next;
    if (held.next == held.batch.batch->rows) return ok();
  }
  if (source_.replay) {
    held_.push_back(std::move(held));
    return ok();
  }
  if (held.next > 0) return hold(std::move(held));
  return take_rows(std::move(held.batch));
}

/// Sends on what is left of a batch whose first rows an earlier epoch already covers.
Status SourceTask::hold(Held held) {
  SourceBatch& b = held.batch;
  const std::size_t from = held.next;
  const std::size_t count = b.batch->rows - from;
  SourceBatch rest{.split = b.split, .batch = slice(*b.batch, from, count), .produce_us = {b.produce_us.begin() + static_cast<std::ptrdiff_t>(from), b.produce_us.end()}};
  if (b.position_of) rest.position_of = [inner = b.position_of, from](std::size_t row) { return inner(row + from); };
  if (b.raw_of) rest.raw_of = [inner = b.raw_of, from](std::size_t row) { return inner(row + from); };
  return take_rows(std::move(rest));
}

Status SourceTask::dead(dataflow::DeadRecord record) {
  SUPYO_CHECK_LT(record.split, splits_.size());
  SplitProgress& split = splits_[record.split];
  polled_rows_[record.split] = 1;
  if (split.skip_dead > 0) {
    --split.skip_dead;
    ++split.given_dead;
    return ok();
  }
  if (source_.replay) {
    held_.push_back(Held{.batch = {}, .record = std::move(record), .next = 0});
    return ok();
  }
  return take_dead(std::move(record));
}

// ---- rows ------------------------------------------------------------------------------------------------------------------------

void SourceTask::quiet(std::uint32_t split) {
  splits_[split].quiet = true;
  splits_[split].unreachable = false;
  polled_quiet_[split] = 1;
}

void SourceTask::unreachable(std::uint32_t split) {
  splits_[split].quiet = false;
  splits_[split].unreachable = true;
}

Status SourceTask::take_rows(SourceBatch raw) {
  ++shard_.activity;
  SplitProgress& split = splits_[raw.split];
  split.active_us = shard_.now_us;
  split.idle = split.quiet = split.unreachable = false;
  const std::size_t read = raw.batch->rows;
  rows_ += read;
  split.given_rows += read;
  SUPYO_ASSIGN(const SourceBatch batch, without_nulls(std::move(raw)));
  if (batch.batch == nullptr) return ok();
  counters_.rows_in.add(batch.batch->rows);
  counters_.rows_out.add(batch.batch->rows);
  counters_.batches_in.add(1);
  shard_.note(node_.id, batch.batch->rows);
  return main_.rows(stamp(batch, split));
}

/// Rows with a null where none may be become dead records; the others stay. The row time may never be null. (A delete brings only its key.)
Result<SourceBatch> SourceTask::without_nulls(SourceBatch batch) {
  const Batch& b = *batch.batch;
  const auto must = [&](std::size_t c) {
    return (c < source_.not_null.size() && source_.not_null[c]) || (source_.watermark && source_.watermark->column == c);
  };
  std::vector<std::uint8_t> bad;
  for (std::size_t c = 0; c < b.columns.size(); ++c) {
    if (!must(c) || !b.columns[c]->has_nulls()) continue;
    for (std::size_t row = 0; row < b.rows; ++row) {
      if (!b.columns[c]->is_null(row) || (!bad.empty() && bad[row] != 0) || b.kind(row) == RowKind::kDelete) continue;
      if (bad.empty()) bad.resize(b.rows);
      bad[row] = 1;
      SUPYO_TRY(null_record(batch, row, c));
    }
  }
  if (bad.empty()) return batch;
  std::vector<std::uint32_t> good;
  std::vector<TimeUs> produce;
  for (std::size_t row = 0; row < b.rows; ++row) {
    if (bad[row] != 0) continue;
    good.push_back(static_cast<std::uint32_t>(row));
    produce.push_back(batch.produce_us[row]);
  }
  SourceBatch out{.split = batch.split, .batch = nullptr, .produce_us = std::move(produce)};
  if (!good.empty()) out.batch = take(b, good);
  return out;
}

Status SourceTask::null_record(const SourceBatch& batch, std::size_t row, std::size_t column) {
  const Field& field = node_.input[column];
  dataflow::DeadRecord record{.split = batch.split, .position = {}, .field = field.name, .reason = std::string(error_name(ErrorCode::kNullInNotNull)), .raw = {}, .produce_us = batch.produce_us[row]};
  record.position = batch.position_of ? batch.position_of(row) : splits_[batch.split].id;
  record.raw = batch.raw_of ? batch.raw_of(row) : row_text(*batch.batch, row);
  --splits_[batch.split].given_dead;  // counted as a row of its split already
  return take_dead(std::move(record));
}

/// Gives the rows what the runtime knows of them, moves the split's watermark on row by row, and tells the observer.
std::shared_ptr<Batch> SourceTask::stamp(const SourceBatch& batch, SplitProgress& split) {
  auto out = std::make_shared<Batch>(*batch.batch);
  const std::size_t n = out->rows;
  std::span<const TimeUs> event = batch.produce_us;
  std::uint64_t behind = 0;
  if (source_.watermark) {
    ColumnPtr own;
    if (source_.watermark->own) {
      own = std::move(out->columns.back());
      out->columns.pop_back();
    }
    const Column& time = *out->columns[source_.watermark->column];
    event = time.values<TimeUs>();
    const bool nulls = time.has_nulls();
    if (nulls) {   // deletes that bring only their key: as old as when they were produced, and no watermark follows from them
      own_event_us_.assign(event.begin(), event.end());
      for (std::size_t i = 0; i < n; ++i)
        if (time.is_null(i)) own_event_us_[i] = batch.produce_us[i];
      event = own_event_us_;
    }
    const bool edge = source_.watermark->edge;
    if (edge) out->edge_watermarks.resize(n);
    TimeUs w = split.watermark_us;
    for (std::size_t i = 0; i < n; ++i) {
      if (edge) out->edge_watermarks[i] = w;
      if (nulls && time.is_null(i)) continue;
      behind += event[i] < w ? 1U : 0U;
      if (!own) w = std::max(w, minus_bound(event[i], source_.watermark->bound_us));
      else if (!own->is_null(i)) w = std::max(w, own->value<TimeUs>(i));
    }
    split.watermark_us = w;
    counters_.behind.add(behind);
  }
  if (shard_.origins) {
    out->origins.resize(n);
    for (std::size_t i = 0; i < n; ++i) out->origins[i] = {.event_max = event[i], .produce_max = batch.produce_us[i], .produce_min = batch.produce_us[i]};
  }
  if (shard_.observer != nullptr)
    shard_.observer->taken({.epoch = epoch_, .split = split.number, .event_us = event, .produce_us = batch.produce_us, .behind = behind,
                            .dead = std::exchange(dead_since_[batch.split], 0), .now_us = shard_.now_us, .lost = std::exchange(lost_since_[batch.split], 0)});
  return out;
}

Status SourceTask::take_dead(dataflow::DeadRecord record) {
  ++shard_.activity;
  SplitProgress& split = splits_[record.split];
  split.active_us = shard_.now_us;
  split.idle = split.quiet = split.unreachable = false;
  ++split.given_dead;
  if (record.lost == 0) ++dead_since_[record.split];
  lost_since_[record.split] += record.lost;
  counters_.dead.add(1);
  if (side_.empty()) return ok();
  const auto text = [&](std::size_t c, std::string_view s, bool nullable) {
    if (s.empty() && nullable) dead_rows_.column(c).append_null();
    else dead_rows_.column(c).append_text(s);
  };
  text(0, source_.table, false);
  text(1, record.position, false);
  text(2, record.field, true);
  text(3, record.reason, false);
  text(4, text_of_bytes(record.raw, kRawBytesMax), true);   // a STRING: bytes that are none could not be read again
  dead_rows_.column(5).append_integer(shard_.now_us);
  dead_rows_.end_row();
  return dead_rows_.full() ? side_.rows(dead_rows_.finish()) : ok();
}

Status SourceTask::flush_dead() {
  if (dead_rows_.rows() > 0) SUPYO_TRY(side_.rows(dead_rows_.finish()));
  for (std::size_t s = 0; s < splits_.size(); ++s) {
    if (dead_since_[s] + lost_since_[s] == 0 || shard_.observer == nullptr) continue;
    shard_.observer->taken({.epoch = epoch_, .split = splits_[s].number, .event_us = {}, .produce_us = {}, .behind = 0,
                            .dead = std::exchange(dead_since_[s], 0), .now_us = shard_.now_us, .lost = std::exchange(lost_since_[s], 0)});
  }
  return ok();
}

// ---- polling ---------------------------------------------------------------------------------------------------------------------

Result<Poll> SourceTask::poll() {
  if (done_ || stopped_) return Poll::done();
  if (reader_ == nullptr) {
    if (source_.source->bounded()) SUPYO_TRY(end());
    else if (!std::exchange(sent_idle_, true)) SUPYO_TRY(broadcast(Idle{}));
    done_ = true;
    SUPYO_TRY(send_passed());
    return Poll::done();
  }
  if (std::exchange(blocked_, false))
    for (SplitProgress& s : splits_) s.active_us = shard_.now_us;
  Poll poll = Poll::more();
  if (!source_.replay || held_.empty()) {
    SUPYO_ASSIGN(poll, poll_reader());
  }
  if (source_.replay) {
    SUPYO_ASSIGN(const TimeUs next, release());
    if (!held_.empty()) poll = Poll::waiting_until(next);
    else if (!reader_done_ && poll.progress == Progress::kDone) poll = Poll::more();
  }
  SUPYO_TRY(flush_dead());
  SUPYO_TRY(note_idleness(poll));
  SUPYO_TRY(send_watermark());
  SUPYO_TRY(send_passed());
  if (reader_done_ && held_.empty()) {
    SUPYO_TRY(end());
    return Poll::done();
  }
  return poll.progress == Progress::kDone ? Poll::more() : poll;
}

Result<Poll> SourceTask::poll_reader() {
  if (source_.replay) {
    held_from_ = reader_->positions();
    for (SplitProgress& s : splits_) s.given_rows = s.given_dead = 0;
  }
  std::ranges::fill(polled_quiet_, std::uint8_t{0});
  std::ranges::fill(polled_rows_, std::uint8_t{0});
  auto poll = reader_->poll(batch_rows_, *this);
  if (!poll) return fail(std::move(poll).error().with_context(fmt::format("source {}", source_.table)));
  if (poll->progress == Progress::kDone) reader_done_ = true;
  return *poll;
}

/// A split is idle when nothing came from it for the timeout although it was asked, and there was nothing to give. Time during which it
/// could not be asked (backpressure, an outside system that does not answer) does not count.
Status SourceTask::note_idleness(Poll& poll) {
  const DurationUs timeout = source_.watermark ? source_.watermark->idle_timeout_us : 0;
  if (timeout <= 0) return ok();
  const bool nothing = poll.progress == Progress::kBlockedOnInput || poll.progress == Progress::kWaitingUntil;
  for (std::size_t i = 0; i < splits_.size(); ++i) {
    SplitProgress& s = splits_[i];
    if (s.idle) continue;
    if (s.unreachable || poll.progress == Progress::kBlockedOnOutside || poll.progress == Progress::kBlockedOnOutput) {
      s.active_us = shard_.now_us;
      continue;
    }
    if (polled_rows_[i] != 0 || (!nothing && polled_quiet_[i] == 0)) continue;
    s.active_us = std::min(s.active_us, shard_.now_us);   // the clock may be set back
    if (shard_.now_us - s.active_us >= timeout) {
      s.idle = true;
      ++shard_.activity;
      shard_.note(node_.id, i);
    } else if (nothing) {
      poll = Poll::waiting_until(std::min(poll.progress == Progress::kWaitingUntil ? poll.until_us : kTimeMax, s.active_us + timeout));
    }
  }
  return ok();
}

bool SourceTask::all_idle() const { return !splits_.empty() && std::ranges::all_of(splits_, &SplitProgress::idle); }

Status SourceTask::send_watermark() {
  if (!source_.watermark) return ok();
  if (all_idle()) {
    if (std::exchange(sent_idle_, true)) return ok();
    return broadcast(Idle{});
  }
  TimeUs lowest = kTimeMax;
  for (const SplitProgress& s : splits_)
    if (!s.idle) lowest = std::min(lowest, s.watermark_us);
  const bool returned = std::exchange(sent_idle_, false);
  if (lowest <= watermark_us_ && !returned) return ok();
  watermark_us_ = std::max(watermark_us_, lowest);
  counters_.watermark_us.set(watermark_us_);
  return broadcast(Watermark{watermark_us_});
}

/// After rows, and now and then, since others may wait for this source's word. Rows that are given at the very same time after this are told of the next time.
Status SourceTask::send_passed() {
  constexpr DurationUs kEvery = 100 * kMillisecond;
  const TimeUs us = done_ ? kTimeMax : shard_.now_us;
  if (!shard_.as_written || us == passed_us_) return ok();
  if (!done_ && rows_ == passed_rows_ && passed_us_ != kTimeMin && us - passed_us_ < kEvery) return ok();
  passed_us_ = us;
  passed_rows_ = rows_;
  return broadcast(dataflow::Passed{us});
}

Status SourceTask::end() {
  done_ = true;
  if (watermark_us_ != kTimeMax) {
    ++shard_.activity;
    watermark_us_ = kTimeMax;
    counters_.watermark_us.set(kTimeMax);
    SUPYO_TRY(broadcast(Watermark{kTimeMax}));
  }
  return send_passed();
}

// ---- replay ----------------------------------------------------------------------------------------------------------------------

Result<TimeUs> SourceTask::prime() {
  if (!source_.replay || reader_ == nullptr) return kTimeMax;
  if (held_.empty() && !reader_done_) SUPYO_TRY(poll_reader());
  for (const Held& h : held_) {
    if (h.batch.batch == nullptr) continue;
    const Column& times = *h.batch.batch->columns[*source_.replay];
    for (std::size_t row = h.next; row < h.batch.batch->rows; ++row)
      if (!times.is_null(row)) return times.value<TimeUs>(row);
  }
  return kTimeMax;
}

/// Sends on what is due, in the order in which it was read. Returns when the next row is due.
Result<TimeUs> SourceTask::release() {
  while (!held_.empty()) {
    Held& h = held_.front();
    if (h.batch.batch == nullptr) {
      dataflow::DeadRecord record = std::move(h.record);
      held_.pop_front();
      SUPYO_TRY(take_dead(std::move(record)));
      continue;
    }
    const Batch& b = *h.batch.batch;
    const Column& times = *b.columns[*source_.replay];
    const std::size_t from = h.next;
    std::vector<TimeUs> produce;
    while (h.next < b.rows) {
      const TimeUs due = times.is_null(h.next) ? released_us_ : std::max(released_us_, times.value<TimeUs>(h.next));
      if (due > shard_.now_us) break;
      released_us_ = due;
      produce.push_back(due == kTimeMin ? shard_.now_us : due);
      ++h.next;
    }
    const bool all = h.next == b.rows;
    const TimeUs next = all ? kTimeMax : times.value<TimeUs>(h.next);
    if (h.next > from) {
      SourceBatch part{.split = h.batch.split, .batch = slice(b, from, h.next - from), .produce_us = std::move(produce)};
      if (h.batch.position_of) part.position_of = [&h, from](std::size_t row) { return h.batch.position_of(row + from); };
      if (h.batch.raw_of) part.raw_of = [&h, from](std::size_t row) { return h.batch.raw_of(row + from); };
      SUPYO_TRY(take_rows(std::move(part)));
    }
    if (!all) return next;
    held_.pop_front();
  }
  return kTimeMax;
}

// ---- epochs ----------------------------------------------------------------------------------------------------------------------

std::vector<SplitState> SourceTask::split_states() const {
  std::vector<dataflow::SplitPosition> positions;
  if (source_.replay) positions = held_from_;
  if (reader_ != nullptr && positions.empty()) positions = reader_->positions();
  std::vector<SplitState> out;
  for (const SplitProgress& s : splits_) {
    SplitState state{.source = node_.uid, .split = s.id, .position = {}, .watermark_us = s.watermark_us, .idle = s.idle, .skip_rows = s.skip_rows, .skip_dead = s.skip_dead};
    if (source_.replay) {
      state.skip_rows += s.given_rows;
      state.skip_dead += s.given_dead;
    }
    for (const auto& p : positions)
      if (p.split_id == s.id) state.position = p.position;
    out.push_back(std::move(state));
  }
  return out;
}

Status SourceTask::inject(Epoch e, bool last) {
  SUPYO_TRY(flush_dead());
  auto states = split_states();
  cut_epoch_ = e;
  cut_positions_.clear();
  for (const SplitState& s : states) cut_positions_.push_back({.split_id = s.split, .position = s.position});
  for (SplitState& s : states) shard_.part->splits.push_back(std::move(s));
  stopped_ |= last;
  return cut(e);
}

Status SourceTask::acknowledge(Epoch e) {
  if (reader_ == nullptr || cut_epoch_ != e) return ok();
  return reader_->committed(e, cut_positions_);
}

void SourceTask::sample_lags() {
  if (shard_.observer == nullptr || reader_ == nullptr) return;
  const auto lags = reader_->lags();
  for (std::size_t i = 0; i < splits_.size(); ++i) {
    if (splits_[i].unreachable && !done_) continue;
    dataflow::SplitLag lag{.split = static_cast<std::uint32_t>(i)};
    for (const auto& l : lags)
      if (l.split == i) lag = l;
    shard_.observer->lags(splits_[i].number, lag.committed, lag.fetched, splits_[i].quiet || done_, shard_.now_us);
  }
}

}  // namespace supyo::runtime
