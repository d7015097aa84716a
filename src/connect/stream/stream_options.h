#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "data/formats/format.h"
#include "data/log/partition_reader.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// What the METADATA columns of a stream table can be.
enum class StreamMetadata : std::uint8_t { kTimestamp, kPartition, kOffset, kTopic };

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
  std::string log_directory;
  std::string topic;
};

struct StreamSourceConfig {
  StreamLocation where;
  std::string table;
  std::string group;               ///< empty: offsets are not committed
  log::Isolation isolation = log::Isolation::kReadCommitted;
  StreamBound start;
  StreamBound start_without_group_offset;   ///< properties.auto.offset.reset
  StreamBound stop;                ///< kNone: unbounded
  formats::FormatOptions format;
  Schema value_schema;             ///< physical columns, as the record holds them
  std::vector<std::size_t> value_columns;     ///< of value_schema, those to decode
  std::vector<std::size_t> value_positions;   ///< where each goes in the batch
  std::vector<MetadataColumn> metadata;
  std::size_t width = 0;           ///< columns of a batch
};

struct StreamSinkConfig {
  StreamLocation where;
  std::string table;
  std::int32_t partitions = 1;     ///< of a topic that is created
  DurationUs retention_us = 0;     ///< of a topic that is created; 0 = for ever
  formats::FormatOptions format;
  Schema value_schema;
  std::vector<std::size_t> value_positions;   ///< columns of the batch that make the record
  std::optional<std::size_t> timestamp_position;   ///< METADATA 'timestamp': the record's timestamp
  formats::FormatOptions key_format;
  Schema key_schema;               ///< empty: no key
  std::vector<std::size_t> key_positions;
};

Result<StreamSourceConfig> stream_source_config(const catalog::SourceRequest& request);
Result<StreamSinkConfig> stream_sink_config(const catalog::SinkRequest& request);

/// "partition:0,offset:42;partition:1,offset:300", as Flink writes it.
Result<std::map<PartitionId, Offset>> parse_specific_offsets(std::string_view text);

}  // namespace supyo::connect
