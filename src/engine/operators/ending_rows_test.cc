#include "engine/operators/ending_rows.h"

#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include "engine/operators/group_keys.h"
#include "engine/operators/join_testing.h"

namespace supyo::operators {
namespace {

using Found = std::vector<std::tuple<std::uint32_t, std::int64_t, std::int64_t>>;   // asker, key, value

/// Rows (key, value), which end at their value, beside a list of them.
class Rows {
 public:
  void add(const std::vector<In>& rows) {
    const BatchPtr batch = batch_of(rows);
    std::vector<std::uint32_t> with_key;
    for (std::uint32_t r = 0; r < rows.size(); ++r) {
      if (!rows[r].key) continue;
      with_key.push_back(r);
      list_.push_back(rows[r]);
    }
    keys_.start(*batch);
    rows_.add(batch, with_key, keys_.hashes());
  }
  void end_until(TimeUs w) {
    rows_.end_until(w);
    const std::int64_t second = RowEnds::second_of(w);
    std::erase_if(list_, [&](const In& r) { return RowEnds::second_of(r.value) + 1 <= second; });
  }
  /// What is found and has not ended.
  Found find(const std::vector<In>& askers, TimeUs w) {
    const BatchPtr batch = batch_of(askers);
    std::vector<std::uint32_t> numbers(batch->rows);
    for (std::uint32_t r = 0; r < batch->rows; ++r) numbers[r] = r;
    keys_.start_with_all(*batch);
    std::vector<EndingRows::Match> matches;
    rows_.find(numbers, keys_.hashes(), keys_.views(), matches);
    Found out;
    for (const EndingRows::Match& m : matches) {
      const TimeUs value = m.batch->columns[1]->value<std::int64_t>(m.row);
      if (RowEnds::second_of(value) + 1 > RowEnds::second_of(w)) out.emplace_back(m.asker, m.batch->columns[0]->value<std::int64_t>(m.row), value);
    }
    return out;
  }
  Found expected(const std::vector<In>& askers, TimeUs w) const {
    Found out;
    for (std::uint32_t a = 0; a < askers.size(); ++a)
      for (const In& r : list_)
        if (r.key == askers[a].key && RowEnds::second_of(r.value) + 1 > RowEnds::second_of(w)) out.emplace_back(a, *r.key, r.value);
    return out;
  }
  /// What was in the oldest batch and has not ended is no longer here.
  std::size_t take_front() {
    std::vector<std::uint32_t> live;
    rows_.live_rows_of_front(live);
    for (const std::uint32_t r : live) {
      const In in{rows_.front().columns[0]->value<std::int64_t>(r), rows_.front().columns[1]->value<std::int64_t>(r)};
      const auto at = std::ranges::find(list_, in);
      EXPECT_NE(at, list_.end());
      if (at != list_.end()) list_.erase(at);
    }
    rows_.pop_front();
    return live.size();
  }
  EndingRows& rows() { return rows_; }
  std::size_t size() const { return list_.size(); }

 private:
  GroupKeys keys_{key_value_schema("k", "v"), {0}};
  EndingRows rows_{{.column = 1}, {0}, {Type::big_int()}};
  std::vector<In> list_;
};

TEST(EndingRowsTest, WhatIsFoundIsWhatHasNotEnded) {
  std::mt19937_64 random(5);
  Rows rows;
  TimeUs w = -5 * kSecond;
  std::size_t found = 0, taken = 0;
  for (int step = 0; step < 3000; ++step) {
    std::vector<In> in;
    for (auto n = random() % 30 + 1; n > 0; --n) {
      const DurationUs far = step > 1000 && step < 2000 && random() % 200 == 0 ? 1000 * kSecond : 0;
      in.push_back({random() % 10 == 0 ? std::nullopt : std::optional<std::int64_t>(random() % 40), w - 2 * kSecond + static_cast<std::int64_t>(random() % (12 * kSecond)) + far});
    }
    rows.add(in);
    if (random() % 4 == 0) rows.end_until(w += static_cast<std::int64_t>(random() % (2 * kSecond)));
    while (rows.rows().crowded()) taken += rows.take_front();
    if (random() % 3 != 0) continue;
    std::vector<In> askers;
    for (auto n = random() % 8 == 0 ? random() % 40 + 1 : 1; n > 0; --n) askers.push_back({static_cast<std::int64_t>(random() % 45)});
    const Found f = rows.find(askers, w);
    ASSERT_EQ(f, rows.expected(askers, w)) << step;
    found += f.size();
  }
  EXPECT_GT(found, 1000U);
  EXPECT_GT(taken, 10U) << "rows that end much later stand in the way";
  EXPECT_LT(taken, 500U) << "all others go with their batches";
  rows.end_until(w + 2000 * kSecond);
  EXPECT_TRUE(rows.rows().empty());
}

TEST(EndingRowsTest, OneRowThatStaysDoesNotKeepAllThatCameBehindIt) {
  Rows rows;
  rows.add({{1, 1'000'000 * kSecond}, {2, 0}});
  for (std::int64_t t = 0; t < 1000; ++t) {
    rows.add(std::vector<In>(20, In{t % 7, t * kSecond}));
    rows.end_until(t * kSecond);
    if (rows.rows().crowded()) {
      EXPECT_GT(t, 5) << "not as long as it is a few";
      EXPECT_EQ(rows.take_front(), 1U);
    }
  }
  EXPECT_LE(rows.size(), 40U);
  rows.end_until(2000 * kSecond);
  EXPECT_TRUE(rows.rows().empty());
}

TEST(EndingRowsTest, TooManyAreNotHeld) {
  Rows rows;
  std::size_t added = 0;
  for (std::int64_t n = 0; !rows.rows().crowded(); ++n, added += Batch::kMaxRows) {
    ASSERT_LT(added, 4'000'000U);
    rows.add(std::vector<In>(Batch::kMaxRows, In{n, 10 * kSecond}));
  }
  rows.rows().pop_front();
  EXPECT_FALSE(rows.rows().crowded());
}

TEST(EndingRowsTest, EndsAreWholeSecondsBehindTheRow) {
  const RowEnds ends{.column = 1, .after_us = 10 * kSecond};
  const BatchPtr batch = batch_of({{1, 0}, {1, -1}, {1, 999'999}, {1, kTimeMax - 1}, {1, kTimeMin}});
  EXPECT_EQ(ends.second(*batch, 0), 11);
  EXPECT_EQ(ends.second(*batch, 1), 10);
  EXPECT_EQ(ends.second(*batch, 2), 11);
  EXPECT_EQ(ends.second(*batch, 3), RowEnds::second_of(kTimeMax)) << "with the end of the input";
  EXPECT_LT(ends.second(*batch, 4), -9'000'000'000'000);
  const RowEnds before{.column = 1, .after_us = -10 * kSecond};
  EXPECT_EQ(before.second(*batch, 4), RowEnds::second_of(kTimeMin) + 1);
}

}  // namespace
}  // namespace supyo::operators
