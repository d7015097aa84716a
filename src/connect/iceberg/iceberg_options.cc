#include "connect/iceberg/iceberg_options.h"

#include <set>

#include "connect/iceberg/iceberg.h"
#include "core/env/env.h"
#include "data/iceberg/commit.h"
#include "data/iceberg/table.h"

namespace supyo::connect {
namespace {

// Options that say where the table is, and are not kept in it.
const std::set<std::string, std::less<>> kLocationOptions = {"connector", "type", "catalog-name", "catalog-type", "warehouse", "catalog-database", "catalog-table", "property-version", "format-version"};

std::string text_or(const catalog::Options& options, const char* key, const std::string& fallback) {
  const auto it = options.find(key);
  return it == options.end() ? fallback : it->second;
}

}  // namespace

catalog::ConnectorDescriptor iceberg_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "iceberg";
  d.options = {
      {.key = "catalog-name", .kind = K::kText, .help = "name of the catalog in messages"},
      {.key = "catalog-type", .kind = K::kEnum, .default_value = "hadoop", .allowed = {"hadoop"}, .help = "hadoop: tables are found by their path"},
      {.key = "warehouse", .kind = K::kText, .required = true, .help = "directory that holds databases of tables: a path or a file:// URI"},
      {.key = "catalog-database", .kind = K::kText, .help = "database (default: the one the table is declared in)"},
      {.key = "catalog-table", .kind = K::kText, .help = "table (default: the declared name)"},
      {.key = "property-version", .kind = K::kText, .help = "taken and ignored, as Flink's catalog does"},
      {.key = "format-version", .kind = K::kEnum, .default_value = "2", .allowed = {"2"}, .help = "Iceberg table format"},
      {.key = "write.*", .kind = K::kText, .help = "table properties of Iceberg: write.parquet.compression-codec, write.target-file-size-bytes, write.metadata.*"},
      {.key = "commit.*", .kind = K::kText, .help = "table properties of Iceberg: commit.manifest-merge.enabled, commit.manifest.min-count-to-merge"},
      {.key = "history.*", .kind = K::kText, .help = "table properties of Iceberg: history.expire.max-snapshot-age-ms, history.expire.min-snapshots-to-keep"},
      {.key = "supyo.*", .kind = K::kText, .help = "supyo.history.max-snapshots (100): most snapshots kept; supyo.shared-writers (false): several jobs may write the table at once"},
  };
  d.source = d.sink = true;
  d.accepts = ChangelogMode::kAppend;
  d.guarantee = DeliveryGuarantee::kExactlyOnce;
  d.help = "Apache Iceberg tables in a directory, readable by any Iceberg reader";
  return d;
}

Status check_iceberg_name(const std::string& name) {
  if (!name.empty() && name.find('/') == std::string::npos && name.front() != '.' && name.find('\0') == std::string::npos) return ok();
  return fail(ErrorCode::kBadOptionValue, fmt::format("`{}` cannot be the name of a directory", name), "names of Iceberg databases and tables become directories: no '/', no leading '.'");
}

Result<std::string> iceberg_warehouse(const catalog::Options& options, const std::string& base_directory) {
  std::string warehouse = text_or(options, "warehouse", "");
  if (warehouse.empty()) return fail(ErrorCode::kMissingOption, "an Iceberg catalog needs 'warehouse'", "'warehouse' = '/path/to/warehouse'");
  const std::string type = text_or(options, "catalog-type", "hadoop");
  if (type != "hadoop" || options.contains("catalog-impl"))
    return fail(ErrorCode::kUnsupported, fmt::format("Iceberg catalog-type '{}'", options.contains("catalog-impl") ? options.at("catalog-impl") : type), "use 'catalog-type' = 'hadoop'");
  SUPYO_ASSIGN(const std::string local, iceberg::local_path(warehouse));
  if (!local.starts_with('/')) warehouse = env::join_path(base_directory, local);
  while (warehouse.size() > 1 && warehouse.ends_with('/')) warehouse.pop_back();
  SUPYO_ASSIGN(const std::string final_path, iceberg::local_path(warehouse));
  if (!final_path.starts_with('/'))
    return fail(ErrorCode::kBadOptionValue, fmt::format("'warehouse' = '{}' is not an absolute path", warehouse), "Iceberg metadata names files by their full path: give one");
  return warehouse;
}

Result<std::string> iceberg_location(const catalog::TableDefinition& table, const std::string& base_directory) {
  SUPYO_ASSIGN(const std::string warehouse, iceberg_warehouse(table.options, base_directory));
  const std::string database = text_or(table.options, "catalog-database", table.path.database);
  const std::string name = text_or(table.options, "catalog-table", table.path.name);
  SUPYO_TRY(check_iceberg_name(database));
  SUPYO_TRY(check_iceberg_name(name));
  return warehouse + "/" + database + "/" + name;
}

Result<std::map<std::string, std::string>> iceberg_properties(const catalog::Options& options) {
  auto properties = iceberg::streaming_defaults();
  for (const auto& [key, value] : options)
    if (!kLocationOptions.contains(key)) properties[key] = value;
  if (text_or(options, "format-version", "2") != "2") return fail(ErrorCode::kUnsupported, "Iceberg 'format-version' other than 2", "'format-version' = '2'");
  if (properties["write.format.default"] != "parquet") return fail(ErrorCode::kUnsupported, "Iceberg data files other than Parquet", "'write.format.default' = 'parquet'");
  const auto upsert = properties.find("write.upsert.enabled");
  if (upsert != properties.end() && upsert->second == "true")
    return fail(ErrorCode::kUnsupported, "'write.upsert.enabled' = 'true'", "the sink appends: write a changelog's final rows from a windowed query");
  const std::string codec = properties["write.parquet.compression-codec"];
  if (codec != "zstd" && codec != "snappy" && codec != "gzip" && codec != "uncompressed")
    return fail(ErrorCode::kBadOptionValue, fmt::format("'write.parquet.compression-codec' = '{}'", codec), "zstd, snappy, gzip or uncompressed");
  return properties;
}

Result<iceberg::TableMetadata> iceberg_new_table(const catalog::TableDefinition& table, const std::string& location, const env::Env& env) {
  Schema columns;
  for (const auto& column : table.columns) {
    if (column.kind == catalog::ColumnDefinition::Kind::kComputed || column.is_virtual) continue;
    const bool key = std::find(table.primary_key.begin(), table.primary_key.end(), column.name) != table.primary_key.end();
    columns.add(column.name, key ? column.type.not_null() : column.type);
  }
  SUPYO_ASSIGN(iceberg::TableSchema schema, iceberg::make_schema(columns, table.primary_key));
  for (std::size_t i = 0; i < schema.fields.size(); ++i)
    for (const auto& column : table.columns)
      if (column.name == schema.fields[i].name) schema.fields[i].doc = column.comment;
  SUPYO_ASSIGN(iceberg::PartitionSpec spec, iceberg::make_partition_spec(schema, table.partition_keys));
  SUPYO_ASSIGN(auto properties, iceberg_properties(table.options));
  if (!table.comment.empty()) properties["comment"] = table.comment;
  return iceberg::new_table_metadata(env::new_uuid(env.random), location, std::move(schema), std::move(spec), std::move(properties), env.clock.now_us() / kMillisecond);
}

}  // namespace supyo::connect
