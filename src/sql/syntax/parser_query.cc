#include <fmt/format.h>

#include "sql/syntax/keywords.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/parser_impl.h"

namespace supyo::syntax {
namespace {

constexpr int kUnionPrecedence = 1;
constexpr int kIntersectPrecedence = 2;

}  // namespace

/// SELECT, WITH, VALUES, or parentheses that hold a query and nothing else: `((SELECT 1) + 2)` is an expression and
/// `((SELECT 1) AS a JOIN b ..)` a join, so what follows each closing parenthesis decides.
bool Parser::starts_query(std::size_t ahead) const {
  std::size_t open = 0;
  while (is_symbol("(", ahead) && open <= static_cast<std::size_t>(kMaxNesting)) {
    ++ahead;
    ++open;
  }
  const bool table = is_word("TABLE", ahead) && !is_symbol("(", ahead + 1);
  if (!table && !is_word("SELECT", ahead) && !is_word("WITH", ahead) && !is_word("VALUES", ahead)) return false;
  std::size_t depth = open;
  for (std::size_t i = ahead; open > 0 && !is_kind(TokenKind::kEnd, i); ++i) {
    if (is_symbol("(", i)) ++depth;
    if (!is_symbol(")", i) || --depth >= open) continue;
    --open;
    const bool goes_on = is_word("UNION", i + 1) || is_word("INTERSECT", i + 1) || is_word("EXCEPT", i + 1) || is_word("ORDER", i + 1) ||
                         is_word("LIMIT", i + 1) || is_word("OFFSET", i + 1) || is_word("FETCH", i + 1);
    if (goes_on && open == 0) return true;
    if (goes_on) continue;   // within the parentheses that are still open
    if (!is_symbol(")", i + 1) && !is_symbol(";", i + 1) && !is_kind(TokenKind::kEnd, i + 1)) return false;
  }
  return true;
}

QueryPtr Parser::query() {
  Query result = query_inner();
  return QueryPtr(std::move(result));
}

Query Parser::query_inner() {
  const Level level(*this);
  const std::size_t start = here();
  Query result;
  if (accept("WITH")) with_clause(result);
  result.body = query_body(kUnionPrecedence);
  if (accept("ORDER BY")) result.order_by = order_items();
  limit_clauses(result);
  result.span = span_from(start);
  return result;
}

void Parser::with_clause(Query& query) {
  query.recursive = accept("RECURSIVE");
  do {
    CommonTable table;
    table.name = identifier("a name for the common table");
    if (is_symbol("(")) table.columns = identifier_list("a column name");
    expect("AS");
    expect_symbol("(");
    table.query = this->query();
    expect_symbol(")");
    query.with.push_back(std::move(table));
  } while (accept_symbol(","));
}

void Parser::limit_clauses(Query& query) {
  while (!error_) {
    if (!query.limit && accept("LIMIT")) {
      if (!accept("ALL")) query.limit = expression();
    } else if (!query.offset && accept("OFFSET")) {
      query.offset = expression();
      if (!accept("ROWS")) accept("ROW");
    } else if (!query.limit && accept("FETCH")) {
      if (!accept("FIRST")) expect("NEXT");
      query.limit = expression();
      if (!accept("ROWS")) expect("ROW");
      expect("ONLY");
    } else {
      return;
    }
  }
}

QueryBody Parser::query_body(int min_precedence) {
  const std::size_t start = here();
  QueryBody left = query_primary();
  while (!error_) {
    SetOperation operation;
    int strength = kUnionPrecedence;
    if (is_word("INTERSECT")) {
      operation.kind = SetOperation::Kind::kIntersect;
      strength = kIntersectPrecedence;
    } else if (is_word("EXCEPT")) {
      operation.kind = SetOperation::Kind::kExcept;
    } else if (!is_word("UNION")) {
      break;
    }
    if (strength < min_precedence) break;
    take();
    grow();
    operation.all = accept("ALL");
    if (!operation.all) accept("DISTINCT");
    operation.left = QueryBodyPtr(std::move(left));
    operation.right = QueryBodyPtr(query_body(strength + 1));
    left = QueryBody{span_from(start), std::move(operation)};
  }
  return left;
}

QueryBody Parser::query_primary() {
  const std::size_t start = here();
  if (accept_symbol("(")) {
    Query inner = query_inner();
    expect_symbol(")");
    // Parentheses that only group leave no trace.
    if (inner.with.empty() && inner.order_by.empty() && !inner.limit && !inner.offset) return std::move(inner.body);
    return {span_from(start), QueryPtr(std::move(inner))};
  }
  if (accept("SELECT")) {
    Select body = select();
    return {span_from(start), std::move(body)};
  }
  if (accept("VALUES")) {
    Values body = values();
    return {span_from(start), std::move(body)};
  }
  if (is_word("TABLE") && !is_symbol("(", 1)) {
    Select body = explicit_table();
    return {span_from(start), std::move(body)};
  }
  fail_expected("a query (SELECT, VALUES or WITH)");
  return {};
}


/// TABLE t is SELECT * FROM t.
Select Parser::explicit_table() {
  Select result;
  const std::size_t start = here();
  take();
  SelectItem all;
  all.expr = make(start, Star{});
  all.span = span_from(start);
  result.items.push_back(std::move(all));
  TableRef from;
  const std::size_t named = here();
  TableByName table;
  table.name = name("a table name");
  from.node = std::move(table);
  from.span = span_from(named);
  result.from.push_back(TableRefPtr(std::move(from)));
  return result;
}

Select Parser::select() {
  Select result;
  result.hints = hints();
  if (accept("DISTINCT")) {
    result.distinct = true;
  } else {
    accept("ALL");
  }
  do {
    result.items.push_back(select_item());
  } while (accept_symbol(","));
  if (accept("FROM")) result.from = from_clause();
  if (accept("WHERE")) result.where = expression();
  if (accept("GROUP BY")) {
    result.group_distinct = accept("DISTINCT");
    group_by(result);
  }
  if (accept("HAVING")) result.having = expression();
  if (accept("WINDOW")) {
    do {
      NamedWindow entry;
      entry.name = identifier("a window name");
      expect("AS");
      const std::size_t start = here();
      expect_symbol("(");
      entry.window = window_body(start);
      result.windows.push_back(std::move(entry));
    } while (accept_symbol(","));
  }
  if (accept("QUALIFY")) result.qualify = expression();
  return result;
}

SelectItem Parser::select_item() {
  const std::size_t start = here();
  SelectItem item;
  if (is_word("FROM")) {
    fail_expected("a column or expression before FROM");
    return item;
  }
  item.expr = expression();
  if (item.expr && item.expr->as<Star>() == nullptr) item.alias = alias();
  item.span = span_from(start);
  return item;
}

void Parser::group_by(Select& select) {
  select.has_group_by = true;
  do {
    select.group_by.push_back(group_item());
  } while (accept_symbol(","));
}

GroupItem Parser::group_item() {
  const Level level(*this);
  const std::size_t start = here();
  GroupItem item;
  const auto sub_items = [&](GroupItem::Kind kind) {
    item.kind = kind;
    expect_symbol("(");
    do {
      item.items.push_back(group_item());
    } while (accept_symbol(","));
    expect_symbol(")");
  };
  if (accept("GROUPING SETS")) {
    sub_items(GroupItem::Kind::kGroupingSets);
  } else if (accept("ROLLUP")) {
    sub_items(GroupItem::Kind::kRollup);
  } else if (accept("CUBE")) {
    sub_items(GroupItem::Kind::kCube);
  } else if (is_symbol("(") && is_symbol(")", 1)) {
    take();
    take();
  } else {
    ExprPtr expr = expression();
    if (auto* row = expr ? std::get_if<RowValue>(&expr->node) : nullptr; row != nullptr && tokens_[start].text == "(" ) {
      item.expressions = std::move(row->items);
    } else {
      item.expressions.push_back(std::move(expr));
    }
  }
  item.span = span_from(start);
  return item;
}

Values Parser::values() {
  Values result;
  do {
    ExprPtr row = expression();
    std::vector<ExprPtr> items;
    if (auto* several = row ? std::get_if<RowValue>(&row->node) : nullptr) {
      items = std::move(several->items);
    } else {
      items.push_back(std::move(row));
    }
    result.rows.push_back(std::move(items));
  } while (accept_symbol(","));
  return result;
}

// ---- FROM

std::vector<TableRefPtr> Parser::from_clause() {
  std::vector<TableRefPtr> tables;
  do {
    tables.push_back(joined_table());
  } while (accept_symbol(","));
  return tables;
}

TableRefPtr Parser::joined_table() {
  const Level level(*this);
  const std::size_t start = here();
  TableRefPtr left = table_primary();
  while (!error_) {
    std::optional<Join> join = join_operator();
    if (!join) break;
    grow();
    join->left = std::move(left);
    join->right = table_primary();
    join_condition(*join);
    TableRef ref;
    ref.node = std::move(*join);
    ref.span = span_from(start);
    left = TableRefPtr(std::move(ref));
  }
  return left;
}

std::optional<Join> Parser::join_operator() {
  using Kind = Join::Kind;
  Join join;
  join.natural = accept("NATURAL");
  if (accept("JOIN") || accept("INNER JOIN")) return join;
  if (accept("CROSS JOIN")) {
    join.kind = Kind::kCross;
    return join;
  }
  for (const auto& [word, kind] : {std::pair("LEFT", Kind::kLeft), std::pair("RIGHT", Kind::kRight), std::pair("FULL", Kind::kFull)}) {
    if (!accept(word)) continue;
    join.kind = kind;
    accept("OUTER");
    expect("JOIN");
    return join;
  }
  if (join.natural) fail_expected("JOIN");
  return std::nullopt;
}

void Parser::join_condition(Join& join) {
  if (join.natural || join.kind == Join::Kind::kCross) return;
  if (accept("ON")) {
    join.on = expression();
  } else if (accept("USING")) {
    join.columns = identifier_list("a column name");
  } else if (const TableRef* right = join.right.get(); right == nullptr || (right->as<Unnest>() == nullptr && right->as<TableFunction>() == nullptr)) {
    // A join with a table function or UNNEST may do without: each row joins its own.
    fail_expected("ON or USING");
  }
}

TableRefPtr Parser::table_primary() {
  const std::size_t start = here();
  if (is_symbol("(") && !starts_query(1)) {
    take();
    TableRefPtr inner = joined_table();
    if (!accept_symbol(")")) fail_expected("a join or ')'");
    return inner;
  }
  TableRef ref;
  ref.node = table_node();
  if (accept("MATCH_RECOGNIZE")) {
    ref.span = span_from(start);
    MatchRecognize match = match_recognize(TableRefPtr(std::move(ref)));
    ref = {};
    ref.node = std::move(match);
  }
  for (const std::string_view word : {"TABLESAMPLE", "PIVOT", "UNPIVOT"}) {
    if (is_word(word)) fail_unsupported(word, "rewrite it with ordinary queries");
  }
  table_alias(ref);
  ref.span = span_from(start);
  return TableRefPtr(std::move(ref));
}

void Parser::table_alias(TableRef& ref) {
  ref.alias = alias();
  if (ref.alias && is_symbol("(")) ref.column_aliases = identifier_list("a column alias");
  if (auto* table = std::get_if<TableByName>(&ref.node)) {
    for (Hint& more : hints()) table->hints.push_back(std::move(more));
  }
}

TableRef::Node Parser::table_node() {
  const bool lateral = accept("LATERAL");
  if (accept_symbol("(")) {
    DerivedTable derived{query(), lateral};
    expect_symbol(")");
    return derived;
  }
  if (accept("TABLE")) {
    expect_symbol("(");
    TableFunction function{table_function_call(), lateral};
    expect_symbol(")");
    return function;
  }
  if (accept("UNNEST")) {
    Unnest unnest;
    expect_symbol("(");
    unnest.arrays = expression_list();
    expect_symbol(")");
    unnest.with_ordinality = accept("WITH ORDINALITY");
    return unnest;
  }
  if (lateral) return TableFunction{table_function_call(), true};
  return table_by_name_or_call();
}

FunctionCall Parser::table_function_call() {
  Name function = name("a table function");
  if (!is_symbol("(")) fail_expected("'(' and the arguments of the table function");
  return call(std::move(function));
}

TableRef::Node Parser::table_by_name_or_call() {
  Name table = name("a table name");
  if (is_symbol("(")) return TableFunction{call(std::move(table)), false};
  TableByName result;
  result.name = std::move(table);
  result.hints = hints();
  if (accept("FOR")) {
    expect("SYSTEM_TIME AS OF");
    result.system_time = expression();
  }
  return result;
}

// ---- hints

std::vector<Hint> Parser::hints() {
  std::vector<Hint> result;
  while (is_kind(TokenKind::kHintBegin)) {
    take();
    do {
      result.push_back(hint());
    } while (accept_symbol(",") || (!is_kind(TokenKind::kHintEnd) && !at_end()));
    if (!is_kind(TokenKind::kHintEnd)) fail_expected("the end of the hint, */");
    take();
  }
  return result;
}

Hint Parser::hint() {
  const std::size_t start = here();
  Hint result;
  result.name = to_upper(word_as_identifier("a hint such as OPTIONS('key' = 'value')").text);
  if (accept_symbol("(")) {
    const auto word = [&]() -> std::string {
      if (is_kind(TokenKind::kString)) return unquote(take());
      if (is_kind(TokenKind::kInteger)) return std::string(take().text);
      return name("a string or name").to_string();
    };
    while (!is_symbol(")") && !at_end()) {
      OptionEntry entry;
      entry.key_span = peek().span;
      entry.key = word();
      if (accept_symbol("=")) {
        entry.value_span = peek().span;
        entry.value = word();
        result.options.push_back(std::move(entry));
      } else {
        result.arguments.push_back(std::move(entry.key));
      }
      if (!accept_symbol(",")) break;
    }
    expect_symbol(")");
  }
  result.span = span_from(start);
  return result;
}

}  // namespace supyo::syntax
