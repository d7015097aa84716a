#include "sql/plan/over_table.h"

#include "sql/plan/bind_expr.h"

namespace supyo::plan {
namespace {

std::vector<Sort::Key> upwards(std::size_t column) { return {{.column = column, .descending = false, .nulls_first = true}}; }

}  // namespace

LogicalPtr over_rows_that_change(const LogicalNode& node, const LogicalOver& o) {
  const LogicalPtr& input = node.input();
  LogicalOverTable over{.partition = o.keys, .order = upwards(o.time_column), .frame = {}, .calls = {}, .position = o.position};
  // A default is a column there.
  std::vector<expr::ExprPtr> exprs;
  std::vector<std::string> names;
  const std::size_t width = input->columns.size();
  for (std::size_t i = 0; i < width; ++i) {
    exprs.push_back(column_of(*input, i));
    names.push_back(input->columns[i].name);
  }
  for (const OverCall& c : o.calls) {
    LogicalOverCall& call = over.calls.emplace_back();
    call = {.function = OverFunction::kLag, .aggregate = {}, .column = c.argument, .default_column = SIZE_MAX, .number = c.offset, .name = c.name, .type = c.type};
    if (c.default_value.is_null()) continue;
    call.default_column = exprs.size();
    exprs.push_back(expr::literal({.type = c.type.not_null(), .data = c.default_value.data}));
    names.push_back(fmt::format("$d{}", exprs.size()));
  }
  const std::size_t added = exprs.size() - width;
  if (added == 0) return make_over_table(input, std::move(over));
  const LogicalPtr made = make_over_table(make_project(input, std::move(exprs), std::move(names)), std::move(over));
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < made->columns.size(); ++i)
    if (i < width || i >= width + added) columns.push_back(i);
  return make_selection(made, columns);
}

Result<LogicalPtr> over_rows_that_change(const LogicalNode& node, const LogicalOverAggregate& o) {
  if (o.frame.preceding && !o.frame.rows)
    return fail_at(o.position, ErrorCode::kUnsupported, "RANGE with a bound, over rows that are updated, is not supported",
                   "write ROWS BETWEEN 10 PRECEDING AND CURRENT ROW, or apply it before rows are aggregated or replaced by key");
  LogicalOverTable over{.partition = o.keys, .order = upwards(o.time_column), .frame = o.frame, .calls = {}, .position = o.position};
  for (const LogicalCall& c : o.calls) {
    const OverFunction function = c.function == "RANK" ? OverFunction::kRank : c.function == "DENSE_RANK" ? OverFunction::kDenseRank : OverFunction::kAggregate;
    LogicalOverCall& call = over.calls.emplace_back();
    call = {.function = function, .aggregate = {}, .column = 0, .default_column = SIZE_MAX, .number = 1, .name = c.name, .type = c.type};
    if (function == OverFunction::kAggregate) call.aggregate = c;
  }
  return make_over_table(node.input(), std::move(over));
}

LogicalPtr number_rows(const LogicalNode& node, const LogicalRank& r) {
  const std::string& name = node.columns.back().name;
  const Type& type = node.columns.back().type;
  const ColumnInfo& by = node.input()->columns[r.order.front().column];
  const OverFrame frame{.rows = true, .preceding = {}};
  if (r.order.size() == 1 && !r.order.front().descending && (by.row_time || by.proc_time)) {
    const LogicalCall count{.function = "COUNT", .args = {}, .distinct = false, .name = name, .type = type, .position = r.position};
    return make_over_aggregate(node.input(), {.keys = r.partition, .time_column = r.order.front().column, .frame = frame, .calls = {count}, .position = r.position, .processing = !by.row_time});
  }
  const LogicalOverCall number{.function = OverFunction::kRowNumber, .aggregate = {}, .column = 0, .default_column = SIZE_MAX, .number = 1, .name = name, .type = type};
  return make_over_table(node.input(), {.partition = r.partition, .order = r.order, .frame = frame, .calls = {number}, .position = r.position});
}

Status rank_as_they_come(TopN& op, const LogicalRank& r, const Changes& input) {
  op.last_first = r.order.front().descending;
  op.order.clear();
  if (op.last_first && op.limit > 1)
    return fail_at(r.position, ErrorCode::kUnsupported, "more than the last row by processing time is not supported", "ask for the last one (n = 1), or order by a column of the rows");
  if (!op.last_first && !input.append_only())
    return fail_at(r.position, ErrorCode::kUnsupported, "ROW_NUMBER by processing time, upwards, over rows that are updated is not supported", "order by a column of the rows, or by the processing time DESC");
  return ok();
}

}  // namespace supyo::plan
