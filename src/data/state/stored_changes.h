#pragma once
// For tests: entries that are nowhere but in memory, as a job's files would give them back.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "data/state/change_index.h"
#include "data/state/journal.h"
#include "data/state/stored_entries.h"

namespace supyo::state {

inline std::shared_ptr<const StoredEntries> stored_changes(TableChanges changes, std::uint32_t shard = 0, std::uint32_t shards = 1) {
  struct Files {
    std::string record;
    ChangeIndex index;
  };
  auto files = std::make_shared<Files>();
  EpochRecord record{.epoch = Epoch(1), .sections = {}, .tables = {}};
  record.tables.push_back(std::move(changes));
  encode_record(record, 1, 0, 0, 0, files->record);
  std::vector<ChangeList> lists(1);
  std::vector<Section> sections;
  SUPYO_CHECK(decode_body(std::string_view(files->record).substr(kRecordHeaderBytes), sections,
                          [&](Journal::StoredTable table, std::span<const ChangeRef> some) { lists.front().add(table, some); }).has_value());
  files->index = ChangeIndex(lists, {});
  const ChangeIndex& index = files->index;
  return std::make_shared<StoredEntries>(std::move(files), nullptr, index, Journal::StoredTable{}, shard, shards);
}
inline std::shared_ptr<const StoredEntries> stored_changes(std::vector<Change> changes, std::uint32_t shard = 0, std::uint32_t shards = 1) {
  return stored_changes(TableChanges{.changes = std::move(changes)}, shard, shards);
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
