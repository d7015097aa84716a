#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace supyo {

/// Flink SQL's logical types. The comment is the value's representation in a Column.
enum class TypeId : std::uint8_t {
  kNull,          ///< the type of a bare NULL literal; no buffers
  kBoolean,       ///< one byte, 0 or 1 (bytes and not bits: kernels stay branch-free; converted at the Arrow boundary)
  kTinyInt,       ///< int8
  kSmallInt,      ///< int16
  kInteger,       ///< int32
  kBigInt,        ///< int64
  kFloat,         ///< float
  kDouble,        ///< double
  kDecimal,       ///< __int128 unscaled; precision 1..38, 0 <= scale <= precision
  kString,        ///< CHAR, VARCHAR, STRING: int32 offsets + UTF-8 bytes; precision = length, kMaxLength for STRING
  kBytes,         ///< BINARY, VARBINARY, BYTES: as kString
  kDate,          ///< int32 days since 1970-01-01
  kTime,          ///< int64 microseconds since midnight
  kTimestamp,     ///< int64 microseconds since 1970-01-01 00:00:00, no zone; precision 0..6
  kTimestampLtz,  ///< int64 microseconds since the epoch, UTC; precision 0..6
  kIntervalMonth, ///< int64 months
  kIntervalDay,   ///< int64 microseconds
  // Nested values: int32 offsets + bytes, as kString; the bytes are the value's encoding of data/types/nested.h.
  kArray, kMap, kMultiset, kRow,
};

inline constexpr int kMaxLength = 2147483647;
inline constexpr int kMaxDecimalPrecision = 38;

struct NestedType;

/// A SQL type: what DESCRIBE prints. A small value.
struct Type {
  TypeId id = TypeId::kNull;
  bool nullable = true;
  bool fixed_length = false;  ///< CHAR(n) and BINARY(n) rather than VARCHAR and VARBINARY
  int precision = 0;          ///< DECIMAL digits, timestamp fraction digits, string length
  int scale = 0;              ///< DECIMAL only
  std::shared_ptr<const NestedType> nested = nullptr;  ///< what kArray, kMap, kMultiset and kRow are made of; null for others

  static Type boolean() { return {.id = TypeId::kBoolean}; }
  static Type tiny_int() { return {.id = TypeId::kTinyInt}; }
  static Type small_int() { return {.id = TypeId::kSmallInt}; }
  static Type integer() { return {.id = TypeId::kInteger}; }
  static Type big_int() { return {.id = TypeId::kBigInt}; }
  static Type float_() { return {.id = TypeId::kFloat}; }
  static Type double_() { return {.id = TypeId::kDouble}; }
  static Type decimal(int p, int s) { return {.id = TypeId::kDecimal, .precision = p, .scale = s}; }
  static Type string(int length = kMaxLength) { return {.id = TypeId::kString, .precision = length}; }
  static Type char_(int length) { return {.id = TypeId::kString, .fixed_length = true, .precision = length}; }
  static Type bytes(int length = kMaxLength) { return {.id = TypeId::kBytes, .precision = length}; }
  static Type date() { return {.id = TypeId::kDate}; }
  static Type time(int p = 0) { return {.id = TypeId::kTime, .precision = p}; }
  static Type timestamp(int p = 6) { return {.id = TypeId::kTimestamp, .precision = p}; }
  static Type timestamp_ltz(int p = 6) { return {.id = TypeId::kTimestampLtz, .precision = p}; }
  static Type interval_month() { return {.id = TypeId::kIntervalMonth}; }
  static Type interval_day() { return {.id = TypeId::kIntervalDay}; }
  static Type null() { return {}; }
  static Type array(Type element);
  static Type map(Type key, Type value);
  static Type multiset(Type element);
  static Type row(std::vector<std::string> names, std::vector<Type> types);

  Type not_null() const { Type t = *this; t.nullable = false; return t; }
  Type as_nullable(bool n = true) const { Type t = *this; t.nullable = n; return t; }
  bool operator==(const Type& o) const { return nullable == o.nullable && same_but_nullable(o) && (nested == o.nested || same_children(o, true)); }
  /// Equal but for nullability, also of what it is made of: the same representation.
  bool same_kind(const Type& o) const { return same_but_nullable(o) && (nested == o.nested || same_children(o, false)); }

  bool is_integer() const { return id >= TypeId::kTinyInt && id <= TypeId::kBigInt; }
  bool is_floating() const { return id == TypeId::kFloat || id == TypeId::kDouble; }
  bool is_numeric() const { return id >= TypeId::kTinyInt && id <= TypeId::kDecimal; }
  bool is_text() const { return id == TypeId::kString; }
  bool is_nested() const { return id >= TypeId::kArray; }
  /// Offsets and bytes.
  bool is_variable() const { return id == TypeId::kString || id == TypeId::kBytes || is_nested(); }
  bool is_timestamp() const { return id == TypeId::kTimestamp || id == TypeId::kTimestampLtz; }
  /// Bytes of a value in the data buffer; 0 for kNull and where is_variable().
  int width() const {
    // In the order of TypeId. A table and not a switch: builders and codecs ask once a value.
    constexpr std::int8_t kWidths[] = {0, 1, 1, 2, 4, 8, 4, 8, 16, 0, 0, 4, 8, 8, 8, 8, 8, 0, 0, 0, 0};
    static_assert(sizeof kWidths == static_cast<std::size_t>(TypeId::kRow) + 1);
    return kWidths[static_cast<std::size_t>(id)];
  }
  /// "BIGINT", "DECIMAL(10, 2) NOT NULL", "TIMESTAMP(3)", "ARRAY<INT>", "ROW<`a` INT>": Flink's spelling.
  std::string to_string() const;
  /// Of nested types: [0] the element, or the key and [1] the value, or the fields.
  const std::vector<Type>& children() const;
  const std::vector<std::string>& field_names() const;   ///< of kRow

 private:
  bool same_but_nullable(const Type& o) const { return id == o.id && precision == o.precision && scale == o.scale && fixed_length == o.fixed_length; }
  bool same_children(const Type& o, bool nullability) const;
};

/// Immutable, shared by the copies of a type; compared by what it says.
struct NestedType {
  std::vector<Type> children;
  std::vector<std::string> names;   ///< of kRow, one a child
};

/// Named, typed columns in order.
struct Field {
  std::string name;
  Type type;
  bool nested = false;   ///< a field of a ROW: the name is the way to it, its steps joined by dots
  bool operator==(const Field&) const = default;
};

class Schema {
 public:
  Schema() = default;
  explicit Schema(std::vector<Field> fields) : fields_(std::move(fields)) {}
  const std::vector<Field>& fields() const { return fields_; }
  std::size_t size() const { return fields_.size(); }
  const Field& operator[](std::size_t i) const { return fields_[i]; }
  std::optional<std::size_t> find(std::string_view name) const;
  std::vector<Type> types() const;
  void add(std::string name, Type type, bool nested = false) { fields_.push_back({std::move(name), type, nested}); }
  bool operator==(const Schema&) const = default;
  std::string to_string() const;  ///< "(`a` BIGINT, `b` STRING)"

 private:
  std::vector<Field> fields_;
};

using SchemaPtr = std::shared_ptr<const Schema>;

}  // namespace supyo
