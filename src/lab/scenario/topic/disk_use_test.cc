#include "lab/scenario/topic/disk_use.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/env/real/real_env.h"

namespace supyo::scenario {
namespace {

class DiskUseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    data_ = std::filesystem::temp_directory_path() / ("supyo_disk_use_" + std::to_string(::getpid()));
    std::filesystem::remove_all(data_);
  }
  void TearDown() override { std::filesystem::remove_all(data_); }
  void file(const std::string& path, std::size_t bytes) {
    std::filesystem::create_directories((data_ / path).parent_path());
    std::ofstream(data_ / path) << std::string(bytes, 'x');
  }
  env::RealEnv real_;
  std::filesystem::path data_;
};

TEST_F(DiskUseTest, CountsWhatKafkaKeeps) {
  file("t-0/00000000000000000100.log", 10'000);
  file("t-0/00000000000000000200.log", 30'000);
  file("t-0/00000000000000000500.log", 500);          // being written
  file("t-0/00000000000000000200.index", 1 << 20);
  file("t-0/00000000000000000000.log.deleted", 7'000);
  file("u-0/00000000000000000000.log", 9'999);
  PartitionOnDisk partition(real_.env().files, data_.string(), "t", 0);
  const DiskUse use = partition.look(505);
  EXPECT_EQ(use.log_bytes, 40'500);
  EXPECT_EQ(use.disk_bytes, 47'500);
  EXPECT_EQ(use.record_bytes, 100);
}

TEST_F(DiskUseTest, TakesTheReserveOfOurOwnBrokerForNoRecords) {
  file("t/0/00000000000000000000.seg", 20'000);
  file("t/0/00000000000000000100.seg", 8 << 20);
  file("t/0/mark", 64);
  PartitionOnDisk partition(real_.env().files, data_.string(), "t", 0);
  EXPECT_EQ(partition.look(110).log_bytes, 22'000);
  EXPECT_EQ(partition.look(110).record_bytes, 200);
}

TEST_F(DiskUseTest, OneSegmentOfKafkaTellsARecordToo) {
  file("t-0/00000000000000000000.log", 3'000);
  EXPECT_EQ(PartitionOnDisk(real_.env().files, data_.string(), "t", 0).look(30).record_bytes, 100);
}

TEST_F(DiskUseTest, SeesNothingWhereNothingIsKnown) {
  EXPECT_EQ(PartitionOnDisk(real_.env().files, "", "t", 0).look(10).disk_bytes, 0);
  EXPECT_EQ(PartitionOnDisk(real_.env().files, data_.string(), "t", 0).look(10).disk_bytes, 0);
}

}  // namespace
}  // namespace supyo::scenario
