#include "data/iceberg/values.h"

#include <cmath>

namespace supyo::iceberg {
namespace {

constexpr std::size_t kTruncateLength = 16;

template <class T>
std::string little_endian(T v) {
  return {reinterpret_cast<const char*>(&v), sizeof v};
}

template <class T>
std::optional<T> from_little_endian(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T v;
  std::memcpy(&v, bytes.data(), sizeof v);
  return v;
}

// Two's complement, big-endian, in as few bytes as hold the value.
std::string decimal_bytes(Int128 v) {
  std::string out;
  for (int shift = 120; shift >= 0; shift -= 8) out.push_back(static_cast<char>(static_cast<unsigned char>(v >> shift)));
  std::size_t skip = 0;
  while (skip + 1 < out.size()) {
    const bool next_negative = (out[skip + 1] & 0x80) != 0;
    if (!((out[skip] == '\0' && !next_negative) || (out[skip] == '\xff' && next_negative))) break;
    ++skip;
  }
  return out.substr(skip);
}

std::optional<Int128> decimal_from_bytes(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > 16) return std::nullopt;
  auto v = static_cast<unsigned __int128>((bytes[0] & 0x80) != 0 ? -1 : 0);
  for (const char b : bytes) v = v << 8 | static_cast<unsigned char>(b);
  return static_cast<Int128>(v);
}

bool is_continuation(char c) { return (c & 0xc0) == 0x80; }

// Bytes of the first `characters` code points.
std::size_t prefix_bytes(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_continuation(text[at]) && characters-- == 0) break;
    ++at;
  }
  return at;
}

// The smallest text of at most these characters that is greater than every text that starts with `prefix`.
std::optional<std::string> next_text(std::string prefix) {
  while (!prefix.empty()) {
    std::size_t start = prefix.size() - 1;
    while (start > 0 && is_continuation(prefix[start])) --start;
    // One more in the last byte is the next code point unless it leaves the continuation range; then shorten instead: still an upper bound.
    const auto last = static_cast<unsigned char>(prefix.back());
    const bool ascii = start + 1 == prefix.size();
    if (ascii ? last < 0x7f : last < 0xbf) {
      prefix.back() = static_cast<char>(last + 1);
      // U+D800..U+DFFF are no characters (ED A0..BF xx).
      if (!(prefix.size() - start == 3 && static_cast<unsigned char>(prefix[start]) == 0xed && static_cast<unsigned char>(prefix[start + 1]) >= 0xa0)) return prefix;
    }
    prefix.resize(start);
  }
  return std::nullopt;
}

std::optional<std::string> next_bytes(std::string prefix) {
  while (!prefix.empty()) {
    if (prefix.back() != '\xff') {
      prefix.back() = static_cast<char>(prefix.back() + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return std::nullopt;
}

// As java.net.URLEncoder: what other writers use for partition directories.
std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '*' || c == '_';
    if (plain) out.push_back(c);
    else if (c == ' ') out.push_back('+');
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string partition_text(const Value& value) {
  if (value.is_null()) return "null";
  if (value.type.id == TypeId::kTimestamp || value.type.id == TypeId::kTimestampLtz) {
    std::string text = format_timestamp(std::get<std::int64_t>(value.data), 6);
    std::replace(text.begin(), text.end(), ' ', 'T');
    return value.type.id == TypeId::kTimestampLtz ? text + "+00:00" : text;
  }
  return value.to_string();
}

}  // namespace

std::string single_value_bytes(const Value& value) {
  SUPYO_CHECK(!value.is_null());
  switch (value.type.id) {
    case TypeId::kBoolean: return std::string(1, std::get<bool>(value.data) ? '\1' : '\0');
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger:
    case TypeId::kDate: return little_endian(static_cast<std::int32_t>(std::get<std::int64_t>(value.data)));
    case TypeId::kFloat: return little_endian(static_cast<float>(std::get<double>(value.data)));
    case TypeId::kDouble: return little_endian(std::get<double>(value.data));
    case TypeId::kDecimal: return decimal_bytes(std::get<Int128>(value.data));
    case TypeId::kString:
    case TypeId::kBytes: return std::get<std::string>(value.data);
    default: return little_endian(std::get<std::int64_t>(value.data));
  }
}

std::optional<Value> value_from_bytes(const Type& type, std::string_view bytes) {
  const auto wrap = [&](auto v) -> std::optional<Value> {
    if (!v) return std::nullopt;
    return Value{type, *v};
  };
  switch (type.id) {
    case TypeId::kBoolean: return bytes.size() == 1 ? std::optional(Value{type, bytes[0] != 0}) : std::nullopt;
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger:
    case TypeId::kDate: {
      const auto v = from_little_endian<std::int32_t>(bytes);
      return v ? std::optional(Value{type, std::int64_t{*v}}) : std::nullopt;
    }
    case TypeId::kFloat: {
      const auto v = from_little_endian<float>(bytes);
      return v ? std::optional(Value{type, double{*v}}) : std::nullopt;
    }
    case TypeId::kDouble: return wrap(from_little_endian<double>(bytes));
    case TypeId::kDecimal: return wrap(decimal_from_bytes(bytes));
    case TypeId::kString:
    case TypeId::kBytes: return Value{type, std::string(bytes)};
    default: return wrap(from_little_endian<std::int64_t>(bytes));
  }
}

std::optional<std::string> lower_bound_bytes(const Value& value) {
  std::string bytes = single_value_bytes(value);
  if (value.type.is_text()) bytes.resize(prefix_bytes(bytes, kTruncateLength));
  else if (value.type.id == TypeId::kBytes && bytes.size() > kTruncateLength) bytes.resize(kTruncateLength);
  return bytes;
}

std::optional<std::string> upper_bound_bytes(const Value& value) {
  std::string bytes = single_value_bytes(value);
  if (!value.type.is_variable()) return bytes;
  const std::size_t keep = value.type.is_text() ? prefix_bytes(bytes, kTruncateLength) : std::min(bytes.size(), kTruncateLength);
  if (keep == bytes.size()) return bytes;
  bytes.resize(keep);
  return value.type.is_text() ? next_text(std::move(bytes)) : next_bytes(std::move(bytes));
}

std::string partition_path(const PartitionSpec& spec, const std::vector<Value>& values) {
  SUPYO_CHECK_EQ(spec.fields.size(), values.size());
  std::string path;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) path += '/';
    path += url_encoded(spec.fields[i].name) + "=" + url_encoded(partition_text(values[i]));
  }
  return path;
}

}  // namespace supyo::iceberg
