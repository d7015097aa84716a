#include "engine/operators/top_n.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct In {
  std::int64_t key = 0;
  std::optional<std::int64_t> value;
  std::string text;
  RowKind kind = RowKind::kInsert;
};

Schema rows_schema() { return Schema({{"k", Type::big_int().not_null()}, {"v", Type::big_int()}, {"s", Type::string()}}); }

BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(rows_schema());
  for (const In& r : rows) {
    b.column(0).append(r.key);
    if (r.value) b.column(1).append(*r.value);
    else b.column(1).append_null();
    b.column(2).append_text(r.text);
    b.end_row(r.kind);
  }
  return b.finish();
}

TopNSpec spec(std::uint64_t limit, bool with_number, bool retracts, bool descending = false) {
  return {.input = rows_schema(), .partition = {0}, .order = {{.column = 1, .descending = descending, .nulls_first = !descending}}, .limit = limit, .with_number = with_number,
          .input_retracts = retracts};
}

TEST(TopN, OneRowIsReplacedByABetterOne) {
  OperatorHarness h(make_top_n(spec(1, false, false)));
  h.feed(batch_of({{1, 5, "a"}, {2, 7, "b"}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|5|a", "+I 2|7|b"));
  h.rows.clear();
  h.feed(batch_of({{1, 5, "tie"}, {1, 6, "worse"}, {2, 3, "c"}, {2, 2, "d"}}));
  EXPECT_THAT(h.rows, ElementsAre("-U 2|7|b", "+U 2|2|d")) << "the first of equals stays, and a batch shows its net change";
  EXPECT_EQ(h.state().keyed(0).size(), 2U) << "what cannot come up is not kept";
}

TEST(TopN, RowsWithATtlEndUnseen) {
  for (const bool retracts : {false, true}) {
    TopNSpec s = spec(2, true, retracts);
    s.ttl_us = 10;
    OperatorHarness before(make_top_n(s));
    before.clock_us = 100;
    before.feed(batch_of({{1, 10, "a"}, {2, 5, "x"}}));
    before.clock_us = 105;
    before.feed(batch_of({{1, 20, "b"}}));
    OperatorHarness::Stored stored;
    before.cut(stored);
    OperatorHarness h(make_top_n(s));
    h.restore(stored, 0);
    h.clock_us = 110;
    h.feed(batch_of({{1, 30, "c"}, {2, 6, "y"}}));
    EXPECT_THAT(h.rows, ElementsAre("+I 1|30|c|2", "+I 2|6|y|1")) << "a and x ended at 110";
    EXPECT_EQ(h.state().keyed(0).size(), 3U);
  }
}

TEST(TopN, NumbersMoveUpWhenARowGoes) {
  OperatorHarness h(make_top_n(spec(2, true, true)));
  h.feed(batch_of({{1, 10, "a"}, {1, 20, "b"}, {1, 30, "c"}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|10|a|1", "+I 1|20|b|2"));
  h.rows.clear();
  h.feed(batch_of({{1, 10, "a", RowKind::kDelete}, {9, 9, "not there", RowKind::kDelete}}));
  EXPECT_THAT(h.rows, ElementsAre("-U 1|10|a|1", "+U 1|20|b|1", "-U 1|20|b|2", "+U 1|30|c|2"));
  h.rows.clear();
  h.feed(batch_of({{1, 30, "c", RowKind::kDelete}, {1, 20, "b", RowKind::kUpdateBefore}, {1, 20, "b", RowKind::kUpdateAfter}}));
  EXPECT_THAT(h.rows, ElementsAre("-D 1|30|c|2"));
  h.rows.clear();
  h.feed(batch_of({{1, 20, "b", RowKind::kDelete}}));
  EXPECT_THAT(h.rows, ElementsAre("-D 1|20|b|1"));
  EXPECT_EQ(h.state().keyed(0).size(), 0U);
}

TEST(TopN, WithoutNumbersARowThatStaysIsNotTouched) {
  OperatorHarness h(make_top_n(spec(2, false, false, true)));
  h.feed(batch_of({{1, 10, "a"}, {1, std::nullopt, "null is low"}, {1, 10, "a"}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|10|a", "+I 1|10|a"));
  h.rows.clear();
  h.feed(batch_of({{1, 11, "b"}}));
  EXPECT_THAT(h.rows, ElementsAre("-D 1|10|a", "+I 1|11|b"));
}

TEST(TopN, OrderIsThatOfTheTypes) {
  Schema s({{"i", Type::integer()}, {"d", Type::double_()}, {"t", Type::string()}, {"m", Type::decimal(20, 2)}});
  for (std::size_t column = 0; column < s.size(); ++column) {
    for (const bool descending : {false, true}) {
      OperatorHarness h(make_top_n({.input = s, .partition = {}, .order = {{.column = column, .descending = descending, .nulls_first = !descending}}, .limit = 5, .with_number = true}));
      BatchBuilder b(s);
      const std::int32_t ints[] = {3, -7, 0, 2'000'000'000};
      const double doubles[] = {0.5, -1e300, -0.25, 1e-300};
      const std::string_view texts[] = {"ab", std::string_view(""), std::string_view("a\0", 2), "a"};
      const Int128 decimals[] = {5, -9, 0, static_cast<Int128>(1) << 60};
      for (std::size_t i = 0; i < 4; ++i) {
        b.column(0).append(ints[i]);
        b.column(1).append(doubles[i]);
        b.column(2).append_text(texts[i]);
        b.column(3).append(decimals[i]);
        b.end_row();
      }
      for (std::size_t c = 0; c < s.size(); ++c) b.column(c).append_null();
      b.end_row();
      h.feed(b.finish());
      ASSERT_EQ(h.rows.size(), 5U);
      static constexpr std::array<const char*, 4> kUp[] = {{"-7", "0", "3", "2000000000"}, {"-7", "0", "2000000000", "3"}, {"-7", "2000000000", "0", "3"}, {"-7", "0", "3", "2000000000"}};
      for (std::size_t i = 0; i < 4; ++i) {
        const std::string& row = h.rows[descending ? 3 - i : i + 1];
        EXPECT_TRUE(row.starts_with(std::string("+I ") + kUp[column][i] + "|")) << s[column].name << (descending ? " down " : " up ") << i << ": " << row;
      }
      EXPECT_TRUE(h.rows[descending ? 4 : 0].starts_with("+I NULL|")) << h.rows[0];
    }
  }
}

/// Random rows come and go, in random batches, with a restart now and then: what was emitted adds up to the first rows of a sorted list.
TEST(TopN, EqualsSortingEverythingAtEveryMoment) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 rng(seed);
    const auto some = [&](std::int64_t n) { return static_cast<std::int64_t>(rng() % static_cast<std::uint64_t>(n)); };
    const bool with_number = rng() % 2 == 0, retracts = rng() % 2 == 0;
    const TopNSpec s = spec(1 + rng() % 4, with_number, retracts, rng() % 2 == 0);
    auto h = std::make_unique<OperatorHarness>(make_top_n(s));
    OperatorHarness::Stored stored;
    std::vector<In> live;   // in order of arrival
    std::multiset<std::string> shown;
    for (int step = 0; step < 40; ++step) {
      std::vector<In> batch;
      for (std::int64_t n = some(8); n >= 0; --n) {
        if (retracts && !live.empty() && rng() % 3 == 0) {
          const std::size_t at = rng() % live.size();
          In gone = live[at];
          gone.kind = RowKind::kDelete;
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
          batch.push_back(gone);
          continue;
        }
        // Texts differ, so that the order of arrival of equal rows can be told.
        live.push_back({some(3), some(5) == 0 ? std::nullopt : std::optional(some(6)), std::to_string(step) + "." + std::to_string(n)});
        batch.push_back(live.back());
      }
      h->feed(batch_of(batch));
      for (const std::string& row : h->rows) {
        const std::string text = row.substr(3);
        if (row[0] == '+') {
          shown.insert(text);
        } else {
          const auto it = shown.find(text);
          ASSERT_NE(it, shown.end()) << "seed " << seed << ": taken back, and not there: " << row;
          shown.erase(it);
        }
      }
      h->rows.clear();
      std::multiset<std::string> expected;
      for (std::int64_t key = 0; key < 3; ++key) {
        std::vector<In> mine;
        std::ranges::copy_if(live, std::back_inserter(mine), [&](const In& r) { return r.key == key; });
        std::ranges::stable_sort(mine, [&](const In& a, const In& b) { return s.order[0].descending ? b.value < a.value : a.value < b.value; });   // nullopt is low
        for (std::size_t i = 0; i < std::min<std::size_t>(mine.size(), s.limit); ++i)
          expected.insert(fmt::format("{}|{}|{}{}", key, mine[i].value ? std::to_string(*mine[i].value) : "NULL", mine[i].text, with_number ? fmt::format("|{}", i + 1) : ""));
      }
      ASSERT_EQ(shown, expected) << "seed " << seed << " step " << step;
      h->cut(stored);
      if (rng() % 5 == 0) {
        h = std::make_unique<OperatorHarness>(make_top_n(s));
        h->restore(stored, 0);
      }
    }
  }
}

}  // namespace
}  // namespace supyo::operators
