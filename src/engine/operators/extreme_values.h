#pragma once
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/state/tables.h"
#include "data/types/builder.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// What MIN and MAX of rows that go again are of: the values of each call and group. In state one entry a value, with how often it is there, so that a change costs the same
/// whatever the group has; beside it in memory the order of each group's values, made again after a restart. One thread.
class ExtremeValues {
 public:
  /// The calls of one operator; `input` is its schema.
  ExtremeValues(std::span<const expr::AggregateCall> calls, const Schema& input);
  bool any() const { return any_; }
  bool has(std::size_t call) const { return call < sides_.size() && sides_[call] != 0; }
  /// The table that start() is given.
  static state::TableSpec table() { return {.kind = state::TableSpec::Kind::kKeyed, .name = "extremes", .fixed_width = sizeof(std::int64_t), .shared_hashes = true}; }

  /// At the beginning of each batch.
  void start(state::KeyedTable& table);
  /// A row of the group comes (or goes). Null is no value.
  void take(std::size_t call, const Batch& batch, std::size_t row, std::uint64_t group_hash, std::string_view group, bool goes);
  /// The call's least or greatest value in the group; null when there is none.
  void append(std::size_t call, std::uint64_t group_hash, std::string_view group, ColumnBuilder& out) const;

 private:
  using Slot = state::Slot;
  struct Before {
    const state::KeyedTable* table = nullptr;
    bool operator()(Slot a, Slot b) const { return table->key(a) < table->key(b); }   // they differ in the value only, whose bytes compare as values do
  };
  /// Of a call and group: most have one value.
  struct Values {
    Slot only = state::kNoSlot;
    std::unique_ptr<std::set<Slot, Before>> many;
  };

  void prefix(std::size_t call, std::string_view group, std::string& out) const;
  static std::uint64_t index_hash(std::uint64_t group_hash, std::size_t call) { return group_hash + call * 0x9e3779b97f4a7c15ULL; }
  void link(std::uint64_t hash, std::string_view prefix, Slot slot);
  void unlink(std::uint64_t hash, std::string_view prefix, Slot slot);

  std::vector<int> sides_;             // by call: 0, -1 the least, 1 the greatest
  std::vector<std::size_t> columns_;   // by call
  std::vector<Type> types_;            // by call
  std::vector<std::size_t> owners_;    // by call: the first one over the same values, which keeps them
  bool any_ = false;
  state::KeyedTable* table_ = nullptr;
  mutable state::KeyedTable index_;    // prefix -> slot, the place in values_; never part of an epoch
  std::vector<Values> values_;
  std::string key_;
  mutable std::string asked_;
};

}  // namespace supyo::operators
