#include "engine/operators/window_updates.h"

#include <gmock/gmock.h>

#include <optional>
#include <random>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Row {
  TimeUs time = 0;
  std::string key;
  std::int64_t value = 0;
  TimeUs edge = kTimeMin;
  RowKind kind = RowKind::kInsert;
};

Schema input_schema() { return Schema({{"ts", Type::timestamp(3)}, {"k", Type::string()}, {"v", Type::big_int()}}); }

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(input_schema());
  for (const Row& r : rows) {
    b.column(0).append(r.time);
    b.column(1).append_text(r.key);
    b.column(2).append(r.value);
    b.end_row(r.kind);
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const Row& r : rows) batch->edge_watermarks.push_back(r.edge);
  return batch;
}

class WindowUpdatesTest : public ::testing::Test {
 protected:
  WindowAggregateSpec spec_of(WindowSpec window) {
    WindowAggregateSpec s;
    s.input = input_schema();
    s.window = window;
    s.keys = {1};
    s.aggregates = {{.aggregate = registry_.resolve_aggregate("COUNT", {}, false, true)->aggregate, .args = {}, .name = "n"},
                    {.aggregate = registry_.resolve_aggregate("MAX", std::vector{Type::big_int()}, false, true)->aggregate, .args = {2}, .name = "m"}};
    s.properties = {WindowAggregateSpec::Property::kEnd};
    s.retracting = true;
    return s;
  }
  dataflow::OperatorFactory tumble(WindowEmit emit) { return make_window_updates(spec_of({.size_us = 10 * kSecond}), emit); }
  static void feed(OperatorHarness& h, std::vector<Row> rows) { h.feed(batch_of(rows)); }

  expr::FunctionRegistry registry_;
};

TEST_F(WindowUpdatesTest, LateRowsFireAgainUntilTheLatenessIsOver) {
  OperatorHarness h(tumble({.lateness_us = 20 * kSecond}));
  feed(h, {{1 * kSecond, "a", 5}, {2 * kSecond, "a", 3}, {3 * kSecond, "b", 1}});
  EXPECT_THAT(h.rows, IsEmpty());
  h.watermark(10 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("+I a|2|5|1970-01-01 00:00:10.000", "+I b|1|1|1970-01-01 00:00:10.000"));
  h.rows.clear();
  // Two late rows of a batch fire their window once; one that opens a window that has ended fires at once.
  feed(h, {{4 * kSecond, "a", 9, 10 * kSecond}, {5 * kSecond, "a", 1, 10 * kSecond}, {6 * kSecond, "c", 7, 10 * kSecond}});
  EXPECT_THAT(h.rows, ElementsAre("-U a|2|5|1970-01-01 00:00:10.000", "+U a|4|9|1970-01-01 00:00:10.000", "+I c|1|7|1970-01-01 00:00:10.000"));
  h.rows.clear();
  // What is taken back leaves the window, too.
  feed(h, {{6 * kSecond, "c", 7, 10 * kSecond, RowKind::kDelete}, {4 * kSecond, "a", 9, 10 * kSecond, RowKind::kUpdateBefore}, {4 * kSecond, "a", 5, 10 * kSecond, RowKind::kUpdateAfter}});
  EXPECT_THAT(h.rows, ElementsAre("-D c|1|7|1970-01-01 00:00:10.000", "-U a|4|9|1970-01-01 00:00:10.000", "+U a|4|5|1970-01-01 00:00:10.000"));
  h.rows.clear();
  feed(h, {{7 * kSecond, "b", 0, 29 * kSecond + 998 * kMillisecond}});   // the last moment
  EXPECT_EQ(h.rows.size(), 2U);
  feed(h, {{7 * kSecond, "b", 0, 29 * kSecond + 999 * kMillisecond}});
  EXPECT_THAT(h.late, ElementsAre(::testing::HasSubstr("1970-01-01 00:00:07.000|b|0")));
  h.watermark(40 * kSecond);
  EXPECT_EQ(h.state().entries(), 0U);
}

TEST_F(WindowUpdatesTest, EarlyFiringsWaitForTheClockAlsoOverARestart) {
  const auto factory = tumble({.lateness_us = 5 * kSecond, .early_us = kSecond, .late_us = 2 * kSecond});
  OperatorHarness::Stored stored;
  {
    OperatorHarness h(factory);
    h.clock(100 * kSecond);
    feed(h, {{1 * kSecond, "a", 5}});
    h.clock(100 * kSecond + 999 * kMillisecond);
    EXPECT_THAT(h.rows, IsEmpty());
    h.clock(101 * kSecond);
    EXPECT_THAT(h.rows, ElementsAre("+I a|1|5|1970-01-01 00:00:10.000"));
    h.clock(102 * kSecond);
    EXPECT_EQ(h.rows.size(), 1U) << "nothing has changed";
    feed(h, {{2 * kSecond, "a", 6}});
    h.cut(stored);
  }
  OperatorHarness h(factory);
  h.restore(stored, kTimeMin);
  h.clock(103 * kSecond);
  h.clock(104 * kSecond);
  EXPECT_THAT(h.rows, ElementsAre("-U a|1|5|1970-01-01 00:00:10.000", "+U a|2|6|1970-01-01 00:00:10.000"));
  h.rows.clear();
  h.watermark(10 * kSecond);
  EXPECT_THAT(h.rows, IsEmpty()) << "the end of the window changes nothing";
  feed(h, {{3 * kSecond, "a", 7, 10 * kSecond}});
  h.clock(105 * kSecond);
  EXPECT_THAT(h.rows, IsEmpty());
  h.watermark(20 * kSecond);   // before the timer: forgotten, but not unsaid
  EXPECT_THAT(h.rows, ElementsAre("-U a|2|6|1970-01-01 00:00:10.000", "+U a|3|7|1970-01-01 00:00:10.000"));
  EXPECT_EQ(h.state().entries(), 0U);
}

// Whatever the batches, cuts and restarts: the changelog takes back only what it gave, and leaves each window over exactly the rows that were not too late.
TEST_F(WindowUpdatesTest, LeavesTheWindowsOfAllRowsInTime) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const DurationUs lateness = static_cast<DurationUs>(random() % 12) * kSecond;
    WindowEmit emit{.lateness_us = lateness};
    if (random() % 2 == 0) emit.early_us = static_cast<DurationUs>(random() % 3) * kSecond;
    emit.late_us = static_cast<DurationUs>(random() % 2) * kSecond;
    const WindowSpec window = random() % 2 == 0 ? WindowSpec{.size_us = 10 * kSecond} : WindowSpec{.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond};
    const auto factory = make_window_updates(spec_of(window), emit);
    auto h = std::make_unique<OperatorHarness>(factory);
    OperatorHarness::Stored stored;
    std::map<std::string, int> left;
    std::map<std::pair<TimeUs, std::string>, std::pair<std::int64_t, std::int64_t>> truth;   // (end, key) -> count, max
    const auto take = [&] {
      for (const std::string& row : h->rows) {
        int& n = left[row.substr(3)];
        n += row[0] == '+' ? 1 : -1;
        ASSERT_GE(n, 0) << row << ", seed " << seed;
        if (n == 0) left.erase(row.substr(3));
      }
      h->rows.clear();
    };
    TimeUs newest = 0;
    for (int step = 0; step < 40; ++step) {
      std::vector<Row> rows;
      for (std::uint32_t i = random() % 6 + 1; i > 0; --i) {
        newest += static_cast<TimeUs>(random() % 1500) * kMillisecond;
        Row r{.time = newest - static_cast<TimeUs>(random() % 25'000) * kMillisecond, .key = std::string(1, static_cast<char>('a' + random() % 3)), .value = static_cast<std::int64_t>(random() % 100),
              .edge = newest - 3 * kSecond};
        for (TimeUs end = (r.time / (5 * kSecond) - 3) * 5 * kSecond; end <= r.time + 10 * kSecond; end += 5 * kSecond) {
          const bool whole = window.kind == WindowSpec::Kind::kHop || end % (10 * kSecond) == 0;
          if (!whole || r.time < end - 10 * kSecond || r.time >= end || r.edge >= end - kMillisecond + lateness) continue;
          auto& [count, max] = truth[{end, r.key}];
          max = count++ == 0 ? r.value : std::max(max, r.value);
        }
        rows.push_back(std::move(r));
      }
      feed(*h, rows);
      if (random() % 2 == 0) h->watermark(rows.back().edge);
      h->clock(static_cast<TimeUs>(step) * 400 * kMillisecond);
      if (random() % 5 == 0) {
        take();
        h->cut(stored);
        const TimeUs watermark = h->watermark_us();
        const TimeUs now = h->clock_us;
        h = std::make_unique<OperatorHarness>(factory);
        h->restore(stored, watermark);
        h->clock_us = now;
      }
      take();
    }
    h->watermark(kTimeMax - 1);
    take();
    std::map<std::string, int> want;
    for (const auto& [place, value] : truth) ++want[fmt::format("{}|{}|{}|{}", place.second, value.first, value.second, format_timestamp(place.first, 3))];
    ASSERT_EQ(left, want) << "seed " << seed;
    h->cut(stored);
    EXPECT_TRUE(stored.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace supyo::operators
