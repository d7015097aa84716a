#include "core/env/processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/env/real/real_env.h"

namespace supyo::env {
namespace {

using ::testing::HasSubstr;

class RealProcessesTest : public ::testing::Test {
 protected:
  RealProcessesTest() : folder_(std::filesystem::temp_directory_path() / ("supyo_processes_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~RealProcessesTest() override { std::filesystem::remove_all(folder_); }
  /// Looks until `done`, for at most 20 s.
  void wait_for(const std::function<bool()>& done) {
    for (int i = 0; i < 20'000 && !done(); ++i) env().threads->idle(kMillisecond);
    EXPECT_TRUE(done());
  }
  Env& env() { return real_.env(); }
  Processes& processes() { return *env().processes; }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  RealEnv real_;
  std::filesystem::path folder_;
};

TEST_F(RealProcessesTest, RunsToTheEndWithOutputAndStatus) {
  const auto done = run_program(env(), {.arguments = {"sh", "-c", "echo \"$GREETING\"; echo wrong >&2; pwd; exit 7"}, .working_directory = folder_, .environment = {{"GREETING", "a  b"}}}, 20 * kSecond);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->exit.status, 7);
  EXPECT_FALSE(done->exit.signalled);
  EXPECT_GT(done->exit.resident_bytes_max, 0U);
  EXPECT_EQ(done->output, "a  b\nwrong\n" + std::filesystem::canonical(folder_).string() + "\n");
}

TEST_F(RealProcessesTest, ArgumentsAreNeverParsedByAShell) {
  const auto done = run_program(env(), {.arguments = {"echo", "$HOME; rm -rf *", "'\"`x`"}}, 20 * kSecond);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->output, "$HOME; rm -rf * '\"`x`\n");
}

TEST_F(RealProcessesTest, MuchOutputIsReadToItsBound) {
  const auto done = run_program(env(), {.arguments = {"head", "-c", "3000000", "/dev/zero"}}, 20 * kSecond);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->exit.status, 0);
  EXPECT_EQ(done->output.size(), kOutputMax);
}

TEST_F(RealProcessesTest, WhatIsMissingIsSaid) {
  EXPECT_EQ(processes().start({.arguments = {"supyo-no-such-program"}}).error().code, ErrorCode::kProgramMissing);
  EXPECT_EQ(processes().start({.arguments = {folder_.string()}}).error().code, ErrorCode::kProgramMissing);
  EXPECT_EQ(processes().start({.arguments = {"true"}, .working_directory = folder_ / "absent"}).error().code, ErrorCode::kFileNotFound);
  EXPECT_THAT(*processes().find("sh"), HasSubstr("/sh"));
}

TEST_F(RealProcessesTest, StopsContinuesAndEndsByASignal) {
  auto process = processes().start({.arguments = {"sleep", "100"}});
  ASSERT_TRUE(process) << process.error().to_string();
  const ProcessIdentity identity = (*process)->identity();
  EXPECT_TRUE(processes().look(identity));
  EXPECT_FALSE((*process)->poll()->has_value());
  ASSERT_TRUE((*process)->signal(ProcessSignal::kStop));
  EXPECT_TRUE(processes().look(identity));
  ASSERT_TRUE((*process)->signal(ProcessSignal::kContinue));
  EXPECT_TRUE(*processes().signal(identity, ProcessSignal::kTerminate));
  wait_for([&] { return (*process)->poll()->has_value(); });
  EXPECT_EQ((*(*process)->poll())->status, 128 + SIGTERM);
  EXPECT_TRUE((*(*process)->poll())->signalled);
  EXPECT_FALSE(processes().look(identity));
  EXPECT_FALSE(*processes().signal(identity, ProcessSignal::kTerminate));
}

TEST_F(RealProcessesTest, NoGrandchildIsLeft) {
  const std::string children = folder_ / "children";
  auto process = processes().start({.arguments = {"sh", "-c", "sleep 100 & echo $! > " + children + ".new; mv " + children + ".new " + children + "; wait"}});
  ASSERT_TRUE(process) << process.error().to_string();
  wait_for([&] { return std::filesystem::exists(children); });
  const int grandchild = std::stoi(read("children"));
  process->reset();
  // Killed; init takes it off the table when it gets to it.
  wait_for([&] {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(stat), {}};
    return text.empty() || text.find(") Z ") != std::string::npos;
  });
}

TEST_F(RealProcessesTest, AnIdentityIsNotItsNumber) {
  auto process = processes().start({.arguments = {"sleep", "100"}});
  ASSERT_TRUE(process) << process.error().to_string();
  const ProcessIdentity identity = (*process)->identity();
  EXPECT_EQ(*ProcessIdentity::parse(identity.to_string() + "\n"), identity);
  ProcessIdentity recycled = identity, other_boot = identity;
  recycled.start_ticks -= 1;
  other_boot.boot = "another";
  for (const ProcessIdentity& wrong : {recycled, other_boot}) {
    EXPECT_FALSE(processes().look(wrong));
    EXPECT_FALSE(*processes().signal(wrong, ProcessSignal::kKill));
  }
  EXPECT_TRUE(processes().look(identity));
  EXPECT_FALSE((*process)->poll()->has_value());
  for (const char* bad : {"", "x", "12", "12 ", "12 x y", "1 2 boot", "-5 2 boot", "12 13"}) EXPECT_FALSE(ProcessIdentity::parse(bad)) << bad;
}

TEST_F(RealProcessesTest, OutputGoesToAFileAndOutlivesUs) {
  auto process = processes().start({.arguments = {"sh", "-c", "echo up; exec sleep 100"}, .out = ProgramOutput::to_file(folder_ / "log"), .outlives_us = true});
  ASSERT_TRUE(process) << process.error().to_string();
  const ProcessIdentity identity = (*process)->identity();
  wait_for([&] { return read("log") == "up\n"; });
  process->reset();
  EXPECT_TRUE(processes().look(identity));
  EXPECT_GT(processes().look(identity)->resident_bytes, 0U);
  EXPECT_TRUE(*processes().signal(identity, ProcessSignal::kKill));
  wait_for([&] { return !processes().look(identity); });
}

TEST_F(RealProcessesTest, TooLongIsEnded) {
  EXPECT_EQ(run_program(env(), {.arguments = {"sleep", "100"}}, 20 * kMillisecond).error().code, ErrorCode::kOutsideUnavailable);
  EXPECT_EQ(run_program(env(), {.arguments = {"sleep", "100"}}, 20 * kSecond, [] { return true; }).error().code, ErrorCode::kCancelled);
}

TEST_F(RealProcessesTest, OwnTimeGoesOn) {
  const DurationUs before = processes().own_cpu_us();
  volatile std::uint64_t x = 1;
  while (processes().own_cpu_us() - before < 2 * kMillisecond)
    for (int i = 0; i < 10'000; ++i) x = x * 31 + 7;
  EXPECT_THAT(*processes().own_program(), HasSubstr("_test"));
}

}  // namespace
}  // namespace supyo::env
