#include <fmt/format.h>

#include <algorithm>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/keywords.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/parser_impl.h"

namespace supyo::syntax {
namespace {

constexpr int kMaxHeight = 1000;
constexpr std::size_t kMaxNameParts = 100;   ///< of a.b.c

/// What may follow a table or a select item: an alias just before an error is checked against these.
const std::vector<std::string_view>& clause_words() {
  static const std::vector<std::string_view> words = {
      "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT",
      "JOIN", "INNER", "LEFT",  "RIGHT",  "FULL",   "CROSS", "ON",    "USING",  "FETCH", "OVER",      "BETWEEN", "LIKE"};
  return words;
}

/// Whether the word begins a clause of a query, which has its place among the others.
bool begins_clause(std::string_view word) {
  constexpr std::string_view kWords[] = {"FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH"};
  return std::ranges::any_of(kWords, [word](std::string_view w) { return equals_word(word, w); });
}

/// What to do when `what` was expected and nothing nearer is known. `before` is the token in front, if there is one.
std::string usual_hint(std::string_view what, const Token& token, const Token* before) {
  const auto wants = [what](std::string_view part) { return what.find(part) != std::string_view::npos; };
  if (wants("a statement")) return "a statement begins with SELECT, WITH, VALUES, INSERT, CREATE, ALTER, DROP, SHOW, DESCRIBE, EXPLAIN, USE, SET, RESET or EXECUTE";
  if (token.kind == TokenKind::kEnd && before != nullptr) return fmt::format("the text ends too early: {} follows {}", what, before->text.substr(0, 40));
  if (token.kind == TokenKind::kWord && begins_clause(token.text))
    return "clauses come in this order, each once: SELECT, FROM, WHERE, GROUP BY, HAVING, WINDOW, QUALIFY, ORDER BY, LIMIT, OFFSET";
  if (token.text == ")") return "something is missing before the ), or there is no ( that it closes";
  if (token.text == ",") return "something is missing before the comma, or it is one too many";
  if (wants("end of the")) return "a comma, an operator or AS is missing before it; statements are separated by ;";
  if (wants("expression")) return "an expression is a column, a literal, a call, or these with operators between them";
  if (wants("string")) return "strings stand in single quotes: 'text'";
  if (wants("name")) return "a name is letters, digits and _, or any text in backticks: `a name`";
  return fmt::format("write {} in its place, or before it", what);
}

}  // namespace

Parser::Parser(std::string_view text) {
  if (text.size() > kMaxScriptBytes) {
    error_ = Error{ErrorCode::kSyntax, fmt::format("the text is {} bytes long; at most {} are parsed", text.size(), kMaxScriptBytes),
                   "split it into several files", SourcePosition{1, 1, 1}};
    text = {};
  }
  LexResult lexed = lex(text);
  tokens_ = std::move(lexed.tokens);
  if (lexed.error && !error_) error_ = std::move(lexed.error);
  // A lexical error is reported alone: what stands before it may make no sense without the rest.
  if (error_) at_ = tokens_.size() - 1;
}

const Token& Parser::peek(std::size_t ahead) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }

bool Parser::is_word(std::string_view upper, std::size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == TokenKind::kWord && equals_word(token.text, upper);
}

bool Parser::is_symbol(std::string_view symbol, std::size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == TokenKind::kSymbol && token.text == symbol;
}

const Token& Parser::take() {
  const Token& token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::accept(std::string_view words) {
  if (candidates_at_ != at_) {
    candidates_.clear();
    candidates_at_ = at_;
  }
  candidates_.push_back(words.substr(0, words.find(' ')));
  std::size_t count = 0;
  for (std::size_t begin = 0; begin <= words.size(); ++count) {
    const std::size_t end = std::min(words.find(' ', begin), words.size());
    if (!is_word(words.substr(begin, end - begin), count)) return false;
    begin = end + 1;
  }
  for (; count > 0; --count) take();
  return true;
}

bool Parser::accept_symbol(std::string_view symbol) {
  if (!is_symbol(symbol)) return false;
  take();
  return true;
}

void Parser::expect(std::string_view words) {
  for (std::size_t begin = 0; begin <= words.size();) {
    const std::size_t end = std::min(words.find(' ', begin), words.size());
    if (!accept(words.substr(begin, end - begin))) return fail_expected(words.substr(begin));
    begin = end + 1;
  }
}

void Parser::expect_symbol(std::string_view symbol) {
  if (!accept_symbol(symbol)) fail_expected(fmt::format("'{}'", symbol));
}

std::string Parser::found() const {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::kEnd: return "the end of the text";
    case TokenKind::kWord: return fmt::format("{}{}", is_reserved(token.text) ? "the keyword " : "", token.text.substr(0, 64));
    case TokenKind::kString: return fmt::format("the string {}{}", token.text.substr(0, 40), token.text.size() > 40 ? ".." : "");
    default: return fmt::format("{}{}{}", token.kind == TokenKind::kSymbol ? "'" : "", token.text.substr(0, 64),
                                token.kind == TokenKind::kSymbol ? "'" : "");
  }
}

void Parser::fail_expected(std::string_view what) {
  if (error_) return;
  // `SELECT a FORM t`: FORM was taken for an alias, and only `t` makes no sense.
  if (last_alias_ && *last_alias_ + 1 == at_) {
    const Token& alias = tokens_[*last_alias_];
    const std::string_view meant = nearest_word(alias.text, clause_words());
    if (!meant.empty()) {
      return fail_at(alias.span, ErrorCode::kSyntax, fmt::format("expected {}, but found {}", meant, alias.text),
                     fmt::format("did you mean {}?", meant));
    }
  }
  std::string hint;
  const Token& token = peek();
  if (token.kind == TokenKind::kWord) {
    const std::string_view meant =
        candidates_at_ == at_ && !is_reserved(token.text) ? nearest_word(token.text, candidates_) : std::string_view{};
    if (!meant.empty()) {
      hint = fmt::format("did you mean {}?", meant);
    } else if (is_reserved(token.text) && (what.find("name") != std::string_view::npos || what.find("expression") != std::string_view::npos)) {
      hint = fmt::format("a reserved word is a name only in backticks: `{}`", token.text);
    }
  }
  if (hint.empty()) hint = usual_hint(what, token, at_ > 0 ? &tokens_[at_ - 1] : nullptr);
  fail_at(token.span, ErrorCode::kSyntax, fmt::format("expected {}, but found {}", what, found()), std::move(hint));
}

void Parser::fail_at(const Span& span, ErrorCode code, std::string message, std::string hint) {
  if (!error_) error_ = Error{code, std::move(message), std::move(hint), span.position()};
  at_ = tokens_.size() - 1;
}

void Parser::fail_unsupported(std::string_view construct, std::string hint) {
  fail_at(peek().span, ErrorCode::kUnsupported, fmt::format("{} is not supported", construct), std::move(hint));
}

Span Parser::span_from(std::size_t start) const {
  const std::size_t last = at_ > start ? at_ - 1 : start;
  return Span::join(tokens_[std::min(start, tokens_.size() - 1)].span, tokens_[std::min(last, tokens_.size() - 1)].span);
}

Identifier Parser::identifier(std::string_view what) {
  const Token& token = peek();
  if (token.kind == TokenKind::kQuoted) {
    Identifier id{token.span, unquote(token)};
    if (id.text.empty()) fail_at(token.span, ErrorCode::kSyntax, "a name cannot be empty", "write the name between the backticks");
    take();
    return id;
  }
  if (token.kind == TokenKind::kWord && !is_reserved(token.text)) {
    take();
    return {token.span, std::string(token.text)};
  }
  fail_expected(what);
  return {};
}

Identifier Parser::word_as_identifier(std::string_view what) {
  if (peek().kind != TokenKind::kWord) return identifier(what);
  const Token& token = take();
  return {token.span, std::string(token.text)};
}

std::optional<Identifier> Parser::implicit_alias() {
  const Token& token = peek();
  if (token.kind == TokenKind::kQuoted) return identifier("an alias");
  if (token.kind != TokenKind::kWord || is_reserved(token.text)) return std::nullopt;
  last_alias_ = at_;
  return identifier("an alias");
}

std::optional<Identifier> Parser::alias() {
  if (accept("AS")) return identifier("an alias name");
  return implicit_alias();
}

Name Parser::name(std::string_view what) {
  const std::size_t start = here();
  Name result;
  result.parts.push_back(identifier(what));
  while (is_symbol(".") && !is_symbol("*", 1)) {
    take();
    result.parts.push_back(word_as_identifier("a name after '.'"));
  }
  // Which parts are table, column and fields is tried out later.
  if (result.parts.size() > kMaxNameParts)
    fail_at(span_from(start), ErrorCode::kSyntax, fmt::format("the name has {} parts; at most {} are read", result.parts.size(), kMaxNameParts), "leave out catalog and database, or flatten the ROW");
  result.span = span_from(start);
  return result;
}

std::vector<Identifier> Parser::identifier_list(std::string_view what) {
  std::vector<Identifier> list;
  expect_symbol("(");
  do {
    list.push_back(identifier(what));
  } while (accept_symbol(","));
  expect_symbol(")");
  return list;
}

std::string Parser::string_literal(std::string_view what) {
  if (!is_kind(TokenKind::kString)) {
    fail_expected(what);
    return {};
  }
  return unquote(take());
}

int Parser::small_integer(std::string_view what) {
  const Token& token = peek();
  if (token.kind != TokenKind::kInteger) {
    fail_expected(what);
    return 0;
  }
  if (token.text.size() > 9) {
    // The longest length is VARCHAR(2147483647): take that one, refuse what is larger.
    constexpr std::string_view kMax = "2147483647";
    if (token.text.size() > kMax.size() || token.text > kMax) {
      fail_at(token.span, ErrorCode::kSyntax, fmt::format("{} is too large; {} is at most {}", token.text.substr(0, 40), what, kMax), "write a smaller number");
      return 0;
    }
  }
  int value = 0;
  for (const char c : take().text) value = value * 10 + (c - '0');
  return value;
}

void Parser::grow() {
  if (++height_ > kMaxHeight)
    fail_at(peek().span, ErrorCode::kSyntax, fmt::format("the expression is more than {} operators deep", kMaxHeight),
            "use IN (..), CASE or a table of values instead of one long chain");
}

Parser::Level::Level(Parser& parser) : parser_(parser), outer_height_(parser.height_) {
  parser_.height_ = 0;
  if (++parser_.nesting_ > kMaxNesting)
    parser_.fail_at(parser_.peek().span, ErrorCode::kSyntax, fmt::format("nested more than {} levels deep", kMaxNesting),
                    "split the query with WITH or a view");
}

Parser::Level::~Level() {
  --parser_.nesting_;
  parser_.grow();
  parser_.height_ = std::max(outer_height_, parser_.height_);
}

std::vector<Statement> Parser::script() {
  std::vector<Statement> statements;
  while (true) {
    while (accept_symbol(";")) {
    }
    if (at_end()) break;
    statements.push_back(statement());
    if (!is_symbol(";") && !at_end()) fail_expected("';' or the end of the statement");
  }
  return statements;
}

Statement Parser::single_statement() {
  while (accept_symbol(";")) {
  }
  Statement result = statement();
  while (accept_symbol(";")) {
  }
  if (!at_end()) fail_expected("the end of the statement");
  return result;
}

Expr Parser::single_expression() {
  ExprPtr result = expression();
  if (!at_end()) fail_expected("an operator or the end of the expression");
  if (!result || error_) return {};
  return std::move(*result);
}

TypeName Parser::single_type() {
  TypeName result = type();
  if (!at_end()) fail_expected("the end of the type");
  return result;
}

}  // namespace supyo::syntax
