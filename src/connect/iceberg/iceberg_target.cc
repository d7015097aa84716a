#include "connect/iceberg/iceberg_target.h"

#include "data/iceberg/table.h"

namespace supyo::connect {
namespace {

// Rows may have a narrower integer or decimal than the table: Parquet holds both alike.
bool writes_as(const Type& rows, const Type& table) {
  if (rows.id == TypeId::kNull) return true;
  const auto small = [](const Type& t) { return t.is_integer() && t.id != TypeId::kBigInt; };
  if (small(rows) && small(table)) return true;
  if (rows.id != table.id) return false;
  if (rows.id == TypeId::kDecimal) return rows.scale == table.scale && rows.precision <= table.precision;
  return !(table.id == TypeId::kBytes && table.fixed_length);
}

}  // namespace

Result<IcebergTarget> fit_to_table(const Schema& schema, const iceberg::TableMetadata& table) {
  IcebergTarget target;
  target.location = table.location;
  SUPYO_ASSIGN(target.directory, iceberg::local_path(table.location));
  for (const Field& column : schema.fields()) {
    const iceberg::SchemaField* field = table.schema().find(column.name);
    if (field == nullptr) return fail(ErrorCode::kUnknownColumn, fmt::format("Iceberg table {} has no column `{}`", table.location, column.name), "DESCRIBE shows its columns");
    SUPYO_ASSIGN(const Type type, iceberg::sql_type(*field));
    if (!writes_as(column.type, type))
      return fail(ErrorCode::kTypeMismatch, fmt::format("column `{}` of Iceberg table {} is {}, the rows have {}", column.name, table.location, type.to_string(), column.type.to_string()),
                  fmt::format("CAST(.. AS {})", type.as_nullable().to_string()));
    target.fields.push_back({column.name, type, field->id});
  }
  for (const iceberg::SchemaField& field : table.schema().fields)
    if (field.required && !schema.find(field.name))
      return fail(ErrorCode::kTypeMismatch, fmt::format("Iceberg table {} requires column `{}`, which the rows lack", table.location, field.name));
  target.spec = table.spec();
  target.spec_id = target.spec.spec_id;
  for (const iceberg::PartitionField& f : target.spec.fields) {
    if (f.transform != "identity")
      return fail(ErrorCode::kUnsupported, fmt::format("Iceberg table {} is partitioned by {}({})", table.location, f.transform, f.name), "Supyo writes identity partitions");
    const iceberg::SchemaField* source = table.schema().find(f.source_id);
    const auto column = source ? schema.find(source->name) : std::nullopt;
    if (!column) return fail(ErrorCode::kUnknownColumn, fmt::format("the rows lack partition column `{}` of Iceberg table {}", f.name, table.location));
    target.partition_columns.push_back(*column);
    target.partition_types.push_back(schema[*column].type);
  }
  target.parquet.codec = table.property("write.parquet.compression-codec", std::string("zstd"));
  target.target_file_bytes = std::max<std::int64_t>(1 << 16, table.property("write.target-file-size-bytes", std::int64_t{512} << 20));
  return target;
}

}  // namespace supyo::connect
