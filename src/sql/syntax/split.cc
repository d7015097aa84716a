#include "sql/syntax/split.h"

#include <span>

#include "sql/syntax/token.h"

namespace supyo::syntax {
namespace {

bool is_word(const Token& token, std::string_view word) { return token.kind == TokenKind::kWord && to_upper(token.text) == word; }

/// Whether a semicolon after these tokens is inside of a statement set.
bool set_is_open(std::span<const Token> tokens) {
  return tokens.size() > 3 && is_word(tokens[0], "EXECUTE") && is_word(tokens[1], "STATEMENT") && is_word(tokens[2], "SET") && !is_word(tokens.back(), "END");
}

}  // namespace

Result<std::vector<StatementText>> split_statements(std::string_view script) {
  const LexResult lexed = lex(script);
  if (lexed.error) return fail(*lexed.error);
  std::vector<StatementText> out;
  const std::span<const Token> all(lexed.tokens);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool end = all[i].kind == TokenKind::kEnd;
    if (!end && (all[i].kind != TokenKind::kSymbol || all[i].text != ";" || set_is_open(all.subspan(begin, i - begin)))) continue;
    if (i > begin) {
      const Span span = Span::join(all[begin].span, all[i - 1].span);
      out.push_back({script.substr(span.begin, span.end - span.begin), to_upper(all[begin].text), span});
    }
    begin = i + 1;
  }
  return out;
}

}  // namespace supyo::syntax
