#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "data/state/keyed_table_parts.h"
#include "data/state/place_hash.h"
#include "data/state/tables.h"

namespace supyo::state {
namespace {

constexpr std::uint8_t kEmpty = 0;
constexpr std::uint8_t kTombstone = 1;
constexpr std::size_t kSmallest = 16;
constexpr std::size_t kKeptDirty = 1U << 16; // room for changed slots that stays from one epoch to the next
constexpr std::size_t kPrefetchGroup = 32;  // probes in flight: enough to hide a miss, few enough to stay in L1

// Keys are short: what memcmp's call costs is most of a comparison.
bool same_bytes(const char* a, const char* b, std::size_t n) {
  if (n < 8 || n > 16) return std::memcmp(a, b, n) == 0;
  std::uint64_t left[2];
  std::uint64_t right[2];
  std::memcpy(&left[0], a, 8);
  std::memcpy(&right[0], b, 8);
  std::memcpy(&left[1], a + n - 8, 8);   // overlaps the first word
  std::memcpy(&right[1], b + n - 8, 8);
  return ((left[0] ^ right[0]) | (left[1] ^ right[1])) == 0;
}

std::uint8_t tag_of(std::uint64_t place) { return static_cast<std::uint8_t>(0x80 | (place >> 57)); }

/// The sixteen tags of a group, compared at once; bit i stands for bucket i.
class Tags {
 public:
  explicit Tags(const std::uint8_t* group) : tags_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(group))) {}
  unsigned equal(std::uint8_t tag) const { return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(tags_, _mm_set1_epi8(static_cast<char>(tag))))); }
  /// Empty or tombstone: those with the high bit are taken.
  unsigned unused() const { return ~static_cast<unsigned>(_mm_movemask_epi8(tags_)) & 0xffffU; }

 private:
  __m128i tags_;
};
std::size_t first_of(unsigned mask) { return static_cast<std::size_t>(std::countr_zero(mask)); }

}  // namespace

void EncodedChanges::add_deleted(std::uint64_t hash, std::string_view key) {
  ByteWriter w(bytes);
  w.u64(hash);
  w.text(key);
  w.varint(0);
  ++count;
}

void EncodedChanges::begin_value(std::uint64_t hash, std::string_view key, std::size_t value_bytes) {
  ByteWriter w(bytes);
  w.u64(hash);
  w.text(key);
  w.varint(value_bytes + 1);
  ++count;
}

std::vector<Change> to_list(const EncodedChanges& changes) {
  std::vector<Change> out;
  for (ByteReader in(changes.bytes); !in.done();) {
    Change& c = out.emplace_back();
    c.hash = in.u64();
    c.key = in.text();
    const std::uint64_t size = in.varint();
    c.deleted = size == 0;
    if (!c.deleted) c.value = in.bytes(size - 1);
    SUPYO_CHECK(!in.failed());
  }
  SUPYO_CHECK_EQ(out.size(), changes.count);
  return out;
}

KeyedTable::KeyedTable(TableSpec spec, SpillSpace* space) : spec_(std::move(spec)), shared_hashes_(spec_.shared_hashes), ttl_us_(spec_.ttl_us) {
  SUPYO_CHECK(ttl_us_ == 0 || !spec_.timed);
  stamp_at_ = spec_.fixed_width;
  hash_at_ = stamp_at_ + static_cast<std::uint32_t>(spec_.timed ? sizeof(Stamp) : 0);
  sizes_at_ = hash_at_ + static_cast<std::uint32_t>(shared_hashes_ ? sizeof(std::uint64_t) : 0);
  buckets_.assign(kSmallest, kNoSlot);
  tags_.assign(kSmallest, kEmpty);
  if (spec_.timed) by_time_ = std::make_unique<TimeIndex>();
  if (space != nullptr) spill_to(*space);
}

KeyedTable::~KeyedTable() {
  if (spill_) leave_space();
  if (!records_.has_large()) return;
  for (Slot s = 0; s < refs_.size(); ++s) {
    if (resident(s) == nullptr) continue;
    records_.release(record(s), parts_of(record(s)).end());
  }
}

[[gnu::noinline]] std::uint64_t KeyedTable::own_place(std::string_view key) { return place_hash(key); }

bool KeyedTable::is_key(Slot slot, std::uint64_t place, std::uint64_t hash, std::string_view key) const {
  if (refs_[slot].place != place) return false;
  const std::byte* const r = record(slot);
  const Parts p = parts_of(r);
  if (p.key != key.size() || !same_bytes(reinterpret_cast<const char*>(r) + p.key_at, key.data(), key.size())) return false;
  return !shared_hashes_ || read_at<std::uint64_t>(r, hash_at_) == hash;
}

/// Groups of sixteen in a sequence that reaches all of them (steps of 1, 2, 3 .. over a power of two); a group with an empty bucket is the last to look at.
std::size_t KeyedTable::bucket_of(std::uint64_t place, std::uint64_t hash, std::string_view key) const {
  const std::size_t mask = group_mask();
  const std::uint8_t tag = tag_of(place);
  std::size_t group = place & mask;
  for (std::size_t step = 1;; group = (group + step++) & mask) {
    const Tags tags(tags_.data() + group * kGroup);
    for (unsigned same = tags.equal(tag); same != 0; same &= same - 1) {
      const std::size_t bucket = group * kGroup + first_of(same);
      if (is_key(buckets_[bucket], place, hash, key)) return bucket;
    }
    if (tags.equal(kEmpty) != 0) return SIZE_MAX;
  }
}

std::size_t KeyedTable::free_bucket(std::uint64_t place) const {
  const std::size_t mask = group_mask();
  std::size_t group = place & mask;
  for (std::size_t step = 1;; group = (group + step++) & mask) {
    const unsigned unused = Tags(tags_.data() + group * kGroup).unused();
    if (unused != 0) return group * kGroup + first_of(unused);
  }
}

void KeyedTable::write_sizes(std::byte* record, std::size_t key, std::size_t blob) const {
  SUPYO_CHECK_LE(std::max(key, blob), std::numeric_limits<std::uint32_t>::max());
  const bool wide = KeyedTable::wide(key, blob);
  const std::uint8_t bytes[] = {wide ? kWide : static_cast<std::uint8_t>(key), wide ? kWide : static_cast<std::uint8_t>(blob)};
  std::memcpy(record + sizes_at_, bytes, sizeof bytes);
  if (!wide) return;
  const std::uint32_t sizes[] = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(blob)};
  std::memcpy(record + sizes_at_ + sizeof bytes, sizes, sizeof sizes);
}

/// A live slot, in no bucket of the places nor of the times yet.
Slot KeyedTable::add_record(std::uint64_t place, std::uint64_t hash, std::string_view key, std::size_t blob_bytes) {
  Slot slot = free_;
  if (slot != kNoSlot) {
    free_ = static_cast<Slot>(refs_[slot].place);
  } else {
    slot = static_cast<Slot>(refs_.size());
    SUPYO_CHECK(slot != kNoSlot);
    refs_.emplace_back();
  }
  std::byte* const r = records_.allocate(record_size(key.size(), blob_bytes));
  refs_[slot] = {.place = place, .bits = reinterpret_cast<std::uintptr_t>(r)};
  write_sizes(r, key.size(), blob_bytes);
  if (shared_hashes_) std::memcpy(r + hash_at_, &hash, sizeof hash);
  if (ttl_us_ != 0) {
    if (written_.size() < refs_.size()) written_.resize(refs_.size());
    link_last(slot, now_us_);
  }
  std::memset(r, 0, spec_.fixed_width);
  if (!key.empty()) std::memcpy(r + key_at(wide(key.size(), blob_bytes)), key.data(), key.size());
  ++live_;
  return slot;
}

Slot KeyedTable::insert(std::uint64_t place, std::uint64_t hash, std::string_view key, std::size_t blob_bytes) {
  // At most 7 of 8 buckets are used. Mostly tombstones: clean at the same size; else double.
  if ((used_buckets_ + 1) * 8 > buckets_.size() * 7) rehash(live_ * 2 < used_buckets_ ? buckets_.size() : buckets_.size() * 2);
  const std::size_t bucket = free_bucket(place);
  if (tags_[bucket] == kEmpty) ++used_buckets_;
  const Slot slot = add_record(place, hash, key, blob_bytes);
  buckets_[bucket] = slot;
  tags_[bucket] = tag_of(place);
  return slot;
}

/// Buckets for so many entries, of which at most 7 of 8 are used.
std::size_t KeyedTable::capacity_for(std::size_t entries) { return std::bit_ceil(std::max(kSmallest, (entries * 8 + 6) / 7)); }

void KeyedTable::rehash(std::size_t capacity) {
  buckets_.assign(capacity, kNoSlot);
  tags_.assign(capacity, kEmpty);
  for (Slot s = 0; s < refs_.size(); ++s) {
    if (s + kPrefetchGroup < refs_.size()) __builtin_prefetch(tags_.data() + (refs_[s + kPrefetchGroup].place & group_mask()) * kGroup, 1);
    if (!live(s)) continue;
    const std::size_t bucket = free_bucket(refs_[s].place);
    tags_[bucket] = tag_of(refs_[s].place);
    buckets_[bucket] = s;
  }
  used_buckets_ = live_;
}

void KeyedTable::reserve(std::size_t entries) {
  refs_.reserve(entries);
  if (const std::size_t wanted = capacity_for(entries); wanted > buckets_.size()) rehash(wanted);
}

Slot KeyedTable::find_or_insert(std::uint64_t hash, std::string_view key, TimeUs time) {
  if (loading_) [[unlikely]] load_hashes({&hash, 1});
  const std::uint64_t place = place_of(hash, key);
  const std::size_t bucket = bucket_of(place, hash, key);
  if (bucket != SIZE_MAX) return buckets_[bucket];
  const Slot slot = insert_at(place, hash, key, time);
  touch(slot);
  return slot;
}

void KeyedTable::look_ahead(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::uint64_t* places) const {
  Slot likely[kPrefetchGroup];
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    places[i] = place_of(hashes[i], keys[i]);
    prefetch(places[i]);
  }
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::size_t group = (places[i] & group_mask()) * kGroup;
    const unsigned same = Tags(tags_.data() + group).equal(tag_of(places[i]));
    likely[i] = same == 0 ? kNoSlot : buckets_[group + first_of(same)];
    if (likely[i] != kNoSlot) prefetch_slot(likely[i]);
  }
  for (std::size_t i = 0; i < hashes.size(); ++i)
    if (likely[i] != kNoSlot) prefetch_record(likely[i]);
}

void KeyedTable::find_or_insert(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<const TimeUs> times,
                                std::span<Slot> slots, std::span<std::uint8_t> inserted) {
  if (loading_) [[unlikely]] load_hashes(hashes);
  const std::size_t n = hashes.size();
  std::uint64_t places[kPrefetchGroup];
  for (std::size_t from = 0; from < n; from += kPrefetchGroup) {
    const std::size_t count = std::min(n - from, kPrefetchGroup);
    look_ahead(hashes.subspan(from, count), keys.subspan(from, count), places);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = from + i;
      const std::size_t bucket = bucket_of(places[i], hashes[row], keys[row]);
      inserted[row] = bucket == SIZE_MAX ? 1 : 0;
      slots[row] = bucket != SIZE_MAX ? buckets_[bucket] : insert_at(places[i], hashes[row], keys[row], times.empty() ? 0 : times[row]);
    }
  }
  for (std::size_t i = 0; i < n; ++i) touch(slots[i]);
  if (spill_) mark_used(slots);
}

void KeyedTable::find(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<Slot> slots) {
  if (loading_) [[unlikely]] load_hashes(hashes);
  const std::size_t n = hashes.size();
  std::uint64_t places[kPrefetchGroup];
  for (std::size_t from = 0; from < n; from += kPrefetchGroup) {
    const std::size_t count = std::min(n - from, kPrefetchGroup);
    look_ahead(hashes.subspan(from, count), keys.subspan(from, count), places);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t bucket = bucket_of(places[i], hashes[from + i], keys[from + i]);
      slots[from + i] = bucket != SIZE_MAX ? buckets_[bucket] : kNoSlot;
    }
  }
  if (spill_) const_cast<KeyedTable*>(this)->mark_used(slots);
}

Slot KeyedTable::find(std::uint64_t hash, std::string_view key) {
  if (loading_) [[unlikely]] load_hashes({&hash, 1});
  const std::size_t bucket = bucket_of(place_of(hash, key), hash, key);
  return bucket != SIZE_MAX ? buckets_[bucket] : kNoSlot;
}

std::string_view KeyedTable::blob(Slot slot) const {
  const std::byte* const r = record(slot);
  const Parts p = parts_of(r);
  return {reinterpret_cast<const char*>(r) + p.key_at + p.key, p.blob};
}

void KeyedTable::set_blob(Slot slot, std::string_view bytes) {
  write_blob(slot, bytes);
  touch(slot);
}

/// `bytes` may be (a part of) the blob itself.
void KeyedTable::write_blob(Slot slot, std::string_view bytes) {
  std::byte* const old = record(slot);
  const Parts was = parts_of(old);
  const bool same_sizes = wide(was.key, was.blob) == wide(was.key, bytes.size());
  const std::size_t head = same_sizes ? was.key_at + was.key : record_size(was.key, bytes.size()) - bytes.size();
  std::byte* r = old;
  if (!same_sizes || RecordArena::rounded(was.end()) != RecordArena::rounded(head + bytes.size())) {
    r = records_.allocate(head + bytes.size());
    std::memcpy(r, old, sizes_at_);
    std::memcpy(r + head - was.key, old + was.key_at, was.key);
  }
  if (!bytes.empty()) std::memmove(r + head, bytes.data(), bytes.size());
  write_sizes(r, was.key, bytes.size());
  if (r == old) return;
  records_.release(old, was.end());
  refs_[slot].bits = reinterpret_cast<std::uintptr_t>(r) | (refs_[slot].bits & kFlags);
}

void KeyedTable::erase(Slot slot) {
  SUPYO_CHECK(live(slot));
  const std::uint64_t place = refs_[slot].place;
  const std::size_t mask = group_mask();
  std::size_t group = place & mask;
  for (std::size_t step = 1;; group = (group + step++) & mask) {
    const Tags tags(tags_.data() + group * kGroup);
    unsigned same = tags.equal(tag_of(place));
    while (same != 0 && buckets_[group * kGroup + first_of(same)] != slot) same &= same - 1;
    if (same == 0) {
      SUPYO_CHECK(tags.equal(kEmpty) == 0);
      continue;
    }
    const std::size_t bucket = group * kGroup + first_of(same);
    // No search has gone beyond a group that has an empty bucket.
    const bool last = tags.equal(kEmpty) != 0;
    tags_[bucket] = last ? kEmpty : kTombstone;
    buckets_[bucket] = kNoSlot;
    used_buckets_ -= last ? 1 : 0;
    break;
  }
  if (ttl_us_ != 0) unlink(slot);
  if (spec_.timed) leave_bucket(slot);
  if ((refs_[slot].bits & kPersisted) != 0) {
    const std::byte* const r = peek(slot);
    erased_.add_deleted(hash_of(slot, r), key_of(r));
  }
  if (std::byte* const r = resident(slot); r != nullptr) records_.release(r, parts_of(r).end());
  refs_[slot] = {.place = free_};
  free_ = slot;
  --live_;
}

void KeyedTable::erase(std::span<const Slot> slots) {
  for (; !slots.empty(); slots = slots.subspan(std::min(slots.size(), kPrefetchGroup))) {
    const auto some = slots.first(std::min(slots.size(), kPrefetchGroup));
    for (const Slot slot : some) prefetch_slot(slot);
    for (const Slot slot : some) prefetch(refs_[slot].place), prefetch_record(slot);
    for (const Slot slot : some) erase(slot);
  }
}

// ---- entries that end

void KeyedTable::link_last(Slot slot, TimeUs at_us) {
  written_[slot] = {.at_us = at_us, .before = newest_};
  (newest_ == kNoSlot ? oldest_ : written_[newest_].after) = slot;
  newest_ = slot;
}

void KeyedTable::unlink(Slot slot) {
  const Written w = written_[slot];
  (w.before == kNoSlot ? oldest_ : written_[w.before].after) = w.after;
  (w.after == kNoSlot ? newest_ : written_[w.after].before) = w.before;
}

void KeyedTable::written(Slot slot) {
  if (written_[slot].at_us == now_us_) return;
  unlink(slot);
  link_last(slot, now_us_);
}

/// The clock may stand before the times that came back: what was written then is not older for that.
void KeyedTable::sort_restored() {
  std::vector<std::pair<TimeUs, Slot>> all;
  all.reserve(live_);
  for (Slot s = 0; s < refs_.size(); ++s)
    if (live(s)) all.emplace_back(written_[s].at_us, s);
  std::ranges::sort(all);
  oldest_ = newest_ = kNoSlot;
  for (const auto& [at_us, slot] : all) link_last(slot, at_us);
  if (!all.empty()) now_us_ = std::max(now_us_, all.back().first);
  restored_ = false;
}

void KeyedTable::expire(TimeUs now_us, const std::function<void(Slot)>& gone) {
  if (ttl_us_ == 0) return;
  if (restored_) sort_restored();
  now_us_ = std::max(now_us_, now_us);
  while (oldest_ != kNoSlot && written_[oldest_].at_us <= now_us_ - ttl_us_) {
    const Slot slot = oldest_;
    if (gone) gone(slot);
    erase(slot);
  }
}

std::size_t KeyedTable::memory_bytes() const {
  std::size_t n = records_.reserved() + refs_.capacity() * sizeof(Ref) + buckets_.capacity() * (sizeof(Slot) + 1) + dirty_.capacity() * sizeof(Slot) + erased_.bytes.capacity() +
                  written_.capacity() * sizeof(Written) + spill_bytes();
  return n + (by_time_ ? by_time_->memory_bytes() : 0);
}

// Value bytes: [time, order of insertion] for timed tables, the time of the last write for those with a TTL, then the fixed part, then the blob to the end.
std::size_t KeyedTable::value_bytes(std::size_t blob) const { return (ttl_us_ != 0 ? sizeof(TimeUs) : spec_.timed ? sizeof(TimeUs) + sizeof(std::uint64_t) : 0) + spec_.fixed_width + blob; }

void KeyedTable::append_value(Slot slot, const std::byte* record, std::string& out) const {
  const Parts p = parts_of(record);
  const char* const r = reinterpret_cast<const char*>(record);
  if (ttl_us_ != 0) out.append(reinterpret_cast<const char*>(&written_[slot].at_us), sizeof(TimeUs));
  if (spec_.timed) by_time_->append_time(stamp(slot), out);
  out.append(r, spec_.fixed_width);
  out.append(r + p.key_at + p.key, p.blob);
}

void KeyedTable::take_changes(EncodedChanges& out) {
  // Erasures first: a key that was erased and came back is then overwritten by its new value.
  out = std::move(erased_);
  erased_.clear();
  for (const Slot slot : dirty_) {
    Ref& r = refs_[slot];
    if ((r.bits & kDirty) == 0) continue;
    r.bits = (r.bits & ~kDirty) | kPersisted;
    const std::byte* const at = peek(slot);
    out.begin_value(hash_of(slot, at), key_of(at), value_bytes(parts_of(at).blob));
    append_value(slot, at, out.bytes);
  }
  dirty_.clear();
  if (dirty_.capacity() > kKeptDirty) dirty_.shrink_to_fit();
}

void KeyedTable::forget_changes() {
  for (const Slot slot : dirty_) {
    std::uintptr_t& bits = refs_[slot].bits;
    if ((bits & kDirty) != 0 && resident(slot) == nullptr) bits |= kStored;
    bits &= ~kDirty;
  }
  dirty_.clear();
  erased_.clear();
}

}  // namespace supyo::state
