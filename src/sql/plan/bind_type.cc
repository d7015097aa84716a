#include <algorithm>

#include "sql/plan/bind_expr.h"
#include "sql/syntax/printer.h"

namespace supyo::plan {
namespace {

using syntax::TypeKeyword;

std::unexpected<Error> out_of_bounds(const syntax::TypeName& t, std::string_view what, int low, int high) {
  return fail_at(t.span, ErrorCode::kTypeMismatch, fmt::format("the {} of {} must be between {} and {}", what, syntax::print(t), low, high),
                 "change the number in parentheses");
}

Result<Type> text_type(const syntax::TypeName& t) {
  const int length = t.precision.value_or(1);
  if (length < 1) return out_of_bounds(t, "length", 1, kMaxLength);
  const bool bytes = t.keyword == TypeKeyword::kBinary || t.keyword == TypeKeyword::kVarBinary;
  Type type = bytes ? Type::bytes(length) : Type::string(length);
  type.fixed_length = t.keyword == TypeKeyword::kChar || t.keyword == TypeKeyword::kBinary;
  return type;
}

Result<Type> time_type(const syntax::TypeName& t) {
  const int p = t.precision.value_or(t.keyword == TypeKeyword::kTime ? 0 : 6);
  if (p < 0 || p > 9) return out_of_bounds(t, "precision", 0, 9);
  if (p > 6) return unsupported(t.span, syntax::print(t), "Supyo keeps microseconds: use precision 6 or less");
  if (t.keyword == TypeKeyword::kTime) return Type::time(p);
  return t.keyword == TypeKeyword::kTimestamp ? Type::timestamp(p) : Type::timestamp_ltz(p);
}

Result<Type> decimal_type(const syntax::TypeName& t) {
  const int p = t.precision.value_or(10);
  const int s = t.scale.value_or(0);
  if (p < 1 || p > kMaxDecimalPrecision) return out_of_bounds(t, "precision", 1, kMaxDecimalPrecision);
  if (s < 0 || s > p) return out_of_bounds(t, "scale", 0, p);
  return Type::decimal(p, s);
}

Result<Type> row_type(const syntax::TypeName& t) {
  std::vector<std::string> names;
  std::vector<Type> types;
  for (const syntax::TypeField& f : t.fields) {
    if (std::ranges::find(names, f.name.text) != names.end())
      return fail_at(f.name.span, ErrorCode::kAlreadyExists, fmt::format("field `{}` is declared twice", f.name.text), "rename one of them");
    SUPYO_ASSIGN(Type type, bind_type(f.type));
    names.push_back(f.name.text);
    types.push_back(std::move(type));
  }
  return Type::row(std::move(names), std::move(types));
}

/// ARRAY, MAP, MULTISET, ROW.
Result<Type> nested_type(const syntax::TypeName& t) {
  if (t.keyword == TypeKeyword::kRow) return row_type(t);
  std::vector<Type> children;
  for (const syntax::TypeName& a : t.arguments) {
    SUPYO_ASSIGN(Type child, bind_type(a));
    children.push_back(std::move(child));
  }
  if (t.keyword == TypeKeyword::kMap) return Type::map(children[0], children[1]);
  return t.keyword == TypeKeyword::kArray ? Type::array(children[0]) : Type::multiset(children[0]);
}

Result<Type> nullable_type(const syntax::TypeName& t) {
  switch (t.keyword) {
    case TypeKeyword::kBoolean: return Type::boolean();
    case TypeKeyword::kTinyInt: return Type::tiny_int();
    case TypeKeyword::kSmallInt: return Type::small_int();
    case TypeKeyword::kInt: return Type::integer();
    case TypeKeyword::kBigInt: return Type::big_int();
    case TypeKeyword::kFloat: return Type::float_();
    case TypeKeyword::kDouble: return Type::double_();
    case TypeKeyword::kDecimal: return decimal_type(t);
    case TypeKeyword::kString: return Type::string();
    case TypeKeyword::kBytes: return Type::bytes();
    case TypeKeyword::kChar:
    case TypeKeyword::kVarChar:
    case TypeKeyword::kBinary:
    case TypeKeyword::kVarBinary: return text_type(t);
    case TypeKeyword::kDate: return Type::date();
    case TypeKeyword::kTime:
    case TypeKeyword::kTimestamp:
    case TypeKeyword::kTimestampLtz: return time_type(t);
    case TypeKeyword::kIntervalYearMonth: return Type::interval_month();
    case TypeKeyword::kIntervalDayTime: return Type::interval_day();
    case TypeKeyword::kArray:
    case TypeKeyword::kMap:
    case TypeKeyword::kMultiset:
    case TypeKeyword::kRow: return nested_type(t);
  }
  return unsupported(t.span, syntax::print(t), "use another type");
}

}  // namespace

Result<Type> bind_type(const syntax::TypeName& type) {
  SUPYO_ASSIGN(Type bound, nullable_type(type));
  bound.nullable = !type.not_null;
  return bound;
}

}  // namespace supyo::plan
