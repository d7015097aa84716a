#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "serve/broker/messages_admin.h"
#include "serve/broker/messages_data.h"
#include "serve/broker/messages_group.h"
#include "serve/broker/messages_transaction.h"

namespace supyo::broker {
namespace {

/// Fills a message with random values, through the description that the codec uses.
class Filler {
 public:
  static constexpr bool kDecodes = true;
  Filler(env::Random& random, int version) : random_(random), version_(version) {}
  int version() const { return version_; }
  template <WireInteger T>
  void field(T& v) {
    if constexpr (std::same_as<T, bool>) v = random_.below(2) == 0;
    else v = static_cast<T>(random_.next_u64());
  }
  void field(Uuid& v) { for (auto& b : v) b = static_cast<std::uint8_t>(random_.next_u64()); }
  void field(std::string& v) { v = text(); }
  void field(std::optional<std::string>& v) { v = random_.below(3) == 0 ? std::nullopt : std::optional(text()); }
  void bytes(std::string& v) { v = text(); }
  void bytes(std::optional<std::string_view>& v) { v = random_.below(3) == 0 ? std::nullopt : std::optional<std::string_view>("some bytes"); }
  template <class T>
  void array(std::vector<T>& v) {
    v.resize(random_.below(4));
    for (T& item : v) {
      if constexpr (requires { item.describe(*this); }) item.describe(*this);
      else field(item);
    }
  }
  template <class T>
  void array(std::optional<std::vector<T>>& v) {
    v.reset();
    if (random_.below(3) != 0) array(v.emplace());
  }
  void tags() {}

 private:
  std::string text() { return std::string(random_.below(200), static_cast<char>('a' + random_.below(26))); }
  env::Random& random_;
  int version_;
};

template <class Message>
void round_trips(Api api) {
  const ApiVersions* a = find_api(static_cast<std::int16_t>(api));
  env::SeededRandom random(static_cast<std::uint64_t>(api) + 1);
  for (int version = a->oldest; version <= a->newest; ++version) {
    const bool flexible = version >= a->flexible;
    for (int round = 0; round < 20; ++round) {
      Message message;
      Filler filler(random, version);
      message.describe(filler);
      std::string bytes;
      Encoder encoder(bytes, version, flexible);
      message.describe(encoder);
      Message read;
      Decoder decoder(bytes, version, flexible);
      read.describe(decoder);
      ASSERT_FALSE(decoder.failed()) << static_cast<int>(api) << " version " << version;
      ASSERT_EQ(decoder.remaining(), 0U) << static_cast<int>(api) << " version " << version;
      std::string again;
      Encoder second(again, version, flexible);
      read.describe(second);
      ASSERT_EQ(again, bytes) << static_cast<int>(api) << " version " << version;
      // Cut anywhere, it is refused or at least read without harm; the address sanitizer looks on.
      Message cut;
      Decoder short_of(std::string_view(bytes).substr(0, random.below(bytes.size() + 1)), version, flexible);
      cut.describe(short_of);
    }
  }
}

TEST(Codec, EveryMessageOfEveryVersionComesBack) {
#define SUPYO_BOTH(name) round_trips<name##Request>(Api::k##name), round_trips<name##Response>(Api::k##name)
  SUPYO_BOTH(ApiVersions); SUPYO_BOTH(Metadata); SUPYO_BOTH(Produce); SUPYO_BOTH(Fetch); SUPYO_BOTH(ListOffsets); SUPYO_BOTH(OffsetForLeaderEpoch);
  SUPYO_BOTH(FindCoordinator); SUPYO_BOTH(JoinGroup); SUPYO_BOTH(SyncGroup); SUPYO_BOTH(Heartbeat); SUPYO_BOTH(LeaveGroup); SUPYO_BOTH(OffsetCommit);
  SUPYO_BOTH(OffsetFetch); SUPYO_BOTH(OffsetDelete); SUPYO_BOTH(DescribeGroups); SUPYO_BOTH(ListGroups); SUPYO_BOTH(DeleteGroups);
  SUPYO_BOTH(InitProducerId); SUPYO_BOTH(AddPartitionsToTxn); SUPYO_BOTH(TxnOffsetCommit); SUPYO_BOTH(DescribeProducers); SUPYO_BOTH(DescribeTransactions);
  SUPYO_BOTH(ListTransactions); SUPYO_BOTH(SaslHandshake); SUPYO_BOTH(CreateTopics); SUPYO_BOTH(DeleteTopics); SUPYO_BOTH(CreatePartitions);
  SUPYO_BOTH(DescribeConfigs); SUPYO_BOTH(AlterConfigs); SUPYO_BOTH(DeleteRecords); SUPYO_BOTH(DescribeCluster); SUPYO_BOTH(DescribeLogDirs);
#undef SUPYO_BOTH
  round_trips<AddOffsetsToTxnRequest>(Api::kAddOffsetsToTxn);
  round_trips<EndTxnRequest>(Api::kEndTxn);
  round_trips<CodeResponse>(Api::kEndTxn);
  round_trips<IncrementalAlterConfigsRequest>(Api::kIncrementalAlterConfigs);
}

TEST(Codec, BytesAreKafkas) {
  // A heartbeat of version 4 (compact strings, tags) as the protocol page lays it out.
  HeartbeatRequest request{.group = "g", .generation = 3, .member = "m1", .instance = std::nullopt};
  std::string bytes;
  Encoder encoder(bytes, 4, true);
  request.describe(encoder);
  EXPECT_EQ(bytes, std::string("\x02g\x00\x00\x00\x03\x03m1\x00\x00", 11));
  bytes.clear();
  Encoder old(bytes, 3, false);
  request.describe(old);
  EXPECT_EQ(bytes, std::string("\x00\x01g\x00\x00\x00\x03\x00\x02m1\xff\xff", 13));
}

TEST(Codec, UnknownTagsAreSkipped) {
  const std::string bytes("\x02g\x00\x00\x00\x03\x03m1\x00\x02\x05\x03" "abc" "\x07\x00", 18);
  HeartbeatRequest request;
  Decoder decoder(bytes, 4, true);
  request.describe(decoder);
  EXPECT_FALSE(decoder.failed());
  EXPECT_EQ(decoder.remaining(), 0U);
  EXPECT_EQ(request.member, "m1");
}

TEST(Codec, ALengthThatLiesCostsNothing) {
  std::string bytes("\x7f\xff\xff\xff", 4);   // two thousand million topics
  bytes += std::string(100, '\0');
  ListGroupsRequest request;
  Decoder decoder(bytes, 4, false);
  request.describe(decoder);
  EXPECT_TRUE(decoder.failed());
  EXPECT_LE(request.states.size(), 60U);
}

}  // namespace
}  // namespace supyo::broker
