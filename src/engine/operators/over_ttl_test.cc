#include <gmock/gmock.h>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"
#include "engine/operators/over_aggregate.h"
#include "engine/operators/over_lag.h"
#include "engine/operators/over_table.h"

// How long by the clock what OVER keeps of a key lives: table.exec.state.ttl.
namespace supyo::operators {
namespace {

using ::testing::ElementsAre;

Schema rows_schema() { return Schema({{"k", Type::string()}, {"ts", Type::timestamp(3)}, {"v", Type::big_int()}}); }

BatchPtr row(const char* key, std::int64_t second, std::int64_t v, RowKind kind = RowKind::kInsert) {
  BatchBuilder b(rows_schema());
  b.column(0).append_text(key);
  b.column(1).append(second * kSecond);
  b.column(2).append(v);
  b.end_row(kind);
  return b.finish();
}

expr::AggregateCall sum(bool retracting) {
  static const expr::FunctionRegistry registry;
  const std::vector<Type> types = {Type::big_int()};
  return {.aggregate = registry.resolve_aggregate("SUM", types, false, retracting)->aggregate, .args = {2}, .name = "s"};
}

/// What a row gives that comes at `clock` seconds and is due at once.
std::string given(OperatorHarness& h, std::int64_t clock, const char* key, std::int64_t second, std::int64_t v) {
  h.rows.clear();
  h.clock_us = clock * kSecond;
  h.feed(row(key, second, v));
  h.watermark(second * kSecond);
  SUPYO_CHECK_EQ(h.rows.size(), 1U);
  return h.rows.front().substr(h.rows.front().rfind('|') + 1);
}

TEST(OverTtl, ASumBeginsAnewWhenItsKeyWasNotSeenForLong) {
  OperatorHarness h(make_over_aggregate({.input = rows_schema(), .time_column = 1, .keys = {0}, .calls = {sum(false)}, .frame = {}, .ttl_us = 10 * kSecond}));
  EXPECT_EQ(given(h, 0, "a", 1, 1), "1");
  EXPECT_EQ(given(h, 9, "a", 2, 2), "3");
  EXPECT_EQ(given(h, 18, "a", 3, 4), "7") << "the last write counts";
  EXPECT_EQ(given(h, 28, "a", 4, 8), "8") << "ten seconds later it is gone";
}

TEST(OverTtl, SoDoTheRowsOfAFrame) {
  for (const DurationUs ttl : {DurationUs{0}, 10 * kSecond}) {
    OverAggregateSpec s{.input = rows_schema(), .time_column = 1, .keys = {0}, .calls = {sum(true)}, .frame = {.rows = true, .preceding = 2}, .ttl_us = ttl};
    OperatorHarness h(make_over_aggregate(s));
    EXPECT_EQ(given(h, 0, "a", 1, 1), "1");
    EXPECT_EQ(given(h, 1, "a", 2, 2), "3");
    EXPECT_EQ(given(h, 20, "a", 3, 4), ttl == 0 ? "7" : "4");
    EXPECT_EQ(given(h, 21, "a", 4, 8), ttl == 0 ? "14" : "12");
    EXPECT_EQ(given(h, 22, "a", 5, 16), "28");
    EXPECT_EQ(given(h, 23, "a", 6, 32), "56") << "what leaves is what came in since";
  }
}

TEST(OverTtl, ARowThatWaitsKeepsItsKey) {
  OperatorHarness h(make_over_aggregate({.input = rows_schema(), .time_column = 1, .keys = {0}, .calls = {sum(false)}, .frame = {}, .ttl_us = 10 * kSecond}));
  EXPECT_EQ(given(h, 0, "a", 1, 1), "1");
  h.clock_us = 8 * kSecond;
  h.feed(row("a", 2, 2));
  h.rows.clear();
  h.clock_us = 16 * kSecond;
  h.watermark(2 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I a|1970-01-01 00:00:02.000|2|3"));
}

TEST(OverTtl, LagForgets) {
  OverLagSpec s;
  s.input = rows_schema();
  s.time_column = 1;
  s.keys = {0};
  s.lags = {{.column = 2, .offset = 1, .default_value = {}, .name = "before"}};
  s.ttl_us = 10 * kSecond;
  OperatorHarness h(make_over_lag(s));
  EXPECT_EQ(given(h, 0, "a", 1, 1), "NULL");
  EXPECT_EQ(given(h, 9, "a", 2, 2), "1");
  EXPECT_EQ(given(h, 30, "a", 3, 3), "NULL");
}

TEST(OverTtl, RowsThatComeAndGoEndWithTheirKey) {
  OverTableSpec s{.input = rows_schema(), .partition = {0}, .order = {{.column = 2, .descending = false, .nulls_first = true}}, .preceding = {}, .calls = {}, .ttl_us = 10 * kSecond};
  s.calls = {{.kind = OverTableSpec::Call::Kind::kAggregate, .aggregate = sum(false), .name = "s", .type = Type::big_int()}};
  OperatorHarness h(make_over_table(s));
  const auto rows_of = [&](std::int64_t clock, const BatchPtr& batch) {
    h.rows.clear();
    h.clock_us = clock * kSecond;
    h.feed(batch);
    return h.rows;
  };
  rows_of(0, row("a", 1, 1));
  rows_of(0, row("b", 1, 1));
  EXPECT_THAT(rows_of(9, row("a", 2, 2)), ElementsAre("+I a|1970-01-01 00:00:02.000|2|3"));
  EXPECT_THAT(rows_of(12, row("b", 2, 5)), ElementsAre("+I b|1970-01-01 00:00:02.000|5|5")) << "b had ended";
  EXPECT_THAT(rows_of(18, row("a", 3, 4)), ElementsAre("+I a|1970-01-01 00:00:03.000|4|7"));
  EXPECT_THAT(rows_of(18, row("a", 1, 1, RowKind::kDelete)), ::testing::Contains("-D a|1970-01-01 00:00:01.000|1|1"));
  EXPECT_THAT(rows_of(40, row("a", 2, 2, RowKind::kDelete)), ::testing::IsEmpty()) << "not there any more";
  EXPECT_THAT(rows_of(41, row("a", 9, 9)), ElementsAre("+I a|1970-01-01 00:00:09.000|9|9"));
}

}  // namespace
}  // namespace supyo::operators
