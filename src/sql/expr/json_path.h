#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "sql/expr/json_value.h"

namespace supyo::expr {

struct JsonFilter;

/// [lax | strict] $.a['b'][0][-1][*][1:2][0,1][?(@.x > 1)]..c.length(). Without a mode it is strict. As the library reads them that Flink has (Jayway JsonPath).
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
  Found find(const Json& document) const { return find(document, document); }
  /// From `from`, a part of `document`: @ in a filter.
  Found find(const Json& from, const Json& document) const;

 private:
  friend class JsonPathParser;
  struct Step {
    enum class Kind : std::uint8_t { kNames, kIndexes, kAll, kSlice, kDeep, kFilter, kFunction } kind = Kind::kNames;
    std::vector<std::string> names = {};        ///< kFunction: its name
    std::vector<long> indexes = {};             ///< kSlice: from, to; kFunction: index(1)
    bool open_end = false;                      ///< kSlice without `to`
    std::shared_ptr<const JsonFilter> filter = nullptr;
    bool behind_deep = false;                   ///< kFilter: of each object itself, as the elements of arrays come by themselves
    bool definite() const { return kind == Kind::kFunction || (kind == Kind::kNames && names.size() == 1) || (kind == Kind::kIndexes && indexes.size() == 1); }
  };
  /// False: `from` cannot be gone on from, or what is asked for by name or number is not there.
  static bool follow(const Step& step, const Json& from, const Json& document, std::vector<const Json*>& to);

  bool lax_ = false;
  std::vector<Step> steps_;
};

}  // namespace supyo::expr
