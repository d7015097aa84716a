#include "judge/slo/pending.h"

#include <algorithm>
#include <map>

namespace supyo::slo {
namespace {

TimeUs round_down(TimeUs t, DurationUs unit) {
  const TimeUs r = t % unit;
  return t - (r < 0 ? r + unit : r);
}

void note(PendingRecords::Chunk& c, TimeUs event) {
  c.min_event_us = std::min(c.min_event_us, event);
  c.max_event_us = std::max(c.max_event_us, event);
}

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

/// That of the split in the epoch whose first record was taken at or after `since_us`; a new one where there is none.
PendingRecords::Chunk& PendingRecords::chunk_of(Epoch epoch, std::uint32_t split, TimeUs since_us) {
  for (auto it = chunks_.rbegin(); it != chunks_.rend() && it->epoch >= epoch; ++it) {
    if (it->epoch != epoch || it->split != split) continue;
    if (it->taken_base_us >= since_us) return *it;
    break;
  }
  const auto after = std::upper_bound(chunks_.begin(), chunks_.end(), epoch, [](Epoch e, const Chunk& c) { return e < c.epoch; });
  Chunk& c = *chunks_.insert(after, Chunk{});
  c.epoch = epoch;
  c.split = split;
  for (auto* v : {&c.event_us, &c.produce_us}) {
    if (spare_.empty()) break;
    *v = std::move(spare_.back());
    spare_.pop_back();
  }
  return c;
}

void PendingRecords::add(Epoch epoch, std::uint32_t split, std::span<const TimeUs> event_us, std::span<const TimeUs> produce_us, TimeUs now_us, bool by_time) {
  if (event_us.empty()) return;
  Chunk& c = chunk_of(epoch, split, by_time ? now_us - kTogetherUs : kTimeMin);
  if (!c.counts.empty()) c.counts.resize(c.event_us.size() + event_us.size(), 1);
  c.event_us.insert(c.event_us.end(), event_us.begin(), event_us.end());
  c.produce_us.insert(c.produce_us.end(), produce_us.begin(), produce_us.end());
  const auto [low, high] = std::minmax_element(event_us.begin(), event_us.end());
  note(c, *low);
  note(c, *high);
  if (c.taken_records == 0) c.taken_base_us = now_us;
  c.last_taken_us = now_us;
  c.taken_sum_us += static_cast<double>(now_us - c.taken_base_us) * static_cast<double>(event_us.size());
  c.taken_records += event_us.size();
  c.records += event_us.size();
  records_ += event_us.size();
  if (records_ > kExactRecords) {
    for (Chunk& chunk : chunks_) {
      // A folded chunk that goes on growing row by row is folded again once that pays.
      if (chunk.event_us.size() < (chunk.counts.empty() ? 1024U : 1'000'000U)) continue;
      folded_ += chunk.event_us.size();
      fold(chunk);
    }
  }
}

void PendingRecords::fold(Chunk& chunk) {
  const std::size_t rows = chunk.event_us.size();
  if (rows == 0) return;
  const auto [event_low, event_high] = std::minmax_element(chunk.event_us.begin(), chunk.event_us.end());
  const auto [produce_low, produce_high] = std::minmax_element(chunk.produce_us.begin(), chunk.produce_us.end());
  const TimeUs event_base = round_down(*event_low, kFoldUs), produce_base = round_down(*produce_low, kFoldUs);
  const auto across = static_cast<std::uint64_t>((*event_high - event_base) / kFoldUs) + 1;
  const auto down = static_cast<std::uint64_t>((*produce_high - produce_base) / kFoldUs) + 1;
  std::vector<TimeUs> event, produce;
  std::vector<std::uint32_t> counts;
  const auto keep = [&](std::uint64_t e, std::uint64_t p, std::uint32_t n) {
    event.push_back(event_base + static_cast<TimeUs>(e) * kFoldUs);
    produce.push_back(produce_base + static_cast<TimeUs>(p) * kFoldUs);
    counts.push_back(n);
  };
  const auto cell_of = [&](std::size_t i) {
    return std::pair(static_cast<std::uint64_t>((chunk.event_us[i] - event_base) / kFoldUs), static_cast<std::uint64_t>((chunk.produce_us[i] - produce_base) / kFoldUs));
  };
  constexpr std::uint64_t kDense = 1 << 16;  // records of one epoch lie close together, as a rule: a plain array of cells
  if (across <= kDense && down <= kDense && across * down <= kDense) {
    std::vector<std::uint32_t> cells(across * down, 0);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto [e, p] = cell_of(i);
      cells[e * down + p] += chunk.count_at(i);
    }
    for (std::uint64_t c = 0; c < cells.size(); ++c) if (cells[c] > 0) keep(c / down, c % down, cells[c]);
  } else {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> cells;
    for (std::size_t i = 0; i < rows; ++i) cells[cell_of(i)] += chunk.count_at(i);
    for (const auto& [cell, n] : cells) keep(cell.first, cell.second, n);
  }
  chunk.event_us = std::move(event);
  chunk.produce_us = std::move(produce);
  chunk.counts = std::move(counts);
  chunk.min_event_us = round_down(chunk.min_event_us, kFoldUs);
}

void PendingRecords::cut(Epoch epoch, TimeUs now_us) {
  for (Chunk& c : chunks_) {
    if (c.epoch > epoch) break;
    if (c.first_cut_us == kTimeMin) c.first_cut_us = now_us;
  }
}

void PendingRecords::split(Chunk& chunk, TimeUs watermark_us, Chunk& out) {
  chunk.records = 0;
  chunk.min_event_us = kTimeMax;
  chunk.max_event_us = kTimeMin;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < chunk.event_us.size(); ++i) {
    const TimeUs event = chunk.event_us[i];
    if (event <= watermark_us) {
      out.event_us.push_back(event);
      out.produce_us.push_back(chunk.produce_us[i]);
      if (!chunk.counts.empty()) out.counts.push_back(chunk.counts[i]);
      out.records += chunk.count_at(i);
      continue;
    }
    chunk.records += chunk.count_at(i);
    note(chunk, event);
    chunk.event_us[kept] = event;
    chunk.produce_us[kept] = chunk.produce_us[i];
    if (!chunk.counts.empty()) chunk.counts[kept] = chunk.counts[i];
    ++kept;
  }
  chunk.event_us.resize(kept);
  chunk.produce_us.resize(kept);
  if (!chunk.counts.empty()) chunk.counts.resize(kept);
}

void PendingRecords::finish(Chunk& c, bool hold, TimeUs watermark_us, const std::function<void(const Chunk&)>& done) {
  if (hold && c.min_event_us > watermark_us) return;
  if (!hold || c.max_event_us <= watermark_us) {
    records_ -= c.records;
    done(c);
    c.records = 0;
    return;
  }
  Chunk out;
  out.epoch = c.epoch;
  out.split = c.split;
  out.taken_records = c.taken_records;
  out.taken_sum_us = c.taken_sum_us;
  out.taken_base_us = c.taken_base_us;
  out.first_cut_us = c.first_cut_us;
  split(c, watermark_us, out);
  records_ -= out.records;
  done(out);
}

void PendingRecords::finish(Epoch epoch, bool hold, TimeUs watermark_us, const std::function<void(const Chunk&)>& done) {
  for (Chunk& c : chunks_) {
    if (c.epoch > epoch) break;
    finish(c, hold, watermark_us, done);
  }
  remove_finished();
}

void PendingRecords::finish_taken(TimeUs taken_us, bool hold, TimeUs watermark_us, const std::function<void(const Chunk&)>& done) {
  for (Chunk& c : chunks_)
    if (c.last_taken_us <= taken_us) finish(c, hold, watermark_us, done);
  remove_finished();
}

void PendingRecords::remove_finished() {
  std::erase_if(chunks_, [&](Chunk& c) {
    if (c.records > 0) return false;
    for (auto* v : {&c.event_us, &c.produce_us}) {
      if (spare_.size() >= 64 || v->capacity() > 1'000'000) continue;
      v->clear();
      spare_.push_back(std::move(*v));
    }
    return true;
  });
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

std::uint64_t PendingRecords::at_or_before(TimeUs t, bool produce_clock) const {
  std::uint64_t n = 0;
  for (const Chunk& c : chunks_) {
    const std::vector<TimeUs>& times = produce_clock ? c.produce_us : c.event_us;
    if (c.counts.empty()) {
      n += static_cast<std::uint64_t>(std::count_if(times.begin(), times.end(), [t](TimeUs x) { return x <= t; }));
    } else {
      for (std::size_t i = 0; i < times.size(); ++i) n += times[i] <= t ? c.counts[i] : 0;
    }
  }
  return n;
}

TimeUs PendingRecords::oldest_produce_us() const {
  TimeUs oldest = kTimeMax;
  for (const Chunk& c : chunks_) for (const TimeUs t : c.produce_us) oldest = std::min(oldest, t);
  return oldest;
}

void PendingRecords::for_each(const std::function<void(const Chunk&)>& visit) const {
  for (const Chunk& c : chunks_) visit(c);
}

void PendingRecords::save(ByteWriter& out, Epoch upto) const {
  // An epoch record must stay small: many records are saved as cells of kFoldUs instead of one by one.
  constexpr std::uint64_t kSavedExactly = 20'000;
  std::uint64_t n = 0;
  std::uint64_t chunks = 0;
  for (const Chunk& c : chunks_) if (c.epoch <= upto) { n += c.records; ++chunks; }
  out.varint(chunks);
  for (const Chunk& c : chunks_) {
    if (c.epoch > upto) break;
    Chunk folded;
    if (n > kSavedExactly && c.counts.empty()) {
      folded = c;
      fold(folded);
    }
    const Chunk& s = folded.event_us.empty() ? c : folded;
    out.i64(s.epoch.value);
    out.varint(s.split);
    out.i64(s.first_cut_us);
    out.i64(s.mean_taken_us());
    out.varint(s.event_us.size());
    out.u8(s.counts.empty() ? 0 : 1);
    TimeUs last = 0;
    const auto zigzag = [](std::int64_t v) { return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63); };
    for (std::size_t i = 0; i < s.event_us.size(); ++i) {
      out.varint(zigzag(s.event_us[i] - last));
      out.varint(zigzag(s.produce_us[i] - s.event_us[i]));
      if (!s.counts.empty()) out.varint(s.counts[i]);
      last = s.event_us[i];
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
      note(c, last);
      c.records += c.count_at(c.event_us.size() - 1);
    }
    c.taken_records = c.records;
    c.last_taken_us = c.taken_base_us;
    records_ += c.records;
    if (c.records > 0) chunks_.push_back(std::move(c));
  }
  return !in.failed();
}

}  // namespace supyo::slo
