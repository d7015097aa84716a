#include <gtest/gtest.h>

#include "testkit/fake_operators.h"
#include "testkit/operator_harness.h"

namespace supyo::testkit {
namespace {

TEST(OperatorHarness, DrivesAnOperatorAndMovesItsStateToOtherShards) {
  const auto factory = factory_of<SortByTime>();
  OperatorHarness one(factory);
  ASSERT_TRUE(one.rows(batch_of({{.key = 1, .value = 10, .time = 30}, {.key = 2, .value = 20, .time = 10}, {.key = 3, .value = 30, .time = 20}})));
  EXPECT_TRUE(one.take_lines().empty());
  ASSERT_TRUE(one.watermark(15));
  EXPECT_EQ(one.take_lines(), (std::vector<std::string>{"+I 2,20,10"}));
  ASSERT_TRUE(one.rows(batch_of({{.key = 4, .value = 40, .time = 15}})));
  EXPECT_EQ(one.take_late(), (std::vector<std::string>{"+I 4,40,15,15,0,-,-,SortByTime,LATE"}));
  ASSERT_TRUE(one.barrier());
  std::vector<std::string> all;
  for (std::uint32_t s = 0; s < 3; ++s) {
    OperatorHarness part(factory, s, 3);
    ASSERT_TRUE(part.restore(one));
    ASSERT_TRUE(part.watermark(kTimeMax));
    for (auto& l : part.take_lines()) all.push_back(std::move(l));
  }
  EXPECT_EQ(sorted(all), (std::vector<std::string>{"+I 1,10,30", "+I 3,30,20"}));
}

}  // namespace
}  // namespace supyo::testkit
