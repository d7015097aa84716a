#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProcTimeTest : public ::testing::Test {
 public:
  ProcTimeTest() {
    EXPECT_TRUE(session_.run(kTables));
    EXPECT_TRUE(session_.run("CREATE TABLE seen (k BIGINT, p AS PROCTIME(), ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka', 'topic' = 'seen', 'format' = 'json');"
                             "CREATE VIEW watched AS SELECT *, PROCTIME() AS now FROM bids"));
  }
  TestSession session_;
};

TEST_F(ProcTimeTest, AWindowStampsItsRowsItself) {
  const auto p = session_.plan("SELECT bidder, COUNT(*), window_end FROM TABLE(TUMBLE(TABLE watched, DESCRIPTOR(now), INTERVAL '10' SECOND, INTERVAL '2' SECOND)) GROUP BY bidder, window_start, window_end");
  ASSERT_TRUE(p) << p.error().to_string();
  const std::string text = explain_text(*p);
  EXPECT_THAT(text, HasSubstr("WindowAggregate(groupBy=[bidder], window=[TUMBLE(time_col=[now], size=[10s], offset=[2s])]"));
  EXPECT_THAT(text, HasSubstr("ProcTimeAssigner(proctime=[now], changelogMode=[I])"));
  EXPECT_THAT(text, Not(HasSubstr("$late"))) << "event time's watermark ends below";
  for (const PhysicalNode& n : p->nodes) {
    if (const auto* stamp = n.as<ProcTime>()) {
      EXPECT_EQ(stamp->tick_us, 10 * kSecond);
      EXPECT_EQ(stamp->phase_us, 2 * kSecond);
      EXPECT_EQ(n.distribution.kind, Distribution::Kind::kForward);
    }
    if (const auto* s = n.as<Scan>()) EXPECT_FALSE(s->row_time->edge);
  }
}

TEST_F(ProcTimeTest, WhatIsMadeOfAWindowIsOfProcessingTimeToo) {
  const std::string text = session_.explain(
      "SELECT window_end, SUM(n) FROM TABLE(HOP((SELECT window_time AS t, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(p), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, window_time),"
      " DESCRIPTOR(t), INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)) GROUP BY window_start, window_end");
  EXPECT_THAT(text, HasSubstr("ProcTimeAssigner(proctime=[t]"));
  EXPECT_THAT(text, HasSubstr("ProcTimeAssigner(proctime=[p]"));
}

TEST_F(ProcTimeTest, WindowsOfDifferentTimesAreNotJoined) {
  EXPECT_THAT(session_.explain("SELECT a.k FROM (SELECT k, window_start AS s, window_end AS e FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(p), INTERVAL '1' SECOND))) AS a JOIN"
                               " (SELECT k, window_start AS s, window_end AS e FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(ts), INTERVAL '1' SECOND))) AS b ON a.k = b.k AND a.s = b.s AND a.e = b.e"),
              HasSubstr("cut in different ways"));
  EXPECT_THAT(session_.explain("SELECT a.k FROM seen AS a JOIN seen AS b ON a.k = b.k AND a.p BETWEEN b.p - INTERVAL '1' HOUR AND b.p"), HasSubstr("a join within processing time is not supported"));
}

TEST_F(ProcTimeTest, DescribeMarksIt) {
  EXPECT_THAT(session_.listing("DESCRIBE seen"), HasSubstr("p | TIMESTAMP_LTZ(3) *PROCTIME* | FALSE |"));
}

/// 'filesystem', which is looked up in.
TEST(LookupJoinPlanTest, ReadsWhatIsNeededOfTheTable) {
  catalog::ConnectorRegistry registry;
  registry.add({.name = "filesystem", .options = {}, .source = true, .metadata = {}, .help = {}});
  catalog::Catalog catalog(registry, {}, "/base");
  expr::FunctionRegistry functions;
  config::Settings settings;
  Planner planner(catalog, functions, settings, {});
  const auto statements = syntax::parse_script(
      "CREATE TABLE o (k BIGINT, n BIGINT, p AS PROCTIME(), ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem');"
      "CREATE TABLE dim (id INT NOT NULL, name STRING, unread STRING, loud AS UPPER(name)) WITH ('connector' = 'filesystem');"
      "SELECT window_end, COUNT(*) FROM TABLE(TUMBLE((SELECT o.ts, d.loud FROM o LEFT JOIN dim FOR SYSTEM_TIME AS OF o.p AS d ON MOD(o.k, 10) = d.id AND d.name <> 'x' AND o.n > d.id),"
      " DESCRIPTOR(ts), INTERVAL '1' SECOND)) WHERE loud <> 'Y' GROUP BY window_start, window_end");
  ASSERT_TRUE(statements);
  Result<Outcome> last = Outcome(Done{});
  for (const auto& s : *statements) {
    last = planner.execute(s);
    ASSERT_TRUE(last) << last.error().to_string();
  }
  const auto p = planner.plan(std::get<Job>(*last));
  ASSERT_TRUE(p) << p.error().to_string();
  const std::string text = explain_text(*p);
  EXPECT_THAT(text, HasSubstr("LookupJoin(table=[default_catalog.default_database.dim], joinType=[LeftOuterJoin], lookup=["));
  EXPECT_THAT(text, HasSubstr("filter=[(name <> 'x')], where=["));
  EXPECT_THAT(text, HasSubstr("the table's rows in memory, read when the job starts"));
  EXPECT_THAT(text, HasSubstr("late rows: o$late")) << "the left time goes on";
  EXPECT_EQ(p->scans().size(), 1U) << "the table is no source";
  for (const PhysicalNode& n : p->nodes) {
    if (const auto* s = n.as<Scan>()) EXPECT_TRUE(s->row_time->edge);
    const auto* j = n.as<LookupJoin>();
    if (j == nullptr) continue;
    EXPECT_EQ(j->columns, (std::vector<std::size_t>{0, 1}));
    EXPECT_EQ(j->not_null, (std::vector<bool>{true, false}));
    EXPECT_TRUE(j->keep_left);
    EXPECT_TRUE(j->filter) << "what is asked of the table alone is asked when it is read";
    EXPECT_TRUE(j->condition);
    EXPECT_EQ(n.inputs.size(), 1U);
    EXPECT_EQ(n.distribution.kind, Distribution::Kind::kForward);
  }
}

}  // namespace
}  // namespace supyo::plan
