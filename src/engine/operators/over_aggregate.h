#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/dataflow/operator.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// Aggregates OVER (PARTITION BY keys ORDER BY row time), all over one frame that ends at the row itself. Output: the input columns, then one column a call.
///
/// Rows wait until the combined watermark reaches their time and leave in (time, arrival) order, as in Flink's event-time OVER. Under RANGE rows of one time are in
/// each other's frames and get equal results. A row whose time its edge watermark has reached is late: emit_late(). Takes inserts only.
/// Kept: without a bound one accumulator a key; with n ROWS the last n + 1 rows of a key as well; with a RANGE the rows of the frame, which go, and the key
/// with its last one, as soon as the watermark is past them.
struct OverAggregateSpec {
  struct Frame {
    bool rows = false;                       ///< counts rows; else time
    std::optional<std::int64_t> preceding;   ///< rows, or microseconds, before the row; none = all
  };
  Schema input;
  std::size_t time_column = 0;
  std::vector<std::size_t> keys;
  std::vector<expr::AggregateCall> calls;    ///< with a bound: resolved for retractions
  Frame frame;
  DurationUs ttl_us = 0;                       ///< how long by the clock what is kept of a key lives after a row of it came last, but for RANGE with a bound; 0 = for ever
  bool origins = false;
  std::string label = "OverAggregate";
};
Schema output_schema(const OverAggregateSpec& spec);
dataflow::OperatorFactory make_over_aggregate(OverAggregateSpec spec);

}  // namespace supyo::operators
