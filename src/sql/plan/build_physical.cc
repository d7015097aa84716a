#include "sql/plan/build_physical.h"

#include <algorithm>
#include <map>

#include "core/base/check.h"
#include "sql/expr/rank_aggregates.h"
#include "sql/plan/bind_expr.h"
#include "sql/plan/join_ends.h"
#include "sql/plan/join_in_time.h"
#include "sql/plan/lookup.h"
#include "sql/plan/over_table.h"
#include "sql/plan/random_calls.h"
#include "sql/plan/shared_scans.h"
#include "sql/plan/sink_input.h"
#include "sql/plan/strip_window.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
class Builder {
 public:
  Builder(const ColumnsRead& reads, const expr::FunctionRegistry& functions, const catalog::ConnectorRegistry& connectors, const PhysicalOptions& options)
      : functions_(functions), connectors_(connectors), options_(options), scans_(reads, connectors, options.duplicate_changes) {}

  Result<PhysicalPlan> build(const std::vector<LogicalPtr>& sinks) {
    for (const LogicalPtr& sink : sinks) scans_.gather(sink);
    for (const LogicalPtr& node : sinks)
      if (Status made = sink(node); !made) {
        if (!made.error().position) made.error().position = node->as<LogicalSink>()->position;
        return std::unexpected(std::move(made).error());
      }
    SUPYO_TRY(settle_changelog(plan_, wishes_));
    if (options_.same_when_taken_back) SUPYO_TRY(check_taken_back(plan_, wishes_));
    mark_edges(plan_);
    split_aggregates(plan_, options_.aggregates);
    find_join_ends(plan_);
    identify(plan_);
    return std::move(plan_);
  }

 private:
  /// A node, and where the columns of the logical node are in its output.
  struct Built {
    NodeIndex node = 0;
    std::vector<std::size_t> map;
  };
  static std::vector<std::size_t> identity(std::size_t n) {
    std::vector<std::size_t> map(n);
    for (std::size_t i = 0; i < n; ++i) map[i] = i;
    return map;
  }

  // ---- scans

  Result<Built> scan(const LogicalScan& s) {
    const SharedScans::Shared& shared = scans_.of(s);
    const LogicalScan& all = shared.scan;
    const bool by_key = scans_.is_by_key(all);
    if (by_key && all.table.primary_key.empty()) return scans_.no_key(all);
    const std::vector<std::size_t> keys = by_key ? scans_.keys_of(all) : std::vector<std::size_t>();
    PhysicalNode node = scans_.node_of(shared, keys);
    Built out{.node = 0, .map = SharedScans::places(s.columns, all.columns)};
    if (s.computed_row_time) out.map.push_back(all.columns.size());
    out.node = add(std::move(node));
    if (by_key) {
      PhysicalNode normalize = unary(ChangelogNormalize{.keys = keys}, out.node, plan_.nodes[out.node].output);
      partition(normalize, keys);
      out.node = add(std::move(normalize));
    }
    return out;
  }

  // ---- operators

  NodeIndex add(PhysicalNode node) {
    if (node.keeps_without_end())
      for (auto& ttl : node.ttl_us) ttl = ttl.value_or(options_.ttl_us);
    const std::string meaning = meaning_of(node, plan_.nodes);
    // How long something is kept is not what it means, but two nodes that differ in it are two.
    const std::string shared_meaning = fmt::format("{} kept {} {}", meaning, node.kept_us(0), node.kept_us(1));
    if (!node.as<Sink>()) {
      if (const auto it = by_meaning_.find(shared_meaning); it != by_meaning_.end()) return it->second;
    }
    node.changes = changes_of(node, plan_.nodes);
    node.upsert_key = upsert_key_of(node, plan_.nodes);
    node.uid = identity_of(meaning);
    // Two INSERTs of the same rows into the same table are two sinks.
    for (int copy = 2; std::ranges::any_of(plan_.nodes, [&](const PhysicalNode& n) { return n.uid == node.uid; }); ++copy)
      node.uid = identity_of(fmt::format("{}#{}", meaning, copy));
    plan_.nodes.push_back(std::move(node));
    by_meaning_[shared_meaning] = plan_.nodes.size() - 1;
    return plan_.nodes.size() - 1;
  }

  PhysicalNode unary(decltype(PhysicalNode::op) op, NodeIndex input, Schema output) const {
    PhysicalNode node;
    node.op = std::move(op);
    node.inputs = {input};
    node.output = std::move(output);
    return node;
  }

  static void partition(PhysicalNode& node, const std::vector<std::size_t>& keys) {
    node.distribution.kind = keys.empty() ? Distribution::Kind::kSingle : Distribution::Kind::kHash;
    node.distribution.keys = keys;
    if (keys.empty()) node.max_parallelism = 1;
  }

  /// The node with exactly the logical columns.
  Result<NodeIndex> exact(const LogicalPtr& node) {
    SUPYO_ASSIGN(Built built, any(node));
    if (built.map == identity(plan_.nodes[built.node].output.size())) return built.node;
    Calc calc;
    for (std::size_t i = 0; i < built.map.size(); ++i) calc.projections.push_back(expr::column(built.map[i], plan_.nodes[built.node].output[built.map[i]].type));
    return add(unary(std::move(calc), built.node, schema_of(*node)));
  }

  Result<Built> any(const LogicalPtr& node) {
    return std::visit([&](const auto& op) { return make(node, op); }, node->op);
  }
  Result<Built> whole(const LogicalPtr& node, PhysicalNode made) { return Built{add(std::move(made)), identity(node->columns.size())}; }
  Result<Built> make(const LogicalPtr&, const LogicalScan& s) { return scan(s); }
  Result<Built> calc(const LogicalPtr& node, const LogicalFilter* filter, const std::vector<ExprPtr>* exprs, const LogicalPtr& base) {
    SUPYO_ASSIGN(const Built in, any(base));
    Calc op;
    RandomCalls random(plan_.nodes[in.node]);
    if (filter != nullptr) op.filter = random.settle(expr::remap_columns(filter->predicate, in.map));
    if (exprs != nullptr) {
      for (const ExprPtr& e : *exprs) op.projections.push_back(random.settle(expr::remap_columns(e, in.map)));
    } else {
      for (std::size_t i = 0; i < in.map.size(); ++i) op.projections.push_back(expr::column(in.map[i], base->columns[i].type));
    }
    return whole(node, unary(std::move(op), in.node, schema_of(*node)));
  }
  Result<Built> make(const LogicalPtr& node, const LogicalFilter& f) { return calc(node, &f, nullptr, node->input()); }
  Result<Built> make(const LogicalPtr& node, const LogicalProject& p) {
    const auto* filter = node->input()->as<LogicalFilter>();
    return calc(node, filter, &p.exprs, filter != nullptr ? node->input()->input() : node->input());
  }
  Result<Built> make(const LogicalPtr& node, const LogicalExpand& e) {
    SUPYO_ASSIGN(const Built in, any(node->input()));
    Expand op{e.rows};
    RandomCalls random(plan_.nodes[in.node]);
    for (auto& row : op.rows)
      for (ExprPtr& p : row) p = random.settle(expr::remap_columns(p, in.map));
    return whole(node, unary(std::move(op), in.node, schema_of(*node)));
  }
  Result<Built> make(const LogicalPtr& node, const LogicalWindow& w) {
    SUPYO_ASSIGN(const NodeIndex bare, exact(node->input()));
    SUPYO_ASSIGN(const NodeIndex in, w.processing ? stamped(bare, w.time_column, w.window, w.position) : bare);
    PhysicalNode made = unary(WindowAssign{w.window, w.time_column, w.partition}, in, schema_of(*node));
    if (w.window.kind != WindowSpec::Kind::kSession) return whole(node, std::move(made));
    if (!plan_.nodes[in].changes.append_only())
      return fail_at(w.position, ErrorCode::kUnsupported, fmt::format("SESSION over rows that are updated ({}) is not supported here", plan_.nodes[in].changes.to_string()),
                     "group by window_start, window_end and exactly the columns of its PARTITION BY");
    partition(made, w.partition);
    if (!w.processing) made.late_tables = node->input()->late_tables;
    plan_.holds_until_watermark = true;
    return whole(node, std::move(made));
  }

  /// `input` with the clock's time in column `time`.
  Result<NodeIndex> stamped(NodeIndex input, std::size_t time, const WindowSpec& w, const SourcePosition& position) {
    if (!plan_.nodes[input].changes.append_only())
      return fail_at(position, ErrorCode::kUnsupported, fmt::format("processing time of rows that are updated ({}) is not supported: an update would come in another window", plan_.nodes[input].changes.to_string()),
                     "apply the window to a table of inserts, before rows are aggregated or replaced by key");
    ProcTime op{.column = time, .tick_us = w.kind == WindowSpec::Kind::kTumble ? w.size_us : w.slide_us, .phase_us = w.offset_us};
    // A session can end at any time.
    if (w.kind == WindowSpec::Kind::kSession) op.tick_us = std::clamp<DurationUs>(w.gap_us / 100, kMillisecond, kSecond);
    return add(unary(std::move(op), input, Schema(plan_.nodes[input].output)));
  }

  Result<std::vector<expr::AggregateCall>> calls_of(const std::vector<LogicalCall>& calls, const LogicalNode& input, bool retracting) {
    std::vector<expr::AggregateCall> out;
    for (const LogicalCall& c : calls) {
      if (c.function == "RANK" || c.function == "DENSE_RANK") {   // OVER a time
        out.push_back({.aggregate = expr::make_rank(c.function == "DENSE_RANK"), .args = c.args, .filter = c.filter, .name = c.name});
        continue;
      }
      std::vector<Type> types;
      for (const std::size_t a : c.args) types.push_back(input.columns[a].type);
      auto resolved = functions_.resolve_aggregate(c.function, types, c.distinct, retracting);
      if (!resolved) {
        Error e = std::move(resolved).error();
        if (!e.position) e.position = c.position;
        return std::unexpected(std::move(e));
      }
      out.push_back({.aggregate = resolved->aggregate, .args = c.args, .filter = c.filter, .name = c.name, .distinct = c.distinct});
    }
    return out;
  }

  Result<Built> make(const LogicalPtr& node, const LogicalAggregate& a) {
    const auto& in = node->input()->columns;
    for (const std::size_t k : a.keys) {
      if (in[k].window < 0 || in[k].window_column != WindowColumn::kStart) continue;
      const bool has_end = std::ranges::any_of(a.keys, [&](std::size_t e) { return in[e].window == in[k].window && in[e].window_column == WindowColumn::kEnd; });
      if (has_end) return window_aggregate(node, a, in[k].window);
    }
    SUPYO_ASSIGN(const NodeIndex input, exact(node->input()));
    const auto window = window_of_group(*node->input(), a.keys);
    if (window && plan_.nodes[input].changes.append_only()) return given_window_aggregate(node, a, *window, input);
    GroupAggregate op{.keys = a.keys, .calls = {}, .input_retracts = !plan_.nodes[input].changes.append_only(), .split = a.split};
    SUPYO_ASSIGN(op.calls, calls_of(a.calls, *node->input(), op.input_retracts));
    PhysicalNode made = unary(std::move(op), input, schema_of(*node));
    made.ttl_us[0] = a.ttl_us;
    partition(made, a.keys);
    return whole(node, std::move(made));
  }

  /// Of rows that have their window from below: of a rank, a join or an aggregation of that window.
  Result<Built> given_window_aggregate(const LogicalPtr& node, const LogicalAggregate& a, const WindowOfKeys& window, NodeIndex input) {
    const AttachedWindow& attached = *node->input()->columns[window.end].attached;
    WindowAggregate op{.window = attached.window, .time_column = window.end, .keys = a.keys, .calls = {}, .window_columns = {},
                       .given = WindowAggregate::Given{.start_column = window.start, .end_column = window.end, .local = attached.local_zone}};
    SUPYO_ASSIGN(op.calls, calls_of(a.calls, *node->input(), !plan_.nodes[input].changes.append_only()));
    PhysicalNode made = unary(std::move(op), input, schema_of(*node));
    partition(made, a.keys);
    made.late_tables = node->input()->late_tables;
    plan_.holds_until_watermark = true;
    return whole(node, std::move(made));
  }

  Result<Built> window_aggregate(const LogicalPtr& node, const LogicalAggregate& a, int id) {
    SUPYO_ASSIGN(const Stripped stripped, strip_window(node->input(), id, a.position));
    if (is_of_rows(stripped, a) || reads_window(stripped, a)) {
      // The sessions are not those of the groups: their rows are grouped once they are complete. Or what is computed of the window is a column of its rows.
      SUPYO_ASSIGN(const NodeIndex whole_sessions, exact(node->input()));
      return given_window_aggregate(node, a, *window_of_keys(*node->input(), a.keys), whole_sessions);
    }
    SUPYO_ASSIGN(const NodeIndex bare, exact(options_.rules ? simplify(stripped.node) : stripped.node));
    SUPYO_ASSIGN(const NodeIndex input, stripped.processing ? stamped(bare, stripped.time_column, stripped.window, a.position) : bare);
    WindowAggregate op{.window = stripped.window, .time_column = stripped.time_column, .keys = {}, .calls = {}, .window_columns = {}};
    Built out;
    Schema output;
    for (std::size_t i = 0; i < a.keys.size(); ++i) {
      const std::size_t c = stripped.map[a.keys[i]];
      out.map.push_back(c);
      if (is_mark(c)) continue;
      out.map.back() = op.keys.size();
      op.keys.push_back(c);
      output.add(node->columns[i].name, node->columns[i].type);
    }
    std::vector<LogicalCall> calls = a.calls;
    for (LogicalCall& call : calls) {
      if (call.filter != SIZE_MAX) call.filter = stripped.map[call.filter];
      for (std::size_t& c : call.args) c = stripped.map[c];
    }
    SUPYO_ASSIGN(op.calls, calls_of(calls, *stripped.node, !plan_.nodes[input].changes.append_only()));
    for (std::size_t i = 0; i < a.calls.size(); ++i) output.add(node->columns[a.keys.size() + i].name, node->columns[a.keys.size() + i].type);
    for (std::size_t i = 0; i < a.keys.size(); ++i) {
      if (!is_mark(out.map[i])) continue;
      op.window_columns.push_back(column_of_mark(out.map[i]));
      out.map[i] = output.size();
      output.add(node->columns[i].name, node->columns[i].type);
    }
    for (std::size_t i = 0; i < a.calls.size(); ++i) out.map.push_back(op.keys.size() + i);
    std::vector<std::size_t> window_places;
    if (!stripped.window_filters.empty()) window_places = all_window_columns(op, stripped, output);
    if (options_.emit && (options_.emit->early_us || !stripped.processing)) {
      if (stripped.window.kind == WindowSpec::Kind::kSession)
        return fail_at(a.position, ErrorCode::kUnsupported, "SESSION windows under 'table.exec.emit.*' are not supported",
                       "RESET those settings: a session that is given out early or again would change its bounds");
      op.emit = stripped.processing ? WindowEmit{.early_us = options_.emit->early_us} : *options_.emit;   // by the clock nothing is late
    }
    const std::vector<std::size_t> keys = op.keys;
    PhysicalNode made = unary(std::move(op), input, std::move(output));
    partition(made, keys);
    if (!stripped.processing) made.late_tables = stripped.node->late_tables;
    plan_.holds_until_watermark = true;
    out.node = add(std::move(made));
    for (const ExprPtr& e : stripped.window_filters) {
      const Schema& columns = plan_.nodes[out.node].output;
      Calc calc{.filter = expr::remap_columns(e, window_places), .projections = {}};
      for (std::size_t i = 0; i < columns.size(); ++i) calc.projections.push_back(expr::column(i, columns[i].type));
      out.node = add(unary(std::move(calc), out.node, Schema(columns)));
    }
    return out;
  }

  /// Adds the window columns that are missing to the output; where each of them is, by WindowColumn.
  static std::vector<std::size_t> all_window_columns(WindowAggregate& op, const Stripped& stripped, Schema& output) {
    std::vector<std::size_t> places;
    const std::size_t first = output.size() - op.window_columns.size();
    for (std::size_t w = 0; w < stripped.window_types.size(); ++w) {
      const auto it = std::ranges::find(op.window_columns, static_cast<WindowColumn>(w));
      places.push_back(first + static_cast<std::size_t>(it - op.window_columns.begin()));
      if (it != op.window_columns.end()) continue;
      op.window_columns.push_back(static_cast<WindowColumn>(w));
      output.add(fmt::format("$w{}", w), stripped.window_types[w]);
    }
    return places;
  }

  /// OVER by a time attribute, upwards; over rows that come and go it is one over a table.
  Result<Built> make(const LogicalPtr& node, const LogicalOver& o) {
    SUPYO_ASSIGN(const NodeIndex bare, exact(node->input()));
    if (!o.processing && !plan_.nodes[bare].changes.append_only()) return any(over_rows_that_change(*node, o));
    SUPYO_ASSIGN(const NodeIndex input, o.processing ? by_the_clock(bare, o.time_column, o.position) : bare);
    PhysicalNode made = unary(Over{o.keys, o.time_column, o.calls}, input, schema_of(*node));
    partition(made, o.keys);
    if (!o.processing) made.late_tables = node->input()->late_tables;
    plan_.holds_until_watermark = true;
    return whole(node, std::move(made));
  }

  Result<Built> make(const LogicalPtr& node, const LogicalOverAggregate& o) {
    SUPYO_ASSIGN(const NodeIndex bare, exact(node->input()));
    if (!o.processing && !plan_.nodes[bare].changes.append_only()) {
      SUPYO_ASSIGN(const LogicalPtr table, over_rows_that_change(*node, o));
      return any(table);
    }
    SUPYO_ASSIGN(const NodeIndex input, o.processing ? by_the_clock(bare, o.time_column, o.position) : bare);
    OverAggregate op{.keys = o.keys, .time_column = o.time_column, .frame = o.frame, .calls = {}};
    SUPYO_ASSIGN(op.calls, calls_of(o.calls, *node->input(), o.frame.preceding.has_value()));
    PhysicalNode made = unary(std::move(op), input, schema_of(*node));
    partition(made, o.keys);
    if (!o.processing) made.late_tables = node->input()->late_tables;
    plan_.holds_until_watermark = true;
    return whole(node, std::move(made));
  }

  /// Rows in the time in which they pass here: each counts once, when the clock has gone on.
  Result<NodeIndex> by_the_clock(NodeIndex input, std::size_t time, const SourcePosition& position) {
    return stamped(input, time, {.kind = WindowSpec::Kind::kTumble, .size_us = 10 * kMillisecond}, position);
  }

  Result<Built> make(const LogicalPtr& node, const LogicalMatch& m) {
    SUPYO_ASSIGN(const NodeIndex bare, exact(node->input()));
    if (!plan_.nodes[bare].changes.append_only())
      return fail_at(m.position, ErrorCode::kUnsupported, fmt::format("MATCH_RECOGNIZE over rows that are updated ({}) is not supported", plan_.nodes[bare].changes.to_string()),
                     "apply it to a table of inserts, before rows are aggregated or replaced by key");
    SUPYO_ASSIGN(const NodeIndex input, m.processing ? by_the_clock(bare, m.match.time_column, m.position) : bare);
    PhysicalNode made = unary(m.match, input, schema_of(*node));
    partition(made, m.match.partition);
    if (!m.processing) made.late_tables = node->input()->late_tables;
    plan_.holds_until_watermark = true;
    return whole(node, std::move(made));
  }

  Result<Built> make(const LogicalPtr& node, const LogicalOverTable& o) {
    SUPYO_ASSIGN(const NodeIndex input, exact(node->input()));
    OverTable op{.partition = o.partition, .order = o.order, .frame = o.frame, .calls = {}};
    for (const LogicalOverCall& c : o.calls) {
      OverTable::Call& call = op.calls.emplace_back();
      call = {.function = c.function, .aggregate = {}, .column = c.column, .default_column = c.default_column, .number = c.number, .name = c.name, .type = c.type};
      if (c.function != OverFunction::kAggregate) continue;
      SUPYO_ASSIGN(auto resolved, calls_of({c.aggregate}, *node->input(), false));
      call.aggregate = std::move(resolved.front());
    }
    PhysicalNode made = unary(std::move(op), input, schema_of(*node));
    partition(made, o.partition);
    return whole(node, std::move(made));
  }

  /// A side of a join with a column for each key, the keys' expressions where they are no columns of it.
  Result<NodeIndex> keyed(const LogicalPtr& side, const std::vector<ExprPtr>& keys, std::vector<std::size_t>& columns) {
    std::vector<ExprPtr> exprs;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < side->columns.size(); ++i) {
      exprs.push_back(column_of(*side, i));
      names.push_back(side->columns[i].name);
    }
    for (const ExprPtr& k : keys) {
      if (k->kind == Expr::Kind::kColumn) {
        columns.push_back(k->column);
        continue;
      }
      columns.push_back(exprs.size());
      exprs.push_back(k);
      names.push_back(fmt::format("$k{}", exprs.size()));
    }
    if (exprs.size() == side->columns.size()) return exact(side);
    const LogicalPtr with_keys = make_project(side, std::move(exprs), std::move(names));
    return exact(options_.rules ? simplify(with_keys) : with_keys);
  }

  Result<Built> lookup_join(const LogicalPtr& node, const LogicalJoin& join) {
    const LogicalPtr& left = node->inputs[0];
    const LogicalPtr& right = node->inputs[1];
    const std::size_t width = left->columns.size();
    SUPYO_ASSIGN(const JoinParts parts, parts_of_lookup(join, left, right, functions_));
    LookupJoin op;
    op.keep_left = join.keeps_left();
    SUPYO_ASSIGN(const NodeIndex l, keyed(left, parts.left_keys, op.left_keys));
    SUPYO_TRY(read_table(op, right, parts.right_keys, functions_));
    const Schema& left_output = plan_.nodes[l].output;
    // Keys that are no columns lie between the two sides' columns.
    std::vector<std::size_t> pair_map = identity(width);
    for (std::size_t i = 0; i < right->columns.size(); ++i) pair_map.push_back(left_output.size() + i);
    Schema output = pairs_of(left_output, op.right, op.keep_left, false);
    SUPYO_ASSIGN(op.condition, condition_of(parts.rest, pair_map, output));
    return Built{add(unary(std::move(op), l, std::move(output))), std::move(pair_map)};
  }

  Result<Built> make(const LogicalPtr& node, const LogicalJoin& join) {
    if (join.lookup) return lookup_join(node, join);
    const LogicalPtr& left = node->inputs[0];
    const LogicalPtr& right = node->inputs[1];
    const std::size_t width = left->columns.size();
    const JoinParts parts = parts_of(join, *left, *right);
    if (bounds_processing_time(join, *left, *right))
      return fail_at(join.position, ErrorCode::kUnsupported, "a join within processing time is not supported",
                     "bound event times: a.ts BETWEEN b.ts - INTERVAL '1' HOUR AND b.ts; or join windows of processing time on window_start and window_end");
    if (!join.same_window && equates_different_windows(*left, *right, join.condition))
      return fail_at(join.position, ErrorCode::kUnsupported, "a join of windows that are cut in different ways is not supported",
                     "give both sides the same window function, size, slide and offset, over a time of the same type");
    Join op{.left_keys = {}, .right_keys = {}, .keep_left = join.keeps_left() && !join.only_left(), .keep_right = join.keeps_right(), .condition = nullptr,
            .rows = join.kind == LogicalJoin::Kind::kSemi ? JoinRows::kSemi : join.kind == LogicalJoin::Kind::kAnti ? JoinRows::kAnti : JoinRows::kPairs};
    SUPYO_ASSIGN(const NodeIndex l, keyed(left, parts.left_keys, op.left_keys));
    SUPYO_ASSIGN(const NodeIndex r, keyed(right, parts.right_keys, op.right_keys));
    const Schema& left_output = plan_.nodes[l].output;
    const Schema& right_output = plan_.nodes[r].output;
    // Keys that are no columns lie between the two sides' columns.
    std::vector<std::size_t> pair_map = identity(width);
    for (std::size_t i = 0; i < right->columns.size(); ++i) pair_map.push_back(left_output.size() + i);
    SUPYO_ASSIGN(op.condition, condition_of(parts.rest, pair_map, pairs_of(left_output, right_output, false, false)));
    PhysicalNode made;
    made.output = pairs_of(left_output, join.only_left() ? Schema() : right_output, op.keep_left, op.keep_right);
    made.inputs = {l, r};
    made.ttl_us = join.ttl_us;
    partition(made, op.left_keys);
    made.right_distribution = Distribution{made.distribution.kind, op.right_keys};
    if (join.is_in_time() || join.as_of) {
      for (const NodeIndex in : made.inputs)
        if (!plan_.nodes[in].changes.append_only() && (in == l || !join.as_of || join.as_of->inserts_only)) return not_in_time(join, plan_.nodes[in]);
      late_of_both(made, *left, *right);
      plan_.holds_until_watermark |= join.as_of || join.same_window || op.keep_left || op.keep_right;
    }
    made.op = std::visit([](auto j) { return decltype(made.op)(std::move(j)); }, operator_of(join, std::move(op)));
    if (join.only_left()) pair_map.resize(width);
    return Built{add(std::move(made)), std::move(pair_map)};
  }

  /// What is random in it is the same whenever a pair is looked at.
  Result<ExprPtr> condition_of(const std::vector<ExprPtr>& parts, const std::vector<std::size_t>& pair_map, const Schema& pairs) const {
    RandomCalls random(pairs);
    ExprPtr condition;
    for (const ExprPtr& e : parts) {
      SUPYO_ASSIGN(condition, both(functions_, condition, random.settle(expr::remap_columns(e, pair_map))));
    }
    return condition;
  }

  std::unexpected<Error> not_in_time(const LogicalJoin& join, const PhysicalNode& input) const {
    return fail_at(join.position, ErrorCode::kUnsupported,
                   fmt::format("{} join over rows that are updated ({}) is not supported: {}", join.as_of ? "a temporal" : join.same_window ? "a window" : "an interval", input.changes.to_string(), describe_node(input, plan_.nodes)),
                   "join tables of inserts; or make it a regular join, which keeps both inputs, by a CAST of one of the times: CAST(ts AS TIMESTAMP(6))");
  }

  /// Rows that come too late for a join in time go to one table, with the columns of both sides.
  static void late_of_both(PhysicalNode& node, const LogicalNode& left, const LogicalNode& right) {
    const auto& tables = left.late_tables.empty() ? right.late_tables : left.late_tables;
    if (!tables.empty()) node.late_tables = {tables.front()};
  }

  Result<Built> make(const LogicalPtr& node, const LogicalUnion&) {
    PhysicalNode made;
    made.op = Union{};
    for (const LogicalPtr& input : node->inputs) {
      SUPYO_ASSIGN(const NodeIndex in, exact(input));
      made.inputs.push_back(in);
    }
    made.output = schema_of(*node);
    return whole(node, std::move(made));
  }

  Result<Built> make(const LogicalPtr& node, const LogicalSetOperation& s) {
    PhysicalNode made;
    made.op = SetOperation{s.intersect, s.all};
    for (const LogicalPtr& input : node->inputs) {
      SUPYO_ASSIGN(const NodeIndex in, exact(input));
      made.inputs.push_back(in);
    }
    made.output = schema_of(*node);
    partition(made, identity(node->columns.size()));
    return whole(node, std::move(made));
  }

  Result<Built> make(const LogicalPtr& node, const LogicalValues& v) {
    PhysicalNode made;
    made.op = Values{v.rows};
    made.output = schema_of(*node);
    made.max_parallelism = 1;
    return whole(node, std::move(made));
  }

  Result<Built> make(const LogicalPtr& node, const LogicalUnnest& u) {
    SUPYO_ASSIGN(const NodeIndex input, exact(node->input()));
    return whole(node, unary(Unnest{u.column, u.with_column, u.with_ordinality, u.keep}, input, schema_of(*node)));
  }
  Result<Built> make(const LogicalPtr& node, const LogicalRank& r) {
    if (!r.limit) return any(r.with_number ? number_rows(*node, r) : node->input());
    SUPYO_ASSIGN(const NodeIndex input, exact(node->input()));
    const auto window = window_of_keys(*node->input(), r.partition);
    if (window && plan_.nodes[input].changes.append_only()) {
      PhysicalNode made = unary(WindowRank{.start_column = window->start, .end_column = window->end, .local = node->input()->columns[window->end].attached->local_zone,
                                           .partition = r.partition, .order = r.order, .limit = *r.limit, .with_number = r.with_number}, input, schema_of(*node));
      partition(made, r.partition);
      made.late_tables = node->input()->late_tables;
      plan_.holds_until_watermark = true;
      return whole(node, std::move(made));
    }
    PhysicalNode made = unary(TopN{.partition = r.partition, .order = r.order, .limit = *r.limit, .with_number = r.with_number,
                                   .input_retracts = !plan_.nodes[input].changes.append_only()}, input, schema_of(*node));
    if (node->input()->columns[r.order.front().column].proc_time) SUPYO_TRY(rank_as_they_come(std::get<TopN>(made.op), r, plan_.nodes[input].changes));
    partition(made, r.partition);
    return whole(node, std::move(made));
  }

  Result<Built> make(const LogicalPtr& node, const LogicalSort& s) {
    SUPYO_ASSIGN(const NodeIndex input, exact(node->input()));
    const bool append = plan_.nodes[input].changes.append_only();
    PhysicalNode made;
    if (s.keys.empty() && append) {
      made = unary(Limit{s.offset, s.count.value_or(UINT64_MAX)}, input, schema_of(*node));
    } else if (s.at_end) {
      made = unary(Sort{s.keys, s.offset, s.count}, input, schema_of(*node));
    } else if (s.count) {
      return first_rows(node, s, input);
    } else {
      return fail_at(s.position, ErrorCode::kUnsupported, fmt::format("OFFSET without LIMIT over rows that are updated ({}) is not supported", plan_.nodes[input].changes.to_string()),
                     "say how many rows count: LIMIT 10 OFFSET 5");
    }
    partition(made, {});
    return whole(node, std::move(made));
  }

  /// ORDER BY .. LIMIT, and LIMIT of rows that are updated: Top-N of all rows, those before OFFSET left out by their number.
  Result<Built> first_rows(const LogicalPtr& node, const LogicalSort& s, NodeIndex input) {
    const std::uint64_t end = *s.count > UINT64_MAX - s.offset ? UINT64_MAX : *s.count + s.offset;
    Schema output = schema_of(*node);
    if (s.offset > 0) output.add("$n", Type::big_int().not_null());
    PhysicalNode made = unary(TopN{.partition = {}, .order = s.keys, .limit = end, .with_number = s.offset > 0, .input_retracts = !plan_.nodes[input].changes.append_only()}, input, std::move(output));
    partition(made, {});
    if (s.offset == 0) return whole(node, std::move(made));
    const Type number = Type::big_int().not_null();
    SUPYO_ASSIGN(const expr::ResolvedCall behind, functions_.resolve(">", std::vector<Type>{number, number}));
    Calc calc{.filter = expr::call(behind.function, {expr::column(node->columns.size(), number), expr::literal({.type = number, .data = static_cast<std::int64_t>(s.offset)})}, behind.result), .projections = {}};
    for (std::size_t i = 0; i < node->columns.size(); ++i) calc.projections.push_back(column_of(*node, i));
    return whole(node, unary(std::move(calc), add(std::move(made)), schema_of(*node)));
  }

  Result<Built> make(const LogicalPtr&, const LogicalSink&) { return fail(ErrorCode::kInternal, "a sink inside a query"); }

  Status sink(const LogicalPtr& node) {
    const auto& s = *node->as<LogicalSink>();
    SUPYO_ASSIGN(NodeIndex input, exact(node->input()));
    Sink op{.table = s.table, .schema = s.schema, .mode = {}, .guarantee = DeliveryGuarantee::kNone, .primary_key = {}, .check_not_null = s.check_not_null,
            .overwrite = s.overwrite};
    if (options_.drop_nulls && !op.check_not_null.empty()) {
      const Schema columns = plan_.nodes[input].output;
      SUPYO_ASSIGN(Calc there, without_nulls(functions_, columns, std::exchange(op.check_not_null, {})));
      input = add(unary(std::move(there), input, columns));
    }
    SinkWish wish{.node = 0, .accepts = ChangelogMode::kRetract, .connector = {}, .position = s.position, .unchecked = options_.materialize == PhysicalOptions::Materialize::kNone};
    if (s.table) {
      const catalog::ConnectorDescriptor* c = connectors_.find(s.table->connector());
      SUPYO_CHECK(c != nullptr);
      for (const std::string& k : s.table->primary_key)
        if (const auto i = s.schema.find(k)) op.primary_key.push_back(*i);
      op.guarantee = guarantee_of(*s.table, *c);
      wish.accepts = connectors_.is_changelog(s.table->options) ? ChangelogMode::kRetract : c->accepts;
      wish.connector = c->name;
    }
    if (needs_materialize(options_.materialize, plan_.nodes[input], op.primary_key, wish.accepts)) {
      PhysicalNode rows = unary(UpsertMaterialize{op.primary_key, plan_.nodes[input].upsert_key}, input, Schema(plan_.nodes[input].output));
      partition(rows, op.primary_key);
      input = add(std::move(rows)), op.materialized = true;
    }
    PhysicalNode made = unary(std::move(op), input, {});
    // Rows of a key must come in order: from one shard. Rows that are already identified by the key come from the shard that owns it.
    const auto& keys = made.as<Sink>()->primary_key;
    if (!keys.empty() && wish.accepts != ChangelogMode::kAppend && !is_key(plan_.nodes[input].upsert_key, keys)) partition(made, std::vector(keys));
    wish.node = add(std::move(made));
    wishes_.push_back(std::move(wish));
    return ok();
  }

  const expr::FunctionRegistry& functions_;
  const catalog::ConnectorRegistry& connectors_;
  const PhysicalOptions& options_;
  PhysicalPlan plan_;
  std::map<std::string, NodeIndex> by_meaning_;
  SharedScans scans_;
  std::vector<SinkWish> wishes_;
};

}  // namespace

Result<PhysicalPlan> build_physical(const std::vector<LogicalPtr>& sinks, const ColumnsRead& reads, const expr::FunctionRegistry& functions,
                                    const catalog::ConnectorRegistry& connectors, const PhysicalOptions& options) {
  return Builder(reads, functions, connectors, options).build(sinks);
}

}  // namespace supyo::plan
