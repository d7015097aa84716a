#include <fmt/format.h>

#include "sql/syntax/keywords.h"
#include "sql/syntax/parser_impl.h"
#include "sql/syntax/precedence.h"

/// Expressions with a syntax of their own: literals, CASE, CAST, EXTRACT, TRIM and the arguments of table functions.
namespace supyo::syntax {
namespace {

std::string from_hex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) bytes.push_back(static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1])));
  return bytes;
}

}  // namespace

std::optional<ExprPtr> Parser::special_primary() {
  if (auto value = literal()) return value;
  if (is_kind(TokenKind::kWord)) return special_call();
  return std::nullopt;
}

std::optional<ExprPtr> Parser::literal() {
  const std::size_t start = here();
  const Token& token = peek();
  const auto number = [&](NumberLiteral::Kind kind) {
    take();
    return make(start, NumberLiteral{kind, std::string(token.text)});
  };
  switch (token.kind) {
    case TokenKind::kInteger: return number(NumberLiteral::Kind::kInteger);
    case TokenKind::kDecimal: return number(NumberLiteral::Kind::kDecimal);
    case TokenKind::kApproximate: return number(NumberLiteral::Kind::kApproximate);
    case TokenKind::kString: take(); return make(start, StringLiteral{unquote(token)});
    case TokenKind::kBinary: take(); return make(start, BinaryLiteral{from_hex(unquote(token))});
    case TokenKind::kWord: break;
    default: return std::nullopt;
  }
  if (accept("NULL")) return make(start, NullLiteral{});
  if (accept("TRUE")) return make(start, BooleanLiteral{true});
  if (accept("FALSE")) return make(start, BooleanLiteral{false});
  if (is_word("INTERVAL")) return interval_literal();
  if (is_word("TIMESTAMP") && is_word("WITH", 1) && is_word("LOCAL", 2) && is_word("TIME", 3) && is_word("ZONE", 4) && is_kind(TokenKind::kString, 5)) {
    for (int i = 0; i < 5; ++i) take();
    std::string text = unquote(take());   // a time in the session's zone
    const std::size_t point = text.find('.');
    Cast zoned;
    zoned.type.span = span_from(start);
    zoned.type.keyword = TypeKeyword::kTimestampLtz;
    zoned.type.precision = point == std::string::npos ? 0 : static_cast<int>(text.size() - point) - 1;
    zoned.operand = make(start, TemporalLiteral{TemporalLiteral::Kind::kTimestamp, std::move(text)});
    return make(start, std::move(zoned));
  }
  if (!is_kind(TokenKind::kString, 1)) return std::nullopt;
  using Kind = TemporalLiteral::Kind;
  for (const auto& [word, kind] : {std::pair("DATE", Kind::kDate), std::pair("TIME", Kind::kTime), std::pair("TIMESTAMP", Kind::kTimestamp)}) {
    if (!is_word(word)) continue;
    take();
    std::string text = unquote(take());
    return make(start, TemporalLiteral{kind, std::move(text)});
  }
  return std::nullopt;
}

ExprPtr Parser::interval_literal() {
  const std::size_t start = here();
  take();
  IntervalLiteral value;
  if (accept_symbol("-")) {
    value.negative = true;
  } else {
    accept_symbol("+");
  }
  if (is_kind(TokenKind::kInteger)) value.text = take().text;   // INTERVAL 5 MINUTE
  else value.text = string_literal("the interval's length as a string, as in INTERVAL '5' MINUTE");
  value.from = value.to = time_unit();
  const auto digits = [&](bool leading) {
    if (!accept_symbol("(")) return;
    (leading ? value.precision : value.fraction) = small_integer("a number of digits");
    if (leading && value.from == TimeUnit::kSecond && accept_symbol(",")) value.fraction = small_integer("a number of digits");
    expect_symbol(")");
  };
  digits(true);
  // A SECOND or MONTH has nothing finer: this TO belongs to what is around, as in FLOOR(t - INTERVAL '1' SECOND TO MINUTE).
  if (value.from != TimeUnit::kSecond && value.from != TimeUnit::kMonth && accept("TO")) {
    value.to = finer_unit(value.from);
    if (value.to == TimeUnit::kSecond) digits(false);
  }
  return make(start, std::move(value));
}

std::optional<ExprPtr> Parser::special_call() {
  const std::size_t start = here();
  if (is_word("CASE")) return case_expression();
  if (is_word("ARRAY") || is_word("MAP")) {
    if (!is_symbol("[", 1)) return std::nullopt;
    const bool map = is_word("MAP");
    take();
    take();
    std::vector<ExprPtr> items;
    if (!is_symbol("]")) items = expression_list();
    expect_symbol("]");
    if (map && items.size() % 2 != 0) fail_at(span_from(start), ErrorCode::kSyntax, "MAP[..] takes pairs of key and value", "write MAP['a', 1, 'b', 2]");
    return map ? make(start, MapValue{std::move(items)}) : make(start, ArrayValue{std::move(items)});
  }
  if (!is_symbol("(", 1)) return std::nullopt;
  if (is_word("CAST") || is_word("TRY_CAST")) return cast_expression();
  if (is_word("EXTRACT")) return extract_call();
  if (is_word("TRIM")) return trim_call();
  if (is_word("TIMESTAMPADD") || is_word("TIMESTAMPDIFF")) return timestamp_call();
  if (is_word("DESCRIPTOR")) return descriptor();
  if (is_word("EXISTS")) {
    take();
    take();
    QueryPtr inner = query();
    expect_symbol(")");
    return make(start, Exists{std::move(inner)});
  }
  if (is_word("ROW")) {
    take();
    take();
    RowValue row;
    if (!is_symbol(")")) row.items = expression_list();
    expect_symbol(")");
    return make(start, std::move(row));
  }
  if (is_word("FLOOR") || is_word("CEIL") || is_word("CEILING")) {
    const Token& function = peek();
    take();
    take();
    ExprPtr operand = expression();
    if (accept("TO")) {
      const TimeUnit unit = time_unit();
      expect_symbol(")");
      return make(start, RoundToUnit{!equals_word(function.text, "FLOOR"), std::move(operand), unit});
    }
    FunctionCall plain;
    plain.name = {function.span, {{function.span, std::string(function.text)}}};
    plain.arguments.push_back({std::nullopt, std::move(operand)});
    while (accept_symbol(",")) plain.arguments.push_back(function_argument());
    if (!accept_symbol(")")) fail_expected("TO, ',' or ')'");
    return make(start, std::move(plain));
  }
  return std::nullopt;
}

ExprPtr Parser::case_expression() {
  const std::size_t start = here();
  take();
  Case result;
  if (!is_word("WHEN")) result.operand = expression();
  while (accept("WHEN")) {
    CaseWhen branch;
    branch.when = expression();
    expect("THEN");
    branch.then = expression();
    result.branches.push_back(std::move(branch));
  }
  if (result.branches.empty()) fail_expected("WHEN");
  if (accept("ELSE")) result.otherwise = expression();
  if (!accept("END")) fail_expected("WHEN, ELSE or END");
  return make(start, std::move(result));
}

ExprPtr Parser::cast_expression() {
  const std::size_t start = here();
  Cast result;
  result.try_cast = is_word("TRY_CAST");
  take();
  take();
  result.operand = expression();
  expect("AS");
  result.type = type();
  expect_symbol(")");
  return make(start, std::move(result));
}

ExprPtr Parser::extract_call() {
  const std::size_t start = here();
  take();
  take();
  const TimeUnit unit = time_unit();
  expect("FROM");
  ExprPtr operand = expression();
  expect_symbol(")");
  return make(start, Extract{unit, std::move(operand)});
}

ExprPtr Parser::timestamp_call() {
  const std::size_t start = here();
  TimestampArithmetic result;
  result.diff = is_word("TIMESTAMPDIFF");
  take();
  take();
  result.unit = time_unit();
  expect_symbol(",");
  result.first = expression();
  expect_symbol(",");
  result.second = expression();
  expect_symbol(")");
  return make(start, std::move(result));
}

ExprPtr Parser::trim_call() {
  const std::size_t start = here();
  take();
  take();
  Trim result;
  bool side = true;
  if (accept("LEADING")) {
    result.side = Trim::Side::kLeading;
  } else if (accept("TRAILING")) {
    result.side = Trim::Side::kTrailing;
  } else {
    side = accept("BOTH");
  }
  if (side && accept("FROM")) {
    result.operand = expression();
  } else {
    result.operand = expression();
    if (side || is_word("FROM")) {
      expect("FROM");
      result.characters = std::move(result.operand);
      result.operand = expression();
    }
  }
  expect_symbol(")");
  return make(start, std::move(result));
}

ExprPtr Parser::table_argument() {
  const std::size_t start = here();
  take();
  TableArgument result;
  if (accept_symbol("(")) {
    result.query = query();
    expect_symbol(")");
  } else {
    result.table = name("a table name");
  }
  if (accept("PARTITION BY")) result.partition_by = maybe_parenthesised_list();
  if (accept("ORDER BY")) {
    const bool several = accept_symbol("(");
    if (several) {
      result.order_by = order_items();
      expect_symbol(")");
    } else {
      result.order_by.push_back(order_item());
    }
  }
  return make(start, std::move(result));
}

/// `a` or `(a, b)`: without parentheses a comma belongs to the call around it.
std::vector<ExprPtr> Parser::maybe_parenthesised_list() {
  std::vector<ExprPtr> list;
  if (accept_symbol("(")) {
    list = expression_list();
    expect_symbol(")");
  } else {
    list.push_back(expression());
  }
  return list;
}

ExprPtr Parser::descriptor() {
  const std::size_t start = here();
  take();
  Descriptor result;
  result.columns = identifier_list("a column name");
  return make(start, std::move(result));
}

}  // namespace supyo::syntax
