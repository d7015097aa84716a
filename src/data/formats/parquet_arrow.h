#pragma once
// The parts of libsupyo_parquet.so (the parquet_arrow_*_module.cc), which alone see Arrow.
#include <arrow/api.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/parquet.h"

namespace supyo::formats {

constexpr const char* kFieldIdKey = "PARQUET:field_id";

Result<std::shared_ptr<arrow::DataType>> arrow_type(const Type& type);
/// Nothing: a column of a kind that no SQL type has here.
std::optional<Type> sql_type(const arrow::DataType& type);
std::optional<Type> sql_type(const arrow::Field& field);   ///< NOT NULL where it is required
/// Out of memory is not the file's fault: kIo then, whatever `code` says.
Error from_arrow(const arrow::Status& status, ErrorCode code, const std::string& what);

Result<std::unique_ptr<ParquetWriter>> open_arrow_writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output);
Result<std::unique_ptr<ParquetReader>> open_arrow_reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row);

}  // namespace supyo::formats
