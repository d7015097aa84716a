#include "engine/runtime/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace supyo::runtime {
namespace {

using dataflow::Partitioning;

Status check(const dataflow::JobGraph& graph) {
  std::set<std::string> uids;
  bool has_source = false;
  for (const dataflow::Node& n : graph.nodes) {
    has_source |= std::holds_alternative<dataflow::SourceNode>(n.kind);
    if (!uids.insert(n.uid).second) return fail(ErrorCode::kInternal, fmt::format("two nodes of the job graph have the uid '{}'", n.uid));
  }
  if (!has_source) return fail(ErrorCode::kInternal, "the job graph has no source");
  for (const dataflow::Edge& e : graph.edges) {
    if (e.from >= e.to || e.to >= graph.nodes.size())
      return fail(ErrorCode::kInternal, fmt::format("edge {} -> {} of the job graph is not in topological order", e.from, e.to));
    if (std::holds_alternative<dataflow::SinkNode>(graph.nodes[e.from].kind) || std::holds_alternative<dataflow::SourceNode>(graph.nodes[e.to].kind))
      return fail(ErrorCode::kInternal, fmt::format("edge {} -> {} leaves a sink or enters a source", e.from, e.to));
    for (const std::size_t k : e.keys)
      if (k >= graph.nodes[e.from].output.size())
        return fail(ErrorCode::kInternal, fmt::format("edge {} -> {}: no column {}", e.from, e.to, k));
  }
  return ok();
}

/// Two nodes that write to one Sink object become one: it has one committer and one writer a shard.
class Builder {
 public:
  Builder(const dataflow::JobGraph& graph, Plan& plan) : graph_(graph), plan_(plan) {}

  void build() {
    for (const dataflow::Node& n : graph_.nodes) add(n);
    for (const dataflow::Edge& e : graph_.edges)
      connect(PlanEdge{.from = e.from, .to = merged_[e.to], .input = e.input, .keys = e.partitioning == Partitioning::kHash ? e.keys : std::vector<std::size_t>{}},
              e.partitioning == Partitioning::kSingle);
    for (std::uint32_t i = 0; i < graph_.nodes.size(); ++i) add_side_sinks(i);
    spread();
  }

 private:
  void add(const dataflow::Node& n) {
    PlanNode p;
    p.id = static_cast<std::uint32_t>(plan_.nodes.size());
    p.name = n.name;
    p.uid = n.uid;
    p.state_id = n.transient ? PlanNode::kTransient : next_state_id_++;
    p.single = n.max_parallelism == 1;
    std::uint32_t target = p.id;
    if (const auto* source = std::get_if<dataflow::SourceNode>(&n.kind)) {
      p.source = source;
      p.input = n.output;
    }
    if (const auto* op = std::get_if<dataflow::OperatorNode>(&n.kind)) p.op = op;
    if (const auto* sink = std::get_if<dataflow::SinkNode>(&n.kind)) {
      const auto [it, first] = sinks_.emplace(sink->sink.get(), p.id);
      target = it->second;
      if (first) name_sink(p, sink->sink);
    }
    merged_.push_back(target);
    plan_.nodes.push_back(std::move(p));
  }

  void name_sink(PlanNode& p, const std::shared_ptr<dataflow::Sink>& sink) {
    p.sink = sink;
    std::string id(sink->name());
    for (int n = 2; !sink_ids_.insert(id).second; ++n) id = fmt::format("{}#{}", sink->name(), n);
    p.sink_id = id;
  }

  void connect(PlanEdge e, bool to_single) {
    const auto id = static_cast<std::uint32_t>(plan_.edges.size());
    PlanNode& to = plan_.nodes[e.to];
    if (to_single) to.single = true;
    if (to.op != nullptr && to.in.empty()) to.input = graph_.nodes[e.from].output;
    to.in.push_back(id);
    plan_.nodes[e.from].out.push_back(id);
    plan_.edges.push_back(std::move(e));
  }

  void add_side_sinks(std::uint32_t node) {
    const PlanNode& n = plan_.nodes[node];
    const bool dead = n.source != nullptr;
    const std::shared_ptr<dataflow::Sink> sink = dead ? n.source->dead_sink : n.op != nullptr ? n.op->late_sink : nullptr;
    if (sink == nullptr) return;
    const auto next = static_cast<std::uint32_t>(plan_.nodes.size());
    const auto [it, first] = sinks_.emplace(sink.get(), next);
    const std::uint32_t target = it->second;
    if (first) {
      PlanNode p;
      p.id = next;
      p.state_id = next_state_id_++;
      p.name = std::string(sink->name());
      p.uid = fmt::format("side:{}", sink->name());
      p.side = true;
      name_sink(p, sink);
      plan_.nodes.push_back(std::move(p));
    }
    PlanEdge e;
    e.kind = dead ? PlanEdge::Kind::kDead : PlanEdge::Kind::kLate;
    e.from = node;
    e.to = target;
    connect(std::move(e), false);
  }

  bool only_from_single(const PlanNode& n) const {
    return !n.in.empty() && std::ranges::all_of(n.in, [&](std::uint32_t e) { return plan_.edges[e].keys.empty() && plan_.nodes[plan_.edges[e].from].single; });
  }

  /// Who runs on shard 0 only, and which edges are calls. Operators are in topological order; a sink may have merged with an earlier one.
  void spread() {
    for (PlanNode& n : plan_.nodes)
      if (n.op != nullptr && only_from_single(n)) n.single = true;
    for (PlanNode& n : plan_.nodes)
      if (n.sink != nullptr && only_from_single(n)) n.single = true;
    for (PlanEdge& e : plan_.edges) {
      const PlanNode& from = plan_.nodes[e.from];
      const PlanNode& to = plan_.nodes[e.to];
      e.one_to_one = e.keys.empty() && from.single == to.single;
      e.direct = plan_.shards == 1 || (e.one_to_one && to.in.size() == 1);
    }
  }

  const dataflow::JobGraph& graph_;
  Plan& plan_;
  std::uint32_t next_state_id_ = 0;
  std::vector<std::uint32_t> merged_;              // graph node -> plan node
  std::map<const dataflow::Sink*, std::uint32_t> sinks_;
  std::set<std::string> sink_ids_;
};

}  // namespace

Result<Plan> make_plan(const dataflow::JobGraph& graph, std::uint32_t shards) {
  SUPYO_TRY(check(graph));
  Plan plan;
  plan.shards = shards;
  Builder(graph, plan).build();
  const auto waits = [](const PlanNode& n) { return n.sink != nullptr && !n.side && !n.sink->readable_as_written(); };
  if (std::ranges::none_of(plan.nodes, waits))
    for (const PlanNode& n : plan.nodes) plan.writers_as_written += n.sink != nullptr && !n.side ? plan.instances(n) : 0;
  return plan;
}

}  // namespace supyo::runtime
