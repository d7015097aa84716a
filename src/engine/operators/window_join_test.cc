#include "engine/operators/window_join.h"

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
using Rows = WindowJoinSpec::Rows;

struct In {
  std::optional<std::int64_t> key;
  std::int64_t value = 0;
  std::int64_t end_ms = 0;             ///< of its window of 10 ms
  std::int64_t edge_ms = -1'000'000;   ///< watermark just before it
};

Schema side_schema() {
  return Schema({{"k", Type::big_int()}, {"v", Type::big_int().not_null()}, {"window_start", Type::timestamp(3).not_null()}, {"window_end", Type::timestamp(3).not_null()}});
}

BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(side_schema());
  for (const In& r : rows) {
    if (r.key) b.column(0).append(*r.key);
    else b.column(0).append_null();
    b.column(1).append(r.value);
    b.column(2).append((r.end_ms - 10) * kMillisecond);
    b.column(3).append(r.end_ms * kMillisecond);
    b.end_row();
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const In& r : rows) batch->edge_watermarks.push_back(r.edge_ms * kMillisecond);
  return batch;
}

class WindowJoinTest : public ::testing::Test {
 protected:
  WindowJoinSpec spec(bool keep_left, bool keep_right, Rows rows = Rows::kPairs, bool with_condition = false) {
    WindowJoinSpec s{.left = side_schema(), .right = side_schema(), .left_keys = {2, 0, 3}, .right_keys = {2, 0, 3}, .left_start = 2, .left_end = 3, .right_start = 2, .right_end = 3,
                     .keep_left = keep_left, .keep_right = keep_right, .rows = rows, .condition = nullptr};
    if (with_condition) {   // left.v < right.v
      const auto less = registry_.resolve("<", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
      s.condition = expr::call(less->function, {expr::column(1, Type::big_int().not_null()), expr::column(5, Type::big_int().not_null())}, less->result);
    }
    return s;
  }
  expr::FunctionRegistry registry_;
};

/// "kind k|v|end in ms|k|v|end in ms"
std::string short_row(const std::string& row) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t at = row.find('|'); at != std::string::npos; at = row.find('|', from)) {
    parts.push_back(row.substr(from, at - from));
    from = at + 1;
  }
  parts.push_back(row.substr(from));
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i % 4 == 2) continue;   // window_start
    out += (out.empty() ? "" : "|") + (i % 4 == 3 && parts[i] != "NULL" ? parts[i].substr(parts[i].size() - 3) : parts[i]);
  }
  return out;
}
std::vector<std::string> short_rows(const OperatorHarness& h) {
  std::vector<std::string> out;
  for (const std::string& r : h.rows) out.push_back(short_row(r));
  return out;
}

TEST_F(WindowJoinTest, JoinsAWindowWhenItIsCompleteAndForgetsIt) {
  OperatorHarness h(make_window_join(spec(true, true)));
  h.feed(batch_of({{1, 7, 20}, {2, 8, 10}, {1, 9, 10}, {1, 9, 10}, {std::nullopt, 5, 10}}), 0);
  h.feed(batch_of({{1, 1, 10}, {3, 2, 10}, {1, 3, 20}, {std::nullopt, 6, 10}}), 1);
  h.watermark(9 * kMillisecond - 1);
  EXPECT_THAT(h.rows, IsEmpty());
  h.watermark(9 * kMillisecond);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|9|010|1|1|010", "+I 1|9|010|1|1|010", "+I 2|8|010|NULL|NULL|NULL", "+I NULL|5|010|NULL|NULL|NULL", "+I NULL|NULL|NULL|3|2|010",
                                         "+I NULL|NULL|NULL|NULL|6|010"));
  h.rows.clear();
  OperatorHarness::Stored stored;
  h.cut(stored);
  EXPECT_THAT(stored, IsEmpty()) << "rows wait outside the state, until an epoch ends";
  h.barrier();
  h.cut(stored);
  EXPECT_EQ(stored.size(), 2U);
  h.watermark(kTimeMax);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|7|020|1|3|020"));
  h.cut(stored);
  EXPECT_THAT(stored, IsEmpty());
}

TEST_F(WindowJoinTest, RowsOfAClosedWindowAreLate) {
  OperatorHarness h(make_window_join(spec(true, false)));
  h.watermark(9 * kMillisecond);
  h.feed(batch_of({{1, 7, 10, 5}, {1, 8, 20, 19}, {1, 9, 20, 18}}), 0);
  ASSERT_EQ(h.late.size(), 2U);
  EXPECT_THAT(h.late[0], ::testing::HasSubstr("1|7|1970-01-01 00:00:00.000|1970-01-01 00:00:00.010|NULL|NULL|NULL|NULL|1970-01-01 00:00:00.005"));
  EXPECT_THAT(h.late[0], ::testing::HasSubstr("IDLE_RETURN"));
  EXPECT_THAT(h.late[1], ::testing::HasSubstr("|1970-01-01 00:00:00.010|1970-01-01 00:00:00.020|WindowJoin|LATE"));
  h.watermark(kTimeMax);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|9|020|NULL|NULL|NULL"));
}

std::string text(const In* r) { return r == nullptr ? "NULL|NULL|NULL" : fmt::format("{}|{}|{:03}", r->key ? std::to_string(*r->key) : "NULL", r->value, r->end_ms); }
bool is_late(const In& r) { return r.edge_ms >= r.end_ms - 1; }

/// The whole result, by nested loops.
std::multiset<std::string> oracle(const std::vector<In>& left, const std::vector<In>& right, const WindowJoinSpec& s) {
  std::multiset<std::string> out;
  std::vector<bool> right_met(right.size());
  for (const In& l : left) {
    if (is_late(l)) continue;
    bool met = false;
    for (std::size_t i = 0; i < right.size(); ++i) {
      const In& r = right[i];
      if (is_late(r) || !l.key || l.key != r.key || l.end_ms != r.end_ms || (s.condition && !(l.value < r.value))) continue;
      met = right_met[i] = true;
      if (s.rows == Rows::kPairs) out.insert("+I " + text(&l) + "|" + text(&r));
    }
    if (s.rows == Rows::kPairs) {
      if (!met && s.keep_left) out.insert("+I " + text(&l) + "|" + text(nullptr));
    } else if (met == (s.rows == Rows::kSemi)) {
      out.insert("+I " + text(&l));
    }
  }
  for (std::size_t i = 0; i < right.size(); ++i)
    if (!right_met[i] && !is_late(right[i]) && s.keep_right) out.insert("+I " + text(nullptr) + "|" + text(&right[i]));
  return out;
}

TEST_F(WindowJoinTest, EqualsNestedLoopsWhateverTheOrderAndTheRestarts) {
  for (int mode = 0; mode < 12; ++mode) {
    const int kind = mode / 2;
    const Rows rows = kind == 4 ? Rows::kSemi : kind == 5 ? Rows::kAnti : Rows::kPairs;
    const WindowJoinSpec s = spec(rows == Rows::kPairs && (kind & 1) != 0, rows == Rows::kPairs && (kind & 2) != 0, rows, mode % 2 != 0);
    std::mt19937 random(static_cast<unsigned>(mode) + 5);
    std::vector<In> fed[2];
    std::int64_t watermark[2] = {-1'000'000, -1'000'000};
    std::int64_t combined = -1'000'000;
    std::multiset<std::string> seen;
    std::size_t late = 0, expected_late = 0;
    OperatorHarness::Stored stored;
    for (int epoch = 0; epoch < 10; ++epoch) {
      OperatorHarness h(make_window_join(s));
      h.restore(stored, combined * kMillisecond);
      for (int step = 0; step < 8; ++step) {
        const std::size_t input = random() % 2;
        std::vector<In> batch;
        const std::int64_t now = 100 + epoch * 20 + step * 3;
        for (std::size_t i = 1 + random() % 12; i > 0; --i) {
          const std::int64_t time = now - static_cast<std::int64_t>(random() % 25);
          In r{.key = std::nullopt, .value = static_cast<std::int64_t>(random() % 4), .end_ms = time / 10 * 10 + 10, .edge_ms = watermark[input]};
          if (random() % 8 != 0) r.key = static_cast<std::int64_t>(random() % 3);
          watermark[input] = std::max(watermark[input], time - 9);
          batch.push_back(r);
          expected_late += is_late(r) ? 1U : 0U;
        }
        fed[input].insert(fed[input].end(), batch.begin(), batch.end());
        h.feed(batch_of(batch), input);
        if (random() % 3 == 0 && std::min(watermark[0], watermark[1]) > combined) {
          combined = std::min(watermark[0], watermark[1]);
          h.watermark(combined * kMillisecond);
        }
      }
      if (epoch == 9) h.watermark(kTimeMax);
      for (const std::string& row : short_rows(h)) seen.insert(row);
      late += h.late.size();
      h.barrier();
      h.cut(stored);
    }
    ASSERT_EQ(seen, oracle(fed[0], fed[1], s)) << "mode " << mode;
    EXPECT_EQ(late, expected_late) << "mode " << mode;
    EXPECT_GT(late, 0U);
    EXPECT_THAT(stored, IsEmpty());
  }
}

/// Rows that wait go into the state when they are many; the windows that they are in are joined there, with those that came later.
TEST_F(WindowJoinTest, ManyRowsDoNotWait) {
  for (const bool with_condition : {false, true}) {
    OperatorHarness h(make_window_join(spec(false, false, Rows::kPairs, with_condition)));
    std::vector<In> rows;
    for (int i = 0; i < 4000; ++i) rows.push_back({i % 100, i % 2, 10});
    for (int i = 0; i < 17; ++i) h.feed(batch_of(rows), 0);
    EXPECT_GT(h.state().entries(), 0U);
    h.feed(batch_of({{5, 1, 10}, {6, 1, 20}}), 1);
    h.feed(batch_of({{5, 0, 10}, {6, 0, 20}}), 0);
    h.watermark(kTimeMax);
    EXPECT_EQ(h.rows.size(), with_condition ? 2U : 17U * 40 + 2);   // key 5 has odd values only, but for the last row
    EXPECT_EQ(h.state().entries(), 0U);
  }
}

TEST_F(WindowJoinTest, AHotKeyIsCutIntoBatches) {
  OperatorHarness h(make_window_join(spec(true, true)));
  for (int i = 0; i < 3; ++i) h.feed(batch_of(std::vector<In>(1000, In{1, i, 10})), 0);
  h.feed(batch_of({{1, 5, 10}, {1, 6, 10}, {2, 6, 10}}), 1);
  h.watermark(kTimeMax);
  EXPECT_EQ(h.rows.size(), 6001U);
}

}  // namespace
}  // namespace supyo::operators
