#include <algorithm>

#include "core/base/check.h"
#include "sql/plan/select_columns.h"
#include "sql/plan/join_in_time.h"

// IN (SELECT ..) and EXISTS (SELECT ..) in WHERE, alone or joined by AND: semi and anti joins with what FROM and the rest of WHERE give. Elsewhere: bind_query_value.cc.
namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
using syntax::Span;

void split(const syntax::Expr& e, std::vector<const syntax::Expr*>& out) {
  const auto* b = e.as<syntax::Binary>();
  if (b == nullptr || b->op != syntax::BinaryOp::kAnd) {
    out.push_back(&e);
    return;
  }
  split(*b->left, out);
  split(*b->right, out);
}

/// A conjunct that is a subquery's, alone or under NOT.
struct SubqueryTest {
  const syntax::InQuery* in = nullptr;
  const syntax::Exists* exists = nullptr;
  bool negated = false;
  const syntax::Query& query() const { return in != nullptr ? *in->query : *exists->query; }
};

std::optional<SubqueryTest> subquery_test(const syntax::Expr& e) {
  if (const auto* in = e.as<syntax::InQuery>()) return SubqueryTest{.in = in, .negated = in->negated};
  if (const auto* exists = e.as<syntax::Exists>()) return SubqueryTest{.exists = exists, .negated = false};
  const auto* u = e.as<syntax::Unary>();
  if (u == nullptr || u->op != syntax::UnaryOp::kNot) return std::nullopt;
  auto inner = subquery_test(*u->operand);
  if (inner) inner->negated = !inner->negated;
  return inner;
}

/// An expression of the subquery's WHERE over (columns of the query around it, columns of the subquery).
ExprPtr to_pair(const ExprPtr& e, std::size_t outer_width) {
  if (e->kind == Expr::Kind::kColumn) {
    return expr::column(e->column >= kOuterBase ? e->column - kOuterBase : outer_width + e->column, e->type);
  }
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& a : copy->args) a = to_pair(a, outer_width);
  return copy;
}

bool reads_outer(const Expr& e) {
  const auto read = expr::columns_read(e);
  return !read.empty() && read.back() >= kOuterBase;
}

}  // namespace

Status SelectBinder::where(const Scope* outer) {
  if (!select_.where) return ok();
  std::vector<const syntax::Expr*> conjuncts, tests;
  split(*select_.where, conjuncts);
  const bool any_test = std::ranges::any_of(conjuncts, [](const syntax::Expr* e) { return subquery_test(*e).has_value(); });
  if (!any_test && outer == nullptr) {
    SUPYO_ASSIGN(const ExprPtr predicate, binder(false, false).bind_predicate(*select_.where, "WHERE"));
    scope_.node = filter_joins(scope_.node, predicate, select_.where->span.position());
    return ok();
  }
  ExprPtr rows;
  for (const syntax::Expr* e : conjuncts) {
    if (subquery_test(*e)) {
      tests.push_back(e);
      continue;
    }
    ExprBinder b = binder(false, false);
    b.set_outer(outer);
    SUPYO_ASSIGN(const ExprPtr bound, b.bind_predicate(*e, "WHERE"));
    if (reads_outer(*bound)) {
      correlated_.emplace_back(bound, e->span);
      continue;
    }
    if (rows) {
      SUPYO_ASSIGN(rows, b.call("AND", {rows, bound}, e->span));
    } else {
      rows = bound;
    }
  }
  if (rows) scope_.node = filter_joins(scope_.node, rows, select_.where->span.position());
  for (const syntax::Expr* e : tests) SUPYO_TRY(join_subquery(*e));
  return ok();
}

Status SelectBinder::join_subquery(const syntax::Expr& e) {
  const SubqueryTest test = *subquery_test(e);
  std::vector<ExprPtr> operands;
  if (test.in != nullptr) {
    const auto* row = test.in->operand->as<syntax::RowValue>();
    ExprBinder b = binder(false, false);
    if (row == nullptr) {
      SUPYO_ASSIGN(ExprPtr operand, b.bind(*test.in->operand));
      operands.push_back(std::move(operand));
    } else {
      for (const auto& part : row->items) {
        SUPYO_ASSIGN(ExprPtr operand, b.bind(*part));
        operands.push_back(std::move(operand));
      }
    }
  }
  SUPYO_ASSIGN(const Subquery sub, queries_.subquery(test.query(), scope_));
  if (sub.always_one_row && (test.in == nullptr || operands.size() == 1)) {
    // It has one row whatever it meets: the test is one of that row.
    ExprBinder b = binder(false, false);
    ExprPtr holds = expr::literal({.type = Type::boolean().not_null(), .data = !test.negated});
    if (test.in != nullptr) {
      SUPYO_ASSIGN(const ExprPtr value, scalar_value(sub, e.span));
      SUPYO_ASSIGN(holds, b.call(test.negated ? "<>" : "=", {operands.front(), value}, e.span));
    }
    scope_.node = make_filter(scope_.node, {holds, e.span.position()});
    return ok();
  }
  LogicalJoin join{.kind = test.negated ? LogicalJoin::Kind::kAnti : LogicalJoin::Kind::kSemi, .condition = sub.correlated, .position = e.span.position()};
  if (test.in != nullptr) {
    if (sub.items.size() != operands.size())
      return fail_at(test.query().span, ErrorCode::kInvalidQuery, fmt::format("IN compares {} value{} with {} column{} of the subquery", operands.size(), operands.size() == 1 ? "" : "s", sub.items.size(), sub.items.size() == 1 ? "" : "s"),
                     "select as many columns as stand before IN");
    ExprBinder b = binder(false, false);
    ExprPtr all;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      SUPYO_ASSIGN(ExprPtr equal, b.call("=", {operands[i], sub.items[i]}, e.span));
      if (!test.negated) {
        join.condition.push_back(std::move(equal));
      } else if (all) {
        SUPYO_ASSIGN(all, b.call("AND", {all, equal}, e.span));
      } else {
        all = std::move(equal);
      }
    }
    // NOT IN holds where no row of the subquery is equal or could be: a null on either side leaves it open.
    if (all && all->type.nullable) {
      SUPYO_ASSIGN(all, b.call("IS NOT FALSE", {all}, e.span));
    }
    if (all) join.condition.push_back(std::move(all));
  }
  scope_.node = make_join(scope_.node, sub.node, std::move(join));
  return ok();
}

Status SelectBinder::group_by_correlation() {
  if (!overs_.empty()) return unsupported(correlated_.front().second, "a column of the query around it in a subquery that ranks", "rank in a query of its own, and join its result");
  const LogicalPtr& outer = outer_->node;
  const std::size_t width = outer->columns.size(), inner = scope_.node->columns.size();
  Subquery asked{.node = scope_.node, .correlated = {}, .items = {}, .when_empty = {}, .names = {}, .order = {}};
  for (const auto& [e, span] : correlated_) asked.correlated.push_back(to_pair(e, width));
  const KeyedSubquery q = keyed(asked, outer);
  scope_.node = q.node;   // its first columns are those that were there
  SUPYO_CHECK(scope_.node->columns.size() >= inner);
  for (std::size_t i = 0; i < q.keys.size(); ++i) correlation_.push_back({q.outer[i], place(group_exprs_, q.keys[i]), q.null_safe[i]});
  only_outer_ = q.only_outer;
  return ok();
}

/// What stands above a subquery's aggregation; the keys that the query around it asks for come behind what it selects.
Status SelectBinder::aggregated_subquery(Subquery& out) {
  const std::size_t width = outer_->node->columns.size();
  const bool all = grouped_ && !select_.has_group_by;
  out.one_row_a_key = all;
  out.always_one_row = all && !having_;
  if (all) {
    // Of no rows COUNT is 0, and any other aggregate null.
    std::vector<ExprPtr> of_nothing;
    const std::size_t keys = group_exprs_.size();
    for (const ColumnInfo& c : scope_.node->columns) of_nothing.push_back(expr::literal({.type = c.type.as_nullable(), .data = {}}));
    for (std::size_t i = 0; i < aggregates_.size(); ++i)
      if (aggregates_[i].call.function == "COUNT") of_nothing[keys + i] = expr::literal({.type = Type::big_int().not_null(), .data = std::int64_t{0}});
    for (const Item& item : items_) out.when_empty.push_back(expr::fold_constants(substitute(item.expr, of_nothing)));
    const bool literals = std::ranges::all_of(out.when_empty, [](const ExprPtr& e) { return e->kind == Expr::Kind::kLiteral; });
    if (!literals && !correlation_.empty())
      return unsupported(correlated_.front().second, "a column of the query around it in a subquery that computes something else than its aggregates", "compute it in the query around it");
    if (!literals) out.when_empty.clear();
    const bool nulls = literals && std::ranges::all_of(out.when_empty, [](const ExprPtr& e) { return e->literal.is_null(); });
    if (having_ && !correlation_.empty() && !nulls)
      return unsupported(select_.having->span, "HAVING beside COUNT in a subquery that names columns of the query around it", "compare in the query around it: (SELECT COUNT(*) ..) > 1");
  }
  const std::size_t first = items_.size();
  for (const CorrelationKey& k : correlation_) items_.push_back({column_of(*scope_.node, k.place), fmt::format("$c{}", k.place)});
  SUPYO_ASSIGN(out.node, finish());
  for (std::size_t i = 0; i < first; ++i) out.items.push_back(expr::column(width + i, out.node->columns[i].type));
  ExprBinder b = binder(false, false);
  for (std::size_t i = 0; i < correlation_.size(); ++i) {
    SUPYO_ASSIGN(ExprPtr same, b.call(correlation_[i].null_safe ? "IS NOT DISTINCT FROM" : "=", {correlation_[i].outer, expr::column(width + first + i, out.node->columns[first + i].type)}, correlated_.front().second));
    out.correlated.push_back(std::move(same));
  }
  out.correlated.insert(out.correlated.end(), only_outer_.begin(), only_outer_.end());
  return ok();
}

Result<Subquery> QueryBinder::subquery(const syntax::Query& query, const Scope& outer, bool ordered) {
  const std::size_t width = outer.node->columns.size();
  const auto* select = query.body.as<syntax::Select>();
  if (select != nullptr && query.with.empty() && (ordered || (query.order_by.empty() && !query.offset && !query.limit))) return SelectBinder(*this, *select).bind_subquery(outer, query.order_by);
  SUPYO_ASSIGN(LogicalPtr node, bind(query));
  Subquery out{.node = node, .correlated = {}, .items = {}, .when_empty = {}, .names = {}, .order = {}, .visible = node->columns.size()};
  for (std::size_t i = 0; i < node->columns.size(); ++i) {
    out.items.push_back(expr::column(width + i, node->columns[i].type));
    out.names.push_back(node->columns[i].name);
  }
  return out;
}

Result<Subquery> SelectBinder::bind_subquery(const Scope& outer, const std::vector<syntax::OrderItem>& order_by) {
  const std::size_t width = outer.node->columns.size();
  outer_ = &outer;
  order_by_ = &order_by;
  SUPYO_TRY(from());
  SUPYO_TRY(where(&outer));
  SUPYO_TRY(bind_group_by());
  SUPYO_TRY(bind_items());
  Subquery out{.node = nullptr, .correlated = {}, .items = {}, .when_empty = {}, .names = {}, .order = {}, .visible = visible_};
  for (const Item& item : items_) out.names.push_back(item.name);
  for (std::size_t i = 0; i < order_by.size(); ++i) {
    SUPYO_TRY(check_order(items_[key_columns_[i]].expr->type, order_by[i].expr->span));
    out.order.push_back({key_columns_[i], order_by[i].descending, order_by[i].nulls_first.value_or(!order_by[i].descending)});
  }
  if (grouped_ || !overs_.empty() || qualify_) {
    if (!correlated_.empty() && !grouped_)
      return unsupported(correlated_.front().second, "a column of the query around it in a subquery that ranks", "rank in a query of its own, and join its result");
    SUPYO_TRY(aggregated_subquery(out));
    return out;
  }
  out.node = scope_.node;
  out.distinct = select_.distinct;
  if (out.distinct && items_.size() > visible_)
    return fail_at(order_by.front().expr->span, ErrorCode::kInvalidQuery, "SELECT DISTINCT is ordered by what it does not select", "select it, or group by it");
  for (const auto& [e, span] : correlated_) out.correlated.push_back(to_pair(e, width));
  for (const Item& item : items_) out.items.push_back(to_pair(item.expr, width));
  return out;
}

}  // namespace supyo::plan
