#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "data/formats/parquet.h"
#include "data/iceberg/metadata.h"

namespace supyo::connect {

/// How rows of a schema are written to a table: found out once when the job starts.
struct IcebergTarget {
  std::string location;                            ///< as in metadata
  std::string directory;                           ///< the same as a path
  std::vector<formats::ParquetField> fields;       ///< one per column of the rows, with the table's types and ids
  std::int32_t spec_id = 0;
  iceberg::PartitionSpec spec;
  std::vector<std::size_t> partition_columns;      ///< columns of the rows, in the order of the spec
  std::vector<Type> partition_types;               ///< of those columns, as the rows have them
  formats::ParquetWriteOptions parquet;
  std::int64_t target_file_bytes = 0;
};

/// Fits rows of `schema` to the table: each column exists there with the type that Supyo writes for it, and what the table requires is there.
/// Errors: kUnknownColumn, kTypeMismatch, kUnsupported (a partition transform other than identity).
Result<IcebergTarget> fit_to_table(const Schema& schema, const iceberg::TableMetadata& table);

}  // namespace supyo::connect
