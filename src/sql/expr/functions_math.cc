#include <cmath>
#include <numbers>

#include "sql/expr/decimal.h"
#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;

template <double (*kFunction)(double)>
Result<ColumnPtr> of_double(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<double>(args, result, rows, [](double a) -> double { return kFunction(a); });
}

double cotangent(double x) { return 1.0 / std::tan(x); }
double degrees(double x) { return x * 180.0 / std::numbers::pi; }
double radians(double x) { return x / 180.0 * std::numbers::pi; }

Result<ColumnPtr> power(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<double, double>(args, result, rows, [](double a, double b) -> double { return std::pow(a, b); });
}
Result<ColumnPtr> arc_tangent2(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<double, double>(args, result, rows, [](double a, double b) -> double { return std::atan2(a, b); });
}
Result<ColumnPtr> log_base(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  if (args.size() == 1) return of_double<std::log>(args, result, rows, {});
  return map_rows<double, double>(args, result, rows, [](double base, double x) -> double { return std::log(x) / std::log(base); });
}

Result<ColumnPtr> absolute(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return with_representation(result.id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    return map_rows<T>(args, result, rows, [](T a) -> T {
      if constexpr (std::is_floating_point_v<T>) return std::abs(a);
      else if constexpr (std::is_same_v<T, Int128>) return a < 0 ? -a : a;
      else return a < 0 ? static_cast<T>(0 - static_cast<std::uint64_t>(static_cast<std::int64_t>(a))) : a;
    });
  });
}

Result<ColumnPtr> sign(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const Int128 one = result.id == TypeId::kDecimal ? power_of_ten(result.scale) : 1;
  return with_representation(result.id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    return map_rows<T>(args, result, rows, [&](T a) -> T {
      if constexpr (std::is_same_v<T, Int128>) return a > 0 ? one : (a < 0 ? -one : Int128{0});
      else return static_cast<T>((a > T{0}) - (a < T{0}));
    });
  });
}

enum class Rounding { kFloor, kCeil };

template <Rounding kMode>
Result<ColumnPtr> to_whole(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const int scale = args[0]->type().scale;
  return with_representation(result.id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    return map_rows<T>(args, result, rows, [&](T a) -> T {
      if constexpr (std::is_floating_point_v<T>) return kMode == Rounding::kFloor ? std::floor(a) : std::ceil(a);
      else if constexpr (std::is_same_v<T, Int128>) {
        const Int128 unit = power_of_ten(scale);
        const Int128 whole = a / unit;
        const Int128 rest = a % unit;
        if constexpr (kMode == Rounding::kFloor) return whole - (rest < 0);
        else return whole + (rest > 0);
      } else return a;
    });
  });
}

/// Digits after the point that ROUND and TRUNCATE keep; without the argument 0.
std::int32_t digits_of(Args args, std::size_t row) { return args.size() < 2 ? 0 : args[1]->value<std::int32_t>(row); }

template <bool kTruncate>
double round_double(double v, std::int32_t digits) {
  if (!std::isfinite(v) || digits > 15) return v;
  if (digits < -308) return 0;
  // As Java's BigDecimal: on the decimal text, where 2.675 is what it says.
  if (digits >= 0 && std::abs(v) < 1e15) {
    const auto exact = decimal_from_double(v, 38, 18);
    if (exact && kTruncate) return decimal_to_double({*exact / power_of_ten(18 - digits), digits});
    if (exact) return decimal_to_double({*rescale({*exact, 18}, 38, digits), digits});
  }
  const double unit = std::pow(10.0, digits);
  return kTruncate ? std::trunc(v * unit) / unit : std::round(v * unit) / unit;
}

template <bool kTruncate>
std::int64_t round_integer(std::int64_t v, std::int32_t digits) {
  if (digits >= 0) return v;
  if (digits < -18) return 0;
  const auto unit = static_cast<std::int64_t>(power_of_ten(-digits));
  const std::int64_t rest = v % unit;
  std::int64_t cut = v - rest;
  if (!kTruncate && std::abs(rest) * 2 >= unit) cut = static_cast<std::int64_t>(static_cast<std::uint64_t>(cut) + static_cast<std::uint64_t>(v < 0 ? -unit : unit));
  return cut;
}

template <bool kTruncate>
std::optional<Int128> round_decimal(Int128 v, int from_scale, std::int32_t digits, const Type& result) {
  const int keep = std::clamp(static_cast<int>(digits), -38, from_scale);
  if (keep >= from_scale) return rescale({v, from_scale}, result.precision, result.scale);
  const int down = from_scale - keep;
  if (down > 38) return Int128{0};
  const Int128 unit = power_of_ten(down);
  const Int128 rest = v % unit;
  Int128 cut = v - rest;
  const Int128 magnitude = rest < 0 ? -rest : rest;
  if (!kTruncate && magnitude * 2 >= unit) cut += v < 0 ? -unit : unit;
  return rescale({cut, from_scale}, result.precision, result.scale);
}

template <bool kTruncate>
Result<ColumnPtr> round(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const BufferPtr valid = merged_validity(args, rows);
  return with_representation(result.id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    FixedOutput<T> out(rows, valid);
    for (std::size_t i = 0; i < rows; ++i) {
      if (!bit_is_set(valid.get(), i)) { out.set_null(i); continue; }
      const T v = args[0]->value<T>(i);
      const std::int32_t digits = digits_of(args, i);
      if constexpr (std::is_floating_point_v<T>) {
        out.set(i, static_cast<T>(round_double<kTruncate>(static_cast<double>(v), digits)));
      } else if constexpr (std::is_same_v<T, Int128>) {
        const auto r = round_decimal<kTruncate>(v, args[0]->type().scale, digits, result);
        if (r) out.set(i, *r); else out.set_null(i);
      } else {
        out.set(i, static_cast<T>(round_integer<kTruncate>(static_cast<std::int64_t>(v), digits)));
      }
    }
    return out.finish(result);
  });
}

Result<ColumnPtr> pi(Args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<double> out(rows);
  std::fill_n(out.data(), rows, std::numbers::pi);
  return out.finish(result);
}
Result<ColumnPtr> e_number(Args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<double> out(rows);
  std::fill_n(out.data(), rows, std::numbers::e);
  return out.finish(result);
}

std::optional<Typing> number_to_itself(std::span<const Type> args) {
  if (args.size() != 1 || !args[0].is_numeric()) return std::nullopt;
  return Typing{{args[0]}, args[0]};
}

/// FLOOR and CEIL of DECIMAL(p, s) is DECIMAL(p, 0), of the others the type itself.
std::optional<Typing> whole_number(std::span<const Type> args) {
  if (args.size() != 1 || !args[0].is_numeric()) return std::nullopt;
  Type result = args[0];
  if (result.id == TypeId::kDecimal) result.scale = 0;
  return Typing{{args[0]}, result};
}

/// DECIMAL of ROUND and TRUNCATE to a constant number of digits. Source: LogicalTypeMerging.findRoundDecimalType.
Type rounded_decimal(std::span<const ExprPtr> args, const Type& result) {
  if (result.id != TypeId::kDecimal || args.size() < 2) return result;
  const auto digits = constant_integer(args[1]);
  const Type& from = args[0]->type;
  if (!digits || from.id != TypeId::kDecimal) return result;
  const auto keep = static_cast<int>(std::clamp<std::int64_t>(*digits, -kMaxDecimalPrecision, kMaxDecimalPrecision));
  if (keep >= from.scale) return from.as_nullable(result.nullable);
  const int whole = 1 + from.precision - from.scale;
  if (keep < 0) return Type::decimal(std::min(kMaxDecimalPrecision, whole), 0).as_nullable(result.nullable);
  return Type::decimal(std::min(kMaxDecimalPrecision, whole + keep), keep).as_nullable(result.nullable);
}

/// ROUND and TRUNCATE. Without digits a DECIMAL loses its scale; with digits that are no constant it keeps it, and gains the digit that
/// rounding up can need.
std::optional<Typing> rounded(std::span<const Type> args) {
  if (args.empty() || args.size() > 2 || !args[0].is_numeric()) return std::nullopt;
  Typing typing{{args[0]}, args[0]};
  if (args.size() == 2) {
    if (!can_coerce(args[1], Type::integer())) return std::nullopt;
    typing.args.push_back(Type::integer().as_nullable(args[1].nullable));
    typing.result = typing.result.as_nullable(args[0].nullable || args[1].nullable);
  }
  if (args[0].id == TypeId::kDecimal) {
    const int scale = args.size() == 1 ? 0 : args[0].scale;
    const int whole = args[0].precision - args[0].scale + (args[0].scale > 0 ? 1 : 0);
    typing.result.scale = scale;
    typing.result.precision = std::min(kMaxDecimalPrecision, std::max(1, whole + scale));
  }
  return typing;
}

}  // namespace

void register_math(Registrar& r) {
  const Type d = Type::double_();
  const auto add = [&](const char* name, Kernel kernel, const char* help) {
    r.add({.name = name, .kernel = kernel, .signature = fmt::format("{}(numeric) -> DOUBLE", name), .help = help}, takes({d}, d));
  };
  add("SQRT", of_double<std::sqrt>, "Square root.");
  add("EXP", of_double<std::exp>, "e to the power of the number.");
  add("LN", of_double<std::log>, "Natural logarithm.");
  add("LOG10", of_double<std::log10>, "Logarithm to base 10.");
  add("LOG2", of_double<std::log2>, "Logarithm to base 2.");
  add("SIN", of_double<std::sin>, "Sine.");
  add("COS", of_double<std::cos>, "Cosine.");
  add("TAN", of_double<std::tan>, "Tangent.");
  add("COT", of_double<cotangent>, "Cotangent.");
  add("ASIN", of_double<std::asin>, "Arc sine.");
  add("ACOS", of_double<std::acos>, "Arc cosine.");
  add("ATAN", of_double<std::atan>, "Arc tangent.");
  add("SINH", of_double<std::sinh>, "Hyperbolic sine.");
  add("COSH", of_double<std::cosh>, "Hyperbolic cosine.");
  add("TANH", of_double<std::tanh>, "Hyperbolic tangent.");
  add("DEGREES", of_double<degrees>, "Radians in degrees.");
  add("RADIANS", of_double<radians>, "Degrees in radians.");
  r.add({.name = "POWER", .kernel = power, .signature = "POWER(numeric, numeric) -> DOUBLE", .help = "The first to the power of the second."}, takes({d, d}, d));
  r.add({.name = "ATAN2", .kernel = arc_tangent2, .signature = "ATAN2(numeric, numeric) -> DOUBLE", .help = "Angle of the point (second, first)."}, takes({d, d}, d));
  r.add({.name = "LOG", .kernel = log_base, .signature = "LOG([numeric,] numeric) -> DOUBLE", .help = "Natural logarithm, or that to the base of the first argument."},
        takes({d, d}, d, {.optional = 1}));
  r.add({.name = "ABS", .kernel = absolute, .signature = "ABS(numeric) -> numeric", .help = "The number without its sign."}, number_to_itself);
  r.add({.name = "SIGN", .kernel = sign, .signature = "SIGN(numeric) -> numeric", .help = "-1, 0 or 1."}, number_to_itself);
  r.add({.name = "FLOOR", .kernel = to_whole<Rounding::kFloor>, .signature = "FLOOR(numeric) -> numeric", .help = "The greatest whole number not above it."}, whole_number);
  for (const char* name : {"CEIL", "CEILING"}) {
    r.add({.name = name, .kernel = to_whole<Rounding::kCeil>, .signature = fmt::format("{}(numeric) -> numeric", name), .help = "The least whole number not below it."},
          whole_number);
  }
  r.add({.name = "ROUND", .kernel = round<false>, .signature = "ROUND(numeric [, INT]) -> numeric", .help = "Rounded to so many digits after the point, half away from zero.", .refine = rounded_decimal},
        rounded);
  r.add({.name = "TRUNCATE", .kernel = round<true>, .signature = "TRUNCATE(numeric [, INT]) -> numeric", .help = "Cut after so many digits after the point.", .refine = rounded_decimal}, rounded);
  r.add({.name = "PI", .kernel = pi, .signature = "PI() -> DOUBLE", .help = "3.14159.."}, takes({}, d.not_null()));
  r.add({.name = "E", .kernel = e_number, .signature = "E() -> DOUBLE", .help = "2.71828.."}, takes({}, d.not_null()));
}

}  // namespace supyo::expr
