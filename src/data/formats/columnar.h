#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/type.h"

namespace supyo::formats {

/// 'format' = 'columnar': rows in columns, one block a batch (docs/format/columnar.md). Not a record format: decoders and encoders of records do not know it.
inline constexpr std::string_view kColumnar = "columnar";

/// kUnsupported: a type that a block cannot hold.
Status check_columnar(const Schema& schema);

/// Appends the block of `batch` (1 to kMaxRows rows; inserts) to `out`. The schema passed check_columnar().
void encode_columns(const Batch& batch, const Schema& schema, std::string& out);

/// The columns that a block holds, in its order. kMalformedRecord.
Result<Schema> columns_of(std::string_view block);

/// Reads the columns `wanted` by their names; those that a block does not have are null. One thread. Safe on any bytes.
class ColumnarDecoder {
 public:
  explicit ColumnarDecoder(Schema wanted) : wanted_(std::move(wanted)) {}
  /// `rows`: as many as the block must have. kMalformedRecord: these are no such rows; kTypeMismatch: a column is of another type.
  Result<BatchPtr> decode(std::string_view block, std::size_t rows);

 private:
  Status map_columns(std::string_view schema, std::size_t columns);

  Schema wanted_;
  std::string schema_;                  ///< of the block before, as bytes
  std::vector<std::ptrdiff_t> source_;  ///< of each wanted column its number in such blocks; -1: it is null
};

}  // namespace supyo::formats
