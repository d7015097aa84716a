#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/env/sim/sim_env.h"
#include "data/types/builder.h"
#include "sql/expr/random.h"
#include "sql/expr/registry.h"

namespace supyo::expr {
namespace {

class RandomTest : public testing::Test {
 protected:
  ExprPtr make(std::string_view name, std::vector<ExprPtr> args = {}) {
    std::vector<Type> types;
    for (const ExprPtr& a : args) types.push_back(a->type);
    const auto r = registry_.resolve(name, types);
    EXPECT_TRUE(r) << r.error().to_string();
    return call(r->function, std::move(args), r->result);
  }
  static ExprPtr number(std::int64_t n) { return literal({.type = Type::integer().not_null(), .data = n}); }
  EvalContext context(std::uint64_t first_row = 0) { return {.random = &random_, .salt = 7, .first_row = first_row}; }
  std::vector<std::string> values(const ExprPtr& e, std::size_t rows, std::uint64_t first_row = 0) {
    Batch batch;
    batch.rows = rows;
    return values(e, batch, context(first_row));
  }
  static std::vector<std::string> values(const ExprPtr& e, const Batch& batch, const EvalContext& ctx) {
    const auto column = evaluate(*e, batch, ctx);
    EXPECT_TRUE(column) << column.error().to_string();
    std::vector<std::string> out;
    for (std::size_t i = 0; i < batch.rows; ++i) out.push_back(value_at(**column, i).to_string());
    return out;
  }

  FunctionRegistry registry_;
  env::SeededRandom random_{3};
};

// By Java 17's java.util.Random.
TEST_F(RandomTest, ASeedGivesJavasSequenceHoweverTheRowsAreCut) {
  const std::vector<std::string> doubles = {"0.7308781907032909", "0.41008081149220166", "0.20771484130971707"};
  EXPECT_EQ(values(make("RAND", {number(1)}), 3), doubles);
  EXPECT_EQ(values(make("RAND", {number(1)}), 2, 1), (std::vector(doubles.begin() + 1, doubles.end())));
  EXPECT_EQ(values(make("RAND", {number(2147483647)}), 3), (std::vector<std::string>{"0.6201007799387834", "0.8487186553865054", "0.7977885253197272"}));
  EXPECT_EQ(values(make("RAND_INTEGER", {number(42), number(100)}), 3), (std::vector<std::string>{"30", "63", "48"}));
  EXPECT_EQ(values(make("RAND_INTEGER", {number(-7), number(100)}), 2, 1), (std::vector<std::string>{"97", "90"}));
  EXPECT_EQ(values(make("RAND_INTEGER", {number(-7), number(1 << 20)}), 1), (std::vector<std::string>{"282194"}));
}

TEST_F(RandomTest, NumbersAreSpreadEvenly) {
  constexpr std::size_t kRows = 4096, kBounds = 16;
  std::vector<double> counts(kBounds), halves(2);
  for (const std::string& v : values(make("RAND_INTEGER", {number(kBounds)}), kRows)) ++counts.at(std::stoul(v));
  for (const std::string& v : values(make("RAND"), kRows)) ++halves.at(static_cast<std::size_t>(std::stod(v) * 2));
  double chi = 0;
  for (const double n : counts) chi += (n - kRows / kBounds) * (n - kRows / kBounds) / (kRows / kBounds);
  EXPECT_LT(chi, 44.3) << "15 degrees of freedom: above it once in 10,000 seeds, and the seed is fixed";
  EXPECT_LT(std::abs(halves[0] - halves[1]), 4 * std::sqrt(kRows));
}

TEST_F(RandomTest, NoTwoUuidsAreEqual) {
  std::set<std::string> seen;
  for (int batch = 0; batch < 3; ++batch)
    for (const std::string& v : values(make("UUID"), 1000)) seen.insert(v);
  EXPECT_EQ(seen.size(), 3000U);
}

TEST_F(RandomTest, ABoundMustBePositive) {
  Batch one;
  one.rows = 1;
  for (const std::int64_t bound : {0, -1}) {
    EXPECT_EQ(evaluate(*make("RAND_INTEGER", {number(bound)}), one, context()).error().code, ErrorCode::kArithmetic);
    EXPECT_EQ(evaluate(*make("RAND_INTEGER", {number(1), number(bound)}), one, context()).error().code, ErrorCode::kArithmetic);
  }
}

// The same content, the same value, in whatever batch: what takes a row back takes back what it gave. Another job gives others, and each call its own.
TEST_F(RandomTest, OfARow) {
  ColumnBuilder k(Type::big_int(), 4);
  for (const std::int64_t v : {1, 2, 1, 3}) k.append(v);
  Batch batch;
  batch.rows = 4;
  batch.columns = {k.finish()};
  std::int64_t calls = 0;
  for (const auto& e : {make("UUID"), make("RAND"), make("RAND_INTEGER", {number(1'000'000)}), make("RAND_INTEGER", {number(5), number(1'000'000)})}) {
    const ExprPtr settled = settle_random(e, true, {Type::big_int()}, calls);
    const auto first = values(settled, batch, context());
    EXPECT_EQ(first, values(settled, batch, context(4)));
    EXPECT_EQ(first[0], first[2]);
    EXPECT_EQ((std::set<std::string>(first.begin(), first.end()).size()), 3U);
    EvalContext other = context();
    other.salt = 8;
    EXPECT_NE(first, values(settled, batch, other));
    if (e->args.size() < 2) EXPECT_NE(first, values(settle_random(e, true, {Type::big_int()}, calls), batch, context()));
  }
}

TEST_F(RandomTest, ASeedThatIsNoConstantDecidesAlone) {
  ColumnBuilder k(Type::integer(), 3);
  for (const std::int32_t v : {1, 2, 1}) k.append(v);
  Batch batch;
  batch.rows = 3;
  batch.columns = {k.finish()};
  std::int64_t calls = 0;
  const ExprPtr e = settle_random(make("RAND", {column(0, Type::integer())}), false, {Type::integer()}, calls);
  EXPECT_EQ(values(e, batch, context(9)), (std::vector<std::string>{"0.7308781907032909", "0.7311469360199058", "0.7308781907032909"}));
}

}  // namespace
}  // namespace supyo::expr
