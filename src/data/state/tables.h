#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

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
  bool shared_hashes = false;      ///< kKeyed: many keys have one hash, which only says the shard (rows of a join key): looked up by the key's own hash
};

/// What an operator keeps: its tables, in order; the position in this list is the table's id in journal and snapshots.
struct StateSpec {
  std::vector<TableSpec> tables;
};

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xffffffffU;

/// One change since the last cut. Within one take_changes() the last entry of a key wins. (hash, key) together identify an entry:
/// after a restore at another parallelism two shards' ordered rows may share a key, never a hash. `hash` decides which shard owns the entry when the job is restored at another parallelism.
struct Change {
  std::uint64_t hash = 0;
  std::string key;
  std::string value;
  bool deleted = false;
};

/// Key -> value, open addressing, in memory. Owned by one operator on one shard; one thread.
///
/// A slot stays valid until its key is erased (erased slots are reused). Call touch() after changing a value in place, or the change is
/// not part of the next epoch. Keys are RowCodec bytes; `hash` must be hash_bytes(key) or hash_rows of the same columns, but always the same.
class KeyedTable {
 public:
  explicit KeyedTable(TableSpec spec);
  ~KeyedTable();

  /// For each row i: the slot of keys[i], inserted (fixed part zeroed, blob empty) when absent. `times` only for timed tables.
  /// `inserted[i]` is 1 for the row that created its slot. Batch probe with prefetch: use it rather than a loop of find().
  void find_or_insert(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<const TimeUs> times,
                      std::span<Slot> slots, std::span<std::uint8_t> inserted);
  Slot find_or_insert(std::uint64_t hash, std::string_view key, TimeUs time = 0);
  Slot find(std::uint64_t hash, std::string_view key) const;

  std::byte* fixed(Slot slot) { return fixed_.data() + static_cast<std::size_t>(slot) * stride_; }
  const std::byte* fixed(Slot slot) const { return fixed_.data() + static_cast<std::size_t>(slot) * stride_; }
  template <class T>
  T& as(Slot slot, std::size_t offset = 0) { return *reinterpret_cast<T*>(fixed(slot) + offset); }
  std::string_view blob(Slot slot) const;
  void set_blob(Slot slot, std::string_view bytes);   ///< touches
  std::string_view key(Slot slot) const;
  std::uint64_t hash(Slot slot) const { return entries_[slot].hash; }
  TimeUs time(Slot slot) const { return entries_[slot].time; }
  void touch(Slot slot) {
    Entry& e = entries_[slot];
    if (!e.dirty) { e.dirty = true; dirty_.push_back(slot); }
  }
  void erase(Slot slot);

  /// Timed tables: appends the live slots with time <= `until` to `out`, by time, then in order of insertion.
  void due(TimeUs until, std::vector<Slot>& out);
  /// Earliest time of a live key; kTimeMax when empty. Timed tables only.
  TimeUs next_due();

  std::size_t size() const { return live_; }
  std::size_t memory_bytes() const;
  void for_each(const std::function<void(Slot)>& visit) const;

  /// Hands over the changes since the last call and forgets them. Called by the runtime at a barrier.
  void take_changes(std::vector<Change>& out);
  /// Forgets them without handing them over: of a table that is no part of any epoch.
  void forget_changes();
  /// Puts an entry back that take_changes() once gave (restore). Not a change. Errors: kDamaged.
  Status restore(std::uint64_t hash, std::string_view key, std::string_view value);

 private:
  static constexpr std::size_t kInlineKey = 16;
  struct Entry {
    std::uint64_t hash = 0;
    TimeUs time = 0;
    std::uint64_t born = 0;           // order of insertion
    char key[kInlineKey] = {};        // the key, or its offset in keys_ when it is longer
    std::uint32_t key_size = 0;
    bool live = false;
    bool dirty = false;
    bool persisted = false;           // an earlier epoch holds it: an erase must be told
  };
  struct TimeIndex;

  Slot insert(std::size_t bucket, std::uint64_t hash, std::string_view key, TimeUs time);
  /// Where looking for the key begins, and its tag.
  std::uint64_t place_of(std::uint64_t hash, std::string_view key) const {
    if (shared_hashes_) [[unlikely]] return own_hash(key);
    return hash;
  }
  static std::uint64_t own_hash(std::string_view key);   // out of line: the hot path stays small
  std::size_t probe(std::uint64_t hash, std::string_view key, bool& found) const;
  void rehash(std::size_t capacity);
  void set_key(Entry& e, std::string_view key);
  void compact_keys();
  void encode_value(Slot slot, std::string& out) const;

  TableSpec spec_;
  bool shared_hashes_;
  std::size_t stride_;
  std::vector<std::byte> fixed_;
  std::vector<Entry> entries_;
  std::vector<std::string> blobs_;    // parallel to entries_ once a blob was set
  std::vector<Slot> free_;
  std::vector<Slot> dirty_;
  std::vector<Change> erased_;
  std::vector<Slot> buckets_;
  std::vector<std::uint8_t> tags_;    // 0 empty, 1 tombstone, else 0x80 | 7 bits of the hash
  std::string keys_;                  // long keys
  std::size_t dead_key_bytes_ = 0;
  std::size_t used_buckets_ = 0;      // live and tombstones
  std::size_t live_ = 0;
  std::uint64_t next_born_ = 0;
  std::unique_ptr<TimeIndex> by_time_;
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
  void take_changes(std::vector<Change>& out);
  Status restore(std::uint64_t hash, std::string_view key, std::string_view value);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The tables of one operator on one shard, made from its StateSpec.
class OperatorState {
 public:
  explicit OperatorState(const StateSpec& spec);
  ~OperatorState();
  KeyedTable& keyed(std::size_t table);
  OrderedTable& ordered(std::size_t table);
  std::size_t tables() const { return tables_.size(); }
  void take_changes(std::size_t table, std::vector<Change>& out);
  Status restore(std::size_t table, std::uint64_t hash, std::string_view key, std::string_view value);
  std::size_t memory_bytes() const;
  std::size_t entries() const;

 private:
  struct Table {
    std::unique_ptr<KeyedTable> keyed;
    std::unique_ptr<OrderedTable> ordered;
  };
  std::vector<Table> tables_;
};

}  // namespace supyo::state
