#include "core/env/net.h"

#include <gtest/gtest.h>

#include <array>

#include "core/env/real/real_env.h"

namespace supyo::env {
namespace {

TEST(NetAddress, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_net_address("127.0.0.1:9092")->to_string(), "127.0.0.1:9092");
  EXPECT_EQ(parse_net_address("localhost:1")->to_string(), "127.0.0.1:1");
  EXPECT_EQ(parse_net_address("9092")->to_string(), "127.0.0.1:9092");
  EXPECT_EQ(parse_net_address(":9092")->to_string(), "127.0.0.1:9092");
  EXPECT_EQ(parse_net_address("[::1]:9092")->to_string(), "[::1]:9092");
  EXPECT_TRUE(parse_net_address("[::1]:9092")->is_loopback());
  EXPECT_FALSE(parse_net_address("0.0.0.0:9092")->is_loopback());
  for (const char* bad : {"", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "1:2:3"}) EXPECT_FALSE(parse_net_address(bad)) << bad;
}

class RealNetTest : public ::testing::Test {
 protected:
  RealEnv real_;
  Net& net_ = *real_.env().net;
};

TEST_F(RealNetTest, BytesGoBothWaysAndTheEndIsSeen) {
  auto listener = net_.listen({});
  ASSERT_TRUE(listener);
  auto poller = net_.make_poller();
  ASSERT_TRUE(poller);
  ASSERT_TRUE((*poller)->watch(**listener, 7));
  EXPECT_EQ((*(*listener)->accept()).get(), nullptr);
  auto client = net_.connect((*listener)->address());
  ASSERT_TRUE(client);
  auto ready = (*poller)->wait(10 * kSecond);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].token, 7U);
  auto served = (*listener)->accept();
  ASSERT_TRUE(served && *served);
  std::array<char, 64> buffer{};
  EXPECT_EQ((*served)->read(buffer).bytes, 0U);
  EXPECT_FALSE((*served)->read(buffer).closed);
  (*poller)->forget(**listener);
  ASSERT_TRUE((*poller)->watch(**served, 8, {}));
  EXPECT_EQ((*client)->write("hello").bytes, 5U);
  ready = (*poller)->wait(10 * kSecond);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_TRUE(ready[0].readable);
  EXPECT_FALSE(ready[0].writable);
  EXPECT_EQ((*served)->read(buffer).bytes, 5U);
  ASSERT_TRUE((*poller)->change(**served, 8, {.read = false, .write = true}));
  ready = (*poller)->wait(10 * kSecond);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_TRUE(ready[0].writable);
  ASSERT_TRUE((*poller)->change(**served, 8, {}));
  client->reset();
  ready = (*poller)->wait(10 * kSecond);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_TRUE((*served)->read(buffer).closed);
}

TEST_F(RealNetTest, AWakeUpBeforeTheWaitEndsIt) {
  auto poller = net_.make_poller();
  ASSERT_TRUE(poller);
  (*poller)->wake();
  EXPECT_TRUE((*poller)->wait(3600 * kSecond).empty());
}

TEST_F(RealNetTest, ATakenPortIsANumberedError) {
  auto first = net_.listen({});
  ASSERT_TRUE(first);
  auto second = net_.listen((*first)->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAddressInUse);
  EXPECT_EQ(net_.listen({"not-an-ip", 0}).error().code, ErrorCode::kBadOptionValue);
}

}  // namespace
}  // namespace supyo::env
