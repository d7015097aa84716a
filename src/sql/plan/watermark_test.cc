#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::HasSubstr;

class WatermarkTest : public ::testing::Test {
 protected:
  TestSession session_;
};

TEST_F(WatermarkTest, AnyExpressionOfTheRow) {
  ASSERT_TRUE(session_.run("CREATE TABLE w (k INT, other TIMESTAMP(3), text STRING, t AS CAST(text AS TIMESTAMP(3)), unread INT,"
                           " WATERMARK FOR t AS CASE WHEN k > 1 THEN t - INTERVAL '1' MINUTE ELSE other END) WITH ('connector' = 'kafka', 'topic' = 'm', 'format' = 'json')"));
  const std::string text = session_.explain("SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(t), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end");
  EXPECT_THAT(text, HasSubstr("fields=[k, other, text, t], rowtime=[t AS CAST(text AS TIMESTAMP(3))], watermark=[CASE WHEN (k > 1) THEN (CAST(text AS TIMESTAMP(3)) - ")) << "what it reads is read";
}

TEST_F(WatermarkTest, OneLengthOfTimeStaysOne) {
  ASSERT_TRUE(session_.run("CREATE TABLE w (t TIMESTAMP(3), WATERMARK FOR t AS TIMESTAMPADD(SECOND, -5, t) - INTERVAL '1' SECOND) WITH ('connector' = 'kafka', 'topic' = 'm', 'format' = 'json')"));
  EXPECT_THAT(session_.explain("SELECT * FROM w"), HasSubstr("watermark=[t - 6s]"));
}

TEST_F(WatermarkTest, AdviceIsGivenWhereStateGrows) {
  ASSERT_TRUE(session_.run("CREATE TABLE w (k INT, t TIMESTAMP(3)) WITH ('connector' = 'kafka', 'topic' = 'm', 'format' = 'json')"));
  EXPECT_THAT(session_.listing("EXPLAIN PLAN_ADVICE SELECT k, COUNT(*) FROM w GROUP BY k"), HasSubstr("advice[1]: GroupAggregate keeps its state for ever (one accumulator per key"));
  EXPECT_THAT(session_.listing("EXPLAIN PLAN_ADVICE SELECT k FROM w"), HasSubstr("No available advice."));
  ASSERT_TRUE(session_.run("SET 'table.exec.state.ttl' = '1 h'"));
  EXPECT_THAT(session_.listing("EXPLAIN PLAN_ADVICE SELECT k, COUNT(*) FROM w GROUP BY k"), HasSubstr("No available advice."));
}

}  // namespace
}  // namespace supyo::plan
