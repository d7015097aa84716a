#include "data/state/stored_entries.h"

#include <algorithm>

#include "core/base/hash.h"

namespace supyo::state {
namespace {

constexpr std::size_t kRangeChanges = 1024;   // of a range that no block ends

}  // namespace

StoredEntries::StoredEntries(std::shared_ptr<const void> files, std::span<const SnapshotBlock> blocks, std::span<const ChangeView> changes, std::uint32_t shard, std::uint32_t shards)
    : files_(std::move(files)), shard_(shard), shards_(shards) {
  // What belongs to a shard is one piece of each: shard_of() grows with the hash.
  const auto is_before = [&](std::uint64_t hash) { return shard_of(hash, shards) < shard; };
  const auto is_not_after = [&](std::uint64_t hash) { return shard_of(hash, shards) <= shard; };
  blocks_ = {std::ranges::partition_point(blocks, is_before, &SnapshotBlock::last_hash), std::ranges::partition_point(blocks, is_not_after, &SnapshotBlock::first_hash)};
  changes_ = {std::ranges::partition_point(changes, is_before, &ChangeView::hash), std::ranges::partition_point(changes, is_not_after, &ChangeView::hash)};
  if (blocks_.empty() && changes_.empty()) return;
  begin_range(0, 0);
  // A hash that ends one block and begins the next keeps both in one range.
  for (std::size_t b = 1; b < blocks_.size(); ++b)
    if (blocks_[b].first_hash != blocks_[b - 1].last_hash) begin_range(blocks_[b].first_hash, b);
  if (!blocks_.empty()) return;
  for (std::size_t c = kRangeChanges; c < changes_.size(); ++c)
    if (c - ranges_.back().change >= kRangeChanges && changes_[c].hash != changes_[c - 1].hash) begin_range(changes_[c].hash, 0);
}

void StoredEntries::begin_range(std::uint64_t first_hash, std::size_t block) {
  const auto change = std::ranges::lower_bound(changes_, first_hash, {}, &ChangeView::hash);
  ranges_.push_back({.first_hash = first_hash, .block = block, .change = static_cast<std::size_t>(change - changes_.begin())});
}

std::size_t StoredEntries::range_of(std::uint64_t hash) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(ranges_, hash, {}, &Range::first_hash) - ranges_.begin()) - 1;
}

std::size_t StoredEntries::entries(std::size_t range) const {
  std::size_t n = 0;
  for (const SnapshotBlock& b : blocks_of(range)) n += b.count;
  for (const ChangeView& c : changes_of(range)) n += c.deleted ? 0 : 1;
  return n;
}

std::size_t StoredEntries::bytes(std::size_t range) const {
  std::size_t n = 0;
  for (const SnapshotBlock& b : blocks_of(range)) n += b.entries.size();
  for (const ChangeView& c : changes_of(range)) n += c.key.size() + c.value.size();
  return n;
}

void StoredEntries::read(std::size_t range, std::vector<SnapshotEntry>& out) const {
  out.clear();
  for (OverlayCursor c(blocks_of(range), changes_of(range), shard_, shards_); c.get() != nullptr; c.next()) out.push_back(*c.get());
}

}  // namespace supyo::state
