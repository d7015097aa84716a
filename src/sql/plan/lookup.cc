#include "sql/plan/lookup.h"

#include <fmt/format.h>

namespace supyo::plan {

using expr::Expr;
using expr::ExprPtr;

Result<ExprPtr> both(const expr::FunctionRegistry& functions, const ExprPtr& a, const ExprPtr& b) {
  if (!a) return b;
  SUPYO_ASSIGN(const expr::ResolvedCall conjunction, functions.resolve("AND", std::vector<Type>{a->type, b->type}));
  return expr::call(conjunction.function, {a, b}, conjunction.result);
}

namespace {

struct TableRows {
  const LogicalScan* scan = nullptr;
  ExprPtr filter;
  std::vector<ExprPtr> columns;
};

Result<TableRows> rows_of(const LogicalPtr& node, const expr::FunctionRegistry& functions) {
  if (const auto* s = node->as<LogicalScan>()) {
    TableRows out{.scan = s, .filter = nullptr, .columns = {}};
    for (std::size_t i = 0; i < s->columns.size(); ++i) out.columns.push_back(column_of(*node, i));
    if (s->computed_row_time) out.columns.push_back(s->computed_row_time);
    return out;
  }
  const auto* filter = node->as<LogicalFilter>();
  const auto* project = node->as<LogicalProject>();
  if (filter == nullptr && project == nullptr) return fail(ErrorCode::kInternal, "what is looked up is no table");
  SUPYO_ASSIGN(TableRows in, rows_of(node->input(), functions));
  if (filter != nullptr) {
    SUPYO_ASSIGN(in.filter, both(functions, in.filter, substitute(filter->predicate, in.columns)));
    return in;
  }
  std::vector<ExprPtr> columns;
  for (const ExprPtr& e : project->exprs) columns.push_back(substitute(e, in.columns));
  in.columns = std::move(columns);
  return in;
}

}  // namespace

Status read_table(LookupJoin& op, const LogicalPtr& table, const std::vector<ExprPtr>& keys, const expr::FunctionRegistry& functions) {
  SUPYO_ASSIGN(const TableRows rows, rows_of(table, functions));
  op.table = rows.scan->table;
  op.columns = rows.scan->columns;
  op.filter = rows.filter;
  op.projections = rows.columns;
  const Schema schema = op.table.schema();
  for (const std::size_t c : op.columns) op.not_null.push_back(!schema[c].type.nullable);
  for (const ColumnInfo& c : table->columns) op.right.add(c.name, c.type);
  for (const ExprPtr& k : keys) {
    const bool is_column = k->kind == Expr::Kind::kColumn;
    op.right_keys.push_back(is_column ? k->column : op.projections.size());
    if (is_column) continue;
    op.projections.push_back(substitute(k, rows.columns));
    op.right.add(fmt::format("$k{}", op.projections.size()), k->type);
  }
  return ok();
}

}  // namespace supyo::plan
