#pragma once
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// SELECT .. WHERE: filter and projections in one pass. Stateless; keeps kinds, origins and edge watermarks of the rows that stay.
struct CalcSpec {
  expr::ExprPtr filter;                     ///< BOOLEAN over the input; null = all rows stay
  std::vector<expr::ExprPtr> projections;   ///< over the input; one an output column
  Zone zone = {};            ///< table.local-time-zone
};
dataflow::OperatorFactory make_calc(CalcSpec spec);

}  // namespace supyo::operators
