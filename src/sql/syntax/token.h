#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "sql/syntax/span.h"

namespace supyo::syntax {

enum class TokenKind : std::uint8_t {
  kWord,        ///< keyword or plain identifier: which, the parser decides from where it stands
  kQuoted,      ///< `identifier`
  kString,      ///< 'text'
  kBinary,      ///< X'0aff'
  kInteger, kDecimal, kApproximate,
  kSymbol,      ///< one operator or punctuation mark
  kHintBegin,   ///< /*+
  kHintEnd,     ///< the */ of a hint
  kEnd          ///< end of the text; always the last token
};

/// A piece of the text; `text` views into it, quotes included.
struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  Span span;
};

struct LexResult {
  std::vector<Token> tokens;   ///< ends with kEnd, also after an error
  std::optional<Error> error;
  bool unterminated = false;   ///< the error is a string, identifier or comment that is never closed
};

/// Splits the text into tokens; comments and white space are dropped. Any bytes are safe.
LexResult lex(std::string_view text);

/// The meaning of a quoted token: quotes removed, doubled quotes halved. For kString, kQuoted and (as hex digits) kBinary.
std::string unquote(const Token& token);

/// ASCII case-insensitive equality; `upper` is in upper case.
bool equals_word(std::string_view text, std::string_view upper);
std::string to_upper(std::string_view text);

}  // namespace supyo::syntax
