#pragma once
#include "sql/expr/registry.h"

namespace supyo::expr {

/// RANK() and DENSE_RANK() of rows that come in the order that they are ranked by: over the time in that order, as an aggregate of all rows so far.
AggregatePtr make_rank(bool dense);

}  // namespace supyo::expr
