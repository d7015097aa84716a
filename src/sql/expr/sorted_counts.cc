#include "sql/expr/sorted_counts.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "sql/expr/kernel.h"

namespace supyo::expr {

namespace {

template <class T>
struct Bits { using type = std::make_unsigned_t<T>; };
template <>
struct Bits<float> { using type = std::uint32_t; };
template <>
struct Bits<double> { using type = std::uint64_t; };
template <>
struct Bits<Int128> { using type = unsigned __int128; };

template <class T>
typename Bits<T>::type ordered_bits(T v) {
  using U = typename Bits<T>::type;
  constexpr U kSign = static_cast<U>(U{1} << (sizeof(U) * 8 - 1));
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(v)) v = std::numeric_limits<T>::quiet_NaN();
    if (v == T{0}) v = T{0};
    U u;
    std::memcpy(&u, &v, sizeof u);
    return (u & kSign) != 0 ? ~u : u | kSign;
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    return v;
  } else {
    return static_cast<U>(static_cast<U>(v) ^ kSign);
  }
}

template <class T>
T from_ordered_bits(typename Bits<T>::type u) {
  using U = typename Bits<T>::type;
  constexpr U kSign = static_cast<U>(U{1} << (sizeof(U) * 8 - 1));
  if constexpr (std::is_floating_point_v<T>) {
    u = (u & kSign) != 0 ? u ^ kSign : ~u;
    T v;
    std::memcpy(&v, &u, sizeof v);
    return v;
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    return u;
  } else {
    return static_cast<T>(static_cast<U>(u ^ kSign));
  }
}

constexpr std::size_t kCountSize = sizeof(std::int64_t);

/// One entry: fixed: key, count; variable: u32 length, key, count.
struct Entry {
  std::string_view key;
  std::size_t start = 0;
  std::size_t end = 0;
  std::int64_t count = 0;
};

Entry entry_at(std::string_view blob, std::size_t at, std::size_t key_size) {
  Entry e;
  e.start = at;
  std::size_t size = key_size;
  if (key_size == 0) {
    std::uint32_t length = 0;
    std::memcpy(&length, blob.data() + at, sizeof length);
    size = length;
    at += sizeof length;
  }
  e.key = blob.substr(at, size);
  std::memcpy(&e.count, blob.data() + at + size, kCountSize);
  e.end = at + size + kCountSize;
  return e;
}

/// The entry of `key`, or an empty one (end == start) where it belongs.
Entry locate(std::string_view blob, std::string_view key, std::size_t key_size) {
  if (key_size == 0) {
    std::size_t at = 0;
    while (at < blob.size()) {
      const Entry e = entry_at(blob, at, 0);
      if (e.key == key) return e;
      if (e.key > key) break;
      at = e.end;
    }
    return {.key = {}, .start = at, .end = at};
  }
  const std::size_t stride = key_size + kCountSize;
  std::size_t low = 0;
  std::size_t high = blob.size() / stride;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (blob.substr(middle * stride, key_size) < key) low = middle + 1; else high = middle;
  }
  const std::size_t at = low * stride;
  if (at < blob.size()) {
    const Entry e = entry_at(blob, at, key_size);
    if (e.key == key) return e;
  }
  return {.key = {}, .start = at, .end = at};
}

}  // namespace

std::size_t ordered_key_size(const Type& type) { return type.is_variable() ? 0 : static_cast<std::size_t>(type.width()); }

void append_ordered_key(const Column& column, std::size_t row, std::string& out) {
  if (column.type().is_variable()) {
    out += column.text(row);
    return;
  }
  with_representation(column.type().id, [&]<class T>(std::type_identity<T>) {
    const auto bits = ordered_bits(column.value<T>(row));
    for (std::size_t i = sizeof bits; i-- > 0;) out += static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
  });
}

void append_ordered_value(const Type& type, std::string_view key, ColumnBuilder& out) {
  if (type.is_variable()) return out.append_text(key);
  with_representation(type.id, [&]<class T>(std::type_identity<T>) {
    typename Bits<T>::type bits = 0;
    for (const char c : key) bits = static_cast<typename Bits<T>::type>((bits << (sizeof(T) > 1 ? 8 : 0)) | static_cast<unsigned char>(c));
    out.append(from_ordered_bits<T>(bits));
  });
}

std::int64_t SortedCounts::add(std::string_view key, std::int64_t by) {
  const Entry found = locate(blob_, key, key_size_);
  const std::int64_t count = found.count + by;
  if (count == 0) {
    blob_.erase(found.start, found.end - found.start);
    return 0;
  }
  if (found.end > found.start) {
    std::memcpy(blob_.data() + found.end - kCountSize, &count, kCountSize);
    return count;
  }
  std::string entry;
  if (key_size_ == 0) {
    const auto length = static_cast<std::uint32_t>(key.size());
    entry.append(reinterpret_cast<const char*>(&length), sizeof length);
  }
  entry += key;
  entry.append(reinterpret_cast<const char*>(&count), kCountSize);
  blob_.insert(found.start, entry);
  return count;
}

bool SortedCounts::extreme(std::string_view blob, std::size_t key_size, bool greatest, std::string_view& key) {
  if (greatest && key_size > 0) {
    const std::size_t stride = key_size + kCountSize;
    for (std::size_t end = blob.size(); end > 0; end -= stride) {
      const Entry e = entry_at(blob, end - stride, key_size);
      if (e.count > 0) { key = e.key; return true; }
    }
    return false;
  }
  bool found = false;
  for (std::size_t at = 0; at < blob.size();) {
    const Entry e = entry_at(blob, at, key_size);
    at = e.end;
    if (e.count <= 0) continue;
    key = e.key;
    found = true;
    if (!greatest) break;
  }
  return found;
}

void SortedCounts::for_each(std::string_view blob, std::size_t key_size, const std::function<void(std::string_view, std::int64_t)>& visit) {
  for (std::size_t at = 0; at < blob.size();) {
    const Entry e = entry_at(blob, at, key_size);
    at = e.end;
    visit(e.key, e.count);
  }
}

}  // namespace supyo::expr
