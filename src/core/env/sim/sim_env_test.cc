#include "core/env/sim/sim_env.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "core/base/hash.h"

namespace supyo::env {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::string contents(Files& files, const std::string& path) {
  auto file = files.open(path, OpenMode::kRead);
  if (!file) return "<absent>";
  std::string out(1 << 20, '\0');
  out.resize((*file)->read_at(0, out).value());
  return out;
}

void put_durable(SimFiles& files, const std::string& path, std::string_view bytes) {
  auto file = files.open(path, OpenMode::kCreateOrOpen).value();
  ASSERT_TRUE(file->truncate(0));
  ASSERT_TRUE(file->write_at(0, bytes));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(files.sync_directory(parent_path(path)));
}

/// Every outcome of a crash after `steps`, as the contents of "d/f".
std::set<std::string> outcomes(const std::function<void(SimFiles&)>& steps) {
  std::set<std::string> seen;
  ExhaustiveChoices all;
  do {
    SeededRandom random(1);
    RandomChoices calm(random);
    SimFiles files(calm);
    EXPECT_TRUE(files.create_directories("d"));
    EXPECT_TRUE(files.sync_directory("."));
    steps(files);
    files.crash(&all);
    seen.insert(contents(files, "d/f"));
  } while (all.next_round());
  return seen;
}

TEST(SimFiles, KeepsWhatWasSynced) {
  EXPECT_THAT(outcomes([](SimFiles& f) { put_durable(f, "d/f", "hello"); }), ElementsAre("hello"));
}

TEST(SimFiles, UnsyncedPagesAreKeptDroppedOrTorn) {
  EXPECT_THAT(outcomes([](SimFiles& f) {
                put_durable(f, "d/f", "aaaa");
                ASSERT_TRUE(f.open("d/f", OpenMode::kReadWrite).value()->write_at(0, "bbbb"));
              }),
              UnorderedElementsAre("aaaa", "bbbb", "bbaa"));
}

TEST(SimFiles, AnAppendMayLeaveZerosBehind) {
  EXPECT_THAT(outcomes([](SimFiles& f) {
                put_durable(f, "d/f", "aa");
                ASSERT_TRUE(f.open("d/f", OpenMode::kReadWrite).value()->write_at(2, "bb"));
              }),
              UnorderedElementsAre("aabb", "aa", "aab", std::string("aa\0\0", 4), std::string("aab\0", 4)));
}

TEST(SimFiles, PagesMeetTheirFatesIndependently) {
  const std::string first(SimFiles::kPage, 'x');
  const std::set<std::string> seen = outcomes([&](SimFiles& f) {
    put_durable(f, "d/f", std::string(2 * SimFiles::kPage, '.'));
    ASSERT_TRUE(f.open("d/f", OpenMode::kReadWrite).value()->write_at(0, std::string(2 * SimFiles::kPage, 'x')));
  });
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_TRUE(seen.contains(std::string(SimFiles::kPage, '.') + std::string(SimFiles::kPage, 'x')));
}

TEST(SimFiles, TruncationIsVolatileUntilSynced) {
  EXPECT_THAT(outcomes([](SimFiles& f) {
                put_durable(f, "d/f", "abcd");
                ASSERT_TRUE(f.open("d/f", OpenMode::kReadWrite).value()->truncate(2));
              }),
              testing::IsSupersetOf({"ab", "abcd"}));
}

TEST(SimFiles, EntriesAreVolatileUntilTheDirectoryIsSynced) {
  EXPECT_THAT(outcomes([](SimFiles& f) {
                auto file = f.open("d/f", OpenMode::kCreateNew).value();
                ASSERT_TRUE(file->write_at(0, "x"));
                ASSERT_TRUE(file->sync());
              }),
              UnorderedElementsAre("x", "<absent>"));
  EXPECT_THAT(outcomes([](SimFiles& f) {
                put_durable(f, "d/f", "old");
                put_durable(f, "d/g", "new");
                ASSERT_TRUE(f.rename("d/g", "d/f"));
              }),
              UnorderedElementsAre("old", "new"));
  EXPECT_THAT(outcomes([](SimFiles& f) {
                put_durable(f, "d/f", "x");
                ASSERT_TRUE(f.remove("d/f"));
                ASSERT_TRUE(f.sync_directory("d"));
              }),
              UnorderedElementsAre("<absent>"));
}

TEST(SimFiles, RenameIsAtomicAcrossDirectories) {
  ExhaustiveChoices all;
  do {
    SeededRandom random(1);
    RandomChoices calm(random);
    SimFiles files(calm);
    ASSERT_TRUE(files.create_directories("a"));
    ASSERT_TRUE(files.create_directories("b"));
    ASSERT_TRUE(files.sync_directory("."));
    put_durable(files, "a/f", "x");
    ASSERT_TRUE(files.rename("a/f", "b/f"));
    files.crash(&all);
    EXPECT_NE(files.exists("a/f").value(), files.exists("b/f").value());
  } while (all.next_round());
}

TEST(SimFiles, WriteAtomicallyIsAtomic) {
  EXPECT_THAT(outcomes([](SimFiles& f) {
                put_durable(f, "d/f", "old");
                ASSERT_TRUE(f.write_atomically("d/f", "new"));
              }),
              UnorderedElementsAre("new"));
}

TEST(SimFiles, AFailedSyncIsNeverMadeGoodByALaterOne) {
  const std::set<std::string> seen = outcomes([](SimFiles& f) {
    put_durable(f, "d/f", "aaaa");
    auto file = f.open("d/f", OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_at(0, "bbbb"));
    f.set_fault_hook([](const FileOperation& o) -> std::optional<SimFault> {
      if (o.kind == FileOperationKind::kSync) return SimFault::kIo;
      return std::nullopt;
    });
    EXPECT_EQ(file->sync().error().code, ErrorCode::kSyncFailed);
    f.set_fault_hook(nullptr);
    EXPECT_TRUE(file->sync());
    EXPECT_EQ(contents(f, "d/f"), "bbbb");  // the page cache still shows it
  });
  EXPECT_EQ(seen.size(), 1U);  // settled at the failed sync, whatever the later one said
}

TEST(SimFiles, CrashKillsHandlesAndReleasesLocks) {
  SimEnv sim(1);
  Files& files = sim.env().files;
  put_durable(sim.files(), "f", "x");
  auto file = files.open("f", OpenMode::kReadWrite).value();
  auto lock = files.lock("lock").value();
  EXPECT_EQ(files.lock("lock").error().code, ErrorCode::kStateLocked);
  sim.files().kill_process();
  EXPECT_FALSE(file->write_at(0, "y"));
  auto again = files.lock("lock");
  ASSERT_TRUE(again);
  lock.reset();  // the dead process's lock releases nothing
  EXPECT_EQ(files.lock("lock").error().code, ErrorCode::kStateLocked);
}

TEST(SimFiles, FailsTheNthOperationOnce) {
  SimEnv sim(1);
  sim.files().set_fault_hook(fail_nth(2, SimFault::kIo));
  EXPECT_TRUE(sim.files().create_directories("d"));
  EXPECT_FALSE(sim.files().create_directories("e"));
  EXPECT_TRUE(sim.files().create_directories("e"));
  sim.files().set_fault_hook(fail_nth(1, SimFault::kPowerOff));
  EXPECT_FALSE(sim.files().exists("d"));
  EXPECT_FALSE(sim.files().exists("d"));
  sim.files().set_fault_hook(nullptr);
  sim.files().crash();
  EXPECT_TRUE(sim.files().exists("d"));
}

TEST(SimFiles, AFullDiskTakesAPrefix) {
  SimEnv sim(1);
  sim.files().set_capacity(10);
  auto file = sim.files().open("f", OpenMode::kCreateNew).value();
  EXPECT_TRUE(file->write_at(0, "12345678"));
  EXPECT_EQ(file->write_at(8, "abcd").error().code, ErrorCode::kDiskFull);
  EXPECT_LE(sim.files().bytes_used(), 10U);
  EXPECT_TRUE(file->write_at(0, "overwrite"));
  EXPECT_EQ(file->allocate(11).error().code, ErrorCode::kDiskFull);
}

TEST(SimEnv, SameSeedSameTrace) {
  const auto run = [](std::uint64_t seed) {
    SimEnv sim(seed);
    for (int i = 0; i < 20; ++i) {
      auto file = sim.files().open(fmt::format("f{}", sim.random().below(3)), OpenMode::kCreateOrOpen).value();
      EXPECT_TRUE(file->write_at(sim.random().below(9000), std::string(sim.random().below(9000), 'x')));
      if (sim.random().below(3) == 0) sim.files().crash();
    }
    return hash_combine(sim.files().trace_hash(), sim.files().bytes_used());
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

}  // namespace
}  // namespace supyo::env
