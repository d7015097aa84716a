#include "sql/expr/json_value.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "data/types/value.h"

namespace supyo::expr {
namespace {

using Kind = Json::Kind;

/// Builds a Json from what the parser says. Numbers keep their text.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return put({}); }
  bool boolean(bool v) override { return put({Kind::kBoolean, v ? "true" : "false", {}}); }
  bool number_integer(number_integer_t v) override { return put({Kind::kNumber, std::to_string(v), {}}); }
  bool number_unsigned(number_unsigned_t v) override { return put({Kind::kNumber, std::to_string(v), {}}); }
  bool number_float(number_float_t, const string_t& s) override { return put({Kind::kNumber, big_decimal_text(s), {}}); }
  bool string(string_t& v) override { return put({Kind::kString, v, {}}); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open({Kind::kObject, {}, {}}); }
  bool key(string_t& v) override {
    names_.back() = v;
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open({Kind::kArray, {}, {}}); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool put(Json v) {
    if (open_.empty()) {
      root_ = std::move(v);
      return true;
    }
    auto& members = open_.back().members;
    if (open_.back().kind == Kind::kObject) {   // of a name that stands twice the last value counts
      const auto same = std::ranges::find(members, names_.back(), &JsonMember::name);
      if (same != members.end()) {
        same->value = std::move(v);
        return true;
      }
    }
    members.emplace_back(names_.back(), std::move(v));
    return true;
  }
  bool open(Json v) {
    if (open_.size() > 1000) return false;
    open_.push_back(std::move(v));
    names_.emplace_back();
    return true;
  }
  bool close() {
    Json done = std::move(open_.back());
    open_.pop_back();
    names_.pop_back();
    return put(std::move(done));
  }

  Json root_;
  std::vector<Json> open_;
  std::vector<std::string> names_;   // in each open one the name that comes next
};

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) { return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U; };
    const unsigned v = at(0) << 16 | at(1) << 8 | at(2);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[v >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string plain_text(const Type& type, const nested::Item& item) {
  std::string out;
  nested::append_text(type, item, {}, out);
  return out;
}

/// ISO_LOCAL_DATE_TIME: with seconds, and as many digits behind them as there are.
std::string iso_time(const Type& type, const nested::Item& item) {
  std::string out = format_timestamp(nested::value_of<std::int64_t>(item), 6);
  out[10] = 'T';
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return type.id == TypeId::kTimestampLtz ? out + "Z" : out;
}

}  // namespace

const Json* Json::find(std::string_view name) const {
  for (const auto& [n, value] : members)
    if (n == name) return &value;
  return nullptr;
}

std::optional<Json> parse_json(std::string_view text) {
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder, nlohmann::json::input_format_t::json, false)) return std::nullopt;
  return builder.take();
}

void append_json_text(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) fmt::format_to(std::back_inserter(out), "\\u{:04X}", static_cast<unsigned>(c));
        else out += c;
    }
  }
  out += '"';
}

void append_json(const Json& value, std::string& out) {
  switch (value.kind) {
    case Kind::kNull: out += "null"; return;
    case Kind::kBoolean:
    case Kind::kNumber: out += value.text; return;
    case Kind::kString: return append_json_text(value.text, out);
    case Kind::kArray:
      out += '[';
      for (std::size_t i = 0; i < value.members.size(); ++i) {
        if (i > 0) out += ',';
        append_json(value.members[i].value, out);
      }
      out += ']';
      return;
    case Kind::kObject: {
      std::map<std::string_view, const Json*> sorted;
      for (const auto& [name, member] : value.members) sorted.insert_or_assign(name, &member);
      out += '{';
      bool first = true;
      for (const auto& [name, member] : sorted) {
        if (!std::exchange(first, false)) out += ',';
        append_json_text(name, out);
        out += ':';
        append_json(*member, out);
      }
      out += '}';
    }
  }
}

std::string big_decimal_text(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const std::size_t e = number.find_first_of("eE");
  std::string_view mantissa = number.substr(0, e);
  long exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view digits = number.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec != std::errc{}) return std::string(negative ? "-" : "") + std::string(number);
  }
  const std::size_t dot = mantissa.find('.');
  std::string digits(mantissa.substr(0, dot));
  long scale = -exponent;
  if (dot != std::string_view::npos) {
    digits += mantissa.substr(dot + 1);
    scale += static_cast<long>(mantissa.size() - dot - 1);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  const std::string sign = negative && digits != "0" ? "-" : "";
  const auto n = static_cast<long>(digits.size());
  const long adjusted = n - 1 - scale;
  if (scale >= 0 && adjusted >= -6) {
    if (scale == 0) return sign + digits;
    if (n <= scale) digits.insert(0, static_cast<std::size_t>(scale - n + 1), '0');
    digits.insert(digits.size() - static_cast<std::size_t>(scale), 1, '.');
    return sign + digits;
  }
  if (n > 1) digits.insert(1, 1, '.');
  return fmt::format("{}{}E{}{}", sign, digits, adjusted >= 0 ? "+" : "", adjusted);
}

bool can_be_json(const Type& type) {
  switch (type.id) {
    case TypeId::kDate:
    case TypeId::kTime:
    case TypeId::kIntervalDay:
    case TypeId::kIntervalMonth:
    case TypeId::kNull: return false;
    case TypeId::kMap:
    case TypeId::kMultiset: return type.children()[0].is_text() && (type.id == TypeId::kMultiset || can_be_json(type.children()[1]));
    case TypeId::kArray:
    case TypeId::kRow: return std::ranges::all_of(type.children(), can_be_json);
    default: return true;
  }
}

Json json_of(const Type& type, const nested::Item& item) {
  if (item.null) return {};
  nested::Items items, values;
  Json out;
  switch (type.id) {
    case TypeId::kString: return {Kind::kString, std::string(item.bytes), {}};
    case TypeId::kBytes: return {Kind::kString, base64(item.bytes), {}};
    case TypeId::kBoolean: return {Kind::kBoolean, plain_text(type, item), {}};
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz: return {Kind::kString, iso_time(type, item), {}};
    case TypeId::kArray:
      out.kind = Kind::kArray;
      nested::read_array(type, item.bytes, items);
      for (const nested::Item& i : items) out.members.emplace_back(std::string(), json_of(type.children()[0], i));
      return out;
    case TypeId::kRow:
      out.kind = Kind::kObject;
      nested::read_row(type, item.bytes, items);
      for (std::size_t i = 0; i < items.size(); ++i) out.members.emplace_back(type.field_names()[i], json_of(type.children()[i], items[i]));
      return out;
    case TypeId::kMap:
    case TypeId::kMultiset: {
      out.kind = Kind::kObject;
      nested::read_map(type, item.bytes, items, values);
      const Type of_values = type.id == TypeId::kMap ? type.children()[1] : nested::count_type();
      for (std::size_t i = 0; i < items.size(); ++i) out.members.emplace_back(std::string(items[i].bytes), json_of(of_values, values[i]));
      return out;
    }
    default: return {Kind::kNumber, type.is_floating() || type.id == TypeId::kDecimal ? big_decimal_text(plain_text(type, item)) : plain_text(type, item), {}};
  }
}

}  // namespace supyo::expr
