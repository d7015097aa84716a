#pragma once
#include <functional>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// Joins each row with those of a table that is read whole when the operator is made; all shards share its rows, which are never part of the state. What is taken back
/// is taken back with its partners. A null in a key equals nothing. Output: the left columns, then the right ones.
struct LookupJoinSpec {
  Schema left, right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise; at least one
  bool keep_left = false;                           ///< rows without a partner stand with nulls
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  Zone zone = {};
  std::function<Result<std::vector<BatchPtr>>()> read;   ///< the table's rows; called for shard 0
};
Schema output_schema(const LookupJoinSpec& spec);
dataflow::OperatorFactory make_lookup_join(LookupJoinSpec spec);

}  // namespace supyo::operators
