#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/state/tables.h"

namespace supyo::operators {

/// Which rows have a key: for each key a list of row numbers (slots of a state table, or whatever the operator numbers). Memory only, beside the state that holds the rows:
/// an operator fills it again after a restart. No allocation a row once it has grown.
class RowLists {
 public:
  using Slot = state::Slot;

  RowLists() : index_({.name = "index", .fixed_width = sizeof(Ends)}) {}

  /// kNoSlot: there is none.
  Slot first(std::uint64_t hash, std::string_view key) { return ends(hash, key).first; }
  Slot last(std::uint64_t hash, std::string_view key) { return ends(hash, key).last; }
  Slot next(Slot slot) const { return links_[slot].next; }
  Slot before(Slot slot) const { return links_[slot].before; }

  /// False: no key with this hash has rows, nearly always. Costs next to nothing, while there are few keys.
  bool may_have(std::uint64_t hash) const { return seen_.empty() || (seen_[bit(hash) / 64] >> (bit(hash) % 64) & 1) != 0; }

  /// first() of many keys at once.
  void first(std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<Slot> out) {
    index_.find(hashes, keys, out);
    for (Slot& s : out) s = s == state::kNoSlot ? state::kNoSlot : index_.as<Ends>(s).first;
  }

  /// At the end, each under its key; the rows are not in any list.
  void add(std::span<const Slot> slots, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys) {
    places_.resize(slots.size());
    fresh_.resize(slots.size());
    index_.find_or_insert(hashes, keys, {}, places_, fresh_);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Slot slot = slots[i];
      if (slot >= links_.size()) links_.resize(std::max<std::size_t>(slot + 1, links_.size() * 2));
      Ends& e = index_.as<Ends>(places_[i]);
      if (fresh_[i] != 0) e = {}, note(hashes[i]);
      links_[slot] = {.before = e.last};
      (e.last == state::kNoSlot ? e.first : links_[e.last].next) = slot;
      e.last = slot;
    }
  }

  /// Looks from the end for its place: before the rows of which `behind` says that they stand behind it.
  template <class Behind>
  void add(Slot slot, std::uint64_t hash, std::string_view key, const Behind& behind) {
    if (slot >= links_.size()) links_.resize(std::max<std::size_t>(slot + 1, links_.size() * 2));
    links_[slot] = {};
    const Slot at = index_.find(hash, key);
    if (at == state::kNoSlot) {
      index_.as<Ends>(index_.find_or_insert(hash, key)) = {slot, slot};
      note(hash);
      return;
    }
    Ends& e = index_.as<Ends>(at);
    Slot before = e.last;
    while (before != state::kNoSlot && behind(before)) before = links_[before].before;
    const Slot next = before == state::kNoSlot ? e.first : links_[before].next;
    links_[slot] = {next, before};
    (before == state::kNoSlot ? e.first : links_[before].next) = slot;
    (next == state::kNoSlot ? e.last : links_[next].before) = slot;
  }
  /// At the end.
  void add(Slot slot, std::uint64_t hash, std::string_view key) {
    add(slot, hash, key, [](Slot) { return false; });
  }
  void remove(Slot slot, std::uint64_t hash, std::string_view key) {
    const Slot at = index_.find(hash, key);
    if (!unlink(slot, at)) index_.erase(at);
  }
  /// Of many, each under its key.
  void remove(std::span<const Slot> slots, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys) {
    places_.resize(slots.size());
    index_.find(hashes, keys, places_);
    for (const Slot slot : slots) __builtin_prefetch(&links_[slot]);
    empty_.clear();
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (!unlink(slots[i], places_[i])) empty_.push_back(places_[i]);
    index_.erase(empty_);
  }
  /// The end of a call: nothing of it is for an epoch.
  void settle() { index_.forget_changes(); }

 private:
  struct Ends {
    Slot first = state::kNoSlot, last = state::kNoSlot;
  };
  struct Link {
    Slot next = state::kNoSlot, before = state::kNoSlot;
  };

  static constexpr std::size_t kFilterBits = 1U << 17, kFilterKeys = kFilterBits / 16;   // 16 KiB; beyond so many keys it says little
  static std::size_t bit(std::uint64_t hash) { return (hash ^ hash >> 32) & (kFilterBits - 1); }
  /// A key that was not there. Those that went are forgotten when too many have come.
  void note(std::uint64_t hash) {
    if (++noted_ > kFilterKeys && noted_ > 2 * index_.size()) {
      noted_ = 0;
      seen_.assign(kFilterBits / 64, 0);
      index_.for_each([&](Slot at) { seen_[bit(index_.hash(at)) / 64] |= std::uint64_t{1} << (bit(index_.hash(at)) % 64), ++noted_; });
    }
    if (noted_ > kFilterKeys) return seen_.clear();
    if (seen_.empty()) seen_.assign(kFilterBits / 64, 0);
    seen_[bit(hash) / 64] |= std::uint64_t{1} << (bit(hash) % 64);
  }
  /// False: it was the last of its list.
  bool unlink(Slot slot, Slot at) {
    Ends& e = index_.as<Ends>(at);
    const Link l = links_[slot];
    (l.before == state::kNoSlot ? e.first : links_[l.before].next) = l.next;
    (l.next == state::kNoSlot ? e.last : links_[l.next].before) = l.before;
    return e.first != state::kNoSlot;
  }
  Ends ends(std::uint64_t hash, std::string_view key) {
    const Slot at = index_.find(hash, key);
    return at == state::kNoSlot ? Ends{} : index_.as<Ends>(at);
  }

  state::KeyedTable index_;
  state::BlockVector<Link> links_;
  std::vector<Slot> places_, empty_;   // scratch of one call
  std::vector<std::uint8_t> fresh_;
  std::vector<std::uint64_t> seen_;    // bits of the keys' hashes; empty: no filter
  std::size_t noted_ = 0;              // keys in it
};

}  // namespace supyo::operators
