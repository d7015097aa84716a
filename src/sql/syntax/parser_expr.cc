#include <fmt/format.h>

#include "sql/syntax/keywords.h"
#include "sql/syntax/parser_impl.h"
#include "sql/syntax/precedence.h"

namespace supyo::syntax {
namespace {

struct OperatorSymbol {
  std::string_view symbol;
  BinaryOp op;
};
constexpr OperatorSymbol kOperators[] = {
    {"=", BinaryOp::kEqual},         {"<>", BinaryOp::kNotEqual},        {"!=", BinaryOp::kNotEqual},
    {"<", BinaryOp::kLess},          {"<=", BinaryOp::kLessOrEqual},     {">", BinaryOp::kGreater},
    {">=", BinaryOp::kGreaterOrEqual}, {"||", BinaryOp::kConcat},        {"+", BinaryOp::kPlus},
    {"-", BinaryOp::kMinus},         {"*", BinaryOp::kMultiply},         {"/", BinaryOp::kDivide},
    {"%", BinaryOp::kModulo}};

}  // namespace

ExprPtr Parser::make(std::size_t start, Expr::Node node) const { return ExprPtr(Expr{span_from(start), std::move(node)}); }

ExprPtr Parser::expression(int min_precedence) {
  const Level level(*this);
  const std::size_t start = here();
  ExprPtr left = prefix();
  for (bool more = true; more && !error_;) left = infix(start, std::move(left), min_precedence, more);
  return left;
}

ExprPtr Parser::prefix() {
  const std::size_t start = here();
  if (is_word("NOT")) {
    take();
    return make(start, Unary{UnaryOp::kNot, expression(kPrecedenceNot)});
  }
  if (is_symbol("-") || is_symbol("+")) {
    const UnaryOp op = is_symbol("-") ? UnaryOp::kMinus : UnaryOp::kPlus;
    take();
    return make(start, Unary{op, expression(kPrecedenceUnary)});
  }
  return postfix(start, primary());
}

ExprPtr Parser::infix(std::size_t start, ExprPtr left, int min_precedence, bool& more) {
  const Token& token = peek();
  if (token.kind == TokenKind::kSymbol) {
    for (const OperatorSymbol& entry : kOperators) {
      if (token.text != entry.symbol) continue;
      const int strength = precedence(entry.op);
      if (strength < min_precedence) break;
      take();
      return comparison(start, std::move(left), entry.op, strength);
    }
  } else if (token.kind == TokenKind::kWord) {
    const bool negated = is_word("NOT");
    const std::size_t at = negated ? 1 : 0;
    const auto fits = [&](int strength) { return strength >= min_precedence; };
    if (fits(kPrecedenceRange) && (is_word("BETWEEN", at) || is_word("LIKE", at) || is_word("IN", at) ||
                                   (is_word("SIMILAR", at) && is_word("TO", at + 1)))) {
      if (negated) take();
      return negatable_infix(start, std::move(left), negated);
    }
    if (!negated && fits(kPrecedenceIs) && is_word("IS")) return is_test(start, std::move(left));
    for (const auto& [word, op] : {std::pair("OR", BinaryOp::kOr), std::pair("AND", BinaryOp::kAnd)}) {
      if (!is_word(word) || !fits(precedence(op))) continue;
      take();
      grow();
      ExprPtr right = expression(precedence(op) + 1);
      return make(start, Binary{op, std::move(left), std::move(right)});
    }
  }
  more = false;
  return left;
}

ExprPtr Parser::comparison(std::size_t start, ExprPtr left, BinaryOp op, int strength) {
  grow();
  const bool some = is_word("ANY") || is_word("SOME");
  if (strength == kPrecedenceComparison && (some || is_word("ALL")) && is_symbol("(", 1) && starts_query(2)) {
    take();
    take();
    QueryPtr inner = query();
    expect_symbol(")");
    return make(start, QuantifiedComparison{std::move(left), op, !some, std::move(inner)});
  }
  ExprPtr right = expression(strength + 1);
  return make(start, Binary{op, std::move(left), std::move(right)});
}

ExprPtr Parser::is_test(std::size_t start, ExprPtr left) {
  take();
  grow();
  const bool negated = accept("NOT");
  if (accept("DISTINCT FROM")) {
    ExprPtr right = expression(kPrecedenceComparison + 1);
    const BinaryOp op = negated ? BinaryOp::kIsNotDistinctFrom : BinaryOp::kIsDistinctFrom;
    return make(start, Binary{op, std::move(left), std::move(right)});
  }
  IsTest test{std::move(left), IsTest::Kind::kNull, negated};
  if (accept("NULL")) {
  } else if (accept("TRUE")) {
    test.kind = IsTest::Kind::kTrue;
  } else if (accept("FALSE")) {
    test.kind = IsTest::Kind::kFalse;
  } else if (accept("UNKNOWN")) {
    test.kind = IsTest::Kind::kUnknown;
  } else if (accept("JSON OBJECT")) {
    test.kind = IsTest::Kind::kJsonObject;
  } else if (accept("JSON ARRAY")) {
    test.kind = IsTest::Kind::kJsonArray;
  } else if (accept("JSON SCALAR")) {
    test.kind = IsTest::Kind::kJsonScalar;
  } else if (accept("JSON VALUE") || accept("JSON")) {
    test.kind = IsTest::Kind::kJson;
  } else {
    fail_expected("NULL, TRUE, FALSE, UNKNOWN, JSON or DISTINCT FROM");
  }
  return make(start, std::move(test));
}

ExprPtr Parser::negatable_infix(std::size_t start, ExprPtr left, bool negated) {
  grow();
  if (accept("BETWEEN")) {
    Between node;
    node.operand = std::move(left);
    node.negated = negated;
    node.symmetric = accept("SYMMETRIC");
    if (!node.symmetric) accept("ASYMMETRIC");
    node.low = expression(kPrecedenceRange + 1);
    expect("AND");
    node.high = expression(kPrecedenceRange + 1);
    return make(start, std::move(node));
  }
  if (accept("IN")) return in_operand(start, std::move(left), negated);
  Like node;
  node.similar = accept("SIMILAR TO");
  if (!node.similar) expect("LIKE");
  node.operand = std::move(left);
  node.negated = negated;
  node.pattern = expression(kPrecedenceRange + 1);
  if (accept("ESCAPE")) node.escape = expression(kPrecedenceRange + 1);
  return make(start, std::move(node));
}

ExprPtr Parser::in_operand(std::size_t start, ExprPtr left, bool negated) {
  expect_symbol("(");
  if (starts_query()) {
    QueryPtr inner = query();
    expect_symbol(")");
    return make(start, InQuery{std::move(left), std::move(inner), negated});
  }
  std::vector<ExprPtr> items = expression_list();
  expect_symbol(")");
  return make(start, InList{std::move(left), std::move(items), negated});
}

ExprPtr Parser::postfix(std::size_t start, ExprPtr base) {
  while (!error_) {
    if (accept_symbol("[")) {
      grow();
      ExprPtr index = expression();
      expect_symbol("]");
      base = make(start, Subscript{std::move(base), std::move(index)});
    } else if (is_symbol(".") && !is_symbol("*", 1)) {
      take();
      grow();
      Identifier field = word_as_identifier("a field name after '.'");
      base = make(start, FieldAccess{std::move(base), std::move(field)});
    } else {
      break;
    }
  }
  return base;
}

ExprPtr Parser::primary() {
  const std::size_t start = here();
  if (is_symbol("(")) return parenthesised();
  if (auto special = special_primary()) return std::move(*special);
  if (is_symbol("*")) {
    take();
    return make(start, Star{});
  }
  return name_or_call();
}

ExprPtr Parser::parenthesised() {
  const std::size_t start = here();
  take();
  if (starts_query()) {
    QueryPtr inner = query();
    expect_symbol(")");
    return make(start, ScalarQuery{std::move(inner)});
  }
  ExprPtr first = expression();
  if (is_symbol(",")) {
    RowValue row;
    row.items.push_back(std::move(first));
    while (accept_symbol(",")) row.items.push_back(expression());
    expect_symbol(")");
    if (row.items.size() == 2 && accept("OVERLAPS")) return overlaps(start, std::move(row));
    return make(start, std::move(row));
  }
  if (!accept_symbol(")")) fail_expected("')' or an operator");
  const auto* difference = first ? first->as<Binary>() : nullptr;
  if (difference == nullptr || difference->op != BinaryOp::kMinus) return first;
  const std::optional<TimeUnit> unit = interval_unit();
  if (!unit) return first;
  TimeDifference between{.to = difference->left, .from = difference->right, .first = *unit, .last = *unit};
  interval_digits();
  if (*unit != TimeUnit::kSecond && *unit != TimeUnit::kMonth && accept("TO")) {
    between.last = finer_unit(*unit);
    interval_digits();
  }
  return make(start, std::move(between));
}

/// YEAR to SECOND, as the unit of a difference. No other word: it would be a name.
std::optional<TimeUnit> Parser::interval_unit() {
  for (const std::string_view word : {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
    if (is_kind(TokenKind::kWord) && is_word(word)) return try_time_unit();
  return std::nullopt;
}

/// (3), of a type that has no digits to choose from here.
void Parser::interval_digits() {
  if (!accept_symbol("(")) return;
  do {
    small_integer("a number of digits");
  } while (accept_symbol(","));
  expect_symbol(")");
}

/// (a, b) OVERLAPS (c, d) is the call OVERLAPS(a, b, c, d).
ExprPtr Parser::overlaps(std::size_t start, RowValue first) {
  expect_symbol("(");
  std::vector<ExprPtr> second = expression_list();
  if (second.size() != 2) fail_at(span_from(start), ErrorCode::kSyntax, "OVERLAPS compares two pairs", "write (start, end) OVERLAPS (start, end); an end may be an INTERVAL");
  expect_symbol(")");
  FunctionCall call;
  call.name = {span_from(start), {{span_from(start), "OVERLAPS"}}};
  for (auto* pair : {&first.items, &second})
    for (ExprPtr& e : *pair) call.arguments.push_back({std::nullopt, std::move(e)});
  return make(start, std::move(call));
}

ExprPtr Parser::name_or_call() {
  const std::size_t start = here();
  const Token& token = peek();
  const bool call_of_reserved =
      token.kind == TokenKind::kWord && is_symbol("(", 1) && (is_word("LEFT") || is_word("RIGHT") || is_bare_function(token.text));
  if (token.kind == TokenKind::kWord && is_bare_function(token.text) && !call_of_reserved) {
    take();
    FunctionCall bare;
    bare.name = {token.span, {{token.span, std::string(token.text)}}};
    return make(start, std::move(bare));
  }
  Name result;
  if (call_of_reserved) {
    result = {token.span, {word_as_identifier("a function")}};
  } else if (is_kind(TokenKind::kQuoted) || (is_kind(TokenKind::kWord) && !is_reserved(token.text))) {
    result = name("an expression");
  } else {
    fail_expected("an expression");
    return {};
  }
  if (accept_symbol(".")) {  // name() stopped at `.*`
    expect_symbol("*");
    return make(start, Star{std::move(result)});
  }
  if (is_symbol("(")) {
    FunctionCall function = call(std::move(result));
    return make(start, std::move(function));
  }
  return make(start, ColumnRef{std::move(result)});
}

std::vector<ExprPtr> Parser::expression_list() {
  std::vector<ExprPtr> list;
  do {
    list.push_back(expression());
  } while (accept_symbol(","));
  return list;
}

OrderItem Parser::order_item() {
  OrderItem item;
  item.expr = expression();
  if (accept("DESC")) {
    item.descending = true;
  } else {
    accept("ASC");
  }
  if (accept("NULLS FIRST")) {
    item.nulls_first = true;
  } else if (accept("NULLS LAST")) {
    item.nulls_first = false;
  }
  return item;
}

std::vector<OrderItem> Parser::order_items() {
  std::vector<OrderItem> items;
  do {
    items.push_back(order_item());
  } while (accept_symbol(","));
  return items;
}

// ---- calls

FunctionCall Parser::call(Name function) {
  FunctionCall result;
  result.name = std::move(function);
  expect_symbol("(");
  if (!special_arguments(result)) {
    if (accept("DISTINCT")) {
      result.distinct = true;
    } else {
      accept("ALL");
    }
    if (!is_symbol(")")) {
      do {
        result.arguments.push_back(function_argument());
      } while (accept_symbol(","));
    }
    check_plain_arguments(result);
  }
  // LAG(x IGNORE NULLS) and LAG(x) IGNORE NULLS are the same.
  if (accept("IGNORE NULLS")) result.ignore_nulls = true;
  if (accept("RESPECT NULLS")) result.ignore_nulls = false;
  if (!accept_symbol(")")) fail_expected("',' or ')' in the arguments");
  call_suffix(result);
  return result;
}

/// The standard's keyword arguments of SUBSTRING, POSITION, OVERLAY; false when plain arguments stand there.
bool Parser::special_arguments(FunctionCall& function) {
  if (function.name.parts.size() != 1) return false;
  const std::string upper = function.upper_name();
  if (upper.starts_with("JSON_")) return json_arguments(function, upper);
  const bool position = upper == "POSITION";
  const bool overlay = upper == "OVERLAY";
  if (!position && !overlay && upper != "SUBSTRING") return false;
  const auto add = [&](int min_precedence) { function.arguments.push_back({std::nullopt, expression(min_precedence)}); };
  add(position ? kPrecedenceRange + 1 : 0);
  if (position && accept("IN")) {
    add(0);
    if (accept("FROM")) {
      add(0);
      function.name.parts.front().text = "LOCATE";
    }
  } else if (overlay && accept("PLACING")) {
    add(0);
    expect("FROM");
    add(0);
    if (accept("FOR")) add(0);
  } else if (upper == "SUBSTRING" && accept("FROM")) {
    add(0);
    if (accept("FOR")) add(0);
  } else {
    while (accept_symbol(",")) add(0);
  }
  return true;
}

void Parser::check_plain_arguments(const FunctionCall& function) {
  if (error_ || is_symbol(")") || !is_kind(TokenKind::kWord)) return;
  const std::string upper = function.upper_name();
  if (is_word("ORDER"))
    fail_unsupported("ORDER BY inside an aggregate", "leave it out: Flink reads it and keeps to the order in which rows come");
}

FunctionArgument Parser::function_argument() {
  FunctionArgument argument;
  if ((is_kind(TokenKind::kWord) || is_kind(TokenKind::kQuoted)) && is_symbol("=>", 1)) {
    argument.name = word_as_identifier("an argument name");
    take();
    const std::size_t start = here();
    if (accept("DEFAULT")) {
      argument.value = make(start, DefaultValue{});
      return argument;
    }
  }
  argument.value = is_word("TABLE") ? table_argument() : expression();
  return argument;
}

void Parser::call_suffix(FunctionCall& function) {
  if (is_word("WITHIN") && is_word("DISTINCT", 1)) fail_unsupported("WITHIN DISTINCT", "aggregate a query of the distinct rows: FROM (SELECT DISTINCT ..)");
  if (is_word("WITHIN") && is_word("GROUP", 1)) {
    take();
    take();
    expect_symbol("(");
    expect("ORDER BY");
    function.within_group = order_items();
    expect_symbol(")");
  }
  if (is_word("FILTER") && is_symbol("(", 1)) {
    take();
    take();
    expect("WHERE");
    function.filter = expression();
    expect_symbol(")");
  }
  if (accept("IGNORE NULLS")) function.ignore_nulls = true;
  if (accept("RESPECT NULLS")) function.ignore_nulls = false;
  if (accept("OVER")) function.over = window_reference();
}

WindowDefinition Parser::window_reference() {
  const std::size_t start = here();
  if (is_symbol("(")) {
    take();
    return window_body(start);
  }
  WindowDefinition window;
  window.base = identifier("'(' or a window name");
  window.span = span_from(start);
  return window;
}

WindowDefinition Parser::window_body(std::size_t start) {
  WindowDefinition window;
  if (!is_word("PARTITION") && !is_word("ORDER") && !is_word("ROWS") && !is_word("RANGE") && !is_symbol(")"))
    window.base = identifier("PARTITION BY, ORDER BY, ROWS, RANGE or a window name");
  if (accept("PARTITION BY")) window.partition_by = expression_list();
  if (accept("ORDER BY")) window.order_by = order_items();
  if (is_word("ROWS") || is_word("RANGE")) window.frame = window_frame();
  if (!accept_symbol(")")) fail_expected("PARTITION BY, ORDER BY, ROWS, RANGE or ')'");
  window.span = span_from(start);
  return window;
}

WindowFrame Parser::window_frame() {
  const std::size_t start = here();
  WindowFrame frame;
  frame.rows = is_word("ROWS");
  take();
  if (accept("BETWEEN")) {
    frame.start = frame_bound();
    expect("AND");
    frame.end = frame_bound();
  } else {
    frame.start = frame_bound();
  }
  frame.span = span_from(start);
  return frame;
}

FrameBound Parser::frame_bound() {
  using Kind = FrameBound::Kind;
  if (accept("CURRENT ROW")) return {Kind::kCurrentRow, {}};
  if (accept("UNBOUNDED PRECEDING")) return {Kind::kUnboundedPreceding, {}};
  if (accept("UNBOUNDED FOLLOWING")) return {Kind::kUnboundedFollowing, {}};
  FrameBound bound{Kind::kPreceding, expression(kPrecedenceRange + 1)};
  if (accept("PRECEDING")) return bound;
  bound.kind = Kind::kFollowing;
  if (!accept("FOLLOWING")) fail_expected("PRECEDING or FOLLOWING");
  return bound;
}

}  // namespace supyo::syntax
