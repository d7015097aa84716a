#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::HasSubstr;

class JoinPlan : public PlanTest {};

TEST_F(JoinPlan, JoinsAskEachSideWhatIsItsOwn) {
  ASSERT_TRUE(session_.run("CREATE TABLE people (id INT, name STRING, city STRING) WITH ('connector'='stored')"));
  EXPECT_EQ(session_.explain("INSERT INTO printed SELECT p.id, b.price FROM bids AS b JOIN people p ON b.bidder = p.id AND b.price > 7 WHERE p.city = 'x' AND b.auction + p.id < 9"),
            R"(Sink(table=[default_catalog.default_database.printed], fields=[k, n], changelogMode=[I], guarantee=[at least once])
+- Calc(select=[CAST(id AS BIGINT) AS k, price AS n], changelogMode=[I])
   +- Join(joinType=[InnerJoin], where=[(bidder = $k2) AND ((auction + CAST(id AS BIGINT)) < 9)], select=[auction, bidder, price, id, $k2], changelogMode=[I])
         state: all rows of both inputs, for ever
      +- Exchange(distribution=[hash[bidder]])
         +- Calc(select=[auction, bidder, price], where=[(price > 7)], changelogMode=[I])
            +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[auction, bidder, price, ts], watermark=[ts - 4s], not-null=[auction, ts], changelogMode=[I])
                  state: position and watermark per split
      +- Exchange(distribution=[hash[$k2]])
         +- Calc(select=[id, CAST(id AS BIGINT) AS $k2], where=[(city = 'x')], changelogMode=[I])
            +- TableSourceScan(table=[default_catalog.default_database.people], fields=[id, city], changelogMode=[I])
                  state: position per split
)");
}

TEST_F(JoinPlan, WhatEachBranchOfAnOrRepeatsIsAKeyOfTheJoin) {
  ASSERT_TRUE(session_.run("CREATE TABLE people (id BIGINT, name STRING, city STRING) WITH ('connector'='stored')"));
  const std::string plan = session_.explain(
      "SELECT b.price FROM bids AS b, people p WHERE (b.bidder = p.id AND b.price > 7 AND p.city = 'x' AND p.name = 'y') OR (p.city = 'x' AND b.bidder = p.id AND b.price < 3)");
  EXPECT_NE(plan.find("where=[(bidder = id) AND (((price > 7) AND (name = 'y')) OR (price < 3))]"), std::string::npos) << plan;
  EXPECT_NE(plan.find("hash[bidder]"), std::string::npos) << plan;
  EXPECT_NE(plan.find("where=[(city = 'x')]"), std::string::npos) << plan;
  // A branch that asks for no more than what is common: all of the OR.
  const std::string whole = session_.explain("SELECT b.price FROM bids AS b JOIN people p ON b.bidder = p.id OR (b.bidder = p.id AND b.price < 3)");
  EXPECT_NE(whole.find("where=[(bidder = id)]"), std::string::npos) << whole;
}

TEST_F(JoinPlan, NamesOfAJoin) {
  ASSERT_TRUE(session_.run("CREATE TABLE l (id INT, a STRING, ts INT) WITH ('connector'='stored'); CREATE TABLE r (b STRING, id INT, ts INT) WITH ('connector'='stored')"));
  const auto names = [&](const std::string& sql) {
    std::string all;
    const PhysicalPlan p = plan(sql);
    for (const Field& f : only<Sink>(p).as<Sink>()->schema.fields()) all += (all.empty() ? "" : ",") + f.name;
    return all;
  };
  EXPECT_EQ(names("SELECT * FROM l JOIN r ON l.id = r.id"), "id,a,ts,b,id0,ts0");
  EXPECT_EQ(names("SELECT * FROM l JOIN r USING (id)"), "id,a,ts,b,ts0");
  EXPECT_EQ(names("SELECT r.*, a FROM l JOIN r USING (id)"), "b,id,ts,a");
  EXPECT_EQ(names("SELECT * FROM r RIGHT JOIN l USING (id)"), "id,b,ts,a,ts0");
  EXPECT_EQ(names("SELECT x.id, y.id FROM l x, l AS y WHERE x.id = y.id"), "id,id0");
  EXPECT_THAT(session_.explain("SELECT id FROM l JOIN r ON l.id = r.id"), HasSubstr("say of which table: l, r"));
  EXPECT_THAT(session_.explain("SELECT z.id FROM l JOIN r ON l.id = r.id"), HasSubstr("`z` is not in FROM"));
  EXPECT_THAT(session_.explain("SELECT l.b FROM l JOIN r ON l.id = r.id"), HasSubstr("the columns are: id, a, ts"));
  EXPECT_THAT(session_.explain("SELECT l.a FROM l JOIN r ON l.id"), HasSubstr("ON needs a BOOLEAN"));
}

TEST_F(JoinPlan, ChangesOfAJoin) {
  ASSERT_TRUE(session_.run("CREATE TABLE people (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='upserts');"
                           "CREATE TABLE enriched (k BIGINT, n BIGINT, name STRING, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector'='keyed')"));
  EXPECT_EQ(only<Join>(plan("SELECT * FROM bids a JOIN bids b ON a.bidder = b.auction")).changes.to_string(), "[I]");
  EXPECT_EQ(only<Join>(plan("SELECT * FROM bids a LEFT JOIN bids b ON a.bidder = b.auction")).changes.to_string(), "[I,D]");
  EXPECT_EQ(only<Join>(plan("SELECT * FROM bids b JOIN people p ON b.bidder = p.id")).changes.to_string(), "[I,UB,UA,D]");
  const std::string counts = "(SELECT bidder, COUNT(*) AS n FROM bids GROUP BY bidder)";
  const PhysicalPlan keyed = plan("INSERT INTO enriched SELECT c.bidder, c.n, p.name FROM " + counts + " c LEFT JOIN people p ON c.bidder = p.id");
  EXPECT_EQ(only<Join>(keyed).upsert_key, (std::vector<std::size_t>{0})) << "a person at most for each count";
  EXPECT_THAT(session_.explain("INSERT INTO enriched SELECT b.bidder, b.price, p.name FROM bids b JOIN people p ON b.bidder = p.id"), HasSubstr("SinkMaterializer(key=[k]"));
  EXPECT_EQ(only<Join>(plan("SELECT * FROM bids a, bids b")).distribution.kind, Distribution::Kind::kSingle);
}

}  // namespace
}  // namespace supyo::plan
