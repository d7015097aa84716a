#include "sql/expr/cast.h"
#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

/// Rows of the first argument that is not null in each row.
Result<ColumnPtr> coalesce(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  if (args[0]->type().id != TypeId::kNull && !args[0]->has_nulls()) return args[0]->with_type(result);
  ColumnBuilder out(result, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto found = std::ranges::find_if(args, [i](const ColumnPtr& a) { return !a->is_null(i); });
    if (found == args.end()) out.append_null(); else out.append_from(**found, i);
  }
  return out.finish();
}

/// The second argument comes in the type that both are compared in; the first, and the result, keep their own.
Result<ColumnPtr> null_if(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const Type& in = args[1]->type();
  SUPYO_ASSIGN(const ColumnPtr compared, args[0]->type().id == TypeId::kNull ? Result<ColumnPtr>(args[0]) : cast_column(args[0], in.as_nullable(), true, ctx));
  ColumnBuilder out(result, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool equal = !compared->is_null(i) && !args[1]->is_null(i) &&
                       (in.is_variable() ? compared->text(i) == args[1]->text(i) : with_representation(in.id, [&]<class T>(std::type_identity<T>) {
                         return compared->value<T>(i) == args[1]->value<T>(i);
                       }));
    if (equal || args[0]->is_null(i)) out.append_null(); else out.append_from(*args[0], i);
  }
  return out.finish();
}

Result<ColumnPtr> branch(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  ColumnBuilder out(result, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool yes = !args[0]->is_null(i) && args[0]->value<std::uint8_t>(i) != 0;
    out.append_from(*args[yes ? 1 : 2], i);
  }
  return out.finish();
}

std::optional<Typing> coalesce_binder(std::span<const Type> args) {
  if (args.empty()) return std::nullopt;
  const auto t = common_of(args);
  if (!t) return std::nullopt;
  Typing typing;
  bool nullable = true;
  for (const Type& a : args) {
    const bool n = a.nullable || a.id == TypeId::kNull;
    typing.args.push_back(t->as_nullable(n));
    nullable = nullable && n;
  }
  typing.result = t->as_nullable(nullable);
  return typing;
}

std::optional<Typing> if_null_binder(std::span<const Type> args) { return args.size() == 2 ? coalesce_binder(args) : std::nullopt; }

std::optional<Typing> null_if_binder(std::span<const Type> args) {
  if (args.size() != 2) return std::nullopt;
  const auto t = comparison_type(args[0], args[1]);
  if (!t || t->id == TypeId::kNull) return std::nullopt;
  const Type own = args[0].id == TypeId::kNull || t->is_variable() ? *t : args[0];
  return Typing{{own.as_nullable(args[0].nullable), t->as_nullable(args[1].nullable)}, own.as_nullable()};
}

std::optional<Typing> if_binder(std::span<const Type> args) {
  if (args.size() != 3 || !can_coerce(args[0], Type::boolean())) return std::nullopt;
  const auto t = common_of(args.subspan(1));
  if (!t) return std::nullopt;
  return Typing{{Type::boolean().as_nullable(args[0].nullable), t->as_nullable(args[1].nullable), t->as_nullable(args[2].nullable)}, *t};
}

Result<ColumnPtr> elt(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  ColumnBuilder out(result, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int64_t n = args[0]->is_null(i) ? 0 : args[0]->value<std::int64_t>(i);
    if (n < 1 || n >= static_cast<std::int64_t>(args.size())) out.append_null(); else out.append_from(*args[static_cast<std::size_t>(n)], i);
  }
  return out.finish();
}

/// All texts, or all bytes.
std::optional<Typing> elt_binder(std::span<const Type> args) {
  if (args.size() < 2 || !(args[0].is_integer() || args[0].id == TypeId::kNull)) return std::nullopt;
  const bool bytes = std::ranges::any_of(args.subspan(1), [](const Type& t) { return t.id == TypeId::kBytes; });
  const Type own = bytes ? Type::bytes() : Type::string();
  Typing typing{{Type::big_int().as_nullable(args[0].nullable)}, own};
  for (const Type& a : args.subspan(1)) {
    if (a.id != TypeId::kNull && (bytes ? a.id != TypeId::kBytes : !a.is_text())) return std::nullopt;
    typing.args.push_back(own.as_nullable(a.nullable));
  }
  return typing;
}

/// call() puts the name of the type in its place.
std::optional<Typing> type_of_binder(std::span<const Type> args) {
  if (args.empty() || args.size() > 2 || (args.size() == 2 && (args[1].id != TypeId::kBoolean || args[0].is_nested()))) return std::nullopt;
  return Typing{{args.begin(), args.end()}, Type::string()};
}

}  // namespace

void register_conditional(Registrar& r) {
  r.add({.name = "COALESCE", .kernel = coalesce, .signature = "COALESCE(any, ..) -> any", .help = "The first argument that is not null."}, coalesce_binder);
  r.add({.name = "IFNULL", .kernel = coalesce, .signature = "IFNULL(any, any) -> any", .help = "The second argument where the first is null."}, if_null_binder);
  r.add({.name = "NULLIF", .kernel = null_if, .signature = "NULLIF(any, any) -> any", .help = "Null where both are equal, else the first."}, null_if_binder);
  r.add({.name = "IF", .kernel = branch, .signature = "IF(BOOLEAN, any, any) -> any", .help = "The second argument where the first is true, else the third."}, if_binder);
  r.add({.name = "ELT", .kernel = elt, .signature = "ELT(INT, STRING, ..) or ELT(INT, BYTES, ..) -> STRING or BYTES", .help = "The text of that number, from 1; null when there is none."}, elt_binder);
  r.add({.name = "TYPEOF", .signature = "TYPEOF(any [, force_serializable]) -> STRING", .help = "The name of the argument's type; with TRUE without the short names STRING and BYTES."}, type_of_binder);
}

}  // namespace supyo::expr
