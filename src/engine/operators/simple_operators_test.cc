#include <gmock/gmock.h>

#include "core/env/sim/sim_env.h"
#include "data/types/builder.h"
#include "engine/operators/calc.h"
#include "engine/operators/limit.h"
#include "engine/operators/operator_harness.h"
#include "engine/operators/sort.h"
#include "engine/operators/values.h"
#include "sql/expr/registry.h"

namespace supyo::operators {
namespace {

Schema schema() { return Schema({{"a", Type::integer()}, {"b", Type::string()}}); }

struct Row {
  std::optional<int> a;
  std::string b;
  RowKind kind = RowKind::kInsert;
};

BatchPtr batch_of(const std::vector<Row>& rows) {
  BatchBuilder b(schema());
  for (const Row& r : rows) {
    if (r.a) b.column(0).append(*r.a); else b.column(0).append_null();
    b.column(1).append_text(r.b);
    b.end_row(r.kind);
  }
  return b.finish();
}

TEST(CalcTest, FiltersAndProjectsInOnePass) {
  const expr::FunctionRegistry registry;
  const expr::ExprPtr a = expr::column(0, Type::integer());
  const expr::ExprPtr two = expr::literal({.type = Type::integer().not_null(), .data = std::int64_t{2}});
  const std::vector<Type> types = {a->type, two->type};
  const auto at_least = registry.resolve(">=", types);
  const auto plus = registry.resolve("+", types);
  CalcSpec spec;
  spec.filter = expr::call(at_least->function, {a, two}, at_least->result);
  spec.projections = {expr::column(1, Type::string()), expr::call(plus->function, {a, two}, plus->result)};
  OperatorHarness h(make_calc(spec));
  auto batch = std::make_shared<Batch>(*batch_of({{1, "x"}, {2, "y", RowKind::kDelete}, {std::nullopt, "z"}, {3, "w"}}));
  batch->edge_watermarks = {1, 2, 3, 4};
  h.feed(batch);
  EXPECT_THAT(h.rows, ::testing::ElementsAre("-D y|4", "+I w|5"));
  EXPECT_THAT(h.batches[0]->edge_watermarks, ::testing::ElementsAre(2, 4));
  h.feed(batch_of({{1, "x"}}));
  EXPECT_EQ(h.batches.size(), 1U) << "empty batches are not sent";
  h.feed(batch_of({{7, "all"}}));
  EXPECT_EQ(h.rows.back(), "+I all|9");
}

TEST(LimitTest, CutsWithinABatchAndAcrossARestore) {
  OperatorHarness h(make_limit({.offset = 1, .limit = 3}));
  h.feed(batch_of({{1, "a"}, {2, "b"}, {3, "c"}}));
  OperatorHarness::Stored stored;
  h.cut(stored);
  EXPECT_FALSE(h.finished);
  OperatorHarness again(make_limit({.offset = 1, .limit = 3, .ends_job = true}));
  again.restore(stored, kTimeMin);
  again.feed(batch_of({{4, "d"}, {5, "e"}}));
  EXPECT_TRUE(again.finished);
  again.feed(batch_of({{6, "f"}}));
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I 2|b", "+I 3|c"));
  EXPECT_THAT(again.rows, ::testing::ElementsAre("+I 4|d"));
  EXPECT_EQ(again.try_feed(batch_of({{1, "a", RowKind::kDelete}})).error().code, ErrorCode::kUnsupported);
}

TEST(SortTest, SortsAtTheEndAndTakesRetractions) {
  SortSpec spec;
  spec.input = schema();
  spec.keys = {{.column = 0, .descending = true, .nulls_first = false}};
  OperatorHarness h(make_sort(spec));
  h.feed(batch_of({{1, "a"}, {5, "b"}, {std::nullopt, "n"}, {5, "c"}}));
  h.feed(batch_of({{1, "a", RowKind::kDelete}, {9, "z", RowKind::kUpdateAfter}, {2, "q"}}));
  EXPECT_TRUE(h.rows.empty());
  h.watermark(kTimeMax);
  EXPECT_THAT(h.rows, ::testing::ElementsAre("+I 9|z", "+I 5|b", "+I 5|c", "+I 2|q", "+I NULL|n"));
  spec.offset = 1;
  spec.limit = 2;
  OperatorHarness cut(make_sort(spec));
  cut.feed(batch_of({{1, "a"}, {5, "b"}, {3, "c"}, {4, "d"}}));
  cut.watermark(kTimeMax);
  EXPECT_THAT(cut.rows, ::testing::ElementsAre("+I 4|d", "+I 3|c"));
}

TEST(UnionTest, HandsOnTheSameBatch) {
  OperatorHarness h(make_union());
  const BatchPtr b = batch_of({{1, "a"}});
  h.feed(b);
  EXPECT_EQ(h.batches[0], b);
}

class CollectingOutput final : public dataflow::SourceOutput {
 public:
  Status emit(dataflow::SourceBatch b) override {
    for (std::size_t r = 0; r < b.batch->rows; ++r) rows.push_back(OperatorHarness::text_of(*b.batch, r));
    return ok();
  }
  Status dead(dataflow::DeadRecord) override { return ok(); }
  void quiet(std::uint32_t) override {}
  std::vector<std::string> rows;
};

TEST(ValuesTest, GoesOnFromItsPosition) {
  std::vector<std::vector<Value>> rows;
  for (std::int64_t i = 0; i < 5; ++i) rows.push_back({{.type = Type::integer(), .data = i}, {.type = Type::string(), .data = std::string("t")}});
  const auto source = make_values(schema(), rows);
  env::SimEnv sim(1);
  const env::Env& env = sim.env();
  auto splits = *source->splits();
  auto reader = *source->open(splits, env);
  CollectingOutput out;
  EXPECT_EQ(reader->poll(2, out)->progress, dataflow::Progress::kMore);
  splits[0].position = reader->positions()[0].position;
  auto again = *source->open(splits, env);
  EXPECT_EQ(again->poll(100, out)->progress, dataflow::Progress::kDone);
  EXPECT_THAT(out.rows, ::testing::ElementsAre("+I 0|t", "+I 1|t", "+I 2|t", "+I 3|t", "+I 4|t"));
  EXPECT_EQ((*source->open({}, env))->poll(100, out)->progress, dataflow::Progress::kDone);
}

}  // namespace
}  // namespace supyo::operators
