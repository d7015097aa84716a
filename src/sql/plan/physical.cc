#include "sql/plan/physical.h"

namespace supyo::plan {

std::vector<NodeIndex> PhysicalPlan::sinks() const {
  std::vector<NodeIndex> out;
  for (NodeIndex i = 0; i < nodes.size(); ++i)
    if (nodes[i].as<Sink>()) out.push_back(i);
  return out;
}

std::vector<NodeIndex> PhysicalPlan::scans() const {
  std::vector<NodeIndex> out;
  for (NodeIndex i = 0; i < nodes.size(); ++i)
    if (nodes[i].as<Scan>()) out.push_back(i);
  return out;
}

}  // namespace supyo::plan
