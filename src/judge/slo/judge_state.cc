#include "core/base/hash.h"
#include "judge/slo/judge_impl.h"

namespace supyo::slo {
namespace {

constexpr std::uint8_t kVersion = 4;
constexpr const char* kUnreadable = "the saved counters do not read back: counting starts anew";

// Counters mean something only under the objectives that they were counted for.
std::uint64_t fingerprint(const Objectives& objectives) {
  std::uint64_t h = 1;
  for (const Objective& o : objectives.items) {
    h = hash_combine(h, hash_bytes(o.name));
    h = hash_combine(h, static_cast<std::uint64_t>(o.measure) * 16 + static_cast<std::uint64_t>(o.clock) * 4 + static_cast<std::uint64_t>(o.reference));
    h = hash_combine(h, static_cast<std::uint64_t>(o.threshold_us));
    if (o.at_most) h = hash_combine(h, 1);
    if (o.slice_us != kSecond) h = hash_combine(hash_combine(h, static_cast<std::uint64_t>(o.slice_us)), static_cast<std::uint64_t>(o.slice_target * 1e9));
    for (const std::string& column : o.identity) h = hash_combine(h, hash_bytes(column));
  }
  return h;
}

// Second slots are kept as far back as some window of at most an hour reads them.
DurationUs seconds_reach(const Objective& o) {
  DurationUs reach = kMinute;
  const auto use = [&](DurationUs w) { if (w <= SlotCounter::kSecondsReach) reach = std::max(reach, w); };
  use(o.window_us);
  for (const BurnAlert& a : o.alerts) {
    use(a.long_window_us);
    use(a.short_window_us);
  }
  return reach;
}

}  // namespace

std::string Judge::save(Epoch last) {
  const std::lock_guard lock(mutex_);
  Impl& d = *impl_;
  std::string bytes;
  ByteWriter w(bytes);
  w.u8(kVersion);
  w.u64(fingerprint(objectives_));
  w.i64(d.started_us);
  w.i64(d.next_sample_us);
  w.i64(d.last_word_us);
  w.i64(last.value);
  w.i64(d.last_cut_us);
  w.i64(d.last_visible.value);
  w.i64(d.last_visible_us);
  w.u8(static_cast<std::uint8_t>(d.state));
  w.i64(d.state_since_us);
  w.i64(d.state_cause_us);
  w.i64(d.lost_us);
  w.u64(d.late_debt);
  const Totals& t = d.totals;
  // Records of later epochs are taken again after a restart: they are not part of what is saved, but for how many of them readers have had.
  std::uint64_t taken = t.taken, dead = t.dead, behind = t.behind, dropped = t.dropped_late;
  for (auto it = d.epochs.upper_bound(last); it != d.epochs.end(); ++it) {
    taken -= it->second.taken;
    dead -= it->second.dead;
    behind -= it->second.behind;
    dropped -= it->second.dropped_late;
  }
  for (const std::uint64_t v : {taken, dead, behind, dropped, t.finished, t.sink_rows, t.lost, t.duplicates, t.epochs, t.epochs_failed, t.restarts}) w.varint(v);
  w.varint(d.sinks.size());
  for (const auto& [name, id] : d.sinks) {
    w.text(name);
    w.varint(id);
    w.i64(id < d.newest_result_us.size() ? d.newest_result_us[id] : kTimeMin);
    std::uint64_t shown = id < d.results_before.size() ? d.results_before[id] : 0;
    for (auto it = d.epochs.upper_bound(last); it != d.epochs.end(); ++it)
      if (const auto of = it->second.shown_by_sink.find(id); of != it->second.shown_by_sink.end()) shown += of->second;
    w.varint(shown);
  }
  w.varint(d.splits.size());
  for (std::uint32_t s = 0; s < d.splits.size(); ++s) {
    w.i64(d.splits[s].newest_visible_us);
    w.varint(d.splits[s].committed_offset);
    w.varint(d.shown_after(last, s));
  }
  std::uint64_t open = 0;
  for (const auto& [e, info] : d.epochs) open += e <= last ? 1 : 0;
  w.varint(open);
  for (const auto& [e, info] : d.epochs) {
    if (e > last) break;
    w.i64(e.value);
    w.i64(info.cut_us);
    w.i64(info.watermark_us);
    for (const std::uint64_t v : {info.taken, info.behind, info.dead, info.dropped_late, info.identities.size() + info.unchecked_identities, info.stream_lag.size()}) w.varint(v);
    for (const Counts& c : info.stream_lag) {
      w.varint(c.good);
      w.varint(c.bad);
    }
  }
  for (std::size_t i = 0; i < d.counters.size(); ++i) d.counters[i].save(w, seconds_reach(objectives_.items[i]));
  d.records.save(w, last);
  d.results.save(w, last);
  return bytes;
}

void Judge::restore(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes.empty()) return;
  const JudgeOptions options = impl_->options;
  auto fresh = std::make_unique<Impl>(objectives_, options);
  Impl& d = *fresh;
  ByteReader r(bytes);
  const bool same = r.u8() == kVersion && r.u64() == fingerprint(objectives_);
  if (!same) {
    impl_->note(0, "the objectives changed: counting starts anew");
    return;
  }
  d.started_us = r.i64();
  d.next_sample_us = r.i64();
  d.restored_us = r.i64();
  d.last_cut = Epoch{r.i64()};
  d.last_cut_us = r.i64();
  d.last_visible = Epoch{r.i64()};
  d.last_visible_us = r.i64();
  d.state = static_cast<State>(std::min<std::uint8_t>(r.u8(), 3));
  d.state_since_us = r.i64();
  d.state_cause_us = r.i64();
  d.lost_us = r.i64();
  d.late_debt = r.u64();
  Totals& t = d.totals;
  for (std::uint64_t* v : {&t.taken, &t.dead, &t.behind, &t.dropped_late, &t.finished, &t.sink_rows, &t.lost, &t.duplicates, &t.epochs, &t.epochs_failed, &t.restarts}) *v = r.varint();
  const std::uint64_t sinks = r.varint();
  d.newest_result_us.assign(std::min<std::uint64_t>(sinks, bytes.size()), kTimeMin);
  d.results_before.assign(d.newest_result_us.size(), 0);
  for (std::uint64_t i = 0; i < sinks && !r.failed(); ++i) {
    std::string name(r.text());
    const std::uint64_t id = r.varint();
    if (id >= d.newest_result_us.size()) {
      impl_->note(0, kUnreadable);
      return;
    }
    d.newest_result_us[id] = r.i64();
    d.results_before[id] = r.varint();
    d.sinks.emplace(std::move(name), static_cast<std::uint32_t>(id));
  }
  const std::uint64_t splits = r.varint();
  for (std::uint64_t i = 0; i < splits && !r.failed(); ++i) {
    Impl::Split& s = d.split(static_cast<std::uint32_t>(i));
    s.newest_visible_us = r.i64();
    s.committed_offset = r.varint();
    s.shown_before = r.varint();
  }
  const std::uint64_t open = r.varint();
  for (std::uint64_t i = 0; i < open && !r.failed(); ++i) {
    Impl::EpochInfo& info = d.epochs[Epoch{r.i64()}];
    info.restored = true;
    info.cut_us = r.i64();
    info.watermark_us = r.i64();
    for (std::uint64_t* v : {&info.taken, &info.behind, &info.dead, &info.dropped_late, &info.unchecked_identities}) *v = r.varint();
    const std::uint64_t lags = r.varint();
    if (lags > d.counters.size()) {
      impl_->note(0, kUnreadable);
      return;
    }
    info.stream_lag.resize(lags);
    for (Counts& c : info.stream_lag) {
      c.good = r.varint();
      c.bad = r.varint();
    }
  }
  bool good = !r.failed();
  for (SlotCounter& c : d.counters) good = good && c.restore(r);
  good = good && d.records.restore(r) && d.results.restore(r) && !r.failed();
  if (!good) {
    impl_->note(0, kUnreadable);
    return;
  }
  d.last_final = d.last_cut;
  ++d.totals.restarts;
  // What was recorded in this process (series, timeline) goes on; the counters are those of the epoch record.
  d.series = std::move(impl_->series);
  d.timeline = std::move(impl_->timeline);
  d.seen = std::move(impl_->seen);
  for (std::size_t i = 0; i < d.counters.size(); ++i) {
    Counts before = impl_->exported[i].before + impl_->counters[i].lifetime();
    before -= impl_->exported[i].restored;
    d.exported[i] = {before, d.counters[i].lifetime()};
  }
  impl_ = std::move(fresh);
}

}  // namespace supyo::slo
