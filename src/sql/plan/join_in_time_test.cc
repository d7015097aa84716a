#include "sql/plan/join_in_time.h"

#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kStreams = R"(
CREATE TABLE orders (id BIGINT, item STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'kafka', 'topic' = 'o', 'format' = 'json');
CREATE TABLE paid (order_id BIGINT, amount INT, pay TIMESTAMP(3), WATERMARK FOR pay AS pay) WITH ('connector' = 'stored');
CREATE TABLE local_paid (order_id BIGINT, pay TIMESTAMP_LTZ(3), WATERMARK FOR pay AS pay) WITH ('connector' = 'stored');
CREATE TABLE users (id BIGINT, name STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'upserts');
)";

class JoinInTimeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto ready = session_.run(std::string(kTables) + std::string(kStreams));
    ASSERT_TRUE(ready) << ready.error().to_string();
  }
  /// left - right of the only interval join, in milliseconds; nothing where it is a regular join.
  std::optional<std::pair<std::int64_t, std::int64_t>> bounds(const std::string& condition, std::string_view kind = "JOIN") {
    const auto p = session_.plan(fmt::format("SELECT o.id, p.amount FROM orders o {} paid p ON o.id = p.order_id AND {}", kind, condition));
    EXPECT_TRUE(p) << p.error().to_string();
    if (!p) return std::nullopt;
    for (const PhysicalNode& n : p->nodes)
      if (const auto* j = n.as<IntervalJoin>()) return std::pair{j->lower_us / kMillisecond, j->upper_us / kMillisecond};
    return std::nullopt;
  }
  TestSession session_;
};

using Pair = std::pair<std::int64_t, std::int64_t>;

TEST_F(JoinInTimeTest, BoundsAreFoundHoweverTheyAreWritten) {
  EXPECT_EQ(bounds("o.ts BETWEEN p.pay - INTERVAL '5' SECOND AND p.pay + INTERVAL '2' SECOND"), (Pair{-5000, 2000}));
  EXPECT_EQ(bounds("p.pay BETWEEN o.ts AND o.ts + INTERVAL '4' HOUR"), (Pair{-4 * 3600 * 1000, 0}));
  EXPECT_EQ(bounds("o.ts > p.pay AND o.ts < p.pay + INTERVAL '1' SECOND"), (Pair{1, 999}));
  EXPECT_EQ(bounds("p.pay < o.ts AND INTERVAL '1' SECOND + p.pay > o.ts"), (Pair{1, 999}));
  EXPECT_EQ(bounds("o.ts - INTERVAL '3' SECOND >= p.pay - INTERVAL '1' SECOND AND o.ts <= p.pay + INTERVAL '1' MINUTE - INTERVAL '1' SECOND"), (Pair{2000, 59000}));
  EXPECT_EQ(bounds("o.ts = p.pay"), (Pair{0, 0}));
  EXPECT_EQ(bounds("o.ts >= p.pay AND o.ts <= p.pay + INTERVAL '9' SECOND AND o.ts <= p.pay + INTERVAL '3' SECOND"), (Pair{0, 3000})) << "the tightest";
  EXPECT_EQ(bounds("o.ts BETWEEN p.pay AND p.pay + INTERVAL '1' SECOND", "FULL JOIN"), (Pair{0, 1000}));
}

TEST_F(JoinInTimeTest, TimesOfFewerDigitsAreComparedAsTheyAre) {
  ASSERT_TRUE(session_.run("CREATE TABLE coarse (id BIGINT, ts TIMESTAMP(0), WATERMARK FOR ts AS ts) WITH ('connector' = 'stored')"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders o JOIN coarse c ON o.id = c.id AND o.ts BETWEEN c.ts AND c.ts + INTERVAL '1' SECOND"), HasSubstr("leftLowerBound=0s, leftUpperBound=1s"));
}

TEST_F(JoinInTimeTest, WithoutBothBoundsItIsARegularJoin) {
  EXPECT_EQ(bounds("o.ts >= p.pay"), std::nullopt);
  EXPECT_EQ(bounds("o.ts >= p.pay AND o.ts >= p.pay - INTERVAL '1' SECOND"), std::nullopt);
  EXPECT_EQ(bounds("(o.ts >= p.pay OR p.amount > 3) AND o.ts < p.pay"), std::nullopt);
  EXPECT_EQ(bounds("o.ts >= p.pay AND o.ts < p.pay + INTERVAL '1' MONTH"), std::nullopt);
}

TEST_F(JoinInTimeTest, ExplainSaysWhatIsKept) {
  EXPECT_EQ(session_.explain("INSERT INTO appended SELECT o.id, p.amount FROM orders o, paid p WHERE o.id = p.order_id AND p.amount > 2 AND o.item <> 'x' AND p.pay BETWEEN o.ts AND o.ts + INTERVAL '4' HOUR"),
            R"(Sink(table=[default_catalog.default_database.appended], fields=[k, n], changelogMode=[I], guarantee=[exactly once])
+- Calc(select=[id AS k, CAST(amount AS BIGINT) AS n], changelogMode=[I])
   +- IntervalJoin(joinType=[InnerJoin], windowBounds=[isRowTime=true, leftLowerBound=-4h, leftUpperBound=0s, leftTimeIndex=1, rightTimeIndex=2], where=[(id = order_id)], select=[id, ts, order_id, amount, pay], changelogMode=[I])
         state: left rows until the watermark is 4h past them, right rows until it has reached them
         late rows: orders$late
      +- Exchange(distribution=[hash[id]])
         +- Calc(select=[id, ts], where=[(item <> 'x')], changelogMode=[I])
            +- TableSourceScan(table=[default_catalog.default_database.orders], fields=[id, item, ts], watermark=[ts - 1s], not-null=[ts], changelogMode=[I])
                  state: position and watermark per split
      +- Exchange(distribution=[hash[order_id]])
         +- Calc(select=[order_id, amount, pay], where=[(amount > 2)], changelogMode=[I])
            +- TableSourceScan(table=[default_catalog.default_database.paid], fields=[order_id, amount, pay], watermark=[pay], not-null=[pay], changelogMode=[I])
                  state: position and watermark per split
)");
}

TEST_F(JoinInTimeTest, TheSameWithAndWithoutRules) {
  TestSession plain(false);
  ASSERT_TRUE(plain.run(std::string(kTables) + std::string(kStreams)));
  const std::string sql = "SELECT o.id, p.amount FROM orders o, paid p, paid q WHERE o.id = p.order_id AND p.pay BETWEEN o.ts AND o.ts + INTERVAL '4' HOUR AND q.order_id = o.id AND q.pay = p.pay";
  for (TestSession* session : {&plain, &session_}) {
    const auto p = session->plan(sql);
    ASSERT_TRUE(p) << p.error().to_string();
    EXPECT_EQ(std::ranges::count_if(p->nodes, [](const PhysicalNode& n) { return n.as<IntervalJoin>() != nullptr; }), 2) << explain_text(*p);
    for (const NodeIndex scan : p->scans()) EXPECT_TRUE(p->nodes[scan].as<Scan>()->row_time->edge);
  }
}

TEST_F(JoinInTimeTest, TimesStayAttributesOnlyWhereTheJoinIsInTime) {
  const std::string window = "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE((SELECT p.pay AS t FROM orders o JOIN paid p ON o.id = p.order_id {}), DESCRIPTOR(t), INTERVAL '1' HOUR)) GROUP BY window_start, window_end";
  EXPECT_THAT(session_.explain(fmt::format(fmt::runtime(window), "AND o.ts BETWEEN p.pay AND p.pay + INTERVAL '1' SECOND")), HasSubstr("WindowAggregate"));
  EXPECT_THAT(session_.explain(fmt::format(fmt::runtime(window), "AND o.ts > p.pay")), HasSubstr("is not a time attribute"));
}

TEST_F(JoinInTimeTest, TimesOfOtherTypesMakeARegularJoin) {
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders o JOIN local_paid p ON o.id = p.order_id AND o.ts BETWEEN p.pay AND p.pay + INTERVAL '1' SECOND"), Not(HasSubstr("IntervalJoin")));
}

constexpr std::string_view kWindows = R"(
CREATE VIEW o10 AS SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' MINUTE));
CREATE VIEW p10 AS SELECT * FROM TABLE(TUMBLE(TABLE paid, DESCRIPTOR(pay), INTERVAL '10' MINUTE));
CREATE VIEW p20 AS SELECT * FROM TABLE(TUMBLE(TABLE paid, DESCRIPTOR(pay), INTERVAL '20' MINUTE));
CREATE VIEW local10 AS SELECT * FROM TABLE(TUMBLE(TABLE local_paid, DESCRIPTOR(pay), INTERVAL '10' MINUTE));
CREATE VIEW counted AS SELECT order_id, window_start AS s, window_end AS e, COUNT(*) AS n FROM p10 GROUP BY window_start, window_end, order_id
)";

TEST_F(JoinInTimeTest, JoinsOfTheSameWindow) {
  ASSERT_TRUE(session_.run(kWindows));
  EXPECT_EQ(session_.explain("INSERT INTO appended SELECT o.id, p.amount FROM o10 o LEFT JOIN p10 p ON o.id = p.order_id AND o.window_start = p.window_start AND p.window_end = o.window_end AND amount > 2"),
            R"(Sink(table=[default_catalog.default_database.appended], fields=[k, n], changelogMode=[I], guarantee=[exactly once])
+- Calc(select=[id AS k, CAST(amount AS BIGINT) AS n], changelogMode=[I])
   +- WindowJoin(leftWindow=[TUMBLE(win_start=[window_start], win_end=[window_end], size=[10m])], rightWindow=[TUMBLE(win_start=[window_start0], win_end=[window_end0], size=[10m])], joinType=[LeftOuterJoin], where=[(id = order_id) AND (window_start = window_start0) AND (window_end = window_end0)], select=[id, window_start, window_end, order_id, amount, window_start0, window_end0], changelogMode=[I])
         state: rows of both inputs in open windows; freed when the watermark passes the window's end
         late rows: orders$late
      +- Exchange(distribution=[hash[id, window_start, window_end]])
         +- Calc(select=[id, window_start, window_end], changelogMode=[I])
            +- WindowTableFunction(window=[TUMBLE(time_col=[ts], size=[10m])], changelogMode=[I])
               +- TableSourceScan(table=[default_catalog.default_database.orders], fields=[id, ts], watermark=[ts - 1s], not-null=[ts], changelogMode=[I])
                     state: position and watermark per split
      +- Exchange(distribution=[hash[order_id, window_start, window_end]])
         +- Calc(select=[order_id, amount, window_start, window_end], where=[(amount > 2)], changelogMode=[I])
            +- WindowTableFunction(window=[TUMBLE(time_col=[pay], size=[10m])], changelogMode=[I])
               +- TableSourceScan(table=[default_catalog.default_database.paid], fields=[order_id, amount, pay], watermark=[pay], not-null=[pay], changelogMode=[I])
                     state: position and watermark per split
)");
  EXPECT_THAT(session_.explain("SELECT o.id, c.n FROM o10 o, counted c WHERE o.id = c.order_id AND o.window_start = c.s AND o.window_end = c.e"), HasSubstr("WindowJoin(")) << "of an aggregation, too";
  EXPECT_THAT(session_.explain("SELECT id FROM o10 o WHERE id IN (SELECT order_id FROM p10 p WHERE o.window_start = p.window_start AND o.window_end = p.window_end)"), HasSubstr("joinType=[LeftSemiJoin]"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM o10 o JOIN p10 p ON o.window_start = p.window_start"), Not(HasSubstr("WindowJoin(")));
  EXPECT_THAT(session_.explain("SELECT o.id FROM o10 o JOIN p20 p ON o.window_start = p.window_start AND o.window_end = p.window_end"), HasSubstr("cut in different ways"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM o10 o JOIN local10 p ON o.window_start = p.window_start AND o.window_end = p.window_end"), HasSubstr("cut in different ways"));
}

TEST_F(JoinInTimeTest, WhereReachesTheInnerJoinBelow) {
  const std::string explained = session_.explain("SELECT o.id FROM orders o JOIN paid p ON o.id = p.order_id LEFT JOIN plain ON plain.id = p.amount WHERE o.ts BETWEEN p.pay AND p.pay + INTERVAL '1' SECOND AND o.id > (SELECT MAX(id) FROM plain)");
  EXPECT_THAT(explained, HasSubstr("IntervalJoin("));
}

TEST_F(JoinInTimeTest, SubqueriesInWhere) {
  EXPECT_THAT(session_.explain("SELECT id FROM orders WHERE id IN (SELECT order_id FROM paid)"), HasSubstr("Join(joinType=[LeftSemiJoin], where=[(id = order_id)], select=[id], changelogMode=[I])"));
  EXPECT_THAT(session_.explain("SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM paid)"),
              HasSubstr("Join(joinType=[LeftAntiJoin], where=[((id = order_id) IS NOT FALSE)], select=[id], changelogMode=[I,D])"));
  EXPECT_THAT(session_.explain("SELECT id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM paid p WHERE p.order_id = o.id AND p.amount > 2 AND o.item <> 'x')"),
              HasSubstr("Join(joinType=[LeftAntiJoin], where=[(id = order_id) AND (item <> 'x')], select=[id, item], changelogMode=[I,D])"));
  EXPECT_THAT(session_.explain("INSERT INTO appended SELECT id, id FROM orders WHERE id NOT IN (SELECT order_id FROM paid)"), HasSubstr("takes only inserts"));
}

TEST_F(JoinInTimeTest, AsOf) {
  const std::string sql = "INSERT INTO appended SELECT o.id, o.id FROM orders AS o LEFT JOIN users FOR SYSTEM_TIME AS OF o.ts AS u ON u.id = o.id AND u.name <> 'x' AND o.item <> 'y'";
  EXPECT_EQ(session_.explain(sql), R"(Sink(table=[default_catalog.default_database.appended], fields=[k, n], changelogMode=[I], guarantee=[exactly once])
+- Calc(select=[id AS k, id AS n], changelogMode=[I])
   +- TemporalJoin(joinType=[LeftOuterJoin], where=[(id = id0) AND ((name <> 'x') AND (item <> 'y'))], asOf=[ts], versions=[ts0], select=[id, item, ts, id0, name, ts0], changelogMode=[I])
         state: left rows and right versions until the watermark has reached them; the version of every key that holds, for ever
         late rows: orders$late
      +- Exchange(distribution=[hash[id]])
         +- TableSourceScan(table=[default_catalog.default_database.orders], fields=[id, item, ts], watermark=[ts - 1s], not-null=[ts], changelogMode=[I])
               state: position and watermark per split
      +- Exchange(distribution=[hash[id]])
         +- ChangelogNormalize(key=[id], changelogMode=[I,UA,D])
               state: the last row of every key, until it is deleted
            +- Exchange(distribution=[hash[id]])
               +- TableSourceScan(table=[default_catalog.default_database.users], fields=[id, name, ts], watermark=[ts], not-null=[id, ts], changelogMode=[I,UA,D])
                     state: position and watermark per split
)") << "what is asked of a version is asked in the join, and no -U is needed";
  TestSession plain(false);
  ASSERT_TRUE(plain.run(std::string(kTables) + std::string(kStreams)));
  EXPECT_THAT(plain.explain(sql), HasSubstr("asOf=[ts], versions=[ts0]"));
  ASSERT_TRUE(session_.run("CREATE VIEW names AS SELECT * FROM users; CREATE VIEW last_paid AS SELECT * FROM (SELECT order_id AS k, amount, pay, ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY pay DESC) AS n FROM paid) WHERE n = 1;"
                           "CREATE VIEW first_paid AS SELECT order_id AS k, pay FROM paid QUALIFY ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY pay) = 1;"
                           "CREATE VIEW last_users AS SELECT name, ts FROM users QUALIFY ROW_NUMBER() OVER (PARTITION BY name ORDER BY ts DESC) = 1"));
  const std::string of_view = session_.explain("SELECT o.id, p.amount, p.n FROM orders AS o JOIN last_paid FOR SYSTEM_TIME AS OF o.ts AS p ON p.k = o.id");
  EXPECT_THAT(of_view, HasSubstr("TemporalJoin(joinType=[InnerJoin], where=[(id = k)], asOf=[ts], versions=[pay]"));
  EXPECT_THAT(of_view, Not(HasSubstr("Rank("))) << "each of the rows is a version";
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders AS o JOIN first_paid FOR SYSTEM_TIME AS OF o.ts AS p ON p.k = o.id"), HasSubstr("a view that is not the last row of each key"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders AS o JOIN last_users FOR SYSTEM_TIME AS OF o.ts AS p ON p.name = o.item"), HasSubstr("over rows that are updated"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders AS o JOIN names FOR SYSTEM_TIME AS OF o.ts AS u ON u.id = o.id"), HasSubstr("FOR SYSTEM_TIME AS OF on a view that is not the last row of each key is not supported"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders AS o JOIN users FOR SYSTEM_TIME AS OF PROCTIME() AS u ON u.id = o.id"), HasSubstr("PROCTIME() is none"));
  EXPECT_THAT(session_.explain("SELECT u.id FROM users AS u JOIN users FOR SYSTEM_TIME AS OF u.ts AS v ON u.id = v.id"), HasSubstr("a temporal join over rows that are updated"));
  EXPECT_THAT(session_.explain("SELECT o.id FROM orders AS o JOIN keyless FOR SYSTEM_TIME AS OF o.ts AS u ON u.id = o.id"), HasSubstr("`keyless` does not exist"));
}

TEST_F(JoinInTimeTest, UpdatedRowsAreRefused) {
  const auto p = session_.plan("SELECT o.id FROM orders o\nJOIN users u ON o.id = u.id AND o.ts BETWEEN u.ts AND u.ts + INTERVAL '1' SECOND");
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(p.error().message, HasSubstr("an interval join over rows that are updated ([I,UB,UA,D]) is not supported: "));
  EXPECT_EQ(p.error().position->line, 2);
  EXPECT_EQ(p.error().position->column, 6);
  const std::string way_out = "SELECT o.id FROM orders o JOIN users u ON o.id = u.id AND CAST(o.ts AS TIMESTAMP(6)) BETWEEN u.ts AND u.ts + INTERVAL '1' SECOND";
  EXPECT_THAT(session_.explain(way_out), Not(HasSubstr("IntervalJoin")));
}

}  // namespace
}  // namespace supyo::plan
