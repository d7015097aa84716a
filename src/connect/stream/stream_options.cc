#include "connect/stream/stream_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "connect/stream/stream.h"

namespace supyo::connect {
namespace {

constexpr std::string_view kEmbedded = "embedded:";

std::string get(const catalog::Options& o, std::string_view key) { return catalog::option_text(o, stream_descriptor(), key); }

Result<StreamLocation> location(const catalog::TableDefinition& table, const std::string& base_directory) {
  StreamLocation where;
  const std::string servers = get(table.options, "properties.bootstrap.servers");
  if (!servers.starts_with(kEmbedded) || servers.size() == kEmbedded.size())
    return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'properties.bootstrap.servers' = '{}'", table.path.name, servers), "an embedded log is written 'embedded:DIR'");
  where.log_directory = servers.substr(kEmbedded.size());
  if (!where.log_directory.starts_with('/') && !base_directory.empty()) where.log_directory = env::join_path(base_directory, where.log_directory);
  where.topic = get(table.options, "topic");
  if (where.topic.empty()) return fail(ErrorCode::kMissingOption, fmt::format("table '{}' needs the option 'topic'", table.path.name));
  if (where.topic.find(';') != std::string::npos)
    return fail(ErrorCode::kUnsupported, fmt::format("table '{}': several topics in one table", table.path.name), "declare one table a topic and UNION ALL them");
  return where;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<StreamBound> bound(const catalog::Options& o, std::string_view side, std::string_view mode) {
  StreamBound b;
  const std::string prefix = fmt::format("scan.{}.", side);
  const auto missing = [&](std::string_view key) { return fail(ErrorCode::kMissingOption, fmt::format("'{}mode' = '{}' needs the option '{}{}'", prefix, mode, prefix, key)); };
  if (mode == "earliest-offset" || mode == "earliest") b.kind = StreamBound::Kind::kEarliest;
  else if (mode == "latest-offset" || mode == "latest") b.kind = StreamBound::Kind::kLatest;
  else if (mode == "group-offsets") b.kind = StreamBound::Kind::kGroup;
  else if (mode == "timestamp") {
    b.kind = StreamBound::Kind::kTimestamp;
    const auto it = o.find(prefix + "timestamp-millis");
    if (it == o.end()) return missing("timestamp-millis");
    b.timestamp_us = number<std::int64_t>(it->second).value_or(0) * kMillisecond;
  } else if (mode == "specific-offsets") {
    b.kind = StreamBound::Kind::kSpecific;
    const auto it = o.find(prefix + "specific-offsets");
    if (it == o.end()) return missing("specific-offsets");
    SUPYO_ASSIGN(b.offsets, parse_specific_offsets(it->second));
  }
  return b;
}

Result<StreamMetadata> metadata_kind(const catalog::ColumnDefinition& c) {
  const std::string key = c.metadata_key.empty() ? c.name : c.metadata_key;
  const std::pair<std::string_view, StreamMetadata> kinds[] = {
      {"timestamp", StreamMetadata::kTimestamp}, {"partition", StreamMetadata::kPartition}, {"offset", StreamMetadata::kOffset}, {"topic", StreamMetadata::kTopic}};
  for (const auto& [name, kind] : kinds) {
    if (name != key) continue;
    const bool fits = kind == StreamMetadata::kTimestamp   ? c.type.is_timestamp()
                      : kind == StreamMetadata::kPartition ? c.type.id == TypeId::kInteger
                      : kind == StreamMetadata::kOffset    ? c.type.id == TypeId::kBigInt
                                                           : c.type.is_text();
    if (fits) return kind;
    return fail(ErrorCode::kTypeMismatch, fmt::format("metadata column '{}' cannot be of type {}", c.name, c.type.to_string()),
                "timestamp is TIMESTAMP_LTZ(3), partition INT, offset BIGINT, topic STRING");
  }
  return fail(ErrorCode::kUnknownColumn, fmt::format("the stream has no metadata '{}' (column '{}')", key, c.name), "it has: timestamp, partition, offset, topic");
}

const catalog::ColumnDefinition& definition(const catalog::TableDefinition& table, const std::string& name) {
  return *std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& c) { return c.name == name; });
}

Status key_config(const catalog::TableDefinition& table, const Schema& schema, StreamSinkConfig& c) {
  const auto fields = table.options.find("key.fields");
  if (fields == table.options.end()) return ok();
  std::string_view rest = fields->second;
  while (!rest.empty()) {
    const std::size_t semicolon = rest.find(';');
    const std::string_view name = rest.substr(0, semicolon);
    const auto position = schema.find(name);
    if (!position) return fail(ErrorCode::kUnknownColumn, fmt::format("'key.fields' names '{}', which table '{}' does not write", name, table.path.name));
    c.key_positions.push_back(*position);
    c.key_schema.add(std::string(name), schema[*position].type);
    rest = semicolon == std::string_view::npos ? std::string_view() : rest.substr(semicolon + 1);
  }
  c.key_format.name = get(table.options, "key.format");
  if (c.key_format.name.empty()) c.key_format = c.format;
  return ok();
}

}  // namespace

Result<std::map<PartitionId, Offset>> parse_specific_offsets(std::string_view text) {
  std::map<PartitionId, Offset> offsets;
  const auto bad = [&] { return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' does not name offsets", text), "write partition:0,offset:42;partition:1,offset:300"); };
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t semicolon = rest.find(';');
    std::string_view entry = rest.substr(0, semicolon);
    const std::size_t comma = entry.find(',');
    if (comma == std::string_view::npos || !entry.starts_with("partition:") || !entry.substr(comma + 1).starts_with("offset:")) return bad();
    const auto partition = number<std::int32_t>(entry.substr(10, comma - 10));
    const auto offset = number<std::int64_t>(entry.substr(comma + 8));
    if (!partition || !offset || *partition < 0 || *offset < 0) return bad();
    offsets[PartitionId(*partition)] = Offset(*offset);
    rest = semicolon == std::string_view::npos ? std::string_view() : rest.substr(semicolon + 1);
  }
  return offsets;
}

bool is_embedded_log(const catalog::Options& options) {
  const auto it = options.find("properties.bootstrap.servers");
  return it != options.end() && it->second.starts_with(kEmbedded);
}

catalog::ConnectorDescriptor stream_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "kafka";
  d.options = {
      {.key = "topic", .required = true, .help = "the topic's name"},
      {.key = "properties.bootstrap.servers", .required = true, .help = "embedded:DIR is a log in that directory, without a broker"},
      {.key = "properties.group.id", .help = "consumer group: its offsets are committed with the epochs, for monitoring and for 'group-offsets'"},
      {.key = "properties.auto.offset.reset", .kind = K::kEnum, .default_value = "earliest", .allowed = {"earliest", "latest", "none"}, .help = "where 'group-offsets' starts when the group has none"},
      {.key = "properties.isolation.level", .kind = K::kEnum, .default_value = "read_committed", .allowed = {"read_committed", "read_uncommitted"}, .help = "read_uncommitted also gives rows of epochs that may yet be taken back"},
      {.key = "properties.client.id", .help = "accepted; the embedded log has no use for it"},
      {.key = "properties.transaction.timeout.ms", .kind = K::kInteger, .help = "accepted; staged epochs do not time out"},
      {.key = "scan.startup.mode", .kind = K::kEnum, .default_value = "group-offsets", .allowed = {"earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets"}, .help = "where a new job starts; without a group, group-offsets means earliest-offset"},
      {.key = "scan.startup.timestamp-millis", .kind = K::kInteger, .help = "for scan.startup.mode = timestamp"},
      {.key = "scan.startup.specific-offsets", .help = "for scan.startup.mode = specific-offsets: partition:0,offset:42;partition:1,offset:300"},
      {.key = "scan.bounded.mode", .kind = K::kEnum, .default_value = "unbounded", .allowed = {"unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"}, .help = "where the job stops reading; latest-offset is the end when it starts"},
      {.key = "scan.bounded.timestamp-millis", .kind = K::kInteger, .help = "for scan.bounded.mode = timestamp"},
      {.key = "scan.bounded.specific-offsets", .help = "for scan.bounded.mode = specific-offsets"},
      {.key = "value.format", .help = "same as 'format'"},
      {.key = "value.fields-include", .kind = K::kEnum, .default_value = "ALL", .allowed = {"ALL"}, .help = "the record's value holds the key's columns, too"},
      {.key = "key.fields", .help = "columns (separated by ;) that make the record's key: equal keys go to one partition"},
      {.key = "key.format", .kind = K::kEnum, .allowed = {"json", "csv", "raw"}, .help = "how the key is written; as the value unless given"},
      {.key = "sink.partitions", .kind = K::kInteger, .default_value = "1", .help = "partitions of the topic when the sink creates it (Flink has no such option)"},
      {.key = "sink.retention", .kind = K::kDuration, .help = "of the topic when the sink creates it: older records are deleted; for ever unless given (Flink has no such option)"},
      {.key = "sink.delivery-guarantee", .kind = K::kEnum, .default_value = "exactly-once", .allowed = {"exactly-once", "at-least-once", "none"}, .help = "the embedded log always gives exactly-once"},
      {.key = "sink.transactional-id-prefix", .help = "accepted; epochs are told apart by the job's id"},
      {.key = "sink.parallelism", .kind = K::kInteger, .help = "accepted; the job's parallelism counts"},
  };
  d.source = d.sink = d.needs_format = true;
  d.accepts = ChangelogMode::kAppend;
  d.guarantee = DeliveryGuarantee::kExactlyOnce;
  d.metadata = {{"timestamp", Type::timestamp_ltz(3).not_null()}, {"partition", Type::integer().not_null()}, {"offset", Type::big_int().not_null()}, {"topic", Type::string().not_null()}};
  d.help = "topics of an embedded log";
  return d;
}

Result<StreamSourceConfig> stream_source_config(const catalog::SourceRequest& request) {
  const catalog::TableDefinition& table = request.table;
  StreamSourceConfig c;
  SUPYO_ASSIGN(c.where, location(table, request.base_directory));
  c.table = table.path.name;
  c.group = get(table.options, "properties.group.id");
  c.isolation = get(table.options, "properties.isolation.level") == "read_uncommitted" ? log::Isolation::kReadUncommitted : log::Isolation::kReadCommitted;
  SUPYO_ASSIGN(c.start, bound(table.options, "startup", get(table.options, "scan.startup.mode")));
  SUPYO_ASSIGN(c.stop, bound(table.options, "bounded", get(table.options, "scan.bounded.mode")));
  SUPYO_ASSIGN(c.start_without_group_offset, bound(table.options, "startup", get(table.options, "properties.auto.offset.reset")));
  if (c.stop.kind == StreamBound::Kind::kGroup && c.group.empty())
    return fail(ErrorCode::kMissingOption, "'scan.bounded.mode' = 'group-offsets' needs the option 'properties.group.id'");
  c.format = formats::format_of(table.options);
  std::map<std::string, std::size_t> value_index;
  for (const auto& column : table.columns) {
    if (column.kind != catalog::ColumnDefinition::Kind::kPhysical) continue;
    value_index[column.name] = c.value_schema.size();
    c.value_schema.add(column.name, column.type);
  }
  const Schema schema = table.schema();
  c.width = request.columns.size();
  for (std::size_t position = 0; position < request.columns.size(); ++position) {
    const Field& field = schema[request.columns[position]];
    if (const auto value = value_index.find(field.name); value != value_index.end()) {
      c.value_columns.push_back(value->second);
      c.value_positions.push_back(position);
    } else {
      SUPYO_ASSIGN(const StreamMetadata what, metadata_kind(definition(table, field.name)));
      c.metadata.push_back({position, what, field.type});
    }
  }
  return c;
}

Result<StreamSinkConfig> stream_sink_config(const catalog::SinkRequest& request) {
  const catalog::TableDefinition& table = request.table;
  StreamSinkConfig c;
  SUPYO_ASSIGN(c.where, location(table, request.base_directory));
  c.table = table.path.name;
  const std::int64_t partitions = catalog::option_integer(table.options, stream_descriptor(), "sink.partitions");
  if (partitions < 1 || partitions > 1000) return fail(ErrorCode::kBadOptionValue, fmt::format("'sink.partitions' = '{}'", partitions), "1 to 1000");
  c.partitions = static_cast<std::int32_t>(partitions);
  if (table.options.contains("sink.retention")) c.retention_us = catalog::option_duration(table.options, stream_descriptor(), "sink.retention");
  c.format = formats::format_of(table.options);
  for (std::size_t i = 0; i < request.schema.size(); ++i) {
    const Field& field = request.schema[i];
    const catalog::ColumnDefinition& column = definition(table, field.name);
    if (column.kind != catalog::ColumnDefinition::Kind::kMetadata) {
      c.value_positions.push_back(i);
      c.value_schema.add(field.name, field.type);
      continue;
    }
    SUPYO_ASSIGN(const StreamMetadata what, metadata_kind(column));
    if (what != StreamMetadata::kTimestamp)
      return fail(ErrorCode::kInvalidQuery, fmt::format("metadata column '{}' of table '{}' cannot be written", field.name, table.path.name), "declare it VIRTUAL");
    c.timestamp_position = i;
  }
  SUPYO_TRY(key_config(table, request.schema, c));
  return c;
}

}  // namespace supyo::connect
