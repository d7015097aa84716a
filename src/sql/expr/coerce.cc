#include <algorithm>

#include "sql/expr/registration.h"

namespace supyo::expr {

// Source of the rules: Flink's LogicalTypeCasts and LogicalTypeMerging; docs "Data Types", section CAST.

Type as_decimal(const Type& t) {
  switch (t.id) {
    case TypeId::kTinyInt: return Type::decimal(3, 0).as_nullable(t.nullable);
    case TypeId::kSmallInt: return Type::decimal(5, 0).as_nullable(t.nullable);
    case TypeId::kInteger: return Type::decimal(10, 0).as_nullable(t.nullable);
    case TypeId::kBigInt: return Type::decimal(19, 0).as_nullable(t.nullable);
    default: return t;
  }
}

Type adjusted_decimal(int precision, int scale) {
  if (precision <= kMaxDecimalPrecision) return Type::decimal(precision, scale);
  const int digits = precision - scale;
  return Type::decimal(kMaxDecimalPrecision, std::max(kMaxDecimalPrecision - digits, std::min(scale, 6)));
}

bool any_nullable(std::span<const Type> types) {
  return std::ranges::any_of(types, [](const Type& t) { return t.nullable; });
}

std::optional<std::int64_t> constant_integer(const ExprPtr& e) {
  const ExprPtr folded = fold_constants(e);
  const auto* v = folded->kind == Expr::Kind::kLiteral ? std::get_if<std::int64_t>(&folded->literal.data) : nullptr;
  return v == nullptr ? std::nullopt : std::optional(*v);
}

std::optional<std::string> constant_text(const ExprPtr& e) {
  const ExprPtr folded = fold_constants(e);
  const auto* v = folded->kind == Expr::Kind::kLiteral ? std::get_if<std::string>(&folded->literal.data) : nullptr;
  return v == nullptr ? std::nullopt : std::optional(*v);
}

namespace {

bool is_temporal(const Type& t) { return t.id == TypeId::kDate || t.id == TypeId::kTime || t.is_timestamp(); }
bool is_interval(const Type& t) { return t.id == TypeId::kIntervalDay || t.id == TypeId::kIntervalMonth; }

bool can_cast_temporal(const Type& from, const Type& to) {
  if (from.is_timestamp()) return is_temporal(to);
  if (from.id == TypeId::kDate || from.id == TypeId::kTime) return to.id == from.id || to.is_timestamp();
  return false;
}

Type common_text(const Type& a, const Type& b) {
  Type t = a;
  t.precision = std::max(a.precision, b.precision);
  t.fixed_length = a.fixed_length && b.fixed_length && a.precision == b.precision;
  return t;
}

Type common_number(const Type& a, const Type& b) {
  if (a.is_floating() || b.is_floating()) {
    if (a.id == TypeId::kDouble || b.id == TypeId::kDouble) return Type::double_();
    if (a.id == TypeId::kDecimal || b.id == TypeId::kDecimal) return Type::double_();
    return Type::float_();
  }
  if (a.id == TypeId::kDecimal || b.id == TypeId::kDecimal) {
    const Type x = as_decimal(a);
    const Type y = as_decimal(b);
    const int scale = std::max(x.scale, y.scale);
    const int digits = std::max(x.precision - x.scale, y.precision - y.scale);
    const int precision = std::min(digits + scale, kMaxDecimalPrecision);
    // Whole digits come first; the fraction takes what is left of the 38.
    return Type::decimal(precision, std::min(scale, kMaxDecimalPrecision - std::min(digits, kMaxDecimalPrecision)));
  }
  return a.id >= b.id ? a : b;
}

std::optional<Type> common_nullable(const Type& a, const Type& b);

/// Of two nested types: what is in them in common types. Rows of other names are of one type: the first's.
std::optional<Type> common_nested(const Type& a, const Type& b) {
  if (a.id != b.id || a.children().size() != b.children().size()) return std::nullopt;
  std::vector<Type> children;
  for (std::size_t i = 0; i < a.children().size(); ++i) {
    const Type &x = a.children()[i], &y = b.children()[i];
    const auto t = common_nullable(x, y);
    if (!t) return std::nullopt;
    children.push_back(t->as_nullable(x.nullable || y.nullable));
  }
  switch (a.id) {
    case TypeId::kArray: return Type::array(children[0]);
    case TypeId::kMultiset: return Type::multiset(children[0]);
    case TypeId::kMap: return Type::map(children[0], children[1]);
    default: return Type::row(a.field_names(), std::move(children));
  }
}

bool all_children(const Type& a, const Type& b, bool (*holds)(const Type&, const Type&)) {
  return a.id == b.id && std::ranges::equal(a.children(), b.children(), holds);
}

std::optional<Type> common_nullable(const Type& a, const Type& b) {
  if (a.id == TypeId::kNull) return b;
  if (b.id == TypeId::kNull) return a;
  if (a.is_nested() || b.is_nested()) return common_nested(a, b);
  if (a.same_kind(b)) return a;
  if (a.is_variable() && a.id == b.id) return common_text(a, b);
  if (a.is_numeric() && b.is_numeric()) return common_number(a, b);
  if (a.is_timestamp() && b.is_timestamp()) {
    Type t = a.id == TypeId::kTimestampLtz || b.id == TypeId::kTimestampLtz ? Type::timestamp_ltz() : Type::timestamp();
    t.precision = std::max(a.precision, b.precision);
    return t;
  }
  if (a.id == TypeId::kTime && b.id == TypeId::kTime) return Type::time(std::max(a.precision, b.precision));
  if (a.id == TypeId::kDate && b.is_timestamp()) return b;
  if (b.id == TypeId::kDate && a.is_timestamp()) return a;
  return std::nullopt;
}

}  // namespace

bool can_cast(const Type& from, const Type& to) {
  if (from.id == TypeId::kNull) return to.id != TypeId::kNull;
  if (from.is_nested() && to.is_text()) return true;
  if (from.is_nested() || to.is_nested()) return all_children(from, to, can_cast);
  if (from.id == to.id) return true;
  if (to.is_text()) return true;  // BYTES too: read as UTF-8
  if (from.is_text()) return to.id != TypeId::kNull && !is_interval(to);
  if (from.id == TypeId::kBytes || to.id == TypeId::kBytes) return false;
  if (from.is_numeric()) return to.is_numeric() || to.id == TypeId::kBoolean || (is_interval(to) && from.is_integer());
  if (from.id == TypeId::kBoolean) return to.is_numeric();
  if (is_interval(from)) return to.is_integer();
  return can_cast_temporal(from, to);
}

bool can_coerce(const Type& from, const Type& to) {
  if (from.id == TypeId::kNull) return to.nullable && to.id != TypeId::kNull;
  if (from.is_nested() || to.is_nested()) return all_children(from, to, [](const Type& a, const Type& b) { return a.same_kind(b) || can_coerce(a, b.as_nullable()); });
  if (from.id == to.id) return true;
  if (from.is_numeric()) {
    if (to.id == TypeId::kDouble || to.id == TypeId::kDecimal) return true;
    if (to.id == TypeId::kFloat) return from.id != TypeId::kDouble;
    return from.is_integer() && to.is_integer() && from.id < to.id;
  }
  if (from.is_timestamp()) return to.is_timestamp() || (from.id == TypeId::kTimestamp && (to.id == TypeId::kDate || to.id == TypeId::kTime));
  // Flink's SQL validator widens a DATE where a timestamp is wanted.
  return from.id == TypeId::kDate && to.is_timestamp();
}

Result<Type> common_type(const Type& a, const Type& b) {
  const std::optional<Type> found = common_nullable(a, b);
  if (!found) {
    return fail(ErrorCode::kTypeMismatch, fmt::format("{} and {} have no common type", a.as_nullable().to_string(), b.as_nullable().to_string()),
                "make the types equal with CAST");
  }
  return found->as_nullable(a.nullable || b.nullable || a.id == TypeId::kNull || b.id == TypeId::kNull);
}

std::optional<Type> common_of(std::span<const Type> args, std::size_t first, std::size_t step) {
  std::optional<Type> t;
  for (std::size_t i = first; i < args.size(); i += step) {
    const auto next = t ? common_type(*t, args[i]) : Result<Type>(args[i]);
    if (!next) return std::nullopt;
    t = *next;
  }
  return !t || t->id == TypeId::kNull ? std::nullopt : t;
}

std::optional<Type> comparison_type(const Type& a, const Type& b) {
  if (auto t = common_type(a, b)) return *t;
  const bool nullable = a.nullable || b.nullable;
  const auto comparable_with_text = [](const Type& t) { return t.is_numeric() || is_temporal(t) || t.id == TypeId::kBoolean; };
  if (a.is_text() && comparable_with_text(b)) return b.as_nullable(nullable);
  if (b.is_text() && comparable_with_text(a)) return a.as_nullable(nullable);
  return std::nullopt;
}

Binder takes(std::vector<Type> parameters, Type result, Shape shape) {
  return [parameters = std::move(parameters), result, shape](std::span<const Type> args) -> std::optional<Typing> {
    const std::size_t most = shape.variadic ? SIZE_MAX : parameters.size();
    if (args.size() < parameters.size() - shape.optional || args.size() > most) return std::nullopt;
    Typing typing;
    for (std::size_t i = 0; i < args.size(); ++i) {
      const Type& wanted = parameters[std::min(i, parameters.size() - 1)];
      if (!can_coerce(args[i], wanted.as_nullable())) return std::nullopt;
      // The same representation needs no cast: lengths and precisions stay the argument's.
      typing.args.push_back(args[i].id == wanted.id ? args[i] : wanted.as_nullable(args[i].nullable || args[i].id == TypeId::kNull));
    }
    const bool nullable = !shape.never_null && (shape.always_nullable || any_nullable(args));
    typing.result = result.as_nullable(nullable);
    return typing;
  };
}

}  // namespace supyo::expr
