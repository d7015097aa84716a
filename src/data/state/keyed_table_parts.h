#pragma once
// What KeyedTable keeps beside its records. For its own files only.
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "data/state/snapshot.h"
#include "data/state/stored_entries.h"
#include "data/state/tables.h"

namespace supyo::state {

// Time -> slots in order of insertion. Erased slots are dropped lazily: an entry counts only while its slot is live with the same birth (of which 32 bits
// tell a slot's lives apart).
struct KeyedTable::TimeBucket {
  struct Item {
    Slot slot;
    std::uint32_t born;
  };
  std::vector<Item> items;
  std::uint64_t last_born = 0;
  bool sorted = true;
};
struct KeyedTable::TimeIndex {
  using Bucket = TimeBucket;
  using Item = Bucket::Item;
  std::map<TimeUs, Bucket> buckets;
  std::map<TimeUs, Bucket>::iterator last = buckets.end();

  void add(TimeUs time, Slot slot, std::uint64_t born) {
    if (last == buckets.end() || last->first != time) last = buckets.try_emplace(time).first;
    Bucket& b = last->second;
    if (!b.items.empty() && b.last_born > born) b.sorted = false;
    b.last_born = born;
    b.items.push_back({slot, static_cast<std::uint32_t>(born)});
  }
};

/// Entries that have not come back yet. An entry whose range has not been taken is in no record: whoever asks for its hash takes the range first.
struct KeyedTable::Loading {
  std::shared_ptr<const StoredEntries> entries;
  std::vector<bool> taken;             // by range
  std::size_t next = 0;                // all before are taken
  std::size_t waiting = 0;             // ranges that are not
  std::size_t waiting_entries = 0;     // in them, at most
  std::vector<SnapshotEntry> read;     // reused
};

}  // namespace supyo::state
