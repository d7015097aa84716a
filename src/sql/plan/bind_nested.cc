#include <algorithm>

#include "sql/plan/bind_expr.h"

// ARRAY, MAP and ROW values, and the ways into them.
namespace supyo::plan {

using expr::ExprPtr;
using syntax::Span;

namespace {

ExprPtr number(std::size_t i) { return expr::literal({.type = Type::integer().not_null(), .data = static_cast<std::int64_t>(i)}); }

}  // namespace

Result<ExprPtr> ExprBinder::field(ExprPtr row, const syntax::Identifier& name) {
  if (row->type.id != TypeId::kRow)
    return fail_at(name.span, ErrorCode::kTypeMismatch, fmt::format("{} has no fields: there is no `{}` in it", row->type.as_nullable().to_string(), name.text), "fields are of ROWs");
  const std::vector<std::string>& names = row->type.field_names();
  const auto at = std::ranges::find(names, name.text);
  if (at == names.end())
    return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("there is no field `{}`", name.text), did_you_mean(name.text, names, fmt::format("the fields are: {}", fmt::join(names, ", "))));
  return call("FIELD", {std::move(row), number(static_cast<std::size_t>(at - names.begin()))}, name.span);
}

Result<ExprPtr> ExprBinder::found_column(const syntax::Name& name, const Span& span) {
  auto found = column(name);
  if (!found && found.error().code == ErrorCode::kUnknownColumn && name.parts.size() == 1)
    if (const auto alias = aliases_.find(name.last()); alias != aliases_.end()) return alias->second;
  if (!found && outer_ != nullptr && (found.error().code == ErrorCode::kUnknownColumn || found.error().code == ErrorCode::kUnknownTable)) {
    const auto around = ExprBinder(functions_, *outer_).column(name);
    if (around) return expr::column(kOuterBase + *around, outer_->node->columns[*around].type);
  }
  SUPYO_ASSIGN(const std::size_t i, std::move(found));
  references_.emplace_back(i, span);
  return column_of(*scope_.node, i);
}

/// A column, or the longest part of the name that is one and a ROW, and then its fields.
Result<ExprPtr> ExprBinder::column_reference(const syntax::Name& name, const Span& span) {
  auto whole = found_column(name, span);
  if (whole || name.parts.size() == 1 || (whole.error().code != ErrorCode::kUnknownColumn && whole.error().code != ErrorCode::kUnknownTable)) return whole;
  for (std::size_t n = name.parts.size() - 1; n > 0; --n) {
    syntax::Name prefix = name;
    prefix.parts.resize(n);
    auto row = found_column(prefix, span);
    if (!row || (*row)->type.id != TypeId::kRow) continue;
    ExprPtr value = *std::move(row);
    for (std::size_t i = n; i < name.parts.size(); ++i) {
      SUPYO_ASSIGN(value, field(std::move(value), name.parts[i]));
    }
    return value;
  }
  return whole;
}

Result<ExprPtr> ExprBinder::subscript(const syntax::Subscript& s, const Span& span) {
  SUPYO_ASSIGN(ExprPtr base, bind(*s.base));
  if (base->type.id == TypeId::kRow) {
    if (const auto* name = s.index->as<syntax::StringLiteral>()) return field(std::move(base), {s.index->span, name->value});
    const auto* n = s.index->as<syntax::NumberLiteral>();
    const std::size_t fields = base->type.children().size();
    if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || n->text.size() > 9 || std::stoul(n->text) < 1 || std::stoul(n->text) > fields)
      return fail_at(s.index->span, ErrorCode::kTypeMismatch, fmt::format("a field of a ROW is named by a text or by a number from 1 to {}", fields), "write r.name");
    return call("FIELD", {std::move(base), number(std::stoul(n->text) - 1)}, span);
  }
  SUPYO_ASSIGN(ExprPtr index, bind(*s.index));
  if (base->type.id == TypeId::kArray && index->kind == expr::Expr::Kind::kLiteral)
    if (const auto* i = std::get_if<std::int64_t>(&index->literal.data); i != nullptr && *i < 1)
      return fail_at(s.index->span, ErrorCode::kInvalidQuery, fmt::format("the elements of an array are numbered from 1: there is no {}", *i), "a[1] is the first");
  return call("ITEM", {std::move(base), std::move(index)}, span);
}

/// ROWs as written are compared field by field, so that a NULL in one makes the answer unknown (as Flink does; of ROWs as values NULLs are equal).
Result<ExprPtr> ExprBinder::compare_rows(const syntax::RowValue& left, const syntax::RowValue& right, bool equal, const Span& span) {
  if (left.items.size() != right.items.size())
    return fail_at(span, ErrorCode::kTypeMismatch, fmt::format("a ROW of {} fields is compared with one of {}", left.items.size(), right.items.size()), "compare ROWs of one length");
  ExprPtr all;
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    SUPYO_ASSIGN(std::vector<ExprPtr> sides, bind_all({left.items[i].get(), right.items[i].get()}));
    SUPYO_ASSIGN(ExprPtr one, call(equal ? "=" : "<>", std::move(sides), span));
    if (!all) {
      all = std::move(one);
    } else {
      SUPYO_ASSIGN(all, call(equal ? "AND" : "OR", {std::move(all), std::move(one)}, span));
    }
  }
  return all;
}

Result<std::optional<ExprPtr>> ExprBinder::nested_value(const syntax::Expr& e) {
  const auto of = [&](std::string_view name, const std::vector<syntax::ExprPtr>& items) -> Result<std::optional<ExprPtr>> {
    if (items.empty()) return fail_at(e.span, ErrorCode::kInvalidQuery, fmt::format("an empty {} has no type", name), fmt::format("cast one: CAST(NULL AS {}<..>)", name));
    std::vector<const syntax::Expr*> parts;
    for (const auto& i : items) parts.push_back(i.get());
    SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all(parts));
    SUPYO_ASSIGN(ExprPtr value, call(name, std::move(args), e.span));
    return std::optional(std::move(value));
  };
  if (const auto* a = e.as<syntax::ArrayValue>()) return of("ARRAY", a->items);
  if (const auto* m = e.as<syntax::MapValue>()) return of("MAP", m->items);
  if (const auto* r = e.as<syntax::RowValue>()) return of("ROW", r->items);
  if (const auto* s = e.as<syntax::Subscript>()) {
    SUPYO_ASSIGN(ExprPtr value, subscript(*s, e.span));
    return std::optional(std::move(value));
  }
  if (const auto* f = e.as<syntax::FieldAccess>()) {
    SUPYO_ASSIGN(ExprPtr base, bind(*f->base));
    SUPYO_ASSIGN(ExprPtr value, field(std::move(base), f->field));
    return std::optional(std::move(value));
  }
  return std::optional<ExprPtr>();
}

}  // namespace supyo::plan
