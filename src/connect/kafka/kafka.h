#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'kafka' with brokers as 'properties.bootstrap.servers', by librdkafka. Options are those of stream_descriptor().
///
/// Source: one split a partition ("topic/3"), read by assignment (no group membership); positions are the job's epochs, offsets are committed to
/// 'properties.group.id' for monitoring only. A record that does not decode is a dead record. Retention that overtakes the reader is never silent:
/// kOffsetOutOfRange with the number of records lost, or, with 'properties.auto.offset.reset' given, a dead record that says it.
/// Brokers out of reach: tried again for a minute with a line on standard error, then kOutsideUnavailable.
/// The client's own threads fetch; the shard takes batches out of the client's queue and never waits (but when it opens).
Result<std::shared_ptr<dataflow::Source>> make_kafka_source(const catalog::SourceRequest& request, const env::Env& env);

/// Exactly once: an epoch's records are in its commit handle, are sent in one transaction together with the epoch's number when the epoch is final, and
/// an outcome that is not known is looked up (docs/design/kafka-sink.md). At least once: sent as they come, acknowledged before the epoch is final.
Result<std::shared_ptr<dataflow::Sink>> make_kafka_sink(const catalog::SinkRequest& request, const env::Env& env);

/// 'connector' = 'upsert-kafka': the last record of a key wins. The primary key is the record's key; a deleted row is a record without value.
/// Source: read from the start; batches hold +U rows and, for records without value, -D rows with nothing but the key. Guarantees as above.
catalog::ConnectorDescriptor upsert_kafka_descriptor();
Result<std::shared_ptr<dataflow::Source>> make_upsert_kafka_source(const catalog::SourceRequest& request, const env::Env& env);
Result<std::shared_ptr<dataflow::Sink>> make_upsert_kafka_sink(const catalog::SinkRequest& request, const env::Env& env);

/// "librdkafka 2.12.1", and what an older one lacks.
std::string kafka_client_version();
/// What Supyo sets of the client's settings, whatever the table says or unless it says otherwise; in order of name.
std::vector<std::pair<std::string, std::string>> kafka_source_settings();
std::vector<std::pair<std::string, std::string>> kafka_sink_settings();

}  // namespace supyo::connect
