#include "data/types/value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "data/types/builder.h"
#include "data/types/nested.h"

namespace supyo {
namespace {

/// As Java prints it, so that CAST(d AS STRING) and the console agree with Flink: 1.0, 0.001, 1.0E7, NaN, -Infinity.
template <class F>
void append_floating(F v, std::string& out) {
  if (std::isnan(v)) { out += "NaN"; return; }
  if (std::isinf(v)) { out += v < 0 ? "-Infinity" : "Infinity"; return; }
  if (v == F{0}) { out += std::signbit(v) ? "-0.0" : "0.0"; return; }
  char text[48];
  const auto [end, error] = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific);
  SUPYO_CHECK(error == std::errc{});
  std::string_view s(text, static_cast<std::size_t>(end - text));
  if (s.front() == '-') { out += '-'; s.remove_prefix(1); }
  const std::size_t e = s.find('e');
  std::string digits(1, s[0]);
  if (e > 2) digits += s.substr(2, e - 2);
  const int exponent = std::stoi(std::string(s.substr(e + 1)));
  if (exponent < -3 || exponent >= 7) {
    fmt::format_to(std::back_inserter(out), "{}.{}E{}", digits[0], digits.size() > 1 ? std::string_view(digits).substr(1) : "0", exponent);
  } else if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    out += digits;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < whole + 1) digits.append(whole + 1 - digits.size(), '0');
    out.append(digits, 0, whole);
    out += '.';
    out.append(digits, whole);
  }
}

void append_hex(std::string_view bytes, std::string& out) {
  out += "x'";
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  out += '\'';
}

void append_interval(const Type& type, std::int64_t v, std::string& out) {
  const bool negative = v < 0;
  const std::uint64_t n = negative ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
  const char sign = negative ? '-' : '+';
  if (type.id == TypeId::kIntervalMonth) {
    fmt::format_to(std::back_inserter(out), "{}{}-{:02}", sign, n / 12, n % 12);
    return;
  }
  const std::uint64_t seconds = n / kSecond;
  fmt::format_to(std::back_inserter(out), "{}{} {:02}:{:02}:{:02}.{:06}", sign, seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60,
                 n % kSecond);
}

/// Any type that is stored as an integer.
void append_integral(const Type& type, std::int64_t v, std::string& out) {
  switch (type.id) {
    case TypeId::kBoolean: out += v != 0 ? "true" : "false"; return;
    case TypeId::kDate: out += format_date(static_cast<std::int32_t>(v)); return;
    case TypeId::kTime: out += format_time(v, type.precision); return;
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz: out += format_timestamp(v, type.precision); return;
    case TypeId::kIntervalMonth:
    case TypeId::kIntervalDay: append_interval(type, v, out); return;
    default: fmt::format_to(std::back_inserter(out), "{}", v);
  }
}

}  // namespace

std::string Value::to_string() const {
  std::string out;
  if (is_null()) out = "NULL";
  else if (const auto* b = std::get_if<bool>(&data)) out = *b ? "true" : "false";
  else if (const auto* i = std::get_if<std::int64_t>(&data)) append_integral(type, *i, out);
  else if (const auto* n = std::get_if<Int128>(&data)) out = format_decimal(*n, type.scale);
  else if (const auto* s = std::get_if<std::string>(&data)) {
    if (type.id == TypeId::kBytes) append_hex(*s, out);
    else if (type.is_nested()) nested::append_text(type, {false, *s}, {.as_cast = true}, out);
    else out = *s;
  } else if (type.id == TypeId::kFloat) append_floating(static_cast<float>(std::get<double>(data)), out);
  else append_floating(std::get<double>(data), out);
  return out;
}

Value value_at(const Column& column, std::size_t row) {
  const Type& type = column.type();
  if (column.is_null(row)) return {.type = type, .data = {}};
  switch (type.id) {
    case TypeId::kBoolean: return {.type = type, .data = column.value<std::uint8_t>(row) != 0};
    case TypeId::kFloat: return {.type = type, .data = static_cast<double>(column.value<float>(row))};
    case TypeId::kDouble: return {.type = type, .data = column.value<double>(row)};
    case TypeId::kDecimal: return {.type = type, .data = column.value<Int128>(row)};
    case TypeId::kString:
    case TypeId::kBytes:
    case TypeId::kArray:
    case TypeId::kMap:
    case TypeId::kMultiset:
    case TypeId::kRow: return {.type = type, .data = std::string(column.text(row))};
    default: return {.type = type, .data = column.integer(row)};
  }
}

void append_value(ColumnBuilder& builder, const Value& value) {
  if (value.is_null()) return builder.append_null();
  switch (builder.type().id) {
    case TypeId::kBoolean: return builder.append(static_cast<std::uint8_t>(std::get<bool>(value.data)));
    case TypeId::kFloat: return builder.append(static_cast<float>(std::get<double>(value.data)));
    case TypeId::kDouble: return builder.append(std::get<double>(value.data));
    case TypeId::kDecimal: return builder.append(std::get<Int128>(value.data));
    case TypeId::kString:
    case TypeId::kBytes:
    case TypeId::kArray:
    case TypeId::kMap:
    case TypeId::kMultiset:
    case TypeId::kRow: return builder.append_text(std::get<std::string>(value.data));
    default: return builder.append_integer(std::get<std::int64_t>(value.data));
  }
}

ColumnPtr constant_column(const Value& value, std::size_t rows) {
  ColumnBuilder builder(value.type, rows);
  for (std::size_t i = 0; i < rows; ++i) append_value(builder, value);
  return builder.finish();
}

void append_text_of(const Column& column, std::size_t row, std::string& out) {
  if (column.is_null(row)) {
    out += "NULL";
    return;
  }
  switch (column.type().id) {
    case TypeId::kFloat: return append_floating(column.value<float>(row), out);
    case TypeId::kDouble: return append_floating(column.value<double>(row), out);
    case TypeId::kDecimal: out += format_decimal(column.value<Int128>(row), column.type().scale); return;
    case TypeId::kString: out += column.text(row); return;
    case TypeId::kBytes: return append_hex(column.text(row), out);
    case TypeId::kArray:
    case TypeId::kMap:
    case TypeId::kMultiset:
    case TypeId::kRow: return nested::append_text(column.type(), {false, column.text(row)}, {.as_cast = true}, out);
    default: return append_integral(column.type(), column.integer(row), out);
  }
}

}  // namespace supyo
