#include "judge/diagnosis/broker_log.h"

#include <gtest/gtest.h>

namespace supyo::diagnosis {
namespace {

TEST(BrokerLog, ReasonsForLeaving) {
  BrokerLog log;
  log.read("[2024-05-06 07:08:09,123] INFO [GroupCoordinator 1]: Member MemberMetadata(memberId=app-1-aa, groupInstanceId=None, clientId=app-1) has left group orders through explicit `LeaveGroup`; client reason: consumer poll "
           "timeout has expired. (kafka.coordinator.group.GroupCoordinator)\n"
           "[2024-05-06 07:08:09,124] INFO [GroupCoordinator 1]: Preparing to rebalance group orders in state PreparingRebalance with old generation 7 (__consumer_offsets-3) (reason: Removing member app-1-aa on LeaveGroup; "
           "client reason: consumer poll timeout has expired.) (kafka.coordinator.group.GroupCoordinator)\n"
           "[2024-05-06 07:09:00,000] INFO [GroupCoordinator 1]: Member app-2-bb in group orders has failed, removing it from the group (kafka.coordinator.group.GroupCoordinator)\n"
           "[2024-05-06 07:10:00,000] INFO [GroupCoordinator id=1 topic=__consumer_offsets partition=3] [GroupId bill");
  log.read("ing] Member c-cc has left group through explicit `LeaveGroup` request; client reason: the consumer is being closed. (org.apache.kafka.coordinator.group.GroupMetadataManager)\nnonsense\n");
  const auto orders = log.leaves("orders", 0);
  ASSERT_EQ(orders.size(), 2U) << "one departure is told in two lines";
  EXPECT_EQ(orders[0].reason, LeaveReason::kPollTimeout);
  EXPECT_EQ(orders[0].member, "app-1-aa");
  EXPECT_EQ(orders[0].at, 1'714'979'289'123'000);
  EXPECT_EQ(orders[1].reason, LeaveReason::kSessionTimeout);
  EXPECT_EQ(orders[1].member, "app-2-bb");
  const auto billing = log.leaves("billing", 0);
  ASSERT_EQ(billing.size(), 1U);
  EXPECT_EQ(billing[0].reason, LeaveReason::kLeft);
  EXPECT_EQ(billing[0].member, "c-cc");
  EXPECT_TRUE(log.leaves("orders", orders[1].at + 1).empty());
}

TEST(BrokerLog, PartitionsThatTheCleanerGaveUp) {
  BrokerLog log;
  log.read("[2024-05-06 07:08:09,123] WARN Unexpected exception thrown when cleaning log Log(dir=/d/my-topic-2, topic=my-topic). Marking its partition (my-topic-2) as uncleanable (kafka.log.LogCleaner)\n"
           "[2024-05-06 07:08:09,123] WARN Marking partition my-topic-3 in /d as uncleanable\n");
  EXPECT_EQ(log.uncleanable().at("my-topic"), 2);
}

TEST(BrokerLog, TextFromOutside) {
  BrokerLog log;
  log.read(std::string(10'000'000, 'x'));
  log.read("\n[9999-99-99 LeaveGroup\n[GroupId ] LeaveGroup\n[GroupId " + std::string(5000, 'g') + "] LeaveGroup\nMarking partition uncleanable\n");
  for (int i = 0; i < 10'000; ++i) log.read("[GroupId g] Member m" + std::to_string(i) + " has left group through explicit `LeaveGroup`\n");
  EXPECT_LE(log.leaves("g", 0).size(), BrokerLog::kMost);
}

}  // namespace
}  // namespace supyo::diagnosis
