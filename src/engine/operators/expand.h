#pragma once
#include <vector>

#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// GROUPING SETS: each row once for every list of projections, list by list. Stateless; keeps kinds, origins and edge watermarks. Rows of one list stay in order.
struct ExpandSpec {
  std::vector<std::vector<expr::ExprPtr>> rows;   ///< each: one an output column, over the input
  Zone zone = {};                                 ///< table.local-time-zone
};
dataflow::OperatorFactory make_expand(ExpandSpec spec);

}  // namespace supyo::operators
