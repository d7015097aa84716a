#include <algorithm>

#include "sql/plan/bind_query.h"

// UNNEST in FROM.
namespace supyo::plan {
namespace {

using expr::ExprPtr;

std::vector<std::string> names_of_elements(const Type& type, const syntax::TableRef& ref, bool with_ordinality) {
  std::vector<std::string> names;
  const Type& element = type.children()[0];
  if (type.id == TypeId::kMap) names = {"KEY", "VALUE"};
  else if (element.id == TypeId::kRow) names = element.field_names();
  else names = {ref.alias ? ref.alias->text : "EXPR$0"};
  if (with_ordinality) names.emplace_back("ORDINALITY");
  return names;
}

/// `node` with one more column, which no relation has.
LogicalPtr with_column(const LogicalPtr& node, ExprPtr value) {
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < node->columns.size(); ++i) {
    exprs.push_back(column_of(*node, i));
    names.push_back(node->columns[i].name);
  }
  exprs.push_back(std::move(value));
  names.emplace_back("$unnest");
  auto wider = std::make_shared<LogicalNode>(*make_project(node, std::move(exprs), std::move(names)));
  for (std::size_t i = 0; i < node->columns.size(); ++i) wider->columns[i].hidden = node->columns[i].hidden;
  return wider;
}

}  // namespace

Result<Scope> QueryBinder::unnest(Scope left, const syntax::TableRef& ref, LogicalJoin::Kind kind, const syntax::Expr* condition) {
  const syntax::Unnest& written = *ref.as<syntax::Unnest>();
  using Kind = LogicalJoin::Kind;
  if (kind != Kind::kInner && kind != Kind::kLeft) return unsupported(ref.span, "RIGHT or FULL JOIN of UNNEST", "CROSS JOIN UNNEST(..), or LEFT JOIN UNNEST(..) ON TRUE");
  if (written.arrays.size() != 1) return unsupported(ref.span, "UNNEST of several arrays", "unnest one, WITH ORDINALITY, and take the others' elements by its number: b[n]");
  if (!left.node) left = Scope::of(make_values({.rows = {{}}}, {}));
  ExprBinder binder(ctx_.functions, left);
  const syntax::Expr& array = *written.arrays.front();
  SUPYO_ASSIGN(const ExprPtr value, binder.bind(array));
  const Type& type = value->type;
  if (!type.is_nested() || type.id == TypeId::kRow)
    return fail_at(array.span, ErrorCode::kTypeMismatch, fmt::format("UNNEST takes an ARRAY, a MAP or a MULTISET, not {}", type.as_nullable().to_string()), "a text can be made one: UNNEST(SPLIT(x, ','))");
  LogicalUnnest op{.with_ordinality = written.with_ordinality, .keep = kind == Kind::kLeft, .names = names_of_elements(type, ref, written.with_ordinality)};
  if (!ref.column_aliases.empty()) {
    if (ref.column_aliases.size() != op.names.size())
      return fail_at(ref.span, ErrorCode::kInvalidQuery, fmt::format("{} column aliases for {} columns", ref.column_aliases.size(), op.names.size()), "name all columns, or none");
    for (std::size_t i = 0; i < op.names.size(); ++i) op.names[i] = ref.column_aliases[i].text;
  }
  LogicalPtr node = left.node;
  op.column = value->column;
  if (value->kind != expr::Expr::Kind::kColumn) {
    op.column = node->columns.size();
    node = with_column(node, value);
  }
  Relation relation{.alias = ref.alias ? ref.alias->text : std::string(), .path = {}, .first = node->columns.size(), .columns = op.names, .merged = {}};
  if (!relation.alias.empty() && std::ranges::any_of(left.relations, [&](const Relation& r) { return r.alias == relation.alias; }))
    return fail_at(ref.span, ErrorCode::kInvalidQuery, fmt::format("`{}` stands twice in FROM", relation.alias), "give one of them another name");
  left.node = make_unnest(std::move(node), std::move(op));
  left.relations.push_back(std::move(relation));
  if (condition == nullptr) return left;
  SUPYO_ASSIGN(const ExprPtr on, ExprBinder(ctx_.functions, left).bind_predicate(*condition, "ON"));
  if (is_true(*on)) return left;
  if (kind == Kind::kLeft) return unsupported(condition->span, "LEFT JOIN UNNEST with a condition", "write ON TRUE, and the condition in SELECT or WHERE");
  left.node = make_filter(left.node, {on, condition->span.position()});
  return left;
}

}  // namespace supyo::plan
