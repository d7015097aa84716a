#include <cmath>

#include "sql/expr/decimal.h"
#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

// Integers wrap on overflow and division by zero fails the statement, floating point follows IEEE, DECIMAL overflow is null: as in Flink,
// whose generated code uses Java's operators and DecimalData.

enum class Op { kAdd, kSubtract, kMultiply, kDivide, kModulo };

template <Op kOp, class T>
T wrapping(T a, T b) {
  using U = std::make_unsigned_t<T>;
  // At least 32 bits wide, so that the promotion of small unsigned types to int cannot overflow.
  using W = std::conditional_t<(sizeof(T) < 4), std::uint32_t, U>;
  const W x = static_cast<W>(static_cast<U>(a));
  const W y = static_cast<W>(static_cast<U>(b));
  if constexpr (kOp == Op::kAdd) return static_cast<T>(x + y);
  else if constexpr (kOp == Op::kSubtract) return static_cast<T>(x - y);
  else return static_cast<T>(x * y);
}

template <Op kOp, class T>
Result<ColumnPtr> integer_op(std::span<const ColumnPtr> args, const Type& result, std::size_t rows) {
  if constexpr (kOp == Op::kDivide || kOp == Op::kModulo) {
    return map_rows<T, T>(args, result, rows, [](T a, T b) -> Result<T> {
      if (b == 0) [[unlikely]] return arithmetic_error(kOp == Op::kDivide ? "division by zero" : "modulo by zero");
      if (b == -1) return kOp == Op::kDivide ? wrapping<Op::kSubtract, T>(0, a) : T{0};  // the one quotient that overflows wraps
      return static_cast<T>(kOp == Op::kDivide ? a / b : a % b);
    });
  } else {
    return map_rows<T, T>(args, result, rows, [](T a, T b) { return wrapping<kOp, T>(a, b); });
  }
}

template <Op kOp, class T>
Result<ColumnPtr> floating_op(std::span<const ColumnPtr> args, const Type& result, std::size_t rows) {
  return map_rows<T, T>(args, result, rows, [](T a, T b) -> T {
    if constexpr (kOp == Op::kAdd) return a + b;
    else if constexpr (kOp == Op::kSubtract) return a - b;
    else if constexpr (kOp == Op::kMultiply) return a * b;
    else if constexpr (kOp == Op::kDivide) return a / b;
    else return std::fmod(a, b);
  });
}

template <Op kOp>
Result<ColumnPtr> decimal_op(std::span<const ColumnPtr> args, const Type& result, std::size_t rows) {
  const int sa = args[0]->type().scale;
  const int sb = args[1]->type().scale;
  const int p = result.precision;
  const int s = result.scale;
  if constexpr (kOp == Op::kMultiply) {
    // Every product fits, and has its scale already.
    if (s == sa + sb && args[0]->type().precision + args[1]->type().precision <= p) return map_rows<Int128, Int128>(args, result, rows, [](Int128 a, Int128 b) -> Int128 { return a * b; });
  }
  return map_rows<Int128, Int128>(args, result, rows, [=](Int128 a, Int128 b) -> Result<std::optional<Int128>> {
    if constexpr (kOp == Op::kAdd) return decimal_add({a, sa}, {b, sb}, p, s);
    if constexpr (kOp == Op::kSubtract) return decimal_subtract({a, sa}, {b, sb}, p, s);
    if constexpr (kOp == Op::kMultiply) return decimal_multiply({a, sa}, {b, sb}, p, s);
    if (b == 0) [[unlikely]] return arithmetic_error("division by zero");
    if constexpr (kOp == Op::kDivide) return decimal_divide({a, sa}, {b, sb}, p, s);
    else return decimal_modulo({a, sa}, {b, sb}, p, s);
  });
}

/// Integers come in the wider type of both; the remainder fits the divisor's, and has it.
Result<ColumnPtr> integer_modulo(std::span<const ColumnPtr> args, const Type& result, std::size_t rows) {
  return with_representation(args[0]->type().id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    if constexpr (!std::is_integral_v<T>) return arithmetic_error("modulo of another type");
    else return with_representation(result.id, [&]<class R>(std::type_identity<R>) -> Result<ColumnPtr> {
      if constexpr (!std::is_integral_v<R>) return arithmetic_error("modulo of another type");
      else return map_rows<T, T>(args, result, rows, [](T a, T b) -> Result<R> {
        if (b == 0) [[unlikely]] return arithmetic_error("modulo by zero");
        return b == -1 ? R{0} : static_cast<R>(a % b);
      });
    });
  });
}

template <Op kOp>
Result<ColumnPtr> numeric(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  if (kOp == Op::kModulo && result.is_integer()) return integer_modulo(args, result, rows);
  switch (result.id) {
    case TypeId::kTinyInt: return integer_op<kOp, std::int8_t>(args, result, rows);
    case TypeId::kSmallInt: return integer_op<kOp, std::int16_t>(args, result, rows);
    case TypeId::kInteger: return integer_op<kOp, std::int32_t>(args, result, rows);
    case TypeId::kFloat: return floating_op<kOp, float>(args, result, rows);
    case TypeId::kDouble: return floating_op<kOp, double>(args, result, rows);
    case TypeId::kDecimal: return decimal_op<kOp>(args, result, rows);
    default: return integer_op<kOp, std::int64_t>(args, result, rows);
  }
}

Type decimal_result(Op op, const Type& a, const Type& b) {
  const int whole = std::max(a.precision - a.scale, b.precision - b.scale);
  const int scale = std::max(a.scale, b.scale);
  switch (op) {
    case Op::kAdd:
    case Op::kSubtract: return adjusted_decimal(whole + scale + 1, scale);
    case Op::kMultiply: return adjusted_decimal(a.precision + b.precision + 1, a.scale + b.scale);
    case Op::kDivide: {
      const int s = std::max(6, a.scale + b.precision + 1);
      return adjusted_decimal(a.precision - a.scale + b.scale + s, s);
    }
    case Op::kModulo: return adjusted_decimal(std::min(a.precision - a.scale, b.precision - b.scale) + scale, scale);
  }
  return Type::null();
}

Binder numeric_binder(Op op) {
  return [op](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 2) return std::nullopt;
    Type a = args[0];
    Type b = args[1];
    // A bare NULL takes the other side's type.
    if (a.id == TypeId::kNull) a = b.as_nullable();
    if (b.id == TypeId::kNull) b = a.as_nullable();
    if (!a.is_numeric() || !b.is_numeric()) return std::nullopt;
    const bool nullable = a.nullable || b.nullable;
    const auto common = common_type(a, b);
    if (!common) return std::nullopt;
    if (common->id != TypeId::kDecimal) {
      const bool remainder = op == Op::kModulo && common->is_integer();   // Source: Calcite's ReturnTypes.NULLABLE_MOD
      if (remainder) return Typing{{common->as_nullable(a.nullable), common->as_nullable(b.nullable)}, b.as_nullable(nullable)};
      return Typing{{common->as_nullable(a.nullable), common->as_nullable(b.nullable)}, common->as_nullable(nullable)};
    }
    const Type x = as_decimal(a);
    const Type y = as_decimal(b);
    return Typing{{x, y}, decimal_result(op, x, y).as_nullable(nullable)};
  };
}

Result<ColumnPtr> negate(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  return with_representation(result.id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    return map_rows<T>(args, result, rows, [](T a) -> T {
      if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, Int128>) return -a;
      else return wrapping<Op::kSubtract, T>(T{0}, a);
    });
  });
}

Result<ColumnPtr> identity(std::span<const ColumnPtr> args, const Type&, std::size_t, const EvalContext&) { return args[0]; }

std::optional<Typing> same_number(std::span<const Type> args) {
  if (args.size() != 1) return std::nullopt;
  const bool interval = args[0].id == TypeId::kIntervalDay || args[0].id == TypeId::kIntervalMonth;
  if (!args[0].is_numeric() && !interval) return std::nullopt;
  return Typing{{args[0]}, args[0]};
}

}  // namespace

void register_arithmetic(Registrar& r) {
  const auto add = [&r](const char* name, Op op, Kernel kernel, const char* help) {
    r.add({.name = name, .kernel = kernel, .signature = fmt::format("numeric {} numeric -> numeric", name), .help = help}, numeric_binder(op));
  };
  add("+", Op::kAdd, numeric<Op::kAdd>, "Sum; integers wrap on overflow, DECIMAL overflow is null.");
  add("-", Op::kSubtract, numeric<Op::kSubtract>, "Difference.");
  add("*", Op::kMultiply, numeric<Op::kMultiply>, "Product.");
  add("/", Op::kDivide, numeric<Op::kDivide>, "Quotient; of two integers an integer, cut towards zero.");
  add("%", Op::kModulo, numeric<Op::kModulo>, "Remainder with the sign of the dividend.");
  r.add({.name = "MOD", .kernel = numeric<Op::kModulo>, .signature = "MOD(numeric, numeric) -> numeric", .help = "Remainder with the sign of the dividend."},
        numeric_binder(Op::kModulo));
  r.add({.name = "-", .kernel = negate, .signature = "- numeric -> numeric", .help = "The negative."}, same_number);
  r.add({.name = "+", .kernel = identity, .signature = "+ numeric -> numeric", .help = "The number itself."}, same_number);
}

}  // namespace supyo::expr
