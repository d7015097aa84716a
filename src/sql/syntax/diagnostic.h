#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace supyo::syntax {

/// The error as people read it: number, message, the source line with a caret under it, and the hint. `name` is the file
/// ("pipeline.sql:3:8"); empty for text from the command line. Without a position it is Error::to_string().
std::string render_diagnostic(std::string_view text, const Error& error, std::string_view name = {});

/// The entry of `candidates` that `word` most likely meant, ignoring case, or "" when none is near.
std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace supyo::syntax
