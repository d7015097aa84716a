#include "data/log/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"
#include "core/env/sim/sim_env.h"

namespace supyo::log {
namespace {

class GroupsTest : public testing::Test {
 protected:
  env::SimEnv sim_{1};
  env::Files& files() { return sim_.files(); }
};

TEST_F(GroupsTest, KeepsAllThatAClientSays) {
  const GroupCommit a{Offset(5), 3, "so far", 17};
  ASSERT_TRUE(change_group(files(), "log", "g", {{{"t", PartitionId(0)}, a}, {{"t", PartitionId(1)}, {Offset(9), -1, "", 0}}}));
  ASSERT_TRUE(commit_group(files(), "log", "g", {{{"t", PartitionId(1)}, Offset(10)}}));
  const GroupCommits read = read_group_commits(files(), "log", "g").value();
  EXPECT_EQ(read.at({"t", PartitionId(0)}), a);
  EXPECT_EQ(read.at({"t", PartitionId(1)}).offset, Offset(10));
  ASSERT_TRUE(change_group(files(), "log", "g", {}, {{"t", PartitionId(0)}}));
  EXPECT_EQ(read_group(files(), "log", "g").value().size(), 1U);
}

TEST_F(GroupsTest, AnyNameIsAFileName) {
  for (const char* name : {"console-consumer 1/2", "..", "%41", "\xea\xb0\x80"}) ASSERT_TRUE(commit_group(files(), "log", name, {{{"t", PartitionId(0)}, Offset(1)}})) << name;
  EXPECT_THAT(list_groups(files(), "log").value(), testing::UnorderedElementsAre("console-consumer 1/2", "..", "%41", "\xea\xb0\x80"));
  EXPECT_EQ(commit_group(files(), "log", "", {}).error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(commit_group(files(), "log", std::string(300, 'x'), {}).error().code, ErrorCode::kBadOptionValue);
  ASSERT_TRUE(delete_group(files(), "log", ".."));
  ASSERT_TRUE(delete_group(files(), "log", "never there"));
  EXPECT_EQ(list_groups(files(), "log").value().size(), 3U);
}

TEST_F(GroupsTest, ReadsTheFirstVersion) {
  std::string body;
  ByteWriter w(body);
  w.u32(1);
  w.varint(1);
  w.text("t");
  w.u32(2);
  w.i64(41);
  std::string bytes;
  ByteWriter head(bytes);
  head.u32(0x47505553);
  head.u32(crc32c(body));
  ASSERT_TRUE(files().create_directories("log/__groups"));
  ASSERT_TRUE(files().write_atomically("log/__groups/old.offsets", bytes + body));
  EXPECT_EQ(read_group(files(), "log", "old").value().at({"t", PartitionId(2)}), Offset(41));
}

}  // namespace
}  // namespace supyo::log
