#include <algorithm>
#include <numeric>

#include "sql/plan/build_physical.h"

// Aggregation in two levels, as Flink's TwoStageOptimizedAggregateRule and TwoStageOptimizedWindowAggregateRule: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/tuning/
namespace supyo::plan {
namespace {

/// In whatever order what was gathered apart comes together, the result is the same.
bool merges(const expr::AggregateCall& c) {
  static constexpr std::string_view kMerge[] = {"COUNT", "SUM", "AVG", "MIN", "MAX"};
  return !c.distinct && c.aggregate->extreme_of_all() == 0 && std::ranges::find(kMerge, c.aggregate->name()) != std::end(kMerge);
}

class Splitter {
 public:
  Splitter(PhysicalPlan& plan, const AggregateOptions& options) : plan_(plan), options_(options), old_(std::move(plan.nodes)) {}

  void run() {
    plan_.nodes.clear();
    std::vector<NodeIndex> moved;
    for (NodeIndex i = 0; i < old_.size(); ++i) {
      const bool split = gains(i);
      PhysicalNode node = old_[i];
      for (NodeIndex& in : node.inputs) in = moved[in];
      if (split) {
        plan_.nodes.push_back(local_of(node));
        make_global(node, plan_.nodes.size() - 1);
      }
      moved.push_back(plan_.nodes.size());
      plan_.nodes.push_back(std::move(node));
    }
  }

 private:
  bool gains(NodeIndex i) const {
    if (options_.levels == AggregateOptions::Levels::kOne) return false;
    const bool always = options_.levels == AggregateOptions::Levels::kTwo;
    const PhysicalNode& n = old_[i];
    if (const auto* g = n.as<GroupAggregate>()) {
      if (!std::ranges::all_of(g->calls, merges)) return false;
      // What goes to one shard whole gains in any case; groups spread over shards gain where rows are gathered for longer than a batch.
      return always || (options_.parallelism > 1 && !on_one_shard(n.inputs.front()) && (options_.mini_batch || g->keys.empty()));
    }
    const auto* w = n.as<WindowAggregate>();
    if (w == nullptr || w->emit || (!w->given && w->window.kind == WindowSpec::Kind::kSession) || !std::ranges::all_of(w->calls, merges)) return false;
    // A partition that comes back from being idle is late for windows that other partitions have closed, which only the shard of the window knows: its rows go there whole.
    if (may_be_idle(i)) return false;
    return always || (options_.parallelism > 1 && !on_one_shard(n.inputs.front()));
  }

  bool on_one_shard(NodeIndex i) const {
    const PhysicalNode& n = old_[i];
    if (n.max_parallelism == 1) return true;
    return n.distribution.kind == Distribution::Kind::kForward && !n.inputs.empty() && std::ranges::all_of(n.inputs, [&](NodeIndex in) { return on_one_shard(in); });
  }

  bool may_be_idle(NodeIndex i) const {
    const auto* s = old_[i].as<Scan>();
    if (s != nullptr && s->row_time && s->row_time->idle_timeout_us > 0) return true;
    return std::ranges::any_of(old_[i].inputs, [&](NodeIndex in) { return may_be_idle(in); });
  }

  PhysicalNode local_of(const PhysicalNode& node) const {
    PhysicalNode local = node;
    const Schema& in = plan_.nodes[node.inputs.front()].output;
    const auto output = [&](const std::vector<std::size_t>& keys, bool numbered) {
      Schema s;
      for (const std::size_t k : keys) s.add(in[k].name, in[k].type);
      if (numbered) s.add("$window", Type::big_int().not_null());
      s.add("$partial", Type::bytes().not_null());
      return s;
    };
    if (auto* g = std::get_if<GroupAggregate>(&local.op)) {
      g->phase = AggregatePhase::kLocal;
      g->mini_batch = options_.mini_batch;
      local.output = output(g->keys, false);
    } else {
      auto& w = std::get<WindowAggregate>(local.op);
      w.phase = AggregatePhase::kLocal;
      local.output = output(w.keys, !w.given);
    }
    local.distribution = {};
    local.max_parallelism = 0;
    local.changes = {};
    local.upsert_key.reset();
    local.ttl_us = {};
    local.uid = identity_of("local " + node.uid);
    return local;
  }

  static void make_global(PhysicalNode& node, NodeIndex local) {
    node.inputs = {local};
    node.late_tables.clear();
    std::vector<std::size_t>* keys = nullptr;
    if (auto* g = std::get_if<GroupAggregate>(&node.op)) {
      g->phase = AggregatePhase::kGlobal;
      keys = &g->keys;
    } else {
      auto& w = std::get<WindowAggregate>(node.op);
      w.phase = AggregatePhase::kGlobal;
      keys = &w.keys;
      const auto place = [&](std::size_t column) { return static_cast<std::size_t>(std::ranges::find(*keys, column) - keys->begin()); };
      if (w.given) w.given = WindowAggregate::Given{.start_column = place(w.given->start_column), .end_column = place(w.given->end_column), .local = w.given->local};
    }
    std::iota(keys->begin(), keys->end(), std::size_t{0});
    if (node.distribution.kind == Distribution::Kind::kHash) node.distribution.keys = *keys;
  }

  PhysicalPlan& plan_;
  const AggregateOptions& options_;
  std::vector<PhysicalNode> old_;
};

}  // namespace

void split_aggregates(PhysicalPlan& plan, const AggregateOptions& options) { Splitter(plan, options).run(); }

}  // namespace supyo::plan
