#include "judge/slo/judge.h"

#include <algorithm>
#include <utility>

#include "judge/slo/judge_impl.h"

namespace supyo::slo {
namespace {

std::vector<Column> columns_for(const Objectives& objectives) {
  std::vector<Column> c;
  for (const char* name : {"e2e_p50", "e2e_p95", "e2e_p99", "e2e_window_p95", "pipe_p50", "pipe_p95", "pipe_p99", "freshness", "freshness_naive",
                           "epoch_duration", "commit_delay", "commit_age", "lag_time"}) {
    c.push_back({name, "s", {}});
  }
  for (const char* name : {"lag_committed", "lag_fetched", "unfinished", "records_in", "records_out"}) c.push_back({name, "records", {}});
  for (const char* name : {"burrow", "state"}) c.push_back({name, "state", {}});
  for (const Objective& o : objectives.items) {
    c.push_back({"bad_share:" + o.name, "share", {}});
    c.push_back({"now_bad_share:" + o.name, "share", {}});
    c.push_back({"breached:" + o.name, "state", {}});
  }
  return c;
}

}  // namespace

std::string_view state_name(State s) {
  switch (s) {
    case State::kOk: return "OK";
    case State::kAtRisk: return "AT RISK";
    case State::kIncident: return "INCIDENT";
    case State::kUnknown: return "UNKNOWN";
  }
  return "?";
}

Judge::Impl::Impl(const Objectives& declared, JudgeOptions opt)
    : objectives(declared),
      options(opt),
      counters(declared.items.size()),
      slices(declared.items.size()),
      exported(declared.items.size()),
      status(declared.items.size()),
      e2e({opt.now_view_us, 10 * kMinute}),
      pipe({opt.now_view_us, 10 * kMinute}),
      stream_lag({opt.now_view_us}),
      checkpoints({10 * kMinute}),
      series(columns_for(declared)) {
  for (const Objective& o : declared.items) {
    wants_results = wants_results || o.reference == Reference::kCompletion;
    lags_wanted = lags_wanted || o.measure == Measure::kStreamLag;
    if ((o.measure == Measure::kEndToEndLatency || o.measure == Measure::kProcessingSuccess) && o.reference == Reference::kRecord) unread_reach_us = std::max(unread_reach_us, o.bound_us());
    alerts.emplace_back(o.alerts.size());
  }
}

Judge::Judge(Objectives objectives, JudgeOptions options) : objectives_(std::move(objectives)), impl_(std::make_unique<Impl>(objectives_, options)) {}
Judge::~Judge() = default;

Judge::Impl::Split& Judge::Impl::split(std::uint32_t i) {
  if (i >= splits.size()) splits.resize(i + 1);
  return splits[i];
}

void Judge::started(const PipelineShape& shape, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  if (d.running) {
    // A restart inside the process: what no durable epoch covers will be taken again.
    d.advance(now_us);
    d.take_back(d.last_final);
    ++d.totals.restarts;
    d.note(now_us, "the job restarted");
  }
  d.shape = shape;
  d.finish_restored();
  d.writers.clear();
  d.splits.resize(std::max<std::size_t>(d.splits.size(), shape.source_splits));
  if (d.started_us == kTimeMin) d.started_us = now_us;
  // After a restore the samples of the time when nothing ran are made up for: the reader waited then, too.
  if (d.next_sample_us == kTimeMin) d.next_sample_us = (now_us / d.options.sample_us + 1) * d.options.sample_us;
  d.last_word_us = now_us;
  d.running = true;
}

/// After a restart: what is in no durable epoch comes again. What readers had of it is no news to them when it does.
void Judge::Impl::take_back(Epoch final) {
  for (auto it = epochs.upper_bound(final); it != epochs.end(); it = epochs.erase(it)) {
    for (const auto& [s, n] : it->second.shown_by_split) split(s).shown_before += n;
    for (const auto& [s, n] : it->second.shown_by_sink) results_before[s] += n;
    for (const auto& [s, n] : it->second.taken_by_split) split(s).read -= n;
  }
  records.drop_after(final);
  results.drop_after(final);
}

/// Where readers do not wait for epochs they had all of the restored one before its record was made, whenever the job comes back.
void Judge::Impl::finish_restored() {
  const TimeUs then = std::exchange(restored_us, kTimeMin);
  const auto last = epochs.find(last_final);
  if (then == kTimeMin || shape.writers == 0 || last == epochs.end()) return;
  EpochInfo info;
  info.cut_us = info.final_us = then;
  info.watermark_us = last->second.watermark_us;
  finish_records(last_final, info, then);
}

std::uint64_t Judge::Impl::taken_after(Epoch epoch, std::uint32_t s) const {
  std::uint64_t n = 0;
  for (auto it = epochs.upper_bound(epoch); it != epochs.end(); ++it)
    if (const auto of = it->second.taken_by_split.find(s); of != it->second.taken_by_split.end()) n += of->second;
  return n;
}

/// Of the records of a split after `epoch`, how many readers have had.
std::uint64_t Judge::Impl::shown_after(Epoch epoch, std::uint32_t s) const {
  std::uint64_t n = splits[s].shown_before;
  for (auto it = epochs.upper_bound(epoch); it != epochs.end(); ++it)
    if (const auto of = it->second.shown_by_split.find(s); of != it->second.shown_by_split.end()) n += of->second;
  return n;
}

void Judge::taken(const Taken& t) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(t.now_us);
  d.last_word_us = std::max(d.last_word_us, t.now_us);
  d.last_taken_us = d.last_word_us;
  Impl::EpochInfo& info = d.epochs[t.epoch];
  const std::uint64_t n = t.event_us.size();
  info.taken += n;
  info.behind += t.behind;
  info.dead += t.dead;
  info.taken_by_split[t.split] += n + t.dead;
  d.sample_in += n + t.dead;
  d.totals.taken += n;
  d.totals.dead += t.dead;
  d.totals.behind += t.behind;
  Impl::Split& split = d.split(t.split);
  split.read += n + t.dead + t.lost;
  d.count_lost(t.lost, t.now_us);   // at once, and not with its epoch: that there is one says that something is wrong
  if (d.lags_wanted) d.count_stream_lag(info, t);
  const std::uint64_t shown = std::min(split.shown_before, n);
  split.shown_before -= shown;
  if (shown > 0) info.shown_by_split[t.split] += shown;
  if (d.stepped) d.compare_clocks(t.produce_us, t.now_us);
  d.note_delay(t.produce_us, t.now_us);
  d.records.add(t.epoch, t.split, t.event_us.subspan(shown), t.produce_us.subspan(shown), t.now_us, d.shape.writers > 0);
}

void Judge::Impl::count_stream_lag(EpochInfo& info, const Taken& t) {
  if (forward_at_us != kTimeMin) return;
  const auto lag = [&](std::size_t i) { return t.now_us - t.event_us[i] - forward.of(t.produce_us[i]); };
  for (std::size_t i = 0; i < t.event_us.size(); ++i) stream_lag.add(lag(i), 1);
  info.stream_lag.resize(counters.size());
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Objective& o = objectives.items[i];
    if (o.measure != Measure::kStreamLag) continue;
    std::uint64_t bad = 0;
    for (std::size_t k = 0; k < t.event_us.size(); ++k) bad += lag(k) >= o.bound_us() ? 1 : 0;
    info.stream_lag[i] += {t.event_us.size() - bad, bad};
  }
}

void Judge::sink_identities(Epoch epoch, std::span<const std::uint64_t> hashes) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t>& all = impl_->epochs[epoch].identities;
  all.insert(all.end(), hashes.begin(), hashes.end());
}

void Judge::dropped_late(Epoch epoch, std::uint64_t rows, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  impl_->advance(now_us);
  impl_->epochs[epoch].dropped_late += rows;
  impl_->totals.dropped_late += rows;
}

void Judge::sink_rows(Epoch epoch, std::string_view sink, std::span<const TimeUs> completion_event_us,
                      std::span<const TimeUs> completion_produce_us, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.totals.sink_rows += completion_event_us.size();
  if (!d.wants_results) return;
  auto it = d.sinks.find(sink);
  if (it == d.sinks.end()) it = d.sinks.emplace(std::string(sink), static_cast<std::uint32_t>(d.sinks.size())).first;
  const std::uint32_t id = it->second;
  std::size_t shown = 0;
  if (d.shape.writers > 0) {
    d.results_before.resize(d.sinks.size());
    shown = std::min<std::uint64_t>(d.results_before[id], completion_event_us.size());
    d.results_before[id] -= shown;
    d.epochs[epoch].shown_by_sink[id] += completion_event_us.size();
  }
  d.results.add(epoch, id, completion_event_us.subspan(shown), completion_produce_us.subspan(shown), now_us);
  if (d.shape.writers > 0) d.finish_results(epoch, now_us);
}

void Judge::written(std::uint32_t writer, TimeUs taken_us, TimeUs watermark_us, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.last_word_us = std::max(d.last_word_us, now_us);
  d.writers[writer] = {taken_us, watermark_us};
  if (d.shape.writers == 0 || d.writers.size() < d.shape.writers || d.records.records() == 0) return;
  Impl::Written all{kTimeMax, kTimeMax};
  for (const auto& [_, w] : d.writers) all = {std::min(all.taken_us, w.taken_us), std::min(all.watermark_us, w.watermark_us)};
  Impl::EpochInfo info;
  info.cut_us = info.final_us = now_us;
  d.records.finish_taken(all.taken_us, d.shape.holds_until_watermark, all.watermark_us, [&](const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows) {
    if (const auto e = d.epochs.find(chunk.epoch); e != d.epochs.end()) e->second.shown_by_split[chunk.split] += rows.records;
    d.finish_rows(chunk, rows, info, now_us);
  });
}

void Judge::epoch_cut(Epoch epoch, TimeUs watermark_us, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.last_word_us = std::max(d.last_word_us, now_us);
  Impl::EpochInfo& info = d.epochs[epoch];
  info.cut_us = now_us;
  info.watermark_us = watermark_us;
  d.records.cut(epoch, now_us);
  if (d.last_cut_us != kTimeMin) d.interval_us = now_us - d.last_cut_us;
  d.last_cut_us = now_us;
  d.last_cut = std::max(d.last_cut, epoch);
}

void Judge::epoch_final(Epoch epoch, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.last_word_us = std::max(d.last_word_us, now_us);
  d.last_final = std::max(d.last_final, epoch);
  ++d.totals.epochs;
  const auto it = d.epochs.find(epoch);
  if (it != d.epochs.end()) {
    it->second.final_us = now_us;
    if (it->second.cut_us != kTimeMin && !it->second.restored) {
      d.epoch_duration_us = now_us - it->second.cut_us;
      d.checkpoints.add(d.epoch_duration_us, 1);
      for (std::size_t i = 0; i < d.counters.size(); ++i) {
        const Objective& o = d.objectives.items[i];
        if (o.measure != Measure::kCheckpointDuration) continue;
        const bool good = d.epoch_duration_us < o.bound_us();
        d.counters[i].add(now_us, {good ? 1U : 0U, good ? 0U : 1U});
      }
    }
    for (const auto& [s, n] : it->second.taken_by_split) {
      Impl::Split& split = d.split(s);
      split.committed_offset += n;
      split.burrow.committed(now_us, split.committed_offset);
    }
  }
}

void Judge::epoch_visible(Epoch epoch, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.last_word_us = std::max(d.last_word_us, now_us);
  Impl::EpochInfo covered;
  const auto end = d.epochs.upper_bound(epoch);
  for (auto it = d.epochs.begin(); it != end; ++it) {
    const Impl::EpochInfo& e = it->second;
    covered.taken += e.taken;
    covered.behind += e.behind;
    covered.dead += e.dead;
    covered.dropped_late += e.dropped_late;
    covered.stream_lag.resize(std::max(covered.stream_lag.size(), e.stream_lag.size()));
    for (std::size_t i = 0; i < e.stream_lag.size(); ++i) covered.stream_lag[i] += e.stream_lag[i];
    covered.identities.insert(covered.identities.end(), e.identities.begin(), e.identities.end());
    covered.unchecked_identities += e.unchecked_identities;
    covered.cut_us = std::max(covered.cut_us, e.cut_us);
    covered.final_us = std::max(covered.final_us, e.final_us);
    covered.watermark_us = std::max(covered.watermark_us, e.watermark_us);
  }
  d.epochs.erase(d.epochs.begin(), end);
  if (covered.cut_us == kTimeMin) covered.cut_us = now_us;
  if (covered.final_us == kTimeMin) covered.final_us = covered.cut_us;
  d.commit_delay_us = now_us - covered.final_us;
  d.count_tally(covered, now_us);
  d.finish_records(epoch, covered, now_us);
  d.finish_results(epoch, now_us);
  d.last_visible = std::max(d.last_visible, epoch);
  d.last_final = std::max(d.last_final, epoch);
  d.last_visible_us = now_us;
}

void Judge::epoch_failed(Epoch epoch, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.last_word_us = std::max(d.last_word_us, now_us);
  ++d.totals.epochs_failed;
  d.failures.push_back(now_us);
  for (std::size_t i = 0; i < d.counters.size(); ++i) {
    if (d.objectives.items[i].measure == Measure::kCheckpointDuration) d.counters[i].add(now_us, {0, 1});
  }
  d.note(now_us, fmt::format("epoch {} failed", epoch.value));
}

void Judge::lags(std::uint32_t split, std::uint64_t committed_lag, std::uint64_t fetch_lag, bool quiet, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  d.advance(now_us);
  d.last_word_us = std::max(d.last_word_us, now_us);
  Impl::Split& s = d.split(split);
  s.committed_lag = committed_lag;
  s.fetch_lag = fetch_lag;
  s.polled_us = now_us;
  s.quiet_at_us = quiet ? now_us : kTimeMin;
  s.burrow.end(now_us, s.committed_offset + d.taken_after(d.last_final, split) + fetch_lag);
  if (d.unread_reach_us == 0) return;
  s.ends.emplace_back(now_us, s.read + fetch_lag);
  while (s.ends.size() > 1 && s.ends[1].first <= now_us - d.unread_reach_us) s.ends.pop_front();
}

void Judge::upstream(std::optional<bool> finished, TimeUs asked_us) {
  const std::lock_guard lock(mutex_);
  if (finished) impl_->upstream_known_us = asked_us;
  impl_->upstream_done_us = finished.value_or(false) ? asked_us : kTimeMin;
}

void Judge::stopped(TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  impl_->advance(now_us);
  impl_->take_back(impl_->last_final);
}

void Judge::count_lost(std::uint64_t records, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  impl_->advance(now_us);
  impl_->count_lost(records, now_us);
}

void Judge::Impl::count_lost(std::uint64_t n, TimeUs now) {
  if (n == 0) return;
  totals.lost += n;
  lost_us = now;
  note(now, fmt::format("{} records lost", n));
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Measure m = objectives.items[i].measure;
    if (m == Measure::kProcessingSuccess || m == Measure::kCompleteness) counters[i].add(now, {0, n});
  }
}

void Judge::count_duplicates(std::uint64_t records, TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  if (records == 0) return;
  d.advance(now_us);
  d.totals.duplicates += records;
  d.note(now_us, fmt::format("{} records twice at the sink", records));
  for (std::size_t i = 0; i < d.counters.size(); ++i) {
    const Measure m = d.objectives.items[i].measure;
    if (m == Measure::kProcessingSuccess || m == Measure::kDuplicateRate) d.counters[i].add(now_us, {0, records});
  }
}

void Judge::Impl::count_tally(const EpochInfo& tally, TimeUs now) {
  late_debt += tally.dropped_late;
  Counts repeats{tally.unchecked_identities, 0};
  for (const std::uint64_t hash : tally.identities) ++(seen.seen(hash) ? repeats.bad : repeats.good);
  totals.duplicates += repeats.bad;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Objective& o = objectives.items[i];
    const std::uint64_t dropped = std::min(tally.dropped_late, tally.taken);
    switch (o.measure) {
      case Measure::kLateEventRate: counters[i].add(now, {tally.taken - std::min(tally.behind, tally.taken), tally.behind}); break;
      case Measure::kWindowLateRate: counters[i].add(now, {tally.taken - dropped, dropped}); break;
      case Measure::kDuplicateRate: counters[i].add(now, repeats); break;
      case Measure::kStreamLag: counters[i].add(now, i < tally.stream_lag.size() ? tally.stream_lag[i] : Counts{}); break;
      case Measure::kCompleteness: counters[i].add(now, {tally.taken - dropped, dropped + tally.dead}); break;
      case Measure::kProcessingSuccess: counters[i].add(now, {0, tally.dead + tally.dropped_late + repeats.bad}); break;
      default: break;
    }
  }
}

void Judge::Impl::count_finished(const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows, Reference reference, TimeUs now) {
  if (forward_at_us != kTimeMin) return;
  // A record dropped as late counts as bad already; its finish is not good as well.
  const std::uint64_t dropped = reference == Reference::kRecord ? std::min(late_debt, rows.records) : 0;
  if (reference == Reference::kRecord) late_debt -= dropped;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Objective& o = objectives.items[i];
    const bool latency = o.measure == Measure::kEndToEndLatency;
    if ((!latency && o.measure != Measure::kProcessingSuccess) || o.reference != reference) continue;
    Counts c;
    c.bad = at_or_before(chunk, rows, now - o.bound_us(), o.clock == LatencyClock::kProduce, forward);
    c.good = rows.records - c.bad;
    if (!latency) c.good -= std::min(c.good, dropped);
    counters[i].add(now, c);
  }
}

void Judge::Impl::finish_records(Epoch epoch, const EpochInfo& info, TimeUs now) {
  records.finish(epoch, shape.holds_until_watermark, info.watermark_us, [&](const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows) { finish_rows(chunk, rows, info, now); });
}

void Judge::Impl::finish_rows(const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows, const EpochInfo& info, TimeUs now) {
  count_finished(chunk, rows, Reference::kRecord, now);
  totals.finished += rows.records;
  sample_out += rows.records;
  const TimeUs taken = chunk.mean_taken_us() + forward.of(chunk.last_taken_us);
  TimeUs newest = kTimeMin;
  Waterfall w;
  w.records = rows.records;
  for (std::size_t i = 0; i < rows.event_us.size(); ++i) {
    const TimeUs event = rows.event_us[i], produce = rows.produce_us[i];
    const std::uint32_t n = rows.count_at(i);
    const DurationUs set = forward.of(produce);
    e2e.add(now - event - set, n);
    pipe.add(now - produce - set, n);
    newest = std::max(newest, event + set);
    w.source_us += std::int64_t{n} * (produce - event);
    w.log_us += std::int64_t{n} * (taken - produce - set);
  }
  Split& s = split(chunk.split);
  s.newest_visible_us = std::max(s.newest_visible_us, std::min(newest, now));
  const TimeUs first_cut = chunk.first_cut_us == kTimeMin ? info.cut_us : chunk.first_cut_us + forward.of(chunk.first_cut_us);
  const auto n = static_cast<std::int64_t>(rows.records);
  w.interval_us = n * (first_cut - taken);
  w.watermark_us = n * (info.cut_us - first_cut);
  w.epoch_us = n * (info.final_us - info.cut_us);
  w.commit_us = n * (now - info.final_us);
  open_waterfall += w;
}

void Judge::Impl::finish_results(Epoch epoch, TimeUs now) {
  results.finish(epoch, false, kTimeMax, [&](const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows) {
    count_finished(chunk, rows, Reference::kCompletion, now);
    newest_result_us.resize(std::max<std::size_t>(newest_result_us.size(), chunk.split + 1), kTimeMin);
    TimeUs& newest = newest_result_us[chunk.split];
    newest = std::max(newest, std::min(now, *std::ranges::max_element(rows.event_us)));
  });
}

void Judge::advance(TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  impl_->advance(now_us);
}

void Judge::ended(TimeUs now_us) {
  const std::lock_guard lock(mutex_);
  impl_->advance(now_us);
  // The second begun is over, as far as counting goes; by a clock that went back nothing is.
  if (impl_->running && !impl_->clock_back) impl_->judge_objectives((now_us / kSecond + 1) * kSecond);
}

void Judge::set_raw_lag_rule(RawLagRule rule) {
  const std::lock_guard lock(mutex_);
  impl_->options.raw_lag = rule;
}

Judge::Totals Judge::totals() const {
  const std::lock_guard lock(mutex_);
  Totals t = impl_->totals;
  t.unfinished = impl_->records.records();
  return t;
}

std::vector<ObjectiveStatus> Judge::objectives() const {
  const std::lock_guard lock(mutex_);
  return impl_->status;
}

Series Judge::series() const {
  const std::lock_guard lock(mutex_);
  return impl_->series;
}

std::vector<TimelineEvent> Judge::timeline() const {
  const std::lock_guard lock(mutex_);
  return impl_->timeline;
}

std::vector<DurationUs> Judge::latency_quantiles(TimeUs from_us, TimeUs to_us, const std::vector<double>& qs, LatencyClock clock) const {
  const std::lock_guard lock(mutex_);
  return (clock == LatencyClock::kEvent ? impl_->e2e : impl_->pipe).between(from_us, to_us).quantiles(qs);
}

std::vector<DurationUs> Judge::stream_lag_quantiles(TimeUs from_us, TimeUs to_us, const std::vector<double>& qs) const {
  const std::lock_guard lock(mutex_);
  return impl_->stream_lag.between(from_us, to_us).quantiles(qs);
}

std::vector<DurationUs> Judge::checkpoint_quantiles(TimeUs from_us, TimeUs to_us, const std::vector<double>& qs) const {
  const std::lock_guard lock(mutex_);
  return impl_->checkpoints.between(from_us, to_us).quantiles(qs);
}

Judge::Freshness Judge::freshness() const {
  const std::lock_guard lock(mutex_);
  const Impl& d = *impl_;
  Freshness f;
  if (d.fresh_s >= 0) f.proved_s = d.fresh_s;
  for (const DurationUs age : d.split_ages_us) f.by_split_s.push_back(static_cast<double>(age) / static_cast<double>(kSecond));
  if (d.fresh_naive_s >= 0) f.naive_s = d.fresh_naive_s;
  const TimeUs oldest = d.records.oldest_produce_us();
  const TimeUs now = d.next_sample_us == kTimeMin ? 0 : d.next_sample_us - d.options.sample_us;
  if (d.records.records() > 0) f.unfinished_age_s = static_cast<double>(std::max<DurationUs>(0, now - oldest - d.forward.of(oldest))) / static_cast<double>(kSecond);
  return f;
}

Waterfall Judge::waterfall(TimeUs from_us, TimeUs to_us) const {
  const std::lock_guard lock(mutex_);
  Waterfall sum;
  for (const auto& [t, w] : impl_->waterfalls) if (t > from_us && t <= to_us) sum += w;
  return sum;
}

}  // namespace supyo::slo
