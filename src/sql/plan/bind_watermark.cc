#include <algorithm>

#include "sql/plan/bind_query.h"
#include "sql/syntax/printer.h"

// WATERMARK FOR column AS expression.
namespace supyo::plan {
namespace {

using expr::ExprPtr;

/// How far `e` lies before `column`, where it is the column with constant intervals of days and shorter taken off or added; nothing for other expressions.
Result<std::optional<DurationUs>> behind(const syntax::Expr& e, const std::string& column) {
  using Behind = std::optional<DurationUs>;
  const auto moved = [&](const syntax::Expr& from, const ExprPtr& by, DurationUs sign) -> Result<Behind> {
    SUPYO_ASSIGN(const Behind before, behind(from, column));
    if (!before || by->type.id != TypeId::kIntervalDay) return Behind();
    return Behind(*before + sign * std::get<std::int64_t>(by->literal.data));
  };
  if (const auto* c = e.as<syntax::ColumnRef>()) return c->name.parts.size() == 1 && c->name.last() == column ? Behind(0) : Behind();
  if (const auto* b = e.as<syntax::Binary>()) {
    const auto* interval = b->right->as<syntax::IntervalLiteral>();
    if (interval == nullptr || (b->op != syntax::BinaryOp::kMinus && b->op != syntax::BinaryOp::kPlus)) return Behind();
    SUPYO_ASSIGN(const ExprPtr by, bind_interval(*interval, b->right->span));
    return moved(*b->left, by, b->op == syntax::BinaryOp::kMinus ? 1 : -1);
  }
  if (const auto* t = e.as<syntax::TimestampArithmetic>(); t != nullptr && !t->diff) {
    const syntax::Expr* count = t->first.get();
    syntax::IntervalLiteral interval{.negative = false, .text = {}, .from = t->unit, .to = t->unit, .precision = {}, .fraction = {}};
    if (const auto* u = count->as<syntax::Unary>(); u != nullptr && u->op == syntax::UnaryOp::kMinus) {
      interval.negative = true;
      count = u->operand.get();
    }
    const auto* n = count->as<syntax::NumberLiteral>();
    if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || t->unit < syntax::TimeUnit::kDay || t->unit > syntax::TimeUnit::kSecond) return Behind();
    interval.text = n->text;
    SUPYO_ASSIGN(const ExprPtr by, bind_interval(interval, e.span));
    return moved(*t->second, by, -1);
  }
  return Behind();
}

bool follows_from_row(const expr::Expr& e) {
  return (e.function == nullptr || e.function->deterministic) && std::ranges::all_of(e.args, [](const ExprPtr& a) { return follows_from_row(*a); });
}

}  // namespace

Result<BoundWatermark> bind_watermark(const syntax::Expr& e, const std::string& column, const Type& time, const Scope& columns, const expr::FunctionRegistry& functions) {
  SUPYO_ASSIGN(const std::optional<DurationUs> us, behind(e, column));
  if (us && *us >= 0) return BoundWatermark{.bound_us = *us, .computed = nullptr};
  SUPYO_ASSIGN(ExprPtr bound, ExprBinder(functions, columns).bind(e));
  const std::string hint = fmt::format("write WATERMARK FOR {0} AS {0} - INTERVAL '5' SECOND, or another expression of type {1}", column, time.as_nullable().to_string());
  if (bound->type.id != time.id || !can_be_row_time(bound->type))
    return fail_at(e.span, ErrorCode::kTypeMismatch, fmt::format("the watermark `{}` is {}, `{}` is {}", syntax::print(e), bound->type.to_string(), column, time.to_string()), hint);
  if (!follows_from_row(*bound)) return fail_at(e.span, ErrorCode::kInvalidQuery, fmt::format("the watermark `{}` does not follow from the row", syntax::print(e)), hint);
  return BoundWatermark{.bound_us = 0, .computed = std::move(bound)};
}

}  // namespace supyo::plan
