#include "connect/stream/stream_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "connect/stream/record_headers.h"
#include "connect/stream/schema_registry.h"
#include "connect/stream/stream.h"
#include "data/formats/columnar.h"

namespace supyo::connect {
namespace {

constexpr std::string_view kEmbedded = "embedded:";
constexpr DurationUs kDiscoveryInterval = 5 * kMinute;   // as in Flink

std::string get(const catalog::Options& o, std::string_view key) { return catalog::option_text(o, stream_descriptor(), key); }

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t semicolon = text.find(';');
    std::string_view part = text.substr(0, semicolon);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text = semicolon == std::string_view::npos ? std::string_view() : text.substr(semicolon + 1);
  }
  return parts;
}

/// Options that only brokers have a use for: refused for the embedded log, since ignoring them would change what the job does.
constexpr std::string_view kBrokerOnly[] = {"topic-pattern", "scan.topic-partition-discovery.interval"};

Result<StreamLocation> location(const catalog::TableDefinition& table, const std::string& base_directory) {
  StreamLocation where;
  const std::string servers = get(table.options, "properties.bootstrap.servers");
  where.topics = split_list(get(table.options, "topic"));
  where.topic_pattern = get(table.options, "topic-pattern");
  if (where.topics.empty() == where.topic_pattern.empty())
    return fail(ErrorCode::kMissingOption, fmt::format("table '{}' needs one of the options 'topic' and 'topic-pattern'", table.path.name));
  if (!where.topics.empty()) where.topic = where.topics.front();
  if (!servers.starts_with(kEmbedded)) {
    if (servers.empty()) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'properties.bootstrap.servers' is empty", table.path.name), "host:port,.. or embedded:DIR");
    where.servers = servers;
    return where;
  }
  if (servers.size() == kEmbedded.size())
    return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'properties.bootstrap.servers' = '{}'", table.path.name, servers), "an embedded log is written 'embedded:DIR'");
  for (const std::string_view key : kBrokerOnly)
    if (table.options.contains(std::string(key)))
      return fail(ErrorCode::kUnsupported, fmt::format("table '{}': option '{}' on an embedded log", table.path.name, key), "it works with a broker");
  where.log_directory = servers.substr(kEmbedded.size());
  if (!where.log_directory.starts_with('/') && !base_directory.empty()) where.log_directory = env::join_path(base_directory, where.log_directory);
  if (where.topics.size() > 1)
    return fail(ErrorCode::kUnsupported, fmt::format("table '{}': several topics in one table", table.path.name), "declare one table a topic and UNION ALL them");
  return where;
}

/// What goes to a broker's client. The table's connector declares which there may be.
Result<ClientProperties> client_properties(const catalog::Options& options) {
  constexpr std::string_view kPrefix = "properties.";
  ClientProperties all;
  for (const auto& [key, value] : options)
    if (key.starts_with(kPrefix)) all[key.substr(kPrefix.size())] = value;
  if (const auto jaas = all.find("sasl.jaas.config"); jaas != all.end()) {
    if (all.contains("sasl.username") || all.contains("sasl.password"))
      return fail(ErrorCode::kBadOptionValue, "'properties.sasl.jaas.config' beside 'properties.sasl.username' or 'properties.sasl.password'", "one of the two ways to log in");
    SUPYO_ASSIGN(auto login, jaas_login(jaas->second));
    all.erase(jaas);
    std::tie(all["sasl.username"], all["sasl.password"]) = std::move(login);
  }
  return all;
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
      {"timestamp", StreamMetadata::kTimestamp}, {"partition", StreamMetadata::kPartition},        {"offset", StreamMetadata::kOffset},
      {"topic", StreamMetadata::kTopic},         {"timestamp-type", StreamMetadata::kTimestampType}, {"leader-epoch", StreamMetadata::kLeaderEpoch},
      {"headers", StreamMetadata::kHeaders}};
  for (const auto& [name, kind] : kinds) {
    if (name != key) continue;
    const bool fits = kind == StreamMetadata::kTimestamp   ? c.type.is_timestamp()
                      : kind == StreamMetadata::kPartition || kind == StreamMetadata::kLeaderEpoch ? c.type.id == TypeId::kInteger
                      : kind == StreamMetadata::kOffset    ? c.type.id == TypeId::kBigInt
                      : kind == StreamMetadata::kHeaders   ? c.type.same_kind(headers_type())
                                                           : c.type.is_text();
    if (fits) return kind;
    return fail(ErrorCode::kTypeMismatch, fmt::format("metadata column '{}' cannot be of type {}", c.name, c.type.to_string()),
                "timestamp is TIMESTAMP_LTZ(3), partition and leader-epoch INT, offset BIGINT, topic and timestamp-type STRING, headers MAP<STRING, BYTES>");
  }
  return fail(ErrorCode::kUnknownColumn, fmt::format("the stream has no metadata '{}' (column '{}')", key, c.name), "it has: timestamp, timestamp-type, partition, offset, topic, headers; a broker's has leader-epoch, too");
}

const catalog::ColumnDefinition& definition(const catalog::TableDefinition& table, const std::string& name) {
  return *std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& c) { return c.name == name; });
}

/// 'PART.format' with its options, 'PART.json.x'; `otherwise` when there is none.
formats::FormatOptions format_of_part(const catalog::Options& options, std::string_view part, formats::FormatOptions otherwise) {
  const std::string name = get(options, fmt::format("{}.format", part));
  if (name.empty()) return otherwise;
  formats::FormatOptions format{.name = name, .options = {}};
  const std::string prefix = fmt::format("{}.{}.", part, name);
  for (const auto& [k, v] : options)
    if (k.starts_with(prefix)) format.options.emplace_back(k.substr(prefix.size()), v);
  return format;
}
formats::FormatOptions value_format(const catalog::Options& options) {
  return options.contains("format") ? formats::format_of(options) : format_of_part(options, "value", {});
}
formats::FormatOptions key_format(const catalog::Options& options, const formats::FormatOptions& value) {
  formats::FormatOptions as_value = value;
  std::erase_if(as_value.options, [](const auto& o) { return o.first == "subject" || o.first == "schema-registry.subject" || o.first == "schema"; });   // of the value alone
  return format_of_part(options, "key", value.name == formats::kColumnar || formats::is_changelog(value.name) ? formats::FormatOptions{.name = "json", .options = {}} : std::move(as_value));
}

/// With the subjects that Flink gives a topic's keys and values.
Status attach_registries(const StreamLocation& where, formats::FormatOptions& value, formats::FormatOptions& key) {
  SUPYO_TRY(attach_schema_registry(value, where.topic + "-value"));
  return attach_schema_registry(key, where.topic + "-key");
}

/// Whether the table is of rows in columns, which only the embedded log has.
Result<bool> is_columnar(const formats::FormatOptions& format, const Schema& values, bool embedded) {
  if (format.name != formats::kColumnar || !embedded) return false;   // what a broker cannot have, make_decoder() says
  if (!format.options.empty()) return fail(ErrorCode::kUnknownOption, fmt::format("format 'columnar' has no option 'columnar.{}'", format.options.front().first), "it has none");
  SUPYO_TRY(formats::check_columnar(values));
  return true;
}

/// What the value's format calls a METADATA column that it has; empty: none of its.
std::string value_metadata(const catalog::ColumnDefinition& c, const formats::FormatOptions& format) {
  if (c.kind != catalog::ColumnDefinition::Kind::kMetadata) return {};
  const std::string& key = c.metadata_key.empty() ? c.name : c.metadata_key;
  const bool there = key.starts_with("value.") && formats::format_metadata(format.name).contains(key.substr(6));
  return there ? key.substr(6) : std::string();
}

/// A changelog's records are told from each other by what they say, not by their keys.
Status check_changelog(const StreamSourceConfig& c, bool except_key) {
  if (!formats::is_changelog(c.format.name)) return ok();
  if (except_key) return fail(ErrorCode::kUnsupported, fmt::format("table '{}': 'value.fields-include' = 'EXCEPT_KEY' with format '{}'", c.table, c.format.name), "leave it out: the records hold all columns");
  return ok();
}

/// The key's columns; with 'value.fields-include' = 'EXCEPT_KEY' the value does not hold them.
struct KeyColumns {
  std::vector<std::string> names;
  std::string prefix;        ///< of their columns' names; the record's field has it not
  bool except = false;
  bool has(const std::string& name) const { return std::find(names.begin(), names.end(), name) != names.end(); }
  std::string field(const std::string& name) const { return name.substr(prefix.size()); }
};

Result<KeyColumns> key_columns(const catalog::TableDefinition& table, const Schema& schema) {
  KeyColumns k{.names = split_list(get(table.options, "key.fields")), .prefix = get(table.options, "key.fields-prefix"), .except = get(table.options, "value.fields-include") == "EXCEPT_KEY"};
  if (table.options.contains("key.format") && k.names.empty()) return fail(ErrorCode::kMissingOption, fmt::format("table '{}': 'key.format' needs the option 'key.fields'", table.path.name));
  if (!k.prefix.empty() && !k.except)
    return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'", table.path.name));
  for (const std::string& name : k.names) {
    if (!schema.find(name)) return fail(ErrorCode::kUnknownColumn, fmt::format("'key.fields' names '{}', which is no column of the records of table '{}'", name, table.path.name));
    if (!name.starts_with(k.prefix)) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': key column '{}' does not begin with the prefix '{}'", table.path.name, name, k.prefix));
  }
  return k;
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
      {.key = "topic", .help = "the topic's name; several, separated by ;, as a source on a broker"},
      {.key = "topic-pattern", .help = "regular expression that the whole name of a topic must match: source on a broker"},
      {.key = "properties.bootstrap.servers", .required = true, .help = "host:port,.. of brokers; embedded:DIR is a log in that directory, without a broker"},
      {.key = "properties.group.id", .help = "consumer group: its offsets are committed with the epochs, for monitoring and for 'group-offsets'"},
      {.key = "properties.auto.offset.reset", .kind = K::kEnum, .allowed = {"earliest", "latest", "none"}, .help = "where 'group-offsets' starts when the group has none (embedded log: earliest unless given; broker: an error unless given); on a broker, also where reading goes on when retention overtook it, which is an error unless given and counted as lost records in the table `T$dead` if it is"},
      {.key = "properties.isolation.level", .kind = K::kEnum, .allowed = {"read_committed", "read_uncommitted"}, .help = "read_uncommitted also gives rows of transactions that may yet be taken back; embedded log: read_committed unless given; broker: read_uncommitted unless given, as in Flink"},
      {.key = "properties.client.id", .help = "how the broker's logs and quotas call this client"},
      {.key = "properties.transaction.timeout.ms", .kind = K::kInteger, .help = "broker: 60000 unless given; a transaction is open only while an epoch is sent. The embedded log's staged epochs do not time out"},
      {.key = "scan.startup.mode", .kind = K::kEnum, .default_value = "group-offsets", .allowed = {"earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets"}, .help = "where a new job starts; without a group, group-offsets means earliest-offset"},
      {.key = "scan.startup.timestamp-millis", .kind = K::kInteger, .help = "for scan.startup.mode = timestamp"},
      {.key = "scan.startup.specific-offsets", .help = "for scan.startup.mode = specific-offsets: partition:0,offset:42;partition:1,offset:300"},
      {.key = "scan.bounded.mode", .kind = K::kEnum, .default_value = "unbounded", .allowed = {"unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"}, .help = "where the job stops reading; latest-offset is the end when it starts"},
      {.key = "scan.bounded.timestamp-millis", .kind = K::kInteger, .help = "for scan.bounded.mode = timestamp"},
      {.key = "scan.bounded.specific-offsets", .help = "for scan.bounded.mode = specific-offsets"},
      {.key = "value.format", .help = "same as 'format'; its options begin with 'value.', then"},
      {.key = "value.avro.*", .help = "the same of avro"},
      {.key = "value.avro-confluent.*", .help = "the same of avro-confluent"},
      {.key = "value.debezium-avro-confluent.*", .help = "the same of debezium-avro-confluent"},
      {.key = "value.json.*", .help = "the value's format's own options, with 'value.format'"},
      {.key = "value.debezium-json.*", .help = "the value's format's own options, with 'value.format'"},
      {.key = "value.csv.*", .help = "the value's format's own options, with 'value.format'"},
      {.key = "scan.topic-partition-discovery.interval", .kind = K::kDuration, .help = "broker: how often new partitions and topics are looked for (5 min unless given; 0 = at the start only). Found ones are read from their start: the job goes back to its last epoch to take them in"},
      {.key = "value.fields-include", .kind = K::kEnum, .default_value = "ALL", .allowed = {"ALL", "EXCEPT_KEY"}, .help = "whether the record's value holds the key's columns, too"},
      {.key = "key.fields", .help = "columns (separated by ;) that make the record's key: equal keys go to one partition"},
      {.key = "key.fields-prefix", .help = "of the key's columns, to tell them from the value's; needs 'value.fields-include' = 'EXCEPT_KEY'"},
      {.key = "key.format", .kind = K::kEnum, .allowed = {"json", "csv", "avro", "avro-confluent", "raw"}, .help = "how the key is written; as the value unless given"},
      {.key = "key.avro.*", .help = "the same of avro"},
      {.key = "key.avro-confluent.*", .help = "the same of avro-confluent"},
      {.key = "key.json.*", .help = "the key's format's own options"},
      {.key = "key.csv.*", .help = "the key's format's own options"},
      {.key = "sink.partitions", .kind = K::kInteger, .default_value = "1", .help = "partitions of the topic when the sink creates it (Flink has no such option)"},
      {.key = "sink.retention", .kind = K::kDuration, .help = "of the topic when the sink creates it: older records are deleted; for ever unless given (Flink has no such option)"},
      {.key = "sink.delivery-guarantee", .kind = K::kEnum, .default_value = "exactly-once", .allowed = {"exactly-once", "at-least-once", "none"}, .help = "broker: exactly-once is one transaction an epoch (Flink's default is at-least-once); none is as at-least-once. Embedded log: with at-least-once rows are readable as they come, and again after a failure, instead of once with their epoch"},
      {.key = "sink.transactional-id-prefix", .help = "broker: begins the transactional id, which ends with the job's id and the sink's; supyo unless given"},
      {.key = "sink.partitioner", .kind = K::kEnum, .default_value = "default", .allowed = {"default", "fixed", "round-robin"}, .help = "broker: default is by the key as Java's client does it, without a key as the client likes; fixed is one partition a shard"},
      {.key = "scan.parallelism", .kind = K::kInteger, .help = "accepted; the job's parallelism counts"},
      {.key = "sink.parallelism", .kind = K::kInteger, .help = "accepted; the job's parallelism counts"},
  };
  d.source = d.sink = d.needs_format = true;
  d.accepts = ChangelogMode::kAppend;
  d.guarantee = DeliveryGuarantee::kExactlyOnce;
  d.metadata = {{"timestamp", Type::timestamp_ltz(3).not_null()}, {"partition", Type::integer().not_null()}, {"offset", Type::big_int().not_null()}, {"topic", Type::string().not_null()}, {"timestamp-type", Type::string().not_null()}, {"leader-epoch", Type::integer()}, {"headers", headers_type().not_null()}};
  for (const auto& [key, type] : formats::format_metadata("debezium-json")) d.metadata.emplace("value." + key, type);
  for (const ClientProperty& p : client_property_list()) d.options.push_back({.key = fmt::format("properties.{}", p.name), .help = std::string(p.help)});
  d.help = "topics of Kafka brokers or of an embedded log";
  return d;
}

Result<StreamSourceConfig> stream_source_config(const catalog::SourceRequest& request, bool upsert) {
  const catalog::TableDefinition& table = request.table;
  StreamSourceConfig c;
  SUPYO_ASSIGN(c.where, location(table, request.base_directory));
  c.table = table.path.name;
  c.group = get(table.options, "properties.group.id");
  const bool embedded = !c.where.log_directory.empty();
  const std::string isolation = get(table.options, "properties.isolation.level");
  c.isolation = isolation == "read_uncommitted" || (isolation.empty() && !embedded) ? log::Isolation::kReadUncommitted : log::Isolation::kReadCommitted;
  SUPYO_ASSIGN(c.start, bound(table.options, "startup", get(table.options, "scan.startup.mode")));
  SUPYO_ASSIGN(c.stop, bound(table.options, "bounded", get(table.options, "scan.bounded.mode")));
  const std::string reset = get(table.options, "properties.auto.offset.reset");
  SUPYO_ASSIGN(c.start_without_group_offset, bound(table.options, "startup", reset.empty() && embedded ? "earliest" : reset));
  if (c.stop.kind == StreamBound::Kind::kGroup && c.group.empty())
    return fail(ErrorCode::kMissingOption, "'scan.bounded.mode' = 'group-offsets' needs the option 'properties.group.id'");
  c.format = value_format(table.options);
  SUPYO_ASSIGN(c.properties, client_properties(table.options));
  c.discovery_interval_us = table.options.contains("scan.topic-partition-discovery.interval") ? catalog::option_duration(table.options, stream_descriptor(), "scan.topic-partition-discovery.interval") : kDiscoveryInterval;
  const Schema schema = table.schema();
  SUPYO_ASSIGN(const KeyColumns key, key_columns(table, schema));
  c.key_format = key_format(table.options, c.format);
  SUPYO_TRY(attach_registries(c.where, c.format, c.key_format));
  c.upsert = upsert;
  c.key_in_value = !key.except;
  std::map<std::string, std::size_t> value_index, key_index;
  for (const auto& column : table.columns) {
    if (column.kind != catalog::ColumnDefinition::Kind::kPhysical) continue;
    if ((key.except || upsert) && key.has(column.name)) {
      key_index[column.name] = c.key_schema.size();
      c.key_schema.add(key.field(column.name), column.type);
      if (key.except) continue;
    }
    value_index[column.name] = c.value_schema.size();
    c.value_schema.add(column.name, column.type, column.nested);
  }
  SUPYO_TRY(check_changelog(c, key.except));
  SUPYO_ASSIGN(c.columnar, is_columnar(c.format, c.value_schema, embedded));
  c.width = request.columns.size();
  for (std::size_t position = 0; position < request.columns.size(); ++position) {
    const Field& field = schema[request.columns[position]];
    if (const auto value = value_index.find(field.name); value != value_index.end()) {
      c.value_columns.push_back(value->second);
      c.value_positions.push_back(position);
    }
    if (const auto in_key = key_index.find(field.name); in_key != key_index.end()) {
      c.key_columns.push_back(in_key->second);
      c.key_positions.push_back(position);
    } else if (const std::string in_value = value_metadata(definition(table, field.name), c.format); !in_value.empty()) {
      c.format.metadata.emplace(c.value_schema.size(), in_value);
      c.value_columns.push_back(c.value_schema.size());
      c.value_positions.push_back(position);
      c.value_schema.add(field.name, field.type);
    } else if (!value_index.contains(field.name)) {
      SUPYO_ASSIGN(const StreamMetadata what, metadata_kind(definition(table, field.name)));
      if (what == StreamMetadata::kHeaders && c.columnar) return fail(ErrorCode::kUnsupported, fmt::format("column '{}': rows in columns have no headers", field.name), "use a format of records, such as json");
      if (what == StreamMetadata::kLeaderEpoch && embedded) return fail(ErrorCode::kUnsupported, fmt::format("column '{}': an embedded log has no leader epochs", field.name));
      c.metadata.push_back({position, what, field.type});
    }
  }
  if (c.columnar && c.reads_keys())
    return fail(ErrorCode::kUnsupported, fmt::format("table '{}': rows in columns have no keys", table.path.name), "use a format of records, such as json");
  return c;
}

TimeUs StreamSinkConfig::timestamp(const Batch& batch, std::size_t row, TimeUs now) const {
  if (!timestamp_position) return now;
  const Column& column = *batch.columns[*timestamp_position];
  return column.is_null(row) ? now : column.integer(row);
}

Result<StreamSinkConfig> stream_sink_config(const catalog::SinkRequest& request, bool upsert) {
  const catalog::TableDefinition& table = request.table;
  StreamSinkConfig c;
  SUPYO_ASSIGN(c.where, location(table, request.base_directory));
  c.table = table.path.name;
  c.upsert = upsert;
  const std::int64_t partitions = catalog::option_integer(table.options, stream_descriptor(), "sink.partitions");
  if (partitions < 1 || partitions > 1000) return fail(ErrorCode::kBadOptionValue, fmt::format("'sink.partitions' = '{}'", partitions), "1 to 1000");
  c.partitions = static_cast<std::int32_t>(partitions);
  if (table.options.contains("sink.retention")) c.retention_us = catalog::option_duration(table.options, stream_descriptor(), "sink.retention");
  if (c.where.topics.size() != 1)
    return fail(ErrorCode::kUnsupported, fmt::format("table '{}' is no sink: it names {}", table.path.name, c.where.topics.empty() ? "a pattern of topics" : "several topics"), "a sink writes one topic");
  c.format = value_format(table.options);
  SUPYO_ASSIGN(c.properties, client_properties(table.options));
  const std::string guarantee = get(table.options, "sink.delivery-guarantee");
  c.guarantee = guarantee == "exactly-once" ? DeliveryGuarantee::kExactlyOnce : DeliveryGuarantee::kAtLeastOnce;
  c.transactional_id_prefix = get(table.options, "sink.transactional-id-prefix");
  if (c.transactional_id_prefix.empty()) c.transactional_id_prefix = "supyo";
  const std::string partitioner = get(table.options, "sink.partitioner");
  c.partitioner = partitioner == "fixed" ? SinkPartitioner::kFixed : partitioner == "round-robin" ? SinkPartitioner::kRoundRobin : SinkPartitioner::kDefault;
  SUPYO_ASSIGN(const KeyColumns key, key_columns(table, request.schema));
  c.key_format = key_format(table.options, c.format);
  SUPYO_TRY(attach_registries(c.where, c.format, c.key_format));
  for (const std::string& name : key.names) {
    const std::size_t position = *request.schema.find(name);
    c.key_positions.push_back(position);
    c.key_schema.add(key.field(name), request.schema[position].type);
  }
  for (std::size_t i = 0; i < request.schema.size(); ++i) {
    const Field& field = request.schema[i];
    const catalog::ColumnDefinition& column = definition(table, field.name);
    if (key.except && key.has(field.name)) continue;
    if (column.kind != catalog::ColumnDefinition::Kind::kMetadata) {
      c.value_positions.push_back(i);
      c.value_schema.add(field.name, field.type);
      continue;
    }
    SUPYO_ASSIGN(const StreamMetadata what, metadata_kind(column));
    if (what != StreamMetadata::kTimestamp && what != StreamMetadata::kHeaders)
      return fail(ErrorCode::kInvalidQuery, fmt::format("metadata column '{}' of table '{}' cannot be written", field.name, table.path.name), "declare it VIRTUAL");
    (what == StreamMetadata::kTimestamp ? c.timestamp_position : c.headers_position) = i;
  }
  SUPYO_ASSIGN(c.columnar, is_columnar(c.format, c.value_schema, !c.where.log_directory.empty()));
  if (c.columnar && (c.upsert || c.headers_position))
    return fail(ErrorCode::kUnsupported, fmt::format("table '{}': rows in columns have no {}", table.path.name, c.upsert ? "keys" : "headers"), "use a format of records, such as json");
  return c;
}

}  // namespace supyo::connect
