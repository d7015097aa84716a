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

/// Answers from rows, and keeps what it was asked: "1,3" of one question.
class Asked final : public dataflow::Lookup {
 public:
  struct Table {
    std::vector<In> rows;
    std::vector<std::string> questions;
    std::optional<Error> error = {};
  };
  explicit Asked(std::shared_ptr<Table> table) : table_(std::move(table)) {}
  std::size_t most_keys() const override { return 2; }
  Result<std::vector<BatchPtr>> find(const Batch& keys) override {
    std::string question;
    std::vector<BatchPtr> out;
    for (std::size_t i = 0; i < keys.rows; ++i) {
      const std::int64_t k = keys.columns[0]->value<std::int64_t>(i);
      question += (i > 0 ? "," : "") + std::to_string(k);
      for (const In& row : table_->rows)
        if (row.key == k || (k == -1 && row.key == 1)) out.push_back(batch_of({row}));   // -1: a key that is 1's equal for the table only
    }
    table_->questions.push_back(question);
    if (table_->error) return fail(*table_->error);
    return out;
  }

 private:
  std::shared_ptr<Table> table_;
};

LookupJoinSpec asking(const std::shared_ptr<Asked::Table>& table, dataflow::LookupCache cache, bool keep_left = true) {
  LookupJoinSpec s = spec(keep_left, {});
  s.read = nullptr;
  s.ask = [table]() -> Result<std::unique_ptr<dataflow::Lookup>> { return std::make_unique<Asked>(table); };
  s.cache = cache;
  return s;
}

TEST(LookupJoinTest, ATableIsAskedForEachKeyOfABatchOnceAndAllTogether) {
  const auto table = std::make_shared<Asked::Table>(Asked::Table{{{1, 10}, {1, 11}, {2, 20}}, {}});
  OperatorHarness h(make_lookup_join(asking(table, {})));
  h.feed(batch_of({{1, 100}, {3, 101}, {{}, 102}, {1, 103, RowKind::kDelete}, {-1, 104}, {2, 105}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|100|1|10", "+I 1|100|1|11", "+I 3|101|NULL|NULL", "+I NULL|102|NULL|NULL", "-D 1|103|1|10", "-D 1|103|1|11", "+I -1|104|NULL|NULL", "+I 2|105|2|20"));
  EXPECT_THAT(table->questions, ElementsAre("1,3", "-1,2"));
  h.rows.clear();
  table->rows = {{1, 12}};
  h.feed(batch_of({{1, 106}}));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|106|1|12")) << "nothing is remembered";
}

TEST(LookupJoinTest, TheCacheForgetsWhatIsOldOrUsedLongestAgo) {
  const auto table = std::make_shared<Asked::Table>(Asked::Table{{{1, 10}, {2, 20}, {3, 30}}, {}});
  OperatorHarness h(make_lookup_join(asking(table, {.max_keys = 2, .after_write_us = 100, .after_access_us = {}, .missing_keys = true})));
  const auto ask = [&](TimeUs now, std::vector<In> rows) {
    h.clock_us = now;
    table->questions.clear();
    h.feed(batch_of(rows));
    return table->questions;
  };
  EXPECT_THAT(ask(1, {{1, 0}, {9, 0}}), ElementsAre("1,9"));
  EXPECT_THAT(ask(50, {{9, 0}, {1, 0}}), ElementsAre()) << "that there is none is known, too";
  EXPECT_THAT(ask(60, {{2, 0}}), ElementsAre("2"));
  EXPECT_THAT(ask(70, {{1, 0}, {2, 0}}), ElementsAre()) << "9 was used longest ago";
  EXPECT_THAT(ask(80, {{9, 0}}), ElementsAre("9"));
  EXPECT_THAT(ask(165, {{2, 0}}), ElementsAre("2")) << "asked for at 60";
}

TEST(LookupJoinTest, KeysWithoutRowsAreAskedForAgainWhereThatIsWanted) {
  const auto table = std::make_shared<Asked::Table>();
  OperatorHarness h(make_lookup_join(asking(table, {.max_keys = 10, .after_write_us = {}, .after_access_us = 100, .missing_keys = false}, false)));
  h.clock_us = 1;
  h.feed(batch_of({{1, 100}}));
  table->rows = {{1, 10}};
  h.clock_us = 2;
  h.feed(batch_of({{1, 101}}));
  for (const TimeUs now : {90, 180}) {   // used often enough
    h.clock_us = now;
    h.feed(batch_of({{1, now}}));
  }
  EXPECT_THAT(table->questions, ElementsAre("1", "1"));
  h.clock_us = 281;
  h.feed(batch_of({{1, 281}}));
  EXPECT_THAT(table->questions, ElementsAre("1", "1", "1"));
  EXPECT_THAT(h.rows, ElementsAre("+I 1|101|1|10", "+I 1|90|1|10", "+I 1|180|1|10", "+I 1|281|1|10"));
}

TEST(LookupJoinTest, WhatTheTableCannotAnswerIsTheOperatorsError) {
  const auto table = std::make_shared<Asked::Table>();
  table->error = Error{ErrorCode::kOutsideUnavailable, "gone"};
  OperatorHarness h(make_lookup_join(asking(table, {})));
  const Status fed = h.try_feed(batch_of({{1, 100}}));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kOutsideUnavailable);
}

}  // namespace
}  // namespace supyo::operators
