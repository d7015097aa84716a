#include "engine/operators/session_aggregate.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "core/base/bytes.h"
#include "data/types/builder.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

constexpr DurationUs kGap = 30 * kMillisecond;

struct Row {
  TimeUs time = 0;
  std::string key;
  std::optional<std::int64_t> price;
  std::string word;
  TimeUs edge = kTimeMin;
};

Schema input_schema() { return Schema({{"ts", Type::timestamp(3)}, {"k", Type::string()}, {"price", Type::big_int()}, {"word", Type::string()}}); }

/// Two partitions, each with its own disorder and watermark.
std::vector<Row> random_rows(std::uint32_t seed, std::size_t n, std::size_t keys) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  TimeUs newest[2] = {kTimeMin, kTimeMin};
  TimeUs clock = 0;
  for (std::size_t i = 0; i < n; ++i) {
    clock += random() % (keys == 1 ? 70 : 12) * kMillisecond;
    const std::size_t partition = random() % 2;
    Row r;
    r.time = clock - static_cast<TimeUs>(random() % 160) * kMillisecond - (partition == 1 ? 40 * kMillisecond : 0);
    r.key = std::string(1, static_cast<char>('a' + random() % keys));
    if (random() % 6 != 0) r.price = static_cast<std::int64_t>(random() % 20) - 5;
    r.word = std::string(random() % 4, static_cast<char>('p' + random() % 3));
    r.edge = newest[partition] == kTimeMin ? kTimeMin : newest[partition] - 50 * kMillisecond;
    newest[partition] = std::max(newest[partition], r.time);
    rows.push_back(std::move(r));
  }
  return rows;
}

/// The watermark of both partitions before row `i`.
TimeUs combined_before(const std::vector<Row>& rows, std::size_t i) {
  TimeUs least = kTimeMax;
  for (std::size_t k = i; k < rows.size(); ++k) least = std::min(least, rows[k].edge);
  return least == kTimeMax ? kTimeMin : least;
}

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(input_schema());
  for (const Row& r : rows) {
    b.column(0).append(r.time);
    b.column(1).append_text(r.key);
    if (r.price) b.column(2).append(*r.price); else b.column(2).append_null();
    b.column(3).append_text(r.word);
    b.end_row(RowKind::kInsert, Origin{r.time, r.time, r.time});
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const Row& r : rows) batch->edge_watermarks.push_back(r.edge);
  return batch;
}

expr::AggregateCall call(std::string_view name, std::vector<std::size_t> args, bool distinct = false, bool retracting = false) {
  static const expr::FunctionRegistry registry;
  std::vector<Type> types;
  for (const std::size_t a : args) types.push_back(input_schema()[a].type);
  return {.aggregate = registry.resolve_aggregate(name, types, distinct, retracting)->aggregate, .args = std::move(args), .filter = SIZE_MAX, .name = std::string(name) + (distinct ? "d" : ""), .distinct = distinct};
}

WindowAggregateSpec spec_of() {
  WindowAggregateSpec s;
  s.input = input_schema();
  s.window = {.kind = WindowSpec::Kind::kSession, .gap_us = kGap};
  s.time_column = 0;
  s.keys = {1};
  s.aggregates = {call("COUNT", {}), call("SUM", {2}), call("MIN", {2}), call("MAX", {3}), call("COUNT", {2}, true), call("SUM", {2}, true), call("MIN", {3}, false, true), call("AVG", {2})};
  s.properties = {WindowAggregateSpec::Property::kStart, WindowAggregateSpec::Property::kEnd};
  s.origins = true;
  return s;
}

struct Session {
  std::string key;
  TimeUs start = 0;
  TimeUs end = 0;
  std::vector<const Row*> rows;
};

std::string text_of(const Session& s) {
  std::optional<std::int64_t> sum, least;
  std::set<std::int64_t> distinct;
  std::string greatest, least_word = "~";
  std::int64_t n = 0;
  for (const Row* r : s.rows) {
    greatest = std::max(greatest, r->word);
    least_word = std::min(least_word, r->word);
    if (!r->price) continue;
    ++n;
    sum = sum.value_or(0) + *r->price;
    least = std::min(least.value_or(*r->price), *r->price);
    distinct.insert(*r->price);
  }
  const auto text = [](const std::optional<std::int64_t>& v) { return v ? std::to_string(*v) : "NULL"; };
  std::optional<std::int64_t> distinct_sum, average;
  for (const std::int64_t v : distinct) distinct_sum = distinct_sum.value_or(0) + v;
  if (n > 0) average = *sum / n;
  return fmt::format("+I {}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", s.key, s.rows.size(), text(sum), text(least), greatest, distinct.size(), text(distinct_sum), least_word, text(average),
                     format_timestamp(s.start, 3), format_timestamp(s.end, 3));
}

std::vector<Session> sessions_of(const std::vector<Row>& rows, std::size_t& late) {
  std::vector<Session> sessions;
  late = 0;
  for (const Row& r : rows) {
    Session mine{r.key, r.time, r.time + kGap, {&r}};
    bool joined = false;
    for (std::size_t i = 0; i < sessions.size();) {
      const Session& s = sessions[i];
      if (s.key != r.key || s.end - kWindowGrain <= r.edge || r.time > s.end || r.time + kGap < s.start) {
        ++i;
        continue;
      }
      joined = true;
      mine.start = std::min(mine.start, s.start);
      mine.end = std::max(mine.end, s.end);
      mine.rows.insert(mine.rows.end(), s.rows.begin(), s.rows.end());
      sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (!joined && r.time + kGap - kWindowGrain <= r.edge) ++late;
    else sessions.push_back(std::move(mine));
  }
  std::ranges::sort(sessions, {}, [](const Session& s) { return std::tuple(s.end, s.start, s.key); });
  return sessions;
}

/// Feeds in batches, and restarts from its epochs every now and then.
std::vector<std::string> run(const std::vector<Row>& rows, const dataflow::OperatorFactory& factory, std::size_t batch_rows, std::size_t restart_every, std::size_t& late) {
  auto h = std::make_unique<OperatorHarness>(factory);
  std::vector<std::string> out;
  OperatorHarness::Stored stored;
  late = 0;
  for (std::size_t from = 0, number = 1; from < rows.size(); from += batch_rows, ++number) {
    const std::size_t n = std::min(batch_rows, rows.size() - from);
    h->feed(batch_of(std::span(rows).subspan(from, n)));
    if (number % 2 == 0) h->watermark(combined_before(rows, from + n));
    if (number % 3 == 0) h->cut(stored);
    if (number % restart_every != 0) continue;
    h->cut(stored);
    out.insert(out.end(), h->rows.begin(), h->rows.end());
    late += h->late.size();
    const TimeUs w = h->watermark_us();
    h = std::make_unique<OperatorHarness>(factory);
    h->restore(stored, w);
  }
  h->watermark(kTimeMax);
  out.insert(out.end(), h->rows.begin(), h->rows.end());
  late += h->late.size();
  EXPECT_EQ(h->state().entries(), 0U);
  return out;
}

TEST(SessionAggregateTest, EqualsBruteForceAtEveryBatchSizeAndAfterRestore) {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const std::vector<Row> rows = random_rows(seed, 1500, seed == 3 ? 1 : 6);
    std::size_t late = 0, seen_late = 0;
    const std::vector<Session> sessions = sessions_of(rows, late);
    ASSERT_GT(late, 10U);
    ASSERT_GT(sessions.size(), 20U);
    std::vector<std::string> expected, expected_rows;
    for (const Session& s : sessions) {
      expected.push_back(text_of(s));
      for (const Row* r : s.rows)
        expected_rows.push_back(fmt::format("+I {}|{}|{}|{}|{}|{}|{}", format_timestamp(r->time, 3), r->key, r->price ? std::to_string(*r->price) : "NULL", r->word, format_timestamp(s.start, 3),
                                            format_timestamp(s.end, 3), format_timestamp(s.end - kWindowGrain, 3)));
    }
    std::ranges::sort(expected_rows);
    for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{512}}) {
      EXPECT_EQ(run(rows, make_session_aggregate(spec_of()), batch_rows, 40 + seed, seen_late), expected) << "seed " << seed << " batch " << batch_rows;
      EXPECT_EQ(seen_late, late);
      const WindowAssignSpec assign{.input = input_schema(), .window = spec_of().window, .time_column = 0};
      std::vector<std::string> given = run(rows, make_session_assign(assign, {1}, true), batch_rows, 40 + seed, seen_late);
      std::ranges::sort(given);
      EXPECT_EQ(given, expected_rows) << "seed " << seed << " batch " << batch_rows;
      EXPECT_EQ(seen_late, late);
    }
  }
}

/// Keys of eight bytes whose first sessions are known from before, beside the same keys as text, which are looked for row by row.
TEST(SessionAggregateTest, KeysThatCameLatelyGiveWhatLookingForThemGives) {
  std::vector<Row> rows = random_rows(4, 6000, 6);
  std::mt19937 random(4);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].price = random() % 2 == 0 ? random() % 4 : random() % 2000;
    if (random() % 300 == 0) rows[i].price.reset();
    rows[i].key = rows[i].price ? std::to_string(*rows[i].price) : "NULL";
  }
  WindowAggregateSpec text = spec_of();
  text.aggregates = {call("COUNT", {}), call("MIN", {3})};
  WindowAggregateSpec number = text;
  number.keys = {2};
  for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{512}}) {
    std::size_t late = 0, seen_late = 0;
    std::vector<std::string> want = run(rows, make_session_aggregate(text), batch_rows, 60, late), got = run(rows, make_session_aggregate(number), batch_rows, 60, seen_late);
    // Sessions of one time are in the order of their keys' bytes.
    std::ranges::sort(want);
    std::ranges::sort(got);
    EXPECT_GT(want.size(), 1000U);
    EXPECT_EQ(got, want) << batch_rows;
    EXPECT_EQ(seen_late, late);
  }
}

TEST(SessionAggregateTest, ARowJoinsWhatItTouches) {
  OperatorHarness h(make_session_aggregate(spec_of()));
  const auto row = [](TimeUs ms, std::int64_t price) { return Row{.time = ms * kMillisecond, .key = "a", .price = price, .word = "w"}; };
  h.feed(batch_of(std::vector{row(100, 1), row(160, 2), row(190, 4)}));   // [100, 130), [160, 220)
  EXPECT_EQ(h.state().entries(), 2U) << "a row within the gap, to the millisecond, prolongs";
  h.feed(batch_of(std::vector{row(130, 8)}));
  EXPECT_EQ(h.state().entries(), 1U);
  h.watermark(218 * kMillisecond);
  EXPECT_TRUE(h.rows.empty());
  h.watermark(219 * kMillisecond);
  ASSERT_EQ(h.rows.size(), 1U);
  EXPECT_THAT(h.rows[0], ::testing::HasSubstr("a|4|15|1|"));
  EXPECT_THAT(h.rows[0], ::testing::EndsWith("00.100|1970-01-01 00:00:00.220"));
}

TEST(SessionAggregateTest, RetractionsEmptyASession) {
  WindowAggregateSpec spec = spec_of();
  spec.retracting = true;
  OperatorHarness h(make_session_aggregate(spec));
  const Row r{.time = 5, .key = "a", .price = 1, .word = "w"};
  h.feed(batch_of({&r, 1}));
  auto back = std::make_shared<Batch>(*batch_of({&r, 1}));
  back->kinds = {RowKind::kDelete};
  h.feed(back);
  h.watermark(kTimeMax);
  EXPECT_TRUE(h.rows.empty());
  EXPECT_EQ(h.state().entries(), 0U);
}

/// An older version had a session's times before its accumulators, in a table by time; a state directory of then goes on.
TEST(SessionAggregateTest, SessionsOfAnOlderVersionGoOn) {
  for (const bool retracting : {false, true}) {
    WindowAggregateSpec spec = spec_of();
    spec.aggregates = {call("COUNT", {}), call("MAX", {3})};
    spec.origins = false;
    spec.retracting = retracting;
    OperatorHarness first(make_session_aggregate(spec));
    const auto row = [](TimeUs ms, std::string key, std::string word) { return Row{.time = ms * kMillisecond, .key = std::move(key), .price = 1, .word = std::move(word)}; };
    first.feed(batch_of(std::vector{row(100, "a", "p"), row(160, "a", "qqqqqqqqqqqqqqqqqqq"), row(100, "b", "r")}));
    OperatorHarness::Stored now, then, after;
    first.cut(now);
    ASSERT_EQ(now.size(), 3U);
    const std::size_t span_at = first.op().state().tables[1].fixed_width - 12, header = retracting ? 8 : 0;
    for (const auto& [where, value] : now) {
      const auto& [table, hash, key] = where;
      ASSERT_EQ(table, 1U);
      const std::int64_t number = GroupKeys::prefix_of(key);
      const TimeUs start = (number == 0 ? 100 : 160) * kMillisecond;
      std::string old;
      ByteWriter out(old);
      out.i64(start + kGap - kMillisecond);
      out.u64(then.size());
      for (const std::int64_t v : {start, start + kGap, std::int64_t{1}, std::int64_t{number > 0 ? 0 : key.back() == 'a' ? 2 : 1}}) out.i64(v);
      then[{0, hash, key}] = old + value.substr(header, span_at - header) + value.substr(span_at + 12);
    }
    OperatorHarness h(make_session_aggregate(spec));
    h.restore(then, 50 * kMillisecond);
    h.feed(batch_of(std::vector{row(130, "a", "q")}));
    h.cut(after);
    EXPECT_TRUE(std::ranges::all_of(after, [](const auto& entry) { return std::get<0>(entry.first) == 1; })) << "nothing is left of the old table";
    h.watermark(kTimeMax);
    EXPECT_THAT(h.rows, ::testing::ElementsAre("+I b|1|r|1970-01-01 00:00:00.100|1970-01-01 00:00:00.130", "+I a|3|qqqqqqqqqqqqqqqqqqq|1970-01-01 00:00:00.100|1970-01-01 00:00:00.190"));
  }
}

/// Twelve bytes have the times of a session to the millisecond, before 1970 too, and of the longest that SQL's times can make of a gap of some days.
TEST(SessionAggregateTest, TimesAreThoseOfTheRows) {
  constexpr DurationUs kDays = 999 * kDay;
  WindowAggregateSpec spec = spec_of();
  spec.window.gap_us = kDays;
  spec.aggregates = {call("COUNT", {})};
  OperatorHarness h(make_session_aggregate(spec));
  std::vector<Row> rows;
  for (TimeUs t = -719162 * kDay + kMillisecond; t < -kDay; t += kDays - kMillisecond) rows.push_back({.time = t, .key = "a", .price = 1, .word = "w"});
  for (std::size_t from = 0; from < rows.size(); from += 100) h.feed(batch_of(std::span(rows).subspan(from, std::min<std::size_t>(100, rows.size() - from))));
  h.watermark(kTimeMax);
  ASSERT_EQ(h.rows.size(), 1U);
  EXPECT_EQ(h.rows[0], fmt::format("+I a|{}|0001-01-01 00:00:00.001|{}", rows.size(), format_timestamp(rows.back().time + kDays, 3)));
  const Row far{.time = 12000LL * 366 * kDay, .key = "a", .price = 1, .word = "w"};
  OperatorHarness other(make_session_aggregate(spec));
  const Status s = other.try_feed(batch_of({&far, 1}));
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, ErrorCode::kValueOutOfRange);
}

/// A session that is joined to another leaves its timer behind; so many of them that they are made anew, several times.
TEST(SessionAggregateTest, ManyThatWereJoinedAreOne) {
  WindowAggregateSpec spec = spec_of();
  spec.aggregates = {call("COUNT", {})};
  spec.window.gap_us = kHour;
  OperatorHarness h(make_session_aggregate(spec));
  std::vector<Row> rows;
  const auto add = [&](TimeUs minutes) {
    for (const std::string key : {"a", "b"}) rows.push_back({.time = minutes * kMinute, .key = key, .price = 1, .word = "w"});
  };
  add(0);
  for (TimeUs round = 1; round <= 1500; ++round) add(round * 110), add(round * 110 - 55);
  for (std::size_t from = 0; from < rows.size(); from += 300) h.feed(batch_of(std::span(rows).subspan(from, std::min<std::size_t>(300, rows.size() - from))));
  EXPECT_EQ(h.state().entries(), 2U);
  h.watermark(3 * kHour);
  EXPECT_TRUE(h.rows.empty());
  h.watermark(kTimeMax);
  const std::string end = "|3001|1970-01-01 00:00:00.000|" + format_timestamp(1500 * 110 * kMinute + kHour, 3);
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I a" + end, "+I b" + end));
}

TEST(SessionAggregateTest, RefusesAGapOfNothing) {
  WindowAggregateSpec s = spec_of();
  s.window.gap_us = 0;
  EXPECT_EQ(make_session_aggregate(s)(0, 1).error().code, ErrorCode::kInvalidQuery);
}

}  // namespace
}  // namespace supyo::operators
