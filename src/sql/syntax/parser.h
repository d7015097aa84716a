#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "sql/syntax/ast.h"

/// The hand-written parser of the dialect (Flink SQL 2.1). Pure functions: no state, any thread. Any bytes are safe input:
/// the result is a tree or a numbered error with line, column and what was expected; size and nesting are bounded.
namespace supyo::syntax {

/// Longest text that is parsed, in bytes.
inline constexpr std::size_t kMaxScriptBytes = 4u << 20;
/// Deepest nesting of expressions, queries and types.
inline constexpr int kMaxNesting = 200;

/// All statements of a file, in order. Statements are separated by `;`; positions are those in `text`.
/// Errors: kSyntax; kUnsupported for statements that Flink has and Supyo has not (the message names them); kInvalidLiteral.
Result<std::vector<Statement>> parse_script(std::string_view text);

/// Exactly one statement, with or without its `;`.
Result<Statement> parse_statement(std::string_view text);

/// Exactly one expression: computed columns kept as text, tests, formulas.
Result<Expr> parse_expression(std::string_view text);

/// Exactly one type: "DECIMAL(10, 2) NOT NULL".
Result<TypeName> parse_type(std::string_view text);

/// Replaces `${NAME}` (outside comments) by its value; positions in later errors are those in the returned text.
/// `${env:X}` and `${file:P}` are secret references and stay as they are. Errors: kSyntax at an undefined variable or an unclosed `${`.
Result<std::string> substitute_variables(std::string_view text, const std::map<std::string, std::string, std::less<>>& variables);

/// True when `text` ends inside a statement (no `;` yet, or an open string, comment or statement set): the shell reads on.
bool needs_more_input(std::string_view text);

}  // namespace supyo::syntax
