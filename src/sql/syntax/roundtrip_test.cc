#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"
#include "sql/syntax/token.h"

namespace supyo::syntax {
namespace {

std::string corpus() {
  std::ifstream in(std::string(SUPYO_SOURCE_DIR) + "/tests/sql-syntax/corpus.sql");
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The statements of the corpus as written.
std::vector<std::string> corpus_statements() {
  const std::string text = corpus();
  const auto script = parse_script(text);
  std::vector<std::string> statements;
  if (!script) return statements;
  for (const Statement& statement : *script) statements.push_back(text.substr(statement.span.begin, statement.span.end - statement.span.begin));
  return statements;
}

/// Checks what must hold for any text at all; true when it parses.
bool check_any(std::string_view text) {
  const auto script = parse_script(text);
  (void)needs_more_input(text);
  if (!script) {
    const Error& error = script.error();
    EXPECT_TRUE(error.position && error.position->line >= 1 && error.position->column >= 1) << text;
    EXPECT_FALSE(render_diagnostic(text, error).empty());
    return false;
  }
  for (const Statement& statement : *script) {
    const std::string printed = print(statement);
    const auto again = parse_statement(printed);
    EXPECT_TRUE(again) << text << "\nprinted: " << printed << "\n" << again.error().to_string();
    if (!again) return false;
    EXPECT_TRUE(*again == statement) << text << "\nprinted: " << printed << "\nagain:   " << print(*again);
    EXPECT_EQ(print(*again), printed);
  }
  return true;
}

TEST(RoundTrip, CorpusParses) {
  const std::string text = corpus();
  const auto script = parse_script(text);
  ASSERT_TRUE(script) << render_diagnostic(text, script.error(), "corpus.sql");
  EXPECT_GE(script->size(), 150u);
  EXPECT_TRUE(check_any(text));
}

TEST(RoundTrip, EachStatementAlone) {
  for (const std::string& statement : corpus_statements()) EXPECT_TRUE(check_any(statement)) << statement;
}

TEST(RoundTrip, PositionsDoNotCountButStructureDoes) {
  const auto parse = [](std::string_view text) { return parse_statement(text).value(); };
  EXPECT_EQ(parse("SELECT a+b FROM t"), parse("  select\n a\n+ b /* x */ from t;"));
  EXPECT_NE(parse("SELECT a+b FROM t"), parse("SELECT a-b FROM t"));
  EXPECT_NE(parse("SELECT a FROM t"), parse("SELECT A FROM t"));
  EXPECT_NE(parse("SELECT a - (b - c)"), parse("SELECT (a - b) - c"));
  EXPECT_NE(parse("SELECT 1"), parse("SELECT 1.0"));
}

TEST(RoundTrip, CopiesAreDeep) {
  const Statement original = parse_statement("SELECT a + 1 FROM (SELECT a FROM t) AS s WHERE a IN (SELECT b FROM u)").value();
  Statement copy = original;
  EXPECT_EQ(copy, original);
  std::get<Select>(std::get<SelectStatement>(copy.node).query->body.node).items[0].expr->node = NullLiteral{};
  EXPECT_NE(copy, original);
  EXPECT_EQ(print(original), "SELECT a + 1 FROM (SELECT a FROM t) AS s WHERE a IN (SELECT b FROM u)");
}

// Each prefix of a statement is a text that somebody is just typing.
TEST(AnyText, EveryPrefixOfTheCorpus) {
  for (const std::string& statement : corpus_statements()) {
    // After each token, and one character into it.
    for (const Token& token : lex(statement).tokens) {
      check_any(std::string_view(statement).substr(0, token.span.end));
      check_any(std::string_view(statement).substr(0, token.span.begin + 1));
    }
  }
}

// Tokens deleted, doubled, swapped, or taken from other statements: much of it still parses, and must print back.
TEST(AnyText, MutatedTokens) {
  const std::string text = corpus();
  const LexResult all = lex(text);
  ASSERT_FALSE(all.error);
  constexpr std::uint32_t kSeed = 20240131;
  std::mt19937 random(kSeed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  int parsed = 0;
  const std::vector<std::string> statements = corpus_statements();
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::string> words;
    const std::string& statement = statements[below(statements.size())];
    for (const Token& token : lex(statement).tokens) words.emplace_back(token.text);
    const std::size_t edits = 1 + below(3);
    for (std::size_t i = 0; i < edits && !words.empty(); ++i) {
      const std::size_t at = below(words.size());
      const std::string other(all.tokens[below(all.tokens.size())].text);
      switch (below(4)) {
        case 0: words.erase(words.begin() + static_cast<std::ptrdiff_t>(at)); break;
        case 1: words[at] = other; break;
        case 2: words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), other); break;
        default: std::swap(words[at], words[below(words.size())]); break;
      }
    }
    std::string mutated;
    for (const std::string& word : words) mutated += word + " ";
    SCOPED_TRACE(fmt::format("seed {} round {}", kSeed, round));
    parsed += check_any(mutated) ? 1 : 0;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(parsed, 200);  // otherwise the test tests nothing
}

TEST(AnyText, MutatedBytes) {
  constexpr std::uint32_t kSeed = 7;
  std::mt19937 random(kSeed);
  const std::vector<std::string> statements = corpus_statements();
  for (int round = 0; round < 2500; ++round) {
    std::string text = statements[random() % statements.size()];
    for (unsigned i = 0; i <= random() % 4; ++i) text[random() % text.size()] = static_cast<char>(random());
    SCOPED_TRACE(fmt::format("seed {} round {}", kSeed, round));
    check_any(text);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(AnyText, RandomBytes) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned i = 0; i < random() % 60; ++i) text.push_back(static_cast<char>(random()));
    check_any(text);
  }
}

TEST(Bounds, NestingIsAnErrorNotACrash) {
  const auto nested = [](std::string_view open, std::string_view middle, std::string_view close, int depth) {
    std::string text = "SELECT ";
    for (int i = 0; i < depth; ++i) text += open;
    text += middle;
    for (int i = 0; i < depth; ++i) text += close;
    return text;
  };
  for (const int depth : {50, 10'000}) {
    for (const auto& [open, close] : {std::pair("(", ")"), std::pair("f(", ")"), std::pair("CASE WHEN ", " THEN 1 END"), std::pair("NOT ", ""),
                                      std::pair("- ", ""), std::pair("ARRAY[", "]"), std::pair("a[", "]"), std::pair("(SELECT ", ")"),
                                      std::pair("1 + (", ")"), std::pair("a IN (", ")"), std::pair("SUM(a) OVER (ORDER BY ", ")"),
                                      std::pair("CAST(", " AS INT)")}) {
      const auto result = parse_script(nested(open, "1", close, depth));
      EXPECT_EQ(result.has_value(), depth == 50) << open;
      if (!result && depth > 50) {
        EXPECT_EQ(result.error().code, ErrorCode::kSyntax);
      }
    }
  }
  EXPECT_FALSE(parse_script(nested("1 FROM (SELECT ", "1", ")", 10'000)));
  EXPECT_FALSE(parse_script(nested("1 FROM ((", "t", "))", 10'000)));
  EXPECT_FALSE(parse_script(nested("1 GROUP BY ROLLUP ((", "t", "))", 10'000)));
  EXPECT_FALSE(parse_script(nested("1 UNION (SELECT ", "1", ")", 10'000)));
  EXPECT_FALSE(parse_type(nested("ARRAY<", "INT", ">", 10'000).substr(7)));
}

TEST(Bounds, LongChains) {
  const auto chain = [](std::string_view link, int links) {
    std::string text = "SELECT a FROM t WHERE a";
    for (int i = 0; i < links; ++i) text += link;
    return text;
  };
  for (const std::string_view link : {" + 1", " OR b", " AND b = 2", " || 'x'", "[1]", " IS NULL", " LIKE 'x'", " UNION SELECT 1"}) {
    EXPECT_TRUE(check_any(chain(link, 400))) << link;
    EXPECT_FALSE(check_any(chain(link, 10'000))) << link;
  }
  std::string joins = "SELECT * FROM t", types = "INT", rows = "VALUES (1, 2)";
  for (int i = 0; i < 10'000; ++i) joins += " CROSS JOIN t";
  for (int i = 0; i < 10'000; ++i) types += " ARRAY";
  for (int i = 0; i < 5'000; ++i) rows += ", (3, 4 + 5)";
  EXPECT_FALSE(parse_script(joins));
  EXPECT_FALSE(parse_type(types));
  EXPECT_TRUE(parse_script(rows));
}

TEST(Bounds, Size) {
  const auto result = parse_script(std::string(kMaxScriptBytes + 1, ' '));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kSyntax);
}

}  // namespace
}  // namespace supyo::syntax
