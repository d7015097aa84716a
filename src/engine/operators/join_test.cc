#include "engine/operators/join.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/operators/join_testing.h"
#include "engine/operators/operator_harness.h"
#include "sql/expr/registry.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Schema side_schema() { return key_value_schema("k", "v"); }

class JoinTest : public ::testing::Test {
 protected:
  JoinSpec spec(bool keep_left, bool keep_right, bool with_condition = false, JoinSpec::Rows rows = JoinSpec::Rows::kPairs) {
    JoinSpec s{.left = side_schema(), .right = side_schema(), .left_keys = {0}, .right_keys = {0}, .keep_left = keep_left, .keep_right = keep_right, .condition = nullptr, .rows = rows};
    if (with_condition) {   // left.v < right.v
      const auto less = registry_.resolve("<", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
      s.condition = expr::call(less->function, {expr::column(1, Type::big_int().not_null()), expr::column(3, Type::big_int().not_null())}, less->result);
    }
    return s;
  }
  expr::FunctionRegistry registry_;
};

TEST_F(JoinTest, InnerPassesOnTheKindsOfItsRows) {
  OperatorHarness h(make_join(spec(false, false)));
  h.feed(batch_of({{1, 10}, {2, 20}, {std::nullopt, 30}}), 0);
  EXPECT_THAT(h.rows, IsEmpty());
  h.feed(batch_of({{1, 100}, {1, 101}, {std::nullopt, 300}}), 1);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|10|1|100", "+I 1|10|1|101")) << "null equals nothing";
  h.rows.clear();
  h.feed(batch_of({{1, 10, RowKind::kUpdateBefore}, {1, 11, RowKind::kUpdateAfter}, {7, 7, RowKind::kDelete}}), 0);
  EXPECT_THAT(h.rows, ElementsAre("-U 1|10|1|100", "-U 1|10|1|101", "+U 1|11|1|100", "+U 1|11|1|101")) << "what is not there is not taken back";
}

TEST_F(JoinTest, LeftTakesTheLonelyRowBackWhenAPartnerComes) {
  OperatorHarness h(make_join(spec(true, false)));
  h.feed(batch_of({{1, 10}, {1, 10}, {std::nullopt, 30}}), 0);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|10|NULL|NULL", "+I 1|10|NULL|NULL", "+I NULL|30|NULL|NULL"));
  h.rows.clear();
  h.feed(batch_of({{1, 100}}), 1);
  EXPECT_THAT(h.rows, ElementsAre("-D 1|10|NULL|NULL", "-D 1|10|NULL|NULL", "+I 1|10|1|100", "+I 1|10|1|100"));
  h.rows.clear();
  h.feed(batch_of({{1, 101}, {1, 100, RowKind::kDelete}, {1, 101, RowKind::kDelete}}), 1);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|10|1|101", "+I 1|10|1|101", "-D 1|10|1|100", "-D 1|10|1|100", "-D 1|10|1|101", "-D 1|10|1|101", "+I 1|10|NULL|NULL", "+I 1|10|NULL|NULL"));
}

// As Flink: a row ends so long after it was last written, unseen; a look is no write; the other side has its own time; what is taken back after its end is taken back from what it met.
TEST_F(JoinTest, RowsWithATtlEndUnseenAlsoAfterARestore) {
  JoinSpec s = spec(true, false);
  s.left_ttl_us = 10;
  OperatorHarness before(make_join(s));
  before.clock_us = 100;
  before.feed(batch_of({{1, 10}, {2, 20}}), 0);
  before.feed(batch_of({{1, 100}}), 1);   // a write of {1, 10}: it has a partner now
  before.clock_us = 105;
  before.feed(batch_of({{2, 20}, {3, 30}}), 0);
  before.clock_us = 109;
  before.feed(batch_of({{7, 700}}), 1);
  OperatorHarness::Stored stored;
  before.cut(stored);
  OperatorHarness h(make_join(s));
  h.restore(stored, 0);
  h.clock_us = 110;
  h.feed(batch_of({{1, 101}, {2, 200}, {3, 300}}), 1);
  EXPECT_THAT(h.rows, ElementsAre("-D 2|20|NULL|NULL", "-D 2|20|NULL|NULL", "+I 2|20|2|200", "+I 2|20|2|200", "-D 3|30|NULL|NULL", "+I 3|30|3|300")) << "{1, 10} ended at 110";
  h.rows.clear();
  h.clock_us = 1000;
  h.feed(batch_of({{1, 11}, {2, 20, RowKind::kDelete}}), 0);
  EXPECT_THAT(h.rows, ElementsAre("+I 1|11|1|100", "+I 1|11|1|101", "-D 2|20|2|200")) << "right rows are kept for ever";
  EXPECT_EQ(h.state().keyed(0).size(), 1U);
  EXPECT_EQ(h.state().keyed(1).size(), 5U);
}

/// The whole result, by nested loops.
std::multiset<std::string> oracle(const std::vector<In>& left, const std::vector<In>& right, const JoinSpec& s) {
  const auto text = [](const In* r) { return r == nullptr ? "NULL|NULL" : fmt::format("{}|{}", r->key ? std::to_string(*r->key) : "NULL", r->value); };
  std::multiset<std::string> out;
  std::vector<bool> right_met(right.size());
  for (const In& l : left) {
    bool met = false;
    for (std::size_t i = 0; i < right.size(); ++i) {
      if (!l.key || l.key != right[i].key || (s.condition && !(l.value < right[i].value))) continue;
      met = right_met[i] = true;
      if (s.rows == JoinSpec::Rows::kPairs) out.insert(text(&l) + "|" + text(&right[i]));
    }
    if (s.rows != JoinSpec::Rows::kPairs && met == (s.rows == JoinSpec::Rows::kSemi)) out.insert(text(&l));
    if (!met && s.keep_left) out.insert(text(&l) + "|" + text(nullptr));
  }
  for (std::size_t i = 0; i < right.size(); ++i)
    if (!right_met[i] && s.keep_right) out.insert(text(nullptr) + "|" + text(&right[i]));
  return out;
}

TEST_F(JoinTest, EqualsNestedLoopsAtEveryMomentAndAfterRestarts) {
  for (int mode = 0; mode < 12; ++mode) {
    const JoinSpec s = mode < 8 ? spec((mode & 1) != 0, (mode & 2) != 0, (mode & 4) != 0)
                                : spec(false, false, (mode & 1) != 0, (mode & 2) != 0 ? JoinSpec::Rows::kSemi : JoinSpec::Rows::kAnti);
    std::mt19937 random(static_cast<unsigned>(mode) + 11);
    std::vector<In> sides[2];
    std::multiset<std::string> seen;
    OperatorHarness::Stored stored;
    for (int epoch = 0; epoch < 7; ++epoch) {
      OperatorHarness h(make_join(s));
      h.restore(stored, kTimeMin);
      for (int step = 0; step < 6; ++step) {
        const std::size_t input = random() % 2;
        std::vector<In>& live = sides[input];
        std::vector<In> changes;
        for (int i = 0; i < 25; ++i) {
          if (!live.empty() && random() % 5 < 2) {
            const std::size_t at = random() % live.size();
            In r = live[at];
            r.kind = random() % 2 == 0 ? RowKind::kDelete : RowKind::kUpdateBefore;
            live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
            changes.push_back(r);
          } else {
            In r{.key = std::nullopt, .value = static_cast<std::int64_t>(random() % 4)};
            if (random() % 8 != 0) r.key = static_cast<std::int64_t>(random() % 5);
            r.kind = random() % 2 == 0 ? RowKind::kInsert : RowKind::kUpdateAfter;
            live.push_back(r);
            changes.push_back(r);
          }
        }
        h.feed(batch_of(changes), input);
        for (const std::string& row : h.rows) {
          if (row[0] == '+') {
            seen.insert(row.substr(3));
          } else {
            const auto it = seen.find(row.substr(3));
            ASSERT_NE(it, seen.end()) << "took back what was not there: " << row;
            seen.erase(it);
          }
        }
        h.rows.clear();
        ASSERT_EQ(seen, oracle(sides[0], sides[1], s)) << "mode " << mode << ", epoch " << epoch;
      }
      h.cut(stored);
    }
  }
}

TEST_F(JoinTest, SemiAndAntiGiveTheLeftRowsAsPartnersComeAndGo) {
  OperatorHarness semi(make_join(spec(false, false, false, JoinSpec::Rows::kSemi)));
  OperatorHarness anti(make_join(spec(false, false, false, JoinSpec::Rows::kAnti)));
  for (OperatorHarness* h : {&semi, &anti}) {
    h->feed(batch_of({{1, 10}, {2, 20}, {std::nullopt, 30}}), 0);
    h->feed(batch_of({{1, 100}, {1, 101}, {std::nullopt, 300}}), 1);
    h->feed(batch_of({{1, 11}}), 0);
    h->feed(batch_of({{1, 100, RowKind::kDelete}, {1, 101, RowKind::kDelete}}), 1);
  }
  EXPECT_THAT(semi.rows, ElementsAre("+I 1|10", "+I 1|11", "-D 1|10", "-D 1|11"));
  EXPECT_THAT(anti.rows, ElementsAre("+I 1|10", "+I 2|20", "+I NULL|30", "-D 1|10", "+I 1|10", "+I 1|11"));
}

TEST_F(JoinTest, AHotKeyIsCutIntoBatches) {
  OperatorHarness h(make_join(spec(true, true)));
  std::vector<In> many;
  for (std::int64_t i = 0; i < 3000; ++i) many.push_back({1, i});
  for (std::size_t from = 0; from < many.size(); from += 1000) h.feed(batch_of({many.begin() + static_cast<std::ptrdiff_t>(from), many.begin() + static_cast<std::ptrdiff_t>(from) + 1000}), 0);
  h.rows.clear();
  h.feed(batch_of({{1, 5}}), 1);
  EXPECT_EQ(h.rows.size(), 6000U);
}

// Right rows come behind the watermark, as windows' results do, and left rows meet those before them: with an end the result is what it is without one, also after a restart, whether rows are held in
// their batches or are in the state: small batches, large ones, rows far ahead that keep a batch from its end, more lookups at once than are worth a look at all rows.
TEST_F(JoinTest, RowsWithAnEndGoByTheWatermarkAndNothingElseChanges) {
  JoinSpec s = spec(false, false);
  const auto less = registry_.resolve("<", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
  s.condition = expr::call(less->function, {expr::column(3, Type::big_int().not_null()), expr::column(1, Type::big_int().not_null())}, less->result);   // right.v < left.v
  JoinSpec ended = s;
  ended.ends[0] = RowEnds{.column = 1, .after_us = 0};
  std::mt19937_64 random(3);
  OperatorHarness forever(make_join(s));
  auto h = std::make_unique<OperatorHarness>(make_join(ended));
  OperatorHarness::Stored stored;
  TimeUs watermark = -20 * kSecond;
  std::size_t joined = 0, most = 0;
  for (int step = 0; step < 500; ++step) {
    std::vector<In> rows;
    const bool right = random() % 3 == 0;
    for (auto n = random() % 4 == 0 ? 10 + random() % 60 : random() % 8 + 1; n > 0; --n) {
      const auto within = static_cast<std::int64_t>(random() % (right ? 10 : 30) * kSecond + random() % kSecond);
      const DurationUs far = !right && random() % 100 == 0 ? 60 * kSecond : 0;
      rows.push_back({random() % 20 == 0 ? std::nullopt : std::optional<std::int64_t>(random() % 150), watermark + (right ? 1 : -10 * kSecond) + within + far});   // left: late ones too
    }
    forever.feed(batch_of(rows), right ? 1 : 0);
    h->feed(batch_of(rows), right ? 1 : 0);
    std::ranges::sort(h->rows);   // the order is that of the state, then that of batches
    std::ranges::sort(forever.rows);
    ASSERT_EQ(h->rows, forever.rows) << step;
    joined += h->rows.size();
    h->rows.clear();
    forever.rows.clear();
    if (random() % 2 == 0) {
      watermark += static_cast<std::int64_t>(random() % (2 * kSecond));
      h->watermark(watermark);
      forever.watermark(watermark);
    }
    if (step % 50 == 49) {
      h->barrier();
      h->cut(stored);
      most = std::max(most, h->state().keyed(0).size());
      if (step % 100 == 49) continue;
      h = std::make_unique<OperatorHarness>(make_join(ended));
      h->restore(stored, watermark);
    }
  }
  EXPECT_GT(joined, 2'000U);
  EXPECT_GT(forever.state().keyed(0).size(), 4'000U);
  EXPECT_LT(most, 2'000U);
  h->watermark(watermark + 100 * kSecond);
  h->barrier();
  EXPECT_EQ(h->state().keyed(0).size(), 0U);
  EXPECT_EQ(h->state().keyed(1).size(), forever.state().keyed(1).size());
}

}  // namespace
}  // namespace supyo::operators
