#include "sql/plan/logical.h"

#include <algorithm>
#include <set>

#include "core/base/check.h"
#include "sql/plan/join_in_time.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

std::shared_ptr<LogicalNode> unary(LogicalPtr input) {
  auto node = std::make_shared<LogicalNode>();
  node->late_tables = input->late_tables;
  node->inputs.push_back(std::move(input));
  return node;
}

}  // namespace

LogicalPtr make_scan(LogicalScan scan) {
  auto node = std::make_shared<LogicalNode>();
  const Schema schema = scan.table.schema();
  for (const std::size_t c : scan.columns) node->columns.push_back({.name = schema[c].name, .type = schema[c].type});
  if (scan.computed_row_time) node->columns.push_back({.name = scan.table.watermark->column, .type = scan.computed_row_time->type});
  if (scan.row_time) {
    ColumnInfo& c = node->columns[scan.row_time->column];
    c.row_time = true;
    node->late_tables.push_back(scan.table.path);
  }
  node->op = std::move(scan);
  return node;
}

LogicalPtr make_filter(LogicalPtr input, LogicalFilter filter) {
  auto node = unary(std::move(input));
  node->columns = node->input()->columns;
  node->op = std::move(filter);
  return node;
}

LogicalPtr make_project(LogicalPtr input, std::vector<ExprPtr> exprs, std::vector<std::string> names) {
  SUPYO_CHECK_EQ(exprs.size(), names.size());
  auto node = unary(std::move(input));
  make_unique(names);
  for (std::size_t i = 0; i < exprs.size(); ++i) {
    const Expr& e = *exprs[i];
    ColumnInfo info{.name = {}, .type = e.type};
    if (e.kind == Expr::Kind::kColumn) info = node->input()->columns[e.column];
    if (e.kind == Expr::Kind::kCall && e.function->name == "PROCTIME") info.proc_time = true;
    info.hidden = false;
    info.name = std::move(names[i]);
    node->columns.push_back(std::move(info));
  }
  node->op = LogicalProject{std::move(exprs)};
  return node;
}

LogicalPtr make_expand(LogicalPtr input, LogicalExpand expand, std::vector<std::string> names) {
  auto node = unary(std::move(input));
  make_unique(names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ExprPtr& first = expand.rows.front()[i];
    const bool same = std::ranges::all_of(expand.rows, [&](const auto& row) { return same_expr(*row[i], *first); });
    ColumnInfo info{.name = {}, .type = first->type};
    if (same && first->kind == Expr::Kind::kColumn) info = node->input()->columns[first->column];
    for (const auto& row : expand.rows) info.type.nullable |= row[i]->type.nullable;
    info.name = std::move(names[i]);
    node->columns.push_back(std::move(info));
  }
  node->op = std::move(expand);
  return node;
}

LogicalPtr make_selection(LogicalPtr input, const std::vector<std::size_t>& columns) {
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (const std::size_t c : columns) {
    exprs.push_back(column_of(*input, c));
    names.push_back(input->columns[c].name);
  }
  return make_project(std::move(input), std::move(exprs), std::move(names));
}

LogicalPtr make_window(LogicalPtr input, LogicalWindow window) {
  auto node = unary(std::move(input));
  node->columns = node->input()->columns;
  const Type time = node->columns[window.time_column].type;
  // The time column stays readable, but the window's own time is the attribute from here on (Flink materialises the old one).
  for (ColumnInfo& c : node->columns) c.row_time = false;
  if (window.processing) node->late_tables.clear();
  std::vector<std::string> names;
  for (const ColumnInfo& c : node->columns) names.push_back(c.name);
  names.insert(names.end(), {"window_start", "window_end", "window_time"});
  make_unique(names);
  const std::size_t n = node->columns.size();
  const Type boundary = Type::timestamp(3).not_null();
  node->columns.push_back({.name = names[n], .type = boundary, .window = window.id, .window_column = WindowColumn::kStart});
  node->columns.push_back({.name = names[n + 1], .type = boundary, .window = window.id, .window_column = WindowColumn::kEnd});
  node->columns.push_back({.name = names[n + 2], .type = time.not_null(), .row_time = !window.processing, .proc_time = window.processing, .window = window.id, .window_column = WindowColumn::kTime});
  const AttachedWindow attached{window.window, time.id == TypeId::kTimestampLtz, window.processing};
  for (std::size_t i = n; i < n + 3; ++i) node->columns[i].attached = attached;
  // A session's rows come when it is over.
  if (window.window.kind == WindowSpec::Kind::kSession) node->late_tables.clear();
  node->op = std::move(window);
  return node;
}

LogicalPtr make_aggregate(LogicalPtr input, LogicalAggregate aggregate) {
  auto node = unary(std::move(input));
  node->late_tables.clear();  // rows born here have no edge watermark
  const auto& in = node->input()->columns;
  const auto window = window_of_group(*node->input(), aggregate.keys);
  std::vector<std::string> names;
  for (const std::size_t k : aggregate.keys) {
    ColumnInfo c = in[k];
    // window_time of a window that the aggregation completes is the time attribute of its result; any other row time is a plain value now.
    const bool is_time = window && c.attached && c.window_column == WindowColumn::kTime;
    c.row_time = is_time && !c.attached->processing;
    c.proc_time = is_time && c.attached->processing;
    c.window = -1;
    if (!window) c.attached.reset();
    names.push_back(c.name);
    node->columns.push_back(std::move(c));
  }
  for (const LogicalCall& call : aggregate.calls) {
    names.push_back(call.name);
    node->columns.push_back({.name = call.name, .type = call.type});
  }
  make_unique(names);
  for (std::size_t i = 0; i < names.size(); ++i) node->columns[i].name = names[i];
  node->op = std::move(aggregate);
  return node;
}

namespace {

/// The input's columns, then the calls'. What is late is dealt with here, not above.
template <class Op>
LogicalPtr make_any_over(LogicalPtr input, Op over) {
  auto node = unary(std::move(input));
  node->columns = node->input()->columns;
  std::vector<std::string> names;
  for (const ColumnInfo& c : node->columns) names.push_back(c.name);
  for (const auto& call : over.calls) {
    names.push_back(call.name);
    node->columns.push_back({.name = call.name, .type = call.type});
  }
  make_unique(names);
  for (std::size_t i = 0; i < names.size(); ++i) node->columns[i].name = names[i];
  node->late_tables.clear();
  node->op = std::move(over);
  return node;
}

}  // namespace

LogicalPtr make_over(LogicalPtr input, LogicalOver over) { return make_any_over(std::move(input), std::move(over)); }
LogicalPtr make_over_aggregate(LogicalPtr input, LogicalOverAggregate over) { return make_any_over(std::move(input), std::move(over)); }

LogicalPtr make_over_table(LogicalPtr input, LogicalOverTable over) {
  const LogicalPtr made = make_any_over(std::move(input), std::move(over));
  auto node = std::make_shared<LogicalNode>(*made);
  for (ColumnInfo& c : node->columns) {
    c.row_time = c.proc_time = false;
    c.window = -1;
    c.attached.reset();
  }
  return node;
}

LogicalPtr make_match(LogicalPtr input, LogicalMatch match) {
  auto node = unary(std::move(input));
  std::vector<std::string> names;
  for (const std::size_t c : match.match.partition) {
    const ColumnInfo& in = node->input()->columns[c];
    names.push_back(in.name);
    node->columns.push_back({.name = in.name, .type = in.type});
  }
  for (const MatchReference& r : match.match.references) {
    names.push_back(r.name);
    const bool time = r.kind == MatchReference::Kind::kTime;
    node->columns.push_back({.name = r.name, .type = r.type, .row_time = time && !match.processing, .proc_time = time && match.processing});
  }
  make_unique(names);
  for (std::size_t i = 0; i < names.size(); ++i) node->columns[i].name = names[i];
  node->late_tables.clear();
  node->op = std::move(match);
  return node;
}

LogicalPtr make_join(LogicalPtr left, LogicalPtr right, LogicalJoin join) {
  auto node = std::make_shared<LogicalNode>();
  join.same_window = join.of_left_time() ? std::nullopt : find_same_window(*left, *right, join.condition);
  join.bounds = join.of_left_time() || join.same_window || join.only_left() ? std::nullopt : find_time_bounds(*left, *right, join.condition);
  std::vector<std::string> names;
  const auto take = [&](const LogicalNode& side, bool may_be_absent) {
    for (ColumnInfo c : side.columns) {
      c.row_time &= join.is_in_time() || (join.of_left_time() && &side == left.get());
      c.proc_time &= join.is_in_time() || (join.of_left_time() && &side == left.get());
      c.window = -1;
      if (!join.same_window || c.attached != join.same_window->window) c.attached.reset();
      c.type.nullable |= may_be_absent;
      names.push_back(c.name);
      node->columns.push_back(std::move(c));
    }
  };
  take(*left, join.keeps_right());
  if (!join.only_left()) take(*right, join.keeps_left());
  make_unique(names);
  for (std::size_t i = 0; i < names.size(); ++i) node->columns[i].name = names[i];
  if (join.lookup) node->late_tables = left->late_tables;
  node->inputs = {std::move(left), std::move(right)};
  node->op = std::move(join);
  return node;
}

LogicalPtr make_union(std::vector<LogicalPtr> inputs) {
  auto node = std::make_shared<LogicalNode>();
  node->columns = inputs.front()->columns;
  for (const LogicalPtr& input : inputs) {
    for (std::size_t i = 0; i < node->columns.size(); ++i) {
      ColumnInfo& c = node->columns[i];
      const ColumnInfo& other = input->columns[i];
      c.type.nullable |= other.type.nullable;
      c.row_time &= other.row_time;
      c.proc_time &= other.proc_time;
      if (c.window != other.window || c.window_column != other.window_column) c.window = -1;
      if (c.attached != other.attached || c.window_column != other.window_column) c.attached.reset();
    }
    for (const auto& t : input->late_tables)
      if (std::ranges::find(node->late_tables, t) == node->late_tables.end()) node->late_tables.push_back(t);
  }
  node->inputs = std::move(inputs);
  node->op = LogicalUnion{};
  return node;
}

LogicalPtr make_set_operation(LogicalPtr left, LogicalPtr right, LogicalSetOperation op) {
  auto node = std::make_shared<LogicalNode>();
  for (std::size_t i = 0; i < left->columns.size(); ++i) {
    ColumnInfo c{.name = left->columns[i].name, .type = left->columns[i].type};
    c.type.nullable |= right->columns[i].type.nullable;
    node->columns.push_back(std::move(c));
  }
  node->inputs = {std::move(left), std::move(right)};
  node->op = op;
  return node;
}

LogicalPtr make_values(LogicalValues values, std::vector<ColumnInfo> columns) {
  auto node = std::make_shared<LogicalNode>();
  node->columns = std::move(columns);
  node->op = std::move(values);
  return node;
}

LogicalPtr make_sort(LogicalPtr input, LogicalSort sort) {
  auto node = unary(std::move(input));
  node->columns = node->input()->columns;
  node->op = std::move(sort);
  return node;
}

std::vector<Type> element_types(const Type& collection) {
  if (collection.id != TypeId::kMap && collection.children()[0].id == TypeId::kRow) return collection.children()[0].children();
  return collection.children();
}

LogicalPtr make_unnest(LogicalPtr input, LogicalUnnest unnest) {
  auto node = unary(std::move(input));
  node->columns = node->input()->columns;
  const std::vector<Type> types = element_types(node->columns[unnest.column].type);
  if (!unnest.with_column) node->columns.erase(node->columns.begin() + static_cast<std::ptrdiff_t>(unnest.column));
  std::vector<std::string> names;
  for (const ColumnInfo& c : node->columns) names.push_back(c.name);
  names.insert(names.end(), unnest.names.begin(), unnest.names.end());
  make_unique(names);
  std::size_t next = node->columns.size();
  for (const Type& t : types) node->columns.push_back({.name = names[next++], .type = t.as_nullable(t.nullable || unnest.keep)});
  if (unnest.with_ordinality) node->columns.push_back({.name = names[next++], .type = Type::integer().as_nullable(unnest.keep)});
  SUPYO_CHECK_EQ(next, names.size());
  node->op = std::move(unnest);
  return node;
}

LogicalPtr make_rank(LogicalPtr input, LogicalRank rank) {
  auto node = unary(std::move(input));
  node->columns = node->input()->columns;
  const auto window = window_of_keys(*node->input(), rank.partition);
  // The first rows by the clock pass as they come, like through a filter.
  const bool passes = !window && !rank.order.empty() && !rank.order.front().descending && node->input()->columns[rank.order.front().column].proc_time;
  for (ColumnInfo& c : node->columns) {
    c.row_time &= passes || (window && c.attached && c.window_column == WindowColumn::kTime);
    c.proc_time &= passes || (window && c.attached && c.window_column == WindowColumn::kTime);
    c.window = -1;
    if (!window) c.attached.reset();
  }
  if (!passes) node->late_tables.clear();
  if (rank.with_number) {
    std::vector<std::string> names;
    for (const ColumnInfo& c : node->columns) names.push_back(c.name);
    names.push_back(rank.name);
    make_unique(names);
    node->columns.push_back({.name = names.back(), .type = Type::big_int().not_null()});
  }
  node->op = std::move(rank);
  return node;
}

LogicalPtr make_sink(LogicalPtr input, LogicalSink sink) {
  auto node = unary(std::move(input));
  node->op = std::move(sink);
  return node;
}

LogicalPtr with_inputs(const LogicalNode& node, std::vector<LogicalPtr> inputs) {
  auto names = [&] {
    std::vector<std::string> out;
    for (const ColumnInfo& c : node.columns) out.push_back(c.name);
    return out;
  };
  struct Rebuild {
    std::vector<LogicalPtr>& in;
    const LogicalNode& node;
    std::vector<std::string> names;
    LogicalPtr operator()(const LogicalScan& op) const { return make_scan(op); }
    LogicalPtr operator()(const LogicalFilter& op) const { return make_filter(in[0], op); }
    LogicalPtr operator()(const LogicalProject& op) const { return make_project(in[0], op.exprs, names); }
    LogicalPtr operator()(const LogicalExpand& op) const { return make_expand(in[0], op, names); }
    LogicalPtr operator()(const LogicalWindow& op) const { return make_window(in[0], op); }
    LogicalPtr operator()(const LogicalAggregate& op) const { return make_aggregate(in[0], op); }
    LogicalPtr operator()(const LogicalOver& op) const { return make_over(in[0], op); }
    LogicalPtr operator()(const LogicalOverAggregate& op) const { return make_over_aggregate(in[0], op); }
    LogicalPtr operator()(const LogicalOverTable& op) const { return make_over_table(in[0], op); }
    LogicalPtr operator()(const LogicalMatch& op) const { return make_match(in[0], op); }
    LogicalPtr operator()(const LogicalJoin& op) const { return make_join(in[0], in[1], op); }
    LogicalPtr operator()(const LogicalUnion&) const { return make_union(in); }
    LogicalPtr operator()(const LogicalSetOperation& op) const { return make_set_operation(in[0], in[1], op); }
    LogicalPtr operator()(const LogicalValues& op) const { return make_values(op, node.columns); }
    LogicalPtr operator()(const LogicalSort& op) const { return make_sort(in[0], op); }
    LogicalPtr operator()(const LogicalUnnest& op) const { return make_unnest(in[0], op); }
    LogicalPtr operator()(const LogicalRank& op) const { return make_rank(in[0], op); }
    LogicalPtr operator()(const LogicalSink& op) const { return make_sink(in[0], op); }
  };
  return std::visit(Rebuild{inputs, node, names()}, node.op);
}

std::optional<WindowOfKeys> window_of_keys(const LogicalNode& input, const std::vector<std::size_t>& keys) {
  const auto& columns = input.columns;
  for (const std::size_t start : keys)
    for (const std::size_t end : keys)
      if (columns[start].attached && columns[start].attached == columns[end].attached && columns[start].window_column == WindowColumn::kStart &&
          columns[end].window_column == WindowColumn::kEnd)
        return WindowOfKeys{start, end};
  return std::nullopt;
}

std::optional<WindowOfKeys> window_of_group(const LogicalNode& input, const std::vector<std::size_t>& keys) {
  const auto window = window_of_keys(input, keys);
  if (!window || (input.columns[window->start].window < 0 && !input.late_tables.empty())) return std::nullopt;
  return window;
}

ExprPtr column_of(const LogicalNode& node, std::size_t i) { return expr::column(i, node.columns[i].type); }

Schema schema_of(const LogicalNode& node) {
  Schema schema;
  for (const ColumnInfo& c : node.columns) schema.add(c.name, c.type);
  return schema;
}

bool same_expr(const Expr& a, const Expr& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind || a.type != b.type || a.args.size() != b.args.size()) return false;
  if (a.column != b.column || a.function != b.function || a.try_cast != b.try_cast) return false;
  if (a.kind == Expr::Kind::kLiteral && !(a.literal == b.literal)) return false;
  for (std::size_t i = 0; i < a.args.size(); ++i)
    if (!same_expr(*a.args[i], *b.args[i])) return false;
  return true;
}

bool is_true(const Expr& e) {
  return e.kind == Expr::Kind::kLiteral && e.type.id == TypeId::kBoolean && std::holds_alternative<bool>(e.literal.data) && std::get<bool>(e.literal.data);
}

bool is_deterministic(const Expr& e) {
  if (e.kind == Expr::Kind::kCall && !e.function->deterministic) return false;
  return std::ranges::all_of(e.args, [](const ExprPtr& a) { return is_deterministic(*a); });
}

ExprPtr substitute(const ExprPtr& e, const std::vector<ExprPtr>& exprs) {
  if (e->kind == Expr::Kind::kColumn) return exprs[e->column];
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& a : copy->args) a = substitute(a, exprs);
  return copy;
}

namespace {

bool is_call_of(const Expr& e, std::string_view name) { return e.kind == Expr::Kind::kCall && e.function->name == name; }

void split_disjuncts(const ExprPtr& e, std::vector<ExprPtr>& out) {
  if (!is_call_of(*e, "OR")) return out.push_back(e);
  for (const ExprPtr& a : e->args) split_disjuncts(a, out);
}

void split_ands(const ExprPtr& e, std::vector<ExprPtr>& out) {
  if (!is_call_of(*e, "AND")) return out.push_back(e);
  for (const ExprPtr& a : e->args) split_ands(a, out);
}

bool holds(const std::vector<ExprPtr>& list, const Expr& e) {
  return std::ranges::any_of(list, [&](const ExprPtr& x) { return same_expr(*x, e); });
}

/// (a AND b) OR (a AND c) as a, (b OR c), which is the same with nulls too: an equation that each branch repeats is a join's key only so. False: nothing is common.
bool factor_out(const ExprPtr& either, std::vector<ExprPtr>& out) {
  std::vector<ExprPtr> branches, common;
  split_disjuncts(either, branches);
  split_ands(branches[0], common);
  std::erase_if(common, [](const ExprPtr& e) { return !is_deterministic(*e); });
  std::vector<std::vector<ExprPtr>> conjuncts(branches.size());
  const expr::Function* conjunction = nullptr;
  for (std::size_t i = 0; i < branches.size() && !common.empty(); ++i) {
    split_ands(branches[i], conjuncts[i]);
    if (is_call_of(*branches[i], "AND")) conjunction = branches[i]->function;
    std::erase_if(common, [&](const ExprPtr& e) { return !holds(conjuncts[i], *e); });
  }
  if (common.empty()) return false;
  out.insert(out.end(), common.begin(), common.end());
  ExprPtr rest;
  for (std::vector<ExprPtr>& branch : conjuncts) {
    std::erase_if(branch, [&](const ExprPtr& e) { return holds(common, *e); });
    if (branch.empty()) return true;   // this branch asks for no more
    ExprPtr all = branch[0];
    for (std::size_t i = 1; i < branch.size(); ++i) all = expr::call(conjunction, {all, branch[i]}, either->type);
    rest = rest == nullptr ? all : expr::call(either->function, {rest, all}, either->type);
  }
  split_conjuncts(rest, out);
  return true;
}

}  // namespace

void split_conjuncts(const ExprPtr& e, std::vector<ExprPtr>& out) {
  if (is_call_of(*e, "AND")) {
    for (const ExprPtr& a : e->args) split_conjuncts(a, out);
  } else if (!is_call_of(*e, "OR") || !factor_out(e, out)) {
    out.push_back(e);
  }
}

void make_unique(std::vector<std::string>& names) {
  std::set<std::string> taken;
  for (std::string& name : names) {
    if (taken.insert(name).second) continue;
    for (int i = 0;; ++i) {
      std::string candidate = name + std::to_string(i);
      if (std::ranges::find(names, candidate) == names.end() && taken.insert(candidate).second) {
        name = std::move(candidate);
        break;
      }
    }
  }
}

}  // namespace supyo::plan
