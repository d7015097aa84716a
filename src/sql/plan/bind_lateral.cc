#include <algorithm>

#include "sql/plan/bind_query.h"

// LATERAL (SELECT ..) in FROM: a subquery whose WHERE may name columns of what stands before it. What it asks of them becomes the keys of a join; with LIMIT it gives
// the first rows of each key, and without GROUP BY its aggregates of no rows, too.
namespace supyo::plan {
namespace {

using expr::ExprPtr;
using Kind = LogicalJoin::Kind;

/// Rows `offset` + 1 to `offset` + `count` of each key; the last `keys` columns of `node` are the keys.
Result<LogicalPtr> first_rows(LogicalPtr node, const Subquery& sub, std::size_t keys, std::uint64_t offset, std::uint64_t count, ExprBinder& b, const syntax::Span& span) {
  LogicalRank rank{.partition = {}, .order = sub.order, .limit = offset + count, .with_number = offset > 0, .name = "$n", .position = span.position()};
  const std::size_t width = node->columns.size();
  for (std::size_t i = width - keys; i < width; ++i) rank.partition.push_back(i);
  node = make_rank(std::move(node), std::move(rank));
  if (offset == 0) return node;
  const ExprPtr skipped = expr::literal({.type = Type::big_int().not_null(), .data = static_cast<std::int64_t>(offset)});
  SUPYO_ASSIGN(const ExprPtr kept, b.call(">", {column_of(*node, width), skipped}, span));
  return make_filter(node, {kept, span.position()});
}

}  // namespace

Result<Scope> QueryBinder::lateral(const Scope& left, const syntax::TableRef& ref, Kind kind, const syntax::Expr* condition) {
  if (kind != Kind::kInner && kind != Kind::kLeft) return unsupported(ref.span, "RIGHT or FULL JOIN of LATERAL", "CROSS JOIN LATERAL (..), or LEFT JOIN LATERAL (..) ON TRUE");
  const syntax::Query& query = *ref.as<syntax::DerivedTable>()->query;
  std::uint64_t offset = 0, count = 0;
  if (query.limit) {
    SUPYO_ASSIGN(count, row_count(*query.limit, "LIMIT"));
  }
  if (query.offset) {
    SUPYO_ASSIGN(offset, row_count(*query.offset, "OFFSET"));
  }
  SUPYO_ASSIGN(Subquery sub, subquery(query, left, true));
  KeyedSubquery q = keyed(sub, left.node);
  const bool bounded = query.limit || query.offset || !query.order_by.empty(), ordered = bounded && (!q.keys.empty() || !q.only_outer.empty());
  if (bounded && !ordered) {
    SUPYO_ASSIGN(sub, subquery(query, left));   // it names nothing: a query like another
    q = keyed(sub, left.node);
  }
  if (ordered && (count == 0 || query.order_by.empty()))
    return unsupported(query.span, "LATERAL with ORDER BY and no LIMIT, or LIMIT and no ORDER BY,", "write ORDER BY .. LIMIT 10 [OFFSET 5]: it gives the first rows");
  std::vector<ExprPtr> columns = q.items;
  std::vector<std::string> names = sub.names;
  columns.insert(columns.end(), q.keys.begin(), q.keys.end());
  names.resize(columns.size(), "$key");
  make_unique(names);
  LogicalPtr right = make_project(q.node, std::move(columns), std::move(names));
  if (sub.distinct) right = distinct(std::move(right), query.span.position());
  ExprBinder b(ctx_.functions, left);
  const std::size_t first_key = q.items.size(), width = left.node->columns.size();
  // Its aggregates of no rows stand where nothing meets; but COUNT they are NULL.
  const bool of_no_rows = sub.always_one_row && !sub.correlated.empty();
  const bool counts = of_no_rows && std::ranges::any_of(sub.when_empty, [](const ExprPtr& e) { return !e->literal.is_null(); });
  if (ordered && !of_no_rows) {
    SUPYO_ASSIGN(right, first_rows(std::move(right), sub, q.keys.size(), offset, count, b, ref.span));
  }
  if (ordered && of_no_rows && offset > 0) return unsupported(query.offset->span, "OFFSET behind the only row of LATERAL", "leave it out");
  if (counts) right = marked(right);
  LogicalJoin join{.kind = of_no_rows ? Kind::kLeft : kind, .condition = {}, .position = ref.span.position()};
  for (std::size_t i = 0; i < q.keys.size(); ++i) {
    SUPYO_ASSIGN(ExprPtr same, b.call(q.null_safe[i] ? "IS NOT DISTINCT FROM" : "=", {q.outer[i], expr::column(width + first_key + i, right->columns[first_key + i].type)}, ref.span));
    join.condition.push_back(std::move(same));
  }
  join.condition.insert(join.condition.end(), q.only_outer.begin(), q.only_outer.end());

  Scope scope = left;
  Relation relation{.alias = ref.alias ? ref.alias->text : std::string(), .path = {}, .first = width, .columns = {sub.names.begin(), sub.names.begin() + static_cast<std::ptrdiff_t>(sub.visible)}, .merged = {}};
  if (!ref.column_aliases.empty()) {
    if (ref.column_aliases.size() != sub.visible)
      return fail_at(ref.span, ErrorCode::kInvalidQuery, fmt::format("{} column aliases for {} columns", ref.column_aliases.size(), sub.visible), "name all columns, or none");
    std::ranges::transform(ref.column_aliases, relation.columns.begin(), &syntax::Identifier::text);
  }
  SUPYO_TRY(differently_named(left, Scope{.node = right, .relations = {relation}, .common = {}}, ref.span));
  scope.relations.push_back(std::move(relation));
  scope.node = make_join(left.node, right, join);
  ExprPtr on;
  if (condition != nullptr) {
    SUPYO_ASSIGN(on, ExprBinder(ctx_.functions, scope).bind_predicate(*condition, "ON"));
    if (is_true(*on)) on = nullptr;
  }
  if (on && kind == Kind::kLeft) {
    if (of_no_rows) return unsupported(condition->span, "LEFT JOIN LATERAL of an aggregation with a condition", "write ON TRUE, and the condition in SELECT or WHERE");
    split_conjuncts(on, join.condition);
    scope.node = make_join(left.node, right, std::move(join));
  }
  if (counts) {
    std::vector<ExprPtr> exprs;
    std::vector<std::string> all;
    for (std::size_t i = 0; i < scope.node->columns.size(); ++i) {
      exprs.push_back(column_of(*scope.node, i));
      all.push_back(scope.node->columns[i].name);
    }
    SUPYO_ASSIGN(const ExprPtr missing, b.call("IS NULL", {exprs.back()}, ref.span));
    for (std::size_t i = 0; i < sub.visible; ++i) {
      const Type type = exprs[width + i]->type;
      exprs[width + i] = expr::case_when({missing, coerced(sub.when_empty[i], type), exprs[width + i]}, type);
    }
    scope.node = make_project(scope.node, std::move(exprs), std::move(all));
  }
  if (on && kind == Kind::kInner) scope.node = make_filter(scope.node, {on, condition->span.position()});
  return scope;
}

}  // namespace supyo::plan
