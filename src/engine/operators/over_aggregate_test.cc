#include "engine/operators/over_aggregate.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using Frame = OverAggregateSpec::Frame;

struct Row {
  std::int64_t id = 0;
  TimeUs time = 0;
  std::string key;
  std::optional<std::int64_t> price;
  std::string word;
  bool kept = false;
  TimeUs edge = kTimeMin;
};

Schema input_schema() {
  return Schema({{"id", Type::big_int()}, {"ts", Type::timestamp(3)}, {"k", Type::string()}, {"price", Type::big_int()}, {"word", Type::string()}, {"kept", Type::boolean()}});
}

std::vector<Row> random_rows(std::uint32_t seed, std::size_t n, std::size_t keys) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  TimeUs newest = kTimeMin;
  TimeUs clock = 0;
  for (std::size_t i = 0; i < n; ++i) {
    clock += random() % 3 == 0 ? random() % 20 * kMillisecond : 0;
    Row r;
    r.id = static_cast<std::int64_t>(i);
    r.time = clock - static_cast<TimeUs>(random() % 60) * kMillisecond;
    r.key = std::string(1, static_cast<char>('a' + random() % keys));
    if (random() % 6 != 0) r.price = static_cast<std::int64_t>(random() % 20) - 5;
    r.word = std::string(random() % 4, static_cast<char>('p' + random() % 3));
    r.kept = random() % 3 != 0;
    r.edge = newest == kTimeMin ? kTimeMin : newest - 50 * kMillisecond;
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
    b.column(4).append_text(r.word);
    b.column(5).append(static_cast<std::uint8_t>(r.kept));
    b.end_row(RowKind::kInsert, Origin{r.time, r.id, r.id});
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const Row& r : rows) batch->edge_watermarks.push_back(r.edge);
  return batch;
}

expr::AggregateCall call(std::string_view name, std::vector<std::size_t> args, bool retracting, bool distinct = false, std::size_t filter = SIZE_MAX) {
  static const expr::FunctionRegistry registry;
  std::vector<Type> types;
  for (const std::size_t a : args) types.push_back(input_schema()[a].type);
  return {.aggregate = registry.resolve_aggregate(name, types, distinct, retracting)->aggregate, .args = std::move(args), .filter = filter, .name = std::string(name), .distinct = distinct};
}

OverAggregateSpec spec_of(const Frame& frame, bool keyed = true) {
  const bool r = frame.preceding.has_value();
  OverAggregateSpec s;
  s.input = input_schema();
  s.time_column = 1;
  if (keyed) s.keys = {2};
  s.calls = {call("COUNT", {}, r), call("SUM", {3}, r), call("MIN", {3}, r), call("MAX", {4}, r), call("FIRST_VALUE", {3}, r), call("LAST_VALUE", {4}, r),
             call("FIRST_VALUE", {4}, r, false, 5), call("COUNT", {3}, r, true), call("SUM", {3}, r, false, 5)};
  s.frame = frame;
  s.origins = true;
  return s;
}

std::string results_over(const std::vector<const Row*>& frame) {
  std::optional<std::int64_t> sum, least, first, kept_sum;
  std::optional<std::string> greatest, last, first_kept;
  std::set<std::int64_t> distinct;
  for (const Row* r : frame) {
    if (r->price) {
      sum = sum.value_or(0) + *r->price;
      least = std::min(least.value_or(*r->price), *r->price);
      if (!first) first = r->price;
      distinct.insert(*r->price);
      if (r->kept) kept_sum = kept_sum.value_or(0) + *r->price;
    }
    greatest = std::max(greatest.value_or(r->word), r->word);
    last = r->word;
    if (r->kept && !first_kept) first_kept = r->word;
  }
  const auto text = [](const auto& v) -> std::string {
    if (!v) return "NULL";
    if constexpr (std::is_same_v<std::decay_t<decltype(*v)>, std::string>) return *v;
    else return std::to_string(*v);
  };
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}", frame.size(), text(sum), text(least), text(greatest), text(first), text(last), text(first_kept), distinct.size(), text(kept_sum));
}

std::vector<std::string> brute_force(std::vector<Row> rows, const Frame& frame, bool keyed = true) {
  std::erase_if(rows, [](const Row& r) { return r.time <= r.edge; });
  std::ranges::stable_sort(rows, {}, &Row::time);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    std::vector<const Row*> in;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const Row& other = rows[k];
      if (keyed && other.key != r.key) continue;
      if (frame.rows ? k > i : other.time > r.time) break;
      if (!frame.rows && frame.preceding && other.time < r.time - *frame.preceding) continue;
      in.push_back(&other);
    }
    if (frame.rows && frame.preceding && in.size() > static_cast<std::size_t>(*frame.preceding) + 1) in.erase(in.begin(), in.end() - *frame.preceding - 1);
    out.push_back(fmt::format("+I {}|{}|{}|{}|{}|{}|{}", r.id, format_timestamp(r.time, 3), r.key, r.price ? std::to_string(*r.price) : "NULL", r.word, r.kept ? "true" : "false", results_over(in)));
  }
  return out;
}

/// Feeds in batches, and restarts from its epochs every now and then.
std::vector<std::string> run(const std::vector<Row>& rows, const OverAggregateSpec& spec, std::size_t batch_rows, std::size_t restart_every) {
  auto h = std::make_unique<OperatorHarness>(make_over_aggregate(spec));
  std::vector<std::string> out;
  OperatorHarness::Stored stored;
  for (std::size_t from = 0, number = 1; from < rows.size(); from += batch_rows, ++number) {
    const std::size_t n = std::min(batch_rows, rows.size() - from);
    h->feed(batch_of(std::span(rows).subspan(from, n)));
    if (from + n < rows.size()) h->watermark(rows[from + n].edge);
    if (number % 3 == 0) h->cut(stored);
    if (number % restart_every == 0) {
      h->cut(stored);
      out.insert(out.end(), h->rows.begin(), h->rows.end());
      const TimeUs w = h->watermark_us();
      h = std::make_unique<OperatorHarness>(make_over_aggregate(spec));
      h->restore(stored, w);
    }
  }
  h->watermark(kTimeMax);
  out.insert(out.end(), h->rows.begin(), h->rows.end());
  return out;
}

const Frame kFrames[] = {{.rows = false, .preceding = {}},
                         {.rows = true, .preceding = {}},
                         {.rows = true, .preceding = 0},
                         {.rows = true, .preceding = 3},
                         {.rows = true, .preceding = 40},
                         {.rows = false, .preceding = 0},
                         {.rows = false, .preceding = 30 * kMillisecond},
                         {.rows = false, .preceding = 900 * kMillisecond}};

TEST(OverAggregateTest, EqualsBruteForceAtEveryBatchSizeAndAfterRestore) {
  for (std::uint32_t seed = 1; seed <= 2; ++seed) {
    const std::vector<Row> rows = random_rows(seed, 900, seed == 1 ? 4 : 1);
    for (const Frame& frame : kFrames) {
      SCOPED_TRACE(fmt::format("{} {}", frame.rows ? "ROWS" : "RANGE", frame.preceding.value_or(-1)));
      const std::vector<std::string> expected = brute_force(rows, frame);
      ASSERT_LT(expected.size(), rows.size());
      for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{1024}}) EXPECT_EQ(run(rows, spec_of(frame), batch_rows, 50 + seed), expected) << batch_rows;
    }
  }
}

TEST(OverAggregateTest, WithoutKeysAllRowsAreOneGroup) {
  const std::vector<Row> rows = random_rows(3, 300, 5);
  for (const Frame& frame : kFrames) EXPECT_EQ(run(rows, spec_of(frame, false), 13, 4), brute_force(rows, frame, false));
}

TEST(OverAggregateTest, RowsOfOneTimeAreOneStepHoweverMany) {
  std::vector<Row> rows(Batch::kMaxRows * 2 + 100);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {.id = static_cast<std::int64_t>(i), .time = i < 50 ? 1000 : 2000, .key = i % 3 == 0 ? "a" : "b", .price = 1, .word = "w"};
  for (const Frame& frame : {Frame{}, Frame{.rows = false, .preceding = 500}}) {
    OperatorHarness h(make_over_aggregate(spec_of(frame)));
    for (std::size_t from = 0; from < rows.size(); from += 1000) h.feed(batch_of(std::span(rows).subspan(from, std::min<std::size_t>(1000, rows.size() - from))));
    h.watermark(5000);
    ASSERT_EQ(h.rows.size(), rows.size());
    const std::size_t before = frame.preceding ? 0 : 17;
    const std::size_t a = static_cast<std::size_t>(std::ranges::count_if(rows, [](const Row& r) { return r.time == 2000 && r.key == "a"; })) + before;
    for (std::size_t i = 50; i < rows.size(); ++i) {
      if (rows[i].key != "a") continue;
      ASSERT_THAT(h.rows[i], ::testing::HasSubstr(fmt::format("|{0}|{0}|1|", a))) << i;
    }
  }
}

TEST(OverAggregateTest, WhatIsBehindTheWatermarkIsForgotten) {
  const std::vector<Row> rows = {{.id = 1, .time = 10, .key = "a", .price = 1, .word = ""}, {.id = 2, .time = 20, .key = "a", .price = 2, .word = ""}, {.id = 3, .time = 20, .key = "b", .price = 3, .word = ""}};
  OperatorHarness h(make_over_aggregate(spec_of({.rows = false, .preceding = 5})));
  OperatorHarness::Stored stored;
  h.feed(batch_of(rows));
  h.watermark(24);
  h.cut(stored);
  EXPECT_EQ(stored.size(), 4U);   // two groups, two rows
  h.watermark(25);                // a row of 26 looks back to 21
  h.cut(stored);
  EXPECT_TRUE(stored.empty());
  OperatorHarness ring(make_over_aggregate(spec_of({.rows = true, .preceding = 1})));
  ring.feed(batch_of(random_rows(4, 500, 3)));
  ring.watermark(kTimeMax - 1);
  OperatorHarness::Stored kept;
  ring.cut(kept);
  EXPECT_EQ(kept.size(), 3U + 3 * 2);
}

TEST(OverAggregateTest, TheOriginTakesInTheRowsBefore) {
  OperatorHarness h(make_over_aggregate(spec_of({})));
  h.feed(batch_of(std::vector<Row>{{.id = 9, .time = 5, .key = "a", .price = 1, .word = ""}, {.id = 2, .time = 6, .key = "a", .price = 2, .word = ""}, {.id = 3, .time = 6, .key = "b", .price = 3, .word = ""}}));
  h.watermark(6);
  ASSERT_EQ(h.origins.size(), 3U);
  EXPECT_EQ(h.origins[1].produce_max, 9);
  EXPECT_EQ(h.origins[1].produce_min, 2);
  EXPECT_EQ(h.origins[2].produce_max, 3);
  const Row late{.id = 10, .time = 6, .key = "a", .price = 1, .word = "", .kept = false, .edge = 6};
  h.feed(batch_of({&late, 1}));
  ASSERT_EQ(h.late.size(), 1U);
  EXPECT_THAT(h.late[0], ::testing::EndsWith("|0|NULL|NULL|OverAggregate|LATE"));
}

TEST(OverAggregateTest, RefusesUpdates) {
  OperatorHarness h(make_over_aggregate(spec_of({})));
  const Row r{.id = 9, .time = 5, .key = "a", .price = 1, .word = ""};
  auto batch = std::make_shared<Batch>(*batch_of({&r, 1}));
  batch->kinds = {RowKind::kDelete};
  EXPECT_EQ(h.try_feed(batch).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::operators
