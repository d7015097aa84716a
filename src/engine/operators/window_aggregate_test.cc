#include "engine/operators/window_aggregate.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"
#include "engine/operators/window_assign.h"

namespace supyo::operators {
namespace {

struct Row {
  TimeUs time = 0;
  std::string key;
  std::optional<std::int64_t> value;
  TimeUs edge = kTimeMin;
};

/// Times wander forward with disorder beyond the watermark's bound, so that some rows are late.
std::vector<Row> random_rows(std::uint32_t seed, std::size_t n) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  TimeUs newest = kTimeMin;
  TimeUs clock = -20 * kSecond;
  for (std::size_t i = 0; i < n; ++i) {
    clock += random() % 300 * kMillisecond;
    Row r;
    r.time = clock - static_cast<TimeUs>(random() % 4 == 0 ? random() % 15'000 : random() % 1000) * kMillisecond;
    r.key = std::string(1, static_cast<char>('a' + random() % 7)) + (random() % 5 == 0 ? "-a-longer-key-than-fits-inline" : "");
    if (random() % 6 != 0) r.value = static_cast<std::int64_t>(random() % 1000) - 500;
    r.edge = newest == kTimeMin ? kTimeMin : newest - 3 * kSecond;
    newest = std::max(newest, r.time);
    rows.push_back(std::move(r));
  }
  return rows;
}

Schema input_schema() { return Schema({{"ts", Type::timestamp(3)}, {"k", Type::string()}, {"v", Type::big_int()}}); }

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(input_schema());
  for (const Row& r : rows) {
    b.column(0).append(r.time);
    b.column(1).append_text(r.key);
    if (r.value) b.column(2).append(*r.value); else b.column(2).append_null();
    b.end_row(RowKind::kInsert, Origin{r.time, r.time + 5, r.time + 5});
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const Row& r : rows) batch->edge_watermarks.push_back(r.edge);
  return batch;
}

class WindowAggregateTest : public ::testing::Test {
 protected:
  expr::AggregateCall call_of(const std::string& name, std::vector<std::size_t> args, bool distinct = false, bool retracting = false) {
    std::vector<Type> types;
    for (const std::size_t a : args) types.push_back(input_schema()[a].type);
    return {.aggregate = registry_.resolve_aggregate(name, types, distinct, retracting)->aggregate, .args = std::move(args), .name = name};
  }
  WindowAggregateSpec spec_of(WindowSpec window) {
    WindowAggregateSpec s;
    s.input = input_schema();
    s.window = window;
    s.keys = {1};
    s.aggregates = {call_of("COUNT", {}), call_of("SUM", {2}), call_of("MIN", {2}), call_of("MAX", {1}), call_of("COUNT", {2}, true)};
    s.properties = {WindowAggregateSpec::Property::kStart, WindowAggregateSpec::Property::kEnd, WindowAggregateSpec::Property::kTime};
    s.origins = true;
    return s;
  }
  expr::FunctionRegistry registry_;
};

/// Windows of a time by trying every start around it.
std::vector<std::pair<TimeUs, TimeUs>> brute_windows(const WindowSpec& w, TimeUs t) {
  std::vector<std::pair<TimeUs, TimeUs>> out;
  const DurationUs slide = w.kind == WindowSpec::Kind::kHop ? w.slide_us : w.size_us;
  for (TimeUs k = t / slide - 8; k <= t / slide + 8; ++k) {
    const TimeUs start = k * slide + w.offset_us;
    if (w.kind == WindowSpec::Kind::kCumulate) {
      for (TimeUs end = start + w.slide_us; end <= start + w.size_us; end += w.slide_us) {
        if (t >= start && t < end) out.emplace_back(start, end);
      }
    } else if (t >= start && t < start + w.size_us) {
      out.emplace_back(start, start + w.size_us);
    }
  }
  return out;
}

struct Expected {
  std::vector<std::string> rows;  // sorted
  std::size_t late = 0;
};

Expected brute_force(const WindowSpec& window, const std::vector<Row>& rows) {
  struct Group {
    std::int64_t count = 0;
    std::int64_t sum = 0;
    std::int64_t least = INT64_MAX;
    std::set<std::int64_t> values;
  };
  std::map<std::tuple<TimeUs, TimeUs, std::string>, Group> groups;
  Expected e;
  for (const Row& r : rows) {
    for (const auto& [start, end] : brute_windows(window, r.time)) {
      if (r.edge >= end - kMillisecond) { ++e.late; continue; }
      Group& g = groups[{start, end, r.key}];
      ++g.count;
      if (!r.value) continue;
      g.sum += *r.value;
      g.least = std::min(g.least, *r.value);
      g.values.insert(*r.value);
    }
  }
  for (const auto& [where, g] : groups) {
    const auto& [start, end, key] = where;
    const bool none = g.values.empty();
    e.rows.push_back(fmt::format("+I {}|{}|{}|{}|{}|{}|{}|{}|{}", key, g.count, none ? "NULL" : std::to_string(g.sum),
                                 none ? "NULL" : std::to_string(g.least), key, g.values.size(), format_timestamp(start, 3), format_timestamp(end, 3),
                                 format_timestamp(end - kMillisecond, 3)));
  }
  std::ranges::sort(e.rows);
  return e;
}

struct Outcome {
  std::vector<std::string> rows;
  std::vector<std::string> late;
};

/// Feeds the rows; after every batch the watermark; at `cut_at` (a batch number) the operator dies and goes on from its last epoch.
Outcome run(const WindowAggregateSpec& spec, const std::vector<Row>& rows, std::size_t batch_rows, std::size_t cut_at = SIZE_MAX) {
  auto harness = std::make_unique<OperatorHarness>(make_window_aggregate(spec));
  Outcome out;
  OperatorHarness::Stored stored;
  const auto collect = [&] {
    out.rows.insert(out.rows.end(), harness->rows.begin(), harness->rows.end());
    out.late.insert(out.late.end(), harness->late.begin(), harness->late.end());
  };
  std::size_t number = 0;
  for (std::size_t from = 0; from < rows.size(); from += batch_rows, ++number) {
    const std::size_t n = std::min(batch_rows, rows.size() - from);
    harness->feed(batch_of(std::span(rows).subspan(from, n)));
    if (from + n < rows.size()) harness->watermark(rows[from + n].edge);
    harness->cut(stored);
    if (number == cut_at) {
      collect();
      const TimeUs w = harness->watermark_us();
      harness = std::make_unique<OperatorHarness>(make_window_aggregate(spec));
      harness->restore(stored, w);
    }
  }
  harness->watermark(kTimeMax);
  collect();
  EXPECT_EQ(harness->state().entries(), 0U);
  return out;
}

TEST_F(WindowAggregateTest, EqualsBruteForceAtEveryBatchSizeAndAfterRestore) {
  const std::vector<WindowSpec> windows = {
      {.kind = WindowSpec::Kind::kTumble, .size_us = 10 * kSecond},
      {.kind = WindowSpec::Kind::kTumble, .size_us = 7 * kSecond, .offset_us = 2 * kSecond},
      {.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond},
      {.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 4 * kSecond, .offset_us = kSecond},
      {.kind = WindowSpec::Kind::kHop, .size_us = 3 * kSecond, .slide_us = 4 * kSecond},
      {.kind = WindowSpec::Kind::kCumulate, .size_us = 12 * kSecond, .slide_us = 3 * kSecond},
  };
  for (std::uint32_t seed = 1; seed <= 2; ++seed) {
    const std::vector<Row> rows = random_rows(seed, 800);
    for (const WindowSpec& window : windows) {
      SCOPED_TRACE(fmt::format("seed {} window kind {} size {} slide {}", seed, static_cast<int>(window.kind), window.size_us, window.slide_us));
      const WindowAggregateSpec spec = spec_of(window);
      const Expected expected = brute_force(window, rows);
      ASSERT_GT(expected.late, 0U);
      const Outcome one = run(spec, rows, 1);
      for (const std::size_t batch_rows : {std::size_t{7}, std::size_t{1024}}) {
        const Outcome other = run(spec, rows, batch_rows);
        EXPECT_EQ(other.rows, one.rows) << "order included";
        EXPECT_EQ(other.late, one.late);
      }
      EXPECT_EQ(run(spec, rows, 7, 40 * seed).rows, one.rows);
      EXPECT_EQ(one.late.size(), expected.late);
      Outcome sorted = one;
      std::ranges::sort(sorted.rows);
      EXPECT_EQ(sorted.rows, expected.rows);
    }
  }
}

/// Calls whose groups may come together, so that windows share slices; beside the same calls and a DISTINCT one, with which they may not. Within a window the order is another.
TEST_F(WindowAggregateTest, SlicesGiveWhatRowByRowGives) {
  const std::vector<WindowSpec> windows = {
      {.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond},
      {.kind = WindowSpec::Kind::kHop, .size_us = 12 * kSecond, .slide_us = 2 * kSecond, .offset_us = kSecond},
      {.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 4 * kSecond},
      {.kind = WindowSpec::Kind::kCumulate, .size_us = 12 * kSecond, .slide_us = 3 * kSecond},
  };
  const std::vector<Row> rows = random_rows(5, 600);
  for (const WindowSpec& window : windows) {
    for (const bool origins : {false, true}) {
      SCOPED_TRACE(fmt::format("window kind {} size {} slide {}", static_cast<int>(window.kind), window.size_us, window.slide_us));
      WindowAggregateSpec sliced = spec_of(window);
      sliced.origins = origins;
      sliced.aggregates = {call_of("COUNT", {}), call_of("SUM", {2}), call_of("MIN", {2}), call_of("MAX", {2}), call_of("AVG", {2})};
      WindowAggregateSpec apart = sliced;
      apart.aggregates.push_back(call_of("COUNT", {2}, true));
      const auto ends = [](const Outcome& o) {
        std::vector<std::string> out;
        for (const std::string& row : o.rows) out.push_back(row.substr(row.rfind('|')));
        return out;
      };
      const auto sorted = [](std::vector<std::string> all) {
        std::ranges::sort(all);
        return all;
      };
      Outcome want = run(apart, rows, 16);
      for (std::string& row : want.rows) {   // without the DISTINCT call
        std::size_t at = 0;
        for (int field = 0; field < 6; ++field) at = row.find('|', at + 1);
        row.erase(at, row.find('|', at + 1) - at);
      }
      const Outcome one = run(sliced, rows, 1);
      EXPECT_EQ(sorted(one.rows), sorted(want.rows));
      EXPECT_EQ(ends(one), ends(want)) << "window by window";
      EXPECT_EQ(one.late, want.late);
      for (const std::size_t batch_rows : {std::size_t{16}, std::size_t{1024}}) EXPECT_EQ(run(sliced, rows, batch_rows).rows, one.rows) << "order included";
      EXPECT_EQ(run(sliced, rows, 16, 20).rows, one.rows);
    }
  }
}

/// A state directory of before slices holds a group for each window. Tumbling windows of the slide's length have just such groups, and the same numbers.
TEST_F(WindowAggregateTest, GroupsOfWindowsBecomeSlices) {
  WindowAggregateSpec hop = spec_of({.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond});
  hop.aggregates = {call_of("COUNT", {}), call_of("SUM", {2})};
  WindowAggregateSpec tumble = hop;
  tumble.window = {.kind = WindowSpec::Kind::kTumble, .size_us = 5 * kSecond};
  const std::vector<Row> before = {{.time = 7 * kSecond, .key = "a", .value = 1}, {.time = 8 * kSecond, .key = "b", .value = 2}, {.time = 12 * kSecond, .key = "a", .value = 4}};
  const std::vector<Row> after = {{.time = 9 * kSecond, .key = "a", .value = 10}, {.time = 13 * kSecond, .key = "c", .value = 20}};
  OperatorHarness::Stored stored;
  OperatorHarness old(make_window_aggregate(tumble));
  old.feed(batch_of(before));
  old.cut(stored);
  OperatorHarness h(make_window_aggregate(hop));
  h.restore(stored, 5 * kSecond);
  h.feed(batch_of(after));
  h.cut(stored);
  EXPECT_TRUE(std::ranges::all_of(stored, [](const auto& entry) { return std::get<0>(entry.first) == 1; })) << "nothing is left of the old table";
  h.watermark(10 * kSecond);
  h.cut(stored);
  OperatorHarness again(make_window_aggregate(hop));
  again.restore(stored, 10 * kSecond);
  again.watermark(kTimeMax);
  std::vector<std::string> rows = h.rows;
  rows.insert(rows.end(), again.rows.begin(), again.rows.end());
  EXPECT_THAT(rows, ::testing::ElementsAre(::testing::StartsWith("+I a|2|11|1970-01-01 00:00:00.000"), ::testing::StartsWith("+I b|1|2|1970-01-01 00:00:00.000"),
                                           ::testing::StartsWith("+I a|2|14|1970-01-01 00:00:05.000"), ::testing::StartsWith("+I c|1|20|1970-01-01 00:00:05.000"),
                                           ::testing::StartsWith("+I c|1|20|1970-01-01 00:00:10.000")));
}

/// The windows that had fired before the job went on from its state do not fire again, although their slices are still there; and a row that is late for some windows of its slice is in the others only.
TEST_F(WindowAggregateTest, SlicesOutliveTheirFirstWindows) {
  WindowAggregateSpec spec = spec_of({.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond});
  spec.aggregates = {call_of("COUNT", {}), call_of("SUM", {2})};
  OperatorHarness::Stored stored;
  OperatorHarness first(make_window_aggregate(spec));
  const std::vector<Row> rows = {{.time = 7 * kSecond, .key = "a", .value = 1}};
  first.feed(batch_of(rows));
  first.watermark(10 * kSecond);
  EXPECT_EQ(first.rows.size(), 1U);
  first.cut(stored);
  OperatorHarness h(make_window_aggregate(spec));
  h.restore(stored, 10 * kSecond);
  h.watermark(11 * kSecond);
  EXPECT_TRUE(h.rows.empty());
  // Its own partition is ahead of the others: late for the window that ends at 20, which has not fired.
  const std::vector<Row> late = {{.time = 12 * kSecond, .key = "a", .value = 10, .edge = 15 * kSecond}, {.time = 8 * kSecond, .key = "a", .value = 100}};
  h.feed(batch_of(late));
  EXPECT_EQ(h.late.size(), 2U);
  h.watermark(kTimeMax);
  EXPECT_THAT(h.rows, ::testing::ElementsAre(::testing::StartsWith("+I a|2|101|1970-01-01 00:00:05.000"), ::testing::StartsWith("+I a|1|10|1970-01-01 00:00:10.000")));
  EXPECT_EQ(h.state().entries(), 0U);
}

TEST_F(WindowAggregateTest, RowsOfSlicesAreTakenBackToo) {
  WindowAggregateSpec spec = spec_of({.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond});
  spec.retracting = true;
  spec.aggregates = {call_of("COUNT", {}), call_of("SUM", {2}, false, true)};
  OperatorHarness h(make_window_aggregate(spec));
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < 20; ++i) rows.push_back({.time = 7 * kSecond + i, .key = i % 2 == 0 ? "a" : "b", .value = i});
  h.feed(batch_of(rows));
  auto taken_back = std::make_shared<Batch>(*batch_of(rows));
  for (std::size_t i = 0; i < rows.size(); ++i) taken_back->kinds.push_back(i == 4 ? RowKind::kUpdateAfter : RowKind::kDelete);   // of "a" nine go and one comes; of "b" all go
  h.feed(taken_back);
  h.watermark(kTimeMax);
  EXPECT_THAT(h.rows, ::testing::ElementsAre(::testing::StartsWith("+I a|2|8|"), ::testing::StartsWith("+I a|2|8|")));
}

/// Keys of eight bytes whose slots are known from before, beside the same keys as text, which are looked for row by row. Batches with a null have no such keys either.
TEST_F(WindowAggregateTest, KeysThatCameLatelyGiveWhatLookingForThemGives) {
  std::vector<Row> rows = random_rows(11, 24'000);
  std::mt19937 random(11);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // Few keys, then hardly any twice, then both; more than are remembered.
    const std::uint32_t kind = i < 8000 ? 0 : i < 16'000 ? 2 : random() % 3;
    rows[i].value = kind == 0 ? random() % 9 : kind == 1 ? random() % 3000 : random() % 1'000'000;
    if (random() % 500 == 0) rows[i].value.reset();
    rows[i].key = rows[i].value ? std::to_string(*rows[i].value) : "NULL";
  }
  const std::vector<Row> few(rows.begin(), rows.begin() + 3000);
  for (const bool retracting : {false, true}) {
    WindowAggregateSpec text = spec_of({.kind = WindowSpec::Kind::kTumble, .size_us = 10 * kSecond});
    text.aggregates = {call_of("COUNT", {}), call_of("SUM", {2}, false, retracting)};
    text.retracting = retracting;
    WindowAggregateSpec number = text;
    number.keys = {2};
    const std::vector<Row>& some = retracting ? few : rows;
    const std::size_t batch_rows = retracting ? 17 : 1024;
    const Outcome want = run(text, some, batch_rows);
    const Outcome got = run(number, some, batch_rows);
    EXPECT_EQ(got.rows, want.rows) << "order included";
    EXPECT_EQ(got.late, want.late);
    EXPECT_EQ(run(number, some, batch_rows, 7).rows, want.rows);
  }
}

/// Rows that have their window, and two keys: three values in all.
TEST_F(WindowAggregateTest, GivenWindowsAreRememberedToo) {
  std::mt19937 random(5);
  const Schema schema({{"s", Type::timestamp(3)}, {"e", Type::timestamp(3)}, {"k", Type::big_int()}, {"t", Type::string()}});
  WindowAggregateSpec spec;
  spec.input = schema;
  spec.given = {.start_column = 0, .end_column = 1};
  spec.aggregates = {call_of("COUNT", {})};
  spec.keys = {0, 1, 2};
  WindowAggregateSpec text = spec;
  text.keys = {0, 1, 3};
  OperatorHarness one(make_window_aggregate(text)), other(make_window_aggregate(spec));
  for (TimeUs second = 0; second < 40; ++second) {
    BatchBuilder b(schema);
    for (std::size_t i = 0; i < 100; ++i) {
      const TimeUs start = (second + static_cast<TimeUs>(random() % 3)) * kSecond;
      const std::int64_t key = random() % 20;
      b.column(0).append(start);
      b.column(1).append(start + static_cast<TimeUs>(1 + random() % 2) * kSecond);
      b.column(2).append(key);
      b.column(3).append_text(std::to_string(key));
      b.end_row();
    }
    const BatchPtr batch = b.finish();
    for (OperatorHarness* h : {&one, &other}) h->feed(batch), h->watermark((second - 1) * kSecond);
  }
  for (OperatorHarness* h : {&one, &other}) h->watermark(kTimeMax);
  EXPECT_GT(one.rows.size(), 1000U);
  EXPECT_EQ(other.rows, one.rows);
  EXPECT_EQ(other.late, one.late);
}

TEST_F(WindowAggregateTest, LateRowsSayWhy) {
  OperatorHarness h(make_window_aggregate(spec_of({.kind = WindowSpec::Kind::kTumble, .size_us = 10 * kSecond})));
  Row on_time{.time = 12 * kSecond, .key = "a", .value = 1, .edge = 9 * kSecond};
  Row late{.time = 5 * kSecond, .key = "b", .value = 2, .edge = 10 * kSecond - kMillisecond};
  Row just{.time = 5 * kSecond, .key = "c", .value = 3, .edge = 10 * kSecond - kMillisecond - 1};
  const std::vector<Row> rows = {on_time, late, just};
  h.feed(batch_of(rows));
  ASSERT_EQ(h.late.size(), 1U);
  EXPECT_EQ(h.late[0], "+I 1970-01-01 00:00:05.000|b|2|1970-01-01 00:00:09.999|4999|1970-01-01 00:00:00.000|1970-01-01 00:00:10.000|WindowAggregate|LATE");
  h.watermark(10 * kSecond - kMillisecond);
  ASSERT_EQ(h.rows.size(), 1U);
  EXPECT_THAT(h.rows[0], ::testing::StartsWith("+I c|1|3|"));
  // The origin is the newest contributing event or the window's end, whichever is later.
  EXPECT_EQ(h.origins[0].event_max, 10 * kSecond);
  EXPECT_EQ(h.origins[0].produce_max, 5 * kSecond + 5);
  // The window has fired although the row's own partition is behind: it had been idle.
  Row back = late;
  back.edge = 2 * kSecond;
  h.feed(batch_of({&back, 1}));
  ASSERT_EQ(h.late.size(), 2U);
  EXPECT_THAT(h.late[1], ::testing::EndsWith("|IDLE_RETURN"));
}

TEST_F(WindowAggregateTest, RetractionsEmptyAWindow) {
  WindowAggregateSpec spec = spec_of({.kind = WindowSpec::Kind::kTumble, .size_us = 10 * kSecond});
  spec.retracting = true;
  spec.aggregates = {call_of("COUNT", {}), call_of("MIN", {2}, false, true), call_of("MAX", {1}, false, true)};
  OperatorHarness h(make_window_aggregate(spec));
  const std::vector<Row> rows = {{.time = 1, .key = "a", .value = 5}, {.time = 1, .key = "a", .value = 3}, {.time = 1, .key = "b", .value = 1}};
  h.feed(batch_of(rows));
  auto taken_back = std::make_shared<Batch>(*batch_of(std::span(rows).subspan(1)));
  taken_back->kinds = {RowKind::kDelete, RowKind::kUpdateBefore};
  h.feed(taken_back);
  h.watermark(kTimeMax);
  ASSERT_EQ(h.rows.size(), 1U);
  EXPECT_THAT(h.rows[0], ::testing::StartsWith("+I a|1|5|a|"));
}

TEST_F(WindowAggregateTest, ZoneAlignsLtzWindows) {
  WindowAggregateSpec spec = spec_of({.kind = WindowSpec::Kind::kTumble, .size_us = kDay});
  spec.input = Schema({{"ts", Type::timestamp_ltz(3)}, {"k", Type::string()}, {"v", Type::big_int()}});
  spec.zone = Zone::fixed(9 * kHour);
  OperatorHarness h(make_window_aggregate(spec));
  const Row r{.time = 16 * kHour, .key = "a", .value = 1};  // 01:00 on the next day, nine hours east
  h.feed(batch_of({&r, 1}));
  h.watermark(kTimeMax);
  ASSERT_EQ(h.rows.size(), 1U);
  EXPECT_THAT(h.rows[0], ::testing::EndsWith("|1970-01-02 00:00:00.000|1970-01-03 00:00:00.000|1970-01-02 14:59:59.999"));
}

TEST_F(WindowAggregateTest, RefusesEmptySizes) {
  EXPECT_EQ(make_window_aggregate(spec_of({.kind = WindowSpec::Kind::kSession}))(0, 1).error().code, ErrorCode::kInvalidQuery);
  EXPECT_EQ(make_window_aggregate(spec_of({.kind = WindowSpec::Kind::kTumble}))(0, 1).error().code, ErrorCode::kInvalidQuery);
}

TEST_F(WindowAggregateTest, AssignRepeatsRowsForEachWindow) {
  WindowAssignSpec spec;
  spec.input = input_schema();
  spec.window = {.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 5 * kSecond};
  OperatorHarness h(make_window_assign(spec));
  const Row r{.time = 7 * kSecond, .key = "a", .value = 1, .edge = kSecond};
  h.feed(batch_of({&r, 1}));
  ASSERT_EQ(h.rows.size(), 2U);
  EXPECT_EQ(h.rows[0], "+I 1970-01-01 00:00:07.000|a|1|1970-01-01 00:00:00.000|1970-01-01 00:00:10.000|1970-01-01 00:00:09.999");
  EXPECT_EQ(h.batches[0]->edge_watermarks, (std::vector<TimeUs>{kSecond, kSecond}));
  EXPECT_EQ(output_schema(spec).size(), h.batches[0]->columns.size());
}

}  // namespace
}  // namespace supyo::operators
