#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/duration.h"  // parse_duration, format_duration
#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/builder.h"

namespace supyo {

using Int128 = __int128;

/// One SQL value outside a column: literals, option defaults, test expectations. Never used on the row path.
/// Integer and temporal types hold int64, BOOLEAN bool, FLOAT and DOUBLE double, DECIMAL Int128 (unscaled), text and bytes string.
struct Value {
  Type type;
  std::variant<std::monostate, bool, std::int64_t, double, Int128, std::string> data;

  bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  bool operator==(const Value&) const = default;
  /// As the console prints it: NULL, true, 12.50, 2013-01-01 05:15:00.000, plain text.
  std::string to_string() const;
};

Value value_at(const Column& column, std::size_t row);
void append_value(ColumnBuilder& builder, const Value& value);
/// A column of `rows` times the same value.
ColumnPtr constant_column(const Value& value, std::size_t rows);
/// As Value::to_string, without building a Value; appends to `out`.
void append_text_of(const Column& column, std::size_t row, std::string& out);

/// Text <-> temporal and decimal values: one implementation for literals, CAST, JSON, CSV and printing.
/// Parsers take the whole text (no blanks around it) and give kValueOutOfRange or kMalformedRecord.
Result<std::int32_t> parse_date(std::string_view s);                       ///< 2013-01-01
Result<std::int64_t> parse_time(std::string_view s);                       ///< 05:15[:00[.123456]]
Result<TimeUs> parse_timestamp(std::string_view s);                        ///< date[ |T]time[.fraction][Z]; digits past 6 are cut
Result<Int128> parse_decimal(std::string_view s, int precision, int scale);///< rounds half up to `scale`; kValueOutOfRange beyond precision
std::string format_date(std::int32_t days);
std::string format_time(std::int64_t us, int precision);
std::string format_timestamp(TimeUs us, int precision);                    ///< "2013-01-01 05:15:00.000"
std::string format_decimal(Int128 unscaled, int scale);

}  // namespace supyo
