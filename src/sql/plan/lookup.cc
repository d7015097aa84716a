#include "sql/plan/lookup.h"

#include <fmt/format.h>

#include <optional>

#include "sql/catalog/option_traits.h"
#include "sql/plan/bind_expr.h"

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

/// A cast that neither loses a value nor makes two of one.
bool within_family(const Type& from, const Type& to) {
  const auto exact = [](const Type& t) { return t.is_integer() || t.id == TypeId::kDecimal; };
  return (exact(from) && exact(to) && to.scale >= from.scale) || (from.is_text() && to.is_text());
}

/// The column that says what `e` is equal to.
std::optional<std::size_t> asked_column(const Expr& e) {
  const Expr& inner = e.kind == Expr::Kind::kCast && !e.try_cast && within_family(e.args[0]->type, e.type) ? *e.args[0] : e;
  return inner.kind == Expr::Kind::kColumn ? std::optional(inner.column) : std::nullopt;
}

}  // namespace

Result<JoinParts> parts_of_lookup(const LogicalJoin& join, const LogicalPtr& left, const LogicalPtr& right, const expr::FunctionRegistry& functions) {
  JoinParts parts = parts_of(join, *left, *right);
  SUPYO_ASSIGN(const TableRows rows, rows_of(right, functions));
  JoinParts out{.left_keys = {}, .right_keys = {}, .rest = std::move(parts.rest)};
  std::vector<ExprPtr> behind_left;   // the right columns, in pairs
  for (std::size_t i = 0; i < right->columns.size(); ++i) behind_left.push_back(expr::column(left->columns.size() + i, right->columns[i].type));
  for (std::size_t i = 0; i < parts.left_keys.size(); ++i) {
    const ExprPtr& k = parts.right_keys[i];
    if (!catalog::is_asked_by_key(rows.scan->table) || asked_column(*substitute(k, rows.columns))) {
      out.left_keys.push_back(parts.left_keys[i]);
      out.right_keys.push_back(k);
      continue;
    }
    SUPYO_ASSIGN(const expr::ResolvedCall equal, functions.resolve("=", std::vector<Type>{parts.left_keys[i]->type, k->type}));
    out.rest.push_back(expr::call(equal.function, {parts.left_keys[i], substitute(k, behind_left)}, equal.result));
  }
  if (out.left_keys.empty())
    return fail_at(join.position, ErrorCode::kInvalidQuery, "the condition of a join by processing time must equate a column of the table with something of the left rows", "add to ON: o.k = t.k");
  return out;
}

std::vector<std::size_t> asked_columns(const LookupJoin& op) {
  std::vector<std::size_t> out;
  for (const std::size_t k : op.right_keys) out.push_back(op.columns[*asked_column(*op.projections[k])]);
  return out;
}

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
