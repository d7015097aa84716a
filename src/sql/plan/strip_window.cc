#include "sql/plan/strip_window.h"

#include <algorithm>

#include "sql/plan/bind_expr.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

bool reads_mark(const Expr& e, const std::vector<std::size_t>& map) {
  return std::ranges::any_of(expr::columns_read(e), [&](std::size_t c) { return is_mark(map[c]); });
}

// The filter's conjuncts over rows, and those over windows, which go to `in.window_filters`. Errors: kUnsupported for one that asks of both at once.
Result<std::vector<ExprPtr>> part_filter(const LogicalFilter& filter, Stripped& in) {
  std::vector<ExprPtr> conjuncts, rows;
  split_conjuncts(filter.predicate, conjuncts);
  for (const ExprPtr& e : conjuncts) {
    if (!reads_mark(*e, in.map)) {
      rows.push_back(expr::remap_columns(e, in.map));
      continue;
    }
    std::vector<std::size_t> to_window(in.map.size(), 0);
    for (const std::size_t c : expr::columns_read(*e)) {
      if (!is_mark(in.map[c]) || in.map[c] == kMixedMark || !is_deterministic(*e))
        return fail_at(filter.position, ErrorCode::kUnsupported,
                       "below a window aggregation, a condition on window_start, window_end or window_time cannot read other columns or be random",
                       "write it as a condition of its own, with AND, or put it in HAVING");
      to_window[c] = static_cast<std::size_t>(column_of_mark(in.map[c]));
    }
    in.window_filters.push_back(expr::remap_columns(e, to_window));
  }
  return rows;
}

}  // namespace

Result<Stripped> strip_window(const LogicalPtr& node, int id, const SourcePosition& position) {
  if (const auto* w = node->as<LogicalWindow>(); w != nullptr && w->id == id) {
    const std::size_t width = node->input()->columns.size();
    Stripped out{.node = node->input(), .map = {}, .time_column = w->time_column, .window = w->window, .partition = w->partition, .of_group = w->of_group, .processing = w->processing, .asks_rows = false, .window_filters = {}, .window_types = {}};
    for (std::size_t i = 0; i < width; ++i) out.map.push_back(i);
    for (std::size_t i = width; i < node->columns.size(); ++i) out.window_types.push_back(node->columns[i].type);
    out.map.insert(out.map.end(), {kStartMark, kEndMark, kTimeMark});
    return out;
  }
  if (const auto* f = node->as<LogicalFilter>()) {
    SUPYO_ASSIGN(Stripped in, strip_window(node->input(), id, position));
    if (!reads_mark(*f->predicate, in.map)) {
      in.asks_rows = true;
      in.node = make_filter(in.node, {expr::remap_columns(f->predicate, in.map), f->position});
      return in;
    }
    SUPYO_ASSIGN(const std::vector<ExprPtr> rows, part_filter(*f, in));
    in.asks_rows |= !rows.empty();
    for (const ExprPtr& e : rows) in.node = make_filter(in.node, {e, f->position});
    return in;
  }
  const auto* expand = node->as<LogicalExpand>();
  if (const auto* p = node->as<LogicalProject>(); p != nullptr || expand != nullptr) {
    SUPYO_ASSIGN(Stripped in, strip_window(node->input(), id, position));
    const std::vector<std::vector<ExprPtr>> lists = p != nullptr ? std::vector<std::vector<ExprPtr>>{p->exprs} : expand->rows;
    Stripped out{.node = nullptr, .map = {}, .time_column = SIZE_MAX, .window = in.window, .partition = {}, .of_group = in.of_group, .processing = in.processing, .asks_rows = in.asks_rows, .window_filters = in.window_filters, .window_types = in.window_types};
    std::vector<std::vector<ExprPtr>> exprs(lists.size());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < lists.front().size(); ++i) {
      const Expr& e = *lists.front()[i];
      const bool same = std::ranges::all_of(lists, [&](const auto& list) { return same_expr(*list[i], e); });
      if (same && e.kind == Expr::Kind::kColumn && is_mark(in.map[e.column])) {
        out.map.push_back(in.map[e.column]);
      } else if (std::ranges::any_of(lists, [&](const auto& list) { return reads_mark(*list[i], in.map); })) {
        out.map.push_back(kMixedMark);
      } else {
        out.map.push_back(names.size());
        for (std::size_t l = 0; l < lists.size(); ++l) exprs[l].push_back(expr::remap_columns(lists[l][i], in.map));
        names.push_back(node->columns[i].name);
      }
    }
    // Where a column of the input is one of the output.
    const auto keep = [&](std::size_t column) {
      const auto is_it = [&](const ExprPtr& e) { return e->kind == Expr::Kind::kColumn && e->column == column; };
      for (std::size_t i = 0; i < names.size(); ++i)
        if (std::ranges::all_of(exprs, [&](const auto& list) { return is_it(list[i]); })) return i;
      for (auto& list : exprs) list.push_back(column_of(*in.node, column));
      names.push_back(in.node->columns[column].name);
      return names.size() - 1;
    };
    out.time_column = keep(in.time_column);
    for (const std::size_t c : in.partition) out.partition.push_back(keep(c));
    out.node = p != nullptr ? make_project(in.node, std::move(exprs.front()), std::move(names)) : make_expand(in.node, {std::move(exprs)}, std::move(names));
    return out;
  }
  return fail_at(position, ErrorCode::kUnsupported, "grouping by the window of a query that is not a plain SELECT is not supported",
                 "apply the window to the whole input, e.g. TABLE(TUMBLE((SELECT .. UNION ALL SELECT ..), DESCRIPTOR(ts), ..))");
}

bool is_of_rows(const Stripped& s, const LogicalAggregate& a) {
  if (s.window.kind != WindowSpec::Kind::kSession || s.of_group) return false;
  std::vector<std::size_t> keys, partition = s.partition;
  for (const std::size_t k : a.keys)
    if (!is_mark(s.map[k])) keys.push_back(s.map[k]);
  for (auto* v : {&keys, &partition}) {
    std::ranges::sort(*v);
    v->erase(std::ranges::unique(*v).begin(), v->end());
  }
  return s.asks_rows || keys != partition;
}

bool reads_window(const Stripped& s, const LogicalAggregate& a) {
  const auto is_marked = [&](std::size_t c) { return is_mark(s.map[c]); };
  return std::ranges::any_of(a.keys, [&](std::size_t k) { return s.map[k] == kMixedMark; }) ||
         std::ranges::any_of(a.calls, [&](const LogicalCall& c) { return (c.filter != SIZE_MAX && is_marked(c.filter)) || std::ranges::any_of(c.args, is_marked); });
}

}  // namespace supyo::plan
