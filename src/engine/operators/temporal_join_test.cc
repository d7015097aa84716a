#include "engine/operators/temporal_join.h"

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
  RowKind kind = RowKind::kInsert;
};

Schema side_schema() { return Schema({{"k", Type::big_int()}, {"v", Type::big_int().not_null()}, {"ts", Type::timestamp(3)}}); }

BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(side_schema());
  for (const In& r : rows) {
    if (r.key) b.column(0).append(*r.key);
    else b.column(0).append_null();
    b.column(1).append(r.value);
    b.column(2).append(r.ms * kMillisecond);
    b.end_row(r.kind);
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const In& r : rows) batch->edge_watermarks.push_back(r.edge_ms * kMillisecond);
  return batch;
}

class TemporalJoinTest : public ::testing::Test {
 protected:
  TemporalJoinSpec spec(bool keep_left, bool with_condition = false) {
    TemporalJoinSpec s{.left = side_schema(), .right = side_schema(), .left_keys = {0}, .right_keys = {0}, .left_time = 2, .right_time = 2, .keep_left = keep_left, .condition = nullptr};
    if (with_condition) {   // left.v < right.v
      const auto less = registry_.resolve("<", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
      s.condition = expr::call(less->function, {expr::column(1, Type::big_int().not_null()), expr::column(4, Type::big_int().not_null())}, less->result);
    }
    return s;
  }
  expr::FunctionRegistry registry_;
};

/// "+I k|v|ms|k|v", without what is the same everywhere.
std::string short_row(std::string row) {
  const std::string cut = "1970-01-01 00:00:00.";
  for (std::size_t at = row.find(cut); at != std::string::npos; at = row.find(cut)) row.erase(at, cut.size());
  return row.substr(0, row.rfind('|'));
}
std::vector<std::string> short_rows(const OperatorHarness& h) {
  std::vector<std::string> out;
  for (const std::string& r : h.rows) out.push_back(short_row(r));
  return out;
}

TEST_F(TemporalJoinTest, EachRowMeetsTheVersionOfItsTime) {
  OperatorHarness h(make_temporal_join(spec(true)));
  h.feed(batch_of({{1, 7, 100}, {1, 8, 110}, {1, 9, 120}, {1, 10, 99}, {1, 11, 131}, {std::nullopt, 5, 120}}), 0);
  h.feed(batch_of({{1, 1, 100}, {1, 2, 110, -9, RowKind::kUpdateAfter}, {1, 3, 130, -9, RowKind::kUpdateBefore}, {1, 3, 130, -9, RowKind::kDelete}, {2, 4, 90}, {std::nullopt, 5, 90}}), 1);
  EXPECT_THAT(h.rows, IsEmpty());
  h.watermark(119 * kMillisecond);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|10|099|NULL|NULL", "+I 1|7|100|1|1", "+I 1|8|110|1|2"));
  h.rows.clear();
  OperatorHarness::Stored stored;
  h.cut(stored);
  EXPECT_EQ(stored.size(), 3U + 1U + 2U) << "rows, versions to come, and one version a key";
  h.watermark(kTimeMax);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|9|120|1|2", "+I NULL|5|120|NULL|NULL", "+I 1|11|131|NULL|NULL"));
}

TEST_F(TemporalJoinTest, LateRowsAndLateVersions) {
  OperatorHarness h(make_temporal_join(spec(true)));
  h.watermark(50 * kMillisecond);
  h.feed(batch_of({{1, 7, 60, 59}, {1, 8, 60, 60}, {1, 9, 50, 40}, {1, 10, 80, 60}}), 0);
  ASSERT_EQ(h.late.size(), 2U);
  EXPECT_THAT(h.late[0], ::testing::HasSubstr("|TemporalJoin|LATE"));
  EXPECT_THAT(h.late[1], ::testing::HasSubstr("|TemporalJoin|IDLE_RETURN"));
  h.feed(batch_of({{1, 1, 30, 70}, {1, 2, 20, 75}}), 1);   // the first holds from 71 on; the second is older
  h.watermark(kTimeMax);
  EXPECT_THAT(short_rows(h), ElementsAre("+I 1|7|060|NULL|NULL", "+I 1|10|080|1|1"));
}

TEST_F(TemporalJoinTest, EqualsALookUpInTheHistoryWhateverTheOrderAndTheRestarts) {
  for (int mode = 0; mode < 4; ++mode) {
    for (unsigned seed = 0; seed < 6; ++seed) {
      const TemporalJoinSpec s = spec((mode & 1) != 0, (mode & 2) != 0);
      std::mt19937 random(seed * 4 + static_cast<unsigned>(mode));
      std::vector<In> fed[2];
      std::int64_t watermark[2] = {-1'000'000, -1'000'000};
      std::int64_t combined = -1'000'000;
      std::multiset<std::string> seen;
      OperatorHarness::Stored stored;
      std::size_t late = 0;
      for (int epoch = 0; epoch < 6; ++epoch) {
        OperatorHarness h(make_temporal_join(s));
        h.restore(stored, combined * kMillisecond);
        for (int step = 0; step < 8; ++step) {
          const std::size_t input = random() % 2;
          std::vector<In> rows;
          const std::int64_t now = 100 + epoch * 40 + step * 5 + static_cast<std::int64_t>(random() % 30);
          for (std::size_t i = 1 + random() % 12; i > 0; --i) {
            In r{.key = std::nullopt, .value = static_cast<std::int64_t>(random() % 50), .ms = now - static_cast<std::int64_t>(random() % (random() % 6 == 0 ? 40 : 9)), .edge_ms = watermark[input]};
            if (random() % 8 != 0) r.key = static_cast<std::int64_t>(random() % 3);
            if (input == 1) r.kind = static_cast<RowKind>(random() % 4);
            watermark[input] = std::max(watermark[input], r.ms - 8);
            rows.push_back(r);
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
      std::multiset<std::string> expected;
      std::size_t expected_late = 0;
      std::vector<In> changes = fed[1];
      for (In& c : changes) c.edge_ms = std::max(c.ms, c.edge_ms + 1);   // from when on it holds
      std::ranges::stable_sort(changes, {}, &In::edge_ms);
      for (const In& l : fed[0]) {
        if (l.ms <= l.edge_ms) {
          ++expected_late;
          continue;
        }
        const In* holds = nullptr;
        for (const In& c : changes)
          if (l.key && c.key == l.key && c.kind != RowKind::kUpdateBefore && c.edge_ms <= l.ms && (holds == nullptr || c.ms >= holds->ms)) holds = &c;
        const bool met = holds != nullptr && holds->kind != RowKind::kDelete && (!s.condition || l.value < holds->value);
        if (!met && !s.keep_left) continue;
        expected.insert(fmt::format("+I {}|{}|{:03}|{}", l.key ? std::to_string(*l.key) : "NULL", l.value, l.ms, met ? fmt::format("{}|{}", *holds->key, holds->value) : "NULL|NULL"));
      }
      ASSERT_EQ(seen, expected) << "mode " << mode << ", seed " << seed;
      EXPECT_EQ(late, expected_late);
    }
  }
}

}  // namespace
}  // namespace supyo::operators
