#pragma once
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'filesystem': text files (csv, json, raw), one record a line, as a source and as an exactly-once sink.
///
/// Source: a file, a directory (recursively, in name order, hidden names left out: one partition), or /dev/stdin. The position is (file,
/// byte). Standard input cannot be sought: a resumed job expects the same bytes again from the beginning and skips what it has seen.
/// Sink: rows go to hidden files `.part-*.inprogress`, durable at each epoch, and appear under their final name (rename) with the epoch
/// that rolled them: by size, by age, and when the job ends. PARTITIONED BY columns are folders (partitions.h).
catalog::ConnectorDescriptor file_descriptor();
/// Errors: kFileNotFound, kMissingOption, kUnknownOption (format), kUnknownColumn and kUnsupported (PARTITIONED BY).
Result<std::shared_ptr<dataflow::Source>> make_file_source(const catalog::SourceRequest& request, const env::Env& env);
Result<std::shared_ptr<dataflow::Sink>> make_file_sink(const catalog::SinkRequest& request, const env::Env& env);

}  // namespace supyo::connect
