#include "data/types/nested.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/bytes.h"
#include "data/types/value.h"

namespace supyo::nested {
namespace {

std::size_t bitmap_bytes(std::size_t n) { return (n + 7) / 8; }
bool bit(std::string_view bitmap, std::size_t i) { return (static_cast<unsigned char>(bitmap[i / 8]) >> (i % 8) & 1) != 0; }

Item read_value(ByteReader& in, const Type& type) {
  const auto width = static_cast<std::uint64_t>(type.width());
  return {false, width > 0 ? in.bytes(width) : in.text()};
}

/// A count that the bytes cannot hold is damage; it must not become an allocation.
std::size_t read_count(ByteReader& in) {
  const std::uint64_t n = in.varint();
  SUPYO_CHECK(!in.failed() && n / 8 <= in.remaining());
  return static_cast<std::size_t>(n);
}

template <class TypeOf>
void read_list(ByteReader& in, std::size_t n, const TypeOf& type_of, Items& out) {
  out.clear();
  out.reserve(n);
  const std::string_view bitmap = in.bytes(bitmap_bytes(n));
  SUPYO_CHECK(!in.failed());
  for (std::size_t i = 0; i < n; ++i) out.push_back(bit(bitmap, i) ? Item{} : read_value(in, type_of(i)));
  SUPYO_CHECK(!in.failed());
}

template <class F>
void put_floating(std::string_view bytes, std::string& out) {
  F v;
  std::memcpy(&v, bytes.data(), sizeof v);
  if (v == F{0}) v = F{0};
  else if (std::isnan(v)) v = std::numeric_limits<F>::quiet_NaN();
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

void write_value(const Type& type, std::string_view bytes, std::string& out) {
  if (type.id == TypeId::kDouble) return put_floating<double>(bytes, out);
  if (type.id == TypeId::kFloat) return put_floating<float>(bytes, out);
  if (type.width() == 0) return ByteWriter(out).text(bytes);
  out.append(bytes);
}

template <class TypeOf>
void write_list(std::span<const Item> items, const TypeOf& type_of, std::string& out) {
  const std::size_t bitmap = out.size();
  out.append(bitmap_bytes(items.size()), '\0');
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].null) out[bitmap + i / 8] = static_cast<char>(out[bitmap + i / 8] | 1 << (i % 8));
    else write_value(type_of(i), items[i].bytes, out);
  }
}

template <class T>
int order(T a, T b) { return a < b ? -1 : b < a ? 1 : 0; }

template <class F>
int order_floating(F a, F b) {   // as Java's compare: NaN is the greatest
  if (std::isnan(a) || std::isnan(b)) return order(std::isnan(a), std::isnan(b));
  return order(a, b);
}

void append_list(const Items& items, const auto& type_of, const TextStyle& style, std::string& out) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_text(type_of(i), items[i], style, out);
  }
}

void append_pairs(const Type& type, std::string_view bytes, const TextStyle& style, std::string& out) {
  Items keys, values;
  read_map(type, bytes, keys, values);
  const Type value = type.id == TypeId::kMap ? type.children()[1] : count_type();
  out += '{';
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) out += ", ";
    append_text(type.children()[0], keys[i], style, out);
    out += '=';
    append_text(value, values[i], style, out);
  }
  out += '}';
}

void append_nested(const Type& type, std::string_view bytes, const TextStyle& style, std::string& out) {
  Items items;
  switch (type.id) {
    case TypeId::kArray:
      read_array(type, bytes, items);
      out += '[';
      append_list(items, [&](std::size_t) -> const Type& { return type.children()[0]; }, style, out);
      out += ']';
      return;
    case TypeId::kRow:
      read_row(type, bytes, items);
      out += style.as_cast ? "(" : "+I[";
      append_list(items, [&](std::size_t i) -> const Type& { return type.children()[i]; }, style, out);
      out += style.as_cast ? ')' : ']';
      return;
    default: return append_pairs(type, bytes, style, out);
  }
}

}  // namespace

Type count_type() { return Type::integer().not_null(); }

void read_array(const Type& type, std::string_view bytes, Items& out) {
  ByteReader in(bytes);
  const std::size_t n = read_count(in);
  read_list(in, n, [&](std::size_t) -> const Type& { return type.children()[0]; }, out);
}

void read_row(const Type& type, std::string_view bytes, Items& out) {
  ByteReader in(bytes);
  read_list(in, type.children().size(), [&](std::size_t i) -> const Type& { return type.children()[i]; }, out);
}

void read_map(const Type& type, std::string_view bytes, Items& keys, Items& values) {
  ByteReader in(bytes);
  const std::size_t n = read_count(in);
  read_list(in, n, [&](std::size_t) -> const Type& { return type.children()[0]; }, keys);
  const Type value = type.id == TypeId::kMap ? type.children()[1] : count_type();
  read_list(in, n, [&](std::size_t) -> const Type& { return value; }, values);
}

std::size_t size_of(const Type& type, std::string_view bytes) {
  if (type.id == TypeId::kRow) return type.children().size();
  ByteReader in(bytes);
  return read_count(in);
}

Item field_of(const Type& row, std::string_view bytes, std::size_t field) {
  ByteReader in(bytes);
  const std::string_view bitmap = in.bytes(bitmap_bytes(row.children().size()));
  SUPYO_CHECK(!in.failed());
  if (bit(bitmap, field)) return {};
  for (std::size_t i = 0; i < field; ++i)
    if (!bit(bitmap, i)) read_value(in, row.children()[i]);
  const Item item = read_value(in, row.children()[field]);
  SUPYO_CHECK(!in.failed());
  return item;
}

void write_array(const Type& element, std::span<const Item> items, std::string& out) {
  ByteWriter(out).varint(items.size());
  write_list(items, [&](std::size_t) -> const Type& { return element; }, out);
}

void write_row(const Type& row, std::span<const Item> items, std::string& out) {
  SUPYO_CHECK_EQ(items.size(), row.children().size());
  write_list(items, [&](std::size_t i) -> const Type& { return row.children()[i]; }, out);
}

void write_map(const Type& key, const Type& value, std::span<const Item> keys, std::span<const Item> values, std::string& out) {
  std::vector<std::size_t> order(keys.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto less = [&](std::size_t a, std::size_t b) {
    if (keys[a].null || keys[b].null) return keys[a].null && !keys[b].null;
    return compare(key, keys[a], keys[b]) < 0;
  };
  std::ranges::stable_sort(order, less);
  Items kept, kept_values;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i + 1 < order.size() && equal(key, keys[order[i]], keys[order[i + 1]])) continue;   // a later one
    kept.push_back(keys[order[i]]);
    kept_values.push_back(values[order[i]]);
  }
  ByteWriter(out).varint(kept.size());
  write_list(kept, [&](std::size_t) -> const Type& { return key; }, out);
  write_list(kept_values, [&](std::size_t) -> const Type& { return value; }, out);
}

Item item_at(const Column& column, std::size_t row) {
  if (column.is_null(row)) return {};
  const auto width = static_cast<std::size_t>(column.type().width());
  if (width == 0) return {false, column.text(row)};
  return {false, {reinterpret_cast<const char*>(column.data()->data()) + row * width, width}};
}

void append_item(ColumnBuilder& out, const Item& item) {
  if (item.null) return out.append_null();
  switch (out.type().width()) {
    case 0: return out.append_text(item.bytes);
    case 1: return out.append(value_of<std::uint8_t>(item));
    case 2: return out.append(value_of<std::uint16_t>(item));
    case 4: return out.append(value_of<std::uint32_t>(item));
    case 8: return out.append(value_of<std::uint64_t>(item));
    default: return out.append(value_of<unsigned __int128>(item));
  }
}

std::int64_t integer_of(const Type& type, const Item& item) {
  switch (type.width()) {
    case 1: return type.id == TypeId::kBoolean ? std::int64_t{value_of<std::uint8_t>(item)} : std::int64_t{value_of<std::int8_t>(item)};
    case 2: return value_of<std::int16_t>(item);
    case 4: return value_of<std::int32_t>(item);
    default: return value_of<std::int64_t>(item);
  }
}

int compare(const Type& type, const Item& a, const Item& b) {
  switch (type.id) {
    case TypeId::kFloat: return order_floating(value_of<float>(a), value_of<float>(b));
    case TypeId::kDouble: return order_floating(value_of<double>(a), value_of<double>(b));
    case TypeId::kDecimal: return order(value_of<Int128>(a), value_of<Int128>(b));
    default: break;
  }
  if (type.width() > 0) return order(integer_of(type, a), integer_of(type, b));
  return order(a.bytes, b.bytes);
}

bool equal(const Type& type, const Item& a, const Item& b) {
  if (a.null || b.null) return a.null && b.null;
  return type.width() == 0 ? a.bytes == b.bytes : compare(type, a, b) == 0;
}

void append_text(const Type& type, const Item& item, const TextStyle& style, std::string& out) {
  if (item.null) {
    out += style.as_cast ? "NULL" : "null";
    return;
  }
  if (type.is_nested()) return append_nested(type, item.bytes, style, out);
  if (type.id == TypeId::kString || (style.as_cast && type.id == TypeId::kBytes)) {   // Flink reads BYTES as UTF-8 here
    out += item.bytes;
    return;
  }
  if (style.as_cast && type.id == TypeId::kBoolean) {
    out += value_of<std::uint8_t>(item) != 0 ? "TRUE" : "FALSE";
    return;
  }
  if (style.as_cast && type.id == TypeId::kTimestampLtz) {
    out += format_timestamp(style.zone.to_local(value_of<std::int64_t>(item)), type.precision);
    return;
  }
  ColumnBuilder one(type, 8);
  append_item(one, item);
  append_text_of(*one.finish(), 0, out);
}

}  // namespace supyo::nested
