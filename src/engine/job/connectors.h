#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "connect/console/console.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/lookup.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::job {

/// What every factory may need besides the table.
struct ConnectorContext {
  const env::Env& env;
  connect::PrintTarget print;
};

/// A connector as the facade knows it: its declaration and how to make its sources and sinks. One line each in connectors.cc.
struct Connector {
  catalog::ConnectorDescriptor descriptor;
  std::function<Result<std::shared_ptr<dataflow::Source>>(const catalog::SourceRequest&, const ConnectorContext&)> source;
  std::function<Result<std::shared_ptr<dataflow::Sink>>(const catalog::SinkRequest&, const ConnectorContext&)> sink;
  /// Of a connector that is asked by key.
  std::function<Result<std::unique_ptr<dataflow::Lookup>>(const catalog::SourceRequest&, const dataflow::LookupKeys&, const ConnectorContext&)> lookup = nullptr;
  std::function<Result<dataflow::LookupCache>(const catalog::Options&)> lookup_cache = nullptr;
};

/// All connectors by name. 'kafka' is one descriptor; its servers decide which room serves it.
const std::map<std::string, Connector>& connectors();
/// Their declarations, and the formats': what the planner checks options against.
const catalog::ConnectorRegistry& connector_registry();
/// CREATE CATALOG factories by 'type'.
std::map<std::string, catalog::ExternalCatalogFactory> catalog_factories(const env::Env& env);

}  // namespace supyo::job
