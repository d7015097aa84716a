#pragma once
// What KeyedTable keeps beside its records. For its own files only.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/state/snapshot.h"
#include "data/state/stored_entries.h"
#include "data/state/tables.h"

namespace supyo::state {

/// The slots of one time in order of insertion. Four bytes a slot: which of them are still there is known from the slots' stamps. An erased slot that came back has another stamp.
struct KeyedTable::TimeBucket {
  TimeUs time = 0;
  std::uint32_t id = 0;
  std::uint32_t live = 0;           // of items
  std::uint64_t origin = 0;         // the order of insertion, in the job's files, of number 0
  std::uint32_t next = 0;           // number of the next that comes
  std::uint32_t settled = 0;        // of items: their numbers grow, with gaps and (after a restore at another parallelism) equal ones; those of all later items follow one another up to `next`
  std::size_t first = 0;            // no item before it is live
  BlockVector<Slot> items = {};
};

struct KeyedTable::TimeIndex {
  std::map<TimeUs, TimeBucket> buckets;       // none without a live slot
  std::vector<std::map<TimeUs, TimeBucket>::iterator> by_id;
  std::vector<std::uint32_t> free_ids;
  TimeBucket* last = nullptr;                 // asked for last
  struct Restored {
    std::uint32_t bucket = 0;
    Slot slot = kNoSlot;
    std::uint64_t order = 0;
  };
  std::vector<Restored> restored;             // until settle_restored()
  std::size_t items = 0;                      // that buckets have room for: asked with every epoch, so it is kept

  TimeBucket& at(TimeUs time);
  void push(TimeBucket& bucket, Slot slot) {
    items -= bucket.items.capacity();
    bucket.items.push_back(slot);
    items += bucket.items.capacity();
  }
  void remove(TimeBucket& bucket);
  /// As values have it.
  void append_time(Stamp stamp, std::string& out) const;
  std::size_t memory_bytes() const;
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
