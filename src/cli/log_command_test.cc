#include "cli/log_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "data/log/groups.h"
#include "data/log/partition_writer.h"
#include "data/log/segment.h"

namespace supyo::cli {
namespace {

using testing::HasSubstr;

class LogCommand : public testing::Test {
 protected:
  LogCommand() {
    topic_ = log::create_topic(sim_.env(), "log", "t", {.partitions = 2}).value();
    auto w = log::PartitionWriter::open(sim_.env(), topic_, PartitionId(0)).value();
    for (int i = 0; i < 3; ++i) {
      log::RecordBatch b;
      b.add(i * kSecond, "k", fmt::format("v{}\"", i));
      EXPECT_TRUE(w->append(b));
    }
    EXPECT_TRUE(w->flush());
    EXPECT_TRUE(log::commit_group(sim_.files(), "log", "g", {{{"t", PartitionId(0)}, Offset(1)}}));
  }
  int run(std::vector<std::string> args) {
    out_.clear();
    err_.clear();
    return run_log_command(sim_.env(), args, {[&](std::string_view s) { out_ += s; }, [&](std::string_view s) { err_ += s; }});
  }
  void damage() {
    auto file = sim_.files().open("log/t/0/" + log::segment_name(Offset(0)), env::OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_at(log::kSegmentHeaderBytes + 8 * 13 + 81, "!"));
  }

  env::SimEnv sim_{1};
  log::Topic topic_;
  std::string out_;
  std::string err_;
};

TEST_F(LogCommand, ListsTopicsAndGroups) {
  EXPECT_EQ(run({"ls", "log", "--json"}), 0);
  EXPECT_THAT(out_, HasSubstr(R"({"topic":"t","partition":0,"log_start":0,"committed_end":3,"durable_end":3,"segments":1,)"));
  EXPECT_THAT(out_, HasSubstr(R"({"group":"g","topic":"t","partition":0,"offset":1,"lag":2})"));
  EXPECT_EQ(run({"ls", "log"}), 0);
  EXPECT_EQ(run({"ls", "nothing"}), 1);
  EXPECT_THAT(err_, HasSubstr("1005"));
}

TEST_F(LogCommand, PrintsRecords) {
  EXPECT_EQ(run({"cat", "log/t/"}), 0);
  EXPECT_EQ(out_, "v0\"\nv1\"\nv2\"\n");
  EXPECT_EQ(run({"cat", "log/t", "--partition", "0", "--from", "1", "--count", "1", "--json"}), 0);
  EXPECT_EQ(out_, "{\"partition\":0,\"offset\":1,\"timestamp\":\"1970-01-01 00:00:01.000000\",\"key\":\"k\",\"value\":\"v1\\\"\"}\n");
  EXPECT_EQ(run({"cat", "log/u"}), 1);
  EXPECT_EQ(run({"cat", "log/t", "--from", "9"}), 1);
  EXPECT_THAT(err_, HasSubstr("6007"));
}

TEST_F(LogCommand, VerifiesAndRepairs) {
  EXPECT_EQ(run({"verify", "log"}), 0);
  EXPECT_THAT(out_, HasSubstr("t/0: 3 records in 3 frames, offsets 0 to 3: ok"));
  damage();
  EXPECT_EQ(run({"verify", "log/t", "--json"}), 1);
  EXPECT_THAT(out_, HasSubstr(R"("ok":false)"));
  EXPECT_THAT(err_, HasSubstr("6003"));
  EXPECT_EQ(run({"repair", "log"}), 0);
  EXPECT_THAT(out_, HasSubstr("ends at offset 1"));
  EXPECT_EQ(run({"verify", "log"}), 0);
}

TEST_F(LogCommand, TakesBackStagedEpochsOnDemand) {
  {
    auto w = log::PartitionWriter::open(sim_.env(), topic_, PartitionId(0)).value();
    log::RecordBatch b;
    b.add(0, "staged");
    ASSERT_TRUE(w->append(b, {7, Epoch(1)}));
    ASSERT_TRUE(w->flush());
  }
  EXPECT_EQ(run({"cat", "log/t", "--uncommitted"}), 0);
  EXPECT_THAT(out_, HasSubstr("staged"));
  EXPECT_EQ(run({"repair", "log/t"}), 0);
  EXPECT_THAT(out_, HasSubstr("t/0: was not damaged; it ends at offset 4"));
  EXPECT_EQ(run({"repair", "log/t", "--abandon-staged"}), 0);
  EXPECT_THAT(out_, HasSubstr("took back 1 staged records; it ends at offset 3"));
}

TEST_F(LogCommand, UsageErrors) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_EQ(run({"dump", "log"}), 2);
  EXPECT_EQ(run({"ls"}), 2);
  EXPECT_EQ(run({"cat", "log/t", "--from"}), 2);
  EXPECT_EQ(run({"cat", "log/t", "--from", "x"}), 2);
  EXPECT_EQ(run({"ls", "log", "--verbose"}), 2);
}

}  // namespace
}  // namespace supyo::cli
