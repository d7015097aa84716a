#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/state/tables.h"
#include "data/types/row_codec.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// Which values each DISTINCT call has seen in each group, one entry a value: a new value costs the same whatever the group has, in time and in the epoch's journal.
/// (DISTINCT aggregates that keep their values in the group's blob are for groups that stay small or merge: windows and sessions.) One thread.
class DistinctValues {
 public:
  /// The calls of one operator; `input` is its schema.
  DistinctValues(std::span<const expr::AggregateCall> calls, const Schema& input);
  bool any() const { return any_; }
  /// Whether this call's values are kept here; then the aggregate is its without_distinct().
  bool has(std::size_t call) const { return codecs_[call].has_value(); }
  /// The table that start() is given.
  static state::TableSpec table() { return {.kind = state::TableSpec::Kind::kKeyed, .name = "distinct", .fixed_width = sizeof(std::int64_t), .shared_hashes = true}; }

  void start(state::KeyedTable& table) { table_ = &table; }
  /// A row of the group comes (or goes). True when its value is the group's first such, or was its last: then the aggregate has to know. Null is no value.
  bool take(std::size_t call, const Batch& batch, std::size_t row, std::uint64_t group_hash, std::string_view group, bool goes);

 private:
  std::vector<std::optional<RowCodec>> codecs_;   // by call
  std::vector<std::size_t> columns_;
  bool any_ = false;
  state::KeyedTable* table_ = nullptr;
  std::string key_;
};

}  // namespace supyo::operators
