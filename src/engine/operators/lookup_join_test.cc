#include "engine/operators/lookup_join.h"

#include <gmock/gmock.h>

#include "engine/operators/join_testing.h"
#include "engine/operators/operator_harness.h"
#include "sql/expr/registry.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;

LookupJoinSpec spec(bool keep_left, std::vector<BatchPtr> table, int* reads = nullptr) {
  return {.left = key_value_schema("k", "v"), .right = key_value_schema("rk", "rv"), .left_keys = {0}, .right_keys = {0}, .keep_left = keep_left, .condition = nullptr, .zone = {},
          .read = [table = std::move(table), reads]() -> Result<std::vector<BatchPtr>> {
            if (reads != nullptr) ++*reads;
            return table;
          }};
}

expr::ExprPtr less(const expr::FunctionRegistry& functions) {
  const auto resolved = functions.resolve("<", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
  return expr::call(resolved->function, {expr::column(1, Type::big_int().not_null()), expr::column(3, Type::big_int().not_null())}, resolved->result);
}

TEST(LookupJoinTest, GivesEachRowItsPartnersInTheTablesOrderAndNoneToANull) {
  OperatorHarness h(make_lookup_join(spec(false, {batch_of({{1, 10}, {2, 20}, {{}, 30}}), batch_of({{1, 11}})})));
  h.feed(batch_of({{1, 100}, {3, 101}, {{}, 102}, {2, 103, RowKind::kDelete}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|100|1|10", "+I 1|100|1|11", "-D 2|103|2|20"));
}

TEST(LookupJoinTest, ALeftJoinKeepsRowsInOrder) {
  OperatorHarness h(make_lookup_join(spec(true, {batch_of({{1, 10}})})));
  h.feed(batch_of({{2, 100}, {1, 101}, {{}, 102}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 2|100|NULL|NULL", "+I 1|101|1|10", "+I NULL|102|NULL|NULL"));
}

TEST(LookupJoinTest, TheConditionDecidesWhoIsAlone) {
  const expr::FunctionRegistry functions;
  for (const bool keep : {false, true}) {
    LookupJoinSpec s = spec(keep, {batch_of({{1, 10}, {1, 20}, {2, 5}})});
    s.condition = less(functions);
    OperatorHarness h(make_lookup_join(s));
    h.feed(batch_of({{2, 100}, {1, 15}, {1, 1}, {7, 0}}));
    if (keep) EXPECT_THAT(h.rows, ElementsAre("+I 2|100|NULL|NULL", "+I 1|15|1|20", "+I 1|1|1|10", "+I 1|1|1|20", "+I 7|0|NULL|NULL"));
    else EXPECT_THAT(h.rows, ElementsAre("+I 1|15|1|20", "+I 1|1|1|10", "+I 1|1|1|20"));
  }
}

TEST(LookupJoinTest, MoreThanABatchComesOut) {
  std::vector<In> many;
  for (std::int64_t i = 0; i < 3000; ++i) many.push_back({1, i});
  OperatorHarness h(make_lookup_join(spec(false, {batch_of(many)})));
  h.feed(batch_of({{1, 7}, {1, 8}}));
  ASSERT_EQ(h.rows.size(), 6000U);
  EXPECT_EQ(h.rows[2999], "+I 1|7|1|2999");
  EXPECT_EQ(h.rows[3000], "+I 1|8|1|0");
}

TEST(LookupJoinTest, TheTableIsReadOnceAStartAndItsErrorIsTheOperators) {
  int reads = 0;
  const auto factory = make_lookup_join(spec(false, {}, &reads));
  for (std::uint32_t shard = 0; shard < 3; ++shard) ASSERT_TRUE(factory(shard, 3));
  EXPECT_EQ(reads, 1);
  ASSERT_TRUE(factory(0, 3));
  EXPECT_EQ(reads, 2) << "another start";
  LookupJoinSpec s = spec(false, {});
  s.read = []() -> Result<std::vector<BatchPtr>> { return fail(ErrorCode::kFileNotFound, "gone"); };
  const auto made = make_lookup_join(s)(0, 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kFileNotFound);
}

}  // namespace
}  // namespace supyo::operators
