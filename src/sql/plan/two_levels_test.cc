#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kGrouped = "INSERT INTO printed SELECT bidder, COUNT(*) FROM bids GROUP BY bidder";
constexpr std::string_view kWindowed =
    "INSERT INTO printed SELECT bidder, COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, bidder";

class TwoLevels : public ::testing::Test {
 protected:
  TwoLevels() { EXPECT_TRUE(session_.run(kTables)); }
  std::string with(std::vector<std::pair<std::string, std::string>> settings, std::string_view sql) {
    EXPECT_TRUE(session_.settings().reset());
    for (const auto& [key, value] : settings) EXPECT_TRUE(session_.settings().set(key, value)) << key;
    return session_.explain(sql);
  }
  TestSession session_;
};

TEST_F(TwoLevels, AWindowIsAggregatedWhereItsRowsAreOnceThereAreShards) {
  EXPECT_EQ(with({{"parallelism.default", "2"}}, kWindowed), R"(Sink(table=[default_catalog.default_database.printed], fields=[k, n], changelogMode=[I], guarantee=[at least once])
+- Calc(select=[bidder AS k, EXPR$1 AS n], changelogMode=[I])
   +- GlobalWindowAggregate(groupBy=[bidder], window=[TUMBLE(time_col=[ts], size=[1h])], select=[COUNT(*) AS EXPR$1], windowColumns=[window_start, window_end], changelogMode=[I])
         state: one accumulator per open window and key; freed when the watermark passes the window's end
      +- Exchange(distribution=[hash[bidder]])
         +- LocalWindowAggregate(groupBy=[bidder], window=[TUMBLE(time_col=[ts], size=[1h])], select=[COUNT(*) AS EXPR$1], changelogMode=[I])
               late rows: bids$late
            +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[bidder, ts], watermark=[ts - 4s], not-null=[ts], changelogMode=[I])
                  state: position and watermark per split
)");
  EXPECT_THAT(with({}, kWindowed), Not(HasSubstr("Local"))) << "one shard: nothing is sent";
  EXPECT_THAT(with({{"parallelism.default", "2"}, {"table.optimizer.agg-phase-strategy", "ONE_PHASE"}}, kWindowed), Not(HasSubstr("Local")));
  EXPECT_THAT(with({{"table.optimizer.agg-phase-strategy", "TWO_PHASE"}}, kWindowed), HasSubstr("LocalWindowAggregate"));
}

TEST_F(TwoLevels, AGroupWhereRowsAreGathered) {
  EXPECT_THAT(with({{"parallelism.default", "2"}}, kGrouped), Not(HasSubstr("Local")));
  EXPECT_THAT(with({{"parallelism.default", "2"}, {"table.exec.mini-batch.enabled", "true"}}, kGrouped),
              AllOf(HasSubstr("+- GlobalGroupAggregate(groupBy=[bidder], select=[COUNT(*) AS EXPR$1], changelogMode=[I,UB,UA])"), HasSubstr("Exchange(distribution=[hash[bidder]])"),
                    HasSubstr("+- LocalGroupAggregate(groupBy=[bidder], select=[COUNT(*) AS EXPR$1], changelogMode=[I])")));
  EXPECT_THAT(with({{"table.optimizer.agg-phase-strategy", "TWO_PHASE"}}, kGrouped), HasSubstr("LocalGroupAggregate"));
  EXPECT_THAT(with({{"parallelism.default", "2"}}, "INSERT INTO printed SELECT MAX(bidder), COUNT(*) FROM bids"), HasSubstr("LocalGroupAggregate")) << "all rows would go to one shard";
}

TEST_F(TwoLevels, OnlyWhatMerges) {
  const std::vector<std::pair<std::string, std::string>> two = {{"table.optimizer.agg-phase-strategy", "TWO_PHASE"}};
  for (const std::string call : {"COUNT(DISTINCT price)", "CHAR_LENGTH(LISTAGG(channel))", "FIRST_VALUE(price)"})
    EXPECT_THAT(with(two, fmt::format("INSERT INTO printed SELECT bidder, {} FROM bids GROUP BY bidder", call)), Not(HasSubstr("Local"))) << call;
  // The least of rows that go again needs all of them.
  const std::string nested = "INSERT INTO printed SELECT n, {}(bidder) FROM (SELECT bidder, COUNT(*) AS n FROM bids GROUP BY bidder) GROUP BY n";
  EXPECT_THAT(with(two, fmt::format(fmt::runtime(nested), "MIN")), AllOf(HasSubstr("LocalGroupAggregate(groupBy=[bidder]"), Not(HasSubstr("LocalGroupAggregate(groupBy=[n]"))));
  EXPECT_THAT(with(two, fmt::format(fmt::runtime(nested), "SUM")), HasSubstr("LocalGroupAggregate(groupBy=[n]"));
  for (const std::string window : {"SESSION(TABLE bids PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '1' HOUR)"})
    EXPECT_THAT(with(two, fmt::format("INSERT INTO printed SELECT bidder, COUNT(*) FROM TABLE({}) GROUP BY window_start, window_end, bidder", window)), Not(HasSubstr("Local")));
  // What comes back from being idle is late where the window is.
  EXPECT_THAT(with({two[0], {"table.exec.source.idle-timeout", "10 s"}}, kWindowed), Not(HasSubstr("Local")));
  EXPECT_THAT(with({two[0], {"table.exec.emit.allow-lateness", "10 s"}}, kWindowed), Not(HasSubstr("Local")));
}

TEST_F(TwoLevels, StateIsTheSameWithAndWithout) {
  const auto uids = [&](std::string_view levels, std::string_view sql) {
    EXPECT_TRUE(session_.settings().set("table.optimizer.agg-phase-strategy", levels));
    const auto p = session_.plan(sql);
    std::vector<std::string> out = {p->fingerprint};
    for (const PhysicalNode& n : p->nodes)
      if (n.stateful) out.push_back(n.uid);
    return out;
  };
  for (const std::string_view sql : {kGrouped, kWindowed}) EXPECT_EQ(uids("ONE_PHASE", sql), uids("TWO_PHASE", sql)) << sql;
}

TEST_F(TwoLevels, DistinctIsSplitByBucketsOfTheValue) {
  const std::vector<std::pair<std::string, std::string>> split = {{"table.optimizer.distinct-agg.split.enabled", "true"}};
  EXPECT_THAT(with(split, "INSERT INTO printed SELECT bidder, COUNT(DISTINCT price) FROM bids GROUP BY bidder"),
              AllOf(HasSubstr("GroupAggregate(groupBy=[bidder], partialFinalType=[FINAL], select=[SUM(EXPR$1) AS EXPR$1]"), HasSubstr("Exchange(distribution=[hash[bidder, $bucket]])"),
                    HasSubstr("GroupAggregate(groupBy=[bidder, $bucket], partialFinalType=[PARTIAL], select=[COUNT(DISTINCT price) AS EXPR$1]"), HasSubstr("HASH_BUCKET(price, 1024) AS $bucket")));
  for (const std::string call : {"COUNT(price)", "COUNT(DISTINCT price) + COUNT(DISTINCT channel)", "COUNT(DISTINCT price) + AVG(auction)"})
    EXPECT_THAT(with(split, fmt::format("INSERT INTO printed SELECT bidder, {} FROM bids GROUP BY bidder", call)), Not(HasSubstr("partialFinalType"))) << call;
}

}  // namespace
}  // namespace supyo::plan
