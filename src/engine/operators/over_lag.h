#pragma once
#include <string>
#include <vector>

#include "data/types/value.h"
#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// LAG(column, offset, default) OVER (PARTITION BY keys ORDER BY row time). Output: the input columns, then one column a call.
///
/// Rows wait until the combined watermark reaches their time and leave in (time, arrival) order; rows of one time keep their order of arrival,
/// as in Flink's event-time OVER. A row whose time its edge watermark has reached is late: emit_late(). Takes inserts only.
struct OverLagSpec {
  struct Lag {
    std::size_t column = 0;
    std::uint32_t offset = 1;       ///< rows back; 0 = the row itself
    Value default_value;            ///< of the column's type; null = NULL
    std::string name;
  };
  Schema input;
  std::size_t time_column = 0;
  std::vector<std::size_t> keys;
  std::vector<Lag> lags;
  DurationUs ttl_us = 0;                       ///< how long by the clock what is kept of a key lives after a row of it came last; 0 = for ever
  bool origins = false;
  std::string label = "OverAggregate";
};
Schema output_schema(const OverLagSpec& spec);
dataflow::OperatorFactory make_over_lag(OverLagSpec spec);

}  // namespace supyo::operators
