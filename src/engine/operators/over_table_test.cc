#include "engine/operators/over_table.h"

#include <gmock/gmock.h>

#include <numeric>
#include <random>
#include <set>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using Kind = OverTableSpec::Call::Kind;

struct In {
  std::int64_t key = 0;
  std::int64_t order = 0;
  std::int64_t value = 0;
  RowKind kind = RowKind::kInsert;
  bool operator==(const In&) const = default;
};

Schema rows_schema() { return Schema({{"k", Type::big_int().not_null()}, {"o", Type::big_int()}, {"v", Type::big_int()}}); }

BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(rows_schema());
  for (const In& r : rows) {
    b.column(0).append(r.key);
    b.column(1).append(r.order);
    b.column(2).append(r.value);
    b.end_row(r.kind);
  }
  return b.finish();
}

OverTableSpec::Call call(Kind kind, std::int64_t number = 1) {
  const bool share = kind == Kind::kPercentRank || kind == Kind::kCumeDist;
  const bool look = kind == Kind::kLag || kind == Kind::kLead;
  return {.kind = kind, .aggregate = {}, .column = 2, .default_column = kind == Kind::kLead ? 1 : SIZE_MAX, .number = number, .name = "r", .type = share ? Type::double_() : look ? Type::big_int() : Type::big_int().not_null()};
}

OverTableSpec::Call aggregate(const expr::FunctionRegistry& functions, std::string_view name, bool distinct = false) {
  const Type types[] = {Type::big_int()};
  const auto resolved = functions.resolve_aggregate(name, types, distinct, false);
  SUPYO_CHECK(resolved.has_value());
  return {.kind = Kind::kAggregate, .aggregate = {.aggregate = resolved->aggregate, .args = {2}, .name = "a", .distinct = distinct}, .column = 0, .default_column = SIZE_MAX, .number = 1, .name = "a", .type = resolved->aggregate->result()};
}

class OverTable : public ::testing::Test {
 protected:
  OverTableSpec spec(std::vector<OverTableSpec::Call> calls, bool rows = false, std::optional<std::uint64_t> preceding = {}) const {
    return {.input = rows_schema(), .partition = {0}, .order = {{.column = 1, .descending = false, .nulls_first = true}}, .rows = rows, .preceding = preceding, .calls = std::move(calls)};
  }
  expr::FunctionRegistry functions_;
};

TEST_F(OverTable, AChangeShowsInAllRowsBehindIt) {
  OperatorHarness h(make_over_table(spec({aggregate(functions_, "SUM")})));
  h.feed(batch_of({{1, 10, 100}, {1, 20, 7}, {2, 5, 1}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|10|100|100", "+I 1|20|7|107", "+I 2|5|1|1"));
  h.rows.clear();
  h.feed(batch_of({{1, 15, 3}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|15|3|103", "-U 1|20|7|107", "+U 1|20|7|110"));
  h.rows.clear();
  h.feed(batch_of({{1, 10, 100, RowKind::kUpdateBefore}, {1, 10, 90, RowKind::kUpdateAfter}, {2, 9, 9, RowKind::kDelete}}));
  EXPECT_THAT(h.rows, ElementsAre("-D 1|10|100|100", "+I 1|10|90|90", "-U 1|15|3|103", "+U 1|15|3|93", "-U 1|20|7|110", "+U 1|20|7|100")) << "what was never there is ignored";
  h.rows.clear();
  h.feed(batch_of({{1, 20, 7, RowKind::kDelete}, {2, 5, 1, RowKind::kDelete}}));
  EXPECT_THAT(h.rows, ElementsAre("-D 1|20|7|100", "-D 2|5|1|1"));
  EXPECT_EQ(h.state().keyed(0).size(), 2U);
}

TEST_F(OverTable, EqualRowsHaveEqualFramesUnderRange) {
  OperatorHarness h(make_over_table(spec({aggregate(functions_, "SUM"), call(Kind::kRank)})));
  h.feed(batch_of({{1, 1, 1}, {1, 2, 10}}));
  h.rows.clear();
  h.feed(batch_of({{1, 2, 20}, {1, 3, 5}}));
  EXPECT_THAT(h.rows, ElementsAre("-U 1|2|10|11|2", "+U 1|2|10|31|2", "+I 1|2|20|31|2", "+I 1|3|5|36|4"));
}

TEST_F(OverTable, ABoundedFrameIsTouchedNoFartherThanItReaches) {
  OperatorHarness h(make_over_table(spec({aggregate(functions_, "SUM")}, true, 1)));
  h.feed(batch_of({{1, 1, 1}, {1, 2, 2}, {1, 3, 3}, {1, 4, 4}}));
  h.rows.clear();
  h.feed(batch_of({{1, 2, 2, RowKind::kDelete}}));
  EXPECT_THAT(h.rows, ElementsAre("-D 1|2|2|3", "-U 1|3|3|5", "+U 1|3|3|4"));
}

TEST_F(OverTable, WithoutUpdateBeforeOnlyTheNewRowIsTold) {
  OverTableSpec s = spec({call(Kind::kRowNumber)}, true);
  s.update_before = false;
  OperatorHarness h(make_over_table(s));
  h.feed(batch_of({{1, 2, 2}}));
  h.feed(batch_of({{1, 1, 1}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|2|2|1", "+I 1|1|1|1", "+U 1|2|2|2"));
}

// ---- against computing everything from the start

struct Oracle {
  const std::vector<In>& rows;   // of one partition, in order
  bool by_rows;
  std::optional<std::uint64_t> preceding;
  bool ordered;

  bool equal(std::size_t a, std::size_t b) const { return !ordered || rows[a].order == rows[b].order; }
  std::vector<std::int64_t> frame(std::size_t i) const {
    std::size_t end = i;
    if (!by_rows)
      while (end + 1 < rows.size() && equal(end + 1, i)) ++end;
    std::vector<std::int64_t> out;
    for (std::size_t j = preceding && *preceding < i ? i - *preceding : 0; j <= end; ++j) out.push_back(rows[j].value);
    return out;
  }
  std::string number(Kind kind, std::int64_t n, std::size_t i) const {
    const auto size = static_cast<std::int64_t>(rows.size()), at = static_cast<std::int64_t>(i);
    std::int64_t first = at, last = at, dense = 1;
    while (first > 0 && equal(static_cast<std::size_t>(first - 1), i)) --first;
    while (last + 1 < size && equal(static_cast<std::size_t>(last + 1), i)) ++last;
    for (std::int64_t j = 1; j <= first; ++j) dense += equal(static_cast<std::size_t>(j), static_cast<std::size_t>(j - 1)) ? 0 : 1;
    const auto as_text = [](double v) {
      BatchBuilder b(Schema({{"d", Type::double_()}}));
      b.column(0).append(v);
      b.end_row();
      return OperatorHarness::text_of(*b.finish(), 0).substr(3);
    };
    switch (kind) {
      case Kind::kRowNumber: return std::to_string(at + 1);
      case Kind::kRank: return std::to_string(first + 1);
      case Kind::kDenseRank: return std::to_string(dense);
      case Kind::kPercentRank: return as_text(size == 1 ? 0.0 : static_cast<double>(first) / static_cast<double>(size - 1));
      case Kind::kCumeDist: return as_text(static_cast<double>(last + 1) / static_cast<double>(size));
      case Kind::kNtile:   // bucket b has the rows in [.., ..) whose sizes differ by one at most, larger ones first
        for (std::int64_t b = 1, from = 0;; ++b) {
          from += size / n + (b <= size % n ? 1 : 0);
          if (at < from) return std::to_string(b);
        }
      case Kind::kLag: return at < n ? "NULL" : std::to_string(rows[static_cast<std::size_t>(at - n)].value);
      case Kind::kLead: return at + n >= size ? std::to_string(rows[i].order) : std::to_string(rows[static_cast<std::size_t>(at + n)].value);
      case Kind::kAggregate: break;
    }
    return "";
  }
};

/// Random rows come and go, in random batches, with a restart now and then: what was emitted adds up to every row with its results.
TEST_F(OverTable, EqualsComputingEverythingAtEveryMoment) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 rng(seed);
    const auto some = [&](std::int64_t n) { return static_cast<std::int64_t>(rng() % static_cast<std::uint64_t>(n)); };
    std::vector<OverTableSpec::Call> calls;
    std::vector<std::string> names;
    for (std::int64_t n = some(3); n >= 0; --n) {
      if (rng() % 2 == 0) {
        static constexpr const char* kAggregates[] = {"SUM", "COUNT", "MIN", "MAX"};
        const bool distinct = rng() % 4 == 0;
        names.emplace_back(kAggregates[rng() % 4]);
        if (distinct) names.back() = "COUNT";
        calls.push_back(aggregate(functions_, names.back(), distinct));
        if (distinct) names.back() = "DISTINCT";
      } else {
        static constexpr Kind kKinds[] = {Kind::kRowNumber, Kind::kRank, Kind::kDenseRank, Kind::kPercentRank, Kind::kCumeDist, Kind::kNtile, Kind::kLag, Kind::kLead};
        calls.push_back(call(kKinds[rng() % 8], 1 + some(3)));
        names.emplace_back();
      }
    }
    const bool by_rows = rng() % 2 == 0, ordered = by_rows || rng() % 6 != 0;
    const std::optional<std::uint64_t> preceding = by_rows && rng() % 2 == 0 ? std::optional(rng() % 4) : std::nullopt;
    OverTableSpec s = spec(calls, by_rows, preceding);
    if (!ordered) s.order.clear();
    auto h = std::make_unique<OperatorHarness>(make_over_table(s));
    OperatorHarness::Stored stored;
    std::vector<In> live;   // in order of arrival
    std::multiset<std::string> shown;
    for (int step = 0; step < 30; ++step) {
      std::vector<In> batch;
      for (std::int64_t n = some(6); n >= 0; --n) {
        if (!live.empty() && rng() % 3 == 0) {
          const std::size_t at = rng() % live.size();
          In gone = live[at];
          gone.kind = RowKind::kDelete;
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
          batch.push_back(gone);
          continue;
        }
        // Mostly rows that differ; now and then one that is there already.
        In row{some(2), some(5), step * 100 + n};
        if (!live.empty() && rng() % 8 == 0) row = live[rng() % live.size()];
        // A batch that takes a row and gives it again has not moved it.
        if (std::ranges::any_of(batch, [&](const In& r) { return r.kind == RowKind::kDelete && r.key == row.key && r.order == row.order && r.value == row.value; })) continue;
        // A copy stands beside the first of its kind.
        const auto same = std::ranges::find(live, row);
        live.insert(same == live.end() ? live.end() : same + 1, row);
        batch.push_back(row);
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
      for (std::int64_t key = 0; key < 2; ++key) {
        std::vector<In> mine;
        std::ranges::copy_if(live, std::back_inserter(mine), [&](const In& r) { return r.key == key; });
        if (ordered) std::ranges::stable_sort(mine, {}, &In::order);
        const Oracle oracle{mine, by_rows, preceding, ordered};
        for (std::size_t i = 0; i < mine.size(); ++i) {
          std::string text = fmt::format("{}|{}|{}", key, mine[i].order, mine[i].value);
          for (std::size_t c = 0; c < calls.size(); ++c) {
            if (names[c].empty()) {
              text += "|" + oracle.number(calls[c].kind, calls[c].number, i);
              continue;
            }
            const std::vector<std::int64_t> in = oracle.frame(i);
            const std::int64_t result = names[c] == "SUM"   ? std::accumulate(in.begin(), in.end(), std::int64_t{0})
                                        : names[c] == "MIN" ? *std::ranges::min_element(in)
                                        : names[c] == "MAX" ? *std::ranges::max_element(in)
                                        : names[c] == "COUNT" ? static_cast<std::int64_t>(in.size())
                                                              : static_cast<std::int64_t>(std::set(in.begin(), in.end()).size());
            text += fmt::format("|{}", result);
          }
          expected.insert(text);
        }
      }
      ASSERT_EQ(shown, expected) << "seed " << seed << " step " << step;
      h->cut(stored);
      if (rng() % 5 == 0) {
        h = std::make_unique<OperatorHarness>(make_over_table(s));
        h->restore(stored, 0);
      }
    }
  }
}

}  // namespace
}  // namespace supyo::operators
