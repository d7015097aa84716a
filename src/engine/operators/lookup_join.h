#pragma once
#include <functional>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/lookup.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// Joins each row with those of a table that is read whole when the operator is made, all shards sharing its rows; or that is asked by key for each batch. Its rows are never
/// part of the state. What is taken back is taken back with the partners that it has then. A null in a key equals nothing. Output: the left columns, then the right ones.
struct LookupJoinSpec {
  Schema left, right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise; at least one
  bool keep_left = false;                           ///< rows without a partner stand with nulls
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  Zone zone = {};
  std::function<Result<std::vector<BatchPtr>>()> read;   ///< the table's rows; called for shard 0
  dataflow::LookupFactory ask = nullptr;            ///< instead of `read`: rows of `right` by the values of left_keys; one a shard
  dataflow::LookupCache cache = {};                 ///< of what was asked for
};
Schema output_schema(const LookupJoinSpec& spec);
dataflow::OperatorFactory make_lookup_join(LookupJoinSpec spec);

}  // namespace supyo::operators
