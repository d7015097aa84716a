#pragma once
#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "data/state/tables.h"
#include "data/types/batch.h"

namespace supyo::operators {

/// Where keys that came lately lie in a table. Rows of a stream mostly have keys that others just had: those are neither encoded nor looked for. One place a key, by its hash; a later key takes it.
/// For keys of at most three values of eight bytes without nulls, of which the window's number is one where there is a number; other keys are all looked for.
/// A batch is start(), add() for each entry, find_or_insert(). Who erases a slot calls forget() first.
class RecentSlots {
 public:
  void start(const Batch& batch, std::span<const std::size_t> keys, bool numbered) {
    stop();
    if (pause_ > 0) {
      --pause_;
      return;
    }
    if (keys.size() > (numbered ? 2 : 3)) return;
    numbered_ = numbered;
    columns_ = {&kZero, &kZero, &kZero};
    every_ = {};
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Column& c = *batch.columns[keys[i]];
      const Type& t = c.type();
      if (c.has_nulls() || t.is_floating() || t.is_variable() || t.id == TypeId::kNull || t.width() != 8) return;
      columns_[i] = reinterpret_cast<const std::int64_t*>(c.data()->data());
      every_[i] = SIZE_MAX;
    }
    if (entries_.empty()) entries_.resize(kEntries);
    active_ = true;
  }
  /// In place of start(): every key is looked for.
  void stop() {
    for (const Missing& m : missing_)   // of a batch that was given up
      if (entries_[m.place].slot == state::kNoSlot) entries_[m.place] = {};
    missing_.clear();
    repeats_.clear();
    slots_.clear();
    active_ = false;
  }
  /// True: the entry has to be looked for, under this hash.
  bool add(std::uint64_t hash, std::int64_t number, std::size_t row) {
    if (!active_) return true;
    const std::size_t place = hash % kEntries;
    Entry& e = entries_[place];
    const Words words = {columns_[0][row & every_[0]], columns_[1][row & every_[1]], numbered_ ? number : columns_[2][row & every_[2]]};
    const auto at = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(e.slot);
    // Word by word: the processor does not hand on two words that were just written where both are read as one.
    if (((e.words[0] ^ words[0]) | (e.words[1] ^ words[1]) | (e.words[2] ^ words[2])) == 0) [[likely]] {
      if (e.slot != state::kNoSlot) return false;
      if (e.pending != 0) {
        repeats_.push_back({.entry = at, .missing = e.pending - 1});
        return false;
      }
    }
    slots_.back() = state::kNoSlot;
    missing_.push_back({.entry = at, .place = static_cast<std::uint32_t>(place)});
    e = {.words = words, .slot = state::kNoSlot, .pending = static_cast<std::uint32_t>(missing_.size())};
    return true;
  }
  /// The slots of all entries in `table`; hashes, keys and times are of those that have to be looked for.
  void find_or_insert(state::KeyedTable& table, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<const TimeUs> times, std::vector<state::Slot>& slots,
                      std::vector<std::uint8_t>& inserted) {
    if (!active_) {
      slots.resize(hashes.size());
      inserted.resize(hashes.size());
      return table.find_or_insert(hashes, keys, times, slots, inserted);
    }
    found_.resize(hashes.size());
    made_.resize(hashes.size());
    table.find_or_insert(hashes, keys, times, found_, made_);
    for (const state::Slot slot : slots_)
      if (slot != state::kNoSlot) table.touch(slot);
    inserted.assign(slots_.size(), 0);
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      slots_[missing_[i].entry] = found_[i];
      inserted[missing_[i].entry] = made_[i];
      Entry& e = entries_[missing_[i].place];
      if (e.pending == i + 1) e.slot = found_[i], e.pending = 0;
    }
    for (const Repeat& r : repeats_) slots_[r.entry] = found_[r.missing];
    note_gain();
    missing_.clear();
    slots.swap(slots_);
  }
  void forget(const state::KeyedTable& table, state::Slot slot) {
    if (entries_.empty()) return;
    Entry& e = entries_[table.hash(slot) % kEntries];
    if (e.slot == slot) e.slot = state::kNoSlot;
  }

 private:
  static constexpr std::size_t kEntries = 1024;     // about what the nearest cache holds
  static constexpr std::uint64_t kSample = 8192;    // entries, after which it is asked what they gained
  static constexpr std::uint32_t kPause = 63;       // batches
  static constexpr std::int64_t kZero = 0;
  using Words = std::array<std::int64_t, 3>;
  struct Entry {
    Words words = {};
    state::Slot slot = state::kNoSlot;
    std::uint32_t pending = 0;                      // of missing_, + 1
  };
  struct Missing {
    std::uint32_t entry = 0, place = 0;
  };
  struct Repeat {
    std::uint32_t entry = 0, missing = 0;
  };
  void note_gain() {
    asked_ += slots_.size();
    missed_ += missing_.size();
    if (asked_ < kSample) return;
    if (missed_ > asked_ / 8 * 7) pause_ = kPause;
    asked_ = missed_ = 0;
  }

  std::vector<Entry> entries_;
  std::array<const std::int64_t*, 3> columns_ = {};
  std::array<std::size_t, 3> every_ = {};           // 0: no column, a zero for every row
  bool numbered_ = false, active_ = false;
  std::uint64_t asked_ = 0, missed_ = 0;
  std::uint32_t pause_ = 0;
  // Of a batch.
  std::vector<state::Slot> slots_, found_;
  std::vector<std::uint8_t> made_;
  std::vector<Missing> missing_;
  std::vector<Repeat> repeats_;                     // of keys that are missing
};

}  // namespace supyo::operators
