#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/type.h"

namespace supyo::formats {

/// 'format' = 'columnar': rows in columns, one block a batch: a head and its columns (docs/format/columnar.md). Not a record format: decoders and encoders of records do not know it.
/// In version 1 the columns stood in the head's text; since version 2 whoever keeps the block keeps them beside it, and gives back those that are wanted.
inline constexpr std::string_view kColumnar = "columnar";

/// kUnsupported: a type that a block cannot hold.
Status check_columnar(const Schema& schema);

struct ColumnarBlock {
  std::string head;
  std::string columns;                ///< one behind the other
  std::vector<std::uint32_t> bytes;   ///< of each; multiples of 8, as the head's are
};
/// The block of `batch` (1 to kMaxRows rows; inserts). The schema passed check_columnar().
ColumnarBlock encode_columns(const Batch& batch, const Schema& schema);

/// The columns that a block holds, in its order. kMalformedRecord.
Result<Schema> columns_of(std::string_view head);

/// Reads the columns `wanted` by their names; those that a block does not have are null. One thread. Safe on any bytes.
class ColumnarDecoder {
 public:
  explicit ColumnarDecoder(Schema wanted) : wanted_(std::move(wanted)) {}
  /// Sets the bits of the columns that decode() will look at; none where it will refuse the block.
  void select(std::string_view head, std::vector<bool>& columns);
  /// `columns`: all of the block, those that select() does not name may be empty. `rows`: as many as it must have.
  /// kMalformedRecord: these are no such rows; kTypeMismatch: a column is of another type.
  Result<BatchPtr> decode(std::string_view head, std::span<const std::string_view> columns, std::size_t rows);

 private:
  Status map_columns(std::string_view schema, std::size_t columns);

  Schema wanted_;
  std::string schema_;                  ///< of the block before, as bytes
  std::vector<std::ptrdiff_t> source_;  ///< of each wanted column its number in such blocks; -1: it is null
};

}  // namespace supyo::formats
