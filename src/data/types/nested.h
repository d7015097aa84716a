#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/types/batch.h"
#include "data/types/builder.h"
#include "data/types/zone.h"

/// Values of ARRAY, MAP, MULTISET and ROW: one encoding for columns, state and literals.
///
/// A column of such a type is laid out as text: offsets and bytes. The bytes of one value are
///   list      = a bitmap of (n + 7) / 8 bytes, bit set = null, then the values that are not null: fixed-width ones little-endian,
///               text, bytes and nested values with their length before them (varint)
///   ROW       = list of its fields (n is the type's)
///   ARRAY     = n (varint), list
///   MAP       = n (varint), list of the keys, list of the values: no key twice, and ascending by key (NULL first)
///   MULTISET  = as a MAP of the elements to their counts (INT)
/// Equal values have equal bytes, whatever was put into a MAP first: -0.0 is stored as 0.0, every NaN as one NaN. (Flink compares MAPs without regard to
/// order, too, and leaves their order to a Java HashMap.) Threads: all functions are pure.
namespace supyo::nested {

/// One value inside a nested one. The bytes are the little-endian value, the text, or the nested value's encoding; they belong to whom they were read from.
struct Item {
  bool null = true;
  std::string_view bytes;
  bool operator==(const Item& o) const { return null == o.null && (null || bytes == o.bytes); }
};
using Items = std::vector<Item>;

/// The type of a multiset's counts.
Type count_type();

/// What is in a value, in its order; `out` is replaced. The bytes must be a value of `type`.
void read_array(const Type& type, std::string_view bytes, Items& out);
void read_row(const Type& type, std::string_view bytes, Items& out);
/// Of a MAP; of a MULTISET the elements and their counts.
void read_map(const Type& type, std::string_view bytes, Items& keys, Items& values);
/// The number of elements (of a MULTISET: different ones), or fields.
std::size_t size_of(const Type& type, std::string_view bytes);
/// One field, without reading those behind it.
Item field_of(const Type& row, std::string_view bytes, std::size_t field);

/// Append a value's encoding to `out`.
void write_array(const Type& element, std::span<const Item> items, std::string& out);
void write_row(const Type& row, std::span<const Item> items, std::string& out);
/// Keys in any order; of a key that stands twice the last value stays.
void write_map(const Type& key, const Type& value, std::span<const Item> keys, std::span<const Item> values, std::string& out);

/// Row `row` of a column as an item; points into the column.
Item item_at(const Column& column, std::size_t row);
/// `item` must be of the builder's type.
void append_item(ColumnBuilder& out, const Item& item);
/// A fixed-width value as it lies in an item.
template <class T>
T value_of(const Item& item) {
  T v;
  std::memcpy(&v, item.bytes.data(), sizeof v);
  return v;
}
/// As Column::integer().
std::int64_t integer_of(const Type& type, const Item& item);

/// SQL's order of two values that are not null; texts by their bytes, nested values by their encoding (some order, which Flink does not have).
int compare(const Type& type, const Item& a, const Item& b);
/// SQL's = of two values, where a NULL equals a NULL.
bool equal(const Type& type, const Item& a, const Item& b);

/// How values are written as text.
struct TextStyle {
  bool as_cast = false;        ///< as CAST to STRING: TRUE, NULL, ROWs as (a, b); else as `print` does: true, null, +I[a, b]
  Zone zone = {};              ///< of TIMESTAMP_LTZ
};
/// [a, b], {k=v}, (a, b). A nested NULL is "NULL".
void append_text(const Type& type, const Item& item, const TextStyle& style, std::string& out);

}  // namespace supyo::nested
