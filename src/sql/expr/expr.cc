#include "sql/expr/expr.h"

#include <algorithm>
#include <set>

#include "core/base/check.h"

namespace supyo::expr {

namespace {

std::string literal_text(const Value& v) {
  if (v.is_null()) return "NULL";
  std::string text = v.to_string();
  if (v.type.is_text()) {
    std::string quoted = "'";
    for (const char c : text) {
      quoted += c;
      if (c == '\'') quoted += c;
    }
    return quoted + "'";
  }
  switch (v.type.id) {
    case TypeId::kDate: return "DATE '" + text + "'";
    case TypeId::kTime: return "TIME '" + text + "'";
    case TypeId::kTimestamp: return "TIMESTAMP '" + text + "'";
    case TypeId::kIntervalMonth:
    case TypeId::kIntervalDay: return "INTERVAL '" + text + "'";
    default: return text;
  }
}

bool is_infix(std::string_view name) {
  static constexpr std::string_view kInfix[] = {"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "AND", "OR", "LIKE", "||",
                                                "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  return std::ranges::find(kInfix, name) != std::end(kInfix);
}

std::string join(const Expr& e, std::span<const std::string> names, std::string_view separator, std::size_t from = 0) {
  std::string out;
  for (std::size_t i = from; i < e.args.size(); ++i) {
    if (i > from) out += separator;
    out += e.args[i]->to_string(names);
  }
  return out;
}

std::string call_text(const Expr& e, std::span<const std::string> names) {
  const std::string& f = e.function->name;
  if (e.args.size() >= 2 && is_infix(f) && !(f == "LIKE" && e.args.size() > 2)) return "(" + join(e, names, " " + f + " ") + ")";
  if (e.args.size() == 1 && f.starts_with("IS ")) return "(" + e.args[0]->to_string(names) + " " + f + ")";
  if (e.args.size() == 1 && f == "NOT") return "(NOT " + e.args[0]->to_string(names) + ")";
  if (e.args.size() == 1 && (f == "-" || f == "+")) return "(" + f + e.args[0]->to_string(names) + ")";
  if (f == "IN") return "(" + e.args[0]->to_string(names) + " IN (" + join(e, names, ", ", 1) + "))";
  if (f == "BETWEEN") return "(" + e.args[0]->to_string(names) + " BETWEEN " + join(e, names, " AND ", 1) + ")";
  if (f == "ARRAY" || f == "MAP") return f + "[" + join(e, names, ", ") + "]";
  if (f == "ITEM") return e.args[0]->to_string(names) + "[" + e.args[1]->to_string(names) + "]";
  if (f == "FIELD")
    if (const auto* i = std::get_if<std::int64_t>(&e.args[1]->literal.data)) return e.args[0]->to_string(names) + "." + e.args[0]->type.field_names()[static_cast<std::size_t>(*i)];
  return f + "(" + join(e, names, ", ") + ")";
}

std::string case_text(const Expr& e, std::span<const std::string> names) {
  std::string out = "CASE";
  for (std::size_t i = 0; i + 1 < e.args.size(); i += 2) {
    out += " WHEN " + e.args[i]->to_string(names) + " THEN " + e.args[i + 1]->to_string(names);
  }
  return out + " ELSE " + e.args.back()->to_string(names) + " END";
}

void collect_columns(const Expr& e, std::set<std::size_t>& out) {
  if (e.kind == Expr::Kind::kColumn) out.insert(e.column);
  for (const ExprPtr& a : e.args) collect_columns(*a, out);
}

}  // namespace

std::string Expr::to_string(std::span<const std::string> names) const {
  switch (kind) {
    case Kind::kColumn: return column < names.size() ? names[column] : fmt::format("${}", column);
    case Kind::kLiteral: return literal_text(literal);
    case Kind::kCast: return fmt::format("{}({} AS {})", try_cast ? "TRY_CAST" : "CAST", args[0]->to_string(names), type.as_nullable().to_string());
    case Kind::kCase: return case_text(*this, names);
    case Kind::kCall: return call_text(*this, names);
  }
  return {};
}

ExprPtr column(std::size_t index, Type type) {
  auto e = std::make_shared<Expr>();
  e->kind = Expr::Kind::kColumn;
  e->type = type;
  e->column = index;
  return e;
}

ExprPtr literal(Value value) {
  auto e = std::make_shared<Expr>();
  e->kind = Expr::Kind::kLiteral;
  e->type = value.type.as_nullable(value.is_null());
  e->literal = std::move(value);
  return e;
}

ExprPtr cast(ExprPtr operand, Type to, bool try_cast) {
  auto e = std::make_shared<Expr>();
  e->kind = Expr::Kind::kCast;
  e->type = to.as_nullable(try_cast || operand->type.nullable);
  e->try_cast = try_cast;
  e->args = {std::move(operand)};
  return e;
}

namespace {

/// TYPEOF: known as soon as the argument is.
ExprPtr type_name(const std::vector<ExprPtr>& args) {
  const Type& t = args[0]->type;
  std::string name = t.id == TypeId::kNull ? "NULL" : t.to_string();
  const bool serializable = args.size() == 2 && args[1]->kind == Expr::Kind::kLiteral && args[1]->literal == Value{.type = args[1]->literal.type, .data = true};
  if (serializable && name.starts_with("STRING")) name.replace(0, 6, "VARCHAR(2147483647)");
  if (serializable && name.starts_with("BYTES")) name.replace(0, 5, "VARBINARY(2147483647)");
  auto e = std::make_shared<Expr>();
  e->type = Type::string();
  e->literal = {.type = Type::string(), .data = std::move(name)};
  return e;
}

}  // namespace

ExprPtr call(const Function* f, std::vector<ExprPtr> args, Type result) {
  SUPYO_CHECK(f != nullptr);
  if (f->name == "TYPEOF") return type_name(args);
  // IF evaluates only the branch that it takes; a kernel sees all its arguments evaluated.
  if (f->name == "IF") return case_when(std::move(args), result);
  auto e = std::make_shared<Expr>();
  e->kind = Expr::Kind::kCall;
  e->type = f->refine == nullptr ? result : f->refine(args, result);
  e->function = f;
  e->args = std::move(args);
  return e;
}

ExprPtr case_when(std::vector<ExprPtr> whens_thens_else, Type result) {
  SUPYO_CHECK_EQ(whens_thens_else.size() % 2, 1U);
  auto e = std::make_shared<Expr>();
  e->kind = Expr::Kind::kCase;
  e->type = result;
  e->args = std::move(whens_thens_else);
  return e;
}

std::vector<std::size_t> columns_read(const Expr& e) {
  std::set<std::size_t> set;
  collect_columns(e, set);
  return {set.begin(), set.end()};
}

ExprPtr remap_columns(const ExprPtr& e, std::span<const std::size_t> mapping) {
  if (e->kind == Expr::Kind::kColumn) {
    SUPYO_CHECK_LT(e->column, mapping.size());
    return column(mapping[e->column], e->type);
  }
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& a : copy->args) a = remap_columns(a, mapping);
  return copy;
}

}  // namespace supyo::expr
