#include "data/state/journal.h"

#include <gtest/gtest.h>

#include "core/env/real/real_env.h"
#include "data/state/job_directory.h"
#include "data/state/journal_format.h"
#include "data/state/journal_model.h"
#include "data/state/snapshot.h"
#include "data/state/stored_changes.h"

namespace supyo::state {
namespace {

using namespace testing_journal;

constexpr JournalOptions kSmall{.segment_bytes = 4096, .snapshot_after_bytes = 6000, .snapshot_after_segments = 8};

class JournalTest : public testing::Test {
 protected:
  JournalTest() { EXPECT_TRUE(sim_.files().create_directories(Job::kDir)); }
  std::string segment_path(std::uint64_t n) const { return std::string(Job::kDir) + "/journal/" + numbered_name(kSegmentPrefix, n); }
  std::string snapshot_path(std::uint64_t n) const { return std::string(Job::kDir) + "/snapshots/" + numbered_name(kSnapshotPrefix, n); }
  void flip(const std::string& path, std::uint64_t offset) {
    const auto file = sim_.files().open(path, env::OpenMode::kReadWrite).value();
    std::string byte(1, '\0');
    ASSERT_EQ(file->read_at(offset, byte).value(), 1U);
    byte[0] = static_cast<char>(byte[0] ^ 0x10);
    ASSERT_TRUE(file->write_at(offset, byte));
    ASSERT_TRUE(file->sync());
  }
  void full_snapshot(Job& job) {
    ASSERT_TRUE(job.snapshot(true));
    ASSERT_TRUE(job.end_snapshot());
  }

  env::SimEnv sim_{1};
};

TEST_F(JournalTest, ANewJobHasNothing) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  EXPECT_EQ(job.journal->recovered().last, Epoch(0));
  EXPECT_FALSE(job.journal->snapshot_due());
  EXPECT_EQ(job.journal->begin_snapshot(), nullptr);
}

TEST_F(JournalTest, FinalMeansSynced) {
  Job job{.env = sim_.env(), .options = kSmall};
  ASSERT_TRUE(job.open());
  ASSERT_TRUE(job.append(5, 10));
  EXPECT_EQ(job.journal->last_final(), Epoch(0));
  ASSERT_TRUE(job.sync());
  EXPECT_EQ(job.journal->last_final(), job.journal->last_appended());
  sim_.files().kill_process();
  job.check_recovery();
  EXPECT_EQ(job.journal->recovered().journal_epochs, 1U);
}

TEST_F(JournalTest, ASyncIsOneDataSyncAndChangesNoMetadata) {
  Job job{.env = sim_.env(), .options = {}};
  ASSERT_TRUE(job.open());
  std::vector<env::FileOperationKind> seen;
  sim_.files().set_fault_hook([&](const env::FileOperation& o) { seen.push_back(o.kind); return std::nullopt; });
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(job.append(20, 30));
    ASSERT_TRUE(job.sync());
  }
  using enum env::FileOperationKind;
  EXPECT_EQ(seen, (std::vector{kWrite, kSync, kWrite, kSync, kWrite, kSync}));
}

TEST_F(JournalTest, LongLifeWithRestartsSnapshotsAndRecycling) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  std::size_t most_segments = 0;
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(job.append(1 + sim_.random().below(30), 40));
    ASSERT_TRUE(job.sync());
    if (job.journal->snapshot_due()) full_snapshot(job);
    if (sim_.random().below(20) == 0) {
      sim_.files().kill_process();
      ASSERT_NO_FATAL_FAILURE(job.check_recovery()) << i;
    }
    most_segments = std::max(most_segments, job.journal->segments());
  }
  EXPECT_LE(most_segments, 24U);
  const auto files = sim_.files().list(std::string(Job::kDir) + "/journal").value();
  EXPECT_LE(files.size(), 26U) << "recycled or removed, not piled up";
  EXPECT_EQ(sim_.files().list(std::string(Job::kDir) + "/snapshots").value().size(), 2U);
}

TEST_F(JournalTest, StartingAgainAndAgainPilesNothingUp) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  ASSERT_TRUE(job.append(3, 10));
  ASSERT_TRUE(job.sync());
  for (int i = 0; i < 50; ++i) ASSERT_NO_FATAL_FAILURE(job.check_recovery());
  EXPECT_LE(sim_.files().list(std::string(Job::kDir) + "/journal").value().size(), 4U);
}

TEST_F(JournalTest, ALargeRecordGetsASegmentOfItsOwn) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  for (const std::size_t value : {10UL, 3000UL, 10UL, 9000UL, 10UL}) {
    ASSERT_TRUE(job.append(12, value));
    ASSERT_TRUE(job.sync());
  }
  sim_.files().crash();
  job.check_recovery();
  full_snapshot(job);
  job.check_recovery();
}

TEST_F(JournalTest, TornTailIsCutAndReported) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    env::SimEnv sim(seed);
    ASSERT_TRUE(sim.files().create_directories(Job::kDir));
    Job job{.env = sim.env(), .options = {.segment_bytes = 65536}};
    job.check_recovery();
    ASSERT_TRUE(job.append(5, 10));
    ASSERT_TRUE(job.sync());
    ASSERT_TRUE(job.append(40, 500));
    const std::int64_t unsynced = job.appended;
    sim.files().crash();
    ASSERT_NO_FATAL_FAILURE(job.check_recovery()) << "seed " << seed;
    const Recovered& r = job.journal->recovered();
    if (r.last.value == unsynced) EXPECT_EQ(r.torn_bytes, 0U);
    if (r.torn_bytes > 0) {
      ASSERT_EQ(r.notes.size(), 1U);
      EXPECT_NE(r.notes[0].find(numbered_name(kSegmentPrefix, 1)), std::string::npos) << r.notes[0];
      EXPECT_NE(r.notes[0].find(std::to_string(r.torn_bytes)), std::string::npos);
      return;
    }
  }
  FAIL() << "no seed tore the record";
}

TEST_F(JournalTest, DamageInTheMiddleIsRefusedWithFileAndOffset) {
  Job job{.env = sim_.env(), .options = {.segment_bytes = 1 << 20}};
  job.check_recovery();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(job.append(5, 20));
    ASSERT_TRUE(job.sync());
  }
  const std::string path = segment_path(1);
  const auto file = sim_.files().read_all(path).value();
  std::vector<std::uint64_t> starts;
  for (std::uint64_t at = kSegmentHeaderBytes; const auto r = record_at(file, 1, at, std::nullopt); at = r->end) starts.push_back(at);
  ASSERT_EQ(starts.size(), 4U);
  // Every byte of every acknowledged record but the last: with nothing behind it, that one cannot be told from a torn write.
  for (std::uint64_t at = 0; at < starts[3]; at += at < 200 ? 1 : 13) {
    flip(path, at);
    const auto opened = Journal::open(sim_.env(), Job::kDir, Job::kId, job.options);
    ASSERT_FALSE(opened) << "byte " << at;
    const std::uint64_t begin = at < kSegmentHeaderBytes ? 0 : *(std::ranges::upper_bound(starts, at) - 1);
    if (at >= 8 && at < kSegmentHeaderBytes) EXPECT_EQ(opened.error().code, ErrorCode::kDamaged) << at;
    EXPECT_NE(opened.error().message.find(path), std::string::npos) << opened.error().message;
    if (at >= kSegmentHeaderBytes) EXPECT_NE(opened.error().message.find("offset " + std::to_string(begin) + ":"), std::string::npos) << opened.error().message;
    flip(path, at);
  }
  job.check_recovery();
}

TEST_F(JournalTest, ALostSegmentIsNoticed) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  while (job.journal->segments() < 4) {
    ASSERT_TRUE(job.append(10, 40));
    ASSERT_TRUE(job.sync());
  }
  for (const std::uint64_t n : {1U, 2U, 3U}) {
    ASSERT_TRUE(sim_.files().rename(segment_path(n), "aside"));
    const auto opened = Journal::open(sim_.env(), Job::kDir, Job::kId, job.options);
    ASSERT_FALSE(opened) << n;
    EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
    ASSERT_TRUE(sim_.files().rename("aside", segment_path(n)));
  }
  job.check_recovery();
}

TEST_F(JournalTest, AJournalOfAnotherJobIsRefused) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  EXPECT_EQ(Journal::open(sim_.env(), Job::kDir, "another", kSmall).error().code, ErrorCode::kStateOfOtherJob);
}

TEST_F(JournalTest, ADamagedSnapshotIsPassedOverForTheOneBefore) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(job.append(10, 40));
      ASSERT_TRUE(job.sync());
    }
    full_snapshot(job);
  }
  ASSERT_TRUE(job.append(10, 40));
  ASSERT_TRUE(job.sync());
  const auto snapshots = sim_.files().list(std::string(Job::kDir) + "/snapshots").value();
  ASSERT_EQ(snapshots.size(), 2U);
  const std::string newest = std::string(Job::kDir) + "/snapshots/" + snapshots[1];
  const std::uint64_t size = sim_.files().read_all(newest).value().size();
  job.check_recovery();
  EXPECT_TRUE(job.journal->recovered().notes.empty());
  for (std::uint64_t at = 0; at < size; at += 1 + size / 200) {
    flip(newest, at);
    ASSERT_NO_FATAL_FAILURE(job.check_recovery()) << "byte " << at;
    EXPECT_EQ(job.journal->recovered().notes.size(), 1U);
    flip(newest, at);
  }
  // And a new snapshot on top of the older one makes all well again.
  flip(newest, size / 2);
  job.check_recovery();
  ASSERT_TRUE(job.append(10, 40));
  ASSERT_TRUE(job.sync());
  full_snapshot(job);
  job.check_recovery();
  EXPECT_TRUE(job.journal->recovered().notes.empty());
}

TEST_F(JournalTest, SnapshotInSlicesWhileEpochsGoOn) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(job.append(10, 40));
    ASSERT_TRUE(job.sync());
  }
  const auto builder = job.journal->begin_snapshot();
  EXPECT_EQ(job.journal->begin_snapshot(), nullptr) << "one at a time";
  int polls = 0;
  while (!builder->poll(64).value()) {
    ++polls;
    ASSERT_TRUE(job.append(10, 40));
    ASSERT_TRUE(job.sync());
  }
  EXPECT_GT(polls, 20);
  ASSERT_TRUE(job.journal->end_snapshot(*builder));
  job.check_recovery();
  EXPECT_EQ(job.journal->recovered().snapshot, builder->epoch());
}

TEST_F(JournalTest, AFailedSyncClosesItForGood) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  ASSERT_TRUE(job.append(2, 10));
  sim_.files().set_fault_hook([](const env::FileOperation& o) {
    return o.kind == env::FileOperationKind::kSync ? std::optional(env::SimFault::kIo) : std::nullopt;
  });
  EXPECT_EQ(job.sync().error().code, ErrorCode::kSyncFailed);
  sim_.files().set_fault_hook(nullptr);
  EXPECT_EQ(job.sync().error().code, ErrorCode::kLogClosed);
  EXPECT_EQ(job.append(2, 10).error().code, ErrorCode::kLogClosed);
  job.check_recovery();
}

TEST_F(JournalTest, AFullDiskMayHaveRoomAgain) {
  Job job{.env = sim_.env(), .options = kSmall};
  job.check_recovery();
  ASSERT_TRUE(job.append(10, 40));
  ASSERT_TRUE(job.sync());
  sim_.files().set_capacity(sim_.files().bytes_used());
  Status s = ok();
  while (s) {
    s = job.append(10, 40);
    if (s) ASSERT_TRUE(job.sync());
  }
  EXPECT_EQ(s.error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(job.append(10, 40).error().code, ErrorCode::kDiskFull);
  sim_.files().set_capacity(UINT64_MAX);
  ASSERT_TRUE(job.append(10, 40));
  ASSERT_TRUE(job.sync());
  job.check_recovery();
}

TEST(JournalFormat, AnyBytesAreReadWithoutHarm) {
  env::SeededRandom random(7);
  const EpochRecord record = random_record(Epoch(3), 20, 50, random);
  std::string whole;
  encode_record(record, 1, kSegmentHeaderBytes, 0, 0, whole);
  const std::string body = whole.substr(kRecordHeaderBytes);
  for (int i = 0; i < 20000; ++i) {
    std::string mutated = body;
    for (std::uint64_t n = random.below(4); n-- > 0;) mutated[random.below(mutated.size())] = static_cast<char>(random.next_u64());
    if (random.below(3) == 0) mutated.resize(random.below(mutated.size()));
    std::vector<Section> sections;
    std::vector<ChangeView> changes;
    const Status read = decode_body(mutated, &sections, &changes);
    if (!read) EXPECT_EQ(read.error().code, ErrorCode::kDamaged);
    keep_last_writes(changes);
  }
}

TEST(JournalFormat, OldRecordsOfARecycledFileAreNoRecords) {
  env::SeededRandom random(8);
  const EpochRecord record = random_record(Epoch(3), 5, 50, random);
  std::string bytes, file = encode_segment_header({.segment = 4, .previous = {}, .job_id = Job::kId});
  encode_record(record, 4, kSegmentHeaderBytes, 0, 77, bytes);
  file += bytes;
  EXPECT_TRUE(record_at(file, 4, kSegmentHeaderBytes, 77));
  EXPECT_FALSE(record_at(file, 4, kSegmentHeaderBytes, 78)) << "behind another record";
  EXPECT_FALSE(record_at(file, 5, kSegmentHeaderBytes, 77)) << "of the file's earlier life";
  EXPECT_FALSE(record_at("shifted " + file, 4, kSegmentHeaderBytes + 8, 77)) << "at another place";
}

// Few and many, of one table and of several, with hashes that lie together and apart.
TEST(JournalFormat, KeepsTheLastWriteOfEachKeyInOrder) {
  env::SimEnv sim(5);
  for (const std::size_t n : {0UL, 1UL, 300UL, 40000UL}) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < n / 3 + 1; ++i) keys.push_back("key " + std::to_string(i));
    std::vector<ChangeView> changes;
    std::map<std::tuple<std::uint32_t, std::uint16_t, std::uint64_t, std::string_view>, std::uint64_t> want;
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::string& key = keys[sim.env().random.below(keys.size())];
      const ChangeView c{.operator_id = static_cast<std::uint32_t>(sim.env().random.below(3)), .table = static_cast<std::uint16_t>(sim.env().random.below(2)),
                         .hash = key.size() % 2 == 0 ? hash_bytes(key) : key.size(), .key = key, .value = {}, .order = i};
      changes.push_back(c);
      want[{c.operator_id, c.table, c.hash, c.key}] = i;
    }
    keep_last_writes(changes);
    ASSERT_EQ(changes.size(), want.size());
    auto it = changes.begin();
    for (const auto& [where, order] : want) {
      EXPECT_EQ(std::tuple(it->operator_id, it->table, it->hash, it->key), where);
      EXPECT_EQ(it->order, order);
      ++it;
    }
  }
}

TEST(JournalReal, WorksOnTheMachinesOwnFiles) {
  env::RealEnv real;
  const std::string root = env::join_path(testing::TempDir(), "supyo-journal-" + env::new_uuid(real.env().random));
  for (int start = 0; start < 3; ++start) {
    auto dir = JobDirectory::open(real.env(), root, "plan").value();
    EXPECT_EQ(dir.created(), start == 0);
    auto journal = Journal::open(real.env(), root, dir.job_id(), kSmall).value();
    EXPECT_EQ(journal->recovered().last.value, start * 50);
    std::size_t entries = 0;
    for_each_stored(*journal, 0, 1, [&](const SnapshotEntry&, bool) { ++entries; });
    EXPECT_EQ(entries, start == 0 ? 0U : 7U);
    for (int i = 1; i <= 50; ++i) {
      const std::string key = std::to_string(i % 7);
      EpochRecord record{.epoch = Epoch(start * 50 + i), .sections = {}, .tables = {{.operator_id = 1, .table = 0, .changes = {{.hash = hash_bytes(key), .key = key, .value = std::string(100, 'x')}}}}};
      ASSERT_TRUE(journal->append(record));
      ASSERT_TRUE(journal->sync());
      if (!journal->snapshot_due()) continue;
      const auto builder = journal->begin_snapshot();
      const auto thread = real.env().threads->start("snapshot", [&] { while (!builder->poll(1 << 16).value()) {} });
      thread->join();
      ASSERT_TRUE(journal->end_snapshot(*builder));
    }
  }
  ASSERT_TRUE(real.env().files.remove_all(root));
}

TEST(JobDirectory, IdentityLockAndRefusals) {
  env::SimEnv sim(3);
  env::Files& files = sim.files();
  std::string id;
  {
    auto job = JobDirectory::open(sim.env(), "a/b/state", "plan \"1\"").value();
    EXPECT_TRUE(job.created());
    id = job.job_id();
    EXPECT_EQ(JobDirectory::open(sim.env(), "a/b/state", "plan \"1\"").error().code, ErrorCode::kStateLocked);
  }
  EXPECT_EQ(JobDirectory::open(sim.env(), "a/b/state", "plan \"1\"").value().job_id(), id);
  EXPECT_EQ(read_job_file(files, "a/b/state").value().job_id, id);
  const auto other = JobDirectory::open(sim.env(), "a/b/state", "plan 2");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kStateOfOtherJob);
  ASSERT_TRUE(files.create_directories("home"));
  ASSERT_TRUE(files.write_atomically("home/letter.txt", "dear"));
  EXPECT_EQ(JobDirectory::open(sim.env(), "home", "plan").error().code, ErrorCode::kStateOfOtherJob);
  ASSERT_TRUE(files.write_atomically("a/b/state/job.json", "{\n  \"format_version\": 2,\n  \"job_id\": \"x\",\n  \"plan\": \"y\"\n}\n"));
  EXPECT_EQ(JobDirectory::open(sim.env(), "a/b/state", "plan").error().code, ErrorCode::kFormatVersion);
  ASSERT_TRUE(files.write_atomically("a/b/state/job.json", "gone"));
  EXPECT_EQ(JobDirectory::open(sim.env(), "a/b/state", "plan").error().code, ErrorCode::kDamaged);
}

TEST(JobDirectory, BornWholeOrNotAtAll) {
  for (std::uint64_t n = 1;; ++n) {
    env::SimEnv sim(n);
    sim.files().set_fault_hook(env::fail_nth(n, env::SimFault::kPowerOff));
    std::string id;
    bool created = false;
    if (const auto job = JobDirectory::open(sim.env(), "x/y/state", "plan")) id = job->job_id(), created = true;
    sim.files().set_fault_hook(nullptr);
    sim.files().crash();
    const auto again = JobDirectory::open(sim.env(), "x/y/state", "plan");
    ASSERT_TRUE(again) << n << ": " << again.error().to_string();
    if (created) EXPECT_EQ(again->job_id(), id) << "a job that was born keeps its id";
    if (created) break;
  }
}

}  // namespace
}  // namespace supyo::state
