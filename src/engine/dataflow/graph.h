#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "data/types/type.h"
#include "engine/dataflow/operator.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"

namespace supyo::dataflow {

using NodeId = std::uint32_t;

/// How rows travel from one node to the next.
enum class Partitioning : std::uint8_t {
  kForward,    ///< same shard, fused to a direct call
  kHash,       ///< by shard_of(hash_rows(key columns))
  kSingle,     ///< everything to shard 0 (global aggregates, LIMIT)
};
struct Edge {
  NodeId from = 0;
  NodeId to = 0;
  std::size_t input = 0;                  ///< which input of `to` (UNION: all 0; joins: 0 and 1)
  Partitioning partitioning = Partitioning::kForward;
  std::vector<std::size_t> keys;          ///< kHash: columns of `from`'s output
};

/// What the runtime computes for each split of a source with a WATERMARK (the connector does not).
struct WatermarkSpec {
  std::size_t column = 0;            ///< row time column in the source's output (TIMESTAMP or TIMESTAMP_LTZ)
  DurationUs bound_us = 0;           ///< WATERMARK FOR c AS c - INTERVAL: the bound
  bool own = false;                  ///< the source's batches end with one column more: the watermark that follows from each row (null: none), in place of the bound
  DurationUs idle_timeout_us = 0;    ///< 0 = a split is never declared idle
  bool edge = false;                 ///< rows must carry edge watermarks (a window or OVER reads them)
};

struct SourceNode {
  std::shared_ptr<Source> source;
  std::optional<WatermarkSpec> watermark;
  std::vector<bool> not_null;            ///< per output column: a null makes the record dead (kNullInNotNull)
  std::shared_ptr<Sink> dead_sink;       ///< `T$dead`; may be null: then dead records are only counted
  std::string table;                     ///< for messages: catalog name of the table
  /// Replay: each row is given to the job when the clock reaches the time in this column (TIMESTAMP or TIMESTAMP_LTZ), and that time is its
  /// produce time. A null, or a time before that of the row ahead of it, goes with the row ahead of it. Stepped drive only.
  std::optional<std::size_t> replay;
};
struct OperatorNode {
  OperatorFactory factory;
  std::shared_ptr<Sink> late_sink;       ///< `T$late`; may be null
};
struct SinkNode {
  std::shared_ptr<Sink> sink;
};

struct Node {
  std::string name;                      ///< as EXPLAIN prints it
  /// Identity of the state across restarts: hash of the operator's meaning, not its number. Unique in the graph.
  std::string uid;
  std::variant<SourceNode, OperatorNode, SinkNode> kind;
  Schema output;                         ///< empty for sinks
  bool transient = false;                ///< an operator without state that a job may go on with or without: it does not count where state is found again
  std::uint32_t max_parallelism = 0;     ///< 0 = as the job; 1 = this node runs on shard 0 only (use with Partitioning::kSingle)
};

/// A job as the runtime takes it: nodes in topological order, edges, and whether rows wait for the watermark anywhere.
struct JobGraph {
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  bool holds_until_watermark = false;
  bool by_the_clock = false;             ///< an operator makes time: rows come out of operators though no source gave any
  bool origins = false;                  ///< a judge listens: rows carry Origin
  std::string fingerprint;               ///< of plan and state layout: a state directory of another plan is refused
};

}  // namespace supyo::dataflow
