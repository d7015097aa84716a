#include "data/iceberg/manifest_schemas.h"

#include "data/types/value.h"

namespace supyo::iceberg {
namespace {

std::string field(std::string_view name, int id, std::string_view type) {
  return fmt::format(R"({{"name":"{}","type":{},"field-id":{}}})", name, type, id);
}

std::string optional_field(std::string_view name, int id, std::string_view type) {
  return fmt::format(R"({{"name":"{}","type":["null",{}],"default":null,"field-id":{}}})", name, type, id);
}

// Avro has only text keys: Iceberg writes a map with int keys as a list of pairs.
std::string int_map(int key_id, int value_id, std::string_view value) {
  return fmt::format(R"({{"type":"array","logicalType":"map","items":{{"type":"record","name":"k{0}_v{1}","fields":[{{"name":"key","type":"int","field-id":{0}}},{{"name":"value","type":{2},"field-id":{1}}}]}}}})",
                     key_id, value_id, value);
}

std::string list(int element_id, std::string_view type) {
  return fmt::format(R"({{"type":"array","items":{},"element-id":{}}})", type, element_id);
}

Result<std::string> partition_avro_type(const PartitionField& partition, const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return R"("boolean")";
    case TypeId::kInteger: return R"("int")";
    case TypeId::kBigInt: return R"("long")";
    case TypeId::kFloat: return R"("float")";
    case TypeId::kDouble: return R"("double")";
    case TypeId::kDate: return R"({"type":"int","logicalType":"date"})";
    case TypeId::kTime: return R"({"type":"long","logicalType":"time-micros"})";
    case TypeId::kTimestamp: return R"({"type":"long","logicalType":"timestamp-micros","adjust-to-utc":false})";
    case TypeId::kTimestampLtz: return R"({"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true})";
    case TypeId::kString: return R"("string")";
    case TypeId::kBytes:
      if (type.fixed_length) return fmt::format(R"({{"type":"fixed","name":"fixed_{0}_{1}","size":{1}}})", partition.field_id, type.precision);
      return R"("bytes")";
    case TypeId::kDecimal:
      return fmt::format(R"({{"type":"fixed","name":"decimal_{}","size":{},"logicalType":"decimal","precision":{},"scale":{}}})", partition.field_id,
                         decimal_width(type.precision), type.precision, type.scale);
    default: return fail(ErrorCode::kUnsupported, fmt::format("partition field `{}` has type {}", partition.name, type.to_string()));
  }
}

// Avro names are [A-Za-z_][A-Za-z0-9_]*; other characters become _xHH, as other writers do it.
std::string avro_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (digit && !out.empty());
    if (plain) out += c;
    else if (digit) out += fmt::format("_{}", c);
    else out += fmt::format("_x{:X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

int decimal_width(int precision) {
  Int128 limit = 1;
  for (int i = 0; i < precision; ++i) limit *= 10;
  int bytes = 1;
  for (Int128 max = 127; bytes < 16 && max < limit - 1; max = max * 256 + 255) ++bytes;
  return bytes;
}

std::string manifest_list_schema() {
  std::string summary = R"({"type":"record","name":"r508","fields":[)";
  summary += field("contains_null", 509, R"("boolean")") + "," + optional_field("contains_nan", 518, R"("boolean")") + ",";
  summary += optional_field("lower_bound", 510, R"("bytes")") + "," + optional_field("upper_bound", 511, R"("bytes")") + "]}";
  std::string out = R"({"type":"record","name":"manifest_file","fields":[)";
  out += field("manifest_path", 500, R"("string")") + "," + field("manifest_length", 501, R"("long")") + ",";
  out += field("partition_spec_id", 502, R"("int")") + "," + field("content", 517, R"("int")") + ",";
  out += field("sequence_number", 515, R"("long")") + "," + field("min_sequence_number", 516, R"("long")") + ",";
  out += field("added_snapshot_id", 503, R"("long")") + ",";
  out += field("added_files_count", 504, R"("int")") + "," + field("existing_files_count", 505, R"("int")") + "," + field("deleted_files_count", 506, R"("int")") + ",";
  out += field("added_rows_count", 512, R"("long")") + "," + field("existing_rows_count", 513, R"("long")") + "," + field("deleted_rows_count", 514, R"("long")") + ",";
  out += optional_field("partitions", 507, list(508, summary)) + "," + optional_field("key_metadata", 519, R"("bytes")") + "]}";
  return out;
}

Result<std::string> manifest_schema(const PartitionSpec& spec, const TableSchema& schema) {
  std::string partition = R"({"type":"record","name":"r102","fields":[)";
  for (std::size_t i = 0; i < spec.fields.size(); ++i) {
    SUPYO_ASSIGN(const Type type, partition_type(spec.fields[i], schema));
    SUPYO_ASSIGN(const std::string avro, partition_avro_type(spec.fields[i], type));
    if (i > 0) partition += ',';
    partition += optional_field(avro_name(spec.fields[i].name), spec.fields[i].field_id, avro);
  }
  partition += "]}";
  std::string file = R"({"type":"record","name":"r2","fields":[)";
  file += field("content", 134, R"("int")") + "," + field("file_path", 100, R"("string")") + "," + field("file_format", 101, R"("string")") + ",";
  file += field("partition", 102, partition) + "," + field("record_count", 103, R"("long")") + "," + field("file_size_in_bytes", 104, R"("long")") + ",";
  file += optional_field("column_sizes", 108, int_map(117, 118, R"("long")")) + "," + optional_field("value_counts", 109, int_map(119, 120, R"("long")")) + ",";
  file += optional_field("null_value_counts", 110, int_map(121, 122, R"("long")")) + "," + optional_field("nan_value_counts", 137, int_map(138, 139, R"("long")")) + ",";
  file += optional_field("lower_bounds", 125, int_map(126, 127, R"("bytes")")) + "," + optional_field("upper_bounds", 128, int_map(129, 130, R"("bytes")")) + ",";
  file += optional_field("key_metadata", 131, R"("bytes")") + "," + optional_field("split_offsets", 132, list(133, R"("long")")) + ",";
  file += optional_field("equality_ids", 135, list(136, R"("int")")) + "," + optional_field("sort_order_id", 140, R"("int")") + "]}";
  std::string out = R"({"type":"record","name":"manifest_entry","fields":[)";
  out += field("status", 0, R"("int")") + "," + optional_field("snapshot_id", 1, R"("long")") + "," + optional_field("sequence_number", 3, R"("long")") + ",";
  out += optional_field("file_sequence_number", 4, R"("long")") + "," + field("data_file", 2, file) + "]}";
  return out;
}

}  // namespace supyo::iceberg
