#pragma once
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'nexmark': the events of the Nexmark benchmark, as its generator for Flink (github.com/nexmark/nexmark) defines them: proportions, keys that are hotter than others, lengths and
/// contents of the texts. An event is made from the seed and its number, so that a restart makes the same events again. Options as there, and two of our own.
catalog::ConnectorDescriptor nexmark_descriptor();
/// Errors: kBadOptionValue; kUnknownColumn, kTypeMismatch (a column that Nexmark's events do not have, or of another type).
Result<std::shared_ptr<dataflow::Source>> make_nexmark_source(const catalog::SourceRequest& request, const env::Env& env);

}  // namespace supyo::connect
