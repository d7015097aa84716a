#include "engine/job/graph_builder.h"

#include <fmt/format.h>

#include <set>

#include "engine/job/computed_source.h"
#include "engine/job/cut_sink.h"
#include "engine/job/lookup_table.h"
#include "engine/job/identity_sink.h"
#include "engine/job/not_null_sink.h"
#include "engine/operators/calc.h"
#include "engine/operators/changelog_normalize.h"
#include "engine/operators/expand.h"
#include "engine/operators/group_aggregate.h"
#include "engine/operators/interval_join.h"
#include "engine/operators/join.h"
#include "engine/operators/join_schema.h"
#include "engine/operators/keep_first.h"
#include "engine/operators/limit.h"
#include "engine/operators/local_aggregate.h"
#include "engine/operators/lookup_join.h"
#include "engine/operators/match_recognize.h"
#include "engine/operators/over_aggregate.h"
#include "engine/operators/over_lag.h"
#include "engine/operators/over_table.h"
#include "engine/operators/proc_time.h"
#include "engine/operators/session_aggregate.h"
#include "engine/operators/set_operation.h"
#include "engine/operators/sort.h"
#include "engine/operators/temporal_join.h"
#include "engine/operators/top_n.h"
#include "engine/operators/unnest.h"
#include "engine/operators/upsert_materialize.h"
#include "engine/operators/values.h"
#include "engine/operators/window_aggregate.h"
#include "engine/operators/window_assign.h"
#include "engine/operators/window_join.h"
#include "engine/operators/window_rank.h"
#include "engine/operators/window_updates.h"
#include "sql/plan/logical.h"
#include "sql/plan/lookup.h"

namespace supyo::job {
namespace {

namespace ops = operators;

class Builder {
 public:
  Builder(const plan::PhysicalPlan& plan, const GraphOptions& options, const ConnectorContext& context, SystemTables& system)
      : plan_(plan), options_(options), context_(context), system_(system) {}

  Result<dataflow::JobGraph> build() {
    graph_.origins = options_.origins;
    graph_.holds_until_watermark = plan_.holds_until_watermark;
    graph_.fingerprint = state_fingerprint(plan_, options_.origins);
    for (std::size_t i = 0; i < plan_.nodes.size(); ++i) SUPYO_TRY(add(i));
    return std::move(graph_);
  }

 private:
  Status add(std::size_t index) {
    const plan::PhysicalNode& n = plan_.nodes[index];
    node_ = &n;
    dataflow::Node node;
    node.name = n.name;
    node.uid = n.uid;
    node.output = n.output;
    node.max_parallelism = n.max_parallelism;
    node.transient = n.is_local();
    SUPYO_ASSIGN(node.kind, std::visit([&](const auto& op) { return make(op); }, n.op));
    if (auto* o = std::get_if<dataflow::OperatorNode>(&node.kind); o != nullptr && !n.late_tables.empty() && system_.available()) {
      SUPYO_ASSIGN(o->late_sink, system_sink(n.late_tables.front(), "$late", dataflow::late_schema(n.is_join() ? ops::late_columns(late_input()) : late_input())));
    }
    // What the second level of an aggregation finds late goes where the first one sends it.
    if (const auto* w = n.as<plan::WindowAggregate>(); w != nullptr && w->phase == plan::AggregatePhase::kGlobal)
      std::get<dataflow::OperatorNode>(node.kind).late_sink = std::get<dataflow::OperatorNode>(graph_.nodes[n.inputs.front()].kind).late_sink;
    for (std::size_t input = 0; input < n.inputs.size(); ++input) {
      const plan::Distribution& d = n.distribution_of(input);
      dataflow::Edge e;
      e.from = static_cast<dataflow::NodeId>(n.inputs[input]);
      e.to = static_cast<dataflow::NodeId>(index);
      e.input = n.is_join() || n.as<plan::SetOperation>() ? input : 0;
      e.partitioning = d.kind == plan::Distribution::Kind::kHash     ? dataflow::Partitioning::kHash
                       : d.kind == plan::Distribution::Kind::kSingle ? dataflow::Partitioning::kSingle
                                                                     : dataflow::Partitioning::kForward;
      e.keys = d.keys;
      graph_.edges.push_back(std::move(e));
    }
    graph_.nodes.push_back(std::move(node));
    return ok();
  }

  using Kind = decltype(dataflow::Node::kind);
  const Schema& input() const { return plan_.nodes[node_->inputs.at(0)].output; }
  const plan::Changes& input_changes() const { return plan_.nodes[node_->inputs.at(0)].changes; }
  /// The columns of a late row: those of all inputs, under names that late_schema() does not add.
  Schema late_input() const {
    const Schema added = dataflow::late_schema({});
    std::vector<std::string> names;
    std::vector<Type> types;
    for (const Field& f : added.fields()) names.push_back(f.name);
    for (const plan::NodeIndex in : node_->inputs)
      for (const Field& f : plan_.nodes[in].output.fields()) {
        names.push_back(f.name);
        types.push_back(f.type);
      }
    plan::make_unique(names);
    Schema s;
    for (std::size_t i = 0; i < types.size(); ++i) s.add(names[added.size() + i], types[i]);
    return s;
  }
  static Kind op(dataflow::OperatorFactory f) { return dataflow::OperatorNode{.factory = std::move(f), .late_sink = nullptr}; }

  Result<Kind> make(const plan::Scan& s) {
    const auto it = connectors().find(s.table.connector());
    if (it == connectors().end() || !it->second.source)
      return fail(ErrorCode::kUnknownConnector, fmt::format("table '{}': connector '{}' cannot be read", s.table.path.name, s.table.connector()));
    dataflow::SourceNode node;
    SUPYO_ASSIGN(node.source, it->second.source({s.table, s.columns, options_.base_directory}, context_));
    std::vector<expr::ExprPtr> computed;
    for (const expr::ExprPtr& e : {s.computed_row_time, s.computed_watermark})
      if (e) computed.push_back(e);
    if (!computed.empty()) node.source = with_computed_columns(std::move(node.source), std::move(computed), options_.zone);
    if (s.row_time) node.watermark = dataflow::WatermarkSpec{.column = s.row_time->column, .bound_us = s.row_time->bound_us, .own = s.computed_watermark != nullptr, .idle_timeout_us = s.row_time->idle_timeout_us, .edge = s.row_time->edge};
    node.not_null = s.not_null;
    node.table = s.table.path.name;
    if (!options_.replay_column.empty()) {
      if (const auto column = node_->output.find(options_.replay_column)) node.replay = *column;
    }
    if (system_.available() && !s.table.path.name.contains('$')) {
      SUPYO_ASSIGN(node.dead_sink, system_sink(s.table.path, "$dead", dataflow::dead_schema()));
    }
    return Kind(std::move(node));
  }

  Result<Kind> make(const plan::ChangelogNormalize& n) {
    return op(ops::make_changelog_normalize({.input = input(), .keys = n.keys, .update_before = n.emit_update_before, .ttl_us = node_->kept_us()}));
  }

  Result<Kind> make(const plan::UpsertMaterialize& m) {
    return op(ops::make_upsert_materialize({.input = input(), .keys = m.keys, .row_key = m.row_key, .ttl_us = node_->kept_us()}));
  }

  Result<Kind> make(const plan::Calc& c) {
    return op(ops::make_calc({.filter = c.filter, .projections = c.projections, .zone = options_.zone}));
  }

  Result<Kind> make(const plan::Expand& e) { return op(ops::make_expand({.rows = e.rows, .zone = options_.zone})); }

  Result<Kind> make(const plan::Unnest& u) {
    return op(ops::make_unnest({.input = input(), .output = node_->output, .column = u.column, .with_column = u.with_column, .with_ordinality = u.with_ordinality, .keep = u.keep}));
  }

  Result<Kind> make(const plan::ProcTime& p) {
    graph_.by_the_clock = true;
    return op(ops::make_proc_time({.column = p.column, .tick_us = p.tick_us, .phase_us = options_.zone.to_utc(p.phase_us)}));
  }

  Result<Kind> make(const plan::WindowAssign& w) {
    if (w.window.kind == WindowSpec::Kind::kSession)
      return op(ops::make_session_assign({.input = input(), .window = w.window, .time_column = w.time_column, .zone = options_.zone}, w.partition, options_.origins));
    return op(ops::make_window_assign({.input = input(), .window = w.window, .time_column = w.time_column, .zone = options_.zone}));
  }

  Result<Kind> make(const plan::WindowAggregate& w) {
    ops::WindowAggregateSpec s;
    s.input = input();
    s.window = w.window;
    s.time_column = w.time_column;
    s.keys = w.keys;
    if (w.given) s.given = {.start_column = w.given->start_column, .end_column = w.given->end_column, .zone = w.given->local ? options_.zone : Zone()};
    s.aggregates = w.calls;
    for (const plan::WindowColumn c : w.window_columns)
      s.properties.push_back(c == plan::WindowColumn::kStart ? ops::WindowAggregateSpec::Property::kStart
                             : c == plan::WindowColumn::kEnd ? ops::WindowAggregateSpec::Property::kEnd
                                                             : ops::WindowAggregateSpec::Property::kTime);
    s.retracting = !input_changes().append_only();
    s.origins = options_.origins;
    s.zone = options_.zone;
    if (w.phase == plan::AggregatePhase::kLocal)
      return op(ops::make_local_aggregate({.input = s.input, .keys = s.keys, .aggregates = s.aggregates, .window = s, .hold = {}, .adaptive = options_.adaptive_levels, .origins = s.origins}));
    if (w.phase == plan::AggregatePhase::kGlobal) {
      const plan::PhysicalNode& local = local_level();
      const plan::PhysicalNode& rows = plan_.nodes[local.inputs.front()];
      s.retracting = !rows.changes.append_only();
      s.partials = {.window_column = w.keys.size(), .column = local.output.size() - 1, .time_type = rows.output[w.time_column].type, .rows = rows.output,
                    .row_keys = local.as<plan::WindowAggregate>()->keys};
    }
    return op(w.emit ? ops::make_window_updates(std::move(s), *w.emit) : ops::make_window_aggregate(std::move(s)));
  }

  /// Below the second level of an aggregation.
  const plan::PhysicalNode& local_level() const { return plan_.nodes[node_->inputs.front()]; }

  Result<Kind> make(const plan::GroupAggregate& g) {
    if (g.phase == plan::AggregatePhase::kLocal) {
      ops::LocalAggregateSpec s{.input = input(), .keys = g.keys, .aggregates = g.calls, .window = {}, .hold = {}, .adaptive = options_.adaptive_levels, .origins = options_.origins};
      if (g.mini_batch) s.hold = {.rows = g.mini_batch->rows, .latency_us = g.mini_batch->latency_us};
      return op(ops::make_local_aggregate(std::move(s)));
    }
    return op(ops::make_group_aggregate({.input = input(), .keys = g.keys, .aggregates = g.calls, .update_before = g.emit_update_before,
                                         .final_only = options_.final_only, .row_when_empty = options_.final_only && g.keys.empty(), .origins = options_.origins,
                                         .partials = g.phase == plan::AggregatePhase::kGlobal, .ttl_us = options_.final_only ? 0 : node_->kept_us()}));
  }

  Result<Kind> make(const plan::Over& o) {
    ops::OverLagSpec s;
    s.input = input();
    s.time_column = o.time_column;
    s.keys = o.keys;
    for (const plan::OverCall& c : o.calls)
      s.lags.push_back({.column = c.argument, .offset = static_cast<std::uint32_t>(c.offset), .default_value = c.default_value, .name = c.name});
    s.origins = options_.origins;
    s.ttl_us = node_->kept_us();
    return op(ops::make_over_lag(std::move(s)));
  }

  Result<Kind> make(const plan::OverAggregate& o) {
    ops::OverAggregateSpec s;
    s.input = input();
    s.time_column = o.time_column;
    s.keys = o.keys;
    s.calls = o.calls;
    s.frame = {.rows = o.frame.rows, .preceding = o.frame.preceding};
    s.origins = options_.origins;
    s.ttl_us = node_->kept_us();
    return op(ops::make_over_aggregate(std::move(s)));
  }

  Result<Kind> make(const plan::Join& j) {
    ops::JoinSpec s{.left = input(), .right = plan_.nodes[node_->inputs.at(1)].output, .left_keys = j.left_keys, .right_keys = j.right_keys, .keep_left = j.keep_left,
                    .keep_right = j.keep_right, .condition = j.condition,
                    .rows = j.rows == plan::JoinRows::kPairs ? ops::JoinSpec::Rows::kPairs : j.rows == plan::JoinRows::kSemi ? ops::JoinSpec::Rows::kSemi : ops::JoinSpec::Rows::kAnti,
                    .origins = options_.origins, .left_ttl_us = node_->kept_us(0), .right_ttl_us = node_->kept_us(1), .zone = options_.zone};
    for (std::size_t side = 0; side < 2; ++side)
      if (j.ends[side]) s.ends[side] = ops::RowEnds{j.ends[side]->column, j.ends[side]->after_us};
    return op(ops::make_join(std::move(s)));
  }

  Result<Kind> make(const plan::IntervalJoin& j) {
    ops::IntervalJoinSpec s{.left = input(), .right = plan_.nodes[node_->inputs.at(1)].output, .left_keys = j.left_keys, .right_keys = j.right_keys, .left_time = j.left_time,
                            .right_time = j.right_time, .lower_us = j.lower_us, .upper_us = j.upper_us, .keep_left = j.keep_left, .keep_right = j.keep_right, .condition = j.condition,
                            .origins = options_.origins, .zone = options_.zone, .label = "IntervalJoin"};
    return op(ops::make_interval_join(std::move(s)));
  }

  Result<Kind> make(const plan::WindowJoin& j) {
    using Rows = ops::WindowJoinSpec::Rows;
    ops::WindowJoinSpec s{.left = input(), .right = plan_.nodes[node_->inputs.at(1)].output, .left_keys = j.left_keys, .right_keys = j.right_keys, .left_start = j.left_start,
                          .left_end = j.left_end, .right_start = j.right_start, .right_end = j.right_end, .local_zone = j.local_zone, .keep_left = j.keep_left, .keep_right = j.keep_right,
                          .rows = j.rows == plan::JoinRows::kPairs ? Rows::kPairs : j.rows == plan::JoinRows::kSemi ? Rows::kSemi : Rows::kAnti, .condition = j.condition,
                          .origins = options_.origins, .zone = options_.zone, .label = "WindowJoin"};
    return op(ops::make_window_join(std::move(s)));
  }

  Result<Kind> make(const plan::TemporalJoin& j) {
    ops::TemporalJoinSpec s{.left = input(), .right = plan_.nodes[node_->inputs.at(1)].output, .left_keys = j.left_keys, .right_keys = j.right_keys, .left_time = j.left_time,
                            .right_time = j.right_time, .keep_left = j.keep_left, .condition = j.condition, .origins = options_.origins, .zone = options_.zone,
                            .label = "TemporalJoin"};
    return op(ops::make_temporal_join(std::move(s)));
  }

  Result<Kind> make(const plan::LookupJoin& j) {
    LookupTable table{.source = nullptr, .name = j.table.path.name, .input = {}, .not_null = j.not_null, .filter = j.filter, .projections = j.projections, .zone = options_.zone};
    const Schema schema = j.table.schema();
    for (const std::size_t c : j.columns) table.input.add(schema[c].name, schema[c].type, schema[c].nested);
    const Connector& connector = connectors().at(j.table.connector());
    const catalog::SourceRequest request{j.table, j.columns, options_.base_directory};
    if (connector.lookup) {
      dataflow::LookupKeys keys{.columns = plan::asked_columns(j), .types = {}};
      for (const std::size_t k : j.left_keys) keys.types.push_back(input()[k].type);
      SUPYO_ASSIGN(dataflow::LookupCache cache, connector.lookup_cache(j.table.options));
      return op(ops::make_lookup_join({.left = input(), .right = j.right, .left_keys = j.left_keys, .right_keys = j.right_keys, .keep_left = j.keep_left, .condition = j.condition, .zone = options_.zone, .read = nullptr,
                                       .ask = [=, make = connector.lookup, context = context_]() -> Result<std::unique_ptr<dataflow::Lookup>> {
                                         SUPYO_ASSIGN(auto lookup, make(request, keys, context));
                                         return with_projections(std::move(lookup), table, context.env);
                                       },
                                       .cache = cache}));
    }
    SUPYO_ASSIGN(table.source, connector.source(request, context_));
    ops::LookupJoinSpec s{.left = input(), .right = j.right, .left_keys = j.left_keys, .right_keys = j.right_keys, .keep_left = j.keep_left, .condition = j.condition,
                          .zone = options_.zone, .read = [table = std::move(table), env = context_.env] { return read_table(table, env); }};
    return op(ops::make_lookup_join(std::move(s)));
  }

  Result<Kind> make(const plan::Union&) { return op(ops::make_union()); }

  Result<Kind> make(const plan::SetOperation& s) { return op(ops::make_set_operation({.input = node_->output, .intersect = s.intersect, .all = s.all, .ttl_us = node_->kept_us()})); }

  Result<Kind> make(const plan::Values& v) {
    Batch one;
    one.rows = 1;
    std::vector<std::vector<Value>> rows;
    for (const auto& row : v.rows) {
      std::vector<Value>& out = rows.emplace_back();
      for (const expr::ExprPtr& e : row) {
        SUPYO_ASSIGN(const ColumnPtr column, expr::evaluate(*e, one, {.now_us = context_.env.clock.now_us(), .zone = options_.zone}));
        out.push_back(value_at(*column, 0));
      }
    }
    dataflow::SourceNode node;
    node.source = ops::make_values(node_->output, std::move(rows));
    node.table = "VALUES";
    return Kind(std::move(node));
  }

  Result<Kind> make(const plan::Limit& l) { return op(ops::make_limit({.offset = l.offset, .limit = l.count, .ends_job = is_on_the_only_way()})); }

  /// Whether all rows of the job pass this node: one sink, and nothing joins in between.
  bool is_on_the_only_way() const {
    const std::vector<plan::NodeIndex> sinks = plan_.sinks();
    if (sinks.size() != 1) return false;
    const plan::PhysicalNode* at = &plan_.nodes[sinks[0]];
    while (at != node_ && at->inputs.size() == 1) at = &plan_.nodes[at->inputs[0]];
    return at == node_;
  }

  static std::vector<ops::SortSpec::Key> sort_keys(const std::vector<plan::Sort::Key>& keys) {
    std::vector<ops::SortSpec::Key> out;
    for (const auto& k : keys) out.push_back({.column = k.column, .descending = k.descending, .nulls_first = k.nulls_first});
    return out;
  }

  Result<Kind> make(const plan::Sort& s) {
    return op(ops::make_sort({.input = input(), .keys = sort_keys(s.keys), .offset = s.offset, .limit = s.count.value_or(UINT64_MAX)}));
  }

  Result<Kind> make(const plan::TopN& t) {
    if (t.keeps_first()) return op(ops::make_keep_first({.input = input(), .partition = t.partition, .limit = t.limit, .with_number = t.with_number, .ttl_us = node_->kept_us()}));
    return op(ops::make_top_n({.input = input(), .partition = t.partition, .order = sort_keys(t.order), .limit = t.limit, .with_number = t.with_number,
                               .update_before = t.emit_update_before, .input_retracts = t.input_retracts, .ttl_us = node_->kept_us(), .last_first = t.last_first}));
  }

  static std::vector<ops::MatchRecognizeSpec::Reference> references_of(const std::vector<plan::MatchReference>& references) {
    using Reference = ops::MatchRecognizeSpec::Reference;
    std::vector<Reference> out;
    for (const plan::MatchReference& r : references)
      out.push_back({.kind = static_cast<Reference::Kind>(r.kind), .variable = r.variable, .column = r.column, .offset = static_cast<std::uint64_t>(r.offset), .aggregate = r.aggregate, .name = r.name, .type = r.type});
    return out;
  }

  Result<Kind> make(const plan::Match& m) {
    ops::MatchRecognizeSpec s{.input = input(), .partition = m.partition, .time_column = m.time_column, .order = {}, .variables = {}, .references = references_of(m.references),
                              .skip = static_cast<ops::MatchRecognizeSpec::Skip>(m.skip), .skip_to = m.skip_to, .within_us = m.within_us, .origins = options_.origins,
                              .zone = options_.zone};
    for (const std::size_t c : m.order) s.order.push_back({.column = c, .descending = false, .nulls_first = true});
    for (const plan::MatchVariable& v : m.variables) {
      ops::MatchRecognizeSpec::Variable& variable = s.variables.emplace_back();
      variable = {.name = v.name, .least = static_cast<std::uint64_t>(v.least), .most = {}, .greedy = v.greedy, .condition = v.condition, .references = references_of(v.references)};
      if (v.most) variable.most = static_cast<std::uint64_t>(*v.most);
    }
    return op(ops::make_match_recognize(std::move(s)));
  }

  Result<Kind> make(const plan::OverTable& o) {
    ops::OverTableSpec s{.input = input(), .partition = o.partition, .order = sort_keys(o.order), .rows = o.frame.rows, .preceding = {}, .calls = {}, .update_before = o.emit_update_before, .ttl_us = node_->kept_us()};
    if (o.frame.preceding) s.preceding = static_cast<std::uint64_t>(*o.frame.preceding);
    for (const plan::OverTable::Call& c : o.calls)
      s.calls.push_back({.kind = static_cast<ops::OverTableSpec::Call::Kind>(c.function), .aggregate = c.aggregate, .column = c.column, .default_column = c.default_column, .number = c.number, .name = c.name, .type = c.type});
    return op(ops::make_over_table(std::move(s)));
  }

  Result<Kind> make(const plan::WindowRank& t) {
    return op(ops::make_window_rank({.input = input(), .start_column = t.start_column, .end_column = t.end_column, .zone = t.local ? options_.zone : Zone(),
                                     .partition = t.partition, .order = sort_keys(t.order), .limit = t.limit, .with_number = t.with_number, .origins = options_.origins}));
  }

  Result<Kind> make(const plan::Sink& s) {
    std::shared_ptr<dataflow::Sink> sink;
    if (s.table) {
      SUPYO_ASSIGN(sink, table_sink(*s.table, s.schema, s.mode));
    } else {
      sink = connect::make_collect_sink(options_.collect);
    }
    if (s.table && options_.observer != nullptr && !options_.identity.empty()) sink = with_identities(std::move(sink), s.schema, options_.identity, *options_.observer);
    if (s.table && options_.newest != nullptr) sink = options_.newest->watch(std::move(sink), s.table->path.name, s.schema, replaced_by(s), options_.zone);
    if (s.table && !s.check_not_null.empty()) sink = with_not_null_check(std::move(sink), s.schema, s.check_not_null);
    if (options_.cut_outputs && s.mode != ChangelogMode::kAppend) {
      sink = with_cut_consistency(std::move(sink), s.schema, s.mode, replaced_by(s));
    }
    return Kind(dataflow::SinkNode{.sink = std::move(sink)});
  }

  /// The columns by which a row of the sink takes an older one's place, if rows do.
  std::optional<std::vector<std::size_t>> replaced_by(const plan::Sink& s) const {
    if (s.mode == ChangelogMode::kAppend) return std::nullopt;
    if (!s.primary_key.empty()) return s.primary_key;
    return plan_.nodes[node_->inputs.front()].upsert_key;
  }

  Result<std::shared_ptr<dataflow::Sink>> table_sink(const catalog::TableDefinition& table, const Schema& schema, ChangelogMode mode) {
    const auto it = connectors().find(table.connector());
    if (it == connectors().end() || !it->second.sink)
      return fail(ErrorCode::kUnknownConnector, fmt::format("table '{}': connector '{}' cannot be written", table.path.name, table.connector()));
    return it->second.sink({table, schema, mode, options_.base_directory}, context_);
  }

  Result<std::shared_ptr<dataflow::Sink>> system_sink(const catalog::ObjectPath& base, const std::string& suffix, const Schema& schema) {
    // A second operator that feeds the same table (other columns) gets a table of its own: T$late2.
    std::string name = suffix;
    for (int i = 2; used_.contains(base.to_string() + name); ++i) name = suffix + std::to_string(i);
    used_.insert(base.to_string() + name);
    catalog::TableDefinition table = system_.definition(base, name, schema);
    const DurationUs retention_us = suffix == "$dead" ? options_.dead_retention_us : options_.late_retention_us;
    if (retention_us > 0) table.options.insert_or_assign("sink.retention", format_duration(retention_us));
    SUPYO_ASSIGN(auto sink, table_sink(table, schema, ChangelogMode::kAppend));
    system_.declare(std::move(table));
    return sink;
  }

  const plan::PhysicalPlan& plan_;
  const GraphOptions& options_;
  const ConnectorContext& context_;
  SystemTables& system_;
  const plan::PhysicalNode* node_ = nullptr;
  std::set<std::string> used_;
  dataflow::JobGraph graph_;
};

}  // namespace

std::string state_fingerprint(const plan::PhysicalPlan& plan, bool origins) { return plan.fingerprint + (origins ? ":origins" : ""); }

Result<dataflow::JobGraph> build_graph(const plan::PhysicalPlan& plan, const GraphOptions& options, const ConnectorContext& context, SystemTables& system) {
  return Builder(plan, options, context, system).build();
}

}  // namespace supyo::job
