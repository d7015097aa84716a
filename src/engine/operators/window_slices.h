#pragma once
#include <algorithm>
#include <map>
#include <vector>

#include "engine/operators/row_lists.h"
#include "engine/operators/window_rows.h"

namespace supyo::operators {

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
    if (in_order) {
      same_key_.add(slots, hashes_, keys_);
    } else {
      for (std::size_t i = 0; i < slots.size(); ++i)
        same_key_.add(slots[i], hashes_[i], keys_[i], [&, number = number_of(table, slots[i])](state::Slot other) { return number_of(table, other) > number; });
    }
    same_key_.settle();
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
    same_key_.settle();
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
  RowLists same_key_;                      // by the slices' numbers
  std::vector<std::uint64_t> hashes_;      // scratch of one call
  std::vector<std::string_view> keys_;
};

}  // namespace supyo::operators
