#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/duration.h"
#include "core/base/result.h"
#include "data/types/value.h"
#include "data/types/zone.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// PARTITIONED BY of a filesystem table: the columns that are folders (`dt=2026-01-01/hm=10%3A00`) and not in the files. Names and values are escaped as Hive
/// and Flink do; a null or empty value is the folder `default_name`.
struct PartitionLayout {
  Schema schema;                       ///< of the table's rows
  std::vector<std::size_t> keys;       ///< partition columns, in the order of the folders
  std::vector<std::size_t> data;       ///< the other columns, in the order of the file
  std::string default_name;

  /// Errors: kUnsupported for a type that makes no folder, or when no column is left for the files.
  static Result<PartitionLayout> of(const catalog::TableDefinition& table, const Schema& schema);
  bool partitioned() const { return !keys.empty(); }
  Schema data_schema() const;
  /// Folder of a row, relative to the table's.
  std::string folder(const Batch& batch, std::size_t row) const;
  /// Values of the keys that a path names: `path` relative to the table's folder. kMalformedRecord when a folder is missing or its value is none of the column's type.
  Result<std::vector<Value>> values(std::string_view path) const;
};

/// The texts of a folder's values: "dt=a/hm=b" -> {{"dt", "a"}, {"hm", "b"}}.
std::vector<std::pair<std::string, std::string>> folder_values(std::string_view folder);

/// When a partition is final, and how readers see that (sink.partition-commit.*).
struct PartitionCommit {
  bool by_partition_time = false;      ///< else by the clock, from its first file on
  DurationUs delay_us = 0;
  Zone zone = {};                           ///< of the watermark
  std::string pattern;                 ///< '$dt $hm:00'; empty: the first value
  std::string success_file;

  /// Nothing when the table asks for none.
  static Result<std::optional<PartitionCommit>> of(const catalog::TableDefinition& table, const PartitionLayout& layout, const catalog::ConnectorDescriptor& descriptor);
  /// The watermark that makes the partition final is above this. kTimeMax - 1, thus the end of the input, where its values are no time.
  TimeUs due_watermark(std::string_view folder) const;
};

}  // namespace supyo::connect
