#include <algorithm>

#include "sql/plan/select_columns.h"

// Aggregates OVER event time: binding a call and its frame, and stacking one operator for all calls that share keys, order and frame.
namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
using syntax::FrameBound;
using syntax::Span;

constexpr std::string_view kFrameHint = "write ROWS BETWEEN 10 PRECEDING AND CURRENT ROW, RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW, or UNBOUNDED PRECEDING";

Result<std::int64_t> rows_before(const syntax::Expr& e) {
  const auto* n = e.as<syntax::NumberLiteral>();
  if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || n->text.size() > 9)
    return fail_at(e.span, ErrorCode::kTypeMismatch, "the bound of ROWS must be a whole number of rows", std::string(kFrameHint));
  return std::stoll(n->text);
}

Result<std::int64_t> time_before(const syntax::Expr& e) {
  const auto* literal = e.as<syntax::IntervalLiteral>();
  if (literal == nullptr) return fail_at(e.span, ErrorCode::kTypeMismatch, "the bound of RANGE over a time must be an INTERVAL", std::string(kFrameHint));
  SUPYO_ASSIGN(const ExprPtr bound, bind_interval(*literal, e.span));
  if (bound->type.id != TypeId::kIntervalDay) return unsupported(e.span, "a frame in months or years", "months differ in length: use days, e.g. INTERVAL '30' DAY");
  const std::int64_t us = std::get<std::int64_t>(bound->literal.data);
  if (us < 0) return fail_at(e.span, ErrorCode::kInvalidQuery, "the bound of a frame cannot be negative", std::string(kFrameHint));
  return us;
}

Result<OverFrame> frame_of(const syntax::WindowDefinition& window) {
  OverFrame out;
  if (!window.frame) return out;
  const syntax::WindowFrame& f = *window.frame;
  out.rows = f.rows;
  if (f.end.kind != FrameBound::Kind::kCurrentRow) return unsupported(f.span, "a frame that does not end at the current row", std::string(kFrameHint));
  switch (f.start.kind) {
    case FrameBound::Kind::kUnboundedPreceding: return out;
    case FrameBound::Kind::kCurrentRow: out.preceding = 0; return out;
    case FrameBound::Kind::kPreceding: {
      SUPYO_ASSIGN(out.preceding, f.rows ? rows_before(*f.start.offset) : time_before(*f.start.offset));
      return out;
    }
    default: return unsupported(f.span, "a frame that begins after the current row", std::string(kFrameHint));
  }
}

}  // namespace

Status SelectBinder::over_window(OverSlot& slot, const syntax::WindowDefinition& window, ExprBinder& inner) {
  for (const auto& e : window.partition_by) {
    SUPYO_ASSIGN(ExprPtr key, inner.bind(*e));
    slot.keys.push_back(std::move(key));
  }
  if (window.order_by.size() != 1)
    return fail_at(window.span, ErrorCode::kNoTimeAttribute, "OVER needs ORDER BY one time attribute", "write OVER (PARTITION BY k ORDER BY ts), ts being the WATERMARK column");
  const syntax::OrderItem& order = window.order_by.front();
  if (order.descending) return unsupported(order.expr->span, "OVER .. ORDER BY .. DESC", "streams flow upwards in time: leave DESC out");
  SUPYO_ASSIGN(slot.order, inner.bind(*order.expr));
  references_.insert(references_.end(), inner.references().begin(), inner.references().end());
  return ok();
}

Result<ExprPtr> SelectBinder::over_aggregate(const syntax::FunctionCall& call, const Span& span) {
  SUPYO_ASSIGN(const syntax::WindowDefinition window, window_of(*call.over));
  ExprBinder inner = select_.has_group_by ? binder(true, false) : binder(false, false);
  OverSlot slot;
  slot.span = span;
  SUPYO_ASSIGN(slot.frame, frame_of(window));
  // Its own row is in every frame.
  SUPYO_ASSIGN(slot.aggregate, bind_aggregate(call, span, inner, slot.frame.preceding.has_value(), false));
  slot.call.type = slot.aggregate->call.type;
  SUPYO_TRY(over_window(slot, window, inner));
  // The same call twice is computed once.
  for (std::size_t i = 0; i < overs_.size(); ++i) {
    const OverSlot& o = overs_[i];
    if (o.aggregate && same_aggregate(*o.aggregate, *slot.aggregate) && same_window(o, slot)) return expr::column(kOverBase + i, o.call.type);
  }
  overs_.push_back(std::move(slot));
  return expr::column(kOverBase + overs_.size() - 1, overs_.back().call.type);
}

bool SelectBinder::same_window(const OverSlot& a, const OverSlot& b) {
  return a.aggregate.has_value() == b.aggregate.has_value() && a.frame == b.frame && a.ranked_by.empty() && b.ranked_by.empty() && same_expr(*a.order, *b.order) && same_exprs(a.keys, b.keys);
}

/// ROW_NUMBER beside other OVER calls counts the rows, where it is ordered by time as they are.
void SelectBinder::number_rows() {
  for (OverSlot& o : overs_) {
    if (o.ranked_by.size() != 1 || overs_.size() == 1) continue;
    const auto& [by, key] = o.ranked_by.front();
    if (key.descending || by->kind != Expr::Kind::kColumn || by->column >= scope_.node->columns.size() || !scope_.node->columns[by->column].row_time) continue;
    o.order = by;
    o.frame = {.rows = true, .preceding = {}};
    o.aggregate = AggregateSlot{.call = {.function = "COUNT", .args = {}, .distinct = false, .name = {}, .type = o.call.type, .position = o.span.position()}, .args = {}, .filter = {}};
    o.ranked_by.clear();
  }
}

Status SelectBinder::over_group(const std::vector<std::size_t>& slots, std::vector<ExprPtr>& results) {
  // All columns so far stay in front, so that expressions bound over them keep their numbers.
  const LogicalPtr input = scope_.node;
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < input->columns.size(); ++i) {
    exprs.push_back(column_of(*input, i));
    names.push_back(input->columns[i].name);
  }
  const OverSlot& first = overs_[slots.front()];
  const auto add = [&](const ExprPtr& e) {
    const std::size_t i = place(exprs, e);
    if (i == names.size()) names.push_back(fmt::format("$f{}", i));
    return i;
  };
  std::vector<std::size_t> keys;
  for (const ExprPtr& k : first.keys) keys.push_back(add(k));
  if (first.order->kind != Expr::Kind::kColumn || !input->columns[first.order->column].row_time) {
    const bool proc = first.order->kind == Expr::Kind::kColumn && input->columns[first.order->column].proc_time;
    if (proc || (first.order->kind == Expr::Kind::kCall && first.order->function->name == "PROCTIME"))
      return unsupported(first.span, "OVER on processing time", "order by the WATERMARK column of the table");
    return fail_at(first.span, ErrorCode::kNoTimeAttribute, "OVER is not ordered by a time attribute",
                   "ORDER BY the table's WATERMARK column, passed on unchanged: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND");
  }
  LogicalOver lags{.keys = keys, .time_column = first.order->column, .calls = {}};
  LogicalOverAggregate aggregates{.keys = keys, .time_column = first.order->column, .frame = first.frame, .calls = {}, .position = first.span.position()};
  for (const std::size_t s : slots) {
    const OverSlot& slot = overs_[s];
    if (slot.aggregate) {
      LogicalCall& call = aggregates.calls.emplace_back(slot.aggregate->call);
      for (const ExprPtr& a : slot.aggregate->args) call.args.push_back(add(a));
      if (slot.aggregate->filter) call.filter = add(slot.aggregate->filter);
      call.name = name_of_over(s);
    } else {
      OverCall& call = lags.calls.emplace_back(slot.call);
      call.argument = add(slot.argument);
      call.name = name_of_over(s);
    }
  }
  LogicalPtr below = exprs.size() == input->columns.size() ? input : make_project(input, exprs, names);
  const std::size_t width = below->columns.size();
  for (std::size_t i = 0; i < slots.size(); ++i) results[slots[i]] = expr::column(width + i, overs_[slots[i]].call.type);
  scope_.node = first.aggregate ? make_over_aggregate(std::move(below), std::move(aggregates)) : make_over(std::move(below), std::move(lags));
  return ok();
}

}  // namespace supyo::plan
