#pragma once
#include <optional>
#include <vector>

#include "engine/dataflow/operator.h"
#include "engine/operators/window_aggregate.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// The first of two levels of an aggregation: folds the rows of its own shard, so that a group goes to the shard that owns it once for many rows. Only for aggregates that merge, in
/// whatever order. Output: the keys, of assigned windows their number (where they share slices, the slice's), and what has gone into the group (its rows counted, then the accumulators): make_group_aggregate() and
/// make_window_aggregate() take that as partials.
///
/// What it holds is memory only and is gone before every barrier, so it has no state and a restart loses nothing. Of windows it is held until one of them fires, or until there
/// are too many groups; else as `hold` says, and at the end of the batch where that says nothing. Late rows are told here, row by row.
struct LocalAggregateSpec {
  Schema input;
  std::vector<std::size_t> keys;
  std::vector<expr::AggregateCall> aggregates;
  std::optional<WindowAggregateSpec> window = {};   ///< of the same input, keys and aggregates
  struct Hold {
    std::uint64_t rows = 0;                         ///< so many
    DurationUs latency_us = 0;                      ///< ..or so long by the clock; 0 = up to the barrier
  };
  std::optional<Hold> hold = {};
  /// Where hardly any rows go together it steps aside, by what it has seen last: each row is then a group that is gone at once. The result is the same.
  bool adaptive = false;
  bool origins = false;
};
Schema output_schema(const LocalAggregateSpec& spec);
dataflow::OperatorFactory make_local_aggregate(LocalAggregateSpec spec);

}  // namespace supyo::operators
