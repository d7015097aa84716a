#pragma once
// For tests: entries that are nowhere but in memory, as a job's files would give them back.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "data/state/journal.h"
#include "data/state/stored_entries.h"

namespace supyo::state {

inline std::shared_ptr<const StoredEntries> stored_changes(std::vector<Change> changes, std::uint32_t shard = 0, std::uint32_t shards = 1) {
  struct Files {
    std::vector<Change> changes;
    std::vector<ChangeView> views;
  };
  auto files = std::make_shared<Files>(Files{.changes = std::move(changes), .views = {}});
  for (const Change& c : files->changes) files->views.push_back({.deleted = c.deleted, .hash = c.hash, .key = c.key, .value = c.value, .order = files->views.size()});
  keep_last_writes(files->views);
  const std::span<const ChangeView> views = files->views;
  return std::make_shared<StoredEntries>(std::move(files), std::span<const SnapshotBlock>{}, views, shard, shards);
}

/// Every live entry of a journal that belongs to the shard, by operator, table, hash and key.
template <class Visit>
void for_each_stored(const Journal& journal, std::uint32_t shard, std::uint32_t shards, const Visit& visit) {
  std::vector<SnapshotEntry> read;
  for (const Journal::StoredTable& table : journal.stored_tables()) {
    const auto entries = journal.stored(table, shard, shards);
    for (std::size_t range = 0; range < entries->ranges(); ++range) {
      entries->read(range, read);
      for (const SnapshotEntry& e : read) visit(e, entries->range_of(e.hash) == range);
    }
  }
}

}  // namespace supyo::state
