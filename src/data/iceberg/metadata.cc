#include "data/iceberg/metadata.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "core/base/check.h"

namespace supyo::iceberg {
namespace {

using Json = nlohmann::json;

// The fields that TableMetadata holds; all others are carried in other_json.
constexpr std::array kOwnFields = {"format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms", "last-column-id",
                                   "current-schema-id", "schemas", "default-spec-id", "partition-specs", "last-partition-id", "properties",
                                   "current-snapshot-id", "snapshots", "snapshot-log", "metadata-log"};

// Names and properties come from users: bytes that are no UTF-8 must not throw.
std::string text_of(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

SchemaField parse_field(const Json& j) {
  const Json& type = j.at("type");
  return {.id = j.at("id"), .name = j.at("name"), .required = j.at("required"), .type = type.is_string() ? type.get<std::string>() : type.dump(), .doc = j.value("doc", "")};
}

TableSchema parse_schema(const Json& j) {
  TableSchema schema;
  schema.schema_id = j.value("schema-id", 0);
  for (const Json& f : j.at("fields")) schema.fields.push_back(parse_field(f));
  if (j.contains("identifier-field-ids")) schema.identifier_field_ids = j["identifier-field-ids"].get<std::vector<std::int32_t>>();
  return schema;
}

PartitionSpec parse_spec(const Json& j) {
  PartitionSpec spec{.spec_id = j.at("spec-id"), .fields = {}};
  for (const Json& f : j.at("fields"))
    spec.fields.push_back({.source_id = f.at("source-id"), .field_id = f.at("field-id"), .name = f.at("name"), .transform = f.at("transform")});
  return spec;
}

Snapshot parse_snapshot(const Json& j) {
  Snapshot s;
  s.id = j.at("snapshot-id");
  if (j.contains("parent-snapshot-id") && !j["parent-snapshot-id"].is_null()) s.parent_id = j["parent-snapshot-id"];
  s.sequence_number = j.value("sequence-number", std::int64_t{0});
  s.timestamp_ms = j.at("timestamp-ms");
  s.manifest_list = j.at("manifest-list");
  if (j.contains("summary")) s.summary = j["summary"].get<std::map<std::string, std::string>>();
  if (j.contains("schema-id") && !j["schema-id"].is_null()) s.schema_id = j["schema-id"];
  s.json = text_of(j);
  return s;
}

Json to_json(const TableSchema& schema) {
  Json fields = Json::array();
  for (const SchemaField& f : schema.fields) {
    Json j{{"id", f.id}, {"name", f.name}, {"required", f.required}, {"type", f.type.starts_with('{') ? Json::parse(f.type) : Json(f.type)}};
    if (!f.doc.empty()) j["doc"] = f.doc;
    fields.push_back(std::move(j));
  }
  Json j{{"type", "struct"}, {"schema-id", schema.schema_id}, {"fields", std::move(fields)}};
  if (!schema.identifier_field_ids.empty()) j["identifier-field-ids"] = schema.identifier_field_ids;
  return j;
}

Json fields_json(const PartitionSpec& spec) {
  Json fields = Json::array();
  for (const PartitionField& f : spec.fields)
    fields.push_back({{"source-id", f.source_id}, {"field-id", f.field_id}, {"name", f.name}, {"transform", f.transform}});
  return fields;
}

Json to_json(const Snapshot& s) {
  Json j{{"snapshot-id", s.id}, {"sequence-number", s.sequence_number}, {"timestamp-ms", s.timestamp_ms}, {"manifest-list", s.manifest_list}, {"summary", s.summary}};
  if (s.parent_id) j["parent-snapshot-id"] = *s.parent_id;
  if (s.schema_id) j["schema-id"] = *s.schema_id;
  return j;
}

TableMetadata from_json(Json j) {
  TableMetadata m;
  m.uuid = j.at("table-uuid");
  m.location = j.at("location");
  m.last_sequence_number = j.at("last-sequence-number");
  m.last_updated_ms = j.at("last-updated-ms");
  m.last_column_id = j.at("last-column-id");
  m.current_schema_id = j.at("current-schema-id");
  for (const Json& s : j.at("schemas")) m.schemas.push_back(parse_schema(s));
  m.default_spec_id = j.at("default-spec-id");
  for (const Json& s : j.at("partition-specs")) m.specs.push_back(parse_spec(s));
  m.last_partition_id = j.value("last-partition-id", 999);
  if (j.contains("properties")) m.properties = j["properties"].get<std::map<std::string, std::string>>();
  // "No snapshot" is written as an absent field, null or -1.
  if (j.contains("current-snapshot-id") && j["current-snapshot-id"].is_number() && j["current-snapshot-id"] != -1) m.current_snapshot_id = j["current-snapshot-id"];
  if (j.contains("snapshots"))
    for (const Json& s : j["snapshots"]) m.snapshots.push_back(parse_snapshot(s));
  if (j.contains("snapshot-log"))
    for (const Json& e : j["snapshot-log"]) m.snapshot_log.push_back({.timestamp_ms = e.at("timestamp-ms"), .snapshot_id = e.at("snapshot-id")});
  if (j.contains("metadata-log"))
    for (const Json& e : j["metadata-log"]) m.metadata_log.push_back({.timestamp_ms = e.at("timestamp-ms"), .file = e.at("metadata-file")});
  if (j.contains("refs"))
    for (const auto& [name, ref] : j["refs"].items()) m.only_main_ref = m.only_main_ref && name == "main";
  for (const char* own : kOwnFields) j.erase(own);
  m.other_json = j.dump();
  return m;
}

// A schema, spec or snapshot that is named must be there: the accessors rely on it.
Status check_references(const TableMetadata& m, const std::string& name) {
  const auto has_schema = std::any_of(m.schemas.begin(), m.schemas.end(), [&](const TableSchema& s) { return s.schema_id == m.current_schema_id; });
  if (!has_schema) return fail(ErrorCode::kDamaged, fmt::format("{}: no schema with id {}", name, m.current_schema_id));
  if (m.find_spec(m.default_spec_id) == nullptr) return fail(ErrorCode::kDamaged, fmt::format("{}: no partition spec with id {}", name, m.default_spec_id));
  if (m.current_snapshot_id && m.current_snapshot() == nullptr)
    return fail(ErrorCode::kDamaged, fmt::format("{}: no snapshot with id {}", name, *m.current_snapshot_id));
  return ok();
}

}  // namespace

const TableSchema& TableMetadata::schema() const {
  const auto it = std::find_if(schemas.begin(), schemas.end(), [&](const TableSchema& s) { return s.schema_id == current_schema_id; });
  SUPYO_CHECK(it != schemas.end());
  return *it;
}

const PartitionSpec& TableMetadata::spec() const {
  const PartitionSpec* found = find_spec(default_spec_id);
  SUPYO_CHECK(found != nullptr);
  return *found;
}

const PartitionSpec* TableMetadata::find_spec(std::int32_t id) const {
  const auto it = std::find_if(specs.begin(), specs.end(), [&](const PartitionSpec& s) { return s.spec_id == id; });
  return it == specs.end() ? nullptr : &*it;
}

const Snapshot* TableMetadata::current_snapshot() const { return current_snapshot_id ? find_snapshot(*current_snapshot_id) : nullptr; }

const Snapshot* TableMetadata::find_snapshot(std::int64_t id) const {
  const auto it = std::find_if(snapshots.rbegin(), snapshots.rend(), [&](const Snapshot& s) { return s.id == id; });
  return it == snapshots.rend() ? nullptr : &*it;
}

std::int64_t TableMetadata::property(std::string_view key, std::int64_t fallback) const {
  const auto it = properties.find(std::string(key));
  if (it == properties.end()) return fallback;
  std::int64_t v = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [at, error] = std::from_chars(it->second.data(), end, v);
  return error == std::errc{} && at == end ? v : fallback;
}

bool TableMetadata::property(std::string_view key, bool fallback) const {
  const auto it = properties.find(std::string(key));
  if (it == properties.end()) return fallback;
  return it->second == "true" || (it->second != "false" && fallback);
}

std::string TableMetadata::property(std::string_view key, const std::string& fallback) const {
  const auto it = properties.find(std::string(key));
  return it == properties.end() ? fallback : it->second;
}

Result<TableMetadata> parse_metadata(std::string_view json, const std::string& name) {
  Json j = Json::parse(json, nullptr, false);
  if (j.is_discarded() || !j.is_object()) return fail(ErrorCode::kDamaged, fmt::format("{} is not JSON", name));
  try {
    const int version = j.at("format-version");
    if (version != 2)
      return fail(ErrorCode::kFormatVersion, fmt::format("{} has Iceberg format version {}; Supyo reads and writes version 2", name, version),
                  version == 1 ? "upgrade the table to format-version 2" : "create the table with 'format-version'='2'");
    TableMetadata m = from_json(std::move(j));
    SUPYO_TRY(check_references(m, name));
    return m;
  } catch (const Json::exception& e) {
    return fail(ErrorCode::kDamaged, fmt::format("{} is not table metadata: {}", name, e.what()));
  }
}

std::string metadata_json(const TableMetadata& m) {
  Json j = Json::parse(m.other_json);
  j["format-version"] = 2;
  j["table-uuid"] = m.uuid;
  j["location"] = m.location;
  j["last-sequence-number"] = m.last_sequence_number;
  j["last-updated-ms"] = m.last_updated_ms;
  j["last-column-id"] = m.last_column_id;
  j["current-schema-id"] = m.current_schema_id;
  Json& schemas = j["schemas"] = Json::array();
  for (const TableSchema& s : m.schemas) schemas.push_back(to_json(s));
  j["default-spec-id"] = m.default_spec_id;
  Json& specs = j["partition-specs"] = Json::array();
  for (const PartitionSpec& s : m.specs) specs.push_back({{"spec-id", s.spec_id}, {"fields", fields_json(s)}});
  j["last-partition-id"] = m.last_partition_id;
  j["properties"] = m.properties;
  if (m.current_snapshot_id) {
    j["current-snapshot-id"] = *m.current_snapshot_id;
    j["refs"]["main"] = {{"snapshot-id", *m.current_snapshot_id}, {"type", "branch"}};
  }
  Json& snapshot_log = j["snapshot-log"] = Json::array();
  for (const SnapshotLogEntry& e : m.snapshot_log) snapshot_log.push_back({{"timestamp-ms", e.timestamp_ms}, {"snapshot-id", e.snapshot_id}});
  Json& metadata_log = j["metadata-log"] = Json::array();
  for (const MetadataLogEntry& e : m.metadata_log) metadata_log.push_back({{"timestamp-ms", e.timestamp_ms}, {"metadata-file", e.file}});
  std::string out = text_of(j);
  out.back() = ',';  // the closing brace: the snapshots follow
  out += R"("snapshots":[)";
  for (const Snapshot& s : m.snapshots) {
    if (&s != &m.snapshots.front()) out += ',';
    out += s.json.empty() ? snapshot_json(s) : s.json;
  }
  return out + "]}";
}

std::string snapshot_json(const Snapshot& snapshot) { return text_of(to_json(snapshot)); }

std::string schema_json(const TableSchema& schema) { return text_of(to_json(schema)); }
std::string partition_fields_json(const PartitionSpec& spec) { return text_of(fields_json(spec)); }

TableMetadata new_table_metadata(std::string uuid, std::string location, TableSchema schema, PartitionSpec spec,
                                 std::map<std::string, std::string> properties, std::int64_t now_ms) {
  TableMetadata m;
  m.uuid = std::move(uuid);
  m.location = std::move(location);
  m.last_updated_ms = now_ms;
  for (const SchemaField& f : schema.fields) m.last_column_id = std::max(m.last_column_id, f.id);
  m.current_schema_id = schema.schema_id;
  m.schemas.push_back(std::move(schema));
  m.default_spec_id = spec.spec_id;
  for (const PartitionField& f : spec.fields) m.last_partition_id = std::max(m.last_partition_id, f.field_id);
  m.specs.push_back(std::move(spec));
  m.properties = std::move(properties);
  m.other_json = R"({"default-sort-order-id":0,"sort-orders":[{"order-id":0,"fields":[]}]})";
  return m;
}

}  // namespace supyo::iceberg
