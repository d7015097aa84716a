#include "data/iceberg/manifest.h"

#include "data/iceberg/avro.h"
#include "data/iceberg/manifest_schemas.h"
#include "data/iceberg/values.h"

namespace supyo::iceberg {
namespace {

// ---- encoding ----------------------------------------------------------------------------------------------------------------------

void encode_longs(AvroEncoder& out, const std::vector<std::pair<std::int32_t, std::int64_t>>& map) {
  out.branch(!map.empty());
  if (map.empty()) return;
  out.begin_array(map.size());
  for (const auto& [key, value] : map) {
    out.integer(key);
    out.integer(value);
  }
  out.end_array();
}

void encode_texts(AvroEncoder& out, const std::vector<std::pair<std::int32_t, std::string>>& map) {
  out.branch(!map.empty());
  if (map.empty()) return;
  out.begin_array(map.size());
  for (const auto& [key, value] : map) {
    out.integer(key);
    out.bytes(value);
  }
  out.end_array();
}

void encode_optional(AvroEncoder& out, const std::optional<std::int64_t>& v) {
  out.branch(v.has_value());
  if (v) out.integer(*v);
}

// Fixed-size two's complement, big-endian, in the width that the manifest's schema gives the precision.
std::string fixed_decimal(Int128 v, int precision) {
  std::string out;
  for (int shift = (decimal_width(precision) - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(static_cast<unsigned char>(v >> shift)));
  return out;
}

void encode_partition_value(AvroEncoder& out, const Value& value, const Type& type) {
  out.branch(!value.is_null());
  if (value.is_null()) return;
  switch (type.id) {
    case TypeId::kBoolean: return out.boolean(std::get<bool>(value.data));
    case TypeId::kFloat: return out.float_(static_cast<float>(std::get<double>(value.data)));
    case TypeId::kDouble: return out.double_(std::get<double>(value.data));
    case TypeId::kString: return out.bytes(std::get<std::string>(value.data));
    case TypeId::kBytes: return type.fixed_length ? out.raw(std::get<std::string>(value.data)) : out.bytes(std::get<std::string>(value.data));
    case TypeId::kDecimal: return out.raw(fixed_decimal(std::get<Int128>(value.data), type.precision));
    default: return out.integer(std::get<std::int64_t>(value.data));
  }
}

void encode_file(AvroEncoder& out, const DataFile& file, const std::vector<Type>& partition_types) {
  out.integer(static_cast<std::int32_t>(file.content));
  out.bytes(file.path);
  out.bytes(file.format);
  for (std::size_t i = 0; i < partition_types.size(); ++i) encode_partition_value(out, file.partition[i], partition_types[i]);
  out.integer(file.records);
  out.integer(file.bytes);
  encode_longs(out, file.column_sizes);
  encode_longs(out, file.value_counts);
  encode_longs(out, file.null_counts);
  encode_longs(out, file.nan_counts);
  encode_texts(out, file.lower_bounds);
  encode_texts(out, file.upper_bounds);
  out.branch(false);  // key_metadata
  out.branch(!file.split_offsets.empty());
  if (!file.split_offsets.empty()) {
    out.begin_array(file.split_offsets.size());
    for (const std::int64_t offset : file.split_offsets) out.integer(offset);
    out.end_array();
  }
  out.branch(false);  // equality_ids
  encode_optional(out, file.sort_order_id);
}

Result<std::vector<Type>> partition_types(const PartitionSpec& spec, const TableSchema& schema) {
  std::vector<Type> types;
  for (const PartitionField& f : spec.fields) {
    SUPYO_ASSIGN(const Type type, partition_type(f, schema));
    types.push_back(type);
  }
  return types;
}

// ---- decoding ----------------------------------------------------------------------------------------------------------------------

// Fields of a record by field id; what the file's schema does not have reads as null.
class Record {
 public:
  Record(const AvroSchema& schema, const AvroValue& value) : schema_(schema), value_(value) {}
  const AvroValue& at(std::int32_t id, std::string_view name) const {
    static const AvroValue kNull;
    const int i = schema_.field(id, name);
    return i < 0 || static_cast<std::size_t>(i) >= value_.items().size() ? kNull : value_.items()[static_cast<std::size_t>(i)];
  }
  std::optional<std::int64_t> optional(std::int32_t id, std::string_view name) const {
    const AvroValue& v = at(id, name);
    return v.is_null() ? std::nullopt : std::optional(v.integer());
  }
  std::int64_t integer(std::int32_t id, std::string_view name) const { return at(id, name).integer(); }
  std::int32_t small(std::int32_t id, std::string_view name) const { return static_cast<std::int32_t>(integer(id, name)); }
  std::string text(std::int32_t id, std::string_view name) const { return std::string(at(id, name).text()); }

 private:
  const AvroSchema& schema_;
  const AvroValue& value_;
};

// The record schema under a field, through a union.
const AvroSchema* record_schema(const AvroSchema& schema, std::int32_t id, std::string_view name) {
  const int i = schema.field(id, name);
  if (i < 0) return nullptr;
  const AvroSchema* type = schema.fields[static_cast<std::size_t>(i)].type.get();
  if (type->kind == AvroSchema::Kind::kUnion)
    for (const auto& branch : type->branches)
      if (branch->kind != AvroSchema::Kind::kNull) type = branch.get();
  if (type->kind == AvroSchema::Kind::kArray) type = type->branches[0].get();
  return type->kind == AvroSchema::Kind::kRecord ? type : nullptr;
}

// Maps are lists of {key, value} records or (rarely) Avro maps with text keys: pairs either way.
std::vector<std::pair<std::int32_t, std::int64_t>> longs(const AvroValue& v) {
  std::vector<std::pair<std::int32_t, std::int64_t>> out;
  for (const AvroValue& pair : v.items())
    if (pair.items().size() == 2) out.emplace_back(static_cast<std::int32_t>(pair.items()[0].integer()), pair.items()[1].integer());
  return out;
}

std::vector<std::pair<std::int32_t, std::string>> texts(const AvroValue& v) {
  std::vector<std::pair<std::int32_t, std::string>> out;
  for (const AvroValue& pair : v.items())
    if (pair.items().size() == 2) out.emplace_back(static_cast<std::int32_t>(pair.items()[0].integer()), pair.items()[1].text());
  return out;
}

Value partition_value(const AvroValue& v, const Type& type) {
  if (v.is_null()) return {type, {}};
  switch (type.id) {
    case TypeId::kBoolean: return {type, v.integer() != 0};
    case TypeId::kFloat:
    case TypeId::kDouble: {
      const auto* d = std::get_if<double>(&v.data);
      return {type, d ? *d : 0.0};
    }
    case TypeId::kString:
    case TypeId::kBytes: return {type, std::string(v.text())};
    case TypeId::kDecimal: return value_from_bytes(type, v.text()).value_or(Value{type, {}});
    default: return {type, v.integer()};
  }
}

Result<DataFile> decode_file(const AvroSchema& schema, const AvroValue& value, const std::vector<Type>& types, const PartitionSpec& spec) {
  const Record r(schema, value);
  DataFile file;
  file.content = static_cast<FileContent>(r.integer(134, "content"));
  file.path = r.text(100, "file_path");
  file.format = r.text(101, "file_format");
  std::transform(file.format.begin(), file.format.end(), file.format.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  if (const AvroSchema* partition = record_schema(schema, 102, "partition")) {
    const Record p(*partition, r.at(102, "partition"));
    for (std::size_t i = 0; i < types.size(); ++i) file.partition.push_back(partition_value(p.at(spec.fields[i].field_id, spec.fields[i].name), types[i]));
  }
  file.partition.resize(types.size());
  file.records = r.integer(103, "record_count");
  file.bytes = r.integer(104, "file_size_in_bytes");
  file.column_sizes = longs(r.at(108, "column_sizes"));
  file.value_counts = longs(r.at(109, "value_counts"));
  file.null_counts = longs(r.at(110, "null_value_counts"));
  file.nan_counts = longs(r.at(137, "nan_value_counts"));
  file.lower_bounds = texts(r.at(125, "lower_bounds"));
  file.upper_bounds = texts(r.at(128, "upper_bounds"));
  for (const AvroValue& offset : r.at(132, "split_offsets").items()) file.split_offsets.push_back(offset.integer());
  if (const auto order = r.optional(140, "sort_order_id")) file.sort_order_id = static_cast<std::int32_t>(*order);
  if (file.path.empty()) return fail(ErrorCode::kDamaged, "a manifest entry has no file path");
  return file;
}

// Bounds and nulls of one partition field over the live entries.
void add_to_summary(PartitionSummary& summary, std::optional<Value>& lower, std::optional<Value>& upper, const Value& value) {
  if (value.is_null()) {
    summary.contains_null = true;
    return;
  }
  if (!lower || value.data < lower->data) lower = value;
  if (!upper || upper->data < value.data) upper = value;
}

}  // namespace

Result<std::string> encode_manifest(const std::vector<ManifestEntry>& entries, const TableSchema& schema, const PartitionSpec& spec, std::string_view sync_marker) {
  SUPYO_ASSIGN(const std::string avro_schema, manifest_schema(spec, schema));
  SUPYO_ASSIGN(const std::vector<Type> types, partition_types(spec, schema));
  std::string encoded;
  AvroEncoder out(encoded);
  for (const ManifestEntry& entry : entries) {
    SUPYO_CHECK_EQ(entry.file.partition.size(), types.size());
    out.integer(static_cast<std::int32_t>(entry.status));
    encode_optional(out, entry.snapshot_id);
    encode_optional(out, entry.sequence_number);
    encode_optional(out, entry.file_sequence_number);
    encode_file(out, entry.file, types);
  }
  return avro_container({{"schema", schema_json(schema)},
                         {"schema-id", std::to_string(schema.schema_id)},
                         {"partition-spec", partition_fields_json(spec)},
                         {"partition-spec-id", std::to_string(spec.spec_id)},
                         {"format-version", "2"},
                         {"content", "data"}},
                        avro_schema, entries.size(), encoded, sync_marker);
}

Result<std::vector<ManifestEntry>> decode_manifest(std::string_view bytes, const ManifestFile& from, const TableMetadata& metadata) {
  SUPYO_ASSIGN(const AvroFile avro, read_avro(bytes, from.path));
  const PartitionSpec* spec = metadata.find_spec(from.spec_id);
  if (spec == nullptr) return fail(ErrorCode::kDamaged, fmt::format("{}: no partition spec with id {}", from.path, from.spec_id));
  SUPYO_ASSIGN(const std::vector<Type> types, partition_types(*spec, metadata.schema()));
  const AvroSchema* file_schema = record_schema(*avro.schema, 2, "data_file");
  if (file_schema == nullptr) return fail(ErrorCode::kDamaged, fmt::format("{} is not a manifest", from.path));
  std::vector<ManifestEntry> entries;
  for (const AvroValue& value : avro.records) {
    const Record r(*avro.schema, value);
    ManifestEntry entry;
    entry.status = static_cast<EntryStatus>(r.integer(0, "status"));
    entry.snapshot_id = r.optional(1, "snapshot_id");
    entry.sequence_number = r.optional(3, "sequence_number");
    entry.file_sequence_number = r.optional(4, "file_sequence_number");
    if (!entry.snapshot_id) entry.snapshot_id = from.added_snapshot_id;
    if (!entry.sequence_number && entry.status == EntryStatus::kAdded) entry.sequence_number = from.sequence_number;
    if (!entry.file_sequence_number && entry.status == EntryStatus::kAdded) entry.file_sequence_number = from.sequence_number;
    auto file = decode_file(*file_schema, r.at(2, "data_file"), types, *spec);
    if (!file) return fail(file.error().with_context(from.path));
    entry.file = *std::move(file);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string encode_manifest_list(const std::vector<ManifestFile>& manifests, const Snapshot& snapshot, std::string_view sync_marker) {
  std::string encoded;
  AvroEncoder out(encoded);
  for (const ManifestFile& m : manifests) {
    out.bytes(m.path);
    out.integer(m.length);
    out.integer(m.spec_id);
    out.integer(m.deletes ? 1 : 0);
    for (const std::int64_t v : {m.sequence_number, m.min_sequence_number, m.added_snapshot_id}) out.integer(v);
    for (const std::int32_t v : {m.added_files, m.existing_files, m.deleted_files}) out.integer(v);
    for (const std::int64_t v : {m.added_rows, m.existing_rows, m.deleted_rows}) out.integer(v);
    out.branch(true);
    out.begin_array(m.partitions.size());
    for (const PartitionSummary& p : m.partitions) {
      out.boolean(p.contains_null);
      out.branch(p.contains_nan.has_value());
      if (p.contains_nan) out.boolean(*p.contains_nan);
      out.branch(p.lower.has_value());
      if (p.lower) out.bytes(*p.lower);
      out.branch(p.upper.has_value());
      if (p.upper) out.bytes(*p.upper);
    }
    out.end_array();
    out.branch(false);  // key_metadata
  }
  std::vector<std::pair<std::string, std::string>> metadata{{"snapshot-id", std::to_string(snapshot.id)},
                                                            {"sequence-number", std::to_string(snapshot.sequence_number)},
                                                            {"format-version", "2"}};
  metadata.emplace_back("parent-snapshot-id", snapshot.parent_id ? std::to_string(*snapshot.parent_id) : "null");
  return avro_container(metadata, manifest_list_schema(), manifests.size(), encoded, sync_marker);
}

Result<std::vector<ManifestFile>> decode_manifest_list(std::string_view bytes, const std::string& name) {
  SUPYO_ASSIGN(const AvroFile avro, read_avro(bytes, name));
  if (avro.schema->kind != AvroSchema::Kind::kRecord || avro.schema->field(500, "manifest_path") < 0)
    return fail(ErrorCode::kDamaged, fmt::format("{} is not a manifest list", name));
  const AvroSchema* summary_schema = record_schema(*avro.schema, 507, "partitions");
  std::vector<ManifestFile> manifests;
  for (const AvroValue& value : avro.records) {
    const Record r(*avro.schema, value);
    ManifestFile m;
    m.path = r.text(500, "manifest_path");
    m.length = r.integer(501, "manifest_length");
    m.spec_id = r.small(502, "partition_spec_id");
    m.deletes = r.integer(517, "content") != 0;
    m.sequence_number = r.integer(515, "sequence_number");
    m.min_sequence_number = r.integer(516, "min_sequence_number");
    m.added_snapshot_id = r.integer(503, "added_snapshot_id");
    m.added_files = r.small(504, "added_files_count");
    m.existing_files = r.small(505, "existing_files_count");
    m.deleted_files = r.small(506, "deleted_files_count");
    m.added_rows = r.integer(512, "added_rows_count");
    m.existing_rows = r.integer(513, "existing_rows_count");
    m.deleted_rows = r.integer(514, "deleted_rows_count");
    for (const AvroValue& p : r.at(507, "partitions").items()) {
      if (summary_schema == nullptr) break;
      const Record s(*summary_schema, p);
      PartitionSummary summary{.contains_null = s.integer(509, "contains_null") != 0, .contains_nan = {}, .lower = {}, .upper = {}};
      if (const auto nan = s.optional(518, "contains_nan")) summary.contains_nan = *nan != 0;
      if (!s.at(510, "lower_bound").is_null()) summary.lower = s.text(510, "lower_bound");
      if (!s.at(511, "upper_bound").is_null()) summary.upper = s.text(511, "upper_bound");
      m.partitions.push_back(std::move(summary));
    }
    manifests.push_back(std::move(m));
  }
  return manifests;
}

Result<ManifestFile> summarize_manifest(const std::vector<ManifestEntry>& entries, const TableSchema& schema, const PartitionSpec& spec) {
  SUPYO_ASSIGN(const std::vector<Type> types, partition_types(spec, schema));
  ManifestFile m;
  m.spec_id = spec.spec_id;
  m.partitions.resize(types.size());
  std::vector<std::optional<Value>> lower(types.size());
  std::vector<std::optional<Value>> upper(types.size());
  for (const ManifestEntry& entry : entries) {
    const bool added = entry.status == EntryStatus::kAdded;
    const bool deleted = entry.status == EntryStatus::kDeleted;
    (deleted ? m.deleted_files : added ? m.added_files : m.existing_files) += 1;
    (deleted ? m.deleted_rows : added ? m.added_rows : m.existing_rows) += entry.file.records;
    for (std::size_t i = 0; i < types.size(); ++i) add_to_summary(m.partitions[i], lower[i], upper[i], entry.file.partition[i]);
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].is_floating()) continue;
    if (lower[i]) m.partitions[i].lower = single_value_bytes(*lower[i]);
    if (upper[i]) m.partitions[i].upper = single_value_bytes(*upper[i]);
  }
  return m;
}

}  // namespace supyo::iceberg
