#include "engine/operators/local_aggregate.h"

#include <gmock/gmock.h>

#include <random>

#include "data/types/builder.h"
#include "engine/operators/group_aggregate.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Schema rows_schema() { return Schema({{"k", Type::string()}, {"v", Type::big_int()}, {"s", Type::string()}, {"ts", Type::timestamp(3)}}); }

struct Row {
  std::string key;
  std::optional<std::int64_t> value;
  TimeUs time = 0;
  RowKind kind = RowKind::kInsert;
};

BatchPtr batch_of(const std::vector<Row>& rows) {
  BatchBuilder b(rows_schema());
  for (const Row& r : rows) {
    b.column(0).append_text(r.key);
    if (r.value) b.column(1).append(*r.value); else b.column(1).append_null();
    b.column(2).append_text(std::to_string(r.value.value_or(0) * 7 % 5));
    b.column(3).append(r.time);
    b.end_row(r.kind, Origin{r.time, r.time, r.time});
  }
  return b.finish();
}

class LocalAggregateTest : public ::testing::Test {
 protected:
  expr::AggregateCall call_of(const std::string& name, std::vector<std::size_t> args, bool retracting) {
    std::vector<Type> types;
    for (const std::size_t a : args) types.push_back(rows_schema()[a].type);
    return {.aggregate = registry_.resolve_aggregate(name, types, false, retracting)->aggregate, .args = std::move(args), .name = name + std::to_string(args.size())};
  }
  LocalAggregateSpec local(bool retracting) {
    LocalAggregateSpec s{.input = rows_schema(), .keys = {0}, .aggregates = {call_of("COUNT", {}, retracting), call_of("SUM", {1}, retracting), call_of("AVG", {1}, retracting)}};
    if (!retracting) s.aggregates.insert(s.aggregates.end(), {call_of("MIN", {2}, false), call_of("MAX", {1}, false)});
    return s;
  }
  WindowAggregateSpec windows() {
    return {.input = rows_schema(), .window = {.kind = WindowSpec::Kind::kHop, .size_us = 4 * kSecond, .slide_us = 2 * kSecond}, .time_column = 3, .keys = {0}, .aggregates = local(false).aggregates,
            .properties = {WindowAggregateSpec::Property::kStart, WindowAggregateSpec::Property::kTime}, .property_names = {}};
  }
  WindowAggregateSpec global(const WindowAggregateSpec& w, const LocalAggregateSpec& l) {
    WindowAggregateSpec out = w;
    out.input = output_schema(l);
    out.partials = {.window_column = 1, .column = 2, .time_type = Type::timestamp(3), .rows = rows_schema(), .row_keys = {0}};
    return out;
  }
  expr::FunctionRegistry registry_;
};

/// Every row that is taken back was there.
std::vector<Row> random_rows(std::uint32_t seed, std::size_t n, bool retracting) {
  std::mt19937 random(seed);
  std::vector<Row> live, out;
  for (std::size_t i = 0; i < n; ++i) {
    if (retracting && !live.empty() && random() % 3 == 0) {
      const std::size_t at = random() % live.size();
      Row r = live[at];
      r.kind = RowKind::kDelete;
      out.push_back(r);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
      continue;
    }
    Row r{.key = std::string(1, static_cast<char>('a' + random() % 6)), .value = std::nullopt, .time = static_cast<TimeUs>(i) * 100 * kMillisecond};
    if (random() % 5 != 0) r.value = static_cast<std::int64_t>(random() % 100) - 50;
    out.push_back(r);
    live.push_back(r);
  }
  return out;
}

/// The rows that remain of a changelog.
std::multiset<std::string> remaining(const std::vector<std::string>& rows) {
  std::multiset<std::string> out;
  for (const std::string& r : rows) {
    const std::string text = r.substr(r.find(' '));
    if (r.starts_with("-")) {
      EXPECT_TRUE(out.contains(text)) << r;
      out.erase(out.find(text));
    } else {
      out.insert(text);
    }
  }
  return out;
}

TEST_F(LocalAggregateTest, TwoLevelsGiveWhatOneGives) {
  for (const bool retracting : {false, true})
    for (const std::size_t size : {1UZ, 7UZ, 100UZ})
      for (std::uint32_t seed = 1; seed < 6; ++seed) {
        LocalAggregateSpec l = local(retracting);
        l.hold = {.rows = 20};
        OperatorHarness one(make_group_aggregate({.input = rows_schema(), .keys = {0}, .aggregates = l.aggregates}));
        // Two shards send to the one that owns the groups.
        OperatorHarness first(make_local_aggregate(l)), second(make_local_aggregate(l));
        OperatorHarness whole(make_group_aggregate({.input = output_schema(l), .keys = {0}, .aggregates = l.aggregates, .partials = true}));
        const std::vector<Row> rows = random_rows(seed, 500, retracting);
        for (std::size_t at = 0; at < rows.size(); at += size) {
          std::vector<Row> part(rows.begin() + static_cast<std::ptrdiff_t>(at), rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), at + size)));
          one.feed(batch_of(part));
          // What is taken back comes from where it came from.
          std::vector<Row> odd, even;
          for (const Row& r : part) (r.time / 100 / kMillisecond % 2 == 0 ? even : odd).push_back(r);
          if (!even.empty()) first.feed(batch_of(even));
          if (!odd.empty()) second.feed(batch_of(odd));
          if (at % 3 == 0) first.barrier();
          for (OperatorHarness* h : {&first, &second}) {
            for (const BatchPtr& b : h->batches) whole.feed(b);
            h->batches.clear();
          }
        }
        for (OperatorHarness* h : {&first, &second}) {
          h->barrier();
          for (const BatchPtr& b : h->batches) whole.feed(b);
        }
        EXPECT_EQ(remaining(one.rows), remaining(whole.rows)) << size << " " << seed << " " << retracting;
      }
}

TEST_F(LocalAggregateTest, OneRowAGroupGoesOnHoweverManyCame) {
  LocalAggregateSpec l = local(false);
  OperatorHarness each(make_local_aggregate(l));
  each.feed(batch_of({{"a", 1}, {"a", 2}, {"b", 3}}));
  EXPECT_THAT(each.rows, SizeIs(2)) << "nothing is held without mini-batch";
  l.hold = {.rows = 6, .latency_us = kSecond};
  OperatorHarness held(make_local_aggregate(l));
  for (int i = 0; i < 2; ++i) held.feed(batch_of({{"a", 1}, {"a", 2}}));
  EXPECT_THAT(held.rows, IsEmpty());
  held.feed(batch_of({{"a", 1}, {"b", 2}}));
  EXPECT_THAT(held.rows, SizeIs(2)) << "six rows";
  held.clock_us = 10 * kSecond;
  held.feed(batch_of({{"a", 1}}));
  held.clock(10 * kSecond + 999'999);
  EXPECT_THAT(held.rows, SizeIs(2));
  held.clock(11 * kSecond);
  EXPECT_THAT(held.rows, SizeIs(3)) << "one second";
  held.feed(batch_of({{"a", 1}}));
  held.barrier();
  EXPECT_THAT(held.rows, SizeIs(4)) << "it has no state: a barrier takes everything along";
  held.feed(batch_of({{"a", 1}}));
  held.watermark(kTimeMax);
  EXPECT_THAT(held.rows, SizeIs(5));
}

TEST_F(LocalAggregateTest, WindowsAreHeldUntilOneFires) {
  LocalAggregateSpec l = local(false);
  l.window = windows();
  OperatorHarness one(make_window_aggregate(*l.window)), first(make_local_aggregate(l)), whole(make_window_aggregate(global(*l.window, l)));
  const std::vector<Row> rows = random_rows(3, 200, false);
  std::size_t sent = 0;
  for (std::size_t at = 0; at < rows.size(); at += 10) {
    const BatchPtr batch = batch_of({rows.begin() + static_cast<std::ptrdiff_t>(at), rows.begin() + static_cast<std::ptrdiff_t>(at + 10)});
    one.feed(batch);
    first.feed(batch);
    const TimeUs watermark = rows[at + 9].time - kSecond;
    for (OperatorHarness* h : {&one, &first}) h->watermark(watermark);
    for (const BatchPtr& b : first.batches) sent += b->rows, whole.feed(b);
    first.batches.clear();
    whole.watermark(watermark);
  }
  for (OperatorHarness* h : {&one, &first}) h->watermark(kTimeMax);
  for (const BatchPtr& b : first.batches) sent += b->rows, whole.feed(b);
  whole.watermark(kTimeMax);
  EXPECT_THAT(one.rows, SizeIs(::testing::Gt(50)));
  EXPECT_EQ(remaining(one.rows), remaining(whole.rows));
  EXPECT_LT(sent, 200U) << "each row is in two windows, and goes on with others";
  EXPECT_EQ(whole.origins.size(), 0U);
}

/// Where keys hardly repeat each row passes as it comes; where they do again, they are gathered again.
TEST_F(LocalAggregateTest, ItStepsAsideWhereKeysHardlyRepeat) {
  LocalAggregateSpec l = local(false);
  l.hold = {.rows = 100};
  l.adaptive = true;
  l.aggregates.erase(l.aggregates.end() - 2);   // MIN of text has more than its bytes in place: it is always gathered
  OperatorHarness h(make_local_aggregate(l));
  std::int64_t key = 0;
  const auto sent = [&](std::size_t keys) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < 50; ++i) rows.push_back({.key = std::to_string(keys == 0 ? ++key : ++key % static_cast<std::int64_t>(keys)), .value = key, .time = 0});
    h.rows.clear();
    h.feed(batch_of(rows));
    return h.rows.size();
  };
  EXPECT_EQ(sent(0), 0U);
  EXPECT_EQ(sent(0), 100U) << "gathered, and in vain";
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(sent(5), 50U) << "for 16 times as many rows";
  EXPECT_EQ(sent(5), 0U);
  EXPECT_EQ(sent(5), 5U);
  EXPECT_EQ(sent(5), 0U);
  EXPECT_EQ(sent(5), 5U) << "it pays";
}

TEST_F(LocalAggregateTest, SteppingAsideGivesTheSame) {
  for (const bool retracting : {false, true}) {
    LocalAggregateSpec l = local(retracting);
    if (!retracting) l.aggregates.erase(l.aggregates.end() - 2);
    l.hold = {.rows = 20};
    l.adaptive = true;
    OperatorHarness one(make_group_aggregate({.input = rows_schema(), .keys = {0}, .aggregates = l.aggregates})), first(make_local_aggregate(l));
    OperatorHarness whole(make_group_aggregate({.input = output_schema(l), .keys = {0}, .aggregates = l.aggregates, .partials = true}));
    std::vector<Row> rows = random_rows(9, 3000, retracting);
    for (Row& r : rows)
      if (const TimeUs number = r.time / (100 * kMillisecond); number % 1000 < 700) r.key += std::to_string(number);   // what is taken back has the time of what came
    for (std::size_t at = 0; at < rows.size(); at += 15) {
      const BatchPtr batch = batch_of({rows.begin() + static_cast<std::ptrdiff_t>(at), rows.begin() + static_cast<std::ptrdiff_t>(at + 15)});
      one.feed(batch);
      first.feed(batch);
    }
    first.barrier();
    for (const BatchPtr& b : first.batches) whole.feed(b);
    EXPECT_EQ(remaining(one.rows), remaining(whole.rows)) << retracting;
  }
}

TEST_F(LocalAggregateTest, WindowsPassAsTheyCome) {
  for (const WindowSpec::Kind kind : {WindowSpec::Kind::kHop, WindowSpec::Kind::kTumble})
    for (const bool origins : {false, true}) {
      LocalAggregateSpec l = local(false);
      l.aggregates.erase(l.aggregates.end() - 2);
      l.adaptive = true;
      l.origins = origins;
      l.window = windows();
      l.window->window.kind = kind;
      l.window->aggregates = l.aggregates;
      l.window->origins = origins;
      OperatorHarness one(make_window_aggregate(*l.window)), first(make_local_aggregate(l)), whole(make_window_aggregate(global(*l.window, l)));
      std::vector<Row> rows = random_rows(7, 2000, false);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].key += std::to_string(i % 1000);
        if (i % 7 == 3 && rows[i].time > 9 * kSecond) rows[i].time -= 9 * kSecond;   // late
      }
      std::size_t batches = 0;
      for (std::size_t at = 0; at < rows.size(); at += 10) {
        const BatchPtr batch = batch_of({rows.begin() + static_cast<std::ptrdiff_t>(at), rows.begin() + static_cast<std::ptrdiff_t>(at + 10)});
        one.feed(batch);
        first.feed(batch);
        for (OperatorHarness* h : {&one, &first}) h->watermark(rows[at + 9].time - kSecond);
        batches += first.batches.size();
        for (const BatchPtr& b : first.batches) whole.feed(b);
        first.batches.clear();
        whole.watermark(rows[at + 9].time - kSecond);
      }
      for (OperatorHarness* h : {&one, &first}) h->watermark(kTimeMax);
      for (const BatchPtr& b : first.batches) whole.feed(b);
      whole.watermark(kTimeMax);
      EXPECT_GT(batches, 150U) << "nearly every batch goes on at once";
      EXPECT_GT(one.late.size(), 100U);
      EXPECT_EQ(first.late, one.late);
      EXPECT_EQ(remaining(one.rows), remaining(whole.rows));
      EXPECT_EQ(one.origins.size(), whole.origins.size());
    }
}

/// Windows that overlap share slices over the exchange too: a key goes over once a slice, and shards that send are ahead of one another.
TEST_F(LocalAggregateTest, SlicesGoOverOnceForAllTheirWindows) {
  const std::vector<WindowSpec> kinds = {{.kind = WindowSpec::Kind::kHop, .size_us = 10 * kSecond, .slide_us = 2 * kSecond},
                                         {.kind = WindowSpec::Kind::kCumulate, .size_us = 8 * kSecond, .slide_us = 2 * kSecond, .offset_us = kSecond}};
  for (const WindowSpec& kind : kinds)
    for (const bool adaptive : {false, true}) {
      LocalAggregateSpec l = local(false);
      l.aggregates.erase(l.aggregates.end() - 2);
      l.adaptive = adaptive;
      l.origins = adaptive;
      l.window = windows();
      l.window->window = kind;
      l.window->aggregates = l.aggregates;
      l.window->origins = l.origins;
      ASSERT_TRUE(shares_slices(*l.window));
      OperatorHarness one(make_window_aggregate(*l.window)), first(make_local_aggregate(l)), second(make_local_aggregate(l)), whole(make_window_aggregate(global(*l.window, l)));
      std::vector<Row> rows = random_rows(17, 1500, false);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (adaptive && i > 500) rows[i].key += std::to_string(i % 500);   // hardly any twice
        if (i % 11 == 3 && rows[i].time > 9 * kSecond) rows[i].time -= static_cast<TimeUs>(i % 9) * kSecond;   // late for some of their windows, or for all
      }
      std::size_t sent = 0;
      for (std::size_t at = 0; at < rows.size(); at += 20) {
        const std::vector<Row> part(rows.begin() + static_cast<std::ptrdiff_t>(at), rows.begin() + static_cast<std::ptrdiff_t>(at + 20));
        const TimeUs watermark = rows[at].time - 3 * kSecond;
        one.feed(batch_of(part));
        (at % 40 == 0 ? first : second).feed(batch_of(part));
        for (OperatorHarness* h : {&one, &first, &second}) h->watermark(watermark);
        for (OperatorHarness* h : {&first, &second}) {
          for (const BatchPtr& b : h->batches) sent += b->rows, whole.feed(b);
          h->batches.clear();
        }
        whole.watermark(watermark);
      }
      for (OperatorHarness* h : {&one, &first, &second}) h->watermark(kTimeMax);
      for (OperatorHarness* h : {&first, &second})
        for (const BatchPtr& b : h->batches) sent += b->rows, whole.feed(b);
      whole.watermark(kTimeMax);
      EXPECT_EQ(remaining(one.rows), remaining(whole.rows));
      std::vector<std::string> late = first.late;
      late.insert(late.end(), second.late.begin(), second.late.end());
      std::ranges::sort(late);
      std::ranges::sort(one.late);
      EXPECT_EQ(late, one.late);
      EXPECT_GT(late.size(), 10U);
      EXPECT_TRUE(whole.late.empty());
      EXPECT_EQ(whole.state().entries(), 0U);
      EXPECT_EQ(whole.origins.size(), one.origins.size());
      EXPECT_LT(sent, adaptive ? 1500U : 1100U) << "window by window it was up to five times a row";
    }
}

/// One state, whether it was made in one level or two: a job goes on at another parallelism. What a version without slices left is groups of windows.
TEST_F(LocalAggregateTest, StateOfOneLevelGoesOnInTwoAndBack) {
  LocalAggregateSpec l = local(false);
  l.aggregates.erase(l.aggregates.end() - 2);
  l.window = windows();
  l.window->aggregates = l.aggregates;
  const WindowAggregateSpec two = global(*l.window, l);
  WindowAggregateSpec tumble = two;   // its groups are those of windows, under the same numbers
  tumble.window = {.kind = WindowSpec::Kind::kTumble, .size_us = 2 * kSecond};
  LocalAggregateSpec tumbling = l;
  tumbling.window->window = tumble.window;
  const std::vector<Row> rows = {{"a", 1, kSecond}, {"b", 2, 3 * kSecond}, {"a", 4, 3 * kSecond}, {"a", 8, 5 * kSecond}};
  const auto feed = [&](OperatorHarness& whole, bool partials, const LocalAggregateSpec& spec) {
    if (!partials) return whole.feed(batch_of(rows));
    OperatorHarness first(make_local_aggregate(spec));
    first.feed(batch_of(rows));
    first.barrier();
    for (const BatchPtr& b : first.batches) whole.feed(b);
  };
  const auto finish = [&](const WindowAggregateSpec& from, bool from_partials, const LocalAggregateSpec& from_local, const WindowAggregateSpec& to, bool to_partials) {
    OperatorHarness::Stored stored;
    OperatorHarness before(make_window_aggregate(from)), after(make_window_aggregate(to));
    feed(before, from_partials, from_local);
    before.cut(stored);
    after.restore(stored, kTimeMin);
    feed(after, to_partials, l);
    after.watermark(kTimeMax);
    return after.rows;
  };
  const auto want = finish(*l.window, false, l, *l.window, false);
  EXPECT_THAT(want, SizeIs(6)) << "four windows of a, two of b";
  EXPECT_EQ(finish(*l.window, false, l, two, true), want);
  EXPECT_EQ(finish(two, true, l, *l.window, false), want);
  EXPECT_EQ(finish(two, true, l, two, true), want);
  // Groups of the windows that end at 2, 4 and 6 s, with a row of each in them; and then the rows again.
  EXPECT_EQ(remaining(finish(tumble, true, tumbling, two, true)), remaining(finish(tumble, true, tumbling, *l.window, false)));
}

TEST_F(LocalAggregateTest, LateRowsAreToldBeforeTheyAreFolded) {
  LocalAggregateSpec l = local(false);
  l.window = windows();
  OperatorHarness first(make_local_aggregate(l));
  first.watermark(4 * kSecond);
  first.feed(batch_of({{"a", 1, kSecond}, {"b", 2, 3 * kSecond}, {"c", 3, 9 * kSecond}}));
  first.barrier();
  // a is late for both of its windows, b for the first of them.
  EXPECT_THAT(first.late, SizeIs(3));
  EXPECT_THAT(first.rows, SizeIs(3));
}

// Where every partition of a shard had been idle, only the shard of the window knows that it has fired.
TEST_F(LocalAggregateTest, AWindowThatHasFiredTakesNothingMore) {
  LocalAggregateSpec l = local(false);
  l.window = windows();
  l.window->window = {.kind = WindowSpec::Kind::kTumble, .size_us = 2 * kSecond};
  OperatorHarness first(make_local_aggregate(l)), whole(make_window_aggregate(global(*l.window, l)));
  whole.watermark(2 * kSecond);
  first.feed(batch_of({{"a", 1, kSecond}, {"a", 2, kSecond}, {"a", 3, 3 * kSecond}}));
  first.barrier();
  for (const BatchPtr& b : first.batches) whole.feed(b);
  whole.watermark(kTimeMax);
  const std::string late = "+I a|NULL|NULL|NULL|1970-01-01 00:00:02.000|1|1970-01-01 00:00:00.000|1970-01-01 00:00:02.000|WindowAggregate|IDLE_RETURN";
  EXPECT_THAT(whole.late, ElementsAre(late, late)) << "one a row, of which the key is known";
  EXPECT_THAT(whole.rows, SizeIs(1));
}

// Of a slice's windows the first has fired: its rows are late for that one, and in the others.
TEST_F(LocalAggregateTest, ASliceTakesNothingMoreForTheWindowsThatHaveFired) {
  LocalAggregateSpec l = local(false);
  l.aggregates.erase(l.aggregates.end() - 2);
  l.window = windows();
  l.window->aggregates = l.aggregates;
  OperatorHarness first(make_local_aggregate(l)), whole(make_window_aggregate(global(*l.window, l)));
  whole.watermark(4 * kSecond);
  first.feed(batch_of({{"a", 1, 3 * kSecond}, {"a", 2, 3 * kSecond}, {"b", 4, kSecond}, {"a", 3, 5 * kSecond}}));
  first.barrier();
  for (const BatchPtr& b : first.batches) whole.feed(b);
  whole.watermark(kTimeMax);
  const std::string at_4 = "|NULL|NULL|NULL|1970-01-01 00:00:04.000|", idle = "|WindowAggregate|IDLE_RETURN";
  const std::string early = "1|1969-12-31 23:59:58.000|1970-01-01 00:00:02.000", middle = "1|1970-01-01 00:00:00.000|1970-01-01 00:00:04.000";
  EXPECT_THAT(whole.late, ElementsAre("+I a" + at_4 + middle + idle, "+I a" + at_4 + middle + idle, "+I b" + at_4 + "200" + early + idle, "+I b" + at_4 + middle + idle));
  EXPECT_THAT(whole.rows, ElementsAre(::testing::StartsWith("+I a|3|6|"), ::testing::StartsWith("+I a|1|3|")));
}

}  // namespace
}  // namespace supyo::operators
