#include "connect/kafka/log_dirs.h"

#include <gtest/gtest.h>

#include <random>

namespace supyo::connect {
namespace {

std::string big(std::uint64_t v, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(v >> shift & 0xff));
  return out;
}

/// Version 4: correlation, no tags, throttle, no error, one directory with one topic of two partitions (the second of them a future replica), the disk's sizes.
std::string answer() {
  const std::string none(1, '\0');
  const std::string partition = big(3, 4) + big(1000, 8) + big(7, 8) + none + none, future = big(4, 4) + big(5, 8) + big(0, 8) + std::string(1, '\1') + none;
  const std::string topic = std::string("\x02t") + "\x03" + partition + future + none;
  return big(1, 4) + none + big(0, 4) + big(0, 2) + "\x02" + big(0, 2) + "\x03/d" + "\x02" + topic + big(100, 8) + big(40, 8) + none + none;
}

TEST(LogDirs, Parses) {
  const auto dirs = parse_log_dirs(answer(), 4);
  ASSERT_TRUE(dirs) << dirs.error().to_string();
  ASSERT_EQ(dirs->directories.size(), 1U);
  const auto& d = dirs->directories[0];
  EXPECT_EQ(d.path, "/d");
  EXPECT_EQ(d.total_bytes, 100);
  EXPECT_EQ(d.usable_bytes, 40);
  ASSERT_EQ(d.partitions.size(), 1U);
  EXPECT_EQ(d.partitions[0].topic, "t");
  EXPECT_EQ(d.partitions[0].partition, 3);
  EXPECT_EQ(d.partitions[0].bytes, 1000);
  EXPECT_EQ(d.partitions[0].lag, 7);
}

TEST(LogDirs, BytesFromOutside) {
  const std::string good = answer();
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(parse_log_dirs(std::string_view(good).substr(0, n), 4)) << n;
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
    (void)parse_log_dirs(bad, 4);
    (void)parse_log_dirs(bad, 1);
  }
  std::string refused = good;
  refused.replace(9, 2, big(35, 2));
  EXPECT_EQ(parse_log_dirs(refused, 4).error().code, ErrorCode::kUnsupported);
  refused.replace(9, 2, big(31, 2));
  EXPECT_EQ(parse_log_dirs(refused, 4).error().code, ErrorCode::kNotAllowed);
}

}  // namespace
}  // namespace supyo::connect
