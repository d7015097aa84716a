#include "sql/syntax/parser.h"

#include <fmt/format.h>

#include "sql/syntax/parser_impl.h"

namespace supyo::syntax {
namespace {

template <class T>
Result<T> finish(Parser& parser, T value) {
  if (std::optional<Error> error = parser.take_error()) return fail(std::move(*error));
  return value;
}

}  // namespace

Result<std::vector<Statement>> parse_script(std::string_view text) {
  Parser parser(text);
  auto statements = parser.script();
  return finish(parser, std::move(statements));
}

Result<Statement> parse_statement(std::string_view text) {
  Parser parser(text);
  Statement statement = parser.single_statement();
  return finish(parser, std::move(statement));
}

Result<Expr> parse_expression(std::string_view text) {
  Parser parser(text);
  Expr expr = parser.single_expression();
  return finish(parser, std::move(expr));
}

Result<TypeName> parse_type(std::string_view text) {
  Parser parser(text);
  TypeName type = parser.single_type();
  return finish(parser, std::move(type));
}

bool needs_more_input(std::string_view text) {
  const LexResult lexed = lex(text);
  if (lexed.error) return lexed.unterminated;
  const std::vector<Token>& tokens = lexed.tokens;
  const auto is_word = [&](std::size_t i, std::string_view word) {
    return i < tokens.size() && tokens[i].kind == TokenKind::kWord && equals_word(tokens[i].text, word);
  };
  bool in_set = false;
  bool open = false;  // a statement has begun and has no `;` yet
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (tokens[i].text == ";" && tokens[i].kind == TokenKind::kSymbol) {
      open = false;
      continue;
    }
    if (!open && in_set && is_word(i, "END")) in_set = false;
    if (!open && is_word(i, "BEGIN") && is_word(i + 1, "STATEMENT")) in_set = true;
    if (is_word(i, "STATEMENT") && is_word(i + 1, "SET") && is_word(i + 2, "BEGIN")) {
      in_set = true;
      i += 2;
      open = false;
      continue;
    }
    open = true;
  }
  return open || in_set;
}

}  // namespace supyo::syntax
