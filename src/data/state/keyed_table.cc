#include <algorithm>
#include <map>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "data/state/tables.h"

namespace supyo::state {
namespace {

constexpr std::uint8_t kEmpty = 0;
constexpr std::uint8_t kTombstone = 1;
constexpr std::size_t kSmallest = 16;
constexpr std::size_t kPrefetchGroup = 32;  // probes in flight: enough to hide a miss, few enough to stay in L1

// Keys are short: what memcmp's call costs is most of a comparison.
bool same_key(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const std::size_t n = a.size();
  if (n < 8 || n > 16) return a == b;
  std::uint64_t left[2];
  std::uint64_t right[2];
  std::memcpy(&left[0], a.data(), 8);
  std::memcpy(&right[0], b.data(), 8);
  std::memcpy(&left[1], a.data() + n - 8, 8);   // overlaps the first word
  std::memcpy(&right[1], b.data() + n - 8, 8);
  return ((left[0] ^ right[0]) | (left[1] ^ right[1])) == 0;
}

std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>(0x80 | (hash >> 57)); }

}  // namespace

// Time -> slots in order of insertion. Erased slots are dropped lazily: an entry counts only while its slot is live with the same birth.
struct KeyedTable::TimeIndex {
  struct Item {
    Slot slot;
    std::uint64_t born;
  };
  struct Bucket {
    std::vector<Item> items;
    bool sorted = true;
  };
  std::map<TimeUs, Bucket> buckets;
  std::map<TimeUs, Bucket>::iterator last = buckets.end();

  void add(TimeUs time, Slot slot, std::uint64_t born) {
    if (last == buckets.end() || last->first != time) last = buckets.try_emplace(time).first;
    Bucket& b = last->second;
    if (!b.items.empty() && b.items.back().born > born) b.sorted = false;
    b.items.push_back({slot, born});
  }
};

KeyedTable::KeyedTable(TableSpec spec) : spec_(std::move(spec)), shared_hashes_(spec_.shared_hashes), stride_((spec_.fixed_width + 7U) & ~std::size_t{7}) {
  buckets_.assign(kSmallest, kNoSlot);
  tags_.assign(kSmallest, kEmpty);
  if (spec_.timed) by_time_ = std::make_unique<TimeIndex>();
}

KeyedTable::~KeyedTable() = default;

std::string_view KeyedTable::key(Slot slot) const {
  const Entry& e = entries_[slot];
  if (e.key_size <= kInlineKey) return {e.key, e.key_size};
  std::uint64_t offset;
  std::memcpy(&offset, e.key, sizeof offset);
  return std::string_view(keys_).substr(offset, e.key_size);
}

void KeyedTable::set_key(Entry& e, std::string_view key) {
  e.key_size = static_cast<std::uint32_t>(key.size());
  if (key.size() <= kInlineKey) {
    std::memcpy(e.key, key.data(), key.size());
  } else {
    const std::uint64_t offset = keys_.size();
    std::memcpy(e.key, &offset, sizeof offset);
    keys_.append(key);
  }
}

[[gnu::noinline]] std::uint64_t KeyedTable::own_hash(std::string_view key) { return hash_bytes(key); }

std::size_t KeyedTable::probe(std::uint64_t hash, std::string_view key, bool& found) const {
  const std::size_t mask = buckets_.size() - 1;
  const std::uint64_t place = place_of(hash, key);
  const std::uint8_t tag = tag_of(place);
  std::size_t free_bucket = SIZE_MAX;
  for (std::size_t i = place & mask;; i = (i + 1) & mask) {
    const std::uint8_t t = tags_[i];
    if (t == tag) {
      const Slot s = buckets_[i];
      if (entries_[s].hash == hash && same_key(this->key(s), key)) {
        found = true;
        return i;
      }
    } else if (t == kEmpty) {
      found = false;
      return free_bucket != SIZE_MAX ? free_bucket : i;
    } else if (t == kTombstone && free_bucket == SIZE_MAX) {
      free_bucket = i;
    }
  }
}

Slot KeyedTable::insert(std::size_t bucket, std::uint64_t hash, std::string_view key, TimeUs time) {
  if (tags_[bucket] == kEmpty) {
    if ((used_buckets_ + 1) * 10 > buckets_.size() * 7) {
      // Mostly tombstones: clean at the same size; else double.
      rehash(live_ * 2 < used_buckets_ ? buckets_.size() : buckets_.size() * 2);
      bool found = false;
      bucket = probe(hash, key, found);
    }
    if (tags_[bucket] == kEmpty) ++used_buckets_;
  }
  Slot slot;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
    if (stride_ > 0) std::memset(fixed_.data() + static_cast<std::size_t>(slot) * stride_, 0, stride_);
  } else {
    slot = static_cast<Slot>(entries_.size());
    SUPYO_CHECK(slot != kNoSlot);
    entries_.emplace_back();
    fixed_.resize(fixed_.size() + stride_);
    if (!blobs_.empty()) blobs_.emplace_back();
  }
  Entry& e = entries_[slot];
  e = Entry{};
  e.hash = hash;
  e.time = time;
  e.born = next_born_++;
  e.live = true;
  set_key(e, key);
  buckets_[bucket] = slot;
  tags_[bucket] = tag_of(place_of(hash, key));
  ++live_;
  if (by_time_) by_time_->add(time, slot, e.born);
  return slot;
}

void KeyedTable::rehash(std::size_t capacity) {
  capacity = std::max(capacity, kSmallest);
  buckets_.assign(capacity, kNoSlot);
  tags_.assign(capacity, kEmpty);
  const std::size_t mask = capacity - 1;
  for (Slot s = 0; s < entries_.size(); ++s) {
    if (!entries_[s].live) continue;
    const std::uint64_t place = place_of(entries_[s].hash, key(s));
    std::size_t i = place & mask;
    while (tags_[i] != kEmpty) i = (i + 1) & mask;
    tags_[i] = tag_of(place);
    buckets_[i] = s;
  }
  used_buckets_ = live_;
}

Slot KeyedTable::find_or_insert(std::uint64_t hash, std::string_view key, TimeUs time) {
  bool found = false;
  const std::size_t bucket = probe(hash, key, found);
  if (found) return buckets_[bucket];
  const Slot slot = insert(bucket, hash, key, time);
  touch(slot);
  return slot;
}

void KeyedTable::find_or_insert(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<const TimeUs> times,
                                std::span<Slot> slots, std::span<std::uint8_t> inserted) {
  const std::size_t n = hashes.size();
  for (std::size_t from = 0; from < n; from += kPrefetchGroup) {
    const std::size_t to = std::min(n, from + kPrefetchGroup);
    const std::size_t mask = buckets_.size() - 1;
    for (std::size_t i = from; i < to; ++i) {
      __builtin_prefetch(&tags_[hashes[i] & mask]);
      __builtin_prefetch(&buckets_[hashes[i] & mask]);
    }
    for (std::size_t i = from; i < to; ++i) {
      const std::size_t b = hashes[i] & mask;
      if (tags_[b] == tag_of(hashes[i])) __builtin_prefetch(&entries_[buckets_[b]]);
    }
    for (std::size_t i = from; i < to; ++i) {
      bool found = false;
      const std::size_t bucket = probe(hashes[i], keys[i], found);
      inserted[i] = found ? 0 : 1;
      slots[i] = found ? buckets_[bucket] : insert(bucket, hashes[i], keys[i], times.empty() ? 0 : times[i]);
    }
  }
  for (std::size_t i = 0; i < n; ++i) touch(slots[i]);
}

Slot KeyedTable::find(std::uint64_t hash, std::string_view key) const {
  bool found = false;
  const std::size_t bucket = probe(hash, key, found);
  return found ? buckets_[bucket] : kNoSlot;
}

std::string_view KeyedTable::blob(Slot slot) const { return blobs_.empty() ? std::string_view() : std::string_view(blobs_[slot]); }

void KeyedTable::set_blob(Slot slot, std::string_view bytes) {
  if (blobs_.empty()) blobs_.resize(entries_.size());
  blobs_[slot].assign(bytes);
  touch(slot);
}

void KeyedTable::erase(Slot slot) {
  Entry& e = entries_[slot];
  SUPYO_CHECK(e.live);
  bool found = false;
  const std::string_view k = key(slot);
  const std::size_t bucket = probe(e.hash, k, found);
  SUPYO_CHECK(found);
  tags_[bucket] = kTombstone;
  buckets_[bucket] = kNoSlot;
  if (e.persisted) erased_.push_back({.hash = e.hash, .key = std::string(k), .value = {}, .deleted = true});
  if (e.key_size > kInlineKey) dead_key_bytes_ += e.key_size;
  e.live = false;
  e.dirty = false;
  if (!blobs_.empty()) blobs_[slot].clear();
  free_.push_back(slot);
  --live_;
  if (dead_key_bytes_ > (1U << 20) && dead_key_bytes_ * 2 > keys_.size()) compact_keys();
}

void KeyedTable::compact_keys() {
  std::string kept;
  kept.reserve(keys_.size() - dead_key_bytes_);
  for (Slot s = 0; s < entries_.size(); ++s) {
    Entry& e = entries_[s];
    if (!e.live || e.key_size <= kInlineKey) continue;
    const std::uint64_t offset = kept.size();
    kept.append(key(s));
    std::memcpy(e.key, &offset, sizeof offset);
  }
  keys_ = std::move(kept);
  dead_key_bytes_ = 0;
}

void KeyedTable::due(TimeUs until, std::vector<Slot>& out) {
  SUPYO_CHECK(by_time_ != nullptr);
  auto& buckets = by_time_->buckets;
  for (auto it = buckets.begin(); it != buckets.end() && it->first <= until;) {
    auto& bucket = it->second;
    std::erase_if(bucket.items, [&](const TimeIndex::Item& i) { return !entries_[i.slot].live || entries_[i.slot].born != i.born; });
    if (!bucket.sorted) {
      std::stable_sort(bucket.items.begin(), bucket.items.end(), [&](const TimeIndex::Item& a, const TimeIndex::Item& b) {
        return a.born != b.born ? a.born < b.born : entries_[a.slot].hash < entries_[b.slot].hash;
      });
      bucket.sorted = true;
    }
    for (const auto& item : bucket.items) out.push_back(item.slot);
    if (bucket.items.empty()) {
      if (by_time_->last == it) by_time_->last = buckets.end();
      it = buckets.erase(it);
    } else {
      ++it;
    }
  }
}

TimeUs KeyedTable::next_due() {
  SUPYO_CHECK(by_time_ != nullptr);
  auto& buckets = by_time_->buckets;
  while (!buckets.empty()) {
    auto it = buckets.begin();
    for (const auto& item : it->second.items)
      if (entries_[item.slot].live && entries_[item.slot].born == item.born) return it->first;
    if (by_time_->last == it) by_time_->last = buckets.end();
    buckets.erase(it);
  }
  return kTimeMax;
}

std::size_t KeyedTable::memory_bytes() const {
  std::size_t blob_bytes = 0;
  for (const auto& b : blobs_) blob_bytes += sizeof b + (b.size() > 15 ? b.size() : 0);
  return fixed_.capacity() + entries_.capacity() * sizeof(Entry) + blob_bytes + buckets_.capacity() * (sizeof(Slot) + 1) + keys_.capacity();
}

void KeyedTable::for_each(const std::function<void(Slot)>& visit) const {
  for (Slot s = 0; s < entries_.size(); ++s)
    if (entries_[s].live) visit(s);
}

// Value bytes: [time, born] for timed tables, then the fixed part, then the blob to the end.
void KeyedTable::encode_value(Slot slot, std::string& out) const {
  ByteWriter w(out);
  if (spec_.timed) {
    w.i64(entries_[slot].time);
    w.u64(entries_[slot].born);
  }
  out.append(reinterpret_cast<const char*>(fixed(slot)), spec_.fixed_width);
  out.append(blob(slot));
}

void KeyedTable::take_changes(std::vector<Change>& out) {
  // Erasures first: a key that was erased and came back is then overwritten by its new value.
  for (Change& c : erased_) out.push_back(std::move(c));
  erased_.clear();
  for (const Slot slot : dirty_) {
    Entry& e = entries_[slot];
    if (!e.live || !e.dirty) continue;
    e.dirty = false;
    e.persisted = true;
    Change& c = out.emplace_back(Change{.hash = e.hash, .key = std::string(key(slot)), .value = {}, .deleted = false});
    encode_value(slot, c.value);
  }
  dirty_.clear();
}

void KeyedTable::forget_changes() {
  for (const Slot slot : dirty_) entries_[slot].dirty = false;
  dirty_.clear();
  erased_.clear();
}

Status KeyedTable::restore(std::uint64_t hash, std::string_view key, std::string_view value) {
  ByteReader r(value);
  TimeUs time = 0;
  std::uint64_t born = 0;
  if (spec_.timed) {
    time = r.i64();
    born = r.u64();
  }
  const std::string_view fixed_bytes = r.bytes(spec_.fixed_width);
  if (r.failed()) return fail(ErrorCode::kDamaged, "state table '" + spec_.name + "': an entry is shorter than its declared width");
  const std::string_view rest = r.bytes(r.remaining());
  bool found = false;
  const std::size_t bucket = probe(hash, key, found);
  const Slot slot = found ? buckets_[bucket] : insert(bucket, hash, key, time);
  if (stride_ > 0) std::memcpy(fixed(slot), fixed_bytes.data(), fixed_bytes.size());
  Entry& e = entries_[slot];
  e.persisted = true;
  if (spec_.timed) {
    // An item with another birth, as insert() may have added, is dropped lazily; one with this birth must be there once only.
    if (e.born != born) by_time_->add(time, slot, born);
    e.born = born;
    next_born_ = std::max(next_born_, born + 1);
  }
  if (!rest.empty()) {
    if (blobs_.empty()) blobs_.resize(entries_.size());
    blobs_[slot].assign(rest);
  }
  return ok();
}

}  // namespace supyo::state
