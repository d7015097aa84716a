#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "data/state/tables.h"
#include "data/types/builder.h"
#include "engine/operators/distinct_values.h"
#include "engine/operators/extreme_values.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// The accumulators of a list of aggregate calls inside the values of a KeyedTable: all in place after `header_bytes`, and for those that
/// need one a share of the blob (each with its length before it).
class Accumulators {
 public:
  /// `distinct` and `extremes` (may be null; outlive this) keep the values of DISTINCT calls, and of MIN and MAX over rows that go again, in place of their blobs.
  Accumulators(std::vector<expr::AggregateCall> calls, std::uint32_t header_bytes, DistinctValues* distinct = nullptr, ExtremeValues* extremes = nullptr);
  /// Bytes in place, header included.
  std::uint32_t width() const { return width_; }
  std::size_t size() const { return calls_.size(); }
  /// Some accumulator is more than its bytes in place.
  bool has_blobs() const { return blobs_ > 0; }
  Type type(std::size_t i) const { return calls_[i].aggregate->result(); }
  const std::string& name(std::size_t i) const { return calls_[i].name; }

  /// Row rows[i] of `batch` goes into slots[i]; `signs` are empty (all +1) or one a row. The caller has touched the slots.
  Status update(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const state::Slot> slots,
                std::span<const std::int8_t> signs, state::KeyedTable& table);
  /// Appends the current values of a group, one a call, to out[0 ..).
  Status append_values(const state::KeyedTable& table, state::Slot slot, std::span<ColumnBuilder* const> out) const;

  /// For many small steps over the same groups: open(), then any number of fold() and append_open(), then close(). `slots` are all groups of the steps.
  void open(std::span<const state::Slot> slots, const state::KeyedTable& table) {
    if (blobs_ > 0) unpack_blobs(slots, table);
  }
  /// As update(), of open groups.
  Status fold(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const state::Slot> slots, std::span<const std::int8_t> signs, state::KeyedTable& table);
  /// As append_values(), of an open group.
  Status append_open(const state::KeyedTable& table, state::Slot slot, std::span<ColumnBuilder* const> out) const;
  /// Puts what went into `from` into `into`, as if it came after.
  Status merge(state::Slot into, state::Slot from, state::KeyedTable& table);
  /// As merge() and append_values(), of the bytes in place of groups. Only where no call has a blob.
  Status merge(std::byte* into, const std::byte* from) const {
    for (std::size_t call = 0; call < calls_.size(); ++call) SUPYO_TRY(calls_[call].aggregate->merge(into + offsets_[call], nullptr, from + offsets_[call], {}));
    return ok();
  }
  Status append_values(const std::byte* group, std::span<ColumnBuilder* const> out) const {
    for (std::size_t call = 0; call < calls_.size(); ++call) SUPYO_TRY(calls_[call].aggregate->value(group + offsets_[call], {}, *out[call]));
    return ok();
  }
  /// Appends what has gone into a group, for fold_partials().
  void append_partial(const state::KeyedTable& table, state::Slot slot, std::string& out) const {
    out.append(reinterpret_cast<const char*>(table.fixed(slot)) + first_, width_ - first_);
    if (blobs_ > 0) out.append(table.blob(slot));
  }
  /// For each row a group of that row alone, width() bytes each; what stands there before the accumulators is left. Only where no call has a blob.
  Status alone(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const std::int8_t> signs, std::span<std::byte> out);
  /// As update(), of rows each of which is a group already: behind `skip` bytes of its text stands what append_partial() of the same calls wrote.
  Status fold_partials(const Column& partials, std::size_t skip, std::span<const std::uint32_t> rows, std::span<const state::Slot> slots, state::KeyedTable& table);
  /// The open group is as if nothing had gone into it.
  void reset_open(state::Slot slot, state::KeyedTable& table) {
    std::fill(table.fixed(slot) + first_, table.fixed(slot) + width_, std::byte{0});
    if (blobs_ > 0)
      for (std::string& b : open_blobs_[group_of_slot_[slot] - 1]) b.clear();
  }
  void close(state::KeyedTable& table) {
    if (blobs_ > 0) pack_blobs(table);
  }

 private:
  Status update_one(std::size_t call, const Batch& batch, std::span<const std::uint32_t> rows, std::span<const std::int8_t> signs, const state::KeyedTable* table);
  void unpack_blobs(std::span<const state::Slot> slots, const state::KeyedTable& table);
  void pack_blobs(state::KeyedTable& table);

  std::vector<expr::AggregateCall> calls_;
  std::vector<std::uint32_t> offsets_;
  std::vector<std::size_t> blob_index_;  // of a call among those that need a blob; SIZE_MAX = none
  std::size_t blobs_ = 0;
  DistinctValues* distinct_;
  ExtremeValues* extremes_;
  std::uint32_t first_ = 0;   // where the accumulators begin
  std::uint32_t width_ = 0;

  // Scratch of one update.
  std::vector<std::byte*> base_;
  std::span<const state::Slot> row_slots_;
  std::vector<std::byte*> acc_;
  std::vector<std::string*> blob_of_row_;
  std::vector<ColumnPtr> args_;
  DistinctValues::Rows kept_;
  std::vector<state::Slot> open_slots_;               // groups whose blobs are unpacked
  std::vector<std::vector<std::string>> open_blobs_;  // [group][blob]
  std::vector<std::uint32_t> group_of_slot_;          // +1; 0 = not open
};

}  // namespace supyo::operators
