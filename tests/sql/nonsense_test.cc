#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "engine/job/engine.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/token.h"
#include "tests/sql/corpus.h"

// Statements that are wrong, absurd or broken at random: planning takes them or refuses them with number, position and hint; it never ends, hangs or says
// that it is our own mistake. Longer: SUPYO_MUTATIONS=20000 SUPYO_SEED=3 (SUPYO_TRACE=1 prints each before it is tried).
namespace supyo::sqltest {
namespace {

constexpr std::string_view kTables = R"(
CREATE TABLE bids (auction BIGINT NOT NULL, bidder BIGINT, price BIGINT, channel STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) WITH ('connector' = 'filesystem', 'path' = 'bids', 'format' = 'csv');
CREATE TABLE printed (k BIGINT, n BIGINT) WITH ('connector' = 'print');
)";

/// A session that only plans.
class Planning {
 public:
  explicit Planning(std::string setup) : setup_(std::move(setup)) {}

  /// Empty, or what is wrong with how it was refused.
  std::string refusal_of(std::string_view text) {
    const Status done = attempt(text);
    taken_ = done.has_value();
    if (done) return {};
    const Error& e = done.error();
    if (e.code == ErrorCode::kInternal) return "a bug of ours: " + e.message;
    const auto lines = 1 + std::ranges::count(text, '\n');
    if (!e.position) return "no position: " + e.to_string();
    if (e.position->line < 1 || e.position->line > lines + 1 || e.position->column < 1) return fmt::format("position {}:{} is nowhere: {}", e.position->line, e.position->column, e.to_string());
    if (e.hint.empty()) return "no hint: " + e.to_string();
    if (e.message.empty()) return "no message";
    return {};
  }
  bool has_taken() const { return taken_; }

 private:
  Status attempt(std::string_view text) {
    SUPYO_ASSIGN(const auto statements, syntax::parse_script(text));
    if (!engine_ || changed_) SUPYO_TRY(renew());
    changed_ = false;
    for (const syntax::Statement& s : statements) {
      auto outcome = engine_->execute(s);
      const auto* job = outcome ? std::get_if<plan::Job>(&*outcome) : nullptr;
      changed_ = changed_ || (outcome && job == nullptr);
      if (!outcome) return std::unexpected(std::move(outcome).error());
      if (job == nullptr) continue;
      const auto plan = engine_->plan(*job);
      if (!plan) return std::unexpected(plan.error());
    }
    return ok();
  }
  Status renew() {
    job::EngineOptions o;
    o.base_directory = "/nonsense";
    o.print = [](std::string_view, bool) {};
    SUPYO_ASSIGN(engine_, job::Engine::create(sim_.env(), std::move(o)));
    SUPYO_ASSIGN(const auto statements, syntax::parse_script(setup_));
    for (const syntax::Statement& s : statements) SUPYO_TRY(engine_->execute(s));
    return ok();
  }

  std::string setup_;
  env::SimEnv sim_{1};
  std::unique_ptr<job::Engine> engine_;
  bool changed_ = false;   ///< a statement has changed the session: the next text gets a new one
  bool taken_ = false;
};

std::string repeated(std::string_view piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

std::string nested(std::string_view open, std::string_view middle, std::string_view close, int times) {
  return repeated(open, times) + std::string(middle) + repeated(close, times);
}

TEST(Nonsense, AbsurdlyDeepAndLong) {
  const int deep = 10'000;
  const std::pair<std::string, std::string> cases[] = {
      {"parentheses", "SELECT " + nested("(", "1", ")", deep)},
      {"open parentheses", "SELECT " + repeated("(", deep)},
      {"closed parentheses", "SELECT 1" + repeated(")", deep)},
      {"subqueries", nested("SELECT * FROM (", "SELECT 1", ")", deep)},
      {"values of subqueries", "SELECT " + nested("(SELECT ", "1", ")", deep)},
      {"joins in parentheses", "SELECT * FROM " + nested("(", "bids", " JOIN bids ON TRUE)", deep)},
      {"joins", "SELECT * FROM bids" + repeated(" JOIN bids ON TRUE", deep)},
      {"NOT", "SELECT " + repeated("NOT ", deep) + "TRUE"},
      {"minus", "SELECT " + repeated("- ", deep) + "1"},
      {"plus chain", "SELECT 1" + repeated(" + 1", deep)},
      {"AND chain", "SELECT * FROM bids WHERE TRUE" + repeated(" AND price > 1", deep)},
      {"concatenation", "SELECT 'a'" + repeated(" || 'a'", deep)},
      {"CASE", "SELECT " + nested("CASE WHEN TRUE THEN ", "1", " END", deep)},
      {"WHEN", "SELECT CASE" + repeated(" WHEN FALSE THEN 1", deep) + " END"},
      {"CAST", "SELECT " + nested("CAST(", "1", " AS INT)", deep)},
      {"calls", "SELECT " + nested("ABS(", "1", ")", deep)},
      {"COALESCE", "SELECT COALESCE(1" + repeated(", 1", deep) + ")"},
      {"UNION", "SELECT 1" + repeated(" UNION ALL SELECT 1", deep)},
      {"types", "SELECT CAST(1 AS " + nested("ARRAY<", "INT", ">", deep) + ")"},
      {"postfix types", "SELECT CAST(1 AS INT" + repeated(" ARRAY", deep) + ")"},
      {"rows", "SELECT " + nested("ROW(", "1", ")", deep)},
      {"qualified name", "SELECT a" + repeated(".a", deep) + " FROM bids"},
      {"IS NULL", "SELECT 1" + repeated(" IS NULL", deep)},
      {"comparisons", "SELECT 1" + repeated(" = 1", deep)},
      {"WITH", "WITH c AS (SELECT 1)" + repeated(", c AS (SELECT 1)", deep) + " SELECT 1"},
      {"columns", "SELECT 1" + repeated(", 1", deep)},
      {"IN list", "SELECT * FROM bids WHERE price IN (1" + repeated(", 1", 20'000) + ")"},
      {"IN list of other types", "SELECT * FROM bids WHERE price IN (1" + repeated(", TRUE", 20'000) + ")"},
      {"VALUES", "SELECT * FROM (VALUES (1)" + repeated(", (1)", deep) + ")"},
      {"windows in windows", "SELECT * FROM " + nested("TABLE(TUMBLE(", "TABLE bids", ", DESCRIPTOR(ts), INTERVAL '1' HOUR))", deep)},
      {"name", "SELECT " + std::string(1'000'000, 'x') + " FROM bids"},
      {"name in backticks", "SELECT `" + std::string(1'000'000, 'x') + "` FROM bids"},
      {"table name", "SELECT * FROM " + std::string(1'000'000, 'x')},
      {"function name", "SELECT " + std::string(1'000'000, 'x') + "(1)"},
      {"number", "SELECT " + std::string(1'000'000, '9')},
      {"fraction", "SELECT 0." + std::string(1'000'000, '9')},
      {"exponent", "SELECT 1e" + std::string(1'000'000, '9')},
      {"text that is no date", "SELECT DATE '" + std::string(1'000'000, '9') + "'"},
      {"interval", "SELECT INTERVAL '" + std::string(1'000'000, '9') + "' DAY"},
      {"precision", "SELECT CAST(1 AS DECIMAL(" + std::string(1000, '9') + "))"},
      {"LIMIT", "SELECT * FROM bids LIMIT " + std::string(1000, '9')},
      {"LIKE", "SELECT channel LIKE '" + repeated("%a", deep) + "' FROM bids"},
      {"regular expression", "SELECT REGEXP(channel, '" + repeated("(a*)*", 500) + "') FROM bids"},
      {"open regular expression", "SELECT REGEXP(channel, '" + repeated("(", deep) + "') FROM bids"},
      {"setting", "SET '" + std::string(1'000'000, 'x') + "' = '1'"},
      {"option", "CREATE TABLE t (a INT) WITH ('" + std::string(1'000'000, 'x') + "' = 'y')"},
      {"connector", "CREATE TABLE t (a INT) WITH ('connector' = '" + std::string(1'000'000, 'x') + "')"},
      {"columns of a table", "CREATE TABLE t (a INT" + repeated(", a INT", deep) + ") WITH ('connector' = 'print')"},
      {"comments", "SELECT " + repeated("/* x */ ", deep)},
      {"open comments", "SELECT " + repeated("/* ", deep)},
      {"semicolons", repeated(";", deep) + "SELEC"},
      {"statements", repeated("SELECT 1; ", 1000) + "SELECT"},
      {"window", "SELECT COUNT(*) FROM TABLE(HOP(TABLE bids, DESCRIPTOR(ts), INTERVAL '0.000001' SECOND, INTERVAL '99999' DAY)) GROUP BY window_start, window_end"},
      {"lag", "SELECT LAG(price, 9223372036854775807) OVER (ORDER BY ts) FROM bids"},
      {"frame", "SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN 99999999999999999999 PRECEDING AND CURRENT ROW) FROM bids"},
  };
  Planning planning{std::string(kTables)};
  for (const auto& [name, text] : cases) {
    SCOPED_TRACE(name);
    EXPECT_EQ(planning.refusal_of(text).substr(0, 400), "");
  }
}

TEST(Nonsense, BytesThatAreNoText) {
  using namespace std::string_literals;
  const std::string cases[] = {
      "SELECT \0"s, "\0"s, "SELECT 1\0; SELECT 2"s, "SELECT 'a\0b', x"s, "SELECT `a\0b` FROM bids"s, "SELECT \x01", "SELECT \x7f", "SELECT \x1b[31m1", "SELECT \xff", "SELECT '\xff'", "SELECT `\xc3` FROM bids",
      "SELECT '\xc3\x28'", "SELECT '\xed\xa0\x80'", "SELECT '\xf4\x90\x80\x80'", "SELECT '\xc0\xaf'", "\xef\xbb\xbf\xef\xbb\xbfSELECT", "SELECT é FROM bids", "SELECT 1 \xe2\x80\x93 2", "SELECT \xe2\x80\x98x\xe2\x80\x99",
      "SELECT\xc2\xa0 1 +", "SELECT 1 -- \xff", "SELECT /* \xff */ 1", "\xff\xfeS\0E\0"s, "SELECT '\xf0\x9f\x98\x80' + 1", "SELECT \\", "SELECT '\\", "\r\nSELECT\r\n,", "\t\v\f SELECT"};
  Planning planning{std::string(kTables)};
  for (const std::string& text : cases) {
    SCOPED_TRACE(text);
    EXPECT_EQ(planning.refusal_of(text), "");
  }
  for (const std::string_view text : {"SELECT \xff", "SELECT '\xc3\x28'", "SELECT '\xed\xa0\x80'", "SELECT 1 -- \xff"}) {
    EXPECT_EQ(planning.refusal_of(text), "");
    EXPECT_FALSE(planning.has_taken()) << text;
  }
}

// ---- statements of the corpus, broken at random

struct Source {
  std::string setup;
  std::vector<std::string> statements;
};

std::vector<Source> sources() {
  std::vector<Source> out;
  for (const auto& [name, text] : corpus_files()) {
    const auto blocks = parse_corpus(text);
    if (!blocks) continue;
    Source s;
    for (const Block& b : *blocks) {
      if (b.kind == Block::Kind::kFile) continue;
      if (b.kind == Block::Kind::kSetup) s.setup += b.text;
      const auto parsed = syntax::parse_script(b.text);
      if (!parsed) continue;
      for (const syntax::Statement& statement : *parsed) s.statements.push_back(b.text.substr(statement.span.begin, statement.span.end - statement.span.begin));
    }
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> out;
  for (const syntax::Token& t : syntax::lex(text).tokens)
    if (t.kind != syntax::TokenKind::kEnd) out.emplace_back(text.substr(t.span.begin, t.span.end - t.span.begin));
  return out;
}

class Breaker {
 public:
  Breaker(std::vector<std::string> pool, std::uint64_t seed) : pool_(std::move(pool)), random_(seed) {}

  std::string broken(std::string_view text) {
    std::vector<std::string> tokens = tokens_of(text);
    for (std::size_t n = 1 + below(3); n > 0 && !tokens.empty(); --n) mutate(tokens);
    std::string out;
    for (const std::string& t : tokens) out += t + (below(40) == 0 ? "\n" : " ");
    return out;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  void mutate(std::vector<std::string>& tokens) {
    const auto at = [&] { return tokens.begin() + static_cast<std::ptrdiff_t>(below(tokens.size())); };
    static const std::vector<std::string> absurd = {"99999999999999999999", "-1", "0", "''", "NULL", "1e308", "INTERVAL '0' SECOND", "*", "(", ")", ",", ";", "``", "TRUE", "'\\'", "(SELECT 1)", "1.5"};
    switch (below(7)) {
      case 0: tokens.erase(at()); break;
      case 1: tokens.insert(at(), *at()); break;
      case 2: std::iter_swap(at(), at()); break;
      case 3: *at() = pool_[below(pool_.size())]; break;
      case 4: tokens.insert(at(), pool_[below(pool_.size())]); break;
      case 5: *at() = absurd[below(absurd.size())]; break;
      default: {   // a piece of it, somewhere else
        const auto from = at();
        const std::vector<std::string> piece(from, from + std::min<std::ptrdiff_t>(tokens.end() - from, static_cast<std::ptrdiff_t>(1 + below(6))));
        tokens.insert(at(), piece.begin(), piece.end());
      }
    }
  }

  std::vector<std::string> pool_;
  std::mt19937_64 random_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Nonsense, BrokenStatementsAreRefusedWell) {
  const std::uint64_t count = number_from("SUPYO_MUTATIONS", 1000), seed = number_from("SUPYO_SEED", 1);
  const bool trace = std::getenv("SUPYO_TRACE") != nullptr;
  const std::vector<Source> all = sources();
  ASSERT_GE(all.size(), 15u);
  std::vector<std::string> pool;
  for (const Source& s : all)
    for (const std::string& statement : s.statements) std::ranges::move(tokens_of(statement), std::back_inserter(pool));
  Breaker breaker(pool, seed);
  std::vector<std::unique_ptr<Planning>> planning;
  for (const Source& s : all) planning.push_back(std::make_unique<Planning>(s.setup));
  std::set<std::string> seen;
  std::uint64_t taken = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t f = breaker.below(all.size());
    const std::string text = breaker.broken(all[f].statements[breaker.below(all[f].statements.size())]);
    if (trace) fmt::print(stderr, "-- {}\n{}\n", i, text);
    const std::string wrong = planning[f]->refusal_of(text);
    taken += planning[f]->has_taken() ? 1 : 0;
    if (!wrong.empty() && seen.insert(wrong.substr(0, 60)).second) ADD_FAILURE() << "mutation " << i << " of seed " << seed << ": " << text << "\n" << wrong;
  }
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, count / 2) << "hardly anything is refused";
}

}  // namespace
}  // namespace supyo::sqltest
