#pragma once
#include <memory>
#include <string>
#include <vector>

#include "connect/file/file_walk.h"
#include "connect/file/partitions.h"
#include "data/formats/format.h"
#include "engine/dataflow/source.h"

namespace supyo::connect {

struct FileSourceConfig {
  std::string path;
  std::string wanted;                  // regular expression of whole paths; empty: all
  std::string table;
  formats::FormatOptions format;
  PartitionLayout layout;
  std::vector<std::size_t> columns;    // of the table, in the order wanted
  /// Of them, those in the record (numbers of the record's columns).
  std::vector<std::size_t> record_columns() const;
  DurationUs monitor_us = 0;           // 0 = bounded
  bool header = false;

  /// Values of the partition columns in the file `file`.
  Result<std::vector<Value>> keys_of(const std::string& file) const;
  /// What was read of a file, and its partition columns.
  BatchPtr with_keys(BatchPtr read, const std::vector<Value>& keys) const;
};

/// Reads Parquet files whole, one after the other. Positions are (file, row). A file that is none, or damaged, fails the job.
Result<std::unique_ptr<dataflow::SourceReader>> open_parquet_reader(const FileSourceConfig& config, dataflow::Split split, const env::Env& env);

}  // namespace supyo::connect
