#include <algorithm>

#include "sql/plan/bind_expr.h"
#include "sql/plan/build_physical.h"
#include "sql/plan/sink_input.h"

// Which kinds of row flow where: Flink's changelog mode inference for the operators that are there.
namespace supyo::plan {
namespace {


const PhysicalNode* updating_operator(const std::vector<PhysicalNode>& nodes, NodeIndex from) {
  const PhysicalNode& n = nodes[from];
  for (const NodeIndex in : n.inputs)
    if (!nodes[in].changes.append_only()) return updating_operator(nodes, in);
  return n.changes.append_only() ? nullptr : &n;
}

Status check_sink(const PhysicalPlan& plan, const SinkWish& wish) {
  const PhysicalNode& node = plan.nodes[wish.node];
  const Sink& sink = *node.as<Sink>();
  const ChangelogMode mode = node.changes.mode();
  // A sink by key takes -U as well, as a delete: below a filter it may be all that comes of an update.
  const bool fits = mode == ChangelogMode::kAppend || wish.accepts == ChangelogMode::kRetract || (wish.accepts == ChangelogMode::kUpsert && (tells_rows_of(node.upsert_key, sink.primary_key) || (wish.unchecked && !sink.primary_key.empty())));
  if (fits) return ok();
  const PhysicalNode* maker = updating_operator(plan.nodes, wish.node);
  const std::string name = sink.table ? sink.table->path.name : "the console";
  const std::string operator_text = maker == nullptr ? "the query" : describe_node(*maker, plan.nodes);
  if (wish.accepts == ChangelogMode::kUpsert)
    return fail_at(wish.position, ErrorCode::kSinkCannotTake, fmt::format("`{}` ('{}') takes updates by a PRIMARY KEY and has none, but {} makes {}", name, wish.connector, operator_text, node.changes.to_string()),
                   "declare PRIMARY KEY (..) NOT ENFORCED on the columns that tell its rows apart");
  return fail_at(wish.position, ErrorCode::kSinkCannotTake,
                 fmt::format("`{}` ('{}') takes only inserts {}, but {} makes {}", name, wish.connector, Changes{}.to_string(), operator_text, node.changes.to_string()),
                 "aggregate in a window (GROUP BY window_start, window_end over TABLE(TUMBLE(..))) so that every result is final, or write to a sink that takes changes, such as 'print'");
}

}  // namespace

bool is_key(const std::optional<std::vector<std::size_t>>& upsert_key, const std::vector<std::size_t>& primary_key) {
  if (!upsert_key || primary_key.empty()) return false;
  std::vector<std::size_t> a = *upsert_key;
  std::vector<std::size_t> b = primary_key;
  std::ranges::sort(a);
  std::ranges::sort(b);
  return a == b;
}

std::string Changes::to_string() const {
  std::string text = "[I";
  if (update && update_before) text += ",UB";
  if (update) text += ",UA";
  if (remove) text += ",D";
  return text + "]";
}

Changes changes_of(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes) {
  Changes in;
  for (const NodeIndex i : node.inputs) {
    in.update |= nodes[i].changes.update;
    in.update_before |= nodes[i].changes.update_before;
    in.remove |= nodes[i].changes.remove;
  }
  if (const auto* s = node.as<Scan>()) return {.update = s->upsert || s->changelog, .update_before = s->changelog, .remove = s->upsert || s->changelog};
  if (const auto* n = node.as<ChangelogNormalize>()) return {.update = true, .update_before = n->emit_update_before, .remove = true};
  if (node.as<UpsertMaterialize>()) return {.update = true, .update_before = false, .remove = true};
  if (const auto* w = node.as<WindowAggregate>(); w != nullptr && w->emit) return {.update = true, .update_before = true, .remove = !in.append_only()};
  if (const auto* g = node.as<GroupAggregate>()) {
    Changes out;
    out.update = !g->calls.empty();
    out.update_before = out.update && g->emit_update_before;
    out.remove = !in.append_only();
    return out;
  }
  if (const auto* t = node.as<TopN>()) {
    if (t->keeps_first()) return {};
    if (!t->has_places()) return {.update = false, .update_before = false, .remove = true};
    return {.update = true, .update_before = t->emit_update_before, .remove = !in.append_only()};
  }
  if (const auto* o = node.as<OverTable>()) return {.update = true, .update_before = o->emit_update_before, .remove = !in.append_only()};
  if (node.as<Match>()) return {};
  // A row that the right side gets can leave EXCEPT; INTERSECT of rows that stay only grows.
  if (const auto* s = node.as<SetOperation>()) return {.update = false, .update_before = false, .remove = !s->intersect || !in.append_only()};
  if (node.as<Sort>() || node.as<TemporalJoin>()) return {};
  if (const auto* j = node.as<Join>(); j != nullptr && j->rows != JoinRows::kPairs) return {.update = false, .update_before = false, .remove = j->rows == JoinRows::kAnti || !in.append_only()};
  if (const auto* j = node.as<Join>(); j != nullptr && (j->keep_left || j->keep_right)) return {.update = false, .update_before = false, .remove = true};
  return in;
}

/// Of a changelog the primary key tells the rows apart, when all of it is read.
static std::optional<std::vector<std::size_t>> primary_key_of(const Scan& s) {
  if (!s.changelog || s.table.primary_key.empty()) return std::nullopt;
  const Schema schema = s.table.schema();
  std::vector<std::size_t> key;
  for (const std::string& name : s.table.primary_key) {
    const auto it = std::ranges::find(s.columns, *schema.find(name));
    if (it == s.columns.end()) return std::nullopt;
    key.push_back(static_cast<std::size_t>(it - s.columns.begin()));
  }
  return key;
}

std::optional<std::vector<std::size_t>> upsert_key_of(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes) {
  const auto first = [](std::size_t n) {
    std::vector<std::size_t> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = i;
    return out;
  };
  if (const auto* s = node.as<Scan>()) return primary_key_of(*s);
  if (const auto* g = node.as<GroupAggregate>()) return first(g->keys.size());
  if (const auto* n = node.as<ChangelogNormalize>()) return n->keys;
  if (const auto* m = node.as<UpsertMaterialize>()) return m->keys;
  if (const auto* s = node.as<SetOperation>(); s != nullptr && !s->all) return first(node.output.size());
  if (const auto* t = node.as<TopN>()) {
    if (!t->has_places()) return nodes[node.inputs.front()].upsert_key;
    std::vector<std::size_t> key = t->partition;
    if (t->with_number) key.push_back(node.output.size() - 1);
    return key;
  }
  if (const auto* o = node.as<OverTable>()) {
    // A row that moves to another partition leaves one shard and comes to another: in no order.
    const auto& below = nodes[node.inputs.front()].upsert_key;
    if (!below || !std::ranges::all_of(o->partition, [&](std::size_t c) { return std::ranges::find(*below, c) != below->end(); })) return std::nullopt;
    return below;
  }
  if (const auto* w = node.as<WindowAggregate>()) {
    // Of TUMBLE and HOP one bound tells the window; CUMULATE's begin together.
    const auto gives = [&](WindowColumn c) { return std::ranges::find(w->window_columns, c) != w->window_columns.end(); };
    if (w->emit && !gives(WindowColumn::kEnd) && (w->window.kind == WindowSpec::Kind::kCumulate || !gives(WindowColumn::kStart))) return std::nullopt;
    std::vector<std::size_t> key = first(w->keys.size());
    for (std::size_t i = 0; i < w->window_columns.size(); ++i)
      if (w->window_columns[i] != WindowColumn::kTime) key.push_back(w->keys.size() + w->calls.size() + i);
    return key;
  }
  if (node.as<Match>() || node.as<IntervalJoin>() || node.as<WindowJoin>() || node.as<TemporalJoin>()) return std::nullopt;
  if (const auto* j = node.as<Join>()) {
    if (j->rows != JoinRows::kPairs) return nodes[node.inputs[0]].upsert_key;
    const auto& left = nodes[node.inputs[0]].upsert_key;
    const auto& right = nodes[node.inputs[1]].upsert_key;
    const auto one_at_most = [](const std::optional<std::vector<std::size_t>>& key, const std::vector<std::size_t>& joined) {
      return key && std::ranges::all_of(*key, [&](std::size_t k) { return std::ranges::find(joined, k) != joined.end(); });
    };
    // A row that has one partner at most is told by its own key; else both keys tell, where neither may be filled with nulls.
    if (left && !j->keep_right && one_at_most(right, j->right_keys)) return left;
    std::vector<std::size_t> moved;
    for (const std::size_t k : right.value_or(std::vector<std::size_t>{})) moved.push_back(nodes[node.inputs[0]].output.size() + k);
    if (right && !j->keep_left && one_at_most(left, j->left_keys)) return moved;
    if (!left || !right || j->keep_left || j->keep_right) return std::nullopt;
    moved.insert(moved.begin(), left->begin(), left->end());
    return moved;
  }
  if (const auto* c = node.as<Calc>()) {
    const auto& below = nodes[node.inputs.front()].upsert_key;
    if (!below) return std::nullopt;
    std::vector<std::size_t> key;
    for (const std::size_t k : *below) {
      const auto it = std::ranges::find_if(c->projections, [&](const expr::ExprPtr& e) { return e->kind == expr::Expr::Kind::kColumn && e->column == k; });
      if (it == c->projections.end()) return std::nullopt;
      key.push_back(static_cast<std::size_t>(it - c->projections.begin()));
    }
    return key;
  }
  if (node.as<Sink>()) return nodes[node.inputs.front()].upsert_key;
  return std::nullopt;
}

Status settle_changelog(PhysicalPlan& plan, const std::vector<SinkWish>& wishes) {
  auto& nodes = plan.nodes;
  std::vector<bool> before(nodes.size(), false);
  for (const SinkWish& w : wishes) {
    const Sink& sink = *nodes[w.node].as<Sink>();
    const bool by_key = w.accepts == ChangelogMode::kUpsert && is_key(nodes[w.node].upsert_key, sink.primary_key);
    before[w.node] = !by_key;
  }
  // Consumers come after their inputs: one pass from the end settles everything.
  for (NodeIndex i = nodes.size(); i-- > 0;) {
    PhysicalNode& n = nodes[i];
    if (auto* g = std::get_if<GroupAggregate>(&n.op)) g->emit_update_before = before[i];
    if (auto* c = std::get_if<ChangelogNormalize>(&n.op)) c->emit_update_before = before[i];
    if (auto* t = std::get_if<TopN>(&n.op)) t->emit_update_before = before[i];
    if (auto* o = std::get_if<OverTable>(&n.op)) o->emit_update_before = before[i];
    const auto* calc = n.as<Calc>();
    // A filter must see -U, or a row that no longer passes would stay; an aggregation, a rank and a sort take rows back whole. A temporal join takes nothing back.
    const bool needs = n.as<TopN>() || n.as<OverTable>() || n.as<GroupAggregate>() || n.as<WindowAggregate>() || n.as<Join>() || n.as<LookupJoin>() || n.as<SetOperation>() || n.as<Sort>() || n.as<Unnest>() || n.as<UpsertMaterialize>() || (calc != nullptr && calc->filter) || (before[i] && !n.as<TemporalJoin>());
    for (const NodeIndex in : n.inputs) before[in] = before[in] || needs;
  }
  for (PhysicalNode& n : nodes) n.changes = changes_of(n, nodes);
  for (const SinkWish& w : wishes) {
    SUPYO_TRY(check_sink(plan, w));
    std::get<Sink>(nodes[w.node].op).mode = nodes[w.node].changes.mode();
  }
  return ok();
}

namespace {

/// Something in the node's expressions that is another value when it is computed again.
const expr::Expr* of_the_clock(const PhysicalNode& node) {
  const auto look = [](const expr::ExprPtr& e) { return e && !is_deterministic(*e); };
  const auto among = [&](const std::vector<expr::ExprPtr>& exprs) {
    const auto it = std::ranges::find_if(exprs, look);
    return it == exprs.end() ? nullptr : it->get();
  };
  if (const auto* c = node.as<Calc>()) return look(c->filter) ? c->filter.get() : node.changes.remove || node.changes.update_before ? among(c->projections) : nullptr;
  if (const auto* j = node.as<Join>()) return look(j->condition) ? j->condition.get() : nullptr;
  if (const auto* e = node.as<Expand>())
    for (const auto& row : e->rows)
      if (const expr::Expr* found = among(row)) return found;
  return nullptr;
}

bool is_below(const std::vector<PhysicalNode>& nodes, NodeIndex below, NodeIndex node) {
  return node == below || std::ranges::any_of(nodes[node].inputs, [&](NodeIndex in) { return is_below(nodes, below, in); });
}

}  // namespace

Status check_taken_back(const PhysicalPlan& plan, const std::vector<SinkWish>& wishes) {
  for (NodeIndex i = 0; i < plan.nodes.size(); ++i) {
    const PhysicalNode& n = plan.nodes[i];
    const expr::Expr* const found = of_the_clock(n);
    if (found == nullptr || std::ranges::all_of(n.inputs, [&](NodeIndex in) { return plan.nodes[in].changes.append_only(); })) continue;
    const auto sink = std::ranges::find_if(wishes, [&](const SinkWish& w) { return is_below(plan.nodes, i, w.node); });
    std::vector<std::string> names;
    for (const NodeIndex in : n.inputs)
      for (const Field& f : plan.nodes[in].output.fields()) names.push_back(f.name);
    return fail_at(sink->position, ErrorCode::kUnsupported, fmt::format("{} over rows that are updated ({}) is another value when a row is taken back", found->to_string(names), n.changes.to_string()),
                   "compute it of the rows before they are aggregated or joined, or SET 'table.optimizer.non-deterministic-update.strategy' = 'IGNORE'");
  }
  return ok();
}

void mark_edges(PhysicalPlan& plan) {
  std::vector<bool> wanted(plan.nodes.size(), false);
  for (NodeIndex i = plan.nodes.size(); i-- > 0;) {
    PhysicalNode& n = plan.nodes[i];
    const bool reads = (n.as<WindowAssign>() || n.as<WindowAggregate>() || n.as<WindowRank>() || n.as<Over>() || n.as<OverAggregate>() || n.as<Match>() || n.as<IntervalJoin>() || n.as<WindowJoin>() || n.as<TemporalJoin>()) && !n.late_tables.empty();
    const auto* const rank = n.as<TopN>();
    const bool passes = wanted[i] && ((rank != nullptr && rank->keeps_first()) || n.as<Calc>() || n.as<Expand>() || n.as<ChangelogNormalize>() || n.as<Union>() || n.as<WindowAssign>() || n.as<Limit>() || n.as<LookupJoin>() || n.as<Unnest>());
    if (reads || passes)
      for (const NodeIndex in : n.inputs) wanted[in] = true;
    if (auto* s = std::get_if<Scan>(&n.op); s != nullptr && s->row_time) s->row_time->edge = wanted[i];
  }
}

}  // namespace supyo::plan
