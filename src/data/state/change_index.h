#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "data/state/big_memory.h"
#include "data/state/journal_format.h"
#include "data/state/side_by_side.h"

namespace supyo::state {

/// Changes as records are walked, in order of writing: what one thread collects.
class ChangeList {
 public:
  void add(Journal::StoredTable table, std::span<const ChangeRef> changes);

 private:
  friend class ChangeIndex;
  struct Chunk {
    std::unique_ptr<ChangeRef[]> changes;
    std::size_t size = 0, capacity = 0;
    std::span<const ChangeRef> all() const { return {changes.get(), size}; }
  };
  std::map<Journal::StoredTable, std::vector<Chunk>> tables_;   // chunks, so that nothing moves as it grows
};

/// The changes of one table, dealt out by the highest bits of their hashes, and put in order when they are read: a start does not wait for the order of millions. Immutable: any thread.
class TableIndex {
 public:
  std::size_t size() const { return ends_.back(); }   ///< writes; the last of a key counts
  /// Piles, each of a range of hashes.
  std::size_t piles() const { return ends_.size() - 1; }
  std::uint64_t first_hash(std::size_t pile) const { return bits_ == 0 ? 0 : static_cast<std::uint64_t>(pile) << (64 - bits_); }
  std::size_t pile_of(std::uint64_t hash) const { return bits_ == 0 ? 0 : static_cast<std::size_t>(hash >> (64 - bits_)); }
  std::span<const ChangeRef> pile(std::size_t pile) const { return {changes_.get() + ends_[pile], ends_[pile + 1] - ends_[pile]}; }
  /// How many writes have hashes from `first` to `last`.
  std::size_t count(std::uint64_t first, std::uint64_t last) const;
  /// Replaces `out` by the last write of each key among them, by hash and key; returns how many they were.
  std::size_t read(std::uint64_t first, std::uint64_t last, std::vector<ChangeView>& out) const;

 private:
  friend class ChangeIndex;
  Journal::StoredTable table_;
  int bits_ = 0;
  std::vector<std::size_t> ends_;   // where a pile begins, and the end of the last
  BlockArray<ChangeRef> changes_;
};

/// The changes of many epochs, by table. Their views point into the records: whoever keeps the index keeps the files mapped.
class ChangeIndex {
 public:
  ChangeIndex() = default;
  /// Of lists that follow one another.
  ChangeIndex(std::span<const ChangeList> lists, const SideBySide& threads);
  const std::map<Journal::StoredTable, TableIndex>& tables() const { return tables_; }

 private:
  std::map<Journal::StoredTable, TableIndex> tables_;
};

}  // namespace supyo::state
