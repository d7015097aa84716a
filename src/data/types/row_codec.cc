#include "data/types/row_codec.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace supyo {
namespace {

/// One bit pattern for equal values: SQL compares 0.0 with -0.0 as equal, and grouping puts all NaNs together.
template <class F>
F canonical(F v) {
  if (v == F{0}) return F{0};
  return std::isnan(v) ? std::numeric_limits<F>::quiet_NaN() : v;
}

template <class T>
char* put(char* out, T v) {
  std::memcpy(out, &v, sizeof v);
  return out + sizeof v;
}

constexpr std::size_t kMaxLengthBytes = 5;   // varint of at most kMaxLength

char* put_text(char* out, std::string_view text) {
  std::size_t n = text.size();
  while (n >= 0x80) {
    *out++ = static_cast<char>(n | 0x80);
    n >>= 7;
  }
  *out++ = static_cast<char>(n);
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* encode_value(const Column& c, std::size_t row, char* out) {
  switch (c.type().width()) {
    case 0: return put_text(out, c.text(row));
    case 1: return put(out, c.value<std::uint8_t>(row));
    case 2: return put(out, c.value<std::uint16_t>(row));
    case 4:
      if (c.type().id == TypeId::kFloat) return put(out, canonical(c.value<float>(row)));
      return put(out, c.value<std::uint32_t>(row));
    case 8:
      if (c.type().id == TypeId::kDouble) return put(out, canonical(c.value<double>(row)));
      return put(out, c.value<std::uint64_t>(row));
    default: return put(out, c.value<unsigned __int128>(row));
  }
}

template <class T>
void decode_fixed(ByteReader& in, ColumnBuilder& out) {
  const std::string_view bytes = in.bytes(sizeof(T));
  if (in.failed()) return;
  T v;
  std::memcpy(&v, bytes.data(), sizeof v);
  out.append(v);
}

void decode_value(ByteReader& in, int width, ColumnBuilder& out) {
  switch (width) {
    case 0: {
      const std::string_view text = in.text();
      if (!in.failed()) out.append_text(text);
      return;
    }
    case 1: return decode_fixed<std::uint8_t>(in, out);
    case 2: return decode_fixed<std::uint16_t>(in, out);
    case 4: return decode_fixed<std::uint32_t>(in, out);
    case 8: return decode_fixed<std::uint64_t>(in, out);
    default: return decode_fixed<unsigned __int128>(in, out);
  }
}

constexpr std::uint64_t kNullHash = 0x5bd1e995a3c59ac3ULL;

/// Integers of every width hash by value, so that INT 5 and BIGINT 5 meet on one shard.
template <class T>
void hash_column(const Column& c, std::span<std::uint64_t> out, auto bits_of) {
  const std::span<const T> values = c.values<T>();
  if (!c.has_nulls()) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = hash_combine(out[i], bits_of(values[i]));
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = hash_combine(out[i], c.is_null(i) ? kNullHash : bits_of(values[i]));
}

template <class T>
void hash_integers(const Column& c, std::span<std::uint64_t> out) {
  hash_column<T>(c, out, [](T v) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(v)); });
}

void hash_texts(const Column& c, std::span<std::uint64_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = hash_combine(out[i], c.is_null(i) ? kNullHash : hash_bytes(c.text(i)));
}

void hash_one(const Column& c, std::span<std::uint64_t> out) {
  const auto bits_of_double = [](double v) { return std::bit_cast<std::uint64_t>(canonical(v)); };
  switch (c.type().id) {
    case TypeId::kNull:
      for (std::uint64_t& h : out) h = hash_combine(h, kNullHash);
      return;
    case TypeId::kBoolean: return hash_integers<std::uint8_t>(c, out);
    case TypeId::kTinyInt: return hash_integers<std::int8_t>(c, out);
    case TypeId::kSmallInt: return hash_integers<std::int16_t>(c, out);
    case TypeId::kInteger:
    case TypeId::kDate: return hash_integers<std::int32_t>(c, out);
    case TypeId::kFloat: return hash_column<float>(c, out, [&](float v) { return bits_of_double(static_cast<double>(v)); });
    case TypeId::kDouble: return hash_column<double>(c, out, bits_of_double);
    case TypeId::kDecimal:
      return hash_column<unsigned __int128>(
          c, out, [](unsigned __int128 v) { return hash_combine(static_cast<std::uint64_t>(v >> 64), static_cast<std::uint64_t>(v)); });
    case TypeId::kString:
    case TypeId::kBytes:
    case TypeId::kArray:
    case TypeId::kMap:
    case TypeId::kMultiset:
    case TypeId::kRow: return hash_texts(c, out);
    default: return hash_integers<std::int64_t>(c, out);
  }
}

}  // namespace

RowCodec::RowCodec(std::vector<Type> types) : types_(std::move(types)), fixed_bytes_((types_.size() + 7) / 8) {
  for (const Type& t : types_) fixed_bytes_ += t.width() > 0 ? static_cast<std::size_t>(t.width()) : kMaxLengthBytes;
}

void RowCodec::encode(std::span<const ColumnPtr> columns, std::size_t row, std::string& out) const {
  SUPYO_CHECK_EQ(columns.size(), types_.size());
  std::size_t bound = fixed_bytes_;
  for (const ColumnPtr& c : columns) {
    if (c->type().is_variable()) bound += c->text(row).size();
  }
  // Room for all of the row is made once, then written through one pointer.
  const std::size_t begin = out.size();
  out.resize_and_overwrite(begin + bound, [&](char* data, std::size_t) {
    char* const bitmap = data + begin;
    const std::size_t bitmap_bytes = (types_.size() + 7) / 8;
    std::memset(bitmap, 0, bitmap_bytes);
    char* at = bitmap + bitmap_bytes;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Column& c = *columns[i];
      if (c.is_null(row)) bitmap[i / 8] = static_cast<char>(bitmap[i / 8] | 1 << (i % 8));
      else at = encode_value(c, row, at);
    }
    return static_cast<std::size_t>(at - data);
  });
}

bool RowCodec::decode(std::string_view bytes, std::span<ColumnBuilder* const> out) const {
  SUPYO_CHECK_EQ(out.size(), types_.size());
  ByteReader in(bytes);
  const std::string_view bitmap = in.bytes((types_.size() + 7) / 8);
  for (std::size_t i = 0; i < types_.size() && !in.failed(); ++i) {
    const bool null = static_cast<unsigned char>(bitmap[i / 8]) >> (i % 8) & 1;
    if (null) out[i]->append_null();
    else if (types_[i].id == TypeId::kNull) return false;
    else decode_value(in, types_[i].width(), *out[i]);
  }
  return !in.failed() && in.done();
}

void hash_rows(std::span<const ColumnPtr> keys, std::size_t rows, std::span<std::uint64_t> out) {
  SUPYO_CHECK_LE(rows, out.size());
  const std::span<std::uint64_t> hashes = out.first(rows);
  std::fill(hashes.begin(), hashes.end(), 0x9e3779b97f4a7c15ULL);
  for (const ColumnPtr& key : keys) hash_one(*key, hashes);
}

}  // namespace supyo
