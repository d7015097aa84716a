#include "engine/operators/group_aggregate.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

struct Row {
  std::string key;
  std::optional<std::int64_t> value;
  RowKind kind = RowKind::kInsert;
};

Schema input_schema() { return Schema({{"k", Type::string()}, {"v", Type::big_int()}, {"f", Type::boolean()}}); }

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(input_schema());
  for (const Row& r : rows) {
    b.column(0).append_text(r.key);
    if (r.value) b.column(1).append(*r.value); else b.column(1).append_null();
    b.column(2).append(static_cast<std::uint8_t>(r.value.value_or(0) > 0));
    b.end_row(r.kind, Origin{1, 2, 3});
  }
  return b.finish();
}

/// Inserts and retractions of rows that are there (and now and then of keys that are not).
std::vector<Row> random_changes(std::uint32_t seed, std::size_t n) {
  std::mt19937 random(seed);
  std::vector<Row> live;
  std::vector<Row> out;
  for (std::size_t i = 0; i < n; ++i) {
    if (!live.empty() && random() % 5 < 2) {
      const std::size_t at = random() % live.size();
      Row r = live[at];
      r.kind = random() % 2 == 0 ? RowKind::kDelete : RowKind::kUpdateBefore;
      out.push_back(r);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (random() % 50 == 0) {
      out.push_back({.key = "never", .value = 1, .kind = RowKind::kDelete});
    } else {
      Row r{.key = std::string(1, static_cast<char>('a' + random() % 12)), .value = std::nullopt};
      if (random() % 4 != 0) r.value = static_cast<std::int64_t>(random() % 9) - 4;
      if (random() % 2 == 0) r.kind = RowKind::kUpdateAfter;
      out.push_back(r);
      live.push_back(r);
    }
  }
  return out;
}

class GroupAggregateTest : public ::testing::Test {
 protected:
  expr::AggregateCall call_of(const std::string& name, std::vector<std::size_t> args, bool distinct = false, std::size_t filter = SIZE_MAX) {
    std::vector<Type> types;
    for (const std::size_t a : args) types.push_back(input_schema()[a].type);
    return {.aggregate = registry_.resolve_aggregate(name, types, distinct, true)->aggregate, .args = std::move(args), .filter = filter, .name = name, .distinct = distinct};
  }
  GroupAggregateSpec spec() {
    GroupAggregateSpec s;
    s.input = input_schema();
    s.keys = {0};
    s.aggregates = {call_of("COUNT", {}), call_of("SUM", {1}), call_of("MIN", {1}), call_of("MAX", {1}),
                    call_of("COUNT", {1}, true), call_of("SUM", {1}, true), call_of("COUNT", {}, false, 2), call_of("AVG", {1})};
    return s;
  }
  expr::FunctionRegistry registry_;
};

std::vector<std::string> brute_force(const std::vector<Row>& rows) {
  std::map<std::string, std::vector<std::optional<std::int64_t>>> groups;
  for (const Row& r : rows) {
    auto& g = groups[r.key];
    if (!is_retraction(r.kind)) { g.push_back(r.value); continue; }
    const auto it = std::ranges::find(g, r.value);
    if (it != g.end()) g.erase(it);
  }
  std::vector<std::string> out;
  for (const auto& [key, g] : groups) {
    if (g.empty()) continue;
    std::multiset<std::int64_t> values;
    for (const auto& v : g) {
      if (v) values.insert(*v);
    }
    std::int64_t sum = 0;
    std::int64_t distinct_sum = 0;
    std::int64_t positive = 0;
    const std::set<std::int64_t> distinct(values.begin(), values.end());
    for (const std::int64_t v : values) { sum += v; positive += v > 0; }
    for (const std::int64_t v : distinct) distinct_sum += v;
    const auto text = [&](std::int64_t v) { return values.empty() ? std::string("NULL") : std::to_string(v); };
    out.push_back(fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}", key, g.size(), text(sum), text(values.empty() ? 0 : *values.begin()),
                              text(values.empty() ? 0 : *values.rbegin()), distinct.size(), text(distinct_sum), positive,
                              text(values.empty() ? 0 : sum / static_cast<std::int64_t>(values.size()))));
  }
  return out;
}

std::size_t distinct_values(const std::vector<std::string>& rows) {
  std::size_t sum = 0;
  for (const std::string& row : rows) {
    std::size_t at = 0;
    for (int field = 0; field < 5; ++field) at = row.find('|', at) + 1;
    sum += std::stoul(row.substr(at));
  }
  return sum;
}

/// Applies a changelog with -U: every retraction must take back a row that is there.
std::vector<std::string> materialise(const std::vector<std::string>& changes) {
  std::multiset<std::string> rows;
  for (const std::string& c : changes) {
    const std::string row = c.substr(3);
    if (c.starts_with("+")) { rows.insert(row); continue; }
    const auto it = rows.find(row);
    EXPECT_NE(it, rows.end()) << "retraction without its insert: " << c;
    if (it != rows.end()) rows.erase(it);
  }
  return {rows.begin(), rows.end()};
}

TEST_F(GroupAggregateTest, ChangelogAddsUpToBruteForce) {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const std::vector<Row> rows = random_changes(seed, 700);
    const std::vector<std::string> expected = brute_force(rows);
    for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{1024}}) {
      auto h = std::make_unique<OperatorHarness>(make_group_aggregate(spec()));
      std::vector<std::string> changes;
      OperatorHarness::Stored stored;
      std::size_t number = 0;
      for (std::size_t from = 0; from < rows.size(); from += batch_rows) {
        h->feed(batch_of(std::span(rows).subspan(from, std::min(batch_rows, rows.size() - from))));
        h->cut(stored);
        if (++number % 31 == 0) {
          changes.insert(changes.end(), h->rows.begin(), h->rows.end());
          h = std::make_unique<OperatorHarness>(make_group_aggregate(spec()));
          h->restore(stored, kTimeMin);
        }
      }
      changes.insert(changes.end(), h->rows.begin(), h->rows.end());
      EXPECT_EQ(materialise(changes), expected) << "seed " << seed << " batch " << batch_rows;
      // A group is an entry, and each distinct value of a group for both DISTINCT calls, and for MIN and MAX together.
      EXPECT_EQ(h->state().entries(), expected.size() + 3 * distinct_values(expected));
    }
  }
}

TEST_F(GroupAggregateTest, KindsAreFlinks) {
  GroupAggregateSpec s = spec();
  s.aggregates = {call_of("COUNT", {}), call_of("SUM", {1})};
  OperatorHarness h(make_group_aggregate(s));
  const auto feed = [&](Row r) { h.feed(batch_of({&r, 1})); };
  feed({.key = "a", .value = 5});
  feed({.key = "a", .value = 2});
  feed({.key = "a", .value = 5, .kind = RowKind::kDelete});
  feed({.key = "a", .value = 2, .kind = RowKind::kDelete});
  feed({.key = "b", .value = 2, .kind = RowKind::kDelete});
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I a|1|5", "-U a|1|5", "+U a|2|7", "-U a|2|7", "+U a|1|2", "-D a|1|2"));
  s.update_before = false;
  OperatorHarness upsert(make_group_aggregate(s));
  const std::vector<Row> rows = {{.key = "a", .value = 5}};
  upsert.feed(batch_of(rows));
  upsert.feed(batch_of(rows));
  EXPECT_THAT(upsert.rows, ::testing::ElementsAre("+I a|1|5", "+U a|2|10"));
}

TEST_F(GroupAggregateTest, UnchangedRowsAreNotRepeated) {
  GroupAggregateSpec s = spec();
  s.aggregates = {};  // SELECT DISTINCT k
  OperatorHarness h(make_group_aggregate(s));
  const std::vector<Row> rows = {{.key = "a", .value = 5}, {.key = "b", .value = 5}, {.key = "a", .value = 1}};
  h.feed(batch_of(rows));
  h.feed(batch_of(rows));
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I a", "+I b"));
}

TEST_F(GroupAggregateTest, FinalOnlySpeaksAtTheEnd) {
  GroupAggregateSpec s = spec();
  s.final_only = true;
  s.aggregates = {call_of("COUNT", {}), call_of("SUM", {1})};
  OperatorHarness h(make_group_aggregate(s));
  const std::vector<Row> rows = {{.key = "a", .value = 5}, {.key = "b", .value = 5}, {.key = "a", .value = 1}, {.key = "b", .value = 5, .kind = RowKind::kDelete}};
  h.feed(batch_of(rows));
  EXPECT_TRUE(h.rows.empty());
  h.watermark(kTimeMax);
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I a|2|6"));

  s.keys = {};
  s.row_when_empty = true;
  OperatorHarness empty(make_group_aggregate(s));
  empty.watermark(kTimeMax);
  EXPECT_THAT(empty.rows, ::testing::ElementsAre("+I 0|NULL"));
}

// As Flink: a group that was not written for so long begins anew, with an insert; the values of DISTINCT have times of their own.
TEST_F(GroupAggregateTest, GroupsWithATtlBeginAnew) {
  GroupAggregateSpec s = spec();
  s.aggregates = {call_of("SUM", {1}), call_of("COUNT", {1}, true)};
  s.ttl_us = 10;
  OperatorHarness before(make_group_aggregate(s));
  const auto feed = [](OperatorHarness& h, TimeUs now, std::vector<Row> rows) {
    h.rows.clear();
    h.clock_us = now;
    h.feed(batch_of(rows));
  };
  feed(before, 100, {{"a", 1}, {"b", 5}});
  feed(before, 109, {{"a", 2}});
  EXPECT_THAT(before.rows, ::testing::ElementsAre("-U a|1|1", "+U a|3|2"));
  OperatorHarness::Stored stored;
  before.cut(stored);
  OperatorHarness h(make_group_aggregate(s));
  h.restore(stored, 0);
  feed(h, 110, {{"a", 1}, {"b", 7}, {"c", 1, RowKind::kDelete}});
  EXPECT_THAT(h.rows, ::testing::ElementsAre("-U a|3|2", "+U a|4|3", "+I b|7|1")) << "b ended at 110, and so did the value 1 of a, which now counts again";
  feed(h, 120, {{"a", 1}});
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I a|1|1"));
}

}  // namespace
}  // namespace supyo::operators
