#pragma once
#include <span>
#include <string_view>

namespace supyo::syntax {

/// Words that the grammar needs: never a name without backticks.
bool is_reserved(std::string_view word);
/// Words that Flink reserves (and Supyo's parser takes as names where it can): the printer quotes them, so that what
/// Supyo prints is SQL for Flink too.
bool is_reserved_in_flink(std::string_view word);
/// Words with a call syntax of their own, CAST(x AS t): a function with such a name needs backticks.
bool has_special_call(std::string_view word);
/// CURRENT_TIMESTAMP and its like: functions called without parentheses.
bool is_bare_function(std::string_view word);

}  // namespace supyo::syntax
