#include "sql/plan/join_ends.h"

#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kStreams = R"(
CREATE TABLE all_bids (auction BIGINT, price BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) WITH ('connector' = 'stored');
CREATE TABLE idle_bids (auction BIGINT, price BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'stored', 'scan.watermark.idle-timeout' = '1 min');
CREATE TABLE local_bids (auction BIGINT, price BIGINT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'stored');
CREATE TABLE changing (auction BIGINT, price BIGINT, ts TIMESTAMP(3), PRIMARY KEY (auction) NOT ENFORCED) WITH ('connector' = 'upserts');
)";

class JoinEndsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto ready = session_.run(std::string(kTables) + std::string(kStreams));
    ASSERT_TRUE(ready) << ready.error().to_string();
  }
  static std::string windows(std::string_view table = "all_bids") {
    return fmt::format("(SELECT MAX(price) AS price, window_start, window_end, window_time FROM TABLE(TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, window_time)", table);
  }
  /// "L 10000": the left rows end so many milliseconds after their time; "": for ever, on both sides.
  std::string ends(const std::string& from) {
    const auto p = session_.plan("SELECT b.auction, w.window_end FROM " + from);
    EXPECT_TRUE(p) << p.error().to_string();
    std::string out;
    for (const PhysicalNode& n : p ? p->nodes : std::vector<PhysicalNode>()) {
      const auto* j = n.as<Join>();
      for (std::size_t side = 0; j != nullptr && side < 2; ++side) {
        if (!j->ends[side]) continue;
        EXPECT_EQ(p->nodes[n.inputs[side]].output[j->ends[side]->column].name, "ts");
        out += fmt::format("{} {}", side == 0 ? "L" : "R", j->ends[side]->after_us / kMillisecond);
      }
    }
    return out;
  }
  TestSession session_;
};

TEST_F(JoinEndsTest, RowsEndWhereTheirTimeIsBoundedByTheEndOfAWindow) {
  const std::string on = " w ON b.price = w.price AND ";
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "b.ts BETWEEN w.window_end - INTERVAL '10' SECOND AND w.window_end"), "L 10000");
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + " w ON b.price = w.price WHERE b.ts >= w.window_time"), "L 0") << "one bound is enough";
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "b.ts > w.window_end"), "L -1");
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "b.ts >= w.window_end - INTERVAL '9' SECOND AND b.ts + INTERVAL '2' SECOND >= w.window_end"), "L 2000") << "the earliest";
  EXPECT_EQ(ends(windows() + " w JOIN all_bids b ON b.price = w.price AND w.window_end < b.ts + INTERVAL '5' SECOND"), "R 4999");
  EXPECT_EQ(ends("all_bids b JOIN (SELECT price + 1 AS price, window_end FROM " + windows() + " WHERE price > 3)" + on + "b.ts >= w.window_end"), "L 0");
  ASSERT_TRUE(session_.run("SET 'table.optimizer.agg-phase-strategy' = 'TWO_PHASE'"));
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "b.ts >= w.window_end"), "L 0");
  EXPECT_THAT(session_.explain("SELECT b.auction FROM all_bids b JOIN " + windows() + on + "b.ts >= w.window_end - INTERVAL '10' SECOND"),
              HasSubstr("left rows until the watermark is 10s past them; all right rows, for ever"));
}

TEST_F(JoinEndsTest, OthersAreKept) {
  const std::string on = " w ON b.price = w.price AND ", bound = "b.ts >= w.window_end - INTERVAL '10' SECOND";
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "b.ts <= w.window_end"), "") << "no bound from below";
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "b.ts >= w.window_start"), "") << "a window's start lies before the watermark";
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + "(b.ts >= w.window_end OR b.price > 3)"), "");
  EXPECT_EQ(ends("all_bids b LEFT JOIN " + windows() + on + bound), "") << "it stands alone when it ends";
  EXPECT_EQ(ends("all_bids b JOIN TABLE(TUMBLE(TABLE all_bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))" + on + "b.ts >= w.window_end"), "") << "rows pass as they come, late ones too";
  EXPECT_EQ(ends("all_bids b JOIN " + windows("idle_bids") + on + bound), "");
  EXPECT_EQ(ends("local_bids b JOIN " + windows("local_bids") + on + "b.ts >= w.window_time"), "");
  EXPECT_EQ(ends("changing b JOIN " + windows() + on + bound), "") << "what is updated is kept";
  ASSERT_TRUE(session_.run("SET 'table.exec.state.ttl' = '1 h'"));
  EXPECT_EQ(ends("all_bids b JOIN " + windows() + on + bound), "") << "ends by the clock";
}

}  // namespace
}  // namespace supyo::plan
