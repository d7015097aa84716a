#include "engine/operators/short_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace supyo::operators {
namespace {

TEST(ShortBytes, HoldsEverySizeThroughAssignmentsMovesAndGrowth) {
  std::vector<ShortBytes> all;
  for (std::size_t size = 0; size < 300; ++size) {
    all.emplace_back();
    all.back().assign(std::string(300 - size, 'x'));
    all.back().assign(std::string(size, static_cast<char>('a' + size % 26)));
  }
  for (std::size_t size = 0; size < 300; ++size) EXPECT_EQ(all[size].view(), std::string(size, static_cast<char>('a' + size % 26)));
  ShortBytes moved = std::move(all[299]);
  EXPECT_EQ(moved.view().size(), 299U);
  moved = std::move(all[3]);
  EXPECT_EQ(moved.view(), "ddd");
  moved.clear();
  EXPECT_TRUE(moved.view().empty());
}

}  // namespace
}  // namespace supyo::operators
