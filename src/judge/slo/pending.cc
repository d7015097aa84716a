#include "judge/slo/pending.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace supyo::slo {
namespace {

TimeUs round_down(TimeUs t, DurationUs unit) {
  const TimeUs r = t % unit;
  return t - (r < 0 ? r + unit : r);
}

std::size_t cells_between(TimeUs base, TimeUs t) { return static_cast<std::size_t>(static_cast<std::uint64_t>(t - base) / static_cast<std::uint64_t>(PendingRecords::kFoldUs)); }

template <typename T>
void erase_front(std::vector<T>& v, std::size_t n) {
  v.erase(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(std::min(n, v.size())));
}

std::uint64_t sum(std::span<const std::uint32_t> counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

}  // namespace

Waterfall& Waterfall::operator+=(const Waterfall& o) {
  records += o.records;
  source_us += o.source_us;
  log_us += o.log_us;
  interval_us += o.interval_us;
  watermark_us += o.watermark_us;
  epoch_us += o.epoch_us;
  commit_us += o.commit_us;
  return *this;
}

TimeUs PendingRecords::Chunk::mean_taken_us() const {
  return taken_base_us + (taken_records == 0 ? 0 : static_cast<TimeUs>(taken_sum_us / static_cast<double>(taken_records)));
}

std::uint32_t& PendingRecords::Cells::at(TimeUs event_us, TimeUs produce_us) {
  const std::size_t event = cells_between(event_base_us, event_us);
  return counts[event * width + cells_between(produce_base_us, produce_us) - event];
}

PendingRecords::Rows PendingRecords::Chunk::rows(std::size_t end) const {
  Rows r{std::span(event_us).subspan(first, end - first), std::span(produce_us).subspan(first, end - first), {}, end - first};
  if (counts.empty()) return r;
  r.counts = std::span(counts).subspan(first, end - first);
  r.records = sum(r.counts);
  return r;
}

void PendingRecords::Chunk::note(std::span<const TimeUs> event, std::span<const TimeUs> produce) {
  TimeUs event_low = min_event_us, event_high = max_event_us, produce_low = min_produce_us, produce_high = max_produce_us;
  for (std::size_t i = 0; i < event.size(); ++i) {
    event_low = std::min(event_low, event[i]);
    event_high = std::max(event_high, event[i]);
    produce_low = std::min(produce_low, produce[i]);
    produce_high = std::max(produce_high, produce[i]);
  }
  min_event_us = event_low;
  max_event_us = event_high;
  min_produce_us = produce_low;
  max_produce_us = produce_high;
}

/// Orders the rows by slots of event time, so many that one holds some rows. The buffers are for what moves, and hold what is of no use any more afterwards.
void PendingRecords::Chunk::divide(std::vector<TimeUs>& event, std::vector<TimeUs>& produce) {
  constexpr std::size_t kSlots = 256, kRowsOfSlot = 16;
  const std::size_t n = event_us.size(), slots = std::clamp<std::size_t>(n / kRowsOfSlot, 1, kSlots);
  slot_base_us = min_event_us;
  slot_shift = 0;
  while ((static_cast<std::uint64_t>(max_event_us - min_event_us) >> slot_shift) >= slots) ++slot_shift;
  const auto slot_of = [base = slot_base_us, shift = slot_shift](TimeUs t) { return static_cast<std::size_t>(static_cast<std::uint64_t>(t - base) >> shift); };
  slot = 0;
  slot_sorted = false;
  slot_end.assign(slots, 0);
  for (const TimeUs t : event_us) ++slot_end[slot_of(t)];
  std::exclusive_scan(slot_end.begin(), slot_end.end(), slot_end.begin(), std::size_t{0});
  event.resize(n);
  produce.resize(n);
  std::vector<std::uint32_t> count(counts.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t to = slot_end[slot_of(event_us[i])]++;   // from where the slot begins up to where it ends
    event[to] = event_us[i];
    produce[to] = produce_us[i];
    if (!count.empty()) count[to] = counts[i];
  }
  event.swap(event_us);
  produce.swap(produce_us);
  counts.swap(count);
}

void PendingRecords::Chunk::sort_slot(std::size_t from) {
  struct Row {
    TimeUs event_us, produce_us;
    std::uint32_t count;
  };
  std::vector<Row> sorted;
  sorted.reserve(slot_end[slot] - from);
  for (std::size_t i = from; i < slot_end[slot]; ++i) sorted.push_back({event_us[i], produce_us[i], counts.empty() ? 1U : counts[i]});
  std::ranges::sort(sorted, {}, &Row::event_us);
  for (std::size_t i = from; const Row& r : sorted) {
    event_us[i] = r.event_us;
    produce_us[i] = r.produce_us;
    if (!counts.empty()) counts[i] = r.count;
    ++i;
  }
  slot_sorted = true;
}

/// The end of a divided chunk's rows whose event time `watermark_us` has reached; some, or all, are above it.
std::size_t PendingRecords::Chunk::reach(TimeUs watermark_us) {
  std::size_t end = first;
  const auto whole = static_cast<std::size_t>(static_cast<std::uint64_t>(watermark_us + 1 - slot_base_us) >> slot_shift);
  for (; slot < std::min(whole, slot_end.size()); ++slot) {
    end = slot_end[slot];
    slot_sorted = false;
  }
  if (slot == slot_end.size() || end == slot_end[slot]) return end;
  if (!slot_sorted) sort_slot(end);
  const auto rows = std::span(event_us).subspan(end, slot_end[slot] - end);
  return end + static_cast<std::size_t>(std::ranges::upper_bound(rows, watermark_us) - rows.begin());
}

void PendingRecords::Chunk::finish_upto(std::size_t end) {
  if (!cells.counts.empty()) {
    for (std::size_t i = first; i < end; ++i) --cells.at(event_us[i], produce_us[i]);
  }
  first = end;
  if (2 * first >= event_us.size()) forget_finished();   // their space, once it is half of all
}

void PendingRecords::Chunk::forget_finished() {
  erase_front(event_us, first);
  erase_front(produce_us, first);
  erase_front(counts, first);
  for (std::size_t& end : slot_end) end -= std::min(end, first);
  first = 0;
}

/// False where the times lie so far apart that cells would take more than the rows.
bool PendingRecords::Chunk::count_cells() {
  constexpr std::size_t kMost = 1 << 18;
  const Rows r = rows();
  if (r.event_us.empty()) return false;
  DurationUs low = r.produce_us[0] - r.event_us[0], high = low;
  for (std::size_t i = 0; i < r.event_us.size(); ++i) {
    low = std::min(low, r.produce_us[i] - r.event_us[i]);
    high = std::max(high, r.produce_us[i] - r.event_us[i]);
  }
  Cells c;
  c.event_base_us = round_down(min_event_us, kFoldUs);
  c.produce_base_us = c.event_base_us + round_down(low, kFoldUs);
  c.width = cells_between(round_down(low, kFoldUs), high) + 2;
  const std::size_t across = cells_between(c.event_base_us, max_event_us) + 1, most = std::min(kMost, 1024 + 4 * r.event_us.size());
  if (c.width > most || across > most || c.width * across > most) return false;
  c.counts.resize(c.width * across);
  for (std::size_t i = 0; i < r.event_us.size(); ++i) c.at(r.event_us[i], r.produce_us[i]) += r.count_at(i);
  cells = std::move(c);
  return true;
}

/// In order of event time.
std::vector<PendingRecords::Chunk::CellAt> PendingRecords::Chunk::filled_cells() const {
  std::vector<CellAt> out;
  for (std::size_t i = 0; i < cells.counts.size(); ++i) {
    if (cells.counts[i] == 0) continue;
    const auto event = static_cast<DurationUs>(i / cells.width), after = static_cast<DurationUs>(i % cells.width);
    out.push_back({cells.event_base_us + event * kFoldUs, cells.produce_base_us + (event + after) * kFoldUs, cells.counts[i]});
  }
  if (!cells.counts.empty()) return out;
  std::map<std::pair<TimeUs, TimeUs>, std::uint32_t> sparse;
  const Rows r = rows();
  for (std::size_t i = 0; i < r.event_us.size(); ++i) sparse[{round_down(r.event_us[i], kFoldUs), round_down(r.produce_us[i], kFoldUs)}] += r.count_at(i);
  for (const auto& [at, n] : sparse) out.push_back({at.first, at.second, n});
  return out;
}

void PendingRecords::Chunk::fold() {
  if (cells.counts.empty()) count_cells();
  const std::vector<CellAt> filled = filled_cells();
  event_us.clear();
  produce_us.clear();
  counts.clear();
  for (const CellAt& cell : filled) {
    event_us.push_back(cell.event_us);
    produce_us.push_back(cell.produce_us);
    counts.push_back(cell.records);
  }
  for (std::vector<TimeUs>* v : {&event_us, &produce_us}) v->shrink_to_fit();
  first = 0;
  slot_end.clear();
  cells = {};
  min_event_us = round_down(min_event_us, kFoldUs);
  min_produce_us = round_down(min_produce_us, kFoldUs);
}

std::vector<TimeUs> PendingRecords::spare() {
  std::vector<TimeUs> buffer;
  if (!spare_.empty()) {
    buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  return buffer;
}

void PendingRecords::give_back(std::vector<TimeUs>&& buffer) {
  if (spare_.size() >= 64 || buffer.capacity() > 1'000'000) return;
  buffer.clear();
  spare_.push_back(std::move(buffer));
}

/// That of the split in the epoch whose first record was taken at or after `since_us`; a new one where there is none.
PendingRecords::Chunk& PendingRecords::chunk_of(Epoch epoch, std::uint32_t split, TimeUs since_us) {
  for (auto it = chunks_.rbegin(); it != chunks_.rend() && it->epoch >= epoch; ++it) {
    if (it->epoch != epoch || it->split != split) continue;
    if (it->taken_base_us >= since_us && it->slot_end.empty()) return *it;
    break;
  }
  const auto after = std::upper_bound(chunks_.begin(), chunks_.end(), epoch, [](Epoch e, const Chunk& c) { return e < c.epoch; });
  Chunk& c = *chunks_.insert(after, Chunk{});
  c.epoch = epoch;
  c.split = split;
  c.event_us = spare();
  c.produce_us = spare();
  return c;
}

void PendingRecords::add(Epoch epoch, std::uint32_t split, std::span<const TimeUs> event_us, std::span<const TimeUs> produce_us, TimeUs now_us, bool by_time) {
  if (event_us.empty()) return;
  Chunk& c = chunk_of(epoch, split, by_time ? now_us - kTogetherUs : kTimeMin);
  if (!c.counts.empty()) c.counts.resize(c.event_us.size() + event_us.size(), 1);
  c.event_us.insert(c.event_us.end(), event_us.begin(), event_us.end());
  c.produce_us.insert(c.produce_us.end(), produce_us.begin(), produce_us.end());
  c.note(event_us, produce_us);
  c.cells = {};
  if (c.taken_records == 0) c.taken_base_us = now_us;
  c.last_taken_us = now_us;
  c.taken_sum_us += static_cast<double>(now_us - c.taken_base_us) * static_cast<double>(event_us.size());
  c.taken_records += event_us.size();
  c.records += event_us.size();
  records_ += event_us.size();
  if (records_ > kExactRecords) {
    for (Chunk& chunk : chunks_) {
      // A folded chunk that goes on growing row by row is folded again once that pays.
      if (chunk.rows().event_us.size() < (chunk.counts.empty() ? 1024U : 1'000'000U)) continue;
      folded_ += chunk.rows().event_us.size();
      chunk.fold();
    }
  }
}

void PendingRecords::cut(Epoch epoch, TimeUs now_us) {
  for (Chunk& c : chunks_) {
    if (c.epoch > epoch) break;
    if (c.first_cut_us == kTimeMin) c.first_cut_us = now_us;
  }
}

void PendingRecords::finish(Chunk& c, bool hold, TimeUs watermark_us, const Done& done) {
  if (c.records == 0 || (hold && c.min_event_us > watermark_us)) return;
  if (!hold || c.max_event_us <= watermark_us) {
    records_ -= c.records;
    done(c, c.rows());
    c.records = 0;
    return;
  }
  if (c.slot_end.empty()) {
    std::vector<TimeUs> event = spare(), produce = spare();
    c.divide(event, produce);
    give_back(std::move(event));
    give_back(std::move(produce));
  }
  const std::size_t end = c.reach(watermark_us);
  if (end > c.first) {
    const Rows rows = c.rows(end);
    done(c, rows);
    records_ -= rows.records;
    c.records -= rows.records;
    c.finish_upto(end);
  }
  c.min_event_us = watermark_us + 1;
}

void PendingRecords::finish(Epoch epoch, bool hold, TimeUs watermark_us, const Done& done) {
  for (Chunk& c : chunks_) {
    if (c.epoch > epoch) break;
    finish(c, hold, watermark_us, done);
  }
  remove_finished();
}

void PendingRecords::finish_taken(TimeUs taken_us, bool hold, TimeUs watermark_us, const Done& done) {
  for (Chunk& c : chunks_)
    if (c.last_taken_us <= taken_us) finish(c, hold, watermark_us, done);
  remove_finished();
}

void PendingRecords::remove_finished() {
  std::erase_if(chunks_, [&](Chunk& c) {
    if (c.records > 0) return false;
    give_back(std::move(c.event_us));
    give_back(std::move(c.produce_us));
    return true;
  });
}

void PendingRecords::taken_by(TimeUs now) {
  for (Chunk& c : chunks_) {
    c.first_cut_us = std::min(c.first_cut_us, now);
    if (c.last_taken_us <= now && c.taken_base_us <= now) continue;
    c.last_taken_us = std::min(c.last_taken_us, now);
    c.taken_base_us = now;
    c.taken_sum_us = 0;
  }
}

void PendingRecords::drop_after(Epoch epoch) {
  std::erase_if(chunks_, [&](const Chunk& c) {
    if (c.epoch <= epoch) return false;
    records_ -= c.records;
    return true;
  });
}

std::uint64_t PendingRecords::records_of(std::uint32_t split) const {
  std::uint64_t n = 0;
  for (const Chunk& c : chunks_) if (c.split == split) n += c.records;
  return n;
}

std::uint64_t at_or_before(const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows, TimeUs t, bool produce_clock, const ClockStep& step) {
  if (chunk.max_produce_us <= step.before_us) {
    t -= step.by_us;
  } else if (chunk.min_produce_us <= step.before_us) {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < rows.event_us.size(); ++i) n += (produce_clock ? rows.produce_us : rows.event_us)[i] + step.of(rows.produce_us[i]) <= t ? rows.count_at(i) : 0;
    return n;
  }
  if ((produce_clock ? chunk.min_produce_us : chunk.min_event_us) > t) return 0;
  if ((produce_clock ? chunk.max_produce_us : chunk.max_event_us) <= t) return rows.records;
  const std::span<const TimeUs> times = produce_clock ? rows.produce_us : rows.event_us;
  if (rows.counts.empty()) return static_cast<std::uint64_t>(std::ranges::count_if(times, [t](TimeUs x) { return x <= t; }));
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < times.size(); ++i) n += times[i] <= t ? rows.counts[i] : 0;
  return n;
}

std::uint64_t PendingRecords::at_or_before(TimeUs t, bool produce_clock, const ClockStep& step) const {
  std::uint64_t n = 0;
  for (const Chunk& c : chunks_) n += slo::at_or_before(c, c.rows(), t, produce_clock, step);
  return n;
}

TimeUs PendingRecords::oldest_produce_us() const {
  TimeUs oldest = kTimeMax;
  for (const Chunk& c : chunks_) for (const TimeUs t : c.rows().produce_us) oldest = std::min(oldest, t);
  return oldest;
}

void PendingRecords::for_each(const std::function<void(const Chunk&)>& visit) const {
  for (const Chunk& c : chunks_) visit(c);
}

void PendingRecords::save(ByteWriter& out, Epoch upto) {
  // An epoch record must stay small: many records are saved as cells of kFoldUs instead of one by one.
  constexpr std::uint64_t kSavedExactly = 20'000;
  const auto zigzag = [](std::int64_t v) { return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63); };
  std::uint64_t n = 0;
  std::uint64_t chunks = 0;
  for (const Chunk& c : chunks_) if (c.epoch <= upto) { n += c.records; ++chunks; }
  out.varint(chunks);
  for (Chunk& c : chunks_) {
    if (c.epoch > upto) break;
    out.i64(c.epoch.value);
    out.varint(c.split);
    out.i64(c.first_cut_us);
    out.i64(c.mean_taken_us());
    const bool fold = n > kSavedExactly && c.counts.empty();
    if (fold && c.cells.counts.empty()) c.count_cells();
    const std::vector<Chunk::CellAt> filled = fold ? c.filled_cells() : std::vector<Chunk::CellAt>{};
    const Rows r = c.rows();
    const bool counted = fold || !r.counts.empty();
    const std::size_t rows = fold ? filled.size() : r.event_us.size();
    out.varint(rows);
    out.u8(counted ? 1 : 0);
    TimeUs last = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const Chunk::CellAt at = fold ? filled[i] : Chunk::CellAt{r.event_us[i], r.produce_us[i], r.count_at(i)};
      out.varint(zigzag(at.event_us - last));
      out.varint(zigzag(at.produce_us - at.event_us));
      if (counted) out.varint(at.records);
      last = at.event_us;
    }
  }
}

bool PendingRecords::restore(ByteReader& in) {
  *this = PendingRecords{};
  const auto unzigzag = [](std::uint64_t v) { return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1); };
  const std::uint64_t chunks = in.varint();
  for (std::uint64_t k = 0; k < chunks && !in.failed(); ++k) {
    Chunk c;
    c.epoch = Epoch{in.i64()};
    c.split = static_cast<std::uint32_t>(in.varint());
    c.first_cut_us = in.i64();
    c.taken_base_us = in.i64();
    const std::uint64_t rows = in.varint();
    const bool folded = in.u8() != 0;
    if (rows > in.remaining()) return false;
    TimeUs last = 0;
    for (std::uint64_t i = 0; i < rows; ++i) {
      last += unzigzag(in.varint());
      c.event_us.push_back(last);
      c.produce_us.push_back(last + unzigzag(in.varint()));
      if (folded) c.counts.push_back(static_cast<std::uint32_t>(in.varint()));
    }
    c.note(c.event_us, c.produce_us);
    c.records = folded ? sum(c.counts) : c.event_us.size();
    c.taken_records = c.records;
    c.last_taken_us = c.taken_base_us;
    records_ += c.records;
    if (c.records > 0) chunks_.push_back(std::move(c));
  }
  return !in.failed();
}

}  // namespace supyo::slo
