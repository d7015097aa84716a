#include "core/env/env.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>

#include "core/env/real/real_env.h"

namespace supyo::env {
namespace {

/// A directory of its own for a test, removed afterwards.
class RealFilesTest : public testing::Test {
 protected:
  RealFilesTest()
      : dir_(join_path(testing::TempDir(), "supyo-env-" + new_uuid(real_.env().random))), files_(real_.env().files) {
    EXPECT_TRUE(files_.create_directories(dir_));
  }
  ~RealFilesTest() override { EXPECT_TRUE(files_.remove_all(dir_)); }
  std::string path(std::string_view name) const { return join_path(dir_, name); }

  RealEnv real_;
  std::string dir_;
  Files& files_;
};

TEST(Paths, JoinParentBase) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b/c"), "a/b/c");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(join_path("a", ""), "a");
  EXPECT_EQ(join_path("a", "/b"), "/b");
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
  EXPECT_EQ(parent_path("a/b/"), "a");
  EXPECT_EQ(parent_path("c"), ".");
  EXPECT_EQ(parent_path("/c"), "/");
  EXPECT_EQ(parent_path("/"), "/");
  EXPECT_EQ(base_name("a/b/c"), "c");
  EXPECT_EQ(base_name("a/b/"), "b");
  EXPECT_EQ(base_name("c"), "c");
  EXPECT_EQ(base_name("/"), "/");
}

TEST(Uuid, HasVersionAndVariantAndDiffers) {
  RealEnv real;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = new_uuid(real.env().random);
    ASSERT_EQ(id.size(), 36U);
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string_view("89ab").find(id[19]), std::string_view::npos) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST_F(RealFilesTest, WritesReadsAndTruncates) {
  const auto file = files_.open(path("f"), OpenMode::kCreateNew).value();
  ASSERT_TRUE(file->write_at(3, "abc"));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(file->size().value(), 6U);
  std::string out(10, '?');
  EXPECT_EQ(file->read_at(0, out).value(), 6U);
  EXPECT_EQ(out.substr(0, 6), std::string("\0\0\0abc", 6));
  ASSERT_TRUE(file->truncate(4));
  EXPECT_EQ(files_.read_all(path("f")).value(), std::string("\0\0\0a", 4));
  ASSERT_TRUE(file->allocate(8192));
  EXPECT_EQ(file->size().value(), 8192U);
  EXPECT_EQ(files_.map(path("f")).value()->bytes().substr(0, 5), std::string_view("\0\0\0a\0", 5));
}

TEST_F(RealFilesTest, ErrorsCarryCodeAndPath) {
  const auto missing = files_.open(path("none"), OpenMode::kRead);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFoundOnDisk);
  EXPECT_NE(missing.error().message.find(path("none")), std::string::npos);
  ASSERT_TRUE(files_.write_atomically(path("f"), "1"));
  EXPECT_EQ(files_.open(path("f"), OpenMode::kCreateNew).error().code, ErrorCode::kAlreadyExistsOnDisk);
  EXPECT_EQ(files_.remove(path("none")).error().code, ErrorCode::kNotFoundOnDisk);
  EXPECT_EQ(files_.list(path("none")).error().code, ErrorCode::kNotFoundOnDisk);
  EXPECT_EQ(files_.read_all(path("f/below")).error().code, ErrorCode::kNotFoundOnDisk);
  EXPECT_EQ(files_.read_all(dir_).error().code, ErrorCode::kIo);
  const auto read_only = files_.open(path("f"), OpenMode::kRead).value();
  EXPECT_EQ(read_only->write_at(0, "x").error().code, ErrorCode::kIo);
}

TEST_F(RealFilesTest, FullDisk) {
  if (!files_.exists("/dev/full").value()) GTEST_SKIP() << "no /dev/full here";
  const auto full = files_.open("/dev/full", OpenMode::kReadWrite);
  if (!full) GTEST_SKIP() << full.error().message;
  EXPECT_EQ((*full)->write_at(0, "x").error().code, ErrorCode::kDiskFull);
}

TEST_F(RealFilesTest, RenameLinkAndNoReplace) {
  ASSERT_TRUE(files_.write_atomically(path("a"), "a"));
  ASSERT_TRUE(files_.write_atomically(path("b"), "b"));
  EXPECT_EQ(files_.rename_no_replace(path("a"), path("b")).error().code, ErrorCode::kAlreadyExistsOnDisk);
  EXPECT_EQ(files_.link(path("a"), path("b")).error().code, ErrorCode::kAlreadyExistsOnDisk);
  EXPECT_EQ(files_.read_all(path("b")).value(), "b");
  ASSERT_TRUE(files_.rename_no_replace(path("a"), path("c")));
  ASSERT_TRUE(files_.link(path("c"), path("d")));
  ASSERT_TRUE(files_.rename(path("c"), path("b")));
  EXPECT_EQ(files_.read_all(path("b")).value(), "a");
  ASSERT_TRUE(files_.sync_directory(dir_));
  EXPECT_EQ(files_.list(dir_).value(), (std::vector<std::string>{"b", "d"}));
}

TEST_F(RealFilesTest, DirectoriesAndAtomicWrite) {
  ASSERT_TRUE(files_.create_directories(path("x/y/z")));
  ASSERT_TRUE(files_.create_directories(path("x/y/z")));
  EXPECT_TRUE(files_.is_directory(path("x/y")).value());
  EXPECT_FALSE(files_.is_directory(path("none")).value());
  EXPECT_FALSE(files_.exists(path("none")).value());
  // What an earlier crash left under the temporary name is neither kept nor in the way.
  ASSERT_TRUE(files_.write_atomically(path("x/f.tmp"), "left over, and longer"));
  ASSERT_TRUE(files_.write_atomically(path("x/f"), "new"));
  EXPECT_EQ(files_.read_all(path("x/f")).value(), "new");
  EXPECT_EQ(files_.list(path("x")).value(), (std::vector<std::string>{"f", "y"}));
  ASSERT_TRUE(files_.remove_all(path("x")));
  ASSERT_TRUE(files_.remove_all(path("x")));
}

TEST_F(RealFilesTest, LockExcludesASecondHolderAndNamesTheFirst) {
  auto first = files_.lock(path("LOCK"));
  ASSERT_TRUE(first);
  const auto second = files_.lock(path("LOCK"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kStateLocked);
  EXPECT_NE(second.error().message.find("process "), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find(dir_), std::string::npos);
  first->reset();
  EXPECT_TRUE(files_.lock(path("LOCK")));
}

TEST(RealEnv, ClocksAndThreads) {
  RealEnv real;
  Env& env = real.env();
  const TimeUs before = env.clock.monotonic_us();
  env.threads->idle(100);
  EXPECT_GE(env.clock.monotonic_us(), before + 100);
  EXPECT_GT(env.clock.now_us(), 1'600'000'000 * kSecond);
  std::atomic<int> ran = 0;
  {
    const auto a = env.threads->start("a thread with a long name", [&] { ++ran; });
    const auto b = env.threads->start("b", [&] { ++ran; });
    b->join();
  }
  EXPECT_EQ(ran, 2);
}

TEST(VirtualClock, MovesOnlyForward) {
  VirtualClock clock(10);
  clock.advance_to(5);
  EXPECT_EQ(clock.now_us(), 10);
  clock.advance_to(15);
  EXPECT_EQ(clock.monotonic_us(), 15);
}

}  // namespace
}  // namespace supyo::env
