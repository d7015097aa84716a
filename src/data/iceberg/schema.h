#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/type.h"

namespace supyo::iceberg {

/// A top-level column of a table's schema (Iceberg table spec, "Schemas").
struct SchemaField {
  std::int32_t id = 0;
  std::string name;
  bool required = false;
  /// As in the metadata: "long", "decimal(10, 2)", "timestamptz"; the JSON text of a struct, list or map.
  std::string type;
  std::string doc = {};
  bool operator==(const SchemaField&) const = default;
};

struct TableSchema {
  std::int32_t schema_id = 0;
  std::vector<SchemaField> fields;
  std::vector<std::int32_t> identifier_field_ids;   ///< the primary key
  bool operator==(const TableSchema&) const = default;

  const SchemaField* find(std::string_view name) const;
  const SchemaField* find(std::int32_t id) const;
};

/// SQL type of a column: "timestamp" is TIMESTAMP(6), "timestamptz" TIMESTAMP_LTZ(6). Errors: kUnsupported (struct, list, map, uuid, v3 types).
Result<Type> sql_type(const SchemaField& field);
/// Iceberg's name of a SQL type. TINYINT and SMALLINT become "int", every string "string", timestamps microseconds. Errors: kUnsupported.
Result<std::string> iceberg_type(const Type& type);
/// Columns with fresh ids from 1; `primary_key` names the identifier fields (which must be NOT NULL). Errors: kUnsupported, kUnknownColumn, kTypeMismatch.
Result<TableSchema> make_schema(const Schema& columns, const std::vector<std::string>& primary_key);

/// How rows are put into partitions (Iceberg table spec, "Partitioning").
struct PartitionField {
  std::int32_t source_id = 0;
  std::int32_t field_id = 0;       ///< from 1000
  std::string name;
  std::string transform;           ///< "identity", "day", "bucket[16]", ...
  bool operator==(const PartitionField&) const = default;
};

struct PartitionSpec {
  std::int32_t spec_id = 0;
  std::vector<PartitionField> fields;
  bool operator==(const PartitionSpec&) const = default;
  bool unpartitioned() const { return fields.empty(); }
};

/// Identity partitions by the named columns. Errors: kUnknownColumn, kUnsupported.
Result<PartitionSpec> make_partition_spec(const TableSchema& schema, const std::vector<std::string>& columns);
/// Type of a partition value: the source column's for identity and truncate, DATE for day, INTEGER for the others. Errors: kUnsupported, kDamaged.
Result<Type> partition_type(const PartitionField& field, const TableSchema& schema);

}  // namespace supyo::iceberg
