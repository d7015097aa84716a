#include "engine/operators/over_lag.h"

#include <gmock/gmock.h>

#include <random>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

struct Row {
  std::int64_t id = 0;
  TimeUs time = 0;
  std::string key;
  std::optional<std::int64_t> price;
  TimeUs edge = kTimeMin;
};

Schema input_schema() { return Schema({{"id", Type::big_int()}, {"ts", Type::timestamp(3)}, {"k", Type::string()}, {"price", Type::big_int()}}); }

std::vector<Row> random_rows(std::uint32_t seed, std::size_t n) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  TimeUs newest = kTimeMin;
  TimeUs clock = 0;
  for (std::size_t i = 0; i < n; ++i) {
    clock += random() % 20 * kMillisecond;
    Row r;
    r.id = static_cast<std::int64_t>(i);
    r.time = clock - static_cast<TimeUs>(random() % 130) * kMillisecond;
    r.key = std::string(1, static_cast<char>('a' + random() % 5));
    if (random() % 6 != 0) r.price = static_cast<std::int64_t>(random() % 100);
    r.edge = newest == kTimeMin ? kTimeMin : newest - 100 * kMillisecond;
    newest = std::max(newest, r.time);
    rows.push_back(std::move(r));
  }
  return rows;
}

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(input_schema());
  for (const Row& r : rows) {
    b.column(0).append(r.id);
    b.column(1).append(r.time);
    b.column(2).append_text(r.key);
    if (r.price) b.column(3).append(*r.price); else b.column(3).append_null();
    b.end_row(RowKind::kInsert, Origin{r.time, r.id, r.id});
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const Row& r : rows) batch->edge_watermarks.push_back(r.edge);
  return batch;
}

OverLagSpec spec_of() {
  OverLagSpec s;
  s.input = input_schema();
  s.time_column = 1;
  s.keys = {2};
  s.lags = {{.column = 3, .offset = 1, .default_value = {}, .name = "previous"},
            {.column = 0, .offset = 3, .default_value = {.type = Type::big_int(), .data = std::int64_t{-1}}, .name = "third"},
            {.column = 0, .offset = 0, .default_value = {}, .name = "own"}};
  s.origins = true;
  return s;
}

std::vector<std::string> brute_force(std::vector<Row> rows, std::size_t& late) {
  late = std::erase_if(rows, [](const Row& r) { return r.time <= r.edge; });
  std::ranges::stable_sort(rows, {}, &Row::time);
  std::map<std::string, std::vector<Row>> seen;
  std::vector<std::string> out;
  for (const Row& r : rows) {
    auto& s = seen[r.key];
    const auto price = [](const std::optional<std::int64_t>& p) { return p ? std::to_string(*p) : "NULL"; };
    out.push_back(fmt::format("+I {}|{}|{}|{}|{}|{}|{}", r.id, format_timestamp(r.time, 3), r.key, price(r.price), s.empty() ? "NULL" : price(s.back().price),
                              s.size() < 3 ? -1 : s[s.size() - 3].id, r.id));
    s.push_back(r);
  }
  return out;
}

TEST(OverLagTest, EqualsBruteForceAtEveryBatchSizeAndAfterRestore) {
  for (std::uint32_t seed = 1; seed <= 2; ++seed) {
    const std::vector<Row> rows = random_rows(seed, 3000);
    std::size_t late = 0;
    const std::vector<std::string> expected = brute_force(rows, late);
    ASSERT_GT(late, 10U);
    for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{1024}}) {
      auto h = std::make_unique<OperatorHarness>(make_over_lag(spec_of()));
      std::vector<std::string> out;
      std::size_t seen_late = 0;
      OperatorHarness::Stored stored;
      for (std::size_t from = 0, number = 1; from < rows.size(); from += batch_rows, ++number) {
        const std::size_t n = std::min(batch_rows, rows.size() - from);
        h->feed(batch_of(std::span(rows).subspan(from, n)));
        if (from + n < rows.size()) h->watermark(rows[from + n].edge);
        if (number % 3 == 0) h->cut(stored);
        if (number % (seed * 129) == 0) {
          h->cut(stored);
          out.insert(out.end(), h->rows.begin(), h->rows.end());
          seen_late += h->late.size();
          const TimeUs w = h->watermark_us();
          h = std::make_unique<OperatorHarness>(make_over_lag(spec_of()));
          h->restore(stored, w);
        }
      }
      h->watermark(kTimeMax);
      out.insert(out.end(), h->rows.begin(), h->rows.end());
      EXPECT_EQ(out, expected) << "seed " << seed << " batch " << batch_rows;
      EXPECT_EQ(seen_late + h->late.size(), late);
    }
  }
}

TEST(OverLagTest, TiesKeepArrivalOrderAndOriginsTakeInThePrevious) {
  OperatorHarness h(make_over_lag(spec_of()));
  const std::vector<Row> rows = {{.id = 9, .time = 5, .key = "a", .price = 1}, {.id = 2, .time = 5, .key = "a", .price = 2}, {.id = 3, .time = 4, .key = "a", .price = 3}};
  h.feed(batch_of(rows));
  h.watermark(4);
  h.watermark(5);
  ASSERT_EQ(h.rows.size(), 3U);
  EXPECT_THAT(h.rows[0], ::testing::StartsWith("+I 3|"));
  EXPECT_THAT(h.rows[1], ::testing::StartsWith("+I 9|"));
  EXPECT_THAT(h.rows[2], ::testing::StartsWith("+I 2|"));
  EXPECT_EQ(h.origins[0].produce_max, 3);
  EXPECT_EQ(h.origins[2].produce_max, 9);
  EXPECT_EQ(h.origins[2].produce_min, 2);
  // A row at the watermark is late.
  Row late{.id = 10, .time = 5, .key = "a", .price = 1, .edge = 5};
  h.feed(batch_of({&late, 1}));
  ASSERT_EQ(h.late.size(), 1U);
  EXPECT_THAT(h.late[0], ::testing::EndsWith("|0|NULL|NULL|OverAggregate|LATE"));
}

TEST(OverLagTest, RefusesUpdates) {
  OperatorHarness h(make_over_lag(spec_of()));
  const Row r{.id = 9, .time = 5, .key = "a", .price = 1};
  auto batch = std::make_shared<Batch>(*batch_of({&r, 1}));
  batch->kinds = {RowKind::kDelete};
  EXPECT_EQ(h.try_feed(batch).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::operators
