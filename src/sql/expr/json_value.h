#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "data/types/nested.h"

/// JSON as the SQL functions see it, as Flink's SqlJsonUtils has it; the paths into it: json_path.h.
namespace supyo::expr {

struct JsonMember;

struct Json {
  enum class Kind : std::uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject } kind = Kind::kNull;
  std::string text;                                    ///< of kString; of kNumber as Java's BigDecimal prints it; "true", "false"
  std::vector<JsonMember> members;                     ///< of kObject, and of kArray with empty names
  bool is_scalar() const { return kind != Kind::kArray && kind != Kind::kObject; }
  const Json* find(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  Json value;
};

/// What follows the first value is not looked at, as in Flink. Nothing: no JSON.
std::optional<Json> parse_json(std::string_view text);
/// Without blanks, the names of objects ascending.
void append_json(const Json& value, std::string& out);
void append_json_text(std::string_view text, std::string& out);
/// A number as java.math.BigDecimal prints it: 1.50, 1E+3.
std::string big_decimal_text(std::string_view number);

/// A SQL value as JSON: can_be_json() must hold for its type.
Json json_of(const Type& type, const nested::Item& item);
bool can_be_json(const Type& type);

}  // namespace supyo::expr
