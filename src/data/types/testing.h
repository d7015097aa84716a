#pragma once
// Random columns for the tests of this room.
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "data/types/builder.h"
#include "data/types/value.h"

namespace supyo::testing_types {

/// Numbers from a seed; a test prints the seed when it fails.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return hash_u64(state_ += 0x9e3779b97f4a7c15ULL); }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

inline std::vector<Type> all_types() {
  return {Type::boolean(),     Type::tiny_int(), Type::small_int(),      Type::integer(),        Type::big_int(),      Type::float_(),
          Type::double_(),     Type::string(),   Type::decimal(38, 10),  Type::bytes(),          Type::date(),         Type::time(3),
          Type::timestamp(3),  Type::timestamp_ltz(), Type::interval_month(), Type::interval_day(), Type::null()};
}

inline Value random_value(const Type& type, Draw& draw) {
  const auto bits = static_cast<std::int64_t>(draw.next());
  switch (type.id) {
    case TypeId::kNull: return {.type = type, .data = {}};
    case TypeId::kBoolean: return {.type = type, .data = (bits & 1) != 0};
    case TypeId::kTinyInt: return {.type = type, .data = std::int64_t{static_cast<std::int8_t>(bits)}};
    case TypeId::kSmallInt: return {.type = type, .data = std::int64_t{static_cast<std::int16_t>(bits)}};
    case TypeId::kInteger:
    case TypeId::kDate: return {.type = type, .data = std::int64_t{static_cast<std::int32_t>(bits)}};
    case TypeId::kFloat: return {.type = type, .data = static_cast<double>(static_cast<float>(bits) / 7.0F)};
    case TypeId::kDouble: return {.type = type, .data = static_cast<double>(bits) / 7.0};
    case TypeId::kDecimal: return {.type = type, .data = Int128{bits} * static_cast<std::int64_t>(draw.next() >> 2)};
    case TypeId::kTime: return {.type = type, .data = static_cast<std::int64_t>(draw.below(kDay))};
    case TypeId::kString:
    case TypeId::kBytes: {
      std::string s(draw.below(20), '\0');
      for (char& c : s) c = static_cast<char>(type.id == TypeId::kBytes ? draw.next() : 'a' + draw.below(26));
      return {.type = type, .data = std::move(s)};
    }
    default: return {.type = type, .data = bits};
  }
}

/// `nulls_one_in` 0 = no nulls.
inline std::vector<Value> random_values(const Type& type, std::size_t rows, std::uint64_t nulls_one_in, Draw& draw) {
  std::vector<Value> values;
  for (std::size_t i = 0; i < rows; ++i) {
    values.push_back(nulls_one_in > 0 && draw.one_in(nulls_one_in) ? Value{.type = type, .data = {}} : random_value(type, draw));
  }
  return values;
}

inline ColumnPtr column_of(const Type& type, const std::vector<Value>& values) {
  ColumnBuilder builder(type, 8);
  for (const Value& v : values) append_value(builder, v);
  return builder.finish();
}

inline std::vector<Value> values_of(const Column& column) {
  std::vector<Value> values;
  for (std::size_t i = 0; i < column.length(); ++i) values.push_back(value_at(column, i));
  return values;
}

}  // namespace supyo::testing_types
