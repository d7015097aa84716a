#include "engine/operators/upsert_materialize.h"

#include <gmock/gmock.h>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Schema rows_schema() { return Schema({{"k", Type::string()}, {"id", Type::integer()}, {"v", Type::integer()}}); }

BatchPtr row(RowKind kind, const char* key, std::int32_t id, std::int32_t v) {
  BatchBuilder b(rows_schema());
  b.column(0).append_text(key);
  b.column(1).append(id);
  b.column(2).append(v);
  b.end_row(kind);
  return b.finish();
}

std::vector<std::string> fed(OperatorHarness& h, const BatchPtr& batch) {
  h.rows.clear();
  h.feed(batch);
  return h.rows;
}

constexpr RowKind kInsert = RowKind::kInsert, kBefore = RowKind::kUpdateBefore, kAfter = RowKind::kUpdateAfter, kDelete = RowKind::kDelete;

TEST(UpsertMaterialize, TheLastRowOfAKeyIsShown) {
  OperatorHarness h(make_upsert_materialize({.input = rows_schema(), .keys = {0}}));
  EXPECT_THAT(fed(h, row(kInsert, "a", 1, 10)), ElementsAre("+I a|1|10"));
  EXPECT_THAT(fed(h, row(kInsert, "a", 2, 20)), ElementsAre("+U a|2|20"));
  EXPECT_THAT(fed(h, row(kAfter, "a", 3, 30)), ElementsAre("+U a|3|30"));
  EXPECT_THAT(fed(h, row(kBefore, "a", 2, 20)), IsEmpty()) << "not the one that is shown";
  EXPECT_THAT(fed(h, row(kDelete, "a", 3, 30)), ElementsAre("+U a|1|10")) << "the one before it";
  EXPECT_THAT(fed(h, row(kDelete, "a", 9, 90)), IsEmpty()) << "never there";
  EXPECT_THAT(fed(h, row(kBefore, "a", 1, 10)), ElementsAre("-D a|1|10"));
  EXPECT_THAT(fed(h, row(kDelete, "a", 1, 10)), IsEmpty());
}

TEST(UpsertMaterialize, RowsThatHaveAKeyOfTheirOwnTakeTheirPlace) {
  OperatorHarness h(make_upsert_materialize({.input = rows_schema(), .keys = {0}, .row_key = std::vector<std::size_t>{1}}));
  fed(h, row(kInsert, "a", 1, 10));
  fed(h, row(kInsert, "a", 2, 20));
  EXPECT_THAT(fed(h, row(kAfter, "a", 1, 11)), ElementsAre("+U a|1|11"));
  EXPECT_THAT(fed(h, row(kDelete, "a", 2, 20)), ElementsAre("+U a|1|11"));
  EXPECT_THAT(fed(h, row(kDelete, "a", 1, 99)), ElementsAre("-D a|1|99")) << "told by its key";
}

TEST(UpsertMaterialize, RowsSurviveARestartAndEndByTheClock) {
  const auto factory = make_upsert_materialize({.input = rows_schema(), .keys = {0}, .ttl_us = 10 * kSecond});
  OperatorHarness::Stored stored;
  {
    OperatorHarness h(factory);
    fed(h, row(kInsert, "a", 1, 10));
    fed(h, row(kInsert, "a", 2, 20));
    h.cut(stored);
  }
  OperatorHarness h(factory);
  h.restore(stored, kTimeMin);
  EXPECT_THAT(fed(h, row(kDelete, "a", 2, 20)), ElementsAre("+U a|1|10"));
  h.clock_us = 11 * kSecond;
  EXPECT_THAT(fed(h, row(kDelete, "a", 1, 10)), IsEmpty());
}

}  // namespace
}  // namespace supyo::operators
