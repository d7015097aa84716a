#pragma once
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'kafka' with 'properties.bootstrap.servers' = 'embedded:DIR': the embedded log (data/log), no broker needed.
/// Option names and meanings are Flink's Kafka connector's; what differs is in the options' help.
///
/// Source: one split a partition, in log order; reads committed records unless 'properties.isolation.level' = 'read_uncommitted'. A record that
/// does not decode is a dead record; a damaged or overtaken log stops the job, it is never skipped silently.
/// Sink: exactly once, unless 'sink.delivery-guarantee' says at-least-once (rows are in the log as they come, in no transaction). Rows are staged in the topic's partitions with (job, epoch) and become visible to read_committed readers by the epoch's
/// commit. One job writes a topic at a time. The topic is created on first use.
catalog::ConnectorDescriptor stream_descriptor();
/// Whether a table of 'connector' = 'kafka' means the embedded log rather than a broker.
bool is_embedded_log(const catalog::Options& options);

/// Errors: kBadOptionValue, kMissingOption, kUnknownTable (no such topic: found when the job starts), kTypeMismatch (metadata column).
/// `upsert`: of a table by key ('upsert-kafka'): the last record of a key counts, and one without value deletes the key. The sink makes a topic that is compacted.
Result<std::shared_ptr<dataflow::Source>> make_stream_source(const catalog::SourceRequest& request, const env::Env& env, bool upsert = false);
/// Errors: kBadOptionValue, kMissingOption, kUnknownColumn (key.fields); when the job starts kStateLocked, kSinkOfOtherJob, kDamaged.
Result<std::shared_ptr<dataflow::Sink>> make_stream_sink(const catalog::SinkRequest& request, const env::Env& env, bool upsert = false);

}  // namespace supyo::connect
