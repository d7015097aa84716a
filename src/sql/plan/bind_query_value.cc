#include <algorithm>

#include "sql/plan/bind_query.h"

// A subquery as a value, anywhere in an expression: (SELECT ..), x IN (SELECT ..), EXISTS (SELECT ..), x > ALL (SELECT ..). Each is a left join with a table that has at
// most one row for each row here: aggregated by what the subquery asks of the query around it. Where that is no equality, the values that it asks about are joined into the
// subquery and become the keys.
namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
using syntax::BinaryOp;
using syntax::Span;

const Type kTruth = Type::boolean().not_null();
ExprPtr truth(bool b) { return expr::literal({.type = kTruth, .data = b}); }
ExprPtr unknown() { return expr::literal({.type = Type::boolean(), .data = {}}); }

bool reads_inner(const Expr& e, std::size_t width) {
  const auto read = expr::columns_read(e);
  return !read.empty() && read.back() >= width;
}
bool reads_outer(const Expr& e, std::size_t width) {
  const auto read = expr::columns_read(e);
  return !read.empty() && read.front() < width;
}
/// Of the columns behind `width` only.
ExprPtr inner_part(const ExprPtr& e, std::size_t width, std::size_t columns) {
  std::vector<std::size_t> map(width + columns, 0);
  for (std::size_t i = 0; i < columns; ++i) map[width + i] = i;
  return expr::remap_columns(e, map);
}

/// `exprs` over `node`, under names that do not matter.
LogicalPtr project(const LogicalPtr& node, std::vector<ExprPtr> exprs) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < exprs.size(); ++i) names.push_back(fmt::format("$q{}", i));
  return make_project(node, std::move(exprs), std::move(names));
}

bool gives_one_row(const LogicalNode& node) {
  if (node.as<LogicalProject>() || node.as<LogicalFilter>()) return gives_one_row(*node.input());
  if (const auto* a = node.as<LogicalAggregate>()) return a->keys.empty() && !a->calls.empty();
  if (const auto* s = node.as<LogicalSort>()) return s->count && *s->count <= 1;
  const auto* v = node.as<LogicalValues>();
  return v != nullptr && v->rows.size() == 1;
}

}  // namespace

LogicalPtr distinct(LogicalPtr node, const SourcePosition& position) {
  LogicalAggregate all{.keys = {}, .calls = {}, .position = position};
  for (std::size_t i = 0; i < node->columns.size(); ++i) all.keys.push_back(i);
  return make_aggregate(std::move(node), std::move(all));
}

LogicalPtr marked(const LogicalPtr& node) {
  std::vector<ExprPtr> exprs;
  for (std::size_t i = 0; i < node->columns.size(); ++i) exprs.push_back(column_of(*node, i));
  exprs.push_back(truth(true));
  return project(node, std::move(exprs));
}

std::optional<std::pair<ExprPtr, ExprPtr>> Subquery::equation(const Expr& e, std::size_t width) {
  if (e.kind != Expr::Kind::kCall || (e.function->name != "=" && e.function->name != "IS NOT DISTINCT FROM")) return std::nullopt;
  for (const std::size_t outer : {0U, 1U})
    if (!reads_inner(*e.args[outer], width) && reads_outer(*e.args[outer], width) && reads_inner(*e.args[1 - outer], width) && !reads_outer(*e.args[1 - outer], width))
      return std::pair(e.args[outer], e.args[1 - outer]);
  return std::nullopt;
}

KeyedSubquery keyed(const Subquery& sub, const LogicalPtr& outer) {
  const std::size_t width = outer->columns.size();
  KeyedSubquery out{.node = sub.node, .keys = {}, .outer = {}, .only_outer = {}, .items = {}, .null_safe = {}};
  std::vector<ExprPtr> rest;
  std::vector<std::size_t> asked;   // of the query around it, by more than equations: its different values come into the subquery
  const auto ask = [&](const Expr& e) {
    for (const std::size_t c : expr::columns_read(e))
      if (c < width && std::ranges::find(asked, c) == asked.end()) asked.push_back(c);
  };
  const bool selected = std::ranges::any_of(sub.items, [&](const ExprPtr& item) { return reads_outer(*item, width); });
  for (const ExprPtr& item : sub.items) ask(*item);
  for (const ExprPtr& e : sub.correlated) {
    if (!reads_inner(*e, width)) {
      out.only_outer.push_back(e);
    } else if (const auto equal = selected ? std::nullopt : Subquery::equation(*e, width)) {
      out.outer.push_back(equal->first);
      out.keys.push_back(inner_part(equal->second, width, sub.node->columns.size()));
      out.null_safe.push_back(e->function->name != "=");
    } else {
      rest.push_back(e);
      ask(*e);
    }
  }
  const std::size_t inner = sub.node->columns.size();
  std::vector<std::size_t> map(width + inner, 0);
  for (std::size_t i = 0; i < inner; ++i) map[width + i] = i;
  for (std::size_t i = 0; i < asked.size(); ++i) map[asked[i]] = inner + i;
  for (const ExprPtr& item : sub.items) out.items.push_back(expr::remap_columns(item, map));
  if (asked.empty()) return out;
  for (ExprPtr& e : rest) e = expr::remap_columns(e, map);
  LogicalPtr values = distinct(make_selection(outer, asked), {});
  // A SELECT without FROM has one row for each.
  const bool alone = sub.node->as<LogicalValues>() != nullptr && inner == 0;
  out.node = alone ? std::move(values) : make_join(out.node, std::move(values), {.kind = LogicalJoin::Kind::kInner, .condition = std::move(rest), .position = {}});
  for (std::size_t i = 0; i < asked.size(); ++i) {
    out.outer.push_back(column_of(*outer, asked[i]));
    out.keys.push_back(expr::column(inner + i, outer->columns[asked[i]].type));
    out.null_safe.push_back(outer->columns[asked[i]].type.nullable);
  }
  return out;
}

/// Joins `right`, whose columns from `first_key` on are the keys; where its columns are then.
Result<std::size_t> SelectBinder::attach(const KeyedSubquery& q, LogicalPtr right, std::size_t first_key, std::vector<ExprPtr> condition, const Span& span) {
  const std::size_t place = scope_.node->columns.size();
  ExprBinder b = binder(false, false);
  for (std::size_t i = 0; i < q.keys.size(); ++i) {
    const ExprPtr key = expr::column(place + first_key + i, right->columns[first_key + i].type);
    SUPYO_ASSIGN(ExprPtr same, b.call(q.null_safe[i] ? "IS NOT DISTINCT FROM" : "=", {q.outer[i], key}, span));
    condition.push_back(std::move(same));
  }
  condition.insert(condition.end(), q.only_outer.begin(), q.only_outer.end());
  scope_.node = make_join(scope_.node, std::move(right), {.kind = LogicalJoin::Kind::kLeft, .condition = std::move(condition), .position = span.position()});
  for (std::size_t i = place; i < scope_.node->columns.size(); ++i) references_.emplace_back(i, span);
  return place;
}

Result<ExprPtr> SelectBinder::query_value(const syntax::Expr& e) {
  if (const auto* q = e.as<syntax::ScalarQuery>()) {
    SUPYO_ASSIGN(const Subquery sub, queries_.subquery(*q->query, scope_));
    return scalar_value(sub, e.span);
  }
  if (const auto* q = e.as<syntax::Exists>()) return exists_value(*q, e.span);
  if (const auto* q = e.as<syntax::InQuery>()) return in_value(*q->operand, *q->query, q->negated, e.span);
  const auto& q = *e.as<syntax::QuantifiedComparison>();
  if (q.op == BinaryOp::kEqual && !q.all) return in_value(*q.left, *q.query, false, e.span);
  if (q.op == BinaryOp::kNotEqual && q.all) return in_value(*q.left, *q.query, true, e.span);
  return quantified_value(q, e.span);
}

Status SelectBinder::group_by_values() {
  std::vector<ExprPtr> read;
  for (const Item& item : items_) read.push_back(item.expr);
  for (const ExprPtr& e : {having_, qualify_})
    if (e) read.push_back(e);
  for (const auto& [before, with] : values_) {
    const auto is_key = [&](std::size_t c) {
      return std::ranges::any_of(group_exprs_, [&](const ExprPtr& g) { return g->kind == Expr::Kind::kColumn && g->column == c; });
    };
    for (LogicalPtr node = with; node->columns.size() > before; node = node->inputs[0])
      for (const ExprPtr& e : node->as<LogicalJoin>()->condition)
        for (const std::size_t c : expr::columns_read(*e))
          if (c < before && !is_key(c))
            return fail_at(node->as<LogicalJoin>()->position, ErrorCode::kInvalidQuery, fmt::format("the subquery reads `{}`, which is not in GROUP BY", scope_.node->columns[c].name), "group by it, or put the subquery into an aggregate");
    for (const ExprPtr& e : read)
      for (const std::size_t c : expr::columns_read(*e))
        if (c >= before && c < with->columns.size() && !is_key(c)) group_exprs_.push_back(column_of(*with, c));
  }
  return ok();
}

Result<ExprPtr> SelectBinder::scalar_value(const Subquery& sub, const Span& span) {
  if (sub.items.size() != 1)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("a subquery that stands for a value has one column, this one has {}", sub.items.size()), "select one column");
  KeyedSubquery q = keyed(sub, scope_.node);
  const ExprPtr item = q.items.front();
  std::vector<ExprPtr> columns = {item};
  columns.insert(columns.end(), q.keys.begin(), q.keys.end());
  LogicalPtr right = project(q.node, std::move(columns));
  if (sub.distinct) right = distinct(std::move(right), span.position());
  // Where columns of the query around it are named, COUNT of no rows is 0; else it is an aggregation without GROUP BY, which a stream without rows gives no row of, as in Flink.
  const bool of_no_rows = !sub.correlated.empty() && !sub.when_empty.empty() && !sub.when_empty.front()->literal.is_null();
  if (!sub.one_row_a_key && !(q.keys.empty() && gives_one_row(*sub.node))) {
    // As Flink: a second row is an error when it comes.
    SUPYO_ASSIGN(const expr::ResolvedAggregate single, at(queries_.ctx_.functions.resolve_aggregate("SINGLE_VALUE", std::vector<Type>{item->type}, false, false), span));
    LogicalAggregate one{.keys = {}, .calls = {}, .position = span.position()};
    for (std::size_t i = 0; i < q.keys.size(); ++i) one.keys.push_back(i + 1);
    one.calls.push_back({.function = "SINGLE_VALUE", .args = {0}, .distinct = false, .name = "$q", .type = single.aggregate->result().as_nullable(), .position = span.position()});
    right = make_aggregate(right, std::move(one));
    SUPYO_ASSIGN(const std::size_t place, attach(q, right, 0, {}, span));
    return column_of(*scope_.node, place + q.keys.size());
  }
  if (!of_no_rows) {
    SUPYO_ASSIGN(const std::size_t place, attach(q, right, 1, {}, span));
    return column_of(*scope_.node, place);
  }
  right = marked(right);
  SUPYO_ASSIGN(const std::size_t place, attach(q, right, 1, {}, span));
  ExprBinder b = binder(false, false);
  SUPYO_ASSIGN(const ExprPtr missing, b.call("IS NULL", {column_of(*scope_.node, place + right->columns.size() - 1)}, span));
  return expr::case_when({missing, coerced(sub.when_empty.front(), item->type.as_nullable()), column_of(*scope_.node, place)}, item->type.as_nullable());
}

/// TRUE where a row of `right` (whose columns from `first_key` on are the keys) is met.
Result<ExprPtr> SelectBinder::is_met(const KeyedSubquery& q, LogicalPtr right, std::size_t first_key, std::vector<ExprPtr> condition, const Span& span) {
  right = marked(right);
  const std::size_t width = right->columns.size();
  SUPYO_ASSIGN(const std::size_t place, attach(q, std::move(right), first_key, std::move(condition), span));
  return binder(false, false).call("IS NOT NULL", {column_of(*scope_.node, place + width - 1)}, span);
}

Result<ExprPtr> SelectBinder::exists_value(const syntax::Exists& exists, const Span& span) {
  SUPYO_ASSIGN(Subquery sub, queries_.subquery(*exists.query, scope_));
  if (sub.always_one_row) return truth(true);
  sub.items.clear();   // what it selects does not matter
  const KeyedSubquery q = keyed(sub, scope_.node);
  const std::vector<ExprPtr> columns = q.keys.empty() ? std::vector{truth(true)} : q.keys;
  return is_met(q, distinct(project(q.node, columns), span.position()), 0, {}, span);
}

Result<ExprPtr> SelectBinder::in_value(const syntax::Expr& operand, const syntax::Query& query, bool negated, const Span& span) {
  ExprBinder b = binder(false, false);
  std::vector<ExprPtr> operands;
  const auto* row = operand.as<syntax::RowValue>();
  for (std::size_t i = 0; i < (row == nullptr ? 1 : row->items.size()); ++i) {
    SUPYO_ASSIGN(ExprPtr part, b.bind(row == nullptr ? operand : *row->items[i]));
    operands.push_back(std::move(part));
  }
  SUPYO_ASSIGN(const Subquery sub, queries_.subquery(query, scope_));
  if (sub.items.size() != operands.size())
    return fail_at(query.span, ErrorCode::kInvalidQuery, fmt::format("IN compares {} value{} with {} column{} of the subquery", operands.size(), operands.size() == 1 ? "" : "s", sub.items.size(), sub.items.size() == 1 ? "" : "s"),
                   "select as many columns as stand before IN");
  if (sub.always_one_row && operands.size() == 1) {
    SUPYO_ASSIGN(const ExprPtr value, scalar_value(sub, span));
    return b.call(negated ? "<>" : "=", {operands.front(), value}, span);
  }
  const KeyedSubquery q = keyed(sub, scope_.node);
  const auto set = [&](const LogicalPtr& of, const std::vector<ExprPtr>& items) {
    std::vector<ExprPtr> columns = items;
    columns.insert(columns.end(), q.keys.begin(), q.keys.end());
    if (columns.empty()) columns.push_back(truth(true));
    return distinct(project(of, std::move(columns)), span.position());
  };
  const LogicalPtr values = set(q.node, q.items);
  std::vector<ExprPtr> equal;
  bool may_be_null = false, value_may_be_null = false;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    SUPYO_ASSIGN(ExprPtr same, b.call("=", {operands[i], expr::column(scope_.node->columns.size() + i, values->columns[i].type)}, span));
    equal.push_back(std::move(same));
    may_be_null |= operands[i]->type.nullable;
    value_may_be_null |= q.items[i]->type.nullable;
  }
  SUPYO_ASSIGN(const ExprPtr found, is_met(q, values, operands.size(), equal, span));
  std::vector<ExprPtr> parts = {found, truth(!negated)};
  // Not found, and a null on either side: it could have been equal.
  if (operands.size() > 1 && (may_be_null || value_may_be_null)) {
    SUPYO_ASSIGN(const ExprPtr open, could_be_equal(q, operands, span));
    parts.insert(parts.end(), {open, unknown()});
  } else {
    if (may_be_null) {
      SUPYO_ASSIGN(const ExprPtr is_null, b.call("IS NULL", {operands.front()}, span));
      SUPYO_ASSIGN(const ExprPtr any, is_met(q, set(q.node, {}), 0, {}, span));
      SUPYO_ASSIGN(const ExprPtr open, b.call("AND", {is_null, any}, span));
      parts.insert(parts.end(), {open, unknown()});
    }
    if (value_may_be_null) {
      SUPYO_ASSIGN(const ExprPtr null_value, b.call("IS NULL", {q.items.front()}, span));
      SUPYO_ASSIGN(const ExprPtr has_null, is_met(q, set(make_filter(q.node, {null_value, span.position()}), {}), 0, {}, span));
      parts.insert(parts.end(), {has_null, unknown()});
    }
  }
  parts.push_back(truth(negated));
  return expr::case_when(std::move(parts), kTruth.as_nullable(parts.size() > 3));
}

/// Whether a row of the subquery differs from the operands in nothing but nulls: by the operands as keys, each side's nulls meeting everything.
Result<ExprPtr> SelectBinder::could_be_equal(const KeyedSubquery& q, const std::vector<ExprPtr>& operands, const Span& span) {
  Subquery open{.node = q.node, .correlated = {}, .items = {}, .when_empty = {}, .names = {}, .order = {}};
  const std::size_t width = scope_.node->columns.size();
  std::vector<std::size_t> shift(q.node->columns.size());
  for (std::size_t i = 0; i < shift.size(); ++i) shift[i] = width + i;
  ExprBinder b = binder(false, false);
  for (std::size_t i = 0; i < q.keys.size(); ++i) {
    SUPYO_ASSIGN(ExprPtr same, b.call(q.null_safe[i] ? "IS NOT DISTINCT FROM" : "=", {q.outer[i], expr::remap_columns(q.keys[i], shift)}, span));
    open.correlated.push_back(std::move(same));
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    SUPYO_ASSIGN(const ExprPtr same, b.call("=", {operands[i], expr::remap_columns(q.items[i], shift)}, span));
    SUPYO_ASSIGN(ExprPtr may_be, b.call("IS NOT FALSE", {same}, span));
    open.correlated.push_back(std::move(may_be));
  }
  open.correlated.insert(open.correlated.end(), q.only_outer.begin(), q.only_outer.end());
  const KeyedSubquery by_operand = keyed(open, scope_.node);
  return is_met(by_operand, distinct(project(by_operand.node, by_operand.keys), span.position()), 0, {}, span);
}

/// x > ALL (..): x > the greatest of them; and what is null on either side leaves it open.
Result<ExprPtr> SelectBinder::quantified_value(const syntax::QuantifiedComparison& c, const Span& span) {
  const bool upwards = c.op == BinaryOp::kGreater || c.op == BinaryOp::kGreaterOrEqual;
  if (!upwards && c.op != BinaryOp::kLess && c.op != BinaryOp::kLessOrEqual)
    return unsupported(span, c.all ? "= ALL (SELECT ..)" : "<> ANY (SELECT ..)", "compare with MIN and MAX of the subquery");
  ExprBinder b = binder(false, false);
  SUPYO_ASSIGN(const ExprPtr operand, b.bind(*c.left));
  SUPYO_ASSIGN(const Subquery sub, queries_.subquery(*c.query, scope_));
  if (sub.items.size() != 1) return fail_at(c.query->span, ErrorCode::kInvalidQuery, fmt::format("a comparison with ALL or ANY takes a subquery of one column, this one has {}", sub.items.size()), "select one column");
  const std::string_view op = c.op == BinaryOp::kGreater ? ">" : c.op == BinaryOp::kGreaterOrEqual ? ">=" : c.op == BinaryOp::kLess ? "<" : "<=";
  if (sub.always_one_row) {
    SUPYO_ASSIGN(const ExprPtr value, scalar_value(sub, span));
    return b.call(op, {operand, value}, span);
  }
  const KeyedSubquery q = keyed(sub, scope_.node);
  std::vector<ExprPtr> columns = {q.items.front()};
  columns.insert(columns.end(), q.keys.begin(), q.keys.end());
  LogicalAggregate extremes{.keys = {}, .calls = {}, .position = span.position()};
  for (std::size_t i = 0; i < q.keys.size(); ++i) extremes.keys.push_back(i + 1);
  const Type type = q.items.front()->type.as_nullable(), count = Type::big_int().not_null();
  extremes.calls = {{.function = upwards == c.all ? "MAX" : "MIN", .args = {0}, .distinct = false, .name = "$q0", .type = type, .position = span.position()},
                    {.function = "COUNT", .args = {}, .distinct = false, .name = "$q1", .type = count, .position = span.position()},
                    {.function = "COUNT", .args = {0}, .distinct = false, .name = "$q2", .type = count, .position = span.position()}};
  SUPYO_ASSIGN(const std::size_t joined, attach(q, make_aggregate(project(q.node, std::move(columns)), std::move(extremes)), 0, {}, span));
  const std::size_t place = joined + q.keys.size();
  const ExprPtr rows = column_of(*scope_.node, place + 1), values = column_of(*scope_.node, place + 2);
  SUPYO_ASSIGN(const ExprPtr none, b.call("IS NULL", {rows}, span));
  SUPYO_ASSIGN(const ExprPtr holds, b.call(op, {operand, column_of(*scope_.node, place)}, span));
  SUPYO_ASSIGN(const ExprPtr decided, b.call(c.all ? "IS FALSE" : "IS TRUE", {holds}, span));
  SUPYO_ASSIGN(const ExprPtr nulls, b.call("<", {values, rows}, span));
  return expr::case_when({none, truth(c.all), decided, truth(!c.all), nulls, unknown(), holds}, Type::boolean());
}

}  // namespace supyo::plan
