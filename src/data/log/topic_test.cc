#include "data/log/topic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/crc32c.h"
#include "core/env/sim/sim_env.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"

namespace supyo::log {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TopicTest : public testing::Test {
 protected:
  Status set(TopicChanges changes) {
    auto done = alter_topic_config(sim_.env(), "log", "t", changes);
    return done ? ok() : fail(done.error());
  }
  TopicConfig config() { return open_topic(sim_.files(), "log", "t").value().config; }
  env::SimEnv sim_{1};
};

TEST_F(TopicTest, EverySettingIsKeptAndGivenBack) {
  ASSERT_TRUE(create_topic(sim_.env(), "log", "t", {.partitions = 2}));
  const std::map<std::string, std::string> values{{"cleanup.policy", "compact,delete"}, {"compression.type", "producer"}, {"delete.retention.ms", "11"}, {"file.delete.delay.ms", "12"},
      {"max.compaction.lag.ms", "9000"}, {"max.message.bytes", "13"}, {"message.timestamp.after.max.ms", "14"}, {"message.timestamp.before.max.ms", "15"},
      {"message.timestamp.type", "LogAppendTime"}, {"min.cleanable.dirty.ratio", "0.25"}, {"min.compaction.lag.ms", "16"}, {"min.insync.replicas", "2"}, {"retention.bytes", "17"},
      {"retention.ms", "18"}, {"segment.bytes", "4097"}, {"segment.ms", "19"}};
  ASSERT_EQ(values.size(), topic_settings().size());
  for (const auto& [key, value] : values) ASSERT_TRUE(set({{key, value}})) << key;
  sim_.files().crash();
  const TopicConfig c = config();
  for (const auto& [key, value] : values) EXPECT_EQ(topic_setting(c, key), value) << key;
  EXPECT_EQ(c.partitions, 2);
  TopicChanges back;
  for (const auto& [key, value] : values) back[key] = std::nullopt;
  ASSERT_TRUE(set(back));
  EXPECT_EQ(config(), TopicConfig{.partitions = 2});
}

TEST_F(TopicTest, AChangeIsMadeAsAWholeOrNotAtAll) {
  ASSERT_TRUE(create_topic(sim_.env(), "log", "t", {}));
  for (const TopicChanges& bad : {TopicChanges{{"retention.ms", "5"}, {"segment.ms", "0"}}, TopicChanges{{"cleanup.policy", "compact"}, {"no.such", "1"}}, TopicChanges{{"no.such", std::nullopt}},
                                  TopicChanges{{"min.cleanable.dirty.ratio", "1.5"}}, TopicChanges{{"compression.type", "zstd"}}, TopicChanges{{"cleanup.policy", ""}}, TopicChanges{{"retention.ms", "5x"}},
                                  TopicChanges{{"message.timestamp.type", "Never"}}, TopicChanges{{"segment.bytes", "99999999999"}}}) {
    EXPECT_FALSE(set(bad));
    EXPECT_EQ(config(), TopicConfig{});
  }
  EXPECT_EQ(set({{"no.such", "1"}}).error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(alter_topic_config(sim_.env(), "log", "u", {}).error().code, ErrorCode::kUnknownTable);
  // Power fails before each file operation: the old or the new manifest, never neither.
  for (std::uint64_t n = 1;; ++n) {
    const TopicConfig before = config();
    TopicConfig after = before;
    after.retention_ms = static_cast<std::int64_t>(n);
    sim_.files().set_fault_hook(env::fail_nth(n, env::SimFault::kPowerOff));
    const bool done = set({{"retention.ms", std::to_string(n)}}).has_value();
    sim_.files().set_fault_hook(nullptr);
    sim_.files().crash();
    const TopicConfig now = config();
    EXPECT_TRUE(now == after || (!done && now == before)) << n;
    if (done) break;
  }
}

TEST_F(TopicTest, ManifestsOfTheFirstVersionAreRead) {
  ASSERT_TRUE(create_directories_durably(sim_.files(), "log/t"));
  const std::string body = "supyo log topic 1\nlog.id=00000000000000ab\npartitions=3\nsegment.bytes=8192\nsegment.ms=7\nretention.bytes=-1\nretention.ms=9\n";
  ASSERT_TRUE(sim_.files().write_atomically("log/t/topic", body + fmt::format("crc32c={:08x}\n", crc32c(body))));
  const Topic t = open_topic(sim_.files(), "log", "t").value();
  EXPECT_EQ(t.log_id, 0xabU);
  EXPECT_EQ(t.config, (TopicConfig{.partitions = 3, .segment_bytes = 8192, .segment_ms = 7, .retention_ms = 9}));
  ASSERT_TRUE(sim_.files().write_atomically("log/t/topic", "supyo log topic 3\n"));
  EXPECT_EQ(open_topic(sim_.files(), "log", "t").error().code, ErrorCode::kFormatVersion);
}

TEST_F(TopicTest, PartitionsAreOnlyAdded) {
  ASSERT_TRUE(create_topic(sim_.env(), "log", "t", {.partitions = 2}));
  EXPECT_EQ(add_partitions(sim_.env(), "log", "t", 2).error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(add_partitions(sim_.env(), "log", "t", 1).error().code, ErrorCode::kBadOptionValue);
  const Topic t = add_partitions(sim_.env(), "log", "t", 5).value();
  EXPECT_TRUE(PartitionWriter::open(sim_.env(), t, PartitionId(4)));
  sim_.files().crash();
  EXPECT_EQ(config().partitions, 5);
}

TEST_F(TopicTest, ADeletedTopicIsGoneAndItsNameIsFree) {
  const Topic t = create_topic(sim_.env(), "log", "t", {}).value();
  RecordBatch b;
  b.add(1, "old");
  auto w = PartitionWriter::open(sim_.env(), t, PartitionId(0)).value();
  ASSERT_TRUE(w->append(b));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(delete_topic(sim_.env(), "log", "t").error().code, ErrorCode::kStateLocked);
  w.reset();
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  ASSERT_TRUE(delete_topic(sim_.env(), "log", "t"));
  EXPECT_THAT(list_topics(sim_.files(), "log").value(), IsEmpty());
  EXPECT_EQ(reader.next().error().code, ErrorCode::kNotFoundOnDisk);
  EXPECT_EQ(PartitionWriter::open(sim_.env(), t, PartitionId(0)).error().code, ErrorCode::kUnknownTable);
  EXPECT_EQ(delete_topic(sim_.env(), "log", "t").error().code, ErrorCode::kUnknownTable);
  const Topic again = create_topic(sim_.env(), "log", "t", {}).value();
  EXPECT_EQ(PartitionWriter::open(sim_.env(), again, PartitionId(0)).value()->next_offset(), Offset(0));
}

TEST_F(TopicTest, ACrashWithinADeletionLeavesAllOrNothingUnderTheName) {
  for (std::uint64_t n = 1;; ++n) {
    env::SimEnv sim(n);
    const Topic t = create_topic(sim.env(), "log", "t", {.partitions = 2}).value();
    RecordBatch b;
    b.add(1, "kept");
    {
      auto w = PartitionWriter::open(sim.env(), t, PartitionId(1)).value();
      ASSERT_TRUE(w->append(b));
      ASSERT_TRUE(w->flush());
    }
    sim.files().set_fault_hook(env::fail_nth(n, env::SimFault::kPowerOff));
    const bool done = delete_topic(sim.env(), "log", "t").has_value();
    sim.files().set_fault_hook(nullptr);
    sim.files().crash();
    const auto topics = list_topics(sim.files(), "log").value();
    if (done) EXPECT_THAT(topics, IsEmpty());
    if (!topics.empty()) EXPECT_EQ(PartitionWriter::open(sim.env(), t, PartitionId(1)).value()->next_offset(), Offset(1)) << n;
    ASSERT_TRUE(sweep_deleted_topics(sim.files(), "log"));
    EXPECT_EQ(list_topics(sim.files(), "log").value(), topics);
    for (const std::string& name : sim.files().list("log").value()) EXPECT_FALSE(name.starts_with("__deleted")) << name;
    if (done) break;
  }
}

}  // namespace
}  // namespace supyo::log
