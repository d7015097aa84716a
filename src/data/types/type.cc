#include "data/types/type.h"

#include <fmt/format.h>


namespace supyo {
namespace {

std::string length_type(std::string_view fixed, std::string_view varying, std::string_view unbounded, const Type& t) {
  if (!t.fixed_length && t.precision == kMaxLength) return std::string(unbounded);
  return fmt::format("{}({})", t.fixed_length ? fixed : varying, t.precision);
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
    case TypeId::kArray: return "ARRAY";
    case TypeId::kMap: return "MAP";
    case TypeId::kRow: return "ROW";
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
