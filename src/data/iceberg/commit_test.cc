#include "data/iceberg/commit.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"

namespace supyo::iceberg {
namespace {

constexpr const char* kTable = "/wh/db/t";
const Writer kWriter{.job_id = "11111111-2222-4333-8444-555555555555", .sink_id = "lake.db.t"};

void make_table(const env::Env& env, std::map<std::string, std::string> properties = streaming_defaults(), const std::string& location = kTable) {
  Schema columns;
  columns.add("id", Type::big_int());
  columns.add("k", Type::integer());
  const auto schema = make_schema(columns, {});
  const auto created = create_table(env, new_table_metadata(env::new_uuid(env.random), location, *schema, {}, std::move(properties), env.clock.now_us() / 1000));
  ASSERT_TRUE(created) << created.error().to_string();
}

std::string data_path(std::int64_t epoch) { return fmt::format("{}/data/{:010}{}n-0.parquet", kTable, epoch, file_tag(kWriter)); }

std::vector<NewFiles> files_of(std::int64_t epoch) {
  DataFile f;
  f.path = data_path(epoch);
  f.records = epoch;
  f.bytes = 100;
  f.value_counts = {{1, epoch}, {2, epoch}};
  f.lower_bounds = {{1, std::string(8, 'a')}};
  f.upper_bounds = {{1, std::string(8, 'b')}};
  return {{.spec_id = 0, .files = {f}}};
}

Result<std::vector<std::int64_t>> visible(env::Files& files, const std::string& location = kTable) {
  SUPYO_ASSIGN(const LoadedTable table, load_table(files, location));
  std::vector<std::int64_t> epochs;
  const Snapshot* snapshot = table.metadata.current_snapshot();
  if (snapshot == nullptr) return epochs;
  SUPYO_ASSIGN(const auto planned, plan_files(files, table.metadata, *snapshot));
  for (const PlannedFile& p : planned) epochs.push_back(p.file.records);
  return epochs;
}

std::vector<std::int64_t> up_to(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 1; i <= n; ++i) out.push_back(i);
  return out;
}

void append_epochs(TableCommitter& committer, std::int64_t from, std::int64_t to) {
  for (std::int64_t e = from; e <= to; ++e) {
    const auto done = committer.append(Epoch{e}, files_of(e));
    ASSERT_TRUE(done) << done.error().to_string();
    ASSERT_EQ(*done, AppendOutcome::kAppended);
  }
}

TEST(IcebergCommit, AppendsAreReadInOrderAndRepeatsDoNothing) {
  env::SimEnv sim(1);
  make_table(sim.env());
  TableCommitter committer(sim.env(), kTable, kWriter);
  append_epochs(committer, 1, 5);
  EXPECT_EQ(*visible(sim.files()), up_to(5));
  EXPECT_EQ(*committer.append(Epoch{5}, files_of(5)), AppendOutcome::kWasThere);
  TableCommitter second(sim.env(), kTable, kWriter);
  EXPECT_EQ(second.last_committed()->value, 5);
  EXPECT_EQ(*second.append(Epoch{3}, files_of(3)), AppendOutcome::kWasThere);
  append_epochs(second, 6, 7);
  EXPECT_EQ(*visible(sim.files()), up_to(7));
  const auto table = load_table(sim.files(), kTable);
  EXPECT_EQ(table->version, 8);
  EXPECT_EQ(table->metadata.current_snapshot()->summary.at("total-records"), "28");
  EXPECT_EQ(table->metadata.current_snapshot()->summary.at("total-data-files"), "7");
  EXPECT_EQ(table->metadata.current_snapshot()->summary.at(kEpochKey), "7");
}

TEST(IcebergCommit, TheLastEpochOutlivesSnapshotExpiry) {
  env::SimEnv sim(1);
  auto properties = streaming_defaults();
  properties[kMaxSnapshotsKey] = "2";
  make_table(sim.env(), properties);
  TableCommitter ours(sim.env(), kTable, kWriter);
  append_epochs(ours, 1, 3);
  TableCommitter other(sim.env(), kTable, {.job_id = "other", .sink_id = "another.sink"});
  for (std::int64_t e = 1; e <= 5; ++e) ASSERT_TRUE(other.append(Epoch{e}, files_of(100 + e)));
  const auto table = load_table(sim.files(), kTable);
  for (const Snapshot& s : table->metadata.snapshots) EXPECT_EQ(s.summary.at(kJobKey), "other");
  TableCommitter again(sim.env(), kTable, kWriter);
  EXPECT_EQ(*again.append(Epoch{3}, files_of(3)), AppendOutcome::kWasThere);
  EXPECT_EQ(visible(sim.files())->size(), 8U);
}

TEST(IcebergCommit, ConflictsAreRebased) {
  env::SimEnv sim(1);
  make_table(sim.env());
  TableCommitter a(sim.env(), kTable, kWriter);
  TableCommitter b(sim.env(), kTable, {.job_id = "other", .sink_id = "another.sink"});
  ASSERT_TRUE(a.table());
  ASSERT_TRUE(b.table());
  std::set<std::int64_t> expected;
  for (std::int64_t e = 1; e <= 20; ++e) {
    ASSERT_TRUE(a.append(Epoch{e}, files_of(e)));          // each finds the other's commit before its own
    ASSERT_TRUE(b.append(Epoch{e}, files_of(1000 + e)));
    expected.insert({e, 1000 + e});
  }
  const auto seen = visible(sim.files());
  EXPECT_EQ(std::set<std::int64_t>(seen->begin(), seen->end()), expected);
  EXPECT_EQ(seen->size(), expected.size());
}

TEST(IcebergCommit, TwoJobsThroughOneSinkAreNoticed) {
  env::SimEnv sim(1);
  make_table(sim.env());
  TableCommitter first(sim.env(), kTable, kWriter);
  append_epochs(first, 1, 2);
  // A new job appends to a table that another one wrote before: fine.
  TableCommitter second(sim.env(), kTable, {.job_id = "22222222", .sink_id = kWriter.sink_id});
  ASSERT_TRUE(second.append(Epoch{1}, files_of(11)));
  // But not while that one is still at it.
  EXPECT_EQ(first.append(Epoch{3}, files_of(3)).error().code, ErrorCode::kSinkOfOtherJob);
}

TEST(IcebergCommit, ATableMadeAnewIsNoticed) {
  env::SimEnv sim(1);
  make_table(sim.env());
  TableCommitter committer(sim.env(), kTable, kWriter);
  append_epochs(committer, 1, 1);
  ASSERT_TRUE(sim.files().remove_all(kTable));
  make_table(sim.env());
  append_epochs(*std::make_unique<TableCommitter>(sim.env(), kTable, Writer{"x", "y"}), 1, 1);
  EXPECT_EQ(committer.append(Epoch{2}, files_of(2)).error().code, ErrorCode::kOutsideConflict);
}

TEST(IcebergCommit, ManifestsMergeSnapshotsExpireAndTheirFilesGo) {
  env::SimEnv sim(1);
  auto properties = streaming_defaults();
  properties[kMaxSnapshotsKey] = "5";
  properties["commit.manifest.min-count-to-merge"] = "4";
  properties["write.metadata.previous-versions-max"] = "3";
  make_table(sim.env(), properties);
  TableCommitter committer(sim.env(), kTable, kWriter);
  append_epochs(committer, 1, 200);
  EXPECT_EQ(*visible(sim.files()), up_to(200));
  const auto table = load_table(sim.files(), kTable);
  EXPECT_EQ(table->metadata.snapshots.size(), 5U);
  EXPECT_EQ(table->metadata.metadata_log.size(), 3U);
  EXPECT_LE(read_manifest_list(sim.files(), *table->metadata.current_snapshot())->size(), 16U);
  // Every kept snapshot is still whole, and nothing lies about that no snapshot names.
  std::set<std::string> needed{"version-hint.text"};
  for (std::int64_t v = table->version - 3; v <= table->version; ++v) needed.insert(fmt::format("v{}.metadata.json", v));
  for (const Snapshot& s : table->metadata.snapshots) {
    EXPECT_EQ(plan_files(sim.files(), table->metadata, s)->size(), static_cast<std::size_t>(std::stoll(s.summary.at(kEpochKey))));
    needed.insert(env::base_name(s.manifest_list));
    const auto list = read_manifest_list(sim.files(), s);
    for (const ManifestFile& m : *list) needed.insert(env::base_name(m.path));
  }
  const auto left = sim.files().list(std::string(kTable) + "/metadata");
  EXPECT_EQ(std::set<std::string>(left->begin(), left->end()), needed);
}

TEST(IcebergCommit, TablesOfOtherToolsKeepTheirHistory) {
  env::SimEnv sim(1);
  make_table(sim.env(), {});
  TableCommitter committer(sim.env(), kTable, kWriter);
  append_epochs(committer, 1, 120);
  EXPECT_EQ(load_table(sim.files(), kTable)->metadata.snapshots.size(), 120U);
}

// The nth file operation of a commit fails, for every n: the table shows the commit entirely or not at all, and trying again makes it once.
void fail_everywhere(env::SimFault fault, bool crash, std::uint64_t seed) {
  for (std::uint64_t n = 1;; ++n) {
    ASSERT_LT(n, 500U);
    env::SimEnv sim(seed);
    auto properties = streaming_defaults();
    properties[kMaxSnapshotsKey] = "3";
    properties["commit.manifest.min-count-to-merge"] = "3";
    make_table(sim.env(), properties);
    auto committer = std::make_unique<TableCommitter>(sim.env(), kTable, kWriter);
    append_epochs(*committer, 1, 6);
    const std::uint64_t before = sim.files().operations();
    sim.files().set_fault_hook(env::fail_nth(n, fault));
    const auto first = committer->append(Epoch{7}, files_of(7));
    const bool reached_end = sim.files().operations() - before < n;
    sim.files().set_fault_hook(nullptr);
    if (crash) sim.files().crash();
    const auto between = visible(sim.files());
    ASSERT_TRUE(between) << "n = " << n << ": " << between.error().to_string();
    if (first) ASSERT_EQ(*between, up_to(7)) << "an acknowledged commit is gone, n = " << n;
    else ASSERT_TRUE(*between == up_to(6) || *between == up_to(7)) << "n = " << n;
    if (crash) {
      committer = std::make_unique<TableCommitter>(sim.env(), kTable, kWriter);
      const auto cleaned = committer->remove_leftovers(Epoch{7});
      ASSERT_TRUE(cleaned) << cleaned.error().to_string();
    }
    const auto again = committer->append(Epoch{7}, files_of(7));
    ASSERT_TRUE(again) << "n = " << n << ": " << again.error().to_string();
    if (*between == up_to(7)) ASSERT_EQ(*again, AppendOutcome::kWasThere);
    append_epochs(*committer, 8, 9);
    if (crash) sim.files().crash();
    ASSERT_EQ(*visible(sim.files()), up_to(9)) << "n = " << n;
    if (reached_end) break;
  }
}

TEST(IcebergCommit, EveryFileOperationMayFail) { fail_everywhere(env::SimFault::kIo, false, 1); }
TEST(IcebergCommit, TheDiskMayFillAnywhere) { fail_everywhere(env::SimFault::kDiskFull, false, 1); }
TEST(IcebergCommit, ThePowerMayGoAnywhere) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) fail_everywhere(env::SimFault::kPowerOff, true, seed);
}

TEST(IcebergCommit, LeftoversOfUnfinishedEpochsGo) {
  env::SimEnv sim(3);
  make_table(sim.env());
  ASSERT_TRUE(sim.files().create_directories(std::string(kTable) + "/data/k=1"));
  const auto touch = [&](const std::string& path) { ASSERT_TRUE(write_durable(sim.files(), path, "x")); };
  touch(data_path(1));
  touch(data_path(2));
  const std::string in_partition = fmt::format("{}/data/k=1/{:010}{}n-1.parquet", kTable, 3, file_tag(kWriter));
  const std::string foreign = fmt::format("{}/data/k=1/{:010}{}n-1.parquet", kTable, 9, file_tag({"someone", "else"}));
  touch(in_partition);
  touch(foreign);
  TableCommitter committer(sim.env(), kTable, kWriter);
  ASSERT_TRUE(committer.remove_leftovers(Epoch{1}));
  EXPECT_TRUE(*sim.files().exists(data_path(1)));
  EXPECT_FALSE(*sim.files().exists(data_path(2)));
  EXPECT_FALSE(*sim.files().exists(in_partition));
  EXPECT_TRUE(*sim.files().exists(foreign));
}

TEST(IcebergTable, AHintThatLagsOrLiesIsOnlyAHint) {
  env::SimEnv sim(1);
  make_table(sim.env());
  TableCommitter committer(sim.env(), kTable, kWriter);
  append_epochs(committer, 1, 4);
  for (const char* hint : {"1", "99", "", "rubbish"}) {
    ASSERT_TRUE(sim.files().write_atomically("/wh/db/t/metadata/version-hint.text", hint));
    EXPECT_EQ(*visible(sim.files()), up_to(4)) << hint;
  }
  ASSERT_TRUE(sim.files().remove("/wh/db/t/metadata/version-hint.text"));
  EXPECT_EQ(*visible(sim.files()), up_to(4));
  EXPECT_EQ(load_table(sim.files(), "/wh/db/none").error().code, ErrorCode::kUnknownTable);
  EXPECT_EQ(load_table(sim.files(), "s3://bucket/t").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::iceberg
