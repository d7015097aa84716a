#pragma once
#include <bit>
#include <cstdint>
#include <string>

#include "data/types/batch.h"
#include "data/types/value.h"
#include "engine/operators/sort.h"

namespace supyo::operators {

/// What ROW_NUMBER's operators give: their input, and the number behind it.
inline Schema numbered(Schema input, bool with_number) {
  if (with_number) input.add("$n", Type::big_int().not_null());
  return input;
}

template <class T>
inline void append_big_endian(T v, std::string& out) {
  for (std::size_t shift = sizeof v * 8; shift > 0; shift -= 8) out.push_back(static_cast<char>(static_cast<unsigned char>(v >> (shift - 8))));
}

/// Appends bytes that compare as the value is ordered, whatever follows them.
inline void append_ordered(const Column& column, std::size_t row, const SortSpec::Key& key, std::string& out) {
  if (column.is_null(row)) {
    out.push_back(key.nulls_first ? '\0' : '\2');
    return;
  }
  out.push_back('\1');
  const std::size_t from = out.size();
  const auto floating = [&](double v) {
    constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
    const auto bits = std::bit_cast<std::uint64_t>(v == 0 ? 0.0 : v);   // -0.0 is 0.0
    append_big_endian(bits ^ ((bits & kSign) != 0 ? ~std::uint64_t{0} : kSign), out);
  };
  switch (column.type().id) {
    case TypeId::kFloat: floating(static_cast<double>(column.value<float>(row))); break;
    case TypeId::kDouble: floating(column.value<double>(row)); break;
    case TypeId::kDecimal: append_big_endian(static_cast<unsigned __int128>(column.value<Int128>(row)) ^ (static_cast<unsigned __int128>(1) << 127), out); break;
    case TypeId::kString:
    case TypeId::kBytes:
      for (const char c : column.text(row)) {
        out.push_back(c);
        if (c == '\0') out.push_back('\xff');
      }
      out.append(2, '\0');
      break;
    default: append_big_endian(static_cast<std::uint64_t>(column.integer(row)) ^ (std::uint64_t{1} << 63), out);
  }
  if (key.descending)
    for (std::size_t i = from; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

}  // namespace supyo::operators
