#pragma once
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'datagen': rows made from a seed and the row's number, so that a restart makes the same rows again. Options as Flink's.
catalog::ConnectorDescriptor generator_descriptor();
/// Errors: kBadOptionValue (bounds, kinds), kUnknownOption (a field that the table has not).
Result<std::shared_ptr<dataflow::Source>> make_generator_source(const catalog::SourceRequest& request, const env::Env& env);

}  // namespace supyo::connect
