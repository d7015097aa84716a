#include "engine/operators/keep_first.h"

#include <gmock/gmock.h>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;

Schema schema() { return Schema({{"key", Type::string()}, {"id", Type::big_int().not_null()}}); }

BatchPtr batch_of(std::initializer_list<std::pair<const char*, std::int64_t>> rows) {
  BatchBuilder b(schema());
  for (const auto& [key, id] : rows) {
    b.column(0).append_text(key);
    b.column(1).append(id);
    b.end_row();
  }
  return b.finish();
}

TEST(KeepFirst, ARowPassesOnceAKey) {
  OperatorHarness h(make_keep_first({.input = schema(), .partition = {0}}));
  h.feed(batch_of({{"a", 1}, {"b", 2}, {"a", 3}}));
  h.feed(batch_of({{"b", 4}, {"c", 5}}));
  h.feed(batch_of({{"a", 6}}));
  EXPECT_THAT(h.rows, ElementsAre("+I a|1", "+I b|2", "+I c|5"));
  EXPECT_EQ(h.batches.size(), 2U) << "nothing is emitted for a batch of copies";
}

TEST(KeepFirst, TheFirstFewAreNumbered) {
  OperatorHarness h(make_keep_first({.input = schema(), .partition = {0}, .limit = 2, .with_number = true}));
  h.feed(batch_of({{"a", 1}, {"a", 2}, {"b", 3}, {"a", 4}}));
  h.feed(batch_of({{"b", 5}, {"b", 6}}));
  EXPECT_THAT(h.rows, ElementsAre("+I a|1|1", "+I a|2|2", "+I b|3|1", "+I b|5|2"));
}

TEST(KeepFirst, ARowKeepsTheWatermarkThatItMet) {
  OperatorHarness h(make_keep_first({.input = schema(), .partition = {0}}));
  auto batch = std::make_shared<Batch>(*batch_of({{"a", 1}, {"a", 2}, {"b", 3}}));
  batch->edge_watermarks = {5, 6, 7};
  h.feed(batch);
  EXPECT_THAT(h.batches.at(0)->edge_watermarks, ElementsAre(5, 7));
}

TEST(KeepFirst, ACopyIsKnownAfterARestartAndChangesNothing) {
  OperatorHarness::Stored stored;
  {
    OperatorHarness h(make_keep_first({.input = schema(), .partition = {0}}));
    h.feed(batch_of({{"a", 1}, {"b", 2}}));
    h.cut(stored);
  }
  EXPECT_EQ(stored.size(), 2U);
  OperatorHarness h(make_keep_first({.input = schema(), .partition = {0}}));
  h.restore(stored, kTimeMin);
  h.feed(batch_of({{"a", 3}, {"c", 4}, {"b", 5}}));
  EXPECT_THAT(h.rows, ElementsAre("+I c|4"));
  OperatorHarness::Stored changed;
  h.cut(changed);
  EXPECT_EQ(changed.size(), 1U) << "only the new key is written";
}

TEST(KeepFirst, ACopyKeepsNothingAlive) {
  OperatorHarness h(make_keep_first({.input = schema(), .partition = {0}, .ttl_us = 10 * kSecond}));
  h.clock_us = 0;
  h.feed(batch_of({{"a", 1}}));
  h.clock_us = 9 * kSecond;
  h.feed(batch_of({{"a", 2}}));
  EXPECT_THAT(h.rows, ElementsAre("+I a|1"));
  h.clock_us = 11 * kSecond;   // ten seconds after the row that passed, two after its copy
  h.feed(batch_of({{"a", 3}}));
  EXPECT_THAT(h.rows, ElementsAre("+I a|1", "+I a|3"));
}

}  // namespace
}  // namespace supyo::operators
