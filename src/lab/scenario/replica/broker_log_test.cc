#include "lab/scenario/replica/broker_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"

namespace supyo::scenario {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::string big_endian(std::uint64_t v, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(v >> shift);
  return out;
}

/// A batch as Kafka stores it, as far as anybody looks at it here.
std::string batch(std::uint64_t base, std::uint64_t records, std::uint64_t epoch, std::size_t body) {
  const std::string after_length = big_endian(epoch, 4) + '\2' + std::string(6, '\0') + big_endian(records - 1, 4) + std::string(34 + body, 'x');
  return big_endian(base, 8) + big_endian(after_length.size(), 4) + after_length;
}

class BrokerLogTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(files_.create_directories("data/t-0"));
    ASSERT_TRUE(files_.write_atomically("data/t-0/" + name, text));
  }
  env::SeededRandom random_{1};
  env::RandomChoices choices_{random_};
  env::SimFiles files_{choices_};
};

TEST_F(BrokerLogTest, EndsAfterTheLastWholeBatchOfTheLastSegment) {
  write("00000000000000000000.log", batch(0, 100, 0, 10));
  write("00000000000000000100.log", batch(100, 5, 0, 10) + batch(105, 20, 3, 300) + batch(125, 7, 3, 40).substr(0, 90));
  const auto log = read_broker_log(files_, "data/t-0");
  ASSERT_TRUE(log) << log.error().to_string();
  EXPECT_EQ(log->end, 125);
  EXPECT_EQ(log->last_epoch, 3);
}

TEST_F(BrokerLogTest, AnEmptySegmentEndsWhereItBegins) {
  write("00000000000000000042.log", "");
  const auto log = read_broker_log(files_, "data/t-0");
  ASSERT_TRUE(log) << log.error().to_string();
  EXPECT_EQ(log->end, 42);
  EXPECT_EQ(log->last_epoch, -1);
}

TEST_F(BrokerLogTest, NoSegmentIsAnError) {
  write("partition.metadata", "version: 0");
  EXPECT_FALSE(read_broker_log(files_, "data/t-0"));
  EXPECT_FALSE(read_broker_log(files_, "data/u-0"));
}

TEST_F(BrokerLogTest, LeaderEpochs) {
  write("leader-epoch-checkpoint", "0\n2\n0 0\n4 3012\n");
  const auto epochs = read_leader_epochs(files_, "data/t-0");
  ASSERT_TRUE(epochs) << epochs.error().to_string();
  EXPECT_THAT(*epochs, ElementsAre(Pair(0, 0), Pair(4, 3012)));
  for (const char* bad : {"", "0\n2\n0 0\n", "1\n0\n", "0\n-1\n", "zero\n"}) {
    write("leader-epoch-checkpoint", bad);
    EXPECT_FALSE(read_leader_epochs(files_, "data/t-0")) << bad;
  }
}

}  // namespace
}  // namespace supyo::scenario
