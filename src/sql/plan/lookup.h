#pragma once
#include <vector>

#include "core/base/result.h"
#include "sql/expr/registry.h"
#include "sql/plan/logical.h"

namespace supyo::plan {

/// `a AND b`; `b` where `a` is null.
Result<expr::ExprPtr> both(const expr::FunctionRegistry& functions, const expr::ExprPtr& a, const expr::ExprPtr& b);

/// What a lookup join reads: of `table`, which is a scan below filters and projections, its columns and then those of `keys` that are no columns. Sets all of `op` but
/// what is of the left side.
Status read_table(LookupJoin& op, const LogicalPtr& table, const std::vector<expr::ExprPtr>& keys, const expr::FunctionRegistry& functions);

}  // namespace supyo::plan
