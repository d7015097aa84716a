#include <functional>

#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

// Texts compare by their UTF-8 bytes, as Flink's BinaryStringData; floating point follows IEEE.

template <class Compare>
Result<ColumnPtr> compare(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  const auto f = [](const auto& a, const auto& b) -> std::uint8_t { return Compare{}(a, b); };
  if (args[0]->type().is_variable()) return map_rows<std::string_view, std::string_view>(args, result, rows, f);
  return with_representation(args[0]->type().id,
                             [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> { return map_rows<T, T>(args, result, rows, f); });
}

/// Both values are present.
template <class T>
bool same_value(const Column& a, const Column& b, std::size_t row) {
  if constexpr (std::is_same_v<T, std::string_view>) return a.text(row) == b.text(row);
  else return a.value<T>(row) == b.value<T>(row);
}

template <bool kDistinct>
Result<ColumnPtr> distinct_from(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  const auto run = [&]<class T>(std::type_identity<T>) {
    for (std::size_t i = 0; i < rows; ++i) {
      const bool na = args[0]->is_null(i);
      const bool nb = args[1]->is_null(i);
      const bool same = na || nb ? na == nb : same_value<T>(*args[0], *args[1], i);
      out.set(i, same != kDistinct);
    }
  };
  if (args[0]->type().is_variable()) run(std::type_identity<std::string_view>{});
  else with_representation(args[0]->type().id, run);
  return out.finish(result);
}

/// x IN (a, b, ..): true when one equals, null when none does and x or one of them is null, else false.
Result<ColumnPtr> in_list(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  const auto run = [&]<class T>(std::type_identity<T>) {
    for (std::size_t i = 0; i < rows; ++i) {
      if (args[0]->is_null(i)) { out.set_null(i); continue; }
      bool found = false;
      bool unknown = false;
      for (std::size_t k = 1; k < args.size() && !found; ++k) {
        if (args[k]->is_null(i)) unknown = true;
        else found = same_value<T>(*args[0], *args[k], i);
      }
      if (!found && unknown) out.set_null(i);
      else out.set(i, found);
    }
  };
  if (args[0]->type().is_variable()) run(std::type_identity<std::string_view>{});
  else with_representation(args[0]->type().id, run);
  return out.finish(result);
}

/// x BETWEEN a AND b is x >= a AND x <= b: false as soon as one comparison is, whatever is null.
Result<ColumnPtr> between(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  const auto run = [&]<class T>(std::type_identity<T>) {
    const Reader<T> x(*args[0]);
    const Reader<T> low(*args[1]);
    const Reader<T> high(*args[2]);
    for (std::size_t i = 0; i < rows; ++i) {
      if (args[0]->is_null(i)) { out.set_null(i); continue; }
      const bool no_low = args[1]->is_null(i);
      const bool no_high = args[2]->is_null(i);
      const bool outside = (!no_low && x[i] < low[i]) || (!no_high && x[i] > high[i]);
      if (!outside && (no_low || no_high)) out.set_null(i);
      else out.set(i, !outside);
    }
  };
  if (args[0]->type().is_variable()) run(std::type_identity<std::string_view>{});
  else with_representation(args[0]->type().id, run);
  return out.finish(result);
}

template <bool kGreatest>
Result<ColumnPtr> extreme(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  const auto best = [&]<class T>(std::type_identity<T>, std::size_t i) {
    std::size_t k = 0;
    for (std::size_t j = 1; j < args.size(); ++j) {
      bool better = false;
      if constexpr (std::is_same_v<T, std::string_view>) better = kGreatest ? args[j]->text(i) > args[k]->text(i) : args[j]->text(i) < args[k]->text(i);
      else better = kGreatest ? args[j]->value<T>(i) > args[k]->value<T>(i) : args[j]->value<T>(i) < args[k]->value<T>(i);
      if (better) k = j;
    }
    return k;
  };
  const BufferPtr valid = merged_validity(args, rows);
  ColumnBuilder out(result, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.append_null(); continue; }
    const std::size_t k = result.is_variable()
                              ? best(std::type_identity<std::string_view>{}, i)
                              : with_representation(result.id, [&]<class T>(std::type_identity<T> t) { return best(t, i); });
    out.append_from(*args[k], i);
  }
  return out.finish();
}

/// All arguments of one type: what comparison_type() gives over them.
std::optional<Type> comparison_of(std::span<const Type> args) {
  std::optional<Type> t = args[0];
  for (const Type& a : args.subspan(1)) {
    t = comparison_type(*t, a);
    if (!t) return std::nullopt;
  }
  if (t->id == TypeId::kNull) return Type::boolean();
  return t;
}

std::vector<Type> all_of_type(std::span<const Type> args, const Type& t) {
  std::vector<Type> out;
  for (const Type& a : args) out.push_back(t.as_nullable(a.nullable || a.id == TypeId::kNull));
  return out;
}

/// `ordered`: more than equality is asked, which nested values do not have.
Binder comparison_binder(std::size_t least, std::size_t most, bool never_null, bool ordered = false) {
  return [=](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() < least || args.size() > most) return std::nullopt;
    const std::optional<Type> t = comparison_of(args);
    if (!t || (ordered && t->is_nested())) return std::nullopt;
    return Typing{all_of_type(args, *t), Type::boolean().as_nullable(!never_null && any_nullable(args))};
  };
}

std::optional<Typing> extreme_binder(std::span<const Type> args) {
  if (args.empty()) return std::nullopt;
  const std::optional<Type> t = comparison_of(args);
  if (!t || t->is_nested()) return std::nullopt;
  return Typing{all_of_type(args, *t), t->as_nullable(any_nullable(args))};
}

}  // namespace

void register_comparison(Registrar& r) {
  const auto add = [&r](const char* name, Kernel kernel, const char* help) {
    const bool ordered = std::string_view(name) != "=" && std::string_view(name) != "<>";
    r.add({.name = name, .kernel = kernel, .signature = fmt::format("any {} any -> BOOLEAN", name), .help = help}, comparison_binder(2, 2, false, ordered));
  };
  add("=", compare<std::equal_to<>>, "Whether both are equal; null when one is null.");
  add("<>", compare<std::not_equal_to<>>, "Whether both differ; null when one is null.");
  add("<", compare<std::less<>>, "Whether the left is less.");
  add("<=", compare<std::less_equal<>>, "Whether the left is less or equal.");
  add(">", compare<std::greater<>>, "Whether the left is greater.");
  add(">=", compare<std::greater_equal<>>, "Whether the left is greater or equal.");
  r.add({.name = "IS DISTINCT FROM", .kernel = distinct_from<true>, .signature = "any IS DISTINCT FROM any -> BOOLEAN", .help = "Whether both differ; two nulls are equal."},
        comparison_binder(2, 2, true));
  r.add({.name = "IS NOT DISTINCT FROM", .kernel = distinct_from<false>, .signature = "any IS NOT DISTINCT FROM any -> BOOLEAN", .help = "Whether both are equal; two nulls are."},
        comparison_binder(2, 2, true));
  r.add({.name = "IN", .kernel = in_list, .signature = "any IN (any, ..) -> BOOLEAN", .help = "Whether the value equals one of the list."},
        comparison_binder(2, SIZE_MAX, false));
  r.add({.name = "BETWEEN", .kernel = between, .signature = "any BETWEEN any AND any -> BOOLEAN", .help = "Whether the value lies in the range, both ends included."},
        comparison_binder(3, 3, false, true));
  r.add({.name = "GREATEST", .kernel = extreme<true>, .signature = "GREATEST(any, ..) -> any", .help = "The greatest argument; null when one is null."}, extreme_binder);
  r.add({.name = "LEAST", .kernel = extreme<false>, .signature = "LEAST(any, ..) -> any", .help = "The least argument; null when one is null."}, extreme_binder);
}

}  // namespace supyo::expr
