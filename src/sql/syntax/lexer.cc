#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/utf8.h"
#include "sql/syntax/token.h"

namespace supyo::syntax {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
/// Letters of other scripts are identifier characters, as in Flink.
bool is_word_start(char c) { return is_letter(c) || c == '$' || static_cast<unsigned char>(c) >= 0x80; }
bool is_word_part(char c) { return is_word_start(c) || is_digit(c); }

/// White space that editors and web pages leave in SQL: byte order mark, no-break and ideographic space.
bool is_foreign_space(std::string_view character) {
  return character == "\xef\xbb\xbf" || character == "\xc2\xa0" || character == "\xe3\x80\x80";
}
bool is_curly_quote(std::string_view character) {
  return character == "\xe2\x80\x98" || character == "\xe2\x80\x99" || character == "\xe2\x80\x9c" || character == "\xe2\x80\x9d";
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  LexResult run() {
    while (!result_.error && skip_blank()) next();
    // "Something is missing here" points behind the last token, not behind the blank lines after it.
    Token end;
    if (result_.tokens.empty()) {
      mark(end.span);
      close(end.span);
    } else {
      const Span& last = result_.tokens.back().span;
      end.span = {last.end_line, last.end_column, last.end_line, last.end_column, last.end, last.end};
    }
    result_.tokens.push_back(end);
    return std::move(result_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  bool starts_with(std::string_view s) const { return text_.substr(at_, s.size()) == s; }

  void mark(Span& span) const { span.line = line_; span.column = column_; span.begin = at_; }
  void close(Span& span) const { span.end_line = line_; span.end_column = column_; span.end = at_; }

  void fail(Span span, std::string message, std::string hint = {}) {
    if (result_.error) return;
    result_.error = Error{ErrorCode::kSyntax, std::move(message), std::move(hint), span.position()};
  }

  /// Moves over one character. The only place that advances, so that line and column are always right.
  void advance() {
    const std::size_t length = utf8_sequence(text_.substr(at_));
    if (length == 0 || peek() == '\0') {
      Span here;
      mark(here);
      here.end_line = here.line;
      here.end_column = here.column + 1;
      fail(here, length == 0 ? fmt::format("the text is not UTF-8: byte 0x{:02x}", static_cast<unsigned char>(peek()))
                             : std::string("the text holds a zero byte"),
           "save the file as UTF-8 text");
      at_ = text_.size();
      return;
    }
    if (peek() == '\n') {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
    at_ += length;
  }
  void advance(std::size_t characters) {
    for (std::size_t i = 0; i < characters && !at_end(); ++i) advance();
  }

  /// Skips white space and comments; false at the end of the text or at an error.
  bool skip_blank() {
    while (!at_end() && !result_.error) {
      const char c = peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
        advance();
      } else if (c == '-' && peek(1) == '-') {
        while (!at_end() && peek() != '\n') advance();
      } else if (c == '/' && peek(1) == '*' && peek(2) != '+') {
        skip_comment();
      } else if (static_cast<unsigned char>(c) >= 0x80 && is_foreign_space(text_.substr(at_, utf8_sequence(text_.substr(at_))))) {
        advance();
      } else {
        return true;
      }
    }
    return false;
  }
  void skip_comment() {
    Span span;
    mark(span);
    advance(2);
    while (!at_end() && !starts_with("*/")) advance();
    if (at_end()) {
      unterminated(span, "the comment that starts here is never closed", "end it with */");
      return;
    }
    advance(2);
  }
  void unterminated(Span span, std::string message, std::string hint) {
    span.end_line = span.line;
    span.end_column = span.column + 1;
    if (!result_.error) result_.unterminated = true;
    fail(span, std::move(message), std::move(hint));
  }

  void next() {
    Token token;
    mark(token.span);
    const std::size_t begin = at_;
    const char c = peek();
    if (c == '\'') {
      quoted(token, TokenKind::kString, "string");
    } else if (c == '`') {
      quoted(token, TokenKind::kQuoted, "identifier");
    } else if ((c == 'x' || c == 'X') && peek(1) == '\'') {
      advance();
      quoted(token, TokenKind::kBinary, "binary string");
      check_hex(token, begin);
    } else if (const std::size_t prefix = text_prefix(); prefix > 0) {
      advance(prefix);
      quoted(token, TokenKind::kString, "string");
      if (text_[begin + 1] == '&') check_escapes(token, begin);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number(token);
    } else if (is_word_start(c)) {
      word(token);
    } else {
      symbol(token);
    }
    close(token.span);
    token.text = text_.substr(begin, at_ - begin);
    if (token.kind == TokenKind::kWord && (equals_word(token.text, "SET") || equals_word(token.text, "RESET")) && begins_statement()) {
      result_.tokens.push_back(token);
      bare_setting();
      return;
    }
    if (token.kind == TokenKind::kWord || token.kind == TokenKind::kQuoted) check_length(token);
    if (!result_.error) result_.tokens.push_back(token);
  }

  bool begins_statement() const { return result_.tokens.empty() || result_.tokens.back().text == ";"; }

  /// SET pipeline.name = flights; as Flink's SQL client takes it: a setting and its value, up to a blank or ;, are strings without their quotes.
  void bare_setting() {
    if (!skip_blank() || peek() == '\'' || peek() == ';') return;
    bare_string("=");
    if (!skip_blank() || peek() != '=') return;
    next();
    if (!result_.error && skip_blank() && peek() != '\'') bare_string("");
  }
  void bare_string(std::string_view end) {
    Token token;
    token.kind = TokenKind::kString;
    mark(token.span);
    const std::size_t begin = at_;
    while (!at_end() && !result_.error && static_cast<unsigned char>(peek()) > ' ' && peek() != ';' && peek() != '\'' && !end.contains(peek())) advance();
    close(token.span);
    token.text = text_.substr(begin, at_ - begin);
    if (!token.text.empty() && !result_.error) result_.tokens.push_back(token);
  }

  void quoted(Token& token, TokenKind kind, std::string_view what) {
    token.kind = kind;
    const char quote = peek();
    advance();
    while (true) {
      if (at_end()) {
        unterminated(token.span, fmt::format("the {} that starts here is never closed", what), fmt::format("end it with {}", quote));
        return;
      }
      if (peek() != quote) {
        advance();
      } else if (peek(1) == quote) {
        advance(2);
      } else {
        advance();
        return;
      }
    }
  }
  /// n'text', _UTF8'text', _UTF16'text': texts are Unicode anyway; U&'..' with its escapes.
  std::size_t text_prefix() const {
    for (const std::string_view prefix : {"n'", "N'", "U&'", "u&'", "_UTF8'", "_utf8'", "_UTF16'", "_utf16'"})
      if (starts_with(prefix)) return prefix.size() - 1;
    return 0;
  }
  void check_escapes(const Token& token, std::size_t begin) {
    if (result_.error) return;
    const std::string_view text = text_.substr(begin, at_ - begin);
    for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at + 1)) {
      if (at + 1 < text.size() && text[at + 1] == '\\') { ++at; continue; }
      const std::string_view digits = text.substr(at + 1, 4);
      const bool surrogate = digits.size() == 4 && (digits[0] == 'd' || digits[0] == 'D') && digits[1] >= '8';
      if (digits.size() < 4 || !std::ranges::all_of(digits, is_hex) || surrogate) return fail(token.span, "a backslash in U&'..' stands before the four hexadecimal digits of a character", "write U&'\\00e9', and two backslashes for one");
    }
  }

  void check_hex(const Token& token, std::size_t begin) {
    if (result_.error) return;
    const std::string_view digits = text_.substr(begin + 2, at_ - begin - 3);
    if (digits.size() % 2 != 0 || !std::ranges::all_of(digits, is_hex))
      fail(token.span, "a binary literal is pairs of hexadecimal digits", "write X'0aff'");
  }

  /// Names have at most as many characters as in Flink: what compares them with others may take its time for each.
  void check_length(const Token& token) {
    constexpr std::size_t kMostCharacters = 256;
    if (result_.error || token.text.size() <= kMostCharacters) return;
    const auto characters = std::ranges::count_if(token.text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }) - (token.kind == TokenKind::kQuoted ? 2 : 0);
    if (static_cast<std::size_t>(characters) > kMostCharacters)
      fail(token.span, fmt::format("the name that starts here has {} characters; at most {} are read", characters, kMostCharacters), "give it a shorter name");
  }

  void number(Token& token) {
    token.kind = TokenKind::kInteger;
    while (is_digit(peek())) advance();
    if (peek() == '.') {
      token.kind = TokenKind::kDecimal;
      advance();
      while (is_digit(peek())) advance();
    }
    if (peek() == 'e' || peek() == 'E') {
      const bool sign = peek(1) == '+' || peek(1) == '-';
      if (is_digit(peek(sign ? 2 : 1))) {
        token.kind = TokenKind::kApproximate;
        advance(sign ? 2 : 1);
        while (is_digit(peek())) advance();
      }
    }
    if (is_word_part(peek())) {
      while (!at_end() && is_word_part(peek())) advance();
      close(token.span);
      fail(token.span, fmt::format("'{}' is neither a number nor a name", text_.substr(token.span.begin, at_ - token.span.begin)),
           "a name that starts with a digit goes in backticks");
    }
  }

  void word(Token& token) {
    token.kind = TokenKind::kWord;
    while (!at_end() && is_word_part(peek()) && !result_.error) {
      const std::string_view character = text_.substr(at_, utf8_sequence(text_.substr(at_)));
      if (is_foreign_space(character)) return;
      if (is_curly_quote(character)) {
        Span here;
        mark(here);
        fail(here, "a curly quotation mark is not part of SQL", "use the straight ' for strings and ` for names");
        return;
      }
      advance();
    }
  }

  void symbol(Token& token) {
    token.kind = TokenKind::kSymbol;
    if (starts_with("/*+")) {
      token.kind = TokenKind::kHintBegin;
      in_hint_ = true;
      advance(3);
      return;
    }
    if (in_hint_ && starts_with("*/")) {
      token.kind = TokenKind::kHintEnd;
      in_hint_ = false;
      advance(2);
      return;
    }
    for (const std::string_view two : {"<>", "<=", ">=", "!=", "||", "=>"}) {
      if (starts_with(two)) return advance(2);
    }
    static constexpr std::string_view kSingle = "()[],.;=<>+-*/%?:{}";
    if (kSingle.find(peek()) != std::string_view::npos) return advance();
    bad_character(token.span);
  }

  void bad_character(Span span) {
    const char c = peek();
    advance();
    close(span);
    if (c == '"') {
      fail(span, "double quotes have no meaning here", "strings take single quotes ('text'), names take backticks (`name`)");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fail(span, fmt::format("unexpected control character 0x{:02x}", static_cast<unsigned char>(c)), "remove it: statements are plain text");
    } else {
      fail(span, fmt::format("unexpected character '{}'", c), "it is no operator of the dialect; within names it needs backticks");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
  bool in_hint_ = false;
  LexResult result_;
};

}  // namespace

LexResult lex(std::string_view text) { return Lexer(text).run(); }

namespace {

std::string quotes_removed(std::string_view body) {
  if (body.size() < 2) return {};
  const char quote = body.front();
  body = body.substr(1, body.size() - 2);
  std::string value;
  value.reserve(body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    value.push_back(body[i]);
    if (body[i] == quote) ++i;
  }
  return value;
}

/// Of U&'..': the lexer saw that every backslash stands before four digits or another one.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || text[i + 1] == '\\') {
      out.push_back(text[i]);
      if (text[i] == '\\') ++i;
      continue;
    }
    unsigned code = 0;
    std::from_chars(text.data() + i + 1, text.data() + i + 5, code, 16);
    i += 4;
    if (code >= 0x800) out.push_back(static_cast<char>(0xE0 | code >> 12));
    if (code >= 0x80) out.push_back(static_cast<char>(code >= 0x800 ? 0x80 | (code >> 6 & 0x3F) : 0xC0 | code >> 6));
    out.push_back(static_cast<char>(code >= 0x80 ? 0x80 | (code & 0x3F) : code));
  }
  return out;
}

}  // namespace

std::string unquote(const Token& token) {
  std::string_view body = token.text;
  if (token.kind == TokenKind::kBinary) body.remove_prefix(1);
  if (token.kind == TokenKind::kString && !body.starts_with('\'')) {
    if (!body.ends_with('\'')) return std::string(body);   // of SET
    const bool escapes = body[1] == '&';
    body.remove_prefix(body.find('\''));
    if (escapes) return unescaped(quotes_removed(body));
  }
  return quotes_removed(body);
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

bool equals_word(std::string_view text, std::string_view upper) {
  if (text.size() != upper.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) != upper[i]) return false;
  }
  return true;
}

}  // namespace supyo::syntax
