#pragma once
#include <map>
#include <string>
#include <vector>

#include "sql/plan/logical.h"

/// Rewrites that keep the result: each takes a tree and gives a tree with the same output columns.
namespace supyo::plan {

/// Folds constants, brings filters down through projections and unions, merges neighbours.
LogicalPtr simplify(const LogicalPtr& node);

/// Gives each LogicalRank the bound that a filter above it names (number <= n, number = 1, ..), and drops what the bound says already. Needed, whatever the rules.
LogicalPtr bound_ranks(const LogicalPtr& node);

/// Reads and computes only what is needed above. `also_read`: columns that scans keep in any case.
LogicalPtr prune(const LogicalPtr& sink, const std::vector<std::string>& also_read);

/// Aggregations with DISTINCT of one column as two levels, over `buckets` buckets of its values: those without a window, of COUNT, SUM, MIN and MAX.
Result<LogicalPtr> split_distinct(const LogicalPtr& node, const expr::FunctionRegistry& functions, std::int64_t buckets);

/// Per scan id, which columns of the scan's table are read.
using ColumnsRead = std::map<std::size_t, std::vector<std::size_t>>;
void collect_reads(const LogicalPtr& node, ColumnsRead& out);

}  // namespace supyo::plan
