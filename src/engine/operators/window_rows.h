#pragma once
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "core/base/hash.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/recent_slots.h"
#include "engine/operators/window_aggregate.h"
#include "engine/operators/window_bounds.h"

namespace supyo::operators {

/// How many rows went into what a local aggregation gives for a group: the first thing in its text.
inline std::int64_t partial_rows(std::string_view partial) {
  std::int64_t rows = 0;
  std::memcpy(&rows, partial.data(), sizeof rows);
  return rows;
}
inline constexpr std::size_t kPartialHeader = sizeof(std::int64_t);

/// Which rows of a batch go into which windows, and which are late, by the rule of window_aggregate.h. Scratch of an operator: valid until the next take.
class WindowRows {
 public:
  /// `sliced`: entries are of slices (WindowBounds), one a row under the number of the slice of the windows that it is not late for, due with the last of them.
  explicit WindowRows(std::shared_ptr<const WindowAggregateSpec> spec, bool sliced);

  /// Of input rows.
  void take(const Batch& batch, TimeUs combined_us) {
    if (spec_->given) take_given(batch, combined_us); else if (sliced_) assign_slices(batch, combined_us); else assign(batch, combined_us);
  }
  /// As take(), but rows() and numbers() only.
  void take_numbers(const Batch& batch, TimeUs combined_us) {
    keyed_ = false;
    take(batch, combined_us);
    keyed_ = true;
  }
  /// Of rows that a local aggregation made. They are late only where the partitions that they came from had been left out as idle.
  void take_partials(const Batch& batch, TimeUs combined_us);

  /// The slots of all entries in `table`, made where they are missing. It is always the same one. Who erases a slot calls forget() first.
  void find_or_insert(state::KeyedTable& table, std::vector<state::Slot>& slots, std::vector<std::uint8_t>& inserted) {
    recent_.find_or_insert(table, hashes_, keys_.views(), times_, slots, inserted);
  }
  void forget(const state::KeyedTable& table, state::Slot slot) { recent_.forget(table, slot); }
  /// The hash of its key without the number.
  static std::uint64_t key_hash(const state::KeyedTable& table, state::Slot slot) { return table.hash(slot) ^ mix_of(GroupKeys::prefix_of(table.key(slot))); }
  /// The windows of one key share its hash, which must keep its high bits because they name the shard; the low 16 scatter them in the table.
  static std::uint64_t mix_of(std::int64_t number) { return hash_u64(static_cast<std::uint64_t>(number)) & 0xffff; }

  // One entry for each row and window that takes it; times only of those that find_or_insert() has to look for.
  std::span<const std::uint32_t> rows() const { return rows_; }
  std::span<const TimeUs> times() const { return times_; }          ///< the watermark at which the window fires, of a slice the last one
  /// The watermark at which the first window of the entries fires; later only where all entries have come before.
  TimeUs first_fires() const { return sliced_ ? first_fires_ : times_.empty() ? kTimeMax : *std::ranges::min_element(times_); }
  std::span<const std::int64_t> numbers() const { return numbers_; }   ///< after take_numbers() only
  const GroupKeys& codec() const { return keys_; }
  const WindowBounds& bounds() const { return bounds_; }
  LateRows& late() { return late_; }

 private:
  void clear(std::size_t rows);
  void assign(const Batch& batch, TimeUs combined_us);
  void assign_slices(const Batch& batch, TimeUs combined_us);
  void take_given(const Batch& batch, TimeUs combined_us);
  void take_partial_slices(const Batch& batch, TimeUs combined_us);
  void start(const Batch& batch);
  void add(std::uint32_t row, std::int64_t number, TimeUs fires, std::uint64_t mix) {
    rows_.push_back(row);
    if (!keyed_) return numbers_.push_back(number);
    const std::uint64_t hash = keys_.hash(row) ^ mix;
    if (!recent_.add(hash, number, row)) return;
    times_.push_back(fires);
    hashes_.push_back(hash);
    keys_.add(number, row);
  }
  void add_late(std::uint32_t row, TimeUs t, std::int64_t number, TimeUs edge, TimeUs fires);

  std::shared_ptr<const WindowAggregateSpec> spec_;
  WindowBounds bounds_;
  GroupKeys keys_;
  LateRows late_;
  std::vector<std::uint32_t> rows_;
  std::vector<TimeUs> times_;
  std::vector<std::uint64_t> hashes_;
  std::vector<std::int64_t> numbers_;
  TimeUs first_fires_ = kTimeMax;         // of slices
  bool sliced_;
  bool keyed_ = true;                     // false: numbers_ alone
  RecentSlots recent_;
};

}  // namespace supyo::operators
