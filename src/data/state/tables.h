#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "data/state/big_memory.h"
#include "data/state/record_arena.h"

namespace supyo::state {

/// One named table of an operator's state, declared before it runs.
struct TableSpec {
  enum class Kind : std::uint8_t {
    kKeyed,    ///< key -> (fixed-width bytes, blob); optionally with a time per key (windows)
    kOrdered,  ///< (time, sequence) -> blob: rows waiting for the watermark
  };
  Kind kind = Kind::kKeyed;
  std::string name;
  std::uint32_t fixed_width = 0;   ///< kKeyed: bytes of the in-place value (aggregate accumulators), zeroed on insert
  bool timed = false;              ///< kKeyed: every key has a time; due() finds the keys whose time has come
  DurationUs ttl_us = 0;           ///< kKeyed: entries end so long after they were last written, by the clock; 0 = never. Not with `timed`. (Zero or not is part of the layout, how long is not.)
  bool shared_hashes = false;      ///< kKeyed: many keys have one hash, which only says the shard (rows of a join key): looked up by the key's own hash
};

/// What an operator keeps: its tables, in order; the position in this list is the table's id in journal and snapshots.
struct StateSpec {
  std::vector<TableSpec> tables;
};

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xffffffffU;

class StoredEntries;
class SpillSpace;

/// One change since the last cut. Within one take_changes() the last entry of a key wins. (hash, key) together identify an entry:
/// after a restore at another parallelism two shards' ordered rows may share a key, never a hash. `hash` decides which shard owns the entry when the job is restored at another parallelism.
struct Change {
  std::uint64_t hash = 0;
  std::string key;
  std::string value;
  bool deleted = false;
};

/// Changes as the journal holds them, one behind the other: u64 hash, text key, varint n: 0 = deleted, else n - 1 bytes of value. An epoch changes hundreds of thousands
/// of entries, so they are not objects.
struct EncodedChanges {
  std::uint64_t count = 0;
  std::string bytes;
  bool empty() const { return count == 0; }
  void clear() { count = 0, bytes.clear(); }
  void add_deleted(std::uint64_t hash, std::string_view key);
  /// The value is what the caller appends to `bytes` next: exactly `value_bytes`.
  void begin_value(std::uint64_t hash, std::string_view key, std::size_t value_bytes);
};
/// One by one, for those who look at few of them.
std::vector<Change> to_list(const EncodedChanges& changes);

/// Key -> value, open addressing, in memory. Owned by one operator on one shard; one thread.
///
/// A slot stays valid until its key is erased (erased slots are reused), and so do the addresses of its key and its fixed part, but for set_blob() of that slot. Call touch() after changing a value in place, or the change is
/// not part of the next epoch. Keys are RowCodec bytes; `hash` must be hash_bytes(key) or hash_rows of the same columns, but always the same.
///
/// With a SpillSpace (which outlives it) records that were not looked at for long go there when there is no room: addresses then hold until evict(), for_each() or relax() only, and whatever
/// looks at a record may throw SpillFailure.
class KeyedTable {
 public:
  explicit KeyedTable(TableSpec spec, SpillSpace* space = nullptr);
  ~KeyedTable();

  /// For each row i: the slot of keys[i], inserted (fixed part zeroed, blob empty) when absent. `times` only for timed tables.
  /// `inserted[i]` is 1 for the row that created its slot. Batch probe with prefetch: use it rather than a loop of find().
  void find_or_insert(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<const TimeUs> times,
                      std::span<Slot> slots, std::span<std::uint8_t> inserted);
  Slot find_or_insert(std::uint64_t hash, std::string_view key, TimeUs time = 0);
  Slot find(std::uint64_t hash, std::string_view key);
  /// Batch probe; kNoSlot = not there.
  void find(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<Slot> slots);

  /// Asks the processor for what a later find() of this hash looks at first. Not for tables with shared hashes.
  void prefetch(std::uint64_t hash) const {
    const std::size_t bucket = (hash & group_mask()) * kGroup;
    __builtin_prefetch(tags_.data() + bucket);
    __builtin_prefetch(buckets_.data() + bucket);
  }
  /// Of a slot that will be looked at.
  void prefetch_slot(Slot slot) const { __builtin_prefetch(&refs_[slot]); }
  void prefetch_record(Slot slot) const { __builtin_prefetch(resident(slot)); }

  std::byte* fixed(Slot slot) { return record(slot); }
  const std::byte* fixed(Slot slot) const { return record(slot); }
  template <class T>
  T& as(Slot slot, std::size_t offset = 0) { return *reinterpret_cast<T*>(fixed(slot) + offset); }
  template <class T>
  const T& as(Slot slot, std::size_t offset = 0) const { return *reinterpret_cast<const T*>(fixed(slot) + offset); }
  std::string_view blob(Slot slot) const;
  void set_blob(Slot slot, std::string_view bytes);   ///< touches
  std::string_view key(Slot slot) const { return key_of(record(slot)); }
  std::uint64_t hash(Slot slot) const { return shared_hashes_ ? read_at<std::uint64_t>(record(slot), hash_at_) : refs_[slot].place; }
  /// Of timed tables; 0 of others.
  TimeUs time(Slot slot) const { return spec_.timed ? time_of(slot) : 0; }
  void touch(Slot slot) {
    if (ttl_us_ != 0) [[unlikely]] written(slot);
    Ref& r = refs_[slot];
    if ((r.bits & kDirty) == 0) r.bits = (r.bits & ~kStored) | kDirty | kUsed, dirty_.push_back(slot);
  }
  void erase(Slot slot);
  /// Many at once, with the misses in flight together.
  void erase(std::span<const Slot> slots);

  /// Tables with a TTL: the time from here on (never back), and the end of every entry whose time is over: `gone` sees each before it is erased. An operator calls it before it
  /// looks at anything, so that nothing expired is ever found; it costs what there is to erase. Nothing happens in other tables.
  void expire(TimeUs now_us, const std::function<void(Slot)>& gone = {});

  /// Timed tables: appends the live slots with time <= `until` to `out`, by time, then in order of insertion; `most` of them at most: who erases those sees the next ones with the next call.
  void due(TimeUs until, std::vector<Slot>& out, std::size_t most = SIZE_MAX);
  /// Earliest time of a live key; kTimeMax when empty. Timed tables only.
  TimeUs next_due();

  /// While entries come back (loading()): those that are still in the files count, the overwritten and deleted ones of them too.
  std::size_t size() const;
  /// Makes room for that many entries in all.
  void reserve(std::size_t entries);
  std::size_t memory_bytes() const;
  void for_each(const std::function<void(Slot)>& visit);

  // Of tables with a SpillSpace.
  /// No address into this table is held: what is beyond the limit may go. For loops over many slots within one call.
  void relax();
  /// An operator may hold addresses: nothing goes but by for_each() and relax().
  void pin(bool pinned);
  bool pinned() const;
  /// Puts so many bytes of records into the space, those that were not looked at since it last came by before others.
  void evict(std::size_t bytes);
  std::size_t record_bytes() const { return records_.used(); }
  std::size_t reserved_bytes() const { return records_.reserved(); }

  /// Hands over the changes since the last call and forgets them. Called by the runtime at a barrier.
  void take_changes(EncodedChanges& out);
  /// Forgets them without handing them over: of a table that is no part of any epoch.
  void forget_changes();
  /// Puts an entry back that take_changes() once gave. Not a change. Errors: kDamaged.
  Status restore(std::uint64_t hash, std::string_view key, std::string_view value);
  /// An empty table gets its entries back, each key once. They come when their hash is asked for, and by load(), so that a start does not wait for all of them; for_each() brings all.
  /// At once: those of timed tables and of tables with a TTL, whose order counts. Errors: kDamaged; of what comes later: damage().
  Status restore(std::shared_ptr<const StoredEntries> entries);
  bool loading() const { return loading_ != nullptr; }
  /// About that many bytes of what has not come yet.
  void load(std::size_t bytes);
  /// Set for good by an entry that did not read when it came: the table lacks it, and no epoch may be made of that.
  const std::optional<Error>& damage() const { return damage_; }

 private:
  /// A slot: where looking for its key begins (so that growing touches no key), and the address of its record with the flags below. 0: the slot is free; flags without an address: the record is in the space.
  /// Free slots are a list: `place` is the next one.
  /// Record: the fixed part; the Stamp of timed tables; the hash, when it is not the place; sizes of key and blob, a byte each, or where one of them needs more two bytes 255 and then four each; key; blob.
  struct Ref {
    std::uint64_t place = 0;
    std::uintptr_t bits = 0;
  };
  static constexpr std::uintptr_t kDirty = 1;       // changed since the last cut: in dirty_
  static constexpr std::uintptr_t kPersisted = 2;   // an earlier epoch holds it: an erase must be told
  static constexpr std::uintptr_t kStored = 4;      // the space has the record as it is
  static constexpr std::uintptr_t kUsed = 8;        // looked at since evict() last came by
  static constexpr std::uintptr_t kFlags = 15;
  static constexpr std::size_t kGroup = 16;         // buckets that are looked at together
  std::size_t group_mask() const { return tags_.size() / kGroup - 1; }
  /// Where a record has its key, and behind it its blob.
  struct Parts {
    std::uint32_t key = 0, blob = 0, key_at = 0;   // bytes, bytes, offset
    std::size_t end() const { return std::size_t{key_at} + key + blob; }
  };
  /// Of timed tables: the bucket of its time in the index, and the order in which it came into that.
  struct Stamp {
    std::uint32_t bucket = 0, number = 0;
  };
  struct TimeIndex;
  struct TimeBucket;
  struct Spill {
    SpillSpace& space;
    std::uint32_t table;               // in the space
    Slot hand = 0;                     // where evict() goes on
    bool pinned = false;
    std::vector<Slot> loaded = {};     // that came from the job's files just now
    std::vector<Stamp> stamps = {};    // of timed tables, by slot, so that those who are not due need not come back
  };

  bool live(Slot slot) const { return refs_[slot].bits != 0; }
  /// Of tables with a TTL, by slot, in order of their last write: its time, and the slots written before and after it. Beside the records, so that the neighbours of a slot need not come back with it.
  struct Written {
    TimeUs at_us = 0;
    Slot before = kNoSlot, after = kNoSlot;
  };
  void written(Slot slot);
  void link_last(Slot slot, TimeUs at_us);
  void unlink(Slot slot);
  void sort_restored();

  /// Null: in the space.
  std::byte* resident(Slot slot) const { return reinterpret_cast<std::byte*>(refs_[slot].bits & ~kFlags); }
  std::byte* record(Slot slot) const {
    std::byte* const at = resident(slot);
    if (at == nullptr) [[unlikely]] return const_cast<KeyedTable*>(this)->bring_back(slot);
    return at;
  }
  std::byte* bring_back(Slot slot);
  void evict_one(Slot slot);
  void evict_loaded();
  /// The record for reading, where it is; until the next look at the space.
  const std::byte* peek(Slot slot) const;
  void mark_used(std::span<const Slot> slots);
  void spill_to(SpillSpace& space);
  void leave_space();
  std::size_t spill_bytes() const;
  template <class T>
  static T read_at(const std::byte* record, std::size_t offset) {
    T v;
    std::memcpy(&v, record + offset, sizeof v);
    return v;
  }
  static constexpr std::uint8_t kWide = 255;
  static bool wide(std::size_t key, std::size_t blob) { return key >= kWide || blob >= kWide; }
  std::size_t key_at(bool wide) const { return sizes_at_ + (wide ? 10U : 2U); }
  std::size_t record_size(std::size_t key, std::size_t blob) const { return key_at(wide(key, blob)) + key + blob; }
  Parts parts_of(const std::byte* record) const {
    const auto key = read_at<std::uint8_t>(record, sizes_at_), blob = read_at<std::uint8_t>(record, sizes_at_ + 1);
    if (key != kWide) [[likely]] return {.key = key, .blob = blob, .key_at = sizes_at_ + 2};
    return {.key = read_at<std::uint32_t>(record, sizes_at_ + 2), .blob = read_at<std::uint32_t>(record, sizes_at_ + 6), .key_at = sizes_at_ + 10};
  }
  void write_sizes(std::byte* record, std::size_t key, std::size_t blob) const;
  std::uint64_t hash_of(Slot slot, const std::byte* record) const { return shared_hashes_ ? read_at<std::uint64_t>(record, hash_at_) : refs_[slot].place; }
  std::string_view key_of(const std::byte* record) const {
    const Parts p = parts_of(record);
    return {reinterpret_cast<const char*>(record) + p.key_at, p.key};
  }

  // Of timed tables (keyed_table_times.cc).
  TimeUs time_of(Slot slot) const;
  Stamp stamp(Slot slot) const { return spill_ ? spill_->stamps[slot] : read_at<Stamp>(record(slot), stamp_at_); }
  void set_stamp(Slot slot, Stamp stamp);
  bool holds(const TimeBucket& bucket, std::size_t item) const;
  void enter_bucket(Slot slot, TimeUs time);
  void leave_bucket(Slot slot);
  void settle(TimeBucket& bucket);
  void enter_restored(Slot slot, TimeUs time, std::uint64_t order);
  void settle_restored();

  std::uint64_t place_of(std::uint64_t hash, std::string_view key) const {
    if (shared_hashes_) return own_place(key);
    return hash;
  }
  static std::uint64_t own_place(std::string_view key);   // out of line: the hot path stays small
  /// The places of a few keys, with what looking for them will touch on its way into the cache.
  void look_ahead(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::uint64_t* places) const;
  /// Its bucket, or SIZE_MAX.
  std::size_t bucket_of(std::uint64_t place, std::uint64_t hash, std::string_view key) const;
  std::size_t free_bucket(std::uint64_t place) const;
  bool is_key(Slot slot, std::uint64_t place, std::uint64_t hash, std::string_view key) const;
  Slot add_record(std::uint64_t place, std::uint64_t hash, std::string_view key, std::size_t blob_bytes);
  Slot insert(std::uint64_t place, std::uint64_t hash, std::string_view key, std::size_t blob_bytes = 0);
  Slot insert_at(std::uint64_t place, std::uint64_t hash, std::string_view key, TimeUs time) {
    const Slot slot = insert(place, hash, key);
    if (spec_.timed) enter_bucket(slot, time);
    return slot;
  }
  enum class PutBack : std::uint8_t {
    kLookUp,    // the key may be there
    kNew,       // it is not
    kNoBucket,  // nor does it get a bucket: all of them are filled at the end
  };
  Status put_back(std::uint64_t hash, std::string_view key, std::string_view value, PutBack how);
  Status put_back_all(const StoredEntries& entries);
  struct Loading;
  std::size_t load_range(std::size_t range);
  void load_hashes(std::span<const std::uint64_t> hashes);
  void load_all();
  static std::size_t capacity_for(std::size_t entries);
  void rehash(std::size_t capacity);
  void write_blob(Slot slot, std::string_view bytes);
  std::size_t value_bytes(std::size_t blob) const;
  void append_value(Slot slot, const std::byte* record, std::string& out) const;

  TableSpec spec_;
  bool shared_hashes_;
  std::uint32_t stamp_at_ = 0, hash_at_ = 0, sizes_at_ = 0;   // in a record
  RecordArena records_;
  BlockVector<Ref> refs_;
  Slot free_ = kNoSlot;               // the first
  std::vector<Slot> dirty_;
  EncodedChanges erased_;
  BlockVector<Slot> buckets_;
  BlockVector<std::uint8_t> tags_;    // of the buckets, in groups of 16: empty, tombstone, or 0x80 | 7 bits of the place
  std::size_t used_buckets_ = 0;      // live and tombstones
  std::size_t live_ = 0;
  std::unique_ptr<TimeIndex> by_time_;
  std::vector<Written> written_;      // of tables with a TTL
  std::unique_ptr<Spill> spill_;
  DurationUs ttl_us_;
  TimeUs now_us_ = kTimeMin;          // of tables with a TTL
  Slot oldest_ = kNoSlot, newest_ = kNoSlot;
  std::unique_ptr<Loading> loading_;  // entries that are still in the files
  std::optional<Error> damage_;
  bool restored_ = false;             // entries came back in another order than that of their times
};

/// Rows waiting for a time, popped in (time, sequence) order; sequence is the order of insertion on this shard.
class OrderedTable {
 public:
  explicit OrderedTable(TableSpec spec);
  ~OrderedTable();
  /// `hash` is the partition key's (it picks the shard at a restore).
  void insert(TimeUs time, std::uint64_t hash, std::string_view blob);
  /// Removes and visits all rows with time <= `until`, in order. The view is valid during the call only.
  void pop_until(TimeUs until, const std::function<void(TimeUs time, std::uint64_t hash, std::string_view blob)>& visit);
  TimeUs next_due() const;
  std::size_t size() const;
  std::size_t memory_bytes() const;
  void take_changes(EncodedChanges& out);
  void forget_changes();
  Status restore(std::uint64_t hash, std::string_view key, std::string_view value);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The tables of one operator on one shard, made from its StateSpec.
class OperatorState {
 public:
  explicit OperatorState(const StateSpec& spec, SpillSpace* space = nullptr);
  ~OperatorState();
  KeyedTable& keyed(std::size_t table);
  OrderedTable& ordered(std::size_t table);
  std::size_t tables() const { return tables_.size(); }
  void take_changes(std::size_t table, EncodedChanges& out);
  /// Of all tables: no epoch will hold them.
  void forget_changes();
  /// See KeyedTable.
  Status restore(std::size_t table, std::shared_ptr<const StoredEntries> entries);
  /// Goes on with tables whose entries still come; true while there are any.
  bool load(std::size_t bytes);
  const Error* damage() const;
  /// Around every call of the operator, and of load(): what its tables throw is the call's error, and what is beyond the limit of their space goes when it is over.
  template <class Call>
  Status call(const Call& operation) {
    if (space_ == nullptr) return operation();
    return call_spilling(operation);
  }
  std::size_t memory_bytes() const;
  std::size_t entries() const;

 private:
  struct Table {
    std::unique_ptr<KeyedTable> keyed;
    std::unique_ptr<OrderedTable> ordered;
  };
  Status call_spilling(const std::function<Status()>& operation);
  std::vector<Table> tables_;
  SpillSpace* space_;
};

}  // namespace supyo::state
