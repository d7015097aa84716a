#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "data/formats/parquet.h"
#include "data/iceberg/commit.h"

namespace supyo::connect {

/// The manifest entry of a Parquet file that was just written.
iceberg::DataFile data_file_of(std::string path, std::vector<Value> partition, const formats::ParquetFileMetrics& metrics);

/// Commit handle of one shard and epoch: its data files, all written with one partition spec.
std::string encode_handle(std::int32_t spec_id, const std::vector<iceberg::DataFile>& files);
/// Errors: kDamaged; kUnsupported when the table lost the spec.
Result<iceberg::NewFiles> decode_handle(std::string_view handle, const iceberg::TableMetadata& table);

}  // namespace supyo::connect
