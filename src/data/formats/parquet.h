#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/value.h"

/// Parquet files, without Arrow in sight: the implementation is the shared module libsupyo_parquet.so, loaded on first use.
/// The module is found through the run path of the executable (its own directory, ../lib beside it, the build directory).
/// Everything here may fail with kModuleMissing when it is not there.
namespace supyo::formats {

/// A column of a Parquet file. `field_id` is Iceberg's; kNoFieldId when the file has none.
struct ParquetField {
  static constexpr std::int32_t kNoFieldId = -1;
  std::string name;
  Type type;
  std::int32_t field_id = kNoFieldId;
};

/// Sizes and statistics of one column over a whole file.
struct ParquetColumnMetrics {
  std::int32_t field_id = ParquetField::kNoFieldId;
  std::int64_t compressed_bytes = 0;
  std::int64_t values = 0;               ///< nulls included
  std::int64_t nulls = 0;
  std::optional<Value> lower;            ///< absent when unknown (all null, NaN among the values, too long)
  std::optional<Value> upper;
};

struct ParquetFileMetrics {
  std::int64_t rows = 0;
  std::int64_t file_bytes = 0;
  std::vector<ParquetColumnMetrics> columns;   ///< in the order of the schema
  std::vector<std::int64_t> split_offsets;     ///< where each row group starts
};

struct ParquetWriteOptions {
  std::string codec = "zstd";            ///< zstd | snappy | gzip | uncompressed
  std::int64_t row_group_rows = 512 * 1024;
};

/// Takes the file's bytes in order. An error stops the writer and comes back from the call that ran into it.
using ParquetOutput = std::function<Status(std::string_view)>;

/// Writes one file. One thread. Destroying it without finish() leaves an incomplete file and does not call the output.
class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  /// Appends all rows of `batch`; its columns have the types of the schema, in order. Row kinds are ignored.
  virtual Status write(const Batch& batch) = 0;
  /// About how large the file would be if it were finished now.
  virtual std::int64_t estimated_bytes() const = 0;
  virtual Result<ParquetFileMetrics> finish() = 0;
};

/// Reads one file, a batch at a time. One thread. The bytes must outlive it.
class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  virtual std::int64_t rows() const = 0;
  /// Columns of the file itself (types that SQL does not have are left out).
  virtual const std::vector<ParquetField>& fields() const = 0;
  /// Next batch of the columns asked for; null at the end. Errors: kDamaged.
  virtual Result<BatchPtr> next() = 0;
};

/// Errors: kModuleMissing, kUnsupported (a type that Parquet or Iceberg has not: intervals).
Result<std::unique_ptr<ParquetWriter>> make_parquet_writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output);

/// Opens the file `bytes` (`name` for messages) to read `columns` in that order, from row `first_row` on. A column is found by its field id when the file has field ids,
/// else by its name; one that the file does not have reads as null (it was added to the table later). Values are widened to the type asked
/// for where that loses nothing (int to bigint, float to double, decimal precision). Errors: kModuleMissing, kDamaged, kTypeMismatch, kNullInNotNull.
Result<std::unique_ptr<ParquetReader>> make_parquet_reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row = 0);

/// What the shared module exports; made by its `supyo_parquet_module` entry point. Not for other rooms.
class ParquetModule {
 public:
  static constexpr int kAbi = 1;
  static constexpr const char* kFile = "libsupyo_parquet.so";
  static constexpr const char* kEntry = "supyo_parquet_module";
  virtual ~ParquetModule() = default;
  virtual int abi() const = 0;
  virtual Result<std::unique_ptr<ParquetWriter>> writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output) = 0;
  virtual Result<std::unique_ptr<ParquetReader>> reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) = 0;
};

}  // namespace supyo::formats
