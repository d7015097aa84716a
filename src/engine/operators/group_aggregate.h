#pragma once
#include <string>
#include <vector>

#include "data/types/changelog.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// GROUP BY without a window: one row a key, updated as rows come. Output columns: keys, aggregates.
///
/// Takes inserts and retractions. Emits at most one change of a key per batch: +I for a new key, -U +U (without `update_before` only +U)
/// when the row changed, -D with the last row when no input row is left. A retraction of a key that has no row is ignored, as in Flink.
struct GroupAggregateSpec {
  Schema input;
  std::vector<std::size_t> keys;                ///< none = one group over all rows (run it on one shard)
  std::vector<expr::AggregateCall> aggregates;
  bool update_before = true;                    ///< the consumer needs -U rows
  bool final_only = false;                      ///< bounded input in batch mode: one +I a key when the input has ended
  bool row_when_empty = false;                  ///< final_only without keys: a row (COUNT 0) even when no input row came
  bool origins = false;
  bool partials = false;                        ///< the second of two levels: the input is what make_local_aggregate() of the same aggregates gives, the keys its first columns
  DurationUs ttl_us = 0;                         ///< how long by the clock what is kept lives after it was last written; 0 = for ever
};
Schema output_schema(const GroupAggregateSpec& spec);
dataflow::OperatorFactory make_group_aggregate(GroupAggregateSpec spec);

}  // namespace supyo::operators
