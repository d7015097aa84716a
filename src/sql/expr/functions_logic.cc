#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

// Three-valued logic. A BOOLEAN under a null may hold any byte, so the kernels look at validity first.

enum : std::uint8_t { kFalse = 0, kTrue = 1, kUnknown = 2 };

std::uint8_t truth(const Column& c, std::size_t row) { return c.is_null(row) ? kUnknown : c.value<std::uint8_t>(row) != 0; }

template <bool kAnd>
Result<ColumnPtr> connective(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  constexpr std::uint8_t kDecides = kAnd ? kFalse : kTrue;
  FixedOutput<std::uint8_t> out(rows);
  const bool any_nulls = std::ranges::any_of(args, [](const ColumnPtr& a) { return a->has_nulls(); });
  if (!any_nulls) {
    std::uint8_t* data = out.data();
    std::memcpy(data, args[0]->data()->data(), rows);
    for (const ColumnPtr& a : args.subspan(1)) {
      const auto values = a->values<std::uint8_t>();
      for (std::size_t i = 0; i < rows; ++i) data[i] = kAnd ? (data[i] & values[i]) : (data[i] | values[i]);
    }
    return out.finish(result);
  }
  for (std::size_t i = 0; i < rows; ++i) {
    std::uint8_t value = kAnd ? kTrue : kFalse;
    for (const ColumnPtr& a : args) {
      const std::uint8_t t = truth(*a, i);
      if (t == kDecides) { value = t; break; }
      if (t == kUnknown) value = kUnknown;
    }
    if (value == kUnknown) out.set_null(i); else out.set(i, value);
  }
  return out.finish(result);
}

Result<ColumnPtr> negation(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<std::uint8_t>(args, result, rows, [](std::uint8_t a) -> std::uint8_t { return a == 0; });
}

template <bool kNegated>
Result<ColumnPtr> is_null(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  for (std::size_t i = 0; i < rows; ++i) out.set(i, args[0]->is_null(i) != kNegated);
  return out.finish(result);
}

template <std::uint8_t kTruth, bool kNegated>
Result<ColumnPtr> is_truth(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  for (std::size_t i = 0; i < rows; ++i) out.set(i, (truth(*args[0], i) == kTruth) != kNegated);
  return out.finish(result);
}

std::optional<Typing> any_value(std::span<const Type> args) {
  if (args.size() != 1) return std::nullopt;
  return Typing{{args[0]}, Type::boolean().not_null()};
}

}  // namespace

void register_logic(Registrar& r) {
  const Type b = Type::boolean();
  r.add({.name = "AND", .kernel = connective<true>, .signature = "BOOLEAN AND BOOLEAN -> BOOLEAN", .help = "True when both are; false when one is false."},
        takes({b, b}, b, {.variadic = true}));
  r.add({.name = "OR", .kernel = connective<false>, .signature = "BOOLEAN OR BOOLEAN -> BOOLEAN", .help = "True when one is; false when both are false."},
        takes({b, b}, b, {.variadic = true}));
  r.add({.name = "NOT", .kernel = negation, .signature = "NOT BOOLEAN -> BOOLEAN", .help = "The opposite; null stays null."}, takes({b}, b));
  r.add({.name = "IS NULL", .kernel = is_null<false>, .signature = "any IS NULL -> BOOLEAN", .help = "Whether the value is null."}, any_value);
  r.add({.name = "IS NOT NULL", .kernel = is_null<true>, .signature = "any IS NOT NULL -> BOOLEAN", .help = "Whether the value is not null."}, any_value);
  const auto add = [&](const char* name, Kernel kernel, const char* help) {
    r.add({.name = name, .kernel = kernel, .signature = fmt::format("BOOLEAN {} -> BOOLEAN", name), .help = help}, takes({b}, b, {.never_null = true}));
  };
  add("IS TRUE", is_truth<kTrue, false>, "Whether it is true (not false, not null).");
  add("IS NOT TRUE", is_truth<kTrue, true>, "Whether it is false or null.");
  add("IS FALSE", is_truth<kFalse, false>, "Whether it is false.");
  add("IS NOT FALSE", is_truth<kFalse, true>, "Whether it is true or null.");
  add("IS UNKNOWN", is_truth<kUnknown, false>, "Whether it is null.");
  add("IS NOT UNKNOWN", is_truth<kUnknown, true>, "Whether it is true or false.");
}

}  // namespace supyo::expr
