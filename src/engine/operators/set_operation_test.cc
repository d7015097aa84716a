#include "engine/operators/set_operation.h"

#include <gmock/gmock.h>

#include <random>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

struct Row {
  std::int64_t n = 0;
  std::string word;
  std::size_t side = 0;
  RowKind kind = RowKind::kInsert;
};

Schema schema() { return Schema({{"n", Type::big_int()}, {"word", Type::string()}}); }

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(schema());
  for (const Row& r : rows) {
    if (r.n == 0) b.column(0).append_null(); else b.column(0).append(r.n);
    b.column(1).append_text(r.word);
    b.end_row(r.kind);
  }
  return b.finish();
}

/// Rows of both sides; some are taken back.
std::vector<Row> random_rows(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Row> out;
  std::vector<Row> there;
  for (std::size_t i = 0; i < 1500; ++i) {
    if (!there.empty() && random() % 5 < 2) {
      const std::size_t k = random() % there.size();
      Row r = there[k];
      r.kind = random() % 2 == 0 ? RowKind::kDelete : RowKind::kUpdateBefore;
      there.erase(there.begin() + static_cast<std::ptrdiff_t>(k));
      out.push_back(r);
      continue;
    }
    there.push_back({.n = static_cast<std::int64_t>(random() % 6), .word = std::string(random() % 3, 'x'), .side = random() % 2});
    out.push_back(there.back());
  }
  return out;
}

using Counts = std::map<std::string, std::int64_t>;

Counts expected(const std::vector<Row>& rows, const SetOperationSpec& spec) {
  std::map<std::string, std::int64_t> sides[2];
  for (const Row& r : rows) sides[r.side][fmt::format("{}|{}", r.n == 0 ? "NULL" : std::to_string(r.n), r.word)] += is_retraction(r.kind) ? -1 : 1;
  Counts out;
  for (const auto& [row, left] : sides[0]) {
    const std::int64_t right = sides[1].contains(row) ? sides[1].at(row) : 0;
    std::int64_t n = spec.intersect ? std::min(left, right) : spec.all ? std::max<std::int64_t>(left - right, 0) : (right > 0 ? 0 : left);
    if (!spec.all) n = std::min<std::int64_t>(n, 1);
    if (n > 0) out[row] = n;
  }
  return out;
}

void gather(const OperatorHarness& h, Counts& counts) {
  for (const std::string& row : h.rows) {
    std::int64_t& n = counts[row.substr(3)];
    n += row.starts_with("+I") ? 1 : -1;
    ASSERT_GE(n, 0) << row << " was taken back before it was there";
    if (n == 0) counts.erase(row.substr(3));
  }
}

TEST(SetOperationTest, EqualsBruteForceAtEveryBatchSizeAndAfterRestore) {
  for (const bool intersect : {true, false}) {
    for (const bool all : {true, false}) {
      const SetOperationSpec spec{.input = schema(), .intersect = intersect, .all = all};
      const std::vector<Row> rows = random_rows(intersect ? 1 : 2);
      for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{300}}) {
        auto h = std::make_unique<OperatorHarness>(make_set_operation(spec));
        OperatorHarness::Stored stored;
        Counts got;
        std::size_t number = 0;
        for (std::size_t from = 0; from < rows.size();) {
          std::vector<Row> part;
          for (const std::size_t side = rows[from].side; from < rows.size() && rows[from].side == side && part.size() < batch_rows; ++from) part.push_back(rows[from]);
          h->feed(batch_of(part), part.front().side);
          if (++number % 60 != 0) continue;
          h->cut(stored);
          gather(*h, got);
          h = std::make_unique<OperatorHarness>(make_set_operation(spec));
          h->restore(stored, kTimeMin);
        }
        gather(*h, got);
        EXPECT_EQ(got, expected(rows, spec)) << intersect << all << " " << batch_rows;
      }
    }
  }
}

TEST(SetOperationTest, ARowThatIsNowhereIsForgotten) {
  OperatorHarness h(make_set_operation({.input = schema(), .intersect = false, .all = false}));
  const Row r{.n = 1, .word = "a"};
  h.feed(batch_of({&r, 1}), 0);
  h.feed(batch_of({&r, 1}), 1);
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I 1|a", "-D 1|a"));
  Row gone = r;
  gone.kind = RowKind::kDelete;
  h.feed(batch_of({&gone, 1}), 0);
  h.feed(batch_of({&gone, 1}), 1);
  EXPECT_EQ(h.rows.size(), 2U);
  OperatorHarness::Stored stored;
  h.cut(stored);
  EXPECT_TRUE(stored.empty());
}

}  // namespace
}  // namespace supyo::operators
