#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kOfAnotherKey = "INSERT INTO keyed SELECT n, bidder FROM (SELECT bidder, COUNT(*) AS n FROM bids GROUP BY bidder)";

class SinkInput : public ::testing::Test {
 protected:
  SinkInput() { EXPECT_TRUE(session_.run(kTables)); }
  TestSession session_;
};

TEST_F(SinkInput, RowsOfAnotherKeyAreKept) {
  const std::string text = session_.explain(kOfAnotherKey);
  EXPECT_THAT(text, AllOf(HasSubstr("Sink(table=[default_catalog.default_database.keyed], fields=[k, n], upsertMaterialize=[true], changelogMode=[I,UA,D]"),
                          HasSubstr("+- SinkMaterializer(key=[k], changelogMode=[I,UA,D])"), HasSubstr("state: all rows of every key, for ever"), HasSubstr("GroupAggregate(groupBy=[bidder], select=[COUNT(*) AS n], changelogMode=[I,UB,UA])")));
  EXPECT_THAT(session_.explain("INSERT INTO keyed SELECT bidder, COUNT(*) FROM bids GROUP BY bidder"), Not(HasSubstr("SinkMaterializer"))) << "its key";
  EXPECT_THAT(session_.explain("INSERT INTO keyed SELECT auction, price FROM bids"), Not(HasSubstr("SinkMaterializer"))) << "inserts only";
}

TEST_F(SinkInput, TheSettingDecides) {
  ASSERT_TRUE(session_.run("SET 'table.exec.sink.upsert-materialize' = 'NONE'"));
  EXPECT_THAT(session_.explain(kOfAnotherKey), AllOf(HasSubstr("Sink("), Not(HasSubstr("SinkMaterializer"))));
  ASSERT_TRUE(session_.run("SET 'table.exec.sink.upsert-materialize' = 'FORCE'"));
  EXPECT_THAT(session_.explain("INSERT INTO keyed SELECT bidder, COUNT(*) FROM bids GROUP BY bidder"), HasSubstr("SinkMaterializer(key=[k]"));
  EXPECT_THAT(session_.explain("INSERT INTO printed SELECT bidder, COUNT(*) FROM bids GROUP BY bidder"), Not(HasSubstr("SinkMaterializer"))) << "it has no key";
  EXPECT_FALSE(session_.run("SET 'table.exec.sink.upsert-materialize' = 'ALWAYS'"));
}

TEST_F(SinkInput, RowsWithNullsAreLeftOutWhereThatIsAsked) {
  ASSERT_TRUE(session_.run("CREATE TABLE strict (k BIGINT NOT NULL, n BIGINT) WITH ('connector' = 'print'); SET 'table.exec.sink.not-null-enforcer' = 'DROP'"));
  EXPECT_THAT(session_.explain("INSERT INTO strict SELECT bidder, price FROM bids"), HasSubstr("where=[(k IS NOT NULL)]"));
  EXPECT_THAT(session_.explain("INSERT INTO strict SELECT auction, price FROM bids"), Not(HasSubstr("where"))) << "never null";
}

TEST_F(SinkInput, WhatOverKeepsEndsByTheClock) {
  ASSERT_TRUE(session_.run("SET 'table.exec.state.ttl' = '1 h'"));
  const auto state_of = [&](std::string_view over) { return session_.explain(fmt::format("SELECT bidder, {} FROM bids", over)); };
  constexpr std::string_view kEnds = "until 1h after the last write";
  EXPECT_THAT(state_of("SUM(price) OVER (PARTITION BY bidder ORDER BY ts)"), HasSubstr(kEnds));
  EXPECT_THAT(state_of("SUM(price) OVER (PARTITION BY bidder ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"), HasSubstr(kEnds));
  EXPECT_THAT(state_of("LAG(price) OVER (PARTITION BY bidder ORDER BY ts)"), HasSubstr(kEnds));
  EXPECT_THAT(state_of("SUM(price) OVER (PARTITION BY bidder ORDER BY ts RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW)"), Not(HasSubstr(kEnds))) << "by the watermark";
  EXPECT_THAT(session_.explain("SELECT n, SUM(n) OVER (PARTITION BY n ORDER BY bidder) FROM (SELECT bidder, COUNT(*) AS n FROM bids GROUP BY bidder)"),
              HasSubstr("all rows with their results, those of a key until 1h after its last change"));
}

TEST_F(SinkInput, AJoinWithoutEqualityIsOnOneShard) {
  EXPECT_THAT(session_.explain("SELECT a.price FROM bids AS a JOIN bids AS b ON a.price < b.price"), HasSubstr("+- Exchange(distribution=[single])"));
  EXPECT_THAT(session_.explain("SELECT price FROM bids WHERE price > (SELECT AVG(amount) FROM plain)"), HasSubstr("+- Exchange(distribution=[single])"));
}

}  // namespace
}  // namespace supyo::plan
