#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "data/formats/format.h"
#include "data/log/partition_reader.h"
#include "data/types/batch.h"
#include "data/types/changelog.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// What the METADATA columns of a stream table can be.
enum class StreamMetadata : std::uint8_t { kTimestamp, kPartition, kOffset, kTopic, kTimestampType, kLeaderEpoch, kHeaders };

/// A column of the table that is not in the record's value.
struct MetadataColumn {
  std::size_t position = 0;   ///< in the batch
  StreamMetadata what = StreamMetadata::kTimestamp;
  Type type;
};

/// Where reading begins or ends, before the log is looked at.
struct StreamBound {
  enum class Kind : std::uint8_t { kNone, kEarliest, kLatest, kGroup, kTimestamp, kSpecific } kind = Kind::kNone;
  TimeUs timestamp_us = 0;
  std::map<PartitionId, Offset> offsets;   ///< kSpecific
};

struct StreamLocation {
  std::string log_directory;         ///< embedded log; empty: a broker
  std::string servers;               ///< brokers
  std::string topic;                 ///< the one topic; of several, the first; empty with a pattern
  std::vector<std::string> topics;   ///< brokers only, as topic_pattern: several in one table
  std::string topic_pattern;
};
/// 'properties.*' of a broker's client, without the prefix, by Java's names; those that have a field of their own included.
using ClientProperties = std::map<std::string, std::string>;

struct StreamSourceConfig {
  StreamLocation where;
  std::string table;
  std::string group;               ///< empty: offsets are not committed
  log::Isolation isolation = log::Isolation::kReadCommitted;
  StreamBound start;
  StreamBound start_without_group_offset;   ///< properties.auto.offset.reset
  StreamBound stop;                ///< kNone: unbounded
  formats::FormatOptions format;
  bool columnar = false;           ///< rows in columns: no record format. Embedded log only
  Schema value_schema;             ///< physical columns, as the record holds them
  std::vector<std::size_t> value_columns;     ///< of value_schema, those to decode
  std::vector<std::size_t> value_positions;   ///< where each goes in the batch
  std::vector<MetadataColumn> metadata;
  bool with_headers() const { return std::ranges::find(metadata, StreamMetadata::kHeaders, &MetadataColumn::what) != metadata.end(); }
  std::size_t width = 0;           ///< columns of a batch
  formats::FormatOptions key_format;
  Schema key_schema;               ///< columns that are in the record's key (value.fields-include = EXCEPT_KEY); often empty
  std::vector<std::size_t> key_columns;       ///< of key_schema, those to decode
  std::vector<std::size_t> key_positions;     ///< where each goes in the batch
  bool upsert = false;             ///< 'upsert-kafka': a record replaces the one before with its key; without a value it deletes it
  bool key_in_value = false;       ///< the value holds the key's columns, too: only deletes need the key
  bool reads_keys() const { return upsert || (!key_columns.empty() && !key_in_value); }
  // Brokers only.
  ClientProperties properties;
  DurationUs discovery_interval_us = 0;       ///< 0 = partitions are found at the start only
};

enum class SinkPartitioner : std::uint8_t { kDefault, kFixed, kRoundRobin };

struct StreamSinkConfig {
  StreamLocation where;
  std::string table;
  std::int32_t partitions = 1;     ///< of a topic that is created
  DurationUs retention_us = 0;     ///< of a topic that is created; 0 = for ever
  formats::FormatOptions format;
  bool columnar = false;           ///< rows in columns: no record format. Embedded log only; the key only chooses the partition
  Schema value_schema;
  std::vector<std::size_t> value_positions;   ///< columns of the batch that make the record
  std::optional<std::size_t> timestamp_position;   ///< METADATA 'timestamp': the record's timestamp
  std::optional<std::size_t> headers_position;     ///< METADATA 'headers'
  formats::FormatOptions key_format;
  Schema key_schema;               ///< empty: no key
  std::vector<std::size_t> key_positions;
  bool upsert = false;             ///< 'upsert-kafka': a deleted row is a record without value
  // Brokers only.
  ClientProperties properties;
  DeliveryGuarantee guarantee = DeliveryGuarantee::kExactlyOnce;
  std::string transactional_id_prefix;
  SinkPartitioner partitioner = SinkPartitioner::kDefault;

  /// Of the record that `row` becomes: its METADATA 'timestamp', or `now` where there is none.
  TimeUs timestamp(const Batch& batch, std::size_t row, TimeUs now) const;
};

/// A setting of a broker's client that a table may name as 'properties.NAME'. None of them loads code, runs a command, reads a file or turns a check
/// of TLS off; there are no others.
struct ClientProperty {
  std::string_view name;     ///< as Java's clients call it
  std::string_view client;   ///< as librdkafka does; empty: accepted, without effect here
  enum class Side : std::uint8_t { kBoth, kSource, kSink } side = Side::kBoth;
  std::string_view help;
};
std::span<const ClientProperty> client_property_list();
/// User name and password of 'properties.sasl.jaas.config', as Java's clients have it. Nothing of it is in the messages but names. Errors: kUnsupported (another login module), kBadOptionValue.
Result<std::pair<std::string, std::string>> jaas_login(std::string_view text);

/// Both for the embedded log and for brokers: which, says `where.log_directory`. What only brokers have is refused for the embedded log.
/// `upsert`: 'upsert-kafka', whose 'key.fields' are the primary key.
Result<StreamSourceConfig> stream_source_config(const catalog::SourceRequest& request, bool upsert = false);
Result<StreamSinkConfig> stream_sink_config(const catalog::SinkRequest& request, bool upsert = false);

/// "partition:0,offset:42;partition:1,offset:300", as Flink writes it.
Result<std::map<PartitionId, Offset>> parse_specific_offsets(std::string_view text);

}  // namespace supyo::connect
