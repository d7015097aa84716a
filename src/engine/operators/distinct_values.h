#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/state/tables.h"
#include "data/types/row_codec.h"
#include "engine/operators/row_lists.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// Which values each DISTINCT call has seen in each group, one entry a value: a new value costs the same whatever the group has, in time and in the epoch's journal.
/// (DISTINCT aggregates that keep their values in the group's blob are for groups that merge: sessions.) One thread.
class DistinctValues {
 public:
  /// The calls of one operator; `input` is its schema. `droppable`: whole groups are dropped (windows), for which each group's entries are listed in memory.
  DistinctValues(std::span<const expr::AggregateCall> calls, const Schema& input, bool droppable = false);
  bool any() const { return any_; }
  /// Whether this call's values are kept here; then the aggregate is its without_distinct().
  bool has(std::size_t call) const { return codecs_[call].has_value(); }
  /// The table that start() is given.
  static state::TableSpec table(DurationUs ttl_us = 0) {
    return {.kind = state::TableSpec::Kind::kKeyed, .name = "distinct", .fixed_width = sizeof(std::int64_t), .ttl_us = ttl_us, .shared_hashes = true};
  }

  /// At the beginning of each batch, and before drop(). The time is for a table with a TTL.
  void start(state::KeyedTable& table, TimeUs now_us = 0);
  /// Rows of groups come (or go: signs, empty = all come). Keeps of `rows`, `slots` and `signs` those whose value is their group's first such, or was its last: of those the aggregate has to
  /// know. Null is no value. `groups` holds the slots. All rows are looked up at once.
  struct Rows {
    std::vector<std::uint32_t> rows;
    std::vector<state::Slot> slots;    // of their groups
    std::vector<std::int8_t> signs;
    std::vector<std::uint32_t> numbers;  // the caller's, kept with them
    void clear() { rows.clear(), slots.clear(), signs.clear(), numbers.clear(); }
  };
  void take(std::size_t call, const Batch& batch, const state::KeyedTable& groups, Rows& rows);
  /// Forgets all values of a group.
  void drop(std::uint64_t group_hash, std::string_view group);

 private:
  std::vector<std::optional<RowCodec>> codecs_;   // by call
  std::vector<std::size_t> columns_;
  bool any_ = false;
  bool droppable_;
  RowLists lists_;                                // by group, when droppable
  state::KeyedTable* table_ = nullptr;
  // Scratch of one call.
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> keys_;
  std::vector<std::uint64_t> hashes_;
  std::vector<state::Slot> slots_;
  std::vector<std::uint8_t> inserted_;
};

}  // namespace supyo::operators
