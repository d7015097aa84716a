#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "data/types/row_codec.h"

namespace supyo::operators {

/// A row under a key that many rows have, as one key of a state table with shared hashes: (length of the key, key, row's RowCodec bytes).
class KeyedRow {
 public:
  /// Behind what is in `out`.
  static void append(std::string_view key, const RowCodec& codec, std::span<const ColumnPtr> columns, std::size_t row, std::string& out) {
    const auto length = static_cast<std::uint32_t>(key.size());
    out.append(reinterpret_cast<const char*>(&length), kLengthBytes);
    out.append(key);
    codec.encode(columns, row, out);
  }
  /// Writes over `out`.
  static void encode(std::string_view key, const RowCodec& codec, std::span<const ColumnPtr> columns, std::size_t row, std::string& out) {
    out.clear();
    append(key, codec, columns, row, out);
  }
  /// The two parts of what encode() wrote.
  static std::string_view key(std::string_view whole) {
    std::uint32_t length = 0;
    std::memcpy(&length, whole.data(), kLengthBytes);
    return whole.substr(kLengthBytes, length);
  }
  static std::string_view row(std::string_view whole) { return whole.substr(kLengthBytes + key(whole).size()); }

 private:
  static constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);
};

}  // namespace supyo::operators
