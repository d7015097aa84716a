#include "data/iceberg/schema.h"

#include <charconv>

namespace supyo::iceberg {
namespace {

// "decimal(10, 2)" -> {10, 2}; "fixed[16]" -> {16}. Empty when the text has not that form.
std::vector<int> arguments(std::string_view type, char open, char close) {
  std::vector<int> out;
  const std::size_t from = type.find(open);
  if (from == std::string_view::npos || type.back() != close) return out;
  const char* at = type.data() + from + 1;
  const char* end = type.data() + type.size() - 1;
  while (at < end) {
    int n = 0;
    const auto [next, error] = std::from_chars(at, end, n);
    if (error != std::errc{}) return {};
    out.push_back(n);
    at = next;
    while (at < end && (*at == ',' || *at == ' ')) ++at;
  }
  return out;
}

std::optional<Type> primitive_type(std::string_view type) {
  if (type == "boolean") return Type::boolean();
  if (type == "int") return Type::integer();
  if (type == "long") return Type::big_int();
  if (type == "float") return Type::float_();
  if (type == "double") return Type::double_();
  if (type == "string") return Type::string();
  if (type == "binary") return Type::bytes();
  if (type == "date") return Type::date();
  if (type == "time") return Type::time(6);
  if (type == "timestamp") return Type::timestamp(6);
  if (type == "timestamptz") return Type::timestamp_ltz(6);
  if (type.starts_with("decimal(")) {
    const auto args = arguments(type, '(', ')');
    if (args.size() == 2 && args[0] >= 1 && args[0] <= kMaxDecimalPrecision && args[1] >= 0 && args[1] <= args[0]) return Type::decimal(args[0], args[1]);
  }
  if (type.starts_with("fixed[")) {
    const auto args = arguments(type, '[', ']');
    if (args.size() == 1 && args[0] > 0) return Type{.id = TypeId::kBytes, .fixed_length = true, .precision = args[0]};
  }
  return std::nullopt;
}

}  // namespace

const SchemaField* TableSchema::find(std::string_view name) const {
  const auto it = std::find_if(fields.begin(), fields.end(), [&](const SchemaField& f) { return f.name == name; });
  return it == fields.end() ? nullptr : &*it;
}

const SchemaField* TableSchema::find(std::int32_t id) const {
  const auto it = std::find_if(fields.begin(), fields.end(), [&](const SchemaField& f) { return f.id == id; });
  return it == fields.end() ? nullptr : &*it;
}

Result<Type> sql_type(const SchemaField& field) {
  if (const auto type = primitive_type(field.type)) return type->as_nullable(!field.required);
  return fail(ErrorCode::kUnsupported, fmt::format("column `{}` has Iceberg type {}", field.name, field.type), "leave the column out of the query");
}

Result<std::string> iceberg_type(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return "boolean";
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger: return "int";
    case TypeId::kBigInt: return "long";
    case TypeId::kFloat: return "float";
    case TypeId::kDouble: return "double";
    case TypeId::kDecimal: return fmt::format("decimal({}, {})", type.precision, type.scale);
    case TypeId::kString: return "string";
    case TypeId::kBytes: return type.fixed_length ? fmt::format("fixed[{}]", type.precision) : "binary";
    case TypeId::kDate: return "date";
    case TypeId::kTime: return "time";
    case TypeId::kTimestamp: return "timestamp";
    case TypeId::kTimestampLtz: return "timestamptz";
    default: return fail(ErrorCode::kUnsupported, fmt::format("an Iceberg table has no type for {}", type.to_string()), "cast the column to BIGINT or STRING");
  }
}

Result<TableSchema> make_schema(const Schema& columns, const std::vector<std::string>& primary_key) {
  TableSchema schema;
  for (const Field& column : columns.fields()) {
    // BINARY(n) is kept as binary: the Parquet writer has no fixed-length columns.
    Type type = column.type;
    if (type.id == TypeId::kBytes) type.fixed_length = false;
    SUPYO_ASSIGN(std::string name, iceberg_type(type));
    const auto id = static_cast<std::int32_t>(schema.fields.size() + 1);
    schema.fields.push_back({.id = id, .name = column.name, .required = !column.type.nullable, .type = std::move(name)});
  }
  for (const std::string& key : primary_key) {
    const SchemaField* field = schema.find(key);
    if (field == nullptr) return fail(ErrorCode::kUnknownColumn, fmt::format("primary key column `{}` is not a column of the table", key));
    if (!field->required) return fail(ErrorCode::kTypeMismatch, fmt::format("primary key column `{}` must be NOT NULL in an Iceberg table", key));
    schema.identifier_field_ids.push_back(field->id);
  }
  return schema;
}

Result<PartitionSpec> make_partition_spec(const TableSchema& schema, const std::vector<std::string>& columns) {
  PartitionSpec spec;
  for (const std::string& name : columns) {
    const SchemaField* source = schema.find(name);
    if (source == nullptr) return fail(ErrorCode::kUnknownColumn, fmt::format("partition column `{}` is not a column of the table", name));
    SUPYO_ASSIGN(const Type type, sql_type(*source));
    if (type.is_floating()) return fail(ErrorCode::kUnsupported, fmt::format("column `{}` is {}: a table cannot be partitioned by it", name, type.to_string()));
    const auto id = static_cast<std::int32_t>(1000 + spec.fields.size());
    spec.fields.push_back({.source_id = source->id, .field_id = id, .name = name, .transform = "identity"});
  }
  return spec;
}

Result<Type> partition_type(const PartitionField& field, const TableSchema& schema) {
  if (field.transform == "day") return Type::date();
  if (field.transform == "year" || field.transform == "month" || field.transform == "hour" || field.transform.starts_with("bucket[")) return Type::integer();
  if (field.transform != "identity" && field.transform != "void" && !field.transform.starts_with("truncate["))
    return fail(ErrorCode::kUnsupported, fmt::format("partition field `{}` has transform {}", field.name, field.transform));
  const SchemaField* source = schema.find(field.source_id);
  if (source == nullptr) return fail(ErrorCode::kDamaged, fmt::format("partition field `{}` has no source column", field.name));
  SUPYO_ASSIGN(const Type type, sql_type(*source));
  return type.as_nullable();
}

}  // namespace supyo::iceberg
