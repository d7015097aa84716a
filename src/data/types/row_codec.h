#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/types/batch.h"
#include "data/types/builder.h"

namespace supyo {

/// Encodes rows (or some of their columns) as bytes for state: fixed-width values little-endian, text with a varint length, a null bitmap first.
/// Equal rows have equal bytes, so an encoded key can be hashed and compared as bytes. -0.0 is stored as 0.0 and every NaN as one NaN.
class RowCodec {
 public:
  explicit RowCodec(std::vector<Type> types);
  /// Appends the encoding of row `row` of `columns` (in the order of `types`) to `out`.
  void encode(std::span<const ColumnPtr> columns, std::size_t row, std::string& out) const;
  /// Appends one value per builder. `bytes` must be what encode() wrote; false when it is not (damage).
  bool decode(std::string_view bytes, std::span<ColumnBuilder* const> out) const;
  const std::vector<Type>& types() const { return types_; }

 private:
  std::vector<Type> types_;
  std::size_t fixed_bytes_ = 0;   ///< null bitmap and fixed-width values: what a row needs besides its texts
};

/// Hash of the key columns of every row, equal for equal keys whatever the batch: it picks the shard (shard_of) and the state slot.
/// Equals hash_bytes of RowCodec's encoding only by accident; use one or the other for one purpose.
void hash_rows(std::span<const ColumnPtr> keys, std::size_t rows, std::span<std::uint64_t> out);

}  // namespace supyo
