#include "data/state/stored_entries.h"

#include <algorithm>

#include "core/base/hash.h"

namespace supyo::state {
namespace {

constexpr std::size_t kRangeChanges = 1024;   // of a range that no block ends

/// The lowest hash with shard_of() = `shard`.
std::uint64_t first_hash_of(std::uint32_t shard, std::uint32_t shards) {
  return static_cast<std::uint64_t>(((static_cast<unsigned __int128>(shard) << 64) + shards - 1) / shards);
}

Journal::StoredTable table_of(const SnapshotBlock& b) { return {b.operator_id, b.table}; }

}  // namespace

std::vector<Journal::StoredTable> tables_of(const SnapshotReader* snapshot, const ChangeIndex& changes) {
  std::vector<Journal::StoredTable> out;
  if (snapshot != nullptr)
    for (const SnapshotBlock& b : snapshot->blocks())
      if (out.empty() || out.back() != table_of(b)) out.push_back(table_of(b));
  for (const auto& [table, index] : changes.tables()) out.push_back(table);
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

StoredEntries::StoredEntries(std::shared_ptr<const void> files, const SnapshotReader* snapshot, const ChangeIndex& changes, const Journal::StoredTable& table, std::uint32_t shard, std::uint32_t shards)
    : files_(std::move(files)),
      shard_(shard),
      shards_(shards),
      first_hash_(first_hash_of(shard, shards)),
      last_hash_(shard + 1 == shards ? UINT64_MAX : first_hash_of(shard + 1, shards) - 1) {
  if (const auto index = changes.tables().find(table); index != changes.tables().end()) changes_ = &index->second;
  const auto blocks = std::ranges::equal_range(snapshot == nullptr ? std::span<const SnapshotBlock>{} : snapshot->blocks(), table, {}, table_of);
  const auto first = std::ranges::lower_bound(blocks, first_hash_, {}, &SnapshotBlock::last_hash);
  blocks_ = {first, std::ranges::upper_bound(first, blocks.end(), last_hash_, {}, &SnapshotBlock::first_hash)};
  if (entries() == 0) return;
  ranges_.emplace_back();
  // A hash that ends one block and begins the next keeps both in one range.
  for (std::size_t b = 1; b < blocks_.size(); ++b)
    if (blocks_[b].first_hash != blocks_[b - 1].last_hash) ranges_.push_back({.first_hash = blocks_[b].first_hash, .block = b});
  if (!blocks_.empty()) return;
  std::size_t n = 0;
  for (std::size_t pile = changes_->pile_of(first_hash_); pile < changes_->pile_of(last_hash_); ++pile) {
    if (n += changes_->pile(pile).size(); n < kRangeChanges) continue;
    ranges_.push_back({.first_hash = changes_->first_hash(pile + 1)});
    n = 0;
  }
}

std::size_t StoredEntries::range_of(std::uint64_t hash) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(ranges_, hash, {}, &Range::first_hash) - ranges_.begin()) - 1;
}

std::span<const SnapshotBlock> StoredEntries::blocks_of(std::size_t range) const {
  const std::size_t end = range + 1 < ranges_.size() ? ranges_[range + 1].block : blocks_.size();
  return blocks_.subspan(ranges_[range].block, end - ranges_[range].block);
}

std::size_t StoredEntries::entries() const {
  std::size_t n = changes_ == nullptr ? 0 : changes_->count(first_hash_, last_hash_);
  for (const SnapshotBlock& b : blocks_) n += b.count;
  return n;
}

StoredEntries::Read StoredEntries::read(std::size_t range, std::vector<SnapshotEntry>& out) const {
  out.clear();
  Read read;
  std::vector<ChangeView> changes;
  if (changes_ != nullptr) read.entries = changes_->read(std::max(first_hash_, ranges_[range].first_hash), last_hash(range), changes);
  for (const SnapshotBlock& b : blocks_of(range)) read.entries += b.count;
  OverlayCursor c(blocks_of(range), changes, shard_, shards_);
  for (; c.get() != nullptr; c.next()) out.push_back(*c.get());
  read.bytes = c.bytes_read();
  return read;
}

}  // namespace supyo::state
