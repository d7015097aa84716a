// How a table's entries come back from the job's files.
#include <algorithm>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "data/state/keyed_table_parts.h"

namespace supyo::state {
namespace {

constexpr std::size_t kAhead = 12;   // entries whose bucket is asked for before its turn

}  // namespace

Status KeyedTable::restore(std::uint64_t hash, std::string_view key, std::string_view value) {
  const Status s = put_back(hash, key, value, PutBack::kLookUp);
  settle_restored();
  if (spill_) spill_->loaded.clear();
  return s;
}

Status KeyedTable::put_back(std::uint64_t hash, std::string_view key, std::string_view value, PutBack how) {
  ByteReader r(value);
  TimeUs time = 0;
  std::uint64_t order = 0;
  if (spec_.timed) {
    time = r.i64();
    order = r.u64();
  } else if (ttl_us_ != 0) {
    time = r.i64();
  }
  const std::string_view fixed_bytes = r.bytes(spec_.fixed_width);
  if (r.failed()) return fail(ErrorCode::kDamaged, "state table '" + spec_.name + "': an entry is shorter than its declared width");
  const std::string_view rest = r.bytes(r.remaining());
  const std::uint64_t place = place_of(hash, key);
  const std::size_t bucket = how == PutBack::kLookUp ? bucket_of(place, hash, key) : SIZE_MAX;
  const Slot slot = how == PutBack::kNoBucket ? add_record(place, hash, key, rest.size()) : bucket != SIZE_MAX ? buckets_[bucket] : insert(place, hash, key, rest.size());
  if (!fixed_bytes.empty()) std::memcpy(fixed(slot), fixed_bytes.data(), fixed_bytes.size());
  refs_[slot].bits = (refs_[slot].bits & ~kStored) | kPersisted;
  if (spill_) spill_->loaded.push_back(slot);
  if (spec_.timed) {
    if (bucket != SIZE_MAX) leave_bucket(slot);
    enter_restored(slot, time, order);
  }
  write_blob(slot, rest);
  if (ttl_us_ != 0) {
    written_[slot].at_us = time;
    restored_ = true;
  }
  return ok();
}

/// Into an empty table: records are laid down, and the buckets are filled at the end.
Status KeyedTable::put_back_all(const StoredEntries& entries) {
  std::vector<SnapshotEntry> read;
  for (std::size_t range = 0; range < entries.ranges(); ++range) {
    entries.read(range, read);
    for (const SnapshotEntry& e : read) SUPYO_TRY(put_back(e.hash, e.key, e.value, PutBack::kNoBucket));
    if (spill_) evict_loaded();
  }
  settle_restored();
  rehash(capacity_for(live_));
  return ok();
}

Status KeyedTable::restore(std::shared_ptr<const StoredEntries> entries) {
  SUPYO_CHECK(live_ == 0 && !loading_);
  if (spec_.timed || ttl_us_ != 0) return put_back_all(*entries);
  if (entries->ranges() == 0) return ok();
  auto loading = std::make_unique<Loading>();
  loading->waiting = entries->ranges();
  loading->taken.resize(loading->waiting);
  loading->waiting_entries = entries->entries();
  // State of another layout is known at its first entries.
  entries->read(0, loading->read);
  for (const SnapshotEntry& e : loading->read)
    if (e.value.size() < spec_.fixed_width) return fail(ErrorCode::kDamaged, "state table '" + spec_.name + "': an entry is shorter than its declared width");
  loading->entries = std::move(entries);
  loading_ = std::move(loading);
  return ok();
}

std::size_t KeyedTable::size() const { return live_ + (loading_ ? loading_->waiting_entries : 0); }

std::size_t KeyedTable::load_range(std::size_t range) {
  Loading& l = *loading_;
  l.taken[range] = true;
  --l.waiting;
  const StoredEntries::Read read = l.entries->read(range, l.read);
  l.waiting_entries -= read.entries;
  for (std::size_t i = 0; i < l.read.size(); ++i) {
    if (!shared_hashes_ && i + kAhead < l.read.size()) prefetch(l.read[i + kAhead].hash);
    const SnapshotEntry& e = l.read[i];
    if (const Status s = put_back(e.hash, e.key, e.value, PutBack::kNew); !s && !damage_) damage_ = s.error();
  }
  if (spill_) evict_loaded();
  if (l.waiting == 0) loading_.reset();
  return read.bytes;
}

void KeyedTable::load_hashes(std::span<const std::uint64_t> hashes) {
  for (const std::uint64_t hash : hashes) {
    const std::size_t range = loading_->entries->range_of(hash);
    if (loading_->taken[range]) continue;
    load_range(range);
    if (!loading_) return;
  }
}

void KeyedTable::load(std::size_t bytes) {
  for (std::size_t done = 0; loading_ && done < bytes;) {
    const std::size_t range = loading_->next++;
    if (!loading_->taken[range]) done += load_range(range);
  }
}

void KeyedTable::load_all() {
  if (!loading_) return;
  if (live_ > 0 || loading_->waiting < loading_->taken.size()) return load(SIZE_MAX);
  const auto entries = std::move(loading_->entries);
  loading_.reset();
  if (const Status s = put_back_all(*entries); !s) damage_ = s.error();
}

}  // namespace supyo::state
