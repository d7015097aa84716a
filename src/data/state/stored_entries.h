#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/state/change_index.h"
#include "data/state/journal_format.h"
#include "data/state/snapshot_format.h"

namespace supyo::state {

/// Tables with entries in the one or the other, in order.
std::vector<Journal::StoredTable> tables_of(const SnapshotReader* snapshot, const ChangeIndex& changes);

/// The entries of one table on one shard as the job's files hold them, in ranges of their hashes: a table that comes back takes first what it is asked for (KeyedTable::restore).
/// Immutable: any thread. Keeps the files mapped.
class StoredEntries {
 public:
  /// Of a snapshot (null: none) and of what changed later; `files` keeps both, and what their views point into.
  StoredEntries(std::shared_ptr<const void> files, const SnapshotReader* snapshot, const ChangeIndex& changes, const Journal::StoredTable& table, std::uint32_t shard, std::uint32_t shards);

  std::size_t ranges() const { return ranges_.size(); }
  /// The one range that holds all entries of this hash, if there are any.
  std::size_t range_of(std::uint64_t hash) const;
  /// All entries, at most: those that were overwritten or deleted since the snapshot count, and so do another shard's at both ends.
  std::size_t entries() const;
  struct Read {
    std::size_t entries = 0;   ///< how many of entries() the range was
    std::size_t bytes = 0;     ///< about what it cost
  };
  /// Replaces `out` by the entries of the range that are this shard's, by hash and key. Views into the files.
  Read read(std::size_t range, std::vector<SnapshotEntry>& out) const;

 private:
  struct Range {
    std::uint64_t first_hash = 0;
    std::size_t block = 0;   // where it begins; it ends where the next one does
  };
  std::span<const SnapshotBlock> blocks_of(std::size_t range) const;
  std::uint64_t last_hash(std::size_t range) const { return range + 1 < ranges_.size() ? ranges_[range + 1].first_hash - 1 : last_hash_; }

  std::shared_ptr<const void> files_;
  std::span<const SnapshotBlock> blocks_;
  const TableIndex* changes_ = nullptr;   // null: none
  std::uint32_t shard_;
  std::uint32_t shards_;
  std::uint64_t first_hash_, last_hash_;   // that are this shard's
  std::vector<Range> ranges_;
};

}  // namespace supyo::state
