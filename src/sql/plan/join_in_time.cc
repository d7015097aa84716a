#include "sql/plan/join_in_time.h"

#include <algorithm>

#include "core/base/strong.h"
#include "sql/plan/bind_query.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

/// A row time plus a constant.
struct Moment {
  std::size_t column = 0;   ///< of the joined columns
  DurationUs shift_us = 0;
};

/// What a comparison does with a time of fewer digits: no value changes. (A cast beyond them is the way to a regular join.)
bool widens(const Type& from, const Type& to) { return from.is_timestamp() && from.id == to.id && from.precision <= to.precision && can_be_row_time(to); }

bool is_row_time(std::size_t column, const LogicalNode& left, const LogicalNode& right) {
  const std::size_t width = left.columns.size();
  return column < width ? left.columns[column].row_time : right.columns[column - width].row_time;
}

std::optional<DurationUs> interval_of(const Expr& e) {
  if (e.kind != Expr::Kind::kLiteral || e.type.id != TypeId::kIntervalDay || e.literal.is_null()) return std::nullopt;
  return std::get<std::int64_t>(e.literal.data);
}

std::optional<Moment> moment_of(const Expr& e, const TimeColumns& counts) {
  if (e.kind == Expr::Kind::kColumn) return counts(e.column) ? std::optional(Moment{e.column, 0}) : std::nullopt;
  if (e.kind == Expr::Kind::kCast) return widens(e.args[0]->type, e.type) ? moment_of(*e.args[0], counts) : std::nullopt;
  if (e.kind != Expr::Kind::kCall || e.args.size() != 2 || (e.function->name != "+" && e.function->name != "-")) return std::nullopt;
  const bool minus = e.function->name == "-";
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const auto shift = interval_of(*e.args[1 - side]);
    if (!shift || (minus && side == 1)) continue;
    auto moment = moment_of(*e.args[side], counts);
    if (moment) moment->shift_us += minus ? -*shift : *shift;
    return moment;
  }
  return std::nullopt;
}

// Row times are whole milliseconds (at most three digits), so that an exclusive bound is an inclusive one beside it.
DurationUs floor_to_grain(DurationUs us) { return us - ((us % kMillisecond) + kMillisecond) % kMillisecond; }
DurationUs ceil_to_grain(DurationUs us) { return -floor_to_grain(-us); }

using Bound = TimeBound;

std::optional<Bound> bound_of(const ExprPtr& conjunct, const LogicalNode& left, const LogicalNode& right) {
  return time_bound_of(conjunct, left.columns.size(), [&](std::size_t column) { return is_row_time(column, left, right); });
}

/// An equation of a window's column with a window's column of the same kind.
struct WindowEquation {
  std::size_t left = 0, right = 0;
  WindowColumn kind = WindowColumn::kStart;
  AttachedWindow left_window, right_window;
};

std::vector<WindowEquation> window_equations(const LogicalNode& left, const LogicalNode& right, const std::vector<ExprPtr>& condition) {
  const std::size_t width = left.columns.size();
  std::vector<WindowEquation> out;
  for (const ExprPtr& e : condition) {
    if (e->kind != Expr::Kind::kCall || e->function->name != "=" || e->args[0]->kind != Expr::Kind::kColumn || e->args[1]->kind != Expr::Kind::kColumn) continue;
    const std::size_t a = std::min(e->args[0]->column, e->args[1]->column), b = std::max(e->args[0]->column, e->args[1]->column);
    if (a >= width || b < width) continue;
    const ColumnInfo& l = left.columns[a];
    const ColumnInfo& r = right.columns[b - width];
    if (!l.attached || !r.attached || l.window_column != r.window_column) continue;
    out.push_back({.left = a, .right = b - width, .kind = l.window_column, .left_window = *l.attached, .right_window = *r.attached});
  }
  return out;
}

bool reads_both(const Expr& e, std::size_t width) {
  const auto read = expr::columns_read(e);
  return !read.empty() && read.front() < width && read.back() >= width;
}
bool reads_left_only(const Expr& e, std::size_t width) {
  const auto read = expr::columns_read(e);
  return !read.empty() && read.back() < width;
}

/// `node` with what conjuncts make of the inner joins in it; says which of them are used. `node` itself where nothing comes of it.
LogicalPtr absorb(const LogicalPtr& node, const std::vector<ExprPtr>& conjuncts, std::vector<bool>& used) {
  const auto* join = node->as<LogicalJoin>();
  if (join == nullptr || join->keeps_right()) return node;
  const bool inner = join->kind == LogicalJoin::Kind::kInner && !join->of_left_time();   // others pass on what is asked of their left side
  const std::size_t width = node->inputs[0]->columns.size();
  std::vector<ExprPtr> of_left;
  std::vector<std::size_t> numbers;
  LogicalJoin out = *join;
  std::vector<std::size_t> taken;
  for (std::size_t i = 0; i < conjuncts.size(); ++i) {
    if (used[i] || !is_deterministic(*conjuncts[i])) continue;
    if (reads_left_only(*conjuncts[i], width)) {
      of_left.push_back(conjuncts[i]);
      numbers.push_back(i);
    } else if (inner && reads_both(*conjuncts[i], width)) {
      out.condition.push_back(conjuncts[i]);
      taken.push_back(i);
    }
  }
  std::vector<bool> used_left(of_left.size(), false);
  const LogicalPtr left = absorb(node->inputs[0], of_left, used_left);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (used_left[i]) used[numbers[i]] = true;
  LogicalPtr whole = make_join(left, node->inputs[1], std::move(out));
  if (inner && whole->as<LogicalJoin>()->is_in_time()) {
    for (const std::size_t i : taken) used[i] = true;
    return whole;
  }
  return left == node->inputs[0] ? node : make_join(left, node->inputs[1], *join);
}

}  // namespace

std::optional<TimeBound> time_bound_of(const ExprPtr& conjunct, std::size_t width, const TimeColumns& counts) {
  const ExprPtr folded = expr::fold_constants(conjunct);
  const Expr& e = *folded;
  if (e.kind != Expr::Kind::kCall || e.args.size() != 2) return std::nullopt;
  std::string_view op = e.function->name;
  if (op != "<" && op != "<=" && op != ">" && op != ">=" && op != "=") return std::nullopt;
  auto a = moment_of(*e.args[0], counts);
  auto b = moment_of(*e.args[1], counts);
  if (!a || !b || (a->column < width) == (b->column < width)) return std::nullopt;
  if (a->column >= width) {
    std::swap(a, b);
    op = op == "<" ? ">" : op == "<=" ? ">=" : op == ">" ? "<" : op == ">=" ? "<=" : op;
  }
  // left + x op right + y  <=>  left - right op y - x
  const DurationUs d = b->shift_us - a->shift_us;
  TimeBound out{.left = a->column, .right = b->column - width, .lower = {}, .upper = {}};
  if (op == "<") out.upper = ceil_to_grain(d) - kMillisecond;
  if (op == "<=" || op == "=") out.upper = floor_to_grain(d);
  if (op == ">") out.lower = floor_to_grain(d) + kMillisecond;
  if (op == ">=" || op == "=") out.lower = ceil_to_grain(d);
  return out;
}

std::optional<TimeBounds> find_time_bounds(const LogicalNode& left, const LogicalNode& right, const std::vector<ExprPtr>& condition) {
  std::vector<Bound> bounds;
  for (const ExprPtr& e : condition) {
    const auto b = bound_of(e, left, right);
    if (!b) continue;
    auto same = std::ranges::find_if(bounds, [&](const Bound& o) { return o.left == b->left && o.right == b->right; });
    if (same == bounds.end()) same = bounds.insert(bounds.end(), Bound{.left = b->left, .right = b->right, .lower = {}, .upper = {}});
    if (b->lower) same->lower = std::max(same->lower.value_or(*b->lower), *b->lower);
    if (b->upper) same->upper = std::min(same->upper.value_or(*b->upper), *b->upper);
  }
  for (const Bound& b : bounds)
    if (b.lower && b.upper) return TimeBounds{.left_time = b.left, .right_time = b.right, .lower_us = *b.lower, .upper_us = *b.upper};
  return std::nullopt;
}

std::optional<SameWindow> find_same_window(const LogicalNode& left, const LogicalNode& right, const std::vector<ExprPtr>& condition) {
  const std::vector<WindowEquation> equations = window_equations(left, right, condition);
  for (const WindowEquation& start : equations) {
    if (start.kind != WindowColumn::kStart || start.left_window != start.right_window) continue;
    for (const WindowEquation& end : equations) {
      if (end.kind != WindowColumn::kEnd || end.left_window != start.left_window || end.right_window != start.left_window) continue;
      return SameWindow{.left_start = start.left, .left_end = end.left, .right_start = start.right, .right_end = end.right, .window = start.left_window};
    }
  }
  return std::nullopt;
}

bool equates_different_windows(const LogicalNode& left, const LogicalNode& right, const std::vector<ExprPtr>& condition) {
  bool start = false, end = false;
  for (const WindowEquation& e : window_equations(left, right, condition)) {
    if (e.left_window == e.right_window) continue;
    start |= e.kind == WindowColumn::kStart;
    end |= e.kind == WindowColumn::kEnd;
  }
  return start && end;
}

bool is_within(const ExprPtr& conjunct, const TimeBounds& bounds, const LogicalNode& left, const LogicalNode& right) {
  const auto b = bound_of(conjunct, left, right);
  return b && b->left == bounds.left_time && b->right == bounds.right_time && !(b->lower && b->upper);
}

namespace {

bool reads_only(const Expr& e, std::size_t width, bool of_right) {
  const auto read = expr::columns_read(e);
  return !read.empty() && is_deterministic(e) && std::ranges::all_of(read, [&](std::size_t c) { return (c >= width) == of_right; });
}

/// A column of the key, as it is or cast to the other side's type.
std::optional<std::size_t> key_column(const Expr& right_key, const AsOf& as_of) {
  const Expr& e = right_key.kind == Expr::Kind::kCast ? *right_key.args[0] : right_key;
  if (e.kind != Expr::Kind::kColumn || std::ranges::find(as_of.key, e.column) == as_of.key.end()) return std::nullopt;
  return e.column;
}

}  // namespace

JoinParts parts_of(const LogicalJoin& join, const LogicalNode& left, const LogicalNode& right) {
  const std::size_t width = left.columns.size();
  std::vector<std::size_t> to_right(width + right.columns.size(), 0);
  for (std::size_t i = width; i < to_right.size(); ++i) to_right[i] = i - width;
  JoinParts out;
  std::vector<std::size_t> keyed;   // temporal join: the key's columns that an equation names already
  for (const ExprPtr& e : join.condition) {
    if (join.bounds && is_within(e, *join.bounds, left, right)) continue;
    const bool equal = e->kind == Expr::Kind::kCall && e->function->name == "=" && e->args[0]->type.same_kind(e->args[1]->type);
    const bool swapped = equal && reads_only(*e->args[0], width, true) && reads_only(*e->args[1], width, false);
    bool is_key = swapped || (equal && reads_only(*e->args[0], width, false) && reads_only(*e->args[1], width, true));
    const ExprPtr right_key = is_key ? expr::remap_columns(e->args[swapped ? 0 : 1], to_right) : nullptr;
    if (is_key && join.as_of) {
      const auto column = key_column(*right_key, *join.as_of);
      is_key = column && std::ranges::find(keyed, *column) == keyed.end();
      if (is_key) keyed.push_back(*column);
    }
    if (!is_key) {
      out.rest.push_back(e);
      continue;
    }
    out.left_keys.push_back(e->args[swapped ? 1 : 0]);
    out.right_keys.push_back(right_key);
  }
  return out;
}

bool covers_key(const LogicalJoin& join, const LogicalNode& left, const LogicalNode& right) { return parts_of(join, left, right).right_keys.size() == join.as_of->key.size(); }

std::variant<Join, IntervalJoin, WindowJoin, TemporalJoin> operator_of(const LogicalJoin& join, Join op) {
  if (join.as_of)
    return TemporalJoin{.left_keys = std::move(op.left_keys), .right_keys = std::move(op.right_keys), .left_time = join.as_of->left_time, .right_time = join.as_of->right_time,
                        .keep_left = op.keep_left, .condition = std::move(op.condition)};
  if (join.same_window) {
    const SameWindow& w = *join.same_window;
    return WindowJoin{.left_keys = std::move(op.left_keys), .right_keys = std::move(op.right_keys), .left_start = w.left_start, .left_end = w.left_end, .right_start = w.right_start,
                      .right_end = w.right_end, .window = w.window.window, .local_zone = w.window.local_zone, .keep_left = op.keep_left, .keep_right = op.keep_right,
                      .condition = std::move(op.condition), .rows = op.rows};
  }
  if (join.bounds)
    return IntervalJoin{.left_keys = std::move(op.left_keys), .right_keys = std::move(op.right_keys), .left_time = join.bounds->left_time, .right_time = join.bounds->right_time,
                        .lower_us = join.bounds->lower_us, .upper_us = join.bounds->upper_us, .keep_left = op.keep_left, .keep_right = op.keep_right, .condition = std::move(op.condition)};
  return op;
}

bool bounds_processing_time(const LogicalJoin& join, const LogicalNode& left, const LogicalNode& right) {
  const auto is_clock = [](const ColumnInfo& c) { return c.proc_time && !c.attached; };
  const std::size_t width = left.columns.size();
  return std::ranges::any_of(join.condition, [&](const ExprPtr& e) {
    bool of_left = false, of_right = false;
    for (const std::size_t c : expr::columns_read(*e)) {
      if (c < width) of_left |= is_clock(left.columns[c]);
      else of_right |= is_clock(right.columns[c - width]);
    }
    return of_left && of_right;
  });
}

LogicalPtr filter_joins(LogicalPtr node, const ExprPtr& predicate, const SourcePosition& position) {
  std::vector<ExprPtr> conjuncts;
  split_conjuncts(predicate, conjuncts);
  std::vector<bool> used(conjuncts.size(), false);
  const LogicalPtr absorbed = absorb(node, conjuncts, used);
  if (absorbed == node) return make_filter(std::move(node), {predicate, position});
  LogicalPtr out = absorbed;
  for (std::size_t i = 0; i < conjuncts.size(); ++i)
    if (!used[i]) out = make_filter(out, {conjuncts[i], position});
  return out;
}

Schema pairs_of(const Schema& left, const Schema& right, bool keep_left, bool keep_right) {
  std::vector<std::string> names;
  for (const Schema* side : {&left, &right})
    for (const Field& f : side->fields()) names.push_back(f.name);
  make_unique(names);
  Schema out;
  for (std::size_t i = 0; i < left.size(); ++i) out.add(names[i], left[i].type.as_nullable(left[i].type.nullable || keep_right));
  for (std::size_t i = 0; i < right.size(); ++i) out.add(names[left.size() + i], right[i].type.as_nullable(right[i].type.nullable || keep_left));
  return out;
}

}  // namespace supyo::plan
