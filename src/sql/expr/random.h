#pragma once
#include <vector>

#include "sql/expr/expr.h"

namespace supyo::expr {

/// Settles what RAND, RAND_INTEGER and UUID give in an expression over rows of `columns`.
///
/// `of_row`: a row of the same content gets the same values, so that what takes a row back takes back what it gave. They are a function of the row and of the job
/// (EvalContext::salt): over rows that are updated, and in conditions of joins. Else every row gets its own, or the next of its constant seed.
/// A seed that is no constant decides alone, as in Flink.
/// `calls` counts the calls of one operator, so that each gives values of its own.
ExprPtr settle_random(const ExprPtr& e, bool of_row, const std::vector<Type>& columns, std::int64_t& calls);

}  // namespace supyo::expr
