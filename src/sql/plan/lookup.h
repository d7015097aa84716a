#pragma once
#include <vector>

#include "core/base/result.h"
#include "sql/expr/registry.h"
#include "sql/plan/join_in_time.h"
#include "sql/plan/logical.h"

namespace supyo::plan {

/// `a AND b`; `b` where `a` is null.
Result<expr::ExprPtr> both(const expr::FunctionRegistry& functions, const expr::ExprPtr& a, const expr::ExprPtr& b);

/// What a lookup join reads: of `table`, which is a scan below filters and projections, its columns and then those of `keys` that are no columns. Sets all of `op` but
/// what is of the left side.
Status read_table(LookupJoin& op, const LogicalPtr& table, const std::vector<expr::ExprPtr>& keys, const expr::FunctionRegistry& functions);

/// The parts of a lookup join's condition. Of a table that is asked by key only equations with its columns (cast within their family at most) are keys.
/// Errors: kInvalidQuery: there is no key.
Result<JoinParts> parts_of_lookup(const LogicalJoin& join, const LogicalPtr& left, const LogicalPtr& right, const expr::FunctionRegistry& functions);
/// Of such a table: one a key, the column of its schema by which its rows are asked for.
std::vector<std::size_t> asked_columns(const LookupJoin& op);

}  // namespace supyo::plan
