#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "engine/dataflow/graph.h"

namespace supyo::runtime {

/// How one edge of the graph is laid over the shards.
struct PlanEdge {
  enum class Kind : std::uint8_t { kMain, kLate, kDead } kind = Kind::kMain;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::size_t input = 0;
  std::vector<std::size_t> keys;   ///< empty: rows go to the first receiver
  bool direct = false;             ///< same shard, a call
  bool one_to_one = false;         ///< not direct: a queue from each shard to itself only
};

/// One node of the job, the `T$late` and `T$dead` sinks among them.
struct PlanNode {
  std::uint32_t id = 0;            ///< index in Plan::nodes; nodes of the graph keep their number
  std::uint32_t state_id = 0;      ///< by which state and watermarks are found again: its number without the transient nodes
  static constexpr std::uint32_t kTransient = UINT32_MAX;
  std::string name;
  std::string uid;
  const dataflow::SourceNode* source = nullptr;     ///< one of the three is set; none for a sink that another node stands for
  const dataflow::OperatorNode* op = nullptr;
  std::shared_ptr<dataflow::Sink> sink;
  std::string sink_id;             ///< sinks: JobIdentity::sink_id, unique in the job
  bool side = false;               ///< a `T$late` or `T$dead` sink
  bool single = false;             ///< on shard 0 only
  Schema input;                    ///< sources: what they give; operators: what input 0 takes (late rows start with it)
  std::vector<std::uint32_t> in;   ///< edges, in order
  std::vector<std::uint32_t> out;
};

/// A job graph, checked and laid out for a number of shards. Points into the graph, which outlives it.
///
/// With one shard every edge is a call. With more, a forward edge is a call where it is its target's only input; everything else is a
/// queue, since inputs that are aligned at barriers have to be able to wait.
struct Plan {
  std::uint32_t shards = 1;
  std::vector<PlanNode> nodes;     ///< sources and operators in topological order
  std::vector<PlanEdge> edges;

  std::uint32_t writers_as_written = 0;   ///< VisibilityObserver::PipelineShape::writers

  std::uint32_t instances(const PlanNode& n) const { return n.single ? 1 : shards; }
};

/// Errors: kInternal when the graph is malformed (a planner's bug, named).
Result<Plan> make_plan(const dataflow::JobGraph& graph, std::uint32_t shards);

}  // namespace supyo::runtime
