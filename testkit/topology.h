#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/dataflow/graph.h"
#include "testkit/rows.h"

namespace supyo::testkit {

/// Builds a job graph by hand, node by node.
class Topology {
 public:
  dataflow::NodeId source(std::shared_ptr<dataflow::Source> source, std::optional<dataflow::WatermarkSpec> watermark = {}, std::shared_ptr<dataflow::Sink> dead = nullptr) {
    dataflow::SourceNode node;
    node.source = std::move(source);
    node.watermark = watermark;
    node.not_null = {true, false, false};
    node.dead_sink = std::move(dead);
    node.table = "t";
    return add("source", node, test_schema());
  }
  dataflow::NodeId op(std::string name, dataflow::OperatorFactory factory, std::shared_ptr<dataflow::Sink> late = nullptr) {
    return add(std::move(name), dataflow::OperatorNode{.factory = std::move(factory), .late_sink = std::move(late)}, test_schema());
  }
  dataflow::NodeId sink(std::shared_ptr<dataflow::Sink> sink) { return add("sink", dataflow::SinkNode{.sink = std::move(sink)}, Schema{}); }

  Topology& forward(dataflow::NodeId from, dataflow::NodeId to, std::size_t input = 0) { return edge(from, to, input, dataflow::Partitioning::kForward, {}); }
  Topology& hash(dataflow::NodeId from, dataflow::NodeId to, std::size_t input = 0) { return edge(from, to, input, dataflow::Partitioning::kHash, {0}); }
  Topology& single(dataflow::NodeId from, dataflow::NodeId to, std::size_t input = 0) { return edge(from, to, input, dataflow::Partitioning::kSingle, {}); }

  dataflow::Node& node(dataflow::NodeId id) { return graph_.nodes[id]; }
  dataflow::SourceNode& source_node(dataflow::NodeId id) { return std::get<dataflow::SourceNode>(graph_.nodes[id].kind); }
  dataflow::JobGraph& graph() { return graph_; }
  dataflow::JobGraph take() { return std::move(graph_); }

 private:
  template <class Kind>
  dataflow::NodeId add(std::string name, Kind kind, Schema output) {
    const auto id = static_cast<dataflow::NodeId>(graph_.nodes.size());
    dataflow::Node n;
    n.uid = name + "-" + std::to_string(id);
    n.name = std::move(name);
    n.kind = std::move(kind);
    n.output = std::move(output);
    graph_.nodes.push_back(std::move(n));
    graph_.fingerprint = "topology of " + std::to_string(graph_.nodes.size());
    return id;
  }
  Topology& edge(dataflow::NodeId from, dataflow::NodeId to, std::size_t input, dataflow::Partitioning partitioning, std::vector<std::size_t> keys) {
    dataflow::Edge e;
    e.from = from;
    e.to = to;
    e.input = input;
    e.partitioning = partitioning;
    e.keys = std::move(keys);
    graph_.edges.push_back(std::move(e));
    return *this;
  }

  dataflow::JobGraph graph_;
};

}  // namespace supyo::testkit
