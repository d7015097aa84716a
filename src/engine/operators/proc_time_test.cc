#include "engine/operators/proc_time.h"

#include <gmock/gmock.h>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;

Schema schema() { return Schema({{"k", Type::big_int().not_null()}, {"p", Type::timestamp_ltz(3).not_null()}}); }

BatchPtr rows(std::int64_t n) {
  BatchBuilder b(schema());
  for (std::int64_t i = 0; i < n; ++i) {
    b.column(0).append(i);
    b.column(1).append(std::int64_t{-1});
    b.end_row();
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  batch->edge_watermarks.assign(batch->rows, 99 * kDay);
  return batch;
}

class ProcTimeTest : public ::testing::Test {
 public:
  std::vector<TimeUs> stamps() const {
    std::vector<TimeUs> out;
    for (const BatchPtr& b : h_.batches)
      for (std::size_t r = 0; r < b->rows; ++r) out.push_back(b->columns[1]->value<std::int64_t>(r));
    return out;
  }
  OperatorHarness h_{make_proc_time({.column = 1, .tick_us = 10 * kSecond, .phase_us = 3 * kSecond})};
};

TEST_F(ProcTimeTest, StampsWithTheClockInWholeMillisecondsAndForgetsEdgesOfEventTime) {
  h_.clock_us = 5 * kSecond + 1234;
  h_.feed(rows(2));
  h_.clock_us = 6 * kSecond;
  h_.feed(rows(1));
  EXPECT_THAT(stamps(), ElementsAre(5 * kSecond + kMillisecond, 5 * kSecond + kMillisecond, 6 * kSecond));
  EXPECT_TRUE(h_.batches[0]->edge_watermarks.empty());
}

TEST_F(ProcTimeTest, TheWatermarkMovesAtTheTicksAndIsBeforeWhatFollows) {
  EXPECT_TRUE(h_.op().makes_time());
  EXPECT_EQ(h_.op().next_timer_us(h_), kTimeMin) << "at once, the first time";
  h_.clock_us = 5 * kSecond + 10;
  EXPECT_EQ(h_.op().made_watermark(h_), 5 * kSecond - kMillisecond);
  h_.watermark(5 * kSecond - kMillisecond);
  EXPECT_EQ(h_.op().next_timer_us(h_), 13 * kSecond);
  h_.clock_us = 13 * kSecond;
  h_.watermark(h_.op().made_watermark(h_));
  EXPECT_EQ(h_.op().next_timer_us(h_), 23 * kSecond);
  h_.feed(rows(1));
  EXPECT_THAT(stamps(), ElementsAre(13 * kSecond)) << "a window that ends now is over, and the row is not in it";
  h_.watermark(kTimeMax);
  EXPECT_EQ(h_.op().next_timer_us(h_), kTimeMax);
}

TEST_F(ProcTimeTest, AClockThatGoesBackMakesNoRowLate) {
  h_.restore({}, 20 * kSecond);
  h_.clock_us = 7 * kSecond;
  h_.feed(rows(1));
  EXPECT_THAT(stamps(), ElementsAre(20 * kSecond + kMillisecond));
  EXPECT_LT(h_.op().made_watermark(h_), h_.watermark_us()) << "which the runtime then leaves out";
}

}  // namespace
}  // namespace supyo::operators
