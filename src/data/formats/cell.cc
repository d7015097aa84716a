#include "data/formats/cell.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace supyo::formats {
namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] | 0x20) != lower[i]) return false;
  return true;
}

const char* integer_from_text(std::string_view text, const Type& type, Cell& cell) {
  text = trim(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error == std::errc::result_out_of_range) return "number out of range";
  if (error != std::errc{} || end != text.data() + text.size()) return "not an integer";
  return cell_from_integer(v, type, cell);
}

const char* double_from_text(std::string_view text, Cell& cell) {
  text = trim(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cell.number);
  if (error == std::errc::result_out_of_range) return "number out of range";
  if (error != std::errc{} || end != text.data() + text.size()) return "not a number";
  return nullptr;
}

// "HH:mm:ss" or "HH:mm:ss.fff" at `t`; -1 when it is not exactly that.
std::int64_t plain_time(std::string_view t) {
  if (t.size() != 8 && t.size() != 12) return -1;
  unsigned bad = 0;
  const auto digit = [&](std::size_t i) {
    const auto d = static_cast<unsigned>(t[i]) - '0';
    bad |= d > 9 ? 1U : 0U;
    return d;
  };
  const unsigned hour = digit(0) * 10 + digit(1);
  const unsigned minute = digit(3) * 10 + digit(4);
  const unsigned second = digit(6) * 10 + digit(7);
  unsigned ms = 0;
  if (t.size() == 12) {
    ms = digit(9) * 100 + digit(10) * 10 + digit(11);
    bad |= t[8] != '.' ? 1U : 0U;
  }
  if (bad != 0 || t[2] != ':' || t[5] != ':' || hour > 23 || minute > 59 || second > 59) return -1;
  return ((hour * 60 + minute) * 60 + second) * kSecond + ms * kMillisecond;
}

const char* timestamp_from_text(std::string_view text, const Type& type, TimestampStyle style, Cell& cell) {
  const bool zoned = type.id == TypeId::kTimestampLtz;
  if (text.size() < 16) return "not a timestamp";
  if (text[10] != (style == TimestampStyle::kSql ? ' ' : 'T'))
    return style == TimestampStyle::kSql ? "not a timestamp in SQL form (yyyy-MM-dd HH:mm:ss)" : "not a timestamp in ISO-8601 form (yyyy-MM-ddTHH:mm:ss)";
  if ((text.back() == 'Z') != zoned) return zoned ? "a TIMESTAMP_LTZ must end in Z" : "a TIMESTAMP has no zone";
  if (std::memcmp(text.data(), cell.date, sizeof cell.date) == 0) {
    const std::int64_t time = plain_time(text.substr(11, text.size() - 11 - (zoned ? 1 : 0)));
    if (time >= 0) {
      cell.integer = cell.date_us + time;
      return nullptr;
    }
  }
  const auto v = parse_timestamp(text);
  if (!v) return "not a timestamp";
  cell.integer = *v;
  const auto day = parse_date(text.substr(0, 10));
  if (day) {
    std::memcpy(cell.date, text.data(), sizeof cell.date);
    cell.date_us = *day * kDay;
  }
  return nullptr;
}

template <class T>
std::string bytes_of(T v) {
  return {reinterpret_cast<const char*>(&v), sizeof v};
}

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

const char* cell_from_integer(std::int64_t v, const Type& type, Cell& cell) {
  const auto fits = [&]<class T>(T) { return v >= std::numeric_limits<T>::min() && v <= std::numeric_limits<T>::max(); };
  bool good = true;
  if (type.id == TypeId::kTinyInt) good = fits(std::int8_t{});
  else if (type.id == TypeId::kSmallInt) good = fits(std::int16_t{});
  else if (type.id == TypeId::kInteger) good = fits(std::int32_t{});
  if (!good) return "number out of range";
  cell.integer = v;
  return nullptr;
}

const char* cell_from_text(std::string_view text, const Type& type, TimestampStyle style, Cell& cell) {
  cell.null = false;
  switch (type.id) {
    case TypeId::kString:
      cell.text = text;
      return nullptr;
    case TypeId::kBytes:
      if (!base64_decode(text, cell.owned)) return "not base64";
      cell.text = cell.owned;
      return nullptr;
    case TypeId::kBoolean:
      if (equals_ignoring_case(trim(text), "true")) cell.integer = 1;
      else if (equals_ignoring_case(trim(text), "false")) cell.integer = 0;
      else return "not a boolean";
      return nullptr;
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger:
    case TypeId::kBigInt:
      return integer_from_text(text, type, cell);
    case TypeId::kFloat:
    case TypeId::kDouble:
      return double_from_text(text, cell);
    case TypeId::kDecimal: {
      const auto v = parse_decimal(trim(text), type.precision, type.scale);
      if (!v) return v.error().code == ErrorCode::kValueOutOfRange ? "number out of range" : "not a decimal number";
      cell.decimal = *v;
      return nullptr;
    }
    case TypeId::kDate: {
      const auto v = parse_date(text);
      if (!v) return "not a date (yyyy-MM-dd)";
      cell.integer = *v;
      return nullptr;
    }
    case TypeId::kTime: {
      if (!text.empty() && text.back() == 'Z') text.remove_suffix(1);
      const auto v = parse_time(text);
      if (!v) return "not a time (HH:mm:ss)";
      cell.integer = *v;
      return nullptr;
    }
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz:
      return timestamp_from_text(text, type, style, cell);
    default:
      return "type not supported by the format";
  }
}

void append_cell(ColumnBuilder& out, const Cell& cell) {
  if (cell.null) {
    out.append_null();
    return;
  }
  switch (out.type().id) {
    case TypeId::kString:
    case TypeId::kBytes:
    case TypeId::kArray:
    case TypeId::kMap:
    case TypeId::kMultiset:
    case TypeId::kRow:
      out.append_text(cell.text);
      break;
    case TypeId::kFloat:
      out.append(static_cast<float>(cell.number));
      break;
    case TypeId::kDouble:
      out.append(cell.number);
      break;
    case TypeId::kDecimal:
      out.append(cell.decimal);
      break;
    case TypeId::kBigInt:
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz:
      out.append(cell.integer);
      break;
    default:
      out.append_integer(cell.integer);
  }
}

std::string cell_bytes(const Cell& cell, const Type& type) {
  switch (type.id) {
    case TypeId::kFloat: return bytes_of(static_cast<float>(cell.number));
    case TypeId::kDouble: return bytes_of(cell.number);
    case TypeId::kDecimal: return bytes_of(cell.decimal);
    default: break;
  }
  switch (type.width()) {
    case 0: return std::string(cell.text);
    case 1: return bytes_of(static_cast<std::int8_t>(cell.integer));
    case 2: return bytes_of(static_cast<std::int16_t>(cell.integer));
    case 4: return bytes_of(static_cast<std::int32_t>(cell.integer));
    default: return bytes_of(cell.integer);
  }
}

bool base64_decode(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  const auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const int padding = last ? (text[i + 3] == '=') + (text[i + 2] == '=' && text[i + 3] == '=') : 0;
    std::uint32_t v = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const int d = j >= 4U - static_cast<unsigned>(padding) ? 0 : digit(text[i + j]);
      if (d < 0) return false;
      v = v << 6 | static_cast<std::uint32_t>(d);
    }
    for (int j = 0; j < 3 - padding; ++j) out.push_back(static_cast<char>(v >> (16 - 8 * j)));
  }
  return true;
}

void base64_encode(std::string_view bytes, std::string& out) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t v = 0;
    for (std::size_t j = 0; j < 3; ++j) v = v << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) out.push_back(j <= n ? kBase64[v >> (18 - 6 * j) & 63] : '=');
  }
}

namespace {

/// Of the digits behind the second those that say something, as Flink writes them: a key of an upsert topic is the same bytes whoever wrote it.
std::string without_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  text.resize(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

void append_temporal(const Column& column, std::size_t row, TimestampStyle style, std::string& out) {
  const Type& type = column.type();
  switch (type.id) {
    case TypeId::kDate:
      out += format_date(column.value<std::int32_t>(row));
      return;
    case TypeId::kTime:
      out += without_zeros(format_time(column.value<std::int64_t>(row), type.precision));
      return;
    default: {
      std::string text = without_zeros(format_timestamp(column.value<std::int64_t>(row), type.precision));
      if (style == TimestampStyle::kIso8601) text[10] = 'T';
      out += text;
      if (type.id == TypeId::kTimestampLtz) out.push_back('Z');
    }
  }
}

void append_double(double v, std::string& out) {
  char text[40];
  const auto r = std::to_chars(text, text + sizeof text, v);
  std::string_view s(text, static_cast<std::size_t>(r.ptr - text));
  out += s;
  if (std::isfinite(v) && s.find_first_of(".eE") == std::string_view::npos) out += ".0";
}

}  // namespace supyo::formats
