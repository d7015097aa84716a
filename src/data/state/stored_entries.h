#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/state/journal_format.h"
#include "data/state/snapshot_format.h"

namespace supyo::state {

/// The entries of one table on one shard as the job's files hold them, in ranges of their hashes: a table that comes back takes first what it is asked for (KeyedTable::restore).
/// Immutable: any thread. Keeps the files mapped.
class StoredEntries {
 public:
  /// Blocks and changes of one table, both by hash and key, the changes one a key; `files` is what their views point into.
  StoredEntries(std::shared_ptr<const void> files, std::span<const SnapshotBlock> blocks, std::span<const ChangeView> changes, std::uint32_t shard, std::uint32_t shards);

  std::size_t ranges() const { return ranges_.size(); }
  /// The one range that holds all entries of this hash, if there are any.
  std::size_t range_of(std::uint64_t hash) const;
  /// Entries of a range, at most: those that were overwritten or deleted since the snapshot count, and so do another shard's at both ends.
  std::size_t entries(std::size_t range) const;
  /// What reading the range costs, about.
  std::size_t bytes(std::size_t range) const;
  /// Replaces `out` by the entries of the range that are this shard's, by hash and key. Views into the files.
  void read(std::size_t range, std::vector<SnapshotEntry>& out) const;

 private:
  struct Range {
    std::uint64_t first_hash = 0;
    std::size_t block = 0, change = 0;   // where it begins; it ends where the next one does
  };
  std::span<const SnapshotBlock> blocks_of(std::size_t range) const { return blocks_.subspan(ranges_[range].block, end(range).block - ranges_[range].block); }
  std::span<const ChangeView> changes_of(std::size_t range) const { return changes_.subspan(ranges_[range].change, end(range).change - ranges_[range].change); }
  Range end(std::size_t range) const {
    return range + 1 < ranges_.size() ? ranges_[range + 1] : Range{.block = blocks_.size(), .change = changes_.size()};
  }
  void begin_range(std::uint64_t first_hash, std::size_t block);

  std::shared_ptr<const void> files_;
  std::span<const SnapshotBlock> blocks_;
  std::span<const ChangeView> changes_;
  std::uint32_t shard_;
  std::uint32_t shards_;
  std::vector<Range> ranges_;
};

}  // namespace supyo::state
