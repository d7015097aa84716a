#include <algorithm>

#include "sql/plan/select_columns.h"

// Functions OVER a window: binding a call and its frame, and stacking one operator for all calls that share keys, order and frame. By a time attribute, upwards, rows
// wait for the watermark and their results are final; by anything else all rows are kept, and results are updated.
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

bool SelectBinder::is_time(const Expr& e) const {
  if (e.kind == Expr::Kind::kCall) return e.function->name == "PROCTIME";
  if (e.kind != Expr::Kind::kColumn || e.column >= scope_.node->columns.size()) return false;
  return scope_.node->columns[e.column].row_time || scope_.node->columns[e.column].proc_time;
}

Status SelectBinder::over_window(OverSlot& slot, const syntax::WindowDefinition& window, ExprBinder& inner, OverFunction table, bool only_table) {
  for (const auto& e : window.partition_by) {
    SUPYO_ASSIGN(ExprPtr key, inner.bind(*e));
    slot.keys.push_back(std::move(key));
  }
  for (const syntax::OrderItem& item : window.order_by) {
    SUPYO_ASSIGN(ExprPtr by, inner.bind(*item.expr));
    SUPYO_TRY(check_order(by->type, item.expr->span));
    slot.ranked_by.push_back({std::move(by), {.column = 0, .descending = item.descending, .nulls_first = item.nulls_first.value_or(!item.descending)}});
  }
  references_.insert(references_.end(), inner.references().begin(), inner.references().end());
  // A time attribute lies in FROM: of a grouped query the columns are not known yet, and are no times.
  const bool in_time = slot.ranked_by.size() == 1 && !slot.ranked_by.front().second.descending && (select_.has_group_by || is_time(*slot.ranked_by.front().first));
  if (in_time && !only_table) {
    slot.order = slot.ranked_by.front().first;
    slot.ranked_by.clear();
    return ok();
  }
  slot.table = table;
  if (slot.frame.preceding && !slot.frame.rows)
    return unsupported(window.frame->span, "RANGE with a bound, by something else than a time attribute,", "write ROWS BETWEEN 10 PRECEDING AND CURRENT ROW, or leave the frame out: all rows up to this one");
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
  SUPYO_TRY(over_window(slot, window, inner, OverFunction::kAggregate, false));
  // The same call twice is computed once.
  for (std::size_t i = 0; i < overs_.size(); ++i) {
    const OverSlot& o = overs_[i];
    if (o.aggregate && same_aggregate(*o.aggregate, *slot.aggregate) && same_window(o, slot)) return expr::column(kOverBase + i, o.call.type);
  }
  overs_.push_back(std::move(slot));
  return expr::column(kOverBase + overs_.size() - 1, overs_.back().call.type);
}

Result<ExprPtr> SelectBinder::over_rank(const syntax::FunctionCall& call, const Span& span, OverFunction function) {
  const std::string name = call.upper_name();
  const bool buckets = function == OverFunction::kNtile;
  if (call.arguments.size() != (buckets ? 1U : 0U) || call.distinct || call.filter || call.ignore_nulls)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} takes {}", name, buckets ? "the number of buckets" : "no arguments"), fmt::format("write {}({}) OVER (PARTITION BY k ORDER BY v)", name, buckets ? "4" : ""));
  SUPYO_ASSIGN(const syntax::WindowDefinition window, window_of(*call.over));
  if (window.frame) return unsupported(window.frame->span, fmt::format("a frame of {}", name), "leave ROWS / RANGE out");
  if (window.order_by.empty()) return fail_at(window.span, ErrorCode::kInvalidQuery, fmt::format("{} needs an order", name), fmt::format("write {}({}) OVER (PARTITION BY k ORDER BY v)", name, buckets ? "4" : ""));
  ExprBinder inner = select_.has_group_by ? binder(true, false) : binder(false, false);
  OverSlot slot;
  slot.span = span;
  slot.call.type = (function == OverFunction::kPercentRank || function == OverFunction::kCumeDist ? Type::double_() : Type::big_int()).not_null();
  if (buckets) {
    const syntax::Expr& e = *call.arguments[0].value;
    const auto* n = e.as<syntax::NumberLiteral>();
    if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || n->text.size() > 9 || std::stoll(n->text) < 1)
      return fail_at(e.span, ErrorCode::kTypeMismatch, "the buckets of NTILE must be a whole number from 1 on", "write NTILE(4)");
    slot.call.offset = std::stoll(n->text);
  }
  const bool by_time = function == OverFunction::kRank || function == OverFunction::kDenseRank;
  SUPYO_TRY(over_window(slot, window, inner, function, !by_time));
  // In time a rank is what an aggregate has counted of the times.
  if (!slot.table) slot.aggregate = AggregateSlot{.call = {.function = name, .args = {}, .distinct = false, .name = {}, .type = slot.call.type, .position = span.position()}, .args = {slot.order}, .filter = {}};
  overs_.push_back(std::move(slot));
  return expr::column(kOverBase + overs_.size() - 1, overs_.back().call.type);
}

Result<ExprPtr> SelectBinder::over_look(const syntax::FunctionCall& call, const Span& span, bool ahead) {
  const std::string_view name = ahead ? "LEAD" : "LAG";
  if (call.distinct || call.filter || call.ignore_nulls == true) return unsupported(span, fmt::format("DISTINCT, FILTER or IGNORE NULLS of {}", name), "leave it out");
  if (call.arguments.empty() || call.arguments.size() > 3)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} takes one to three arguments, not {}", name, call.arguments.size()), fmt::format("write {}(value [, rows {} [, default]])", name, ahead ? "ahead" : "back"));
  SUPYO_ASSIGN(const syntax::WindowDefinition window, window_of(*call.over));
  if (window.frame) return unsupported(window.frame->span, fmt::format("a frame of {}", name), fmt::format("leave ROWS / RANGE out: {} counts rows", name));
  if (window.order_by.empty()) return fail_at(window.span, ErrorCode::kInvalidQuery, fmt::format("{} needs an order", name), fmt::format("write {}(value) OVER (PARTITION BY k ORDER BY v)", name));
  ExprBinder inner = select_.has_group_by ? binder(true, false) : binder(false, false);
  OverSlot slot;
  slot.span = span;
  SUPYO_ASSIGN(slot.argument, inner.bind(*call.arguments[0].value));
  slot.call.type = slot.argument->type.as_nullable();
  slot.call.default_value = {.type = slot.call.type, .data = {}};
  if (call.arguments.size() > 1) {
    const syntax::Expr& e = *call.arguments[1].value;
    const auto* n = e.as<syntax::NumberLiteral>();
    if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || n->text.size() > 9)
      return fail_at(e.span, ErrorCode::kTypeMismatch, fmt::format("the rows that {} counts must be a whole number", name), fmt::format("write {}(value, 1)", name));
    slot.call.offset = std::stoll(n->text);
  }
  SUPYO_TRY(over_window(slot, window, inner, ahead ? OverFunction::kLead : OverFunction::kLag, ahead));
  if (call.arguments.size() > 2) SUPYO_TRY(look_default(slot, call, inner));
  // The same call twice is computed once.
  for (std::size_t i = 0; i < overs_.size(); ++i) {
    const OverSlot& o = overs_[i];
    if (same_window(o, slot) && o.table == slot.table && o.argument && same_expr(*o.argument, *slot.argument) && o.call.offset == slot.call.offset && o.call.type == slot.call.type &&
        o.call.default_value == slot.call.default_value && !o.otherwise && !slot.otherwise)
      return expr::column(kOverBase + i, o.call.type);
  }
  overs_.push_back(std::move(slot));
  return expr::column(kOverBase + overs_.size() - 1, overs_.back().call.type);
}

Status SelectBinder::look_default(OverSlot& slot, const syntax::FunctionCall& call, ExprBinder& inner) {
  const syntax::Expr& e = *call.arguments[2].value;
  const std::string name = call.upper_name();
  SUPYO_ASSIGN(ExprPtr value, inner.bind(e));
  if (!expr::can_coerce(value->type, slot.call.type))
    return fail_at(e.span, ErrorCode::kTypeMismatch, fmt::format("the default of {} is {}, the value {}", name, value->type.to_string(), slot.call.type.to_string()), "cast the default");
  value = expr::fold_constants(coerced(value, slot.call.type));
  const bool constant = value->kind == Expr::Kind::kLiteral;
  if (slot.table) {
    slot.otherwise = value;
    if (!slot.argument->type.nullable && !value->type.nullable) slot.call.type = slot.call.type.not_null();
    return ok();
  }
  if (!constant) return unsupported(e.span, fmt::format("a default of {} that is no constant", name), fmt::format("write COALESCE({}(..) OVER (..), default)", name));
  slot.call.default_value = {.type = slot.call.type, .data = value->literal.data};
  if (!slot.argument->type.nullable && !slot.call.default_value.is_null()) slot.call.type = slot.call.type.not_null();
  return ok();
}

bool SelectBinder::same_window(const OverSlot& a, const OverSlot& b) {
  if (a.table.has_value() != b.table.has_value() || !same_exprs(a.keys, b.keys)) return false;
  const auto same_key = [](const auto& x, const auto& y) { return same_expr(*x.first, *y.first) && x.second == y.second; };
  if (a.table) return a.frame == b.frame && std::ranges::equal(a.ranked_by, b.ranked_by, same_key);
  return a.aggregate.has_value() == b.aggregate.has_value() && a.frame == b.frame && a.ranked_by.empty() && b.ranked_by.empty() && same_expr(*a.order, *b.order);
}

/// ROW_NUMBER beside other OVER calls counts the rows, where it is ordered by time as they are.
void SelectBinder::number_rows() {
  for (OverSlot& o : overs_) {
    if (o.table || o.ranked_by.empty() || overs_.size() == 1) continue;
    const auto& [by, key] = o.ranked_by.front();
    if (o.ranked_by.size() > 1 || key.descending || !is_time(*by)) {
      o.table = OverFunction::kRowNumber;
      continue;
    }
    o.order = by;
    o.frame = {.rows = true, .preceding = {}};
    o.aggregate = AggregateSlot{.call = {.function = "COUNT", .args = {}, .distinct = false, .name = {}, .type = o.call.type, .position = o.span.position()}, .args = {}, .filter = {}};
    o.ranked_by.clear();
  }
}

namespace {

/// All columns of an input, which stay in front so that expressions bound over them keep their numbers, and what is added to them.
struct Extended {
  explicit Extended(LogicalPtr of) : input(std::move(of)) {
    for (std::size_t i = 0; i < input->columns.size(); ++i) {
      exprs.push_back(column_of(*input, i));
      names.push_back(input->columns[i].name);
    }
  }
  std::size_t add(const ExprPtr& e) {
    const std::size_t i = place(exprs, e);
    if (i == names.size()) names.push_back(fmt::format("$f{}", i));
    return i;
  }
  LogicalPtr node() const { return exprs.size() == input->columns.size() ? input : make_project(input, exprs, names); }

  LogicalPtr input;
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
};

}  // namespace

/// Those that share partition, order and frame.
Status SelectBinder::over_table(const std::vector<std::size_t>& slots, std::vector<ExprPtr>& results) {
  Extended input(scope_.node);
  const OverSlot& first = overs_[slots.front()];
  LogicalOverTable over{.partition = {}, .order = {}, .frame = first.frame, .calls = {}, .position = first.span.position()};
  for (const ExprPtr& k : first.keys) over.partition.push_back(input.add(k));
  for (const auto& [by, key] : first.ranked_by) over.order.push_back({.column = input.add(by), .descending = key.descending, .nulls_first = key.nulls_first});
  for (const std::size_t s : slots) {
    const OverSlot& slot = overs_[s];
    LogicalOverCall& call = over.calls.emplace_back();
    call = {.function = *slot.table, .aggregate = {}, .column = 0, .default_column = SIZE_MAX, .number = slot.call.offset, .name = name_of_over(s), .type = slot.call.type};
    if (slot.aggregate) {
      call.aggregate = slot.aggregate->call;
      for (const ExprPtr& a : slot.aggregate->args) call.aggregate.args.push_back(input.add(a));
      if (slot.aggregate->filter) call.aggregate.filter = input.add(slot.aggregate->filter);
      call.aggregate.name = call.name;
    }
    if (slot.argument) call.column = input.add(slot.argument);
    if (slot.otherwise) call.default_column = input.add(slot.otherwise);
  }
  LogicalPtr below = input.node();
  const std::size_t width = below->columns.size();
  for (std::size_t i = 0; i < slots.size(); ++i) results[slots[i]] = expr::column(width + i, overs_[slots[i]].call.type);
  scope_.node = make_over_table(std::move(below), std::move(over));
  return ok();
}

/// What was taken for a time turned out to be none.
Status SelectBinder::order_as_table(OverSlot& slot) {
  if (slot.frame.preceding && !slot.frame.rows)
    return unsupported(slot.span, "RANGE with a bound, by something else than a time attribute,", "write ROWS BETWEEN 10 PRECEDING AND CURRENT ROW, or leave the frame out: all rows up to this one");
  slot.ranked_by = {{slot.order, {.column = 0, .descending = false, .nulls_first = true}}};
  const bool rank = slot.aggregate && slot.aggregate->call.function == "RANK", dense = slot.aggregate && slot.aggregate->call.function == "DENSE_RANK";
  slot.table = rank ? OverFunction::kRank : dense ? OverFunction::kDenseRank : slot.aggregate ? OverFunction::kAggregate : OverFunction::kLag;
  if (rank || dense) slot.aggregate.reset();
  if (slot.argument && !slot.call.default_value.is_null()) slot.otherwise = expr::literal({.type = slot.call.type.not_null(), .data = slot.call.default_value.data});
  return ok();
}

Status SelectBinder::over_group(const std::vector<std::size_t>& slots, std::vector<ExprPtr>& results) {
  Extended input(scope_.node);
  const OverSlot& first = overs_[slots.front()];
  std::vector<std::size_t> keys;
  for (const ExprPtr& k : first.keys) keys.push_back(input.add(k));
  if (!is_time(*first.order)) {   // of a grouped query, whose columns are known now
    for (const std::size_t s : slots) SUPYO_TRY(order_as_table(overs_[s]));
    return over_table(slots, results);
  }
  const std::size_t time = input.add(first.order);
  const bool processing = first.order->kind == Expr::Kind::kCall || !input.input->columns[time].row_time;
  OverFrame frame = first.frame;
  if (processing && !frame.preceding) frame.rows = true;   // rows come one by one: none has an equal
  LogicalOver lags{.keys = keys, .time_column = time, .calls = {}, .position = first.span.position(), .processing = processing};
  LogicalOverAggregate aggregates{.keys = keys, .time_column = time, .frame = frame, .calls = {}, .position = first.span.position(), .processing = processing};
  for (const std::size_t s : slots) {
    const OverSlot& slot = overs_[s];
    if (slot.aggregate) {
      LogicalCall& call = aggregates.calls.emplace_back(slot.aggregate->call);
      for (const ExprPtr& a : slot.aggregate->args) call.args.push_back(input.add(a));
      if (slot.aggregate->filter) call.filter = input.add(slot.aggregate->filter);
      call.name = name_of_over(s);
    } else {
      OverCall& call = lags.calls.emplace_back(slot.call);
      call.argument = input.add(slot.argument);
      call.name = name_of_over(s);
    }
  }
  LogicalPtr below = input.node();
  const std::size_t width = below->columns.size();
  for (std::size_t i = 0; i < slots.size(); ++i) results[slots[i]] = expr::column(width + i, overs_[slots[i]].call.type);
  scope_.node = first.aggregate ? make_over_aggregate(std::move(below), std::move(aggregates)) : make_over(std::move(below), std::move(lags));
  return ok();
}

}  // namespace supyo::plan
