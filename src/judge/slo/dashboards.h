#pragma once
#include <string>
#include <vector>

namespace supyo::slo {

/// A Grafana dashboard as a file for import or provisioning (schema 41; the data source is a variable).
struct Dashboard {
  std::string file;   ///< "end-to-end.json"
  std::string json;
};

/// The dashboards of Kafka (JMX exporter and supyo watch) and of Supyo's broker, and those of a job's metrics (docs/reference/metrics.md): pipeline, end to
/// end, error budgets, consistency, labs; and of Flink's, by its Prometheus reporter. `service` and `objective` are
/// variables, so they fit any objectives. Every panel has a title, a description, a unit and queries with the job's label.
std::vector<Dashboard> grafana_dashboards();

}  // namespace supyo::slo
