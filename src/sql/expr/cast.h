#pragma once
#include "sql/expr/expr.h"

namespace supyo::expr {

/// CAST of a whole column. Errors: kArithmetic (a text that is no such value; with try_cast null instead).
/// Numbers that do not fit a narrower integer type wrap, a DECIMAL that does not fit is null: both as Flink (FLINK-24420 is open).
Result<ColumnPtr> cast_column(const ColumnPtr& column, const Type& to, bool try_cast, const EvalContext& ctx);
/// Whether the result depends on the session's time zone.
bool cast_reads_zone(const Type& from, const Type& to);

}  // namespace supyo::expr
