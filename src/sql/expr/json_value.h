#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "data/types/nested.h"

/// JSON as the SQL functions see it, and the paths into it. Source: Flink's SqlJsonUtils, whose paths are those of jayway JsonPath.
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

/// [lax | strict] $.a['b'][0][-1][*][1:2][0,1]..c.length(). Without a mode it is strict.
class JsonPath {
 public:
  /// Errors: kInvalidQuery.
  static Result<JsonPath> parse(std::string_view text);
  bool lax() const { return lax_; }

  /// Where the path leads. A path that may lead to many values gives an array of them.
  struct Found {
    bool missing = false;
    const Json* part = nullptr;       ///< of the document
    std::optional<Json> made;         ///< in place of a part
    /// Null: the JSON null, or missing.
    const Json* value() const { return made ? &*made : part; }
  };
  Found find(const Json& document) const;

 private:
  struct Step {
    enum class Kind : std::uint8_t { kNames, kIndexes, kAll, kSlice, kDeep, kLength } kind = Kind::kNames;
    std::vector<std::string> names;
    std::vector<long> indexes;        ///< kSlice: from, to
    bool open_end = false;            ///< kSlice without `to`
  };
  bool definite() const;
  static void follow(const Step& step, const Json& from, std::vector<const Json*>& to);

  bool lax_ = false;
  std::vector<Step> steps_;
};

}  // namespace supyo::expr
