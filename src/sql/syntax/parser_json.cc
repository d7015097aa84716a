#include "sql/syntax/parser_impl.h"

/// The arguments of the JSON functions: KEY k VALUE v, RETURNING, ON EMPTY, ON ERROR, ON NULL, wrappers.
namespace supyo::syntax {

/// [KEY] key VALUE value, key: value
void Parser::json_pair(FunctionCall& function) {
  if (is_word("KEY") && !is_word("VALUE", 1)) take();
  function.arguments.push_back({std::nullopt, expression()});
  if (!accept_symbol(":")) expect("VALUE");
  function.arguments.push_back({std::nullopt, expression()});
}

JsonClauses::Otherwise Parser::json_otherwise(ExprPtr& value) {
  using Otherwise = JsonClauses::Otherwise;
  if (accept("NULL")) return Otherwise::kNull;
  if (accept("ERROR")) return Otherwise::kError;
  if (accept("TRUE")) return Otherwise::kTrue;
  if (accept("FALSE")) return Otherwise::kFalse;
  if (accept("UNKNOWN")) return Otherwise::kUnknown;
  if (accept("EMPTY ARRAY")) return Otherwise::kEmptyArray;
  if (accept("EMPTY OBJECT")) return Otherwise::kEmptyObject;
  if (!accept("DEFAULT")) return Otherwise::kUnsaid;
  value = expression();
  return Otherwise::kDefault;
}

/// False for a JSON function with plain arguments.
bool Parser::json_arguments(FunctionCall& function, std::string_view name) {
  const bool object = name == "JSON_OBJECT" || name == "JSON_OBJECTAGG";
  const bool array = name == "JSON_ARRAY" || name == "JSON_ARRAYAGG";
  const bool reads = name == "JSON_VALUE" || name == "JSON_QUERY" || name == "JSON_EXISTS";
  if (!object && !array && !reads) return false;
  JsonClauses& json = function.json.emplace();
  const auto on_null = [&] { return (is_word("NULL") || is_word("ABSENT")) && is_word("ON", 1) && is_word("NULL", 2); };
  if (!is_symbol(")") && !on_null()) {
    do {
      if (object) json_pair(function);
      else function.arguments.push_back({std::nullopt, expression()});
    } while (accept_symbol(","));
  }
  if (!reads) {
    if (on_null()) {
      json.absent_on_null = is_word("ABSENT");
      for (int i = 0; i < 3; ++i) take();
    }
    return true;
  }
  if (is_word("PASSING")) fail_unsupported("PASSING", "leave it out: no path has variables here, nor in Flink, which does not look at it");
  if (accept("RETURNING")) json.returning = type();
  using Wrapper = JsonClauses::Wrapper;
  if (is_word("WITHOUT") || is_word("WITH")) {
    json.wrapper = is_word("WITHOUT") ? Wrapper::kWithout : Wrapper::kUnconditional;
    const bool with = is_word("WITH");
    take();
    if (with && accept("CONDITIONAL")) json.wrapper = Wrapper::kConditional;
    else if (with) accept("UNCONDITIONAL");
    accept("ARRAY");
    expect("WRAPPER");
  }
  while (!is_symbol(")") && !error_) {
    ExprPtr value;
    const JsonClauses::Otherwise otherwise = json_otherwise(value);
    if (otherwise == JsonClauses::Otherwise::kUnsaid) {
      fail_expected("',' or ')' in the arguments");
      return true;
    }
    expect("ON");
    const bool empty = is_word("EMPTY");
    if (!accept("EMPTY")) expect("ERROR");
    (empty ? json.on_empty : json.on_error) = otherwise;
    (empty ? json.empty_default : json.error_default) = std::move(value);
  }
  return true;
}

}  // namespace supyo::syntax
