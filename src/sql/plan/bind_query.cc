#include "sql/plan/bind_query.h"

#include <algorithm>

#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"

namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::Span;

constexpr int kMaxViewDepth = 64;

std::vector<std::string> names_of(const LogicalNode& node) {
  std::vector<std::string> names;
  for (const ColumnInfo& c : node.columns) names.push_back(c.name);
  return names;
}

Result<LogicalPtr> renamed(LogicalPtr node, const std::vector<syntax::Identifier>& names, const Span& span) {
  if (names.empty()) return node;
  if (names.size() != node->columns.size())
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} column names for {} columns", names.size(), node->columns.size()), "name all columns, or none");
  std::vector<ExprPtr> exprs;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    exprs.push_back(column_of(*node, i));
    texts.push_back(names[i].text);
  }
  return make_project(std::move(node), std::move(exprs), std::move(texts));
}

}  // namespace

Result<std::uint64_t> row_count(const syntax::Expr& e, std::string_view clause) {
  const auto* n = e.as<syntax::NumberLiteral>();
  if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || n->text.size() > 18)
    return fail_at(e.span, ErrorCode::kInvalidQuery, fmt::format("{} takes a whole number", clause), fmt::format("write {} 10", clause));
  return std::stoull(n->text);
}

Result<std::size_t> order_position(const syntax::Expr& e, std::size_t columns) {
  SUPYO_ASSIGN(const std::uint64_t position, row_count(e, "ORDER BY"));
  if (position < 1 || position > columns)
    return fail_at(e.span, ErrorCode::kInvalidQuery, fmt::format("ORDER BY {}: the query has {} columns", position, columns), "count from 1");
  return position - 1;
}

namespace {

/// `node` with column i cast to types[i]; itself when nothing changes.
LogicalPtr cast_columns(LogicalPtr node, const std::vector<Type>& types) {
  std::vector<ExprPtr> exprs;
  bool changed = false;
  for (std::size_t i = 0; i < types.size(); ++i) {
    exprs.push_back(coerced(column_of(*node, i), types[i]));
    changed |= exprs.back()->kind != expr::Expr::Kind::kColumn;
  }
  if (!changed) return node;
  auto names = names_of(*node);
  return make_project(std::move(node), std::move(exprs), std::move(names));
}

}  // namespace

QueryBinder::QueryBinder(BindContext& context) : QueryBinder(context, context.catalog.current_catalog(), context.catalog.current_database(), 0) {}
QueryBinder::QueryBinder(BindContext& context, std::string catalog, std::string database, int depth)
    : ctx_(context), catalog_(std::move(catalog)), database_(std::move(database)), depth_(depth) {}

Result<catalog::ObjectPath> QueryBinder::resolve(const syntax::Name& name) const {
  std::vector<std::string> parts;
  if (name.parts.size() < 3) parts.push_back(catalog_);
  if (name.parts.size() < 2) parts.push_back(database_);
  for (const auto& p : name.parts) parts.push_back(p.text);
  return at(ctx_.catalog.resolve(parts), name.span);
}

Result<LogicalPtr> QueryBinder::bind(const syntax::Query& query, OrderAllowed order) {
  if (query.recursive) return unsupported(query.span, "WITH RECURSIVE", "write the levels out, or load the closure as a table");
  const std::size_t outer = common_tables_.size();
  for (const syntax::CommonTable& c : query.with) {
    const auto named = [&c](const auto& other) { return other.first == c.name.text; };
    if (std::any_of(common_tables_.begin() + static_cast<std::ptrdiff_t>(outer), common_tables_.end(), named))
      return fail_at(c.name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` stands twice in WITH", c.name.text), "give one of them another name");
    SUPYO_ASSIGN(LogicalPtr node, bind(*c.query));
    SUPYO_ASSIGN(node, renamed(std::move(node), c.columns, c.name.span));
    common_tables_.emplace_back(c.name.text, std::move(node));
  }
  SUPYO_ASSIGN(LogicalPtr node, order_and_limit(query, order));
  common_tables_.resize(outer);
  return node;
}

Result<LogicalPtr> QueryBinder::body(const syntax::QueryBody& b) {
  if (const auto* s = b.as<syntax::Select>()) return SelectBinder(*this, *s).bind();
  if (const auto* v = b.as<syntax::Values>()) return values(*v, b.span);
  if (const auto* s = b.as<syntax::SetOperation>()) return set_operation(*s, b.span);
  return bind(**b.as<syntax::QueryPtr>());
}

/// The columns that ORDER BY sorts by, when it sees only what the query gives: by number, name, or an expression computed behind them.
Result<std::vector<std::size_t>> QueryBinder::order_columns(LogicalPtr& input, const syntax::Query& query) {
  const Scope scope = Scope::of(input);
  const std::size_t width = input->columns.size();
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names = names_of(*input);
  for (std::size_t i = 0; i < width; ++i) exprs.push_back(column_of(*input, i));
  std::vector<std::size_t> columns;
  for (const syntax::OrderItem& item : query.order_by) {
    if (item.expr->as<syntax::NumberLiteral>()) {
      SUPYO_ASSIGN(const std::size_t position, order_position(*item.expr, width));
      columns.push_back(position);
      continue;
    }
    SUPYO_ASSIGN(ExprPtr key, ExprBinder(ctx_.functions, scope).bind(*item.expr));
    columns.push_back(key->kind == expr::Expr::Kind::kColumn ? key->column : exprs.size());
    if (key->kind == expr::Expr::Kind::kColumn) continue;
    exprs.push_back(std::move(key));
    names.push_back("$order");
  }
  if (exprs.size() > width) input = make_project(input, std::move(exprs), std::move(names));
  return columns;
}

Result<LogicalPtr> QueryBinder::order_and_limit(const syntax::Query& query, OrderAllowed order) {
  if (query.order_by.empty() && !query.limit && !query.offset) return body(query.body);
  LogicalSort sort;
  sort.at_end = order == OrderAllowed::kTopOfConsoleQuery;
  sort.position = (query.limit ? query.limit->span : query.span).position();
  if (query.limit) {
    SUPYO_ASSIGN(sort.count, row_count(*query.limit, "LIMIT"));
  }
  if (query.offset) {
    SUPYO_ASSIGN(sort.offset, row_count(*query.offset, "OFFSET"));
  }
  if (query.order_by.empty()) {
    SUPYO_ASSIGN(LogicalPtr input, body(query.body));
    return make_sort(std::move(input), std::move(sort));
  }
  sort.position = query.order_by.front().expr->span.position();
  if (order == OrderAllowed::kNo && !query.limit)
    return fail_at(sort.position, ErrorCode::kUnsupported, "ORDER BY inside a stream is not supported",
                   "rows of a table have no order: sort where the result is read (supyo sql -e \"SELECT .. ORDER BY ..\"); with LIMIT it gives the first rows");
  LogicalPtr input;
  std::size_t visible = 0;
  std::vector<std::size_t> columns;
  const auto* select = query.body.as<syntax::Select>();
  if (select != nullptr && !select->distinct) {
    SelectBinder binder(*this, *select);
    SUPYO_ASSIGN(input, binder.bind_with_keys(query.order_by));
    visible = binder.visible();
    columns = binder.key_columns();
  } else {
    SUPYO_ASSIGN(input, body(query.body));
    visible = input->columns.size();
    SUPYO_ASSIGN(columns, order_columns(input, query));
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const syntax::OrderItem& item = query.order_by[i];
    SUPYO_TRY(check_order(input->columns[columns[i]].type, item.expr->span));
    // Flink: nulls are low, so first when ascending and last when descending.
    sort.keys.push_back({columns[i], item.descending, item.nulls_first.value_or(!item.descending)});
  }
  LogicalPtr sorted = make_sort(std::move(input), std::move(sort));
  if (sorted->columns.size() == visible) return sorted;
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < visible; ++i) kept.push_back(i);
  return make_selection(std::move(sorted), kept);
}

Result<LogicalPtr> QueryBinder::values(const syntax::Values& v, const Span& span) {
  LogicalValues out;
  std::vector<ColumnInfo> columns;
  const std::size_t width = v.rows.front().size();
  std::vector<Type> types(width, Type::null().not_null());
  const Scope nothing;
  for (const auto& row : v.rows) {
    if (row.size() != width)
      return fail_at(row.empty() ? span : row.front()->span, ErrorCode::kInvalidQuery, fmt::format("this row of VALUES has {} values, the first has {}", row.size(), width),
                     "give every row the same number of values");
    std::vector<ExprPtr> bound;
    for (std::size_t i = 0; i < width; ++i) {
      SUPYO_ASSIGN(ExprPtr e, ExprBinder(ctx_.functions, nothing).bind(*row[i]));
      const bool nullable = types[i].nullable || e->type.nullable;
      if (types[i].id == TypeId::kNull) {
        types[i] = e->type;
      } else {
        SUPYO_ASSIGN(types[i], at(expr::common_type(types[i], e->type), row[i]->span));
      }
      types[i].nullable = nullable;
      bound.push_back(std::move(e));
    }
    out.rows.push_back(std::move(bound));
  }
  for (auto& row : out.rows)
    for (std::size_t i = 0; i < width; ++i) row[i] = coerced(row[i], types[i]);
  for (std::size_t i = 0; i < width; ++i) columns.push_back({.name = fmt::format("EXPR${}", i), .type = types[i]});
  return make_values(std::move(out), std::move(columns));
}

Result<LogicalPtr> QueryBinder::set_operation(const syntax::SetOperation& op, const Span& span) {
  using Kind = syntax::SetOperation::Kind;
  const std::string_view name = op.kind == Kind::kUnion ? "UNION" : op.kind == Kind::kIntersect ? "INTERSECT" : "EXCEPT";
  SUPYO_ASSIGN(LogicalPtr left, body(*op.left));
  SUPYO_ASSIGN(LogicalPtr right, body(*op.right));
  if (left->columns.size() != right->columns.size())
    return fail_at(op.right->span, ErrorCode::kTypeMismatch, fmt::format("{} of {} and {} columns", name, left->columns.size(), right->columns.size()),
                   "give both sides the same number of columns");
  std::vector<Type> types;
  for (std::size_t i = 0; i < left->columns.size(); ++i) {
    const ColumnInfo& a = left->columns[i];
    const ColumnInfo& b = right->columns[i];
    auto common = expr::common_type(a.type, b.type);
    if (!common)
      return fail_at(op.right->span, ErrorCode::kTypeMismatch,
                     fmt::format("column {} of {} is `{}` {} on the left and `{}` {} on the right", i + 1, name, a.name, a.type.to_string(), b.name, b.type.to_string()),
                     "cast one side to the type of the other");
    types.push_back(*common);
  }
  left = cast_columns(std::move(left), types);
  right = cast_columns(std::move(right), types);
  if (op.kind != Kind::kUnion) return make_set_operation(std::move(left), std::move(right), {.intersect = op.kind == Kind::kIntersect, .all = op.all});
  // A chain of UNION ALL is one node.
  std::vector<LogicalPtr> inputs;
  if (left->as<LogicalUnion>()) {
    inputs = left->inputs;
  } else {
    inputs.push_back(std::move(left));
  }
  inputs.push_back(std::move(right));
  LogicalPtr node = make_union(std::move(inputs));
  if (op.all) return node;
  LogicalAggregate distinct;
  distinct.position = span.position();
  for (std::size_t i = 0; i < node->columns.size(); ++i) distinct.keys.push_back(i);
  return make_aggregate(std::move(node), std::move(distinct));
}

Result<LogicalPtr> QueryBinder::view(const catalog::ViewDefinition& v, const Span& span) {
  if (depth_ >= kMaxViewDepth)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("view `{}` is nested too deep", v.path.name), "does it read itself? SHOW CREATE VIEW shows its query");
  // Positions inside the view's own text mean nothing to the reader of this statement: errors point at the reference.
  const auto inside = [&](Error e) {
    e.position = span.position();
    return std::unexpected(e.with_context(fmt::format("in view `{}`", v.path.name)));
  };
  auto parsed = syntax::parse_statement(v.query_sql);
  if (!parsed) return inside(std::move(parsed).error());
  const auto* select = parsed->as<syntax::SelectStatement>();
  if (select == nullptr) return fail_at(span, ErrorCode::kInternal, fmt::format("view `{}` holds no query", v.path.name));
  QueryBinder binder(ctx_, v.made_in_catalog, v.made_in_database, depth_ + 1);
  auto bound = binder.bind(*select->query);
  if (!bound) return inside(std::move(bound).error());
  LogicalPtr node = *std::move(bound);
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  if (node->columns.size() != v.schema.size())
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("view `{}` no longer fits the tables below it", v.path.name), "drop it and make it again");
  for (std::size_t i = 0; i < v.schema.size(); ++i) {
    exprs.push_back(column_of(*node, i));
    names.push_back(v.schema[i].name);
  }
  return make_project(std::move(node), std::move(exprs), std::move(names));
}

}  // namespace supyo::plan
