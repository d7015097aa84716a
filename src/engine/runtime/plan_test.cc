#include "engine/runtime/plan.h"

#include <gtest/gtest.h>

#include "testkit/fake_operators.h"
#include "testkit/fake_sink.h"
#include "testkit/fake_source.h"
#include "testkit/topology.h"

namespace supyo::runtime {
namespace {

using namespace testkit;

struct PlanTest : ::testing::Test {
  Script script{true};
  FakeTable table;
  std::shared_ptr<dataflow::Sink> sink(const std::string& name) { return std::make_shared<FakeSink>(table, name); }
  std::shared_ptr<dataflow::Source> source() { return std::make_shared<ScriptedSource>(script, 1); }
  Topology t;
};

TEST_F(PlanTest, OneShardHasOnlyCalls) {
  const auto a = t.source(source());
  const auto b = t.op("b", factory_of<CountPerKey>());
  const auto s = t.sink(sink("s"));
  t.hash(a, b).single(b, s);
  const auto plan = make_plan(t.graph(), 1);
  ASSERT_TRUE(plan);
  for (const auto& e : plan->edges) EXPECT_TRUE(e.direct);
}

TEST_F(PlanTest, ForwardIsACallOnlyIntoASingleInput) {
  const auto a = t.source(source());
  const auto b = t.source(source());
  const auto u = t.op("union", factory_of<CountPerKey>());
  const auto c = t.op("c", factory_of<CountPerKey>());
  const auto s = t.sink(sink("s"));
  t.forward(a, u).forward(b, u).forward(u, c).hash(c, s);
  const auto plan = make_plan(t.graph(), 3);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->edges[0].direct);
  EXPECT_TRUE(plan->edges[0].one_to_one);
  EXPECT_FALSE(plan->edges[1].direct);
  EXPECT_TRUE(plan->edges[2].direct);
  EXPECT_FALSE(plan->edges[3].direct);
  EXPECT_FALSE(plan->edges[3].one_to_one);
}

TEST_F(PlanTest, WhatFollowsASingleNodeIsSingleUntilTheNextHash) {
  const auto a = t.source(source());
  const auto g = t.op("global", factory_of<CountPerKey>(), sink("late"));
  const auto f = t.op("filter", factory_of<CountPerKey>());
  const auto h = t.op("keyed", factory_of<CountPerKey>());
  const auto s = t.sink(sink("s"));
  t.single(a, g).forward(g, f).hash(f, h).forward(h, s);
  const auto plan = make_plan(t.graph(), 4);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->nodes[a].single);
  EXPECT_TRUE(plan->nodes[g].single);
  EXPECT_TRUE(plan->nodes[f].single);
  EXPECT_FALSE(plan->nodes[h].single);
  EXPECT_FALSE(plan->nodes[s].single);
  ASSERT_EQ(plan->nodes.size(), 6U);
  EXPECT_TRUE(plan->nodes[5].side);
  EXPECT_TRUE(plan->nodes[5].single);
}

TEST_F(PlanTest, OneSinkObjectHasOneNodeAndSinksOfOneNameHaveTheirOwnIds) {
  const auto shared = sink("out");
  const auto a = t.source(source());
  const auto b = t.op("b", factory_of<CountPerKey>(), shared);
  const auto s1 = t.sink(shared);
  const auto s2 = t.sink(shared);
  const auto s3 = t.sink(sink("out"));
  t.forward(a, b).forward(b, s1).forward(b, s2).forward(b, s3);
  const auto plan = make_plan(t.graph(), 2);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->nodes[s1].in.size(), 3U);
  EXPECT_EQ(plan->nodes[s2].sink, nullptr);
  EXPECT_EQ(plan->nodes[s1].sink_id, "out");
  EXPECT_EQ(plan->nodes[s3].sink_id, "out#2");
}

TEST_F(PlanTest, MalformedGraphsAreNamed) {
  EXPECT_EQ(make_plan(t.graph(), 1).error().code, ErrorCode::kInternal);
  const auto a = t.source(source());
  const auto s = t.sink(sink("s"));
  t.forward(s, a);
  EXPECT_EQ(make_plan(t.graph(), 1).error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace supyo::runtime
