#include "connect/jdbc/statements.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace supyo::connect::jdbc {
namespace {

std::string_view postgres_type(const Type& t) {
  switch (t.id) {
    case TypeId::kBoolean: return "boolean";
    case TypeId::kTinyInt:
    case TypeId::kSmallInt: return "smallint";
    case TypeId::kInteger: return "integer";
    case TypeId::kBigInt: return "bigint";
    case TypeId::kFloat: return "real";
    case TypeId::kDouble: return "double precision";
    case TypeId::kDecimal: return "numeric";
    case TypeId::kBytes: return "bytea";
    case TypeId::kDate: return "date";
    case TypeId::kTime: return "time";
    case TypeId::kTimestamp: return "timestamp";
    default: return "text";
  }
}

}  // namespace

Statements::Statements(Where where, Schema schema, std::vector<std::size_t> keys) : where_(std::move(where)), schema_(std::move(schema)), keys_(std::move(keys)), all_(schema_.size()) {
  std::iota(all_.begin(), all_.end(), std::size_t{0});
}

std::string Statements::plain_place(std::size_t number) const { return fmt::format("{}{}", where_.dialect == Dialect::kSqlite ? '?' : '$', number); }

std::string Statements::place(std::size_t number, const Type& type) const {
  return plain_place(number) + (where_.dialect == Dialect::kSqlite ? "" : fmt::format("::{}", postgres_type(type)));
}

std::string Statements::rows_of_places(std::size_t count, const std::vector<std::size_t>& columns, bool typed) const {
  std::string out;
  std::size_t number = 0;
  for (std::size_t row = 0; row < count; ++row) {
    out += row == 0 ? "(" : ", (";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) out += ", ";
      out += typed ? place(++number, schema_[columns[i]].type) : plain_place(++number);
    }
    out += ")";
  }
  return out;
}

std::string Statements::by_key(std::size_t count) const {
  if (keys_.size() == 1) {
    std::string places;
    for (std::size_t i = 1; i <= count; ++i) places += (i == 1 ? "" : ", ") + (schema_[keys_[0]].type.is_text() ? plain_place(i) : place(i, schema_[keys_[0]].type));
    return fmt::format(" WHERE {} IN ({})", quoted(schema_[keys_[0]].name), places);
  }
  Schema columns;
  for (const std::size_t k : keys_) columns.add(schema_[k].name, schema_[k].type);
  return fmt::format(" WHERE ({}) IN (VALUES {})", quoted_list(columns), rows_of_places(count, keys_, true));
}

std::string Statements::select(const Schema& columns, const std::string& rest) const {
  return fmt::format("SELECT {} FROM {}{}", columns.size() == 0 ? "1" : quoted_list(columns), where_.quoted_table(), rest);
}

std::string Statements::select_by_key(const Schema& columns, std::size_t count) const { return select(columns, by_key(count)); }

std::string Statements::delete_by_key(std::size_t count) const { return fmt::format("DELETE FROM {}{}", where_.quoted_table(), by_key(count)); }

std::string Statements::put(std::size_t count) const {
  std::string out = fmt::format("INSERT INTO {} ({}) VALUES {}", where_.quoted_table(), quoted_list(schema_), rows_of_places(count, all_, false));
  if (keys_.empty()) return out;
  Schema keys;
  std::string sets;
  for (const std::size_t k : keys_) keys.add(schema_[k].name, schema_[k].type);
  for (std::size_t c = 0; c < schema_.size(); ++c)
    if (std::ranges::find(keys_, c) == keys_.end()) sets += fmt::format("{}{} = excluded.{}", sets.empty() ? "" : ", ", quoted(schema_[c].name), quoted(schema_[c].name));
  return out + fmt::format(" ON CONFLICT ({}) DO {}", quoted_list(keys), sets.empty() ? "NOTHING" : "UPDATE SET " + sets);
}

}  // namespace supyo::connect::jdbc
