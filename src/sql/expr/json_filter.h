#pragma once
#include <re2/re2.h>

#include <memory>
#include <optional>
#include <vector>

#include "sql/expr/json_path.h"

namespace supyo::expr {

/// What stands in [?( .. )].
struct JsonFilter {
  enum class Kind : std::uint8_t { kOr, kAnd, kNot, kCompare, kThere } kind = Kind::kThere;
  enum class Op : std::uint8_t { kEqual, kSame, kNotEqual, kNotSame, kLess, kLessEqual, kGreater, kGreaterEqual, kMatches, kIn, kNotIn, kContains } op = Op::kEqual;
  /// One side of a comparison: a path from the element (@) or the document ($), or a constant.
  struct Side {
    std::shared_ptr<const JsonPath> path;
    bool from_document = false;
    Json constant;
  };
  std::vector<std::shared_ptr<const JsonFilter>> parts;   ///< kOr, kAnd, kNot
  Side left, right;                                       ///< kCompare; kThere: left
  std::shared_ptr<const re2::RE2> pattern;                ///< kMatches

  bool holds(const Json& element, const Json& document) const;
};

}  // namespace supyo::expr
