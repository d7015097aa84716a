#include "engine/operators/match_recognize.h"

#include <gmock/gmock.h>

#include <random>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Spec = MatchRecognizeSpec;
using Reference = Spec::Reference;
using Kind = Reference::Kind;

struct In {
  std::int64_t key = 0;
  std::int64_t second = 0;
  std::int64_t value = 0;
};

Schema rows_schema() { return Schema({{"k", Type::big_int().not_null()}, {"ts", Type::timestamp(3)}, {"v", Type::big_int()}}); }

BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(rows_schema());
  for (const In& r : rows) {
    b.column(0).append(r.key);
    b.column(1).append(r.second * kSecond);
    b.column(2).append(r.value);
    b.end_row();
  }
  return b.finish();
}

Reference value_of(std::size_t variable, Kind kind = Kind::kLast, std::uint64_t offset = 0) {
  return {.kind = kind, .variable = variable, .column = 2, .offset = offset, .aggregate = {}, .name = "r", .type = Type::big_int()};
}

class Match : public ::testing::Test {
 protected:
  /// v <op> n, v being the row's own value.
  expr::ExprPtr compared(std::string_view op, std::int64_t n) const { return compared(op, expr::literal({.type = Type::big_int().not_null(), .data = n})); }
  expr::ExprPtr compared(std::string_view op, const expr::ExprPtr& right) const {
    const Type types[] = {Type::big_int(), right->type};
    const auto call = functions_.resolve(op, types);
    SUPYO_CHECK(call.has_value());
    return expr::call(call->function, {expr::column(0, Type::big_int()), right}, call->result);
  }
  Spec::Variable variable(std::string name, expr::ExprPtr condition, std::uint64_t least = 1, std::optional<std::uint64_t> most = 1, bool greedy = false, std::size_t number = 0) const {
    return {.name = std::move(name), .least = least, .most = most, .greedy = greedy, .condition = condition, .references = condition ? std::vector{value_of(number)} : std::vector<Reference>{}};
  }
  /// A+ B with A > 17, B < 19; results: the first A, the last A, B.
  Spec rise() const {
    return {.input = rows_schema(), .partition = {0}, .time_column = 1, .order = {}, .variables = {variable("A", compared(">", 17), 1, {}, true), variable("B", compared("<", 19), 1, 1, false, 1)},
            .references = {value_of(0, Kind::kFirst), value_of(0), value_of(1)}, .within_us = {}};
  }
  expr::FunctionRegistry functions_;
};

TEST_F(Match, EveryRowMayBeginOne) {
  OperatorHarness h(make_match_recognize(rise()));
  h.feed(batch_of({{1, 2, 20}, {1, 1, 19}, {2, 1, 30}, {1, 3, 15}, {2, 4, 1}}));
  EXPECT_THAT(h.rows, IsEmpty());
  h.watermark(3 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|19|20|15", "+I 1|20|20|15"));
  h.rows.clear();
  h.watermark(9 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I 2|30|30|1"));
  EXPECT_EQ(h.state().keyed(1).size(), 0U) << "nothing is kept where no match is open";
}

TEST_F(Match, SkipsPastTheLastRow) {
  Spec s = rise();
  s.skip = Spec::Skip::kPastLastRow;
  OperatorHarness h(make_match_recognize(s));
  h.feed(batch_of({{1, 1, 19}, {1, 2, 20}, {1, 3, 18}, {1, 4, 15}, {1, 5, 21}, {1, 6, 1}}));
  h.watermark(9 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|19|18|15", "+I 1|21|21|1")) << "a greedy variable takes what it can: 18 is no B";
}

TEST_F(Match, RowsOfOneTimeStandInTheFurtherOrder) {
  Spec s = rise();
  s.order = {{.column = 2, .descending = false, .nulls_first = true}};
  OperatorHarness h(make_match_recognize(s));
  h.feed(batch_of({{1, 1, 40}, {1, 1, 30}, {1, 2, 1}}));
  h.watermark(9 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|30|40|1", "+I 1|40|40|1"));
}

TEST_F(Match, EndsByTimeAlsoWithoutRows) {
  Spec s = rise();
  s.within_us = 2 * kSecond;
  OperatorHarness h(make_match_recognize(s));
  h.feed(batch_of({{1, 1, 19}, {1, 2, 20}, {1, 3, 15}}));
  h.watermark(2 * kSecond);
  EXPECT_EQ(h.state().keyed(1).size(), 1U);
  h.watermark(3 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|20|20|15")) << "19 and 15 are two seconds apart";
  h.feed(batch_of({{1, 10, 19}}));
  h.watermark(10 * kSecond);
  EXPECT_EQ(h.state().keyed(1).size(), 1U);
  h.watermark(13 * kSecond);
  EXPECT_EQ(h.state().keyed(1).size(), 0U);
}

TEST_F(Match, AMatchWaitsForAnEarlierOneThatIsOpen) {
  // A B* C: A any row, B > 10 greedy, C = 5. The run of the first row stays open while rows are above 10, and is dead at 7.
  Spec s = rise();
  s.variables = {variable("A", nullptr), variable("B", compared(">", 10), 0, {}, true, 1), variable("C", compared("<", 6), 1, 1, false, 2)};
  s.references = {value_of(0), value_of(2)};
  s.skip = Spec::Skip::kPastLastRow;
  OperatorHarness h(make_match_recognize(s));
  h.feed(batch_of({{1, 1, 1}, {1, 2, 20}, {1, 3, 5}, {1, 4, 6}, {1, 5, 4}}));
  h.watermark(9 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|1|5", "+I 1|6|4"));
}

TEST_F(Match, LateRowsAreSentAway) {
  OperatorHarness h(make_match_recognize(rise()));
  h.watermark(5 * kSecond);
  h.feed(batch_of({{1, 5, 19}, {1, 6, 19}}));
  EXPECT_EQ(h.late.size(), 1U);
}

TEST_F(Match, WhatWouldBeFoundForEverFails) {
  Spec s = rise();
  s.skip = Spec::Skip::kToFirst;
  const dataflow::OperatorFactory factory = make_match_recognize(s);
  OperatorHarness h(factory);
  const auto op = *factory(0, 1);
  ASSERT_TRUE(op->process(batch_of({{1, 1, 19}, {1, 2, 1}}), 0, h, h));
  const Status failed = op->on_watermark({9 * kSecond}, h, h);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, ::testing::HasSubstr("first row"));
}

// ---- against looking at all rows at once

/// Which matches begin at `start`: the shortest, in the order of Flink's branches. Variables one by one, each with how many rows it took.
struct Plain {
  const Spec& spec;
  const std::vector<In>& rows;
  bool holds(std::size_t v, std::size_t start, const std::vector<std::uint32_t>& counts, std::size_t row) const {
    if (v == 0) return rows[row].value > 3;
    if (v == 2) return rows[row].value < 6;
    // B is larger than the B before it, or than the first row.
    return rows[row].value > (counts.size() > 1 && counts[1] > 0 ? rows[row - 1].value : rows[start].value);
  }
  std::optional<std::size_t> end_of(std::size_t start) const {
    std::vector<std::vector<std::uint32_t>> open = {{}};
    for (std::size_t row = start; row < rows.size() && !open.empty(); ++row) {
      std::vector<std::vector<std::uint32_t>> next;
      for (const auto& counts : open) {
        std::uint32_t count = counts.empty() ? 0 : counts.back();
        for (std::size_t v = counts.empty() ? 0 : counts.size() - 1; v < 3; ++v, count = 0) {
          const auto& variable = spec.variables[v];
          const bool yes = holds(v, start, counts, row);
          if (yes && (!variable.most || count < *variable.most)) {
            auto longer = counts;
            longer.resize(v + 1, 0);
            ++longer[v];
            if (v == 2) return row;
            next.push_back(longer);
          }
          if (count < variable.least || (variable.greedy && yes)) break;
        }
      }
      open = std::move(next);
    }
    return std::nullopt;
  }
};

TEST_F(Match, EqualsLookingAtAllRowsAtOnceAlsoWhenRestored) {
  std::size_t found = 0;
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    std::mt19937_64 rng(seed);
    const auto some = [&](std::int64_t n) { return static_cast<std::int64_t>(rng() % static_cast<std::uint64_t>(n)); };
    Spec s = rise();
    const bool greedy = rng() % 2 == 0;
    Spec::Variable b{.name = "B", .least = rng() % 2, .most = {}, .greedy = greedy, .condition = nullptr, .references = {value_of(1), value_of(1, Kind::kLast, 1), value_of(0, Kind::kFirst)}};
    if (rng() % 2 == 0) b.most = 2;
    if (b.least == 0) b.most.reset();
    // v > COALESCE(LAST(B.v, 1), FIRST(A.v))
    const Type types[] = {Type::big_int(), Type::big_int()};
    const auto coalesce = functions_.resolve("COALESCE", types);
    ASSERT_TRUE(coalesce.has_value());
    b.condition = compared(">", expr::call(coalesce->function, {expr::column(1, Type::big_int()), expr::column(2, Type::big_int())}, coalesce->result));
    s.variables = {variable("A", compared(">", 3)), b, variable("C", compared("<", 6), 1, 1, false, 2)};
    s.references = {value_of(0), value_of(2), value_of(SIZE_MAX)};
    s.skip = rng() % 2 == 0 ? Spec::Skip::kPastLastRow : Spec::Skip::kToNextRow;
    auto h = std::make_unique<OperatorHarness>(make_match_recognize(s));
    OperatorHarness::Stored stored;
    std::vector<In> all;
    std::vector<std::string> shown;
    for (int step = 0; step < 12; ++step) {
      std::vector<In> batch;
      for (std::int64_t n = some(6); n >= 0; --n) batch.push_back({some(2), step * 10 + n, some(9)});
      h->feed(batch_of(batch));
      for (auto r = batch.rbegin(); r != batch.rend(); ++r) all.push_back(*r);
      h->watermark((step * 10 + 9) * kSecond);
      shown.insert(shown.end(), h->rows.begin(), h->rows.end());
      h->rows.clear();
      h->cut(stored);
      if (rng() % 4 != 0) continue;
      h = std::make_unique<OperatorHarness>(make_match_recognize(s));
      h->restore(stored, (step * 10 + 9) * kSecond);
    }
    std::vector<std::string> expected, uncertain;
    for (std::int64_t key = 0; key < 2; ++key) {
      std::vector<In> mine;
      std::ranges::copy_if(all, std::back_inserter(mine), [&](const In& r) { return r.key == key; });
      const Plain plain{s, mine};
      for (std::size_t start = 0; start < mine.size();) {
        const auto end = plain.end_of(start);
        if (end) expected.push_back(fmt::format("+I {}|{}|{}|{}", key, mine[start].value, mine[*end].value, mine[*end].value));
        start = end && s.skip == Spec::Skip::kPastLastRow ? *end + 1 : start + 1;
      }
    }
    std::ranges::sort(expected);
    std::ranges::sort(shown);
    // A run that is open at the end may still hold later ones back: what is shown is never more, and all of it is right.
    EXPECT_TRUE(std::ranges::includes(expected, shown)) << "seed " << seed << ": " << fmt::format("{}", fmt::join(shown, "; ")) << " not in " << fmt::format("{}", fmt::join(expected, "; "));
    EXPECT_GE(shown.size() + 4, expected.size()) << "seed " << seed;
    found += shown.size();
  }
  EXPECT_GT(found, 300U);
}

/// SUM that counts the rows that go into it.
class CountedSum final : public expr::Aggregate {
 public:
  CountedSum(expr::AggregatePtr sum, std::uint64_t& rows) : sum_(std::move(sum)), rows_(rows) {}
  std::string_view name() const override { return "SUM"; }
  Type result() const override { return sum_->result(); }
  std::uint32_t width() const override { return sum_->width(); }
  Status update(std::span<const ColumnPtr> args, std::span<const std::uint32_t> rows, std::span<std::byte* const> acc, std::span<const std::int8_t> signs,
                std::span<std::string* const> blobs) const override {
    rows_ += rows.size();
    return sum_->update(args, rows, acc, signs, blobs);
  }
  Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const override { return sum_->value(acc, blob, out); }

 private:
  expr::AggregatePtr sum_;
  std::uint64_t& rows_;
};

TEST_F(Match, ALongRunCostsNoMoreARowThanAShortOne) {
  std::uint64_t folded = 0;
  const std::vector<Type> types = {Type::big_int()};
  const auto sum = std::make_shared<CountedSum>(functions_.resolve_aggregate("SUM", types, false, false)->aggregate, folded);
  Reference total{.kind = Kind::kAggregate, .variable = 1, .column = 0, .offset = 0, .aggregate = {.aggregate = sum, .args = {2}, .name = "s"}, .name = "s", .type = Type::big_int()};
  const std::vector<Type> two = {Type::big_int(), Type::big_int().not_null()};
  const auto less = functions_.resolve("<", two);
  Spec s = rise();
  // S A+ B: S is 0, SUM(A) stays below, B is negative.
  Spec::Variable a{.name = "A", .least = 1, .most = {}, .greedy = true, .condition = expr::call(less->function, {expr::column(0, Type::big_int()), expr::literal({.type = two[1], .data = std::int64_t{3000}})}, less->result), .references = {total}};
  s.variables = {variable("S", compared("=", 0)), a, variable("B", compared("<", 0), 1, 1, false, 2)};
  // A takes what keeps its sum low, so the condition of B must not be asked for a row that A takes.
  s.references = {total, value_of(2)};
  OperatorHarness h(make_match_recognize(s));
  constexpr std::int64_t kRows = 2000;
  h.feed(batch_of({{1, 1, 0}}));
  for (std::int64_t i = 0; i < kRows; ++i) {
    h.feed(batch_of({{1, 2 + i, 1}}));
    if (i % 100 == 0) h.watermark((2 + i) * kSecond);
  }
  h.feed(batch_of({{1, 9000, 5000}}));
  h.watermark(10000 * kSecond);
  EXPECT_THAT(h.rows, IsEmpty()) << "5000 is neither";
  EXPECT_LE(folded, 4 * static_cast<std::uint64_t>(kRows) + 10) << "a row goes into two sums, the condition's and the result's: when it is asked for, and when it is taken";
  EXPECT_GE(folded, static_cast<std::uint64_t>(kRows));
}

}  // namespace
}  // namespace supyo::operators
