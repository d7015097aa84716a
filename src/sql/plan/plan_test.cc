#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(PlanTest, ScansReadOnlyWhatIsNeeded) {
  const PhysicalPlan p = plan("INSERT INTO printed SELECT bidder, price FROM bids WHERE channel = 'web'");
  EXPECT_EQ(explain_text(p), R"(Sink(table=[default_catalog.default_database.printed], fields=[k, n], changelogMode=[I], guarantee=[at least once])
+- Calc(select=[bidder AS k, price AS n], where=[(channel = 'web')], changelogMode=[I])
   +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[bidder, price, channel, ts], watermark=[ts - 4s], not-null=[ts], changelogMode=[I])
         state: position and watermark per split
)");
  const Scan& s = *only<Scan>(p).as<Scan>();
  EXPECT_EQ(s.columns, (std::vector<std::size_t>{1, 2, 3, 5}));
  ASSERT_TRUE(s.row_time);
  EXPECT_EQ(s.row_time->column, 3u);
  EXPECT_EQ(s.row_time->bound_us, 4 * kSecond);
  EXPECT_FALSE(s.row_time->edge) << "no window reads edge watermarks";
  EXPECT_FALSE(p.holds_until_watermark);
}

TEST_F(PlanTest, NotNullIsCheckedOnColumnsThatTheQueryReads) {
  // `auction` is NOT NULL. It is checked where it is read, with and without pruning.
  for (const bool rules : {true, false}) {
    TestSession session(rules);
    ASSERT_TRUE(session.run(kTables));
    auto flags = [&](std::string_view sql) {
      const auto p = session.plan(sql);
      const PhysicalNode& n = only<Scan>(*p);
      std::vector<std::string> names;
      for (std::size_t i = 0; i < n.output.size(); ++i)
        if (n.as<Scan>()->not_null[i]) names.push_back(n.output[i].name);
      return names;
    };
    EXPECT_THAT(flags("SELECT auction FROM bids"), ::testing::ElementsAre("auction", "ts"));
    EXPECT_THAT(flags("SELECT price FROM bids"), ::testing::ElementsAre("ts"));
    EXPECT_THAT(flags("SELECT x.price FROM (SELECT price, auction FROM bids) AS x"), ::testing::ElementsAre("ts"));
  }
}

TEST_F(PlanTest, AlsoReadKeepsColumns) {
  PlannerOptions options;
  options.also_read = {"auction", "nosuch"};
  TestSession session(true, options);
  ASSERT_TRUE(session.run(kTables));
  const auto p = session.plan("SELECT price FROM bids");
  ASSERT_TRUE(p);
  EXPECT_EQ(columns(only<Scan>(*p)), "(`auction` BIGINT NOT NULL, `price` BIGINT, `ts` TIMESTAMP(3))");
  EXPECT_EQ(only<Scan>(*p).as<Scan>()->not_null, (std::vector<bool>{true, false, true}));
}

TEST_F(PlanTest, TumblingWindow) {
  const PhysicalPlan p = plan(
      "INSERT INTO appended SELECT bidder, SUM(price) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '2' SECOND)) "
      "WHERE price > 1 GROUP BY window_start, bidder, window_end HAVING COUNT(*) > 2");
  EXPECT_EQ(explain_text(p), R"(Sink(table=[default_catalog.default_database.appended], fields=[k, n], changelogMode=[I], guarantee=[exactly once])
+- Calc(select=[bidder AS k, EXPR$1 AS n], where=[($a1 > 2)], changelogMode=[I])
   +- WindowAggregate(groupBy=[bidder], window=[TUMBLE(time_col=[ts], size=[10s], offset=[2s])], select=[SUM(price) AS EXPR$1, COUNT(*) AS $a1], windowColumns=[window_start, window_end], changelogMode=[I])
         state: one accumulator per open window and key; freed when the watermark passes the window's end
         late rows: bids$late
      +- Exchange(distribution=[hash[bidder]])
         +- Calc(select=[bidder, price, ts], where=[(price > 1)], changelogMode=[I])
            +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[bidder, price, ts], watermark=[ts - 4s], not-null=[ts], changelogMode=[I])
                  state: position and watermark per split
)");
  EXPECT_TRUE(p.holds_until_watermark);
  EXPECT_TRUE(only<Scan>(p).as<Scan>()->row_time->edge);
  const PhysicalNode& w = only<WindowAggregate>(p);
  EXPECT_EQ(w.as<WindowAggregate>()->time_column, 2u);
  EXPECT_EQ(w.upsert_key, (std::vector<std::size_t>{0, 3, 4}));
  EXPECT_EQ(columns(w), "(`bidder` BIGINT, `EXPR$1` BIGINT, `$a1` BIGINT NOT NULL, `window_start` TIMESTAMP(3) NOT NULL, `window_end` TIMESTAMP(3) NOT NULL)");
}

TEST_F(PlanTest, HopWithNamedArgumentsAndNoKeyRunsOnOneShard) {
  const PhysicalPlan p = plan(
      "SELECT window_end, MAX(price), COUNT(DISTINCT bidder) FROM TABLE(HOP(DATA => TABLE bids, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '5' MINUTE, SLIDE => INTERVAL '1' MINUTE)) "
      "GROUP BY window_start, window_end");
  const PhysicalNode& w = only<WindowAggregate>(p);
  EXPECT_EQ(w.as<WindowAggregate>()->window, (WindowSpec{.kind = WindowSpec::Kind::kHop, .size_us = 5 * kMinute, .slide_us = kMinute}));
  EXPECT_EQ(w.distribution.kind, Distribution::Kind::kSingle);
  EXPECT_EQ(w.max_parallelism, 1u);
  EXPECT_THAT(w.name, HasSubstr("COUNT(DISTINCT bidder)"));
}

TEST_F(PlanTest, WindowThroughSubqueryViewAndAlias) {
  ASSERT_TRUE(session_.run("CREATE VIEW hourly AS SELECT bidder AS who, price * 2 AS twice, window_start AS s, window_end AS e FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR))"));
  const PhysicalPlan p = plan("SELECT v.who, v.s, SUM(v.twice) FROM hourly AS v WHERE v.twice > 4 GROUP BY v.s, v.e, v.who");
  const PhysicalNode& w = only<WindowAggregate>(p);
  EXPECT_THAT(w.name, HasSubstr("WindowAggregate(groupBy=[who], window=[TUMBLE(time_col=[ts], size=[1h])], select=[SUM(twice) AS EXPR$2], windowColumns=[s, e]"));
  EXPECT_THAT(explain_text(p), Not(HasSubstr("WindowTableFunction")));
}

TEST_F(PlanTest, RowsThatReplaceEachOtherAreNormalizedByKey) {
  ASSERT_TRUE(session_.run("CREATE TABLE users (name STRING, region STRING, at AS CAST(seen AS TIMESTAMP(3)), seen STRING, id BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='upserts');"
                           "CREATE TABLE by_region (region STRING, n BIGINT, PRIMARY KEY (region) NOT ENFORCED) WITH ('connector'='keyed');"
                           "CREATE TABLE copies (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='keyed')"));
  EXPECT_EQ(session_.explain("INSERT INTO by_region SELECT region, COUNT(*) FROM users GROUP BY region"),
            R"(Sink(table=[default_catalog.default_database.by_region], fields=[region, n], changelogMode=[I,UA,D], guarantee=[effectively once])
+- Calc(select=[region, EXPR$1 AS n], changelogMode=[I,UA,D])
   +- GroupAggregate(groupBy=[region], select=[COUNT(*) AS EXPR$1], changelogMode=[I,UA,D])
         state: one accumulator per key, for ever
      +- Exchange(distribution=[hash[region]])
         +- Calc(select=[region], changelogMode=[I,UB,UA,D])
            +- ChangelogNormalize(key=[id], changelogMode=[I,UB,UA,D])
                  state: the last row of every key, until it is deleted
               +- Exchange(distribution=[hash[id]])
                  +- TableSourceScan(table=[default_catalog.default_database.users], fields=[region, id], not-null=[id], changelogMode=[I,UA,D])
                        state: position per split
)") << "the key is read though the query does not name it";
  EXPECT_THAT(session_.explain("INSERT INTO copies SELECT id, name FROM users"), HasSubstr("ChangelogNormalize(key=[id], changelogMode=[I,UA,D])")) << "a sink by the same key needs no -U";
  EXPECT_THAT(session_.explain("INSERT INTO copies SELECT id, name FROM users WHERE region = 'x'"), HasSubstr("ChangelogNormalize(key=[id], changelogMode=[I,UB,UA,D])"));
  EXPECT_THAT(session_.explain("INSERT INTO appended SELECT id, id FROM users"), HasSubstr("takes only inserts"));
  ASSERT_TRUE(session_.run("CREATE TABLE nokey (id BIGINT) WITH ('connector'='upserts')"));
  EXPECT_THAT(session_.explain("SELECT * FROM nokey"), HasSubstr("needs a primary key"));
}

TEST_F(PlanTest, WindowWithoutFullGroupingIsAssignedThenGrouped) {
  const PhysicalPlan p = plan("SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_end");
  EXPECT_EQ(only<GroupAggregate>(p).changes.to_string(), "[I,UB,UA]");
  EXPECT_EQ(columns(only<WindowAssign>(p)), "(`ts` TIMESTAMP(3), `window_start` TIMESTAMP(3) NOT NULL, `window_end` TIMESTAMP(3) NOT NULL, `window_time` TIMESTAMP(3) NOT NULL)");
}

TEST_F(PlanTest, WindowsCascadeOverWindowTime) {
  const PhysicalPlan p = plan(
      "WITH m AS (SELECT window_time AS t, bidder, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
      "GROUP BY window_start, window_end, window_time, bidder) "
      "SELECT window_start, MAX(n) FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(t), INTERVAL '1' HOUR)) GROUP BY window_start, window_end");
  std::vector<const PhysicalNode*> windows;
  for (const PhysicalNode& n : p.nodes)
    if (n.as<WindowAggregate>()) windows.push_back(&n);
  ASSERT_EQ(windows.size(), 2u);
  EXPECT_EQ(windows[0]->late_tables.size(), 1u);
  EXPECT_TRUE(windows[1]->late_tables.empty()) << "rows born in an operator are never late";
}

TEST_F(PlanTest, LagOverEventTime) {
  const PhysicalPlan p = plan(
      "SELECT auction, price - LAG(price) OVER w AS step, LAG(price, 2, 0) OVER w FROM bids WINDOW w AS (PARTITION BY auction ORDER BY ts)");
  EXPECT_EQ(explain_text(p), R"(Sink(table=[console], fields=[auction, step, EXPR$2], changelogMode=[I], guarantee=[none])
+- Calc(select=[auction, (price - $w0) AS step, EXPR$2], changelogMode=[I])
   +- OverAggregate(partitionBy=[auction], orderBy=[ts ASC], select=[LAG(price, 1) AS $w0, LAG(price, 2, 0) AS EXPR$2], changelogMode=[I])
         state: rows waiting for the watermark, and the last 2 rows per key
         late rows: bids$late
      +- Exchange(distribution=[hash[auction]])
         +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[auction, price, ts], watermark=[ts - 4s], not-null=[auction, ts], changelogMode=[I])
               state: position and watermark per split
)");
}

TEST_F(PlanTest, AggregatesOverOneFrameAreOneOperator) {
  const PhysicalPlan p = plan(
      "SELECT auction, SUM(price) OVER w AS s, MAX(price) OVER w + 1, COUNT(*) FILTER (WHERE price > 1) OVER w AS n, SUM(price) OVER w FROM bids "
      "WINDOW w AS (PARTITION BY auction ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW)");
  EXPECT_EQ(explain_text(p), R"(Sink(table=[console], fields=[auction, s, EXPR$2, n, EXPR$4], changelogMode=[I], guarantee=[none])
+- Calc(select=[auction, s, ($w1 + 1) AS EXPR$2, n, s AS EXPR$4], changelogMode=[I])
   +- OverAggregate(partitionBy=[auction], orderBy=[ts ASC], window=[RANGE BETWEEN 10s PRECEDING AND CURRENT ROW], select=[SUM(price) AS s, MAX(price) AS $w1, COUNT(*) FILTER $f7 AS n], changelogMode=[I])
         state: rows waiting for the watermark, and the rows of the last 10s with one accumulator per key; freed when the watermark is past them
         late rows: bids$late
      +- Exchange(distribution=[hash[auction]])
         +- Calc(select=[auction, price, ts, (price > 1) AS $f7], changelogMode=[I])
            +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[auction, price, ts], watermark=[ts - 4s], not-null=[auction, ts], changelogMode=[I])
                  state: position and watermark per split
)");
}

TEST_F(PlanTest, SessionsAreOfTheirPartition) {
  const PhysicalPlan p = plan(
      "INSERT INTO appended SELECT bidder, COUNT(*) FROM TABLE(SESSION(TABLE bids PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, bidder");
  const PhysicalNode& session = only<WindowAggregate>(p);
  EXPECT_THAT(session.name, ::testing::HasSubstr("groupBy=[bidder], window=[SESSION(time_col=[ts], gap=[10s])]"));
  EXPECT_EQ(session.state, "one accumulator per open session and key; freed when the watermark passes the session's end");
  EXPECT_EQ(session.late_tables.size(), 1U);
  // The same by the group window of older Flink.
  const PhysicalPlan old = plan("INSERT INTO appended SELECT bidder, COUNT(*) FROM bids GROUP BY SESSION(ts, INTERVAL '10' SECOND), bidder");
  EXPECT_EQ(only<WindowAggregate>(old).name.substr(0, 80), session.name.substr(0, 80));
  // Sessions of other columns, or of chosen rows, are completed before they are grouped.
  const PhysicalPlan rows = plan("INSERT INTO appended SELECT MAX(bidder), COUNT(*) FROM TABLE(SESSION(TABLE bids PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end");
  EXPECT_THAT(only<WindowAssign>(rows).name, ::testing::HasSubstr("gap=[10s], partition keys=[bidder])]"));
  EXPECT_EQ(only<WindowAssign>(rows).state, "the rows of open sessions; freed when the watermark passes the session's end");
  EXPECT_EQ(only<WindowAssign>(rows).late_tables.size(), 1U);
  EXPECT_TRUE(only<WindowAggregate>(rows).late_tables.empty());
  const PhysicalPlan chosen = plan("SELECT bidder, COUNT(*) FROM TABLE(SESSION(TABLE bids PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE price > 5 GROUP BY window_start, window_end, bidder");
  EXPECT_TRUE(only<WindowAssign>(chosen).changes.append_only());
  const PhysicalPlan cumulate = plan(
      "SELECT bidder, COUNT(*) FROM TABLE(CUMULATE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, bidder");
  EXPECT_THAT(only<WindowAggregate>(cumulate).name, ::testing::HasSubstr("CUMULATE(time_col=[ts], step=[10s], max_size=[1m])"));
}

TEST_F(PlanTest, WindowsThatOverlapSayThatTheyShareSlices) {
  const auto state = [&](const std::string& calls, const std::string& window) {
    return only<WindowAggregate>(plan(fmt::format("SELECT bidder, {} FROM TABLE({}) GROUP BY window_start, window_end, bidder", calls, window))).state;
  };
  const std::string hop = "HOP(TABLE bids, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND)";
  EXPECT_EQ(state("COUNT(*), MAX(price)", hop), "one accumulator per slice of 2s and key, which up to 5 windows share; freed when the watermark passes the end of the last of them");
  EXPECT_THAT(state("COUNT(*)", "CUMULATE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '1' MINUTE)"), HasSubstr("per slice of 10s and key, which up to 6 windows share"));
  // What does not merge, and windows that share nothing.
  const std::string apart = "one accumulator per open window and key; freed when the watermark passes the window's end";
  EXPECT_EQ(state("COUNT(DISTINCT price)", hop), apart);
  EXPECT_EQ(state("AVG(CAST(price AS DOUBLE))", hop), apart);
  EXPECT_EQ(state("COUNT(*)", "TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '2' SECOND)"), apart);
}

TEST_F(PlanTest, ARankOfAWindowIsFinal) {
  constexpr std::string_view kQuery =
      "SELECT {} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end{} ORDER BY n DESC) AS place FROM "
      "(SELECT bidder, COUNT(*) AS n, window_start, window_end, window_time FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY bidder, window_start, window_end, window_time)) "
      "WHERE place <= 3";
  const PhysicalPlan p = plan("INSERT INTO appended " + fmt::format(fmt::runtime(kQuery), "bidder, n", ""));
  const PhysicalNode& rank = only<WindowRank>(p);
  EXPECT_TRUE(rank.changes.append_only());
  EXPECT_EQ(rank.state, "the first 3 rows per open window and key; freed when the watermark passes the window's end");
  EXPECT_TRUE(p.holds_until_watermark);
  // Over the window function itself late rows are told.
  const PhysicalPlan raw = plan(
      "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price) AS n FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR))) WHERE n = 1");
  EXPECT_EQ(only<WindowRank>(raw).late_tables.size(), 1U);
  // So is what groups by the window again; but not over rows that may be late for it.
  constexpr std::string_view kWindows = "SELECT window_start, window_end, bidder FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR))";
  const PhysicalPlan again = plan(fmt::format("INSERT INTO appended SELECT COUNT(*), MAX(n) FROM (SELECT COUNT(*) AS n, window_start AS s, window_end AS e FROM ({}) GROUP BY bidder, window_start, window_end) GROUP BY s, e", kWindows));
  EXPECT_EQ(std::ranges::count_if(again.nodes, [](const PhysicalNode& n) { return n.as<WindowAggregate>() && n.changes.append_only(); }), 2);
  EXPECT_THAT(explain_text(again), ::testing::HasSubstr("window=[win_start=[s], win_end=[e]]"));
  const PhysicalPlan late = plan(fmt::format("SELECT COUNT(*) FROM ({0} WHERE bidder = 1 UNION ALL {0}) GROUP BY window_start, window_end", kWindows));
  EXPECT_FALSE(only<GroupAggregate>(late).changes.append_only());
  // Without the window's start it is a rank like any other.
  const PhysicalPlan open = plan(
      "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_end ORDER BY price) AS n FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR))) WHERE n = 1");
  EXPECT_EQ(only<TopN>(open).changes.to_string(), "[I,UB,UA]");
}

TEST_F(PlanTest, SetOperationsSayWhatTheyTakeBack) {
  const PhysicalPlan common = plan("INSERT INTO appended SELECT auction, price FROM bids INTERSECT SELECT bidder, price FROM bids");
  EXPECT_TRUE(only<SetOperation>(common).changes.append_only());
  EXPECT_EQ(only<SetOperation>(common).distribution.keys.size(), 2U);
  const PhysicalPlan except = plan("INSERT INTO printed SELECT auction, price FROM bids EXCEPT ALL SELECT auction, COUNT(*) FROM bids GROUP BY auction");
  EXPECT_EQ(only<SetOperation>(except).changes.to_string(), "[I,D]");
  EXPECT_THAT(only<SetOperation>(except).name, ::testing::HasSubstr("Except(all=[true], select=[auction, price])"));
  EXPECT_EQ(only<SetOperation>(except).state, "every distinct row of both inputs, for ever");
}

TEST_F(PlanTest, StateLivesAsLongAsTheSessionOrTheHintSays) {
  ASSERT_TRUE(session_.run("SET 'table.exec.state.ttl' = '2h'"));
  const std::string join = "FROM bids AS b JOIN plain AS p ON b.bidder = p.id";
  EXPECT_EQ(only<Join>(plan("SELECT b.price " + join)).state, "all rows of both inputs, until 2h after the last write");
  const PhysicalPlan hinted = plan("SELECT /*+ STATE_TTL('p' = '0s', 'b' = '1d') */ b.price " + join);
  EXPECT_EQ(only<Join>(hinted).state, "all left rows, until 1d after the last write; all right rows, for ever");
  EXPECT_EQ(only<Join>(hinted).kept_us(0), 24 * 3600 * kSecond);
  EXPECT_EQ(only<GroupAggregate>(plan("SELECT bidder, COUNT(*) FROM bids GROUP BY bidder")).state, "one accumulator per key, until 2h after the last write");
  EXPECT_EQ(only<GroupAggregate>(plan("SELECT /*+ STATE_TTL('bids' = '5min') */ bidder, COUNT(*) FROM bids GROUP BY bidder")).kept_us(), 300 * kSecond);
  EXPECT_EQ(only<GroupAggregate>(plan("SELECT /*+ STATE_TTL('x' = '5min') */ DISTINCT bidder FROM (SELECT bidder FROM bids) AS x")).kept_us(), 300 * kSecond);
  EXPECT_EQ(only<GroupAggregate>(plan("SELECT /*+ STATE_TTL('x' = '5min') */ * FROM (SELECT bidder, COUNT(*) AS n FROM bids GROUP BY bidder) AS x")).kept_us(), 7200 * kSecond) << "a hint is of its own SELECT";
  EXPECT_EQ(only<TopN>(plan("SELECT bidder FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY price) AS n FROM bids) WHERE n = 1")).state,
            "the first row per key, until 2h after the last write");
  EXPECT_EQ(only<WindowAggregate>(plan("SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end")).kept_us(), 0)
      << "what ends by itself is not cut short";
}

// A job that is started again with another time goes on; with a time where there was none its state lies in another way.
TEST_F(PlanTest, HowLongStateLivesIsNotWhatAnOperatorIs) {
  const auto uid = [&](std::string_view ttl) {
    return only<GroupAggregate>(plan(fmt::format("SELECT /*+ STATE_TTL('bids' = '{}') */ bidder, COUNT(*) FROM bids GROUP BY bidder", ttl))).uid;
  };
  EXPECT_EQ(uid("1d"), uid("2d"));
  EXPECT_NE(uid("1d"), uid("0s"));
  const auto both = plan("SELECT /*+ STATE_TTL('bids' = '1d') */ bidder, COUNT(*) FROM bids GROUP BY bidder UNION ALL SELECT /*+ STATE_TTL('bids' = '2d') */ bidder, COUNT(*) FROM bids GROUP BY bidder");
  std::vector<std::string> uids;
  for (const PhysicalNode& n : both.nodes)
    if (n.as<GroupAggregate>()) uids.push_back(n.uid);
  ASSERT_EQ(uids.size(), 2U);
  EXPECT_NE(uids[0], uids[1]);
}

TEST_F(PlanTest, OverSaysWhatItKeeps) {
  const auto state = [&](std::string_view frame) {
    return only<OverAggregate>(plan(fmt::format("SELECT SUM(price) OVER (PARTITION BY auction ORDER BY ts {}) FROM bids", frame))).state;
  };
  EXPECT_THAT(state(""), ::testing::HasSubstr("one accumulator per key, for ever"));
  EXPECT_THAT(state("ROWS UNBOUNDED PRECEDING"), ::testing::HasSubstr("one accumulator per key, for ever"));
  EXPECT_THAT(state("ROWS 4 PRECEDING"), ::testing::HasSubstr("the last 5 rows per key, for ever"));
  EXPECT_THAT(state("RANGE CURRENT ROW"), ::testing::HasSubstr("freed when the watermark is past them"));
  const PhysicalPlan number = plan("SELECT auction, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY ts) AS n FROM bids");
  EXPECT_TRUE(only<OverAggregate>(number).changes.append_only());
  // Different frames are operators of their own.
  const PhysicalPlan two = plan("SELECT SUM(price) OVER (ORDER BY ts), SUM(price) OVER (ORDER BY ts ROWS 1 PRECEDING), LAG(price) OVER (ORDER BY ts) FROM bids");
  EXPECT_EQ(std::ranges::count_if(two.nodes, [](const PhysicalNode& n) { return n.as<OverAggregate>() || n.as<Over>(); }), 3);
}

TEST_F(PlanTest, GroupAggregateKeepsMinusUOnlyWhereItIsNeeded) {
  EXPECT_EQ(only<GroupAggregate>(plan("INSERT INTO printed SELECT auction, COUNT(*) FROM bids GROUP BY auction")).changes.to_string(), "[I,UB,UA]");
  const PhysicalPlan keyed = plan("INSERT INTO keyed SELECT auction, COUNT(*) FROM bids GROUP BY auction");
  EXPECT_EQ(only<GroupAggregate>(keyed).changes.to_string(), "[I,UA]");
  EXPECT_FALSE(only<GroupAggregate>(keyed).as<GroupAggregate>()->emit_update_before);
  EXPECT_EQ(only<Sink>(keyed).as<Sink>()->mode, ChangelogMode::kUpsert);
  EXPECT_EQ(only<Sink>(keyed).distribution.kind, Distribution::Kind::kForward) << "rows come from the shard that owns the key";
  // Rows that are not keyed yet are brought together by the sink's key.
  EXPECT_EQ(only<Sink>(plan("INSERT INTO keyed SELECT auction, price FROM bids")).distribution.kind, Distribution::Kind::kHash);
}

TEST_F(PlanTest, AggregatesOfAggregatesRetract) {
  const PhysicalPlan p = plan("INSERT INTO printed SELECT n, COUNT(*) FROM (SELECT auction, COUNT(*) AS n FROM bids GROUP BY auction) GROUP BY n");
  EXPECT_EQ(explain_changelog(p), R"(Sink(table=[default_catalog.default_database.printed], fields=[k, n], changelogMode=[I,UB,UA,D])
+- Calc(select=[n AS k, EXPR$1 AS n], changelogMode=[I,UB,UA,D])
   +- GroupAggregate(groupBy=[n], select=[COUNT(*) AS EXPR$1], changelogMode=[I,UB,UA,D])
      +- Exchange(distribution=[hash[n]])
         +- Calc(select=[n], changelogMode=[I,UB,UA])
            +- GroupAggregate(groupBy=[auction], select=[COUNT(*) AS n], changelogMode=[I,UB,UA])
               +- Exchange(distribution=[hash[auction]])
                  +- Calc(select=[auction], changelogMode=[I])
                     +- TableSourceScan(table=[default_catalog.default_database.bids], fields=[auction, ts], watermark=[ts - 4s], not-null=[auction, ts], changelogMode=[I])
)");
}

TEST_F(PlanTest, DistinctAppends) {
  const PhysicalPlan p = plan("INSERT INTO appended SELECT DISTINCT auction, bidder FROM bids");
  EXPECT_EQ(only<GroupAggregate>(p).changes.to_string(), "[I]");
  EXPECT_EQ(only<Sink>(p).as<Sink>()->mode, ChangelogMode::kAppend);
}

TEST_F(PlanTest, StatementSetSharesScanAndSubplan) {
  const PhysicalPlan p = plan(R"(
    CREATE VIEW per_bidder AS SELECT bidder, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, bidder;
    EXECUTE STATEMENT SET BEGIN
      INSERT INTO appended SELECT * FROM per_bidder;
      INSERT INTO printed SELECT bidder, n FROM per_bidder WHERE n > 3;
      INSERT INTO printed SELECT auction, price FROM bids;
    END;)");
  EXPECT_EQ(p.scans().size(), 1u) << explain_text(p);
  EXPECT_EQ(p.sinks().size(), 3u);
  only<WindowAggregate>(p);
  EXPECT_EQ(columns(only<Scan>(p)), "(`auction` BIGINT NOT NULL, `bidder` BIGINT, `price` BIGINT, `ts` TIMESTAMP(3))");
  EXPECT_THAT(explain_text(p), HasSubstr("Reused(reference_id=[1])"));
}

TEST_F(PlanTest, SameStatementTwiceIsTwoSinks) {
  const PhysicalPlan p = plan("EXECUTE STATEMENT SET BEGIN INSERT INTO printed SELECT auction, price FROM bids; INSERT INTO printed SELECT auction, price FROM bids; END");
  ASSERT_EQ(p.sinks().size(), 2u);
  EXPECT_NE(p.nodes[p.sinks()[0]].uid, p.nodes[p.sinks()[1]].uid);
}

TEST_F(PlanTest, ComputedAndMetadataColumns) {
  const PhysicalPlan p = plan(R"(
    CREATE TABLE m (ms BIGINT, v INT, twice AS v * 2, at TIMESTAMP(3) METADATA FROM 'timestamp', `offset` BIGINT METADATA VIRTUAL, t AS at,
                    WATERMARK FOR t AS t - INTERVAL '1' MINUTE)
      WITH ('connector' = 'kafka', 'topic' = 'm', 'format' = 'json', 'scan.watermark.idle-timeout' = '30 s');
    SELECT twice, t, `offset` FROM m;)");
  const PhysicalNode& n = only<Scan>(p);
  const Scan& s = *n.as<Scan>();
  EXPECT_EQ(s.columns, (std::vector<std::size_t>{1, 2, 3})) << "v, timestamp, offset";
  EXPECT_EQ(columns(n), "(`v` INT, `at` TIMESTAMP_LTZ(3) NOT NULL, `offset` BIGINT, `t` TIMESTAMP(3) NOT NULL)") << "metadata in the connector's type, then the computed row time";
  ASSERT_TRUE(s.computed_row_time);
  EXPECT_EQ(s.row_time->column, 3u);
  EXPECT_EQ(s.row_time->bound_us, kMinute);
  EXPECT_EQ(s.row_time->idle_timeout_us, 30 * kSecond);
  EXPECT_TRUE(s.not_null[3]);
  EXPECT_THAT(session_.listing("DESCRIBE m"), HasSubstr("twice | INT | TRUE |  | AS v * 2 | \n"));
}

TEST_F(PlanTest, IdleTimeoutComesFromTheSettingUnlessTheTableSays) {
  ASSERT_TRUE(session_.run("SET 'table.exec.source.idle-timeout' = '7s'"));
  EXPECT_EQ(only<Scan>(plan("SELECT ts FROM bids")).as<Scan>()->row_time->idle_timeout_us, 7 * kSecond);
}

TEST_F(PlanTest, InsertReordersCastsAndFillsWithNull) {
  const PhysicalPlan p = plan("CREATE TABLE t (a BIGINT, b STRING, c DECIMAL(12, 3)) WITH ('connector' = 'stored'); INSERT INTO t (c, a) SELECT amount, id FROM plain");
  EXPECT_THAT(only<Calc>(p).name, HasSubstr("select=[CAST(id AS BIGINT) AS a, "));
  EXPECT_EQ(columns(only<Calc>(p)), "(`a` BIGINT, `b` STRING, `c` DECIMAL(12, 3))");
  const PhysicalPlan v = plan("INSERT INTO t VALUES (1, 'x', 2.5), (2, CAST(NULL AS STRING), 1)");
  EXPECT_EQ(only<Sink>(v).as<Sink>()->schema.to_string(), "(`a` BIGINT, `b` STRING, `c` DECIMAL(12, 3))");
  EXPECT_EQ(only<Sink>(plan("INSERT INTO keyed SELECT price, price FROM bids")).as<Sink>()->check_not_null, (std::vector<std::size_t>{0}));
}

TEST_F(PlanTest, GuaranteeFollowsTheConnectorAndTheOption) {
  const PhysicalPlan p = plan("CREATE TABLE o (a BIGINT) WITH ('connector' = 'kafka', 'topic' = 'o', 'format' = 'json', 'sink.delivery-guarantee' = 'at-least-once'); INSERT INTO o SELECT price FROM bids");
  EXPECT_EQ(only<Sink>(p).as<Sink>()->guarantee, DeliveryGuarantee::kAtLeastOnce);
}

TEST_F(PlanTest, ConsoleQueriesSortAndLimit) {
  EXPECT_THAT(session_.explain("SELECT name FROM plain ORDER BY amount DESC, 1 NULLS LAST LIMIT 3"), HasSubstr("Sort(orderBy=[$order DESC, name ASC NULLS LAST], fetch=[3]"));
  EXPECT_THAT(session_.explain("SELECT name, COUNT(*) FROM plain GROUP BY name ORDER BY COUNT(*) DESC, name"), HasSubstr("Sort(orderBy=[EXPR$1 DESC, name ASC]"));
  EXPECT_THAT(session_.explain("SELECT name, COUNT(*) AS n FROM plain GROUP BY name ORDER BY n LIMIT 1 OFFSET 2"), HasSubstr("offset=[2], fetch=[1]"));
  EXPECT_THAT(session_.explain("SELECT id FROM plain LIMIT 3"), HasSubstr("Limit(fetch=[3], changelogMode=[I])"));
  EXPECT_THAT(session_.explain("SELECT COUNT(*) FROM plain LIMIT 3"), HasSubstr("Sort(orderBy=[], fetch=[3], changelogMode=[I])"));
}

TEST_F(PlanTest, IdentityIsOfMeaning) {
  const auto fingerprint = [&](std::string_view sql) { return plan(sql).fingerprint; };
  const std::string a = fingerprint("INSERT INTO printed SELECT auction, COUNT(*) FROM bids GROUP BY auction");
  EXPECT_EQ(a, fingerprint("insert into  printed\nselect auction, count(*) from bids group by auction"));
  EXPECT_EQ(a, fingerprint("INSERT INTO printed SELECT b.auction, COUNT(*) FROM bids AS b GROUP BY b.auction"));
  EXPECT_NE(a, fingerprint("INSERT INTO printed SELECT bidder, COUNT(*) FROM bids GROUP BY bidder"));
  EXPECT_NE(a, fingerprint("INSERT INTO printed SELECT auction, COUNT(DISTINCT price) FROM bids GROUP BY auction"));
  EXPECT_NE(a, fingerprint("INSERT INTO printed SELECT auction, COUNT(*) FROM bids WHERE price > 1 GROUP BY auction"));
  EXPECT_NE(fingerprint("SELECT COUNT(price) FROM bids"), fingerprint("SELECT COUNT(DISTINCT price) FROM bids"));
  // Another sink beside it leaves the operator's own identity alone.
  const PhysicalPlan one = plan("INSERT INTO printed SELECT auction, COUNT(*) FROM bids GROUP BY auction");
  const PhysicalPlan two = plan(
      "EXECUTE STATEMENT SET BEGIN INSERT INTO printed SELECT auction, COUNT(*) FROM bids GROUP BY auction; INSERT INTO appended SELECT id, id FROM plain; END");
  EXPECT_EQ(only<GroupAggregate>(one).uid, only<GroupAggregate>(two).uid);
}

TEST_F(PlanTest, SystemTables) {
  PlannerOptions options;
  options.system_table = [](const catalog::ObjectPath& path) -> std::optional<catalog::TableDefinition> {
    if (path.name != "bids$late") return std::nullopt;
    catalog::TableDefinition t;
    t.path = path;
    t.columns.push_back({.name = "price", .type = Type::big_int(), .expression_sql = {}, .metadata_key = {}, .comment = {}});
    t.options["connector"] = "stored";
    return t;
  };
  TestSession session(true, options);
  ASSERT_TRUE(session.run(kTables));
  EXPECT_THAT(session.explain("SELECT SUM(price) FROM `bids$late`"), HasSubstr("bids$late"));
  EXPECT_THAT(session.explain("SELECT * FROM `bids$dead`"), HasSubstr("there is no system table `bids$dead`"));
}

TEST_F(PlanTest, JsonPlanIsWellFormedAndNamesEverything) {
  const std::string json = session_.listing("EXPLAIN JSON_EXECUTION_PLAN INSERT INTO printed SELECT auction, COUNT(*) FROM bids WHERE channel = 'a\"b' GROUP BY auction");
  EXPECT_THAT(json, HasSubstr(R"("type" : "GroupAggregate")"));
  EXPECT_THAT(json, HasSubstr(R"("ship_strategy" : "HASH")"));
  EXPECT_THAT(json, HasSubstr(R"(a\"b)"));
}

// ---- DDL

TEST_F(PlanTest, CatalogStatements) {
  ASSERT_TRUE(session_.run("CREATE DATABASE other; USE other; CREATE TABLE t (a INT) WITH ('connector' = 'stored'); CREATE TABLE IF NOT EXISTS t (b INT)"));
  EXPECT_EQ(session_.listing("SHOW TABLES"), "t\n");
  EXPECT_EQ(session_.listing("SHOW TABLES FROM default_database LIKE '%e%'"), "appended\nkeyed\nprinted\n");
  EXPECT_EQ(session_.listing("SHOW CURRENT DATABASE"), "other\n");
  EXPECT_EQ(session_.listing("SHOW DATABASES"), "default_database\nother\n");
  EXPECT_EQ(session_.listing("SHOW CATALOGS"), "default_catalog\n");
  EXPECT_THAT(session_.explain("SELECT t.a, default_database.plain.id FROM default_database.plain"), HasSubstr("`t` is not in FROM"));
  EXPECT_THAT(session_.explain("SELECT default_database.plain.id FROM default_database.plain"), HasSubstr("TableSourceScan"));
  EXPECT_THAT(session_.explain("SELECT plain.id FROM default_catalog.default_database.plain"), HasSubstr("TableSourceScan"));
  ASSERT_TRUE(session_.run("CREATE TEMPORARY TABLE t (z STRING) WITH ('connector' = 'stored')"));
  EXPECT_THAT(session_.listing("DESCRIBE t"), HasSubstr("z | STRING"));
  ASSERT_TRUE(session_.run("DROP TEMPORARY TABLE t"));
  EXPECT_THAT(session_.listing("DESCRIBE t"), HasSubstr("a | INT"));
  ASSERT_TRUE(session_.run("DROP TABLE IF EXISTS nothing; DROP TABLE t; USE default_database; DROP DATABASE other"));
  EXPECT_EQ(session_.listing("SHOW DATABASES"), "default_database\n");
  EXPECT_EQ(session_.listing("SHOW MODULES"), "core\n");
  EXPECT_EQ(session_.listing("SHOW FULL MODULES"), "core | true\n");
  EXPECT_EQ(session_.listing("SHOW JARS"), "");
  ASSERT_TRUE(session_.run("USE MODULES core"));
  EXPECT_FALSE(session_.run("USE MODULES core, hive"));
  ASSERT_TRUE(session_.run("CREATE CATALOG mem WITH ('type' = 'generic_in_memory', 'default-database' = 'main'); CREATE DATABASE mem.d2 WITH ('k' = 'v'); ALTER DATABASE mem.d2 SET ('k' = 'w')"));
  ASSERT_TRUE(session_.run("USE CATALOG mem; CREATE TABLE made (a INT, b AS a + 1) WITH ('connector' = 'stored')"));
  EXPECT_EQ(session_.listing("SHOW CURRENT DATABASE"), "main\n");
  EXPECT_EQ(session_.listing("SHOW DATABASES"), "d2\nmain\n");
  EXPECT_THAT(session_.listing("DESCRIBE CATALOG EXTENDED mem"), HasSubstr("option:default-database | main"));
  ASSERT_TRUE(session_.run("ALTER TABLE made ADD (c STRING FIRST, PRIMARY KEY (a) NOT ENFORCED); ALTER TABLE made MODIFY b AS a + 2 AFTER c; ALTER TABLE made RENAME c TO d"));
  EXPECT_THAT(session_.listing("SHOW CREATE TABLE made"), HasSubstr("  `d` STRING,\n  `b` AS a + 2,\n  `a` INT NOT NULL,\n  PRIMARY KEY (`a`) NOT ENFORCED\n"));
  ASSERT_TRUE(session_.run("CREATE TABLE parted (k INT, d STRING, e INT) DISTRIBUTED BY HASH (k) INTO 4 BUCKETS PARTITIONED BY (d, e) WITH ('connector' = 'stored');"
                           "ALTER TABLE parted ADD PARTITION (d = 'x', e = 1) PARTITION (d = 'y', e = 2); ALTER TABLE parted MODIFY DISTRIBUTION BY (k); ALTER TABLE parted ADD IF NOT EXISTS PARTITION (e = 1, d = 'x')"));
  EXPECT_EQ(session_.listing("SHOW PARTITIONS parted"), "d=x/e=1\nd=y/e=2\n");
  EXPECT_EQ(session_.listing("SHOW PARTITIONS parted PARTITION (e = 2)"), "d=y/e=2\n");
  EXPECT_THAT(session_.listing("SHOW CREATE TABLE parted"), HasSubstr(")\nDISTRIBUTED BY (`k`)\nPARTITIONED BY (`d`, `e`)\nWITH"));
  EXPECT_FALSE(session_.run("ALTER TABLE parted ADD PARTITION (d = 'x', e = 1)"));
  EXPECT_FALSE(session_.run("ALTER TABLE parted ADD PARTITION (d = 'x')"));
  EXPECT_FALSE(session_.run("ALTER TABLE parted ADD DISTRIBUTION INTO 3 BUCKETS"));
  ASSERT_TRUE(session_.run("ALTER TABLE parted DROP PARTITION (d = 'x', e = 1), PARTITION (d = 'y', e = 2); ALTER TABLE parted DROP DISTRIBUTION"));
  EXPECT_FALSE(session_.run("ALTER TABLE parted DROP PARTITION (d = 'x', e = 1)"));
  EXPECT_EQ(session_.listing("SHOW PARTITIONS parted"), "");
  EXPECT_THAT(session_.listing("SHOW CREATE TABLE parted"), Not(HasSubstr("DISTRIBUTED")));
  EXPECT_FALSE(session_.run("ALTER TABLE made RENAME a TO e"));   // b is computed of it
  EXPECT_FALSE(session_.run("ALTER TABLE made DROP a"));
  EXPECT_THAT(session_.listing("DESCRIBE made"), HasSubstr("a | INT"));
}

TEST_F(PlanTest, DescribeAndShowCreate) {
  EXPECT_EQ(session_.listing("DESCRIBE bids"),
            "auction | BIGINT | FALSE |  |  | \nbidder | BIGINT | TRUE |  |  | \nprice | BIGINT | TRUE |  |  | \nchannel | STRING | TRUE |  |  | \nurl | STRING | TRUE |  |  | \n"
            "ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | ts - INTERVAL '4' SECOND\nextra | STRING | TRUE |  |  | \n");
  EXPECT_EQ(session_.listing("DESCRIBE keyed"), "k | BIGINT | FALSE | PRI(k) |  | \nn | BIGINT | TRUE |  |  | \n");
  // What SHOW CREATE prints makes the same table again.
  ASSERT_TRUE(session_.run("CREATE TABLE nested (id INT, p ROW<a INT, q ROW<b INT NOT NULL, `c d` STRING> NOT NULL> NOT NULL, z ROW<a INT>) WITH ('connector' = 'datagen')"));
  const std::string nested = session_.listing("SHOW CREATE TABLE nested");
  EXPECT_THAT(nested, HasSubstr("  `p` ROW<`a` INT, `q` ROW<`b` INT NOT NULL, `c d` STRING> NOT NULL> NOT NULL,\n  `z` ROW<`a` INT>\n"));
  ASSERT_TRUE(session_.run("DROP TABLE nested; " + nested)) << nested;
  EXPECT_EQ(session_.listing("SHOW CREATE TABLE nested"), nested);
  const std::string text = session_.listing("SHOW CREATE TABLE bids");
  ASSERT_TRUE(session_.run("DROP TABLE bids; " + text)) << text;
  EXPECT_EQ(session_.listing("SHOW CREATE TABLE bids"), text);
}

TEST_F(PlanTest, LikeTakesWhatItSays) {
  ASSERT_TRUE(session_.run("CREATE TABLE copy (more INT) WITH ('topic' = 'other') LIKE bids (EXCLUDING WATERMARKS)"));
  const std::string text = session_.listing("SHOW CREATE TABLE copy");
  EXPECT_THAT(text, HasSubstr("'topic' = 'other'"));
  EXPECT_THAT(text, HasSubstr("`extra` STRING,\n  `more` INT\n)"));
  EXPECT_THAT(text, Not(HasSubstr("WATERMARK")));
  ASSERT_TRUE(session_.run("CREATE TABLE bare LIKE bids (EXCLUDING OPTIONS)"));
  EXPECT_THAT(session_.listing("SHOW CREATE TABLE bare"), Not(HasSubstr("kafka")));
}

TEST_F(PlanTest, CreateTableAs) {
  const PhysicalPlan p = plan("CREATE TABLE made WITH ('connector' = 'stored') AS SELECT auction AS a, price FROM bids");
  EXPECT_EQ(only<Sink>(p).as<Sink>()->schema.to_string(), "(`a` BIGINT NOT NULL, `price` BIGINT)");
  EXPECT_EQ(session_.listing("DESCRIBE made"), "a | BIGINT | FALSE |  |  | \nprice | BIGINT | TRUE |  |  | \n");
}

TEST_F(PlanTest, ViewsResolveWhereTheyWereMade) {
  ASSERT_TRUE(session_.run("CREATE VIEW v (x) AS SELECT id FROM plain; CREATE DATABASE other; USE other"));
  EXPECT_THAT(session_.explain("SELECT x FROM default_database.v"), HasSubstr("default_database.plain"));
  EXPECT_EQ(session_.listing("SHOW CREATE VIEW default_database.v"), "CREATE VIEW `default_catalog`.`default_database`.`v` (`x`)\nAS SELECT id FROM plain\n");
  EXPECT_EQ(session_.listing("SHOW VIEWS FROM default_database"), "v\n");
}

TEST_F(PlanTest, SettingsAreListed) {
  ASSERT_TRUE(session_.run("SET 'execution.checkpointing.interval' = '20ms'"));
  EXPECT_EQ(session_.listing("SET"), "execution.checkpointing.interval | 20ms\n");
  ASSERT_TRUE(session_.run("RESET"));
  EXPECT_EQ(session_.listing("SET"), "");
}

}  // namespace
}  // namespace supyo::plan
