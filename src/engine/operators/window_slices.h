#pragma once
#include <algorithm>
#include <map>
#include <vector>

#include "engine/operators/window_rows.h"

namespace supyo::operators {

/// Which groups have one key: a list for each key, to which mostly its end grows. As RowLists, but only the end is known of a key, which is half of the memory of a key of eight bytes.
class GroupLists {
 public:
  using Slot = state::Slot;
  GroupLists() : ends_({.name = "ends", .fixed_width = sizeof(Slot)}) {}

  Slot next(Slot slot) const { return links_[slot].next; }
  Slot before(Slot slot) const { return links_[slot].before; }
  /// Each before those of its key of which `behind(other, i)` says that they stand behind it.
  template <class Behind>
  void add(std::span<const Slot> slots, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, const Behind& behind) {
    places_.resize(slots.size());
    fresh_.resize(slots.size());
    ends_.find_or_insert(hashes, keys, {}, places_, fresh_);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Slot slot = slots[i];
      if (slot >= links_.size()) links_.resize(std::max<std::size_t>(slot + 1, links_.size() * 2));
      auto& last = ends_.as<Slot>(places_[i]);
      Link link{.before = fresh_[i] != 0 ? state::kNoSlot : last};
      for (; link.before != state::kNoSlot && behind(link.before, i); link.before = links_[link.before].before) link.next = link.before;
      if (link.before != state::kNoSlot) links_[link.before].next = slot;
      (link.next == state::kNoSlot ? last : links_[link.next].before) = slot;
      links_[slot] = link;
    }
    ends_.forget_changes();
  }
  void remove(Slot slot, std::uint64_t hash, std::string_view key) {
    const Link l = links_[slot];
    if (l.before != state::kNoSlot) links_[l.before].next = l.next;
    if (l.next != state::kNoSlot) {
      links_[l.next].before = l.before;
      return;
    }
    const Slot at = ends_.find(hash, key);
    if (l.before != state::kNoSlot) ends_.as<Slot>(at) = l.before;
    else ends_.erase(at);
  }

 private:
  struct Link {
    Slot next = state::kNoSlot, before = state::kNoSlot;
  };
  state::KeyedTable ends_;
  state::BlockVector<Link> links_;
  std::vector<Slot> places_;           // scratch of one call
  std::vector<std::uint8_t> fresh_;
};

/// The groups of a state table that are of slices (WindowBounds): which ones a window has, and which ones have one key. Memory only, beside the table; filled again after a restart.
class WindowSlices {
 public:
  explicit WindowSlices(const WindowBounds& bounds) : bounds_(bounds) {}

  bool empty() const { return slices_.empty(); }
  /// Of all slices.
  std::int64_t first_window() const { return slices_.begin()->second.windows.first; }

  /// Groups that have just come into the table.
  void add(const state::KeyedTable& table, std::span<const state::Slot> slots) {
    hashes_.clear(), keys_.clear();
    bool in_order = true;
    for (const state::Slot slot : slots) {
      const std::int64_t number = number_of(table, slot);
      in_order &= number >= newest_;
      newest_ = std::max(newest_, number);
      if (last_ == nullptr || last_->number != number) {
        last_ = &slices_[number];
        last_->number = number;
        last_->windows = bounds_.slice(number);
      }
      last_->groups.push_back(slot);
      hashes_.push_back(WindowRows::key_hash(table, slot));
      keys_.push_back(GroupKeys::without_prefix(table.key(slot)));
    }
    same_key_.add(slots, hashes_, keys_, [&](state::Slot other, std::size_t i) { return !in_order && number_of(table, other) > number_of(table, slots[i]); });
  }

  /// For each key of the window `do_(first group)`, in order of their first slice, and there of arrival; next() leads to its others.
  template <class Do>
  Status each_of(std::int64_t window, const state::KeyedTable& table, const Do& act) const {
    for (const auto& [number, slice] : slices_) {
      if (slice.windows.first > window) break;
      for (std::size_t i = 0; i < slice.groups.size(); ++i) {
        if (i + 2 * kAhead < slice.groups.size()) table.prefetch_slot(slice.groups[i + 2 * kAhead]), table.prefetch_record(slice.groups[i + kAhead]);
        if (same_key_.before(slice.groups[i]) == state::kNoSlot) SUPYO_TRY(act(slice.groups[i]));
      }
    }
    return ok();
  }
  /// Of the same key and window; kNoSlot: none.
  state::Slot next(std::int64_t window, const state::KeyedTable& table, state::Slot slot) const {
    const state::Slot s = same_key_.next(slot);
    return s != state::kNoSlot && bounds_.slice(number_of(table, s)).first <= window ? s : state::kNoSlot;
  }
  /// The window was the last of some slices: `act` erases each of their groups.
  template <class Do>
  void drop(std::int64_t window, const state::KeyedTable& table, const Do& act) {
    for (auto it = slices_.begin(); it != slices_.end() && it->second.windows.first <= window;) {
      if (it->second.windows.last > window) {
        ++it;
        continue;
      }
      for (const state::Slot slot : it->second.groups) {
        same_key_.remove(slot, WindowRows::key_hash(table, slot), GroupKeys::without_prefix(table.key(slot)));
        act(slot);
      }
      if (last_ == &it->second) last_ = nullptr;
      it = slices_.erase(it);
    }
  }

 private:
  static constexpr std::size_t kAhead = 8;
  struct Slice {
    std::int64_t number = 0;
    WindowBounds::Slice windows;
    std::vector<state::Slot> groups = {};   // in order of arrival
  };
  static std::int64_t number_of(const state::KeyedTable& table, state::Slot slot) { return GroupKeys::prefix_of(table.key(slot)); }

  WindowBounds bounds_;
  std::map<std::int64_t, Slice> slices_;   // by number. None is over: the windows of all of them have not fired, but for the first ones
  Slice* last_ = nullptr;                  // that got a group
  std::int64_t newest_ = INT64_MIN;        // number of a slice ever
  GroupLists same_key_;                      // by the slices' numbers
  std::vector<std::uint64_t> hashes_;      // scratch of one call
  std::vector<std::string_view> keys_;
};

}  // namespace supyo::operators
