#pragma once
#include <string>
#include <string_view>

#include "sql/syntax/ast.h"

/// Canonical SQL text of a tree, on one line: parse(print(x)) == x. Identifiers are quoted where they must be.
namespace supyo::syntax {

std::string print(const Statement& statement);  ///< without the final `;`
std::string print(const Query& query);
std::string print(const Expr& expr);
std::string print(const TypeName& type);
std::string print(const Name& name);

/// `text` as an identifier: as it is, or in backticks where it is a reserved word or not a plain word.
std::string quote_identifier(std::string_view text);
/// `text` as a string literal.
std::string quote_string(std::string_view text);

std::string_view to_string(TimeUnit unit);      ///< "MINUTE"
std::string_view to_string(BinaryOp op);        ///< "<>"
std::string_view to_string(TypeKeyword type);   ///< "TIMESTAMP_LTZ"

}  // namespace supyo::syntax
