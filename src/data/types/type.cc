#include "data/types/type.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/check.h"

namespace supyo {
namespace {

std::string length_type(std::string_view fixed, std::string_view varying, std::string_view unbounded, const Type& t) {
  if (!t.fixed_length && t.precision == kMaxLength) return std::string(unbounded);
  return fmt::format("{}({})", t.fixed_length ? fixed : varying, t.precision);
}

void append_quoted(std::string& out, std::string_view name);

std::string row_name(const Type& t) {
  std::string out = "ROW<";
  for (std::size_t i = 0; i < t.children().size(); ++i) {
    if (i > 0) out += ", ";
    append_quoted(out, t.field_names()[i]);
    out += ' ' + t.children()[i].to_string();
  }
  return out + ">";
}

std::string nullable_name(const Type& t) {
  switch (t.id) {
    case TypeId::kNull: return "NULL";
    case TypeId::kBoolean: return "BOOLEAN";
    case TypeId::kTinyInt: return "TINYINT";
    case TypeId::kSmallInt: return "SMALLINT";
    case TypeId::kInteger: return "INT";
    case TypeId::kBigInt: return "BIGINT";
    case TypeId::kFloat: return "FLOAT";
    case TypeId::kDouble: return "DOUBLE";
    case TypeId::kDecimal: return fmt::format("DECIMAL({}, {})", t.precision, t.scale);
    case TypeId::kString: return length_type("CHAR", "VARCHAR", "STRING", t);
    case TypeId::kBytes: return length_type("BINARY", "VARBINARY", "BYTES", t);
    case TypeId::kDate: return "DATE";
    case TypeId::kTime: return fmt::format("TIME({})", t.precision);
    case TypeId::kTimestamp: return fmt::format("TIMESTAMP({})", t.precision);
    case TypeId::kTimestampLtz: return fmt::format("TIMESTAMP_LTZ({})", t.precision);
    case TypeId::kIntervalMonth: return "INTERVAL MONTH";
    case TypeId::kIntervalDay: return "INTERVAL SECOND(6)";
    case TypeId::kArray: return fmt::format("ARRAY<{}>", t.children()[0].to_string());
    case TypeId::kMap: return fmt::format("MAP<{}, {}>", t.children()[0].to_string(), t.children()[1].to_string());
    case TypeId::kMultiset: return fmt::format("MULTISET<{}>", t.children()[0].to_string());
    case TypeId::kRow: return row_name(t);
  }
  return "?";
}

/// As Flink prints an identifier: in backticks, a backtick inside doubled.
void append_quoted(std::string& out, std::string_view name) {
  out.push_back('`');
  for (const char c : name) {
    if (c == '`') out.push_back('`');
    out.push_back(c);
  }
  out.push_back('`');
}

}  // namespace

Type Type::array(Type element) {
  return {.id = TypeId::kArray, .nested = std::make_shared<const NestedType>(NestedType{{std::move(element)}, {}})};
}
Type Type::map(Type key, Type value) {
  return {.id = TypeId::kMap, .nested = std::make_shared<const NestedType>(NestedType{{std::move(key), std::move(value)}, {}})};
}
Type Type::multiset(Type element) {
  return {.id = TypeId::kMultiset, .nested = std::make_shared<const NestedType>(NestedType{{std::move(element)}, {}})};
}
Type Type::row(std::vector<std::string> names, std::vector<Type> types) {
  SUPYO_CHECK_EQ(names.size(), types.size());
  return {.id = TypeId::kRow, .nested = std::make_shared<const NestedType>(NestedType{std::move(types), std::move(names)})};
}

const std::vector<Type>& Type::children() const {
  SUPYO_CHECK(nested != nullptr);
  return nested->children;
}
const std::vector<std::string>& Type::field_names() const {
  SUPYO_CHECK(nested != nullptr);
  return nested->names;
}

bool Type::same_children(const Type& o, bool nullability) const {
  if (nested == nullptr || o.nested == nullptr || nested->names != o.nested->names) return false;
  return std::ranges::equal(nested->children, o.nested->children,
                            [nullability](const Type& a, const Type& b) { return nullability ? a == b : a.same_kind(b); });
}

std::string Type::to_string() const { return nullable_name(*this) + (nullable ? "" : " NOT NULL"); }

std::vector<Type> Schema::types() const {
  std::vector<Type> types;
  for (const Field& f : fields_) types.push_back(f.type);
  return types;
}

std::optional<std::size_t> Schema::find(std::string_view name) const {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].name == name) return i;
  }
  return std::nullopt;
}

std::string Schema::to_string() const {
  std::string out = "(";
  for (const Field& f : fields_) {
    if (out.size() > 1) out += ", ";
    append_quoted(out, f.name);
    out += ' ';
    out += f.type.to_string();
  }
  return out + ")";
}

}  // namespace supyo
