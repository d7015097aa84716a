#include "engine/operators/interval_join.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"
#include "sql/expr/registry.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct In {
  std::optional<std::int64_t> key;
  std::int64_t value = 0;
  std::int64_t ms = 0;
  std::int64_t edge_ms = -1'000'000;   ///< watermark just before it
};

Schema side_schema() { return Schema({{"k", Type::big_int()}, {"v", Type::big_int().not_null()}, {"ts", Type::timestamp(3)}}); }

BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(side_schema());
  for (const In& r : rows) {
    if (r.key) b.column(0).append(*r.key);
    else b.column(0).append_null();
    b.column(1).append(r.value);
    b.column(2).append(r.ms * kMillisecond);
    b.end_row();
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const In& r : rows) batch->edge_watermarks.push_back(r.edge_ms * kMillisecond);
  return batch;
}

class IntervalJoinTest : public ::testing::Test {
 protected:
  IntervalJoinSpec spec(std::int64_t lower_ms, std::int64_t upper_ms, bool keep_left, bool keep_right, bool with_condition = false, bool with_key = true) {
    IntervalJoinSpec s{.left = side_schema(), .right = side_schema(), .left_keys = {}, .right_keys = {}, .left_time = 2, .right_time = 2, .lower_us = lower_ms * kMillisecond,
                       .upper_us = upper_ms * kMillisecond, .keep_left = keep_left, .keep_right = keep_right, .condition = nullptr};
    if (with_key) s.left_keys = s.right_keys = {0};
    if (with_condition) {   // left.v < right.v
      const auto less = registry_.resolve("<", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
      s.condition = expr::call(less->function, {expr::column(1, Type::big_int().not_null()), expr::column(4, Type::big_int().not_null())}, less->result);
    }
    return s;
  }
  expr::FunctionRegistry registry_;
};

std::string short_row(const std::string& row) {
  std::string out;
  for (const char c : row) out += c;
  for (const std::string cut : {"1970-01-01 00:00:00."})
    for (std::size_t at = out.find(cut); at != std::string::npos; at = out.find(cut)) out.erase(at, cut.size());
  return out;
}
std::vector<std::string> short_rows(const OperatorHarness& h) {
  std::vector<std::string> out;
  for (const std::string& r : h.rows) out.push_back(short_row(r));
  return out;
}

TEST_F(IntervalJoinTest, MeetsWithinTheBoundsAndForgetsAfterwards) {
  OperatorHarness h(make_interval_join(spec(-10, 20, false, false)));   // right - 10 ms <= left <= right + 20 ms
  h.feed(batch_of({{1, 7, 100}, {2, 8, 100}, {std::nullopt, 9, 100}}), 0);
  EXPECT_THAT(h.rows, IsEmpty());
  h.feed(batch_of({{1, 1, 79}, {1, 2, 80}, {1, 3, 110}, {1, 4, 111}, {std::nullopt, 5, 100}}), 1);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|7|100|1|2|080", "+I 1|7|100|1|3|110"));
  OperatorHarness::Stored stored;
  h.cut(stored);
  EXPECT_EQ(stored.size(), 6U);
  h.watermark(110 * kMillisecond);   // left rows at 100 have no partner to come; right ones from 91 on have
  h.cut(stored);
  EXPECT_EQ(stored.size(), 2U);
  h.watermark(130 * kMillisecond);
  h.cut(stored);
  EXPECT_EQ(stored.size(), 1U);
  h.watermark(kTimeMax);
  h.cut(stored);
  EXPECT_THAT(stored, IsEmpty());
}

TEST_F(IntervalJoinTest, OuterRowsStandAloneWhenTheirTimeIsOver) {
  OperatorHarness h(make_interval_join(spec(0, 20, true, true)));   // a left row comes 0 to 20 ms after a right one
  h.feed(batch_of({{1, 7, 100}, {std::nullopt, 9, 100}}), 0);
  EXPECT_THAT(short_rows(h), ElementsAre("+I NULL|9|100|NULL|NULL|NULL")) << "a null has no partner";
  h.rows.clear();
  h.feed(batch_of({{1, 1, 90}, {2, 2, 90}}), 1);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|7|100|1|1|090"));
  h.rows.clear();
  h.watermark(109 * kMillisecond);
  EXPECT_THAT(h.rows, IsEmpty());
  h.watermark(110 * kMillisecond);
  EXPECT_THAT(short_rows(h), ElementsAre("+I NULL|NULL|NULL|2|2|090"));
}

TEST_F(IntervalJoinTest, TheOutputsWatermarkIsHeldBackByWhatARowMayWait) {
  const auto held_us = [&](std::int64_t lower, std::int64_t upper) { return 1'000'000 - (*make_interval_join(spec(lower, upper, false, false))(0, 1))->output_watermark(1'000'000); };
  EXPECT_EQ(held_us(-10, 20), 20'000);
  EXPECT_EQ(held_us(-30, 20), 30'000);
  EXPECT_EQ(held_us(10, 20), 20'000);
  EXPECT_EQ(held_us(-20, -10), 20'000);
  EXPECT_EQ((*make_interval_join(spec(0, 9, false, false))(0, 1))->output_watermark(kTimeMax), kTimeMax);
}

TEST_F(IntervalJoinTest, WhatCanMeetNothingAnyMoreIsLate) {
  OperatorHarness h(make_interval_join(spec(-10, 20, false, false)));
  h.watermark(50 * kMillisecond);
  h.feed(batch_of({{1, 7, 100, 129}, {1, 8, 100, 130}, {1, 9, 21, 40}, {1, 10, 20, 40}}), 0);
  ASSERT_EQ(h.late.size(), 2U);
  EXPECT_THAT(short_row(h.late[0]), ::testing::HasSubstr("+I 1|8|100|NULL|NULL|NULL|130|30|NULL|NULL|IntervalJoin|LATE"));
  EXPECT_THAT(short_row(h.late[1]), ::testing::HasSubstr("+I 1|10|020|NULL|NULL|NULL|040|20|NULL|NULL|IntervalJoin|IDLE_RETURN")) << "the combined watermark is ahead of its own";
}

/// The whole result, by nested loops.
std::multiset<std::string> oracle(const std::vector<In>& left, const std::vector<In>& right, const IntervalJoinSpec& s, std::size_t& late) {
  const auto text = [](const In* r) { return r == nullptr ? "NULL|NULL|NULL" : fmt::format("{}|{}|{:03}", r->key ? std::to_string(*r->key) : "NULL", r->value, r->ms); };
  const std::int64_t lower = s.lower_us / kMillisecond, upper = s.upper_us / kMillisecond;
  std::multiset<std::string> out;
  std::vector<bool> right_met(right.size());
  for (const In& l : left) {
    bool met = false;
    for (std::size_t i = 0; i < right.size(); ++i) {
      const In& r = right[i];
      if (!s.left_keys.empty() && (!l.key || l.key != r.key)) continue;
      if (l.ms - r.ms < lower || l.ms - r.ms > upper || (s.condition && !(l.value < r.value))) continue;
      if (l.edge_ms >= r.ms + upper || r.edge_ms >= l.ms - lower) continue;
      met = right_met[i] = true;
      out.insert("+I " + text(&l) + "|" + text(&r));
    }
    if (!met && s.keep_left) out.insert("+I " + text(&l) + "|" + text(nullptr));
    const bool null_key = !s.left_keys.empty() && !l.key;
    if (!s.keep_left && !null_key && l.edge_ms >= l.ms + std::max<std::int64_t>(0, upper - lower)) ++late;
  }
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (!right_met[i] && s.keep_right) out.insert("+I " + text(nullptr) + "|" + text(&right[i]));
    const bool null_key = !s.left_keys.empty() && !right[i].key;
    if (!s.keep_right && !null_key && right[i].edge_ms >= right[i].ms + std::max<std::int64_t>(0, upper - lower)) ++late;
  }
  return out;
}

TEST_F(IntervalJoinTest, EqualsNestedLoopsWhateverTheOrderAndTheRestarts) {
  const std::pair<std::int64_t, std::int64_t> bounds[] = {{-10, 10}, {0, 25}, {5, 15}, {-30, -3}, {0, 0}, {4, 2}};
  int seed = 0;
  for (const auto& [lower, upper] : bounds) {
    for (int mode = 0; mode < 16; ++mode) {
      const IntervalJoinSpec s = spec(lower, upper, (mode & 1) != 0, (mode & 2) != 0, (mode & 4) != 0, (mode & 8) == 0);
      std::mt19937 random(static_cast<unsigned>(++seed));
      std::vector<In> fed[2];
      std::int64_t watermark[2] = {-1'000'000, -1'000'000};   // of each side's source: its highest time - 8 ms
      std::int64_t combined = -1'000'000;
      std::multiset<std::string> seen;
      std::size_t late = 0;
      OperatorHarness::Stored stored;
      for (int epoch = 0; epoch < 6; ++epoch) {
        OperatorHarness h(make_interval_join(s));
        h.restore(stored, combined * kMillisecond);
        for (int step = 0; step < 6; ++step) {
          const std::size_t input = random() % 2;
          std::vector<In> rows;
          const std::int64_t now = 100 + epoch * 40 + step * 5 + static_cast<std::int64_t>(random() % 30);   // one side may run ahead
          for (std::size_t i = 1 + random() % 12; i > 0; --i) {
            In r{.key = std::nullopt, .value = static_cast<std::int64_t>(random() % 4), .ms = now - static_cast<std::int64_t>(random() % (random() % 6 == 0 ? 60 : 9)), .edge_ms = watermark[input]};
            if (random() % 8 != 0) r.key = static_cast<std::int64_t>(random() % 3);
            watermark[input] = std::max(watermark[input], r.ms - 8);
            rows.push_back(r);
            if (random() % 10 == 0) rows.push_back(In{.key = r.key, .value = r.value, .ms = r.ms, .edge_ms = watermark[input]});
          }
          fed[input].insert(fed[input].end(), rows.begin(), rows.end());
          h.feed(batch_of(rows), input);
          if (random() % 3 == 0 && std::min(watermark[0], watermark[1]) > combined) {
            combined = std::min(watermark[0], watermark[1]);
            h.watermark(combined * kMillisecond);
          }
        }
        if (epoch == 5) h.watermark(kTimeMax);
        for (const std::string& row : short_rows(h)) seen.insert(row);
        late += h.late.size();
        h.cut(stored);
      }
      std::size_t expected_late = 0;
      const auto expected = oracle(fed[0], fed[1], s, expected_late);
      ASSERT_EQ(seen, expected) << "bounds " << lower << ", " << upper << ", mode " << mode;
      EXPECT_EQ(late, expected_late) << "bounds " << lower << ", " << upper << ", mode " << mode;
      EXPECT_THAT(stored, IsEmpty());
    }
  }
}

TEST_F(IntervalJoinTest, AHotKeyIsCutIntoBatches) {
  OperatorHarness h(make_interval_join(spec(-5, 5, true, true)));
  for (int i = 0; i < 3; ++i) h.feed(batch_of(std::vector<In>(1000, In{1, i, 100})), 0);
  h.feed(batch_of({{1, 5, 100}, {1, 5, 100}}), 1);
  EXPECT_EQ(h.rows.size(), 6000U);
  h.watermark(kTimeMax);
  EXPECT_EQ(h.rows.size(), 6000U);
}

}  // namespace
}  // namespace supyo::operators
