#include <fmt/format.h>

#include "sql/syntax/keywords.h"
#include "sql/syntax/precedence.h"
#include "sql/syntax/printer.h"
#include "sql/syntax/sql_text.h"
#include "sql/syntax/token.h"

namespace supyo::syntax {
namespace {

bool is_plain_word(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) && std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out.push_back(quote);
    out.push_back(c);
  }
  return out + quote;
}

bool has_suffix(const FunctionCall& call) { return call.over || call.filter || call.ignore_nulls || !call.within_group.empty(); }

/// Printed without parentheses: CURRENT_DATE.
bool is_bare_call(const FunctionCall& call) {
  return call.name.parts.size() == 1 && is_bare_function(call.name.last()) && call.arguments.empty() && !call.distinct && !has_suffix(call);
}

/// FLOOR, CEIL and CEILING read their first argument themselves, for FLOOR(x TO unit): other shapes need backticks.
bool is_odd_rounding(const FunctionCall& call) {
  const std::string upper = call.upper_name();
  if (upper != "FLOOR" && upper != "CEIL" && upper != "CEILING") return false;
  return call.arguments.empty() || call.arguments.front().name || call.arguments.front().value->as<TableArgument>() != nullptr ||
         call.distinct || has_suffix(call);
}

int precedence(const Expr& expr) {
  if (const auto* binary = expr.as<Binary>()) return precedence(binary->op);
  if (const auto* unary = expr.as<Unary>()) return unary->op == UnaryOp::kNot ? kPrecedenceNot : kPrecedenceUnary;
  if (expr.as<IsTest>() != nullptr) return kPrecedenceIs;
  if (expr.as<QuantifiedComparison>() != nullptr) return kPrecedenceComparison;
  if (expr.as<Between>() != nullptr || expr.as<Like>() != nullptr || expr.as<InList>() != nullptr || expr.as<InQuery>() != nullptr)
    return kPrecedenceRange;
  return kPrecedencePrimary;
}

}  // namespace

std::string_view to_string(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kYear: return "YEAR";
    case TimeUnit::kQuarter: return "QUARTER";
    case TimeUnit::kMonth: return "MONTH";
    case TimeUnit::kWeek: return "WEEK";
    case TimeUnit::kDay: return "DAY";
    case TimeUnit::kHour: return "HOUR";
    case TimeUnit::kMinute: return "MINUTE";
    case TimeUnit::kSecond: return "SECOND";
    case TimeUnit::kMillisecond: return "MILLISECOND";
    case TimeUnit::kMicrosecond: return "MICROSECOND";
    case TimeUnit::kNanosecond: return "NANOSECOND";
    case TimeUnit::kEpoch: return "EPOCH";
    case TimeUnit::kDoy: return "DOY";
    case TimeUnit::kDow: return "DOW";
    case TimeUnit::kIsoDow: return "ISODOW";
    case TimeUnit::kIsoYear: return "ISOYEAR";
    case TimeUnit::kDecade: return "DECADE";
    case TimeUnit::kCentury: return "CENTURY";
    case TimeUnit::kMillennium: return "MILLENNIUM";
  }
  return "SECOND";
}

std::string_view to_string(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr: return "OR";
    case BinaryOp::kAnd: return "AND";
    case BinaryOp::kEqual: return "=";
    case BinaryOp::kNotEqual: return "<>";
    case BinaryOp::kLess: return "<";
    case BinaryOp::kLessOrEqual: return "<=";
    case BinaryOp::kGreater: return ">";
    case BinaryOp::kGreaterOrEqual: return ">=";
    case BinaryOp::kIsDistinctFrom: return "IS DISTINCT FROM";
    case BinaryOp::kIsNotDistinctFrom: return "IS NOT DISTINCT FROM";
    case BinaryOp::kConcat: return "||";
    case BinaryOp::kPlus: return "+";
    case BinaryOp::kMinus: return "-";
    case BinaryOp::kMultiply: return "*";
    case BinaryOp::kDivide: return "/";
    case BinaryOp::kModulo: return "%";
  }
  return "=";
}

std::string quote_identifier(std::string_view text) {
  return is_plain_word(text) && !is_reserved_in_flink(text) ? std::string(text) : quoted(text, '`');
}

std::string quote_string(std::string_view text) { return quoted(text, '\''); }

void SqlText::identifier(const Identifier& id) { out_ += quote_identifier(id.text); }
void SqlText::identifiers(const std::vector<Identifier>& ids) {
  text("(");
  list(ids, [&](const Identifier& id) { identifier(id); });
  text(")");
}
void SqlText::string(std::string_view value) { out_ += quote_string(value); }
void SqlText::name(const Name& name) {
  for (std::size_t i = 0; i < name.parts.size(); ++i) {
    if (i > 0) text(".");
    identifier(name.parts[i]);
  }
}

void SqlText::expr(const Expr& expr, int min_precedence) {
  const bool parentheses = precedence(expr) < min_precedence;
  if (parentheses) text("(");
  std::visit([&](const auto& n) { node(n); }, expr.node);
  if (parentheses) text(")");
}

void SqlText::expr_list(const std::vector<ExprPtr>& items) {
  list(items, [&](const ExprPtr& item) { expr(*item); });
}

// ---- literals and names

void SqlText::node(const NullLiteral&) { text("NULL"); }
void SqlText::node(const BooleanLiteral& n) { text(n.value ? "TRUE" : "FALSE"); }
void SqlText::node(const NumberLiteral& n) { text(n.text); }
void SqlText::node(const StringLiteral& n) { string(n.value); }
void SqlText::node(const BinaryLiteral& n) {
  text("X'");
  for (const char c : n.bytes) out_ += fmt::format("{:02x}", static_cast<unsigned char>(c));
  text("'");
}
void SqlText::node(const TemporalLiteral& n) {
  using Kind = TemporalLiteral::Kind;
  text(n.kind == Kind::kDate ? "DATE " : n.kind == Kind::kTime ? "TIME " : "TIMESTAMP ");
  string(n.text);
}
void SqlText::node(const IntervalLiteral& n) {
  text(n.negative ? "INTERVAL -" : "INTERVAL ");
  string(n.text);
  text(" ");
  text(to_string(n.from));
  if (n.precision && n.fraction && n.from == n.to) {
    out_ += fmt::format("({}, {})", *n.precision, *n.fraction);
  } else if (n.precision) {
    out_ += fmt::format("({})", *n.precision);
  }
  if (n.from == n.to) return;
  text(" TO ");
  text(to_string(n.to));
  if (n.fraction) out_ += fmt::format("({})", *n.fraction);
}
void SqlText::node(const ColumnRef& n) { name(n.name); }
void SqlText::node(const Star& n) {
  if (n.qualifier) {
    name(*n.qualifier);
    text(".");
  }
  text("*");
}

// ---- operators

void SqlText::node(const Unary& n) {
  if (n.op == UnaryOp::kNot) {
    text("NOT ");
    return expr(*n.operand, kPrecedenceNot);
  }
  text(n.op == UnaryOp::kMinus ? "-" : "+");
  // `--` would start a comment.
  if (n.operand->as<Unary>() != nullptr) text(" ");
  expr(*n.operand, kPrecedenceUnary);
}
void SqlText::node(const Binary& n) {
  const int strength = precedence(n.op);
  expr(*n.left, strength);
  text(" ");
  text(to_string(n.op));
  text(" ");
  expr(*n.right, strength + 1);
}
void SqlText::node(const IsTest& n) {
  using Kind = IsTest::Kind;
  expr(*n.operand, kPrecedenceIs);
  text(n.negated ? " IS NOT " : " IS ");
  switch (n.kind) {
    case Kind::kNull: return text("NULL");
    case Kind::kTrue: return text("TRUE");
    case Kind::kFalse: return text("FALSE");
    case Kind::kUnknown: return text("UNKNOWN");
    case Kind::kJson: return text("JSON VALUE");
    case Kind::kJsonObject: return text("JSON OBJECT");
    case Kind::kJsonArray: return text("JSON ARRAY");
    case Kind::kJsonScalar: return text("JSON SCALAR");
  }
}
void SqlText::node(const Between& n) {
  expr(*n.operand, kPrecedenceRange);
  text(n.negated ? " NOT BETWEEN " : " BETWEEN ");
  if (n.symmetric) text("SYMMETRIC ");
  expr(*n.low, kPrecedenceRange + 1);
  text(" AND ");
  expr(*n.high, kPrecedenceRange + 1);
}
void SqlText::node(const Like& n) {
  expr(*n.operand, kPrecedenceRange);
  if (n.negated) text(" NOT");
  text(n.similar ? " SIMILAR TO " : " LIKE ");
  expr(*n.pattern, kPrecedenceRange + 1);
  if (!n.escape) return;
  text(" ESCAPE ");
  expr(*n.escape, kPrecedenceRange + 1);
}
void SqlText::node(const InList& n) {
  expr(*n.operand, kPrecedenceRange);
  text(n.negated ? " NOT IN (" : " IN (");
  expr_list(n.items);
  text(")");
}
void SqlText::node(const InQuery& n) {
  expr(*n.operand, kPrecedenceRange);
  text(n.negated ? " NOT IN " : " IN ");
  sub_query(*n.query);
}
void SqlText::node(const Exists& n) {
  text("EXISTS ");
  sub_query(*n.query);
}
void SqlText::node(const QuantifiedComparison& n) {
  expr(*n.left, kPrecedenceComparison);
  text(" ");
  text(to_string(n.op));
  text(n.all ? " ALL " : " ANY ");
  sub_query(*n.query);
}
void SqlText::node(const ScalarQuery& n) { sub_query(*n.query); }

// ---- special forms

void SqlText::node(const Case& n) {
  text("CASE");
  if (n.operand) {
    text(" ");
    expr(*n.operand);
  }
  for (const CaseWhen& branch : n.branches) {
    text(" WHEN ");
    expr(*branch.when);
    text(" THEN ");
    expr(*branch.then);
  }
  if (n.otherwise) {
    text(" ELSE ");
    expr(*n.otherwise);
  }
  text(" END");
}
void SqlText::node(const Cast& n) {
  text(n.try_cast ? "TRY_CAST(" : "CAST(");
  expr(*n.operand);
  text(" AS ");
  type(n.type);
  text(")");
}
void SqlText::node(const Extract& n) {
  text("EXTRACT(");
  text(to_string(n.unit));
  text(" FROM ");
  expr(*n.operand);
  text(")");
}
void SqlText::node(const RoundToUnit& n) {
  // An interval at the operand's end would take the TO for its own.
  const bool open = precedence(*n.operand) != kPrecedencePrimary || n.operand->as<IntervalLiteral>() != nullptr;
  text(n.ceil ? "CEIL(" : "FLOOR(");
  if (open) text("(");
  expr(*n.operand);
  text(open ? ") TO " : " TO ");
  text(to_string(n.unit));
  text(")");
}
void SqlText::node(const TimestampArithmetic& n) {
  text(n.diff ? "TIMESTAMPDIFF(" : "TIMESTAMPADD(");
  text(to_string(n.unit));
  text(", ");
  expr(*n.first);
  text(", ");
  expr(*n.second);
  text(")");
}
void SqlText::node(const TimeDifference& n) {
  text("(");
  expr(*n.to, precedence(BinaryOp::kMinus));
  text(" - ");
  expr(*n.from, precedence(BinaryOp::kMinus) + 1);
  text(") ");
  text(to_string(n.first));
  if (n.last == n.first) return;
  text(" TO ");
  text(to_string(n.last));
}
void SqlText::node(const Trim& n) {
  using Side = Trim::Side;
  if (n.side == Side::kBoth && !n.characters) {
    text("TRIM(");
  } else {
    text(n.side == Side::kBoth ? "TRIM(BOTH " : n.side == Side::kLeading ? "TRIM(LEADING " : "TRIM(TRAILING ");
    if (n.characters) {
      expr(*n.characters);
      text(" ");
    }
    text("FROM ");
  }
  expr(*n.operand);
  text(")");
}
void SqlText::node(const RowValue& n) {
  text("ROW(");
  expr_list(n.items);
  text(")");
}
void SqlText::node(const ArrayValue& n) {
  text("ARRAY[");
  expr_list(n.items);
  text("]");
}
void SqlText::node(const MapValue& n) {
  text("MAP[");
  expr_list(n.items);
  text("]");
}
/// What `[..]` or `.field` is applied to. A bare column would swallow the field into its own name.
void SqlText::base(const Expr& operand) {
  const bool closed = operand.as<FunctionCall>() != nullptr || operand.as<Subscript>() != nullptr || operand.as<FieldAccess>() != nullptr;
  const auto* call = operand.as<FunctionCall>();
  const bool open = call != nullptr && (has_suffix(*call) || is_bare_call(*call));
  if (closed && !open) return expr(operand);
  text("(");
  expr(operand);
  text(")");
}
void SqlText::node(const Subscript& n) {
  if (n.base->as<ColumnRef>() != nullptr) {
    expr(*n.base);
  } else {
    base(*n.base);
  }
  text("[");
  expr(*n.index);
  text("]");
}
void SqlText::node(const FieldAccess& n) {
  base(*n.base);
  text(".");
  identifier(n.field);
}

// ---- calls

void SqlText::function_name(const FunctionCall& call) {
  const std::string& last = call.name.last();
  const bool callable = is_plain_word(last) && !has_special_call(last) &&
                        (!is_reserved(last) || is_bare_function(last) || equals_word(last, "LEFT") || equals_word(last, "RIGHT"));
  if (call.name.parts.size() > 1) return name(call.name);
  out_ += callable && !is_odd_rounding(call) ? last : quoted(last, '`');
}
void SqlText::function_arguments(const FunctionCall& call) {
  const auto& arguments = call.arguments;
  const std::string upper = call.name.parts.size() == 1 ? call.upper_name() : std::string();
  // These two have no comma form in Flink.
  if (upper == "POSITION" && arguments.size() == 2 && !call.distinct) {
    expr(*arguments[0].value, kPrecedenceRange + 1);
    text(" IN ");
    return expr(*arguments[1].value);
  }
  if (upper == "OVERLAY" && (arguments.size() == 3 || arguments.size() == 4) && !call.distinct) {
    static constexpr std::string_view kBefore[] = {"", " PLACING ", " FROM ", " FOR "};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      text(kBefore[i]);
      expr(*arguments[i].value);
    }
    return;
  }
  if (call.json && (upper == "JSON_OBJECT" || upper == "JSON_OBJECTAGG") && arguments.size() % 2 == 0) {
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
      text(i > 0 ? ", KEY " : "KEY ");
      expr(*arguments[i].value);
      text(" VALUE ");
      expr(*arguments[i + 1].value);
    }
    return json_clauses(*call.json, !arguments.empty());
  }
  if (call.distinct) text("DISTINCT ");
  list(arguments, [&](const FunctionArgument& argument) {
    if (argument.name) {
      identifier(*argument.name);
      text(" => ");
    }
    expr(*argument.value);
  });
  if (call.json) json_clauses(*call.json, !arguments.empty());
}
void SqlText::json_clauses(const JsonClauses& json, bool after_arguments) {
  using Otherwise = JsonClauses::Otherwise;
  const auto otherwise = [&](Otherwise what, const ExprPtr& value, std::string_view when) {
    static constexpr std::string_view kWords[] = {"", " NULL", " ERROR", " DEFAULT ", " TRUE", " FALSE", " UNKNOWN", " EMPTY ARRAY", " EMPTY OBJECT"};
    if (what == Otherwise::kUnsaid) return;
    text(kWords[static_cast<std::size_t>(what)]);
    if (what == Otherwise::kDefault) expr(*value);
    text(when);
  };
  if (json.returning) {
    text(" RETURNING ");
    type(*json.returning);
  }
  static constexpr std::string_view kWrappers[] = {"", " WITHOUT WRAPPER", " WITH CONDITIONAL WRAPPER", " WITH UNCONDITIONAL WRAPPER"};
  text(kWrappers[static_cast<std::size_t>(json.wrapper)]);
  otherwise(json.on_empty, json.empty_default, " ON EMPTY");
  otherwise(json.on_error, json.error_default, " ON ERROR");
  if (json.absent_on_null) text(std::string(after_arguments ? " " : "") + (*json.absent_on_null ? "ABSENT ON NULL" : "NULL ON NULL"));
}
void SqlText::node(const FunctionCall& n) {
  function_name(n);
  if (!is_bare_call(n)) {
    text("(");
    function_arguments(n);
    text(")");
  }
  if (!n.within_group.empty()) {
    text(" WITHIN GROUP (ORDER BY ");
    order_items(n.within_group);
    text(")");
  }
  if (n.filter) {
    text(" FILTER (WHERE ");
    expr(*n.filter);
    text(")");
  }
  if (n.ignore_nulls) text(*n.ignore_nulls ? " IGNORE NULLS" : " RESPECT NULLS");
  if (n.over) {
    text(" OVER ");
    window(*n.over);
  }
}
void SqlText::node(const TableArgument& n) {
  text("TABLE ");
  if (n.table) {
    name(*n.table);
  } else {
    sub_query(*n.query);
  }
  if (!n.partition_by.empty()) {
    text(" PARTITION BY (");
    expr_list(n.partition_by);
    text(")");
  }
  if (!n.order_by.empty()) {
    text(" ORDER BY (");
    order_items(n.order_by);
    text(")");
  }
}
void SqlText::node(const Descriptor& n) {
  text("DESCRIPTOR");
  identifiers(n.columns);
}
void SqlText::node(const DefaultValue&) { text("DEFAULT"); }

// ---- windows

void SqlText::order_items(const std::vector<OrderItem>& items) {
  list(items, [&](const OrderItem& item) {
    expr(*item.expr);
    if (item.descending) text(" DESC");
    if (item.nulls_first) text(*item.nulls_first ? " NULLS FIRST" : " NULLS LAST");
  });
}
void SqlText::window(const WindowDefinition& window) {
  if (window.base && window.partition_by.empty() && window.order_by.empty() && !window.frame) return identifier(*window.base);
  window_body(window);
}
void SqlText::window_body(const WindowDefinition& window) {
  text("(");
  std::string_view space;
  const auto part = [&] {
    text(space);
    space = " ";
  };
  if (window.base) {
    part();
    identifier(*window.base);
  }
  if (!window.partition_by.empty()) {
    part();
    text("PARTITION BY ");
    expr_list(window.partition_by);
  }
  if (!window.order_by.empty()) {
    part();
    text("ORDER BY ");
    order_items(window.order_by);
  }
  if (window.frame) {
    part();
    frame(*window.frame);
  }
  text(")");
}
void SqlText::frame(const WindowFrame& frame) {
  text(frame.rows ? "ROWS BETWEEN " : "RANGE BETWEEN ");
  bound(frame.start);
  text(" AND ");
  bound(frame.end);
}
void SqlText::bound(const FrameBound& bound) {
  using Kind = FrameBound::Kind;
  switch (bound.kind) {
    case Kind::kUnboundedPreceding: return text("UNBOUNDED PRECEDING");
    case Kind::kUnboundedFollowing: return text("UNBOUNDED FOLLOWING");
    case Kind::kCurrentRow: return text("CURRENT ROW");
    case Kind::kPreceding:
    case Kind::kFollowing: break;
  }
  expr(*bound.offset, kPrecedenceRange + 1);
  text(bound.kind == Kind::kPreceding ? " PRECEDING" : " FOLLOWING");
}

}  // namespace supyo::syntax
