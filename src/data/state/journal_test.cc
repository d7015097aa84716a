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
    const Status read = decode_body(mutated, sections, [&](Journal::StoredTable, std::span<const ChangeRef> changes) {
      for (const ChangeRef& c : changes) {
        const ChangeView view = change_at(c);
        EXPECT_GE(view.key.data(), mutated.data());
        EXPECT_LE((view.deleted ? view.key : view.value).end(), std::to_address(mutated.end()));
      }
    });
    if (!read) EXPECT_EQ(read.error().code, ErrorCode::kDamaged);
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

// Few and many, of one table and of several, with hashes that lie together and apart, from one list and from several that threads deal out.
TEST(ChangeIndex, ReadsTheLastWriteOfEachKeyInOrder) {
  env::RealEnv real;
  env::SeededRandom random(5);
  using Key = std::tuple<std::uint64_t, std::string>;
  for (const std::size_t n : {0UL, 1UL, 300UL, 9000UL}) {
    for (const std::size_t lists : {1UL, 3UL, SideBySide::kMost}) {
      std::map<Journal::StoredTable, std::map<Key, std::optional<std::string>>> want;
      std::map<Journal::StoredTable, std::size_t> writes;
      std::vector<ChangeList> changes(lists);
      std::vector<std::string> records(lists);   // the index points into them
      std::uint64_t number = 0;
      for (std::size_t list = 0; list < lists; ++list) {
        EpochRecord record{.epoch = Epoch(1), .sections = {}, .tables = {}};
        for (std::size_t i = 0; i < n / lists + 1; ++i) {
          const std::string key = "key " + std::to_string(random.below(n / 3 + 1));
          const std::uint64_t hash = key.size() % 2 == 0 ? hash_bytes(key) : key.size();
          TableChanges& t = record.tables.emplace_back();
          t.operator_id = static_cast<std::uint32_t>(random.below(3));
          t.table = static_cast<std::uint16_t>(random.below(2));
          const bool deleted = random.below(5) == 0;
          const std::string value = deleted ? "" : std::string(random.below(200), 'v') + std::to_string(++number);
          t.changes.push_back({.hash = hash, .key = key, .value = value, .deleted = deleted});
          const Journal::StoredTable table{t.operator_id, t.table};
          want[table][{hash, key}] = deleted ? std::nullopt : std::optional(value);
          ++writes[table];
        }
        encode_record(record, 1, 0, 0, 0, records[list]);
        std::vector<Section> sections;
        ASSERT_TRUE(decode_body(std::string_view(records[list]).substr(kRecordHeaderBytes), sections,
                                [&](Journal::StoredTable table, std::span<const ChangeRef> some) { changes[list].add(table, some); }));
      }
      const ChangeIndex index(changes, lists == SideBySide::kMost ? SideBySide(real.env().threads, SideBySide::kWorthIt) : SideBySide());
      ASSERT_EQ(index.tables().size(), want.size());
      for (const auto& [table, t] : index.tables()) {
        EXPECT_EQ(t.size(), writes[table]);
        // All of it, and cut in two anywhere: at a hash that is there, next to it, and at random.
        std::vector<std::uint64_t> cuts = {UINT64_MAX, random.next_u64(), random.next_u64()};
        const std::uint64_t there = std::get<0>(std::next(want[table].begin(), static_cast<std::ptrdiff_t>(random.below(want[table].size())))->first);
        cuts.insert(cuts.end(), {there, there - 1});
        for (const std::uint64_t cut : cuts) {
          std::vector<ChangeView> read, rest;
          std::size_t counted = t.read(0, cut, read);
          EXPECT_EQ(t.count(0, cut), counted);
          if (cut != UINT64_MAX) counted += t.read(cut + 1, UINT64_MAX, rest);
          EXPECT_EQ(counted, writes[table]);
          for (const ChangeView& c : read) EXPECT_LE(c.hash, cut);
          read.insert(read.end(), rest.begin(), rest.end());
          ASSERT_EQ(read.size(), want[table].size());
          auto it = want[table].begin();
          for (const ChangeView& c : read) {
            EXPECT_EQ((Journal::StoredTable{c.operator_id, c.table}), table);
            EXPECT_EQ(Key(c.hash, c.key), it->first);
            EXPECT_EQ(c.deleted, !it->second);
            EXPECT_EQ(c.value, it->second.value_or(""));
            ++it;
          }
        }
      }
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

// Enough for threads: the journal alone, a snapshot, both, and damage in two places, of which the first is told.
TEST(JournalReal, MuchIsReadSideBySide) {
  env::RealEnv real;
  env::Files& files = real.env().files;
  const std::string root = env::join_path(testing::TempDir(), "supyo-journal-" + env::new_uuid(real.env().random));
  constexpr std::size_t kKeys = 96, kValue = 256 << 10;
  static_assert(kKeys * kValue > SideBySide::kWorthIt);
  std::map<std::string, std::string> truth;
  const auto open = [&] { return Journal::open(real.env(), root, "job", {.snapshot_after_bytes = 1U << 30}); };
  const auto write = [&](std::int64_t from, std::int64_t to) {
    auto journal = open().value();
    for (std::int64_t epoch = from; epoch <= to; ++epoch) {
      TableChanges changes;
      for (std::int64_t i = epoch * 9; i < epoch * 9 + 16; ++i) {
        const std::string key = std::to_string(i % static_cast<std::int64_t>(kKeys));
        truth[key] = std::string(kValue, static_cast<char>('a' + epoch % 26)) + std::to_string(i);
        changes.changes.push_back({.hash = hash_bytes(key), .key = key, .value = truth[key]});
      }
      EpochRecord record{.epoch = Epoch(epoch), .sections = {{.id = 1, .bytes = std::to_string(epoch)}}, .tables = {}};
      record.tables.push_back(std::move(changes));
      ASSERT_TRUE(journal->append(record));
      ASSERT_TRUE(journal->sync());
    }
  };
  const auto check = [&](std::int64_t last, std::int64_t snapshot) {
    const auto journal = open().value();
    EXPECT_EQ(journal->recovered().last, Epoch(last));
    EXPECT_EQ(journal->recovered().snapshot, Epoch(snapshot));
    EXPECT_EQ(journal->recovered().sections.at(0).bytes, std::to_string(last));
    std::map<std::string, std::string> stored;
    for_each_stored(*journal, 0, 1, [&](const SnapshotEntry& e, bool) { EXPECT_TRUE(stored.emplace(e.key, e.value).second); });
    EXPECT_TRUE(stored == truth);
  };
  const auto snapshot = [&] {
    const auto journal = open().value();
    const auto builder = journal->begin_snapshot();
    while (!builder->poll(8 << 20).value()) {}
    ASSERT_TRUE(journal->end_snapshot(*builder));
  };
  const auto flip = [&](const std::string& path, std::uint64_t offset) {
    const auto file = files.open(path, env::OpenMode::kReadWrite).value();
    std::string byte(1, '\0');
    ASSERT_EQ(file->read_at(offset, byte).value(), 1U);
    byte[0] = static_cast<char>(byte[0] ^ 0x10);
    ASSERT_TRUE(file->write_at(offset, byte));
  };
  write(1, 12);
  check(12, 0);
  snapshot();
  write(13, 18);
  check(18, 12);
  // The snapshot is passed over, for the journal reaches back to the first epoch.
  const std::string journal_dir = env::join_path(root, "journal"), snapshot_dir = env::join_path(root, "snapshots");
  const std::string file = env::join_path(snapshot_dir, files.list(snapshot_dir).value().back());
  flip(file, 20U << 20);
  flip(file, 2U << 20);
  check(18, 0);
  EXPECT_NE(open().value()->recovered().notes.at(0).find("a block does not match its checksum"), std::string::npos);
  // Of two damaged segments the first is named.
  std::vector<std::string> segments = files.list(journal_dir).value();
  std::erase_if(segments, [](const std::string& name) { return !number_of_name(kSegmentPrefix, name); });
  ASSERT_GT(segments.size(), 12U);
  for (const std::size_t i : {11U, 4U}) flip(env::join_path(journal_dir, segments[i]), 1U << 20);
  const auto broken = open();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kDamaged);
  EXPECT_NE(broken.error().message.find(segments[4]), std::string::npos) << broken.error().to_string();
  ASSERT_TRUE(files.remove_all(root));
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
