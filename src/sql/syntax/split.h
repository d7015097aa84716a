#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "sql/syntax/span.h"

namespace supyo::syntax {

/// One statement of a script as it stands there, without its semicolon; a view into the script.
struct StatementText {
  std::string_view text;
  std::string first_word;   ///< in capitals: "INSERT"
  Span span;
};

/// The statements of a script for an engine that is not this one: nothing but tokens is looked at, so that what only that engine knows passes. EXECUTE STATEMENT SET BEGIN .. END is one.
/// Errors: kSyntax (a string, identifier or comment that is never closed).
Result<std::vector<StatementText>> split_statements(std::string_view script);

}  // namespace supyo::syntax
