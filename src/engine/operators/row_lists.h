#pragma once
#include <algorithm>
#include <cstdint>
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

  /// Looks from the end for its place: before the rows of which `behind` says that they stand behind it.
  template <class Behind>
  void add(Slot slot, std::uint64_t hash, std::string_view key, const Behind& behind) {
    if (slot >= links_.size()) links_.resize(std::max<std::size_t>(slot + 1, links_.size() * 2));
    links_[slot] = {};
    const Slot at = index_.find(hash, key);
    if (at == state::kNoSlot) {
      index_.as<Ends>(index_.find_or_insert(hash, key)) = {slot, slot};
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
    Ends& e = index_.as<Ends>(at);
    const Link l = links_[slot];
    (l.before == state::kNoSlot ? e.first : links_[l.before].next) = l.next;
    (l.next == state::kNoSlot ? e.last : links_[l.next].before) = l.before;
    if (e.first == state::kNoSlot) index_.erase(at);
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

  Ends ends(std::uint64_t hash, std::string_view key) {
    const Slot at = index_.find(hash, key);
    return at == state::kNoSlot ? Ends{} : index_.as<Ends>(at);
  }

  state::KeyedTable index_;
  std::vector<Link> links_;
};

}  // namespace supyo::operators
