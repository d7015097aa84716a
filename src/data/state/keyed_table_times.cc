// Timed tables: which entries are due.
#include <algorithm>
#include <limits>
#include <numeric>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "data/state/keyed_table_parts.h"

namespace supyo::state {
namespace {

constexpr std::size_t kFewItems = 64;   // are never worth tidying
constexpr std::size_t kAhead = 8;       // items on their way into the cache
constexpr std::uint32_t kMostNumbers = std::numeric_limits<std::uint32_t>::max();

}  // namespace

KeyedTable::TimeBucket& KeyedTable::TimeIndex::at(TimeUs time) {
  if (last != nullptr && last->time == time) return *last;
  // Mostly the latest of all.
  const bool latest = buckets.empty() || time > buckets.rbegin()->first;
  const std::size_t before = buckets.size();
  const auto it = latest ? buckets.try_emplace(buckets.end(), time) : buckets.try_emplace(time).first;
  TimeBucket& b = it->second;
  if (buckets.size() > before) {
    b.time = time;
    if (free_ids.empty()) {
      b.id = static_cast<std::uint32_t>(by_id.size());
      by_id.push_back(it);
    } else {
      b.id = free_ids.back();
      free_ids.pop_back();
      by_id[b.id] = it;
    }
  }
  last = &b;
  return b;
}

void KeyedTable::TimeIndex::remove(TimeBucket& bucket) {
  if (last == &bucket) last = nullptr;
  const auto it = by_id[bucket.id];
  items -= bucket.items.capacity();
  by_id[bucket.id] = buckets.end();
  free_ids.push_back(bucket.id);
  buckets.erase(it);
}

void KeyedTable::TimeIndex::append_time(Stamp stamp, std::string& out) const {
  const TimeBucket& b = by_id[stamp.bucket]->second;
  ByteWriter w(out);
  w.i64(b.time);
  w.u64(b.origin + stamp.number);
}

std::size_t KeyedTable::TimeIndex::memory_bytes() const {
  return by_id.capacity() * sizeof by_id[0] + free_ids.capacity() * sizeof free_ids[0] + buckets.size() * sizeof(TimeBucket) + items * sizeof(Slot);
}

TimeUs KeyedTable::time_of(Slot slot) const { return by_time_->by_id[stamp(slot).bucket]->first; }

/// A record in the space keeps the stamp of then: what counts is the one beside it.
void KeyedTable::set_stamp(Slot slot, Stamp stamp) {
  if (spill_) {
    if (spill_->stamps.size() < refs_.size()) spill_->stamps.resize(refs_.size());
    spill_->stamps[slot] = stamp;
    return;
  }
  std::memcpy(record(slot) + stamp_at_, &stamp, sizeof stamp);
}

/// The item is still there.
bool KeyedTable::holds(const TimeBucket& bucket, std::size_t item) const {
  const Slot slot = bucket.items[item];
  if (!live(slot)) return false;
  const Stamp s = stamp(slot);
  if (s.bucket != bucket.id) return false;
  const auto number_of = [&](std::size_t i) { return bucket.next - static_cast<std::uint32_t>(bucket.items.size() - i); };
  return item < bucket.settled ? s.number < number_of(bucket.settled) : s.number == number_of(item);
}

void KeyedTable::enter_bucket(Slot slot, TimeUs time) {
  TimeBucket& b = by_time_->at(time);
  if ((b.items.size() >= kFewItems && b.items.size() / 2 > b.live) || b.next == kMostNumbers) [[unlikely]] settle(b);
  set_stamp(slot, {.bucket = b.id, .number = b.next++});
  by_time_->push(b, slot);
  ++b.live;
}

void KeyedTable::leave_bucket(Slot slot) {
  TimeBucket& b = by_time_->by_id[stamp(slot).bucket]->second;
  if (--b.live == 0) by_time_->remove(b);
}

/// Drops the items that are gone.
void KeyedTable::settle(TimeBucket& b) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < b.items.size(); ++i)
    if (holds(b, i)) b.items[kept++] = b.items[i];   // behind `kept` nothing is asked for again: sizes and numbers are those of before
  b.items.resize(kept);
  b.settled = static_cast<std::uint32_t>(kept);
  b.first = 0;
  if (b.next < kMostNumbers / 2) return;
  SUPYO_CHECK_LT(kept, kMostNumbers / 2);
  for (std::uint32_t number = 0; const Slot slot : b.items) {   // anew, and the next epoch has all of them
    set_stamp(slot, {.bucket = b.id, .number = number++});
    touch(slot);
  }
  b.next = b.settled;
}

void KeyedTable::enter_restored(Slot slot, TimeUs time, std::uint64_t order) {
  TimeBucket& b = by_time_->at(time);
  ++b.live;
  set_stamp(slot, {.bucket = b.id, .number = kMostNumbers});   // no item's: settle() passes it over
  by_time_->restored.push_back({.bucket = b.id, .slot = slot, .order = order});
}

/// Puts what came back into its buckets: by order of insertion, and of several shards' by hash.
void KeyedTable::settle_restored() {
  if (!by_time_ || by_time_->restored.empty()) return;
  using Restored = TimeIndex::Restored;
  std::vector<Restored> all = std::move(by_time_->restored);
  by_time_->restored = {};
  std::vector<std::uint32_t> touched;
  for (const Restored& r : all) touched.push_back(r.bucket);
  std::ranges::sort(touched);
  touched.erase(std::ranges::unique(touched).begin(), touched.end());
  for (const std::uint32_t id : touched) {
    TimeBucket& b = by_time_->by_id[id]->second;
    settle(b);
    for (const Slot slot : b.items) all.push_back({.bucket = id, .slot = slot, .order = b.origin + stamp(slot).number});
  }
  const auto hash_of_slot = [this](const Restored& r) { return shared_hashes_ ? read_at<std::uint64_t>(peek(r.slot), hash_at_) : refs_[r.slot].place; };
  std::ranges::stable_sort(all, [&](const Restored& a, const Restored& b) {
    return a.bucket != b.bucket ? a.bucket < b.bucket : a.order != b.order ? a.order < b.order : hash_of_slot(a) < hash_of_slot(b);
  });
  for (std::size_t from = 0, to = 0; from < all.size(); from = to) {
    TimeBucket& b = by_time_->by_id[all[from].bucket]->second;
    for (; to < all.size() && all[to].bucket == b.id; ++to) {}
    const auto entries = std::span(all).subspan(from, to - from);
    const bool anew = entries.back().order - entries.front().order >= kMostNumbers / 2;   // too far from one another for their numbers: the next epoch has all of them
    b.origin = anew ? 0 : entries.front().order;
    b.items.clear();
    for (const Restored& r : entries) {
      set_stamp(r.slot, {.bucket = b.id, .number = static_cast<std::uint32_t>(anew ? b.items.size() : r.order - b.origin)});
      by_time_->push(b, r.slot);
      if (anew) touch(r.slot);
    }
    b.settled = static_cast<std::uint32_t>(b.items.size());
    b.next = stamp(b.items.back()).number + 1;
  }
}

void KeyedTable::due(TimeUs until, std::vector<Slot>& out, std::size_t most) {
  SUPYO_CHECK(by_time_ != nullptr);
  const std::size_t end = most > SIZE_MAX - out.size() ? SIZE_MAX : out.size() + most;
  auto& buckets = by_time_->buckets;
  for (auto it = buckets.begin(); it != buckets.end() && it->first <= until && out.size() < end; ++it) {
    TimeBucket& b = it->second;
    while (!holds(b, b.first)) ++b.first;   // one is
    for (std::size_t i = b.first; i < b.items.size() && out.size() < end; ++i) {
      if (i + 2 * kAhead < b.items.size()) prefetch_slot(b.items[i + 2 * kAhead]), prefetch_record(b.items[i + kAhead]);
      if (holds(b, i)) out.push_back(b.items[i]);
    }
  }
}

TimeUs KeyedTable::next_due() {
  SUPYO_CHECK(by_time_ != nullptr);
  return by_time_->buckets.empty() ? kTimeMax : by_time_->buckets.begin()->first;
}

}  // namespace supyo::state
