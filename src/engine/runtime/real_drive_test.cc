#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/env/real/real_env.h"
#include "engine/runtime/control.h"
#include "engine/runtime/job_runner.h"
#include "engine/runtime/test_job.h"

namespace supyo::runtime {
namespace {

using testkit::sorted;

class RealDrive : public ::testing::Test {
 protected:
  RealDrive() : dir_(std::filesystem::path(::testing::TempDir()) / fmt::format("supyo-runtime-{}-{}", ::getpid(), ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  ~RealDrive() override { std::filesystem::remove_all(dir_); }

  JobConfig config(TestJob& job, std::uint32_t parallelism) const {
    JobConfig c = job.config(parallelism);
    c.state_dir = (dir_ / "state").string();
    c.parallelism = parallelism;
    c.checkpoint_interval_us = 2 * kMillisecond;
    c.control = true;
    return c;
  }
  /// Naps until `done`: real threads do the work, and nothing here depends on how fast.
  void wait_for(const std::function<bool()>& done) {
    while (!done()) real_.env().threads->idle(kMillisecond);
  }

  env::RealEnv real_;
  std::filesystem::path dir_;
};

TEST_F(RealDrive, GivesTheSameRowsAtAnyParallelism) {
  for (const std::uint32_t shards : {1U, 2U, 3U, 4U}) {
    TestJob job(shards, true, 3000);
    std::filesystem::remove_all(dir_ / "state");
    auto runner = JobRunner::create(real_.env(), job.graph(shards), config(job, shards));
    ASSERT_TRUE(runner) << runner.error().to_string();
    const auto result = (*runner)->run();
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->state, JobState::kFinished);
    EXPECT_EQ(sorted(job.table.rows()), job.expected());
    EXPECT_EQ(sorted(job.late.rows()), job.expected_late());
    EXPECT_EQ(job.dead.size(), job.expected_dead());
    const JobStats stats = (*runner)->stats();
    EXPECT_EQ(stats.rows_in + stats.dead, 3000U);
    EXPECT_EQ(stats.rows_out, job.expected().size());
    EXPECT_EQ(stats.late, job.expected_late().size());
  }
}

TEST_F(RealDrive, FailingSinkRestartsAndLosesNothing) {
  TestJob job(5, true, 3000);
  std::atomic<int> writes{0};
  job.table.on_write = [&](Epoch) -> Status {
    return ++writes % 40 == 20 && writes < 150 ? Status(fail(ErrorCode::kOutsideUnavailable, "planted")) : ok();
  };
  JobConfig c = config(job, 3);
  c.restart = {.kind = RestartStrategy::Kind::kFixedDelay, .attempts = 100, .delay_us = kMillisecond, .delay_max_us = kSecond};
  auto runner = JobRunner::create(real_.env(), job.graph(5), c);
  ASSERT_TRUE(runner);
  const auto result = (*runner)->run();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_GT(result->restarts, 0U);
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST_F(RealDrive, StopFromAnotherProcessKeepsWindowsOpenAndDrainFiresThem) {
  TestJob job(6, /*bounded=*/false, 600);
  const std::string state = (dir_ / "state").string();
  EXPECT_EQ(request_control(real_.env(), state, ControlRequest::kStop).error().code, ErrorCode::kJobNotRunning);
  const auto run_until = [&](const std::function<void()>& ask) {
    auto runner = JobRunner::create(real_.env(), job.graph(6), config(job, 2));
    ASSERT_TRUE(runner) << runner.error().to_string();
    Result<JobResult> result = fail(ErrorCode::kInternal, "not run");
    {
      const auto thread = real_.env().threads->start("job", [&] { result = (*runner)->run(); });
      ask();
    }
    ASSERT_TRUE(result) << result.error().to_string();
  };
  run_until([&] {
    wait_for([&] { return job.table.size() > 0 && job.script.parts()[0].acknowledged == 200; });
    EXPECT_TRUE(*is_running(real_.env(), state));
    ASSERT_TRUE(request_control_and_wait(real_.env(), state, ControlRequest::kSavepoint, kMinute));
    EXPECT_FALSE(real_.env().files.list(state + "/snapshots")->empty());
    ASSERT_TRUE(request_control(real_.env(), state, ControlRequest::kStop));
  });
  EXPECT_FALSE(*is_running(real_.env(), state));
  EXPECT_LT(job.table.size(), job.expected().size());
  EXPECT_NE(read_status(real_.env(), state)->find("\"state\":\"STOPPED\""), std::string::npos);
  run_until([&] { ASSERT_TRUE(request_control(real_.env(), state, ControlRequest::kDrain)); });
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
  EXPECT_NE(read_status(real_.env(), state)->find("\"state\":\"FINISHED\""), std::string::npos);
}

/// When lags were told last, by the job's clock.
struct AskedAt final : VisibilityObserver {
  void started(const PipelineShape&, TimeUs) override {}
  void taken(const Taken&) override {}
  void dropped_late(Epoch, std::uint64_t, TimeUs) override {}
  void sink_rows(Epoch, std::string_view, std::span<const TimeUs>, std::span<const TimeUs>, TimeUs) override {}
  void written(std::uint32_t, TimeUs, TimeUs, TimeUs) override {}
  void epoch_cut(Epoch, TimeUs, TimeUs) override {}
  void epoch_final(Epoch, TimeUs) override {}
  void epoch_visible(Epoch, TimeUs) override {}
  void epoch_failed(Epoch, TimeUs) override {}
  void lags(std::uint32_t, std::uint64_t, std::uint64_t, bool, TimeUs now) override { told_us = now; }
  std::string save(Epoch) override { return {}; }
  void restore(std::string_view) override {}
  std::atomic<TimeUs> told_us{kTimeMax};
};

TEST_F(RealDrive, EpochsAndLagsGoOnWhenTheClockIsSetBack) {
  struct SetBack final : env::Clock {
    explicit SetBack(const env::Clock& c) : clock(c) {}
    TimeUs now_us() const override { return clock.now_us() - back_us.load(); }
    TimeUs monotonic_us() const override { return clock.monotonic_us(); }
    const env::Clock& clock;
    std::atomic<DurationUs> back_us{0};
  } clock(real_.env().clock);
  env::Env env{.clock = clock, .files = real_.env().files, .random = real_.env().random, .threads = real_.env().threads, .net = real_.env().net, .processes = real_.env().processes};
  TestJob job(6, /*bounded=*/false, 600);
  job.table.on_write = [&](Epoch) -> Status {
    clock.back_us = kHour;   // rows are there, and the epoch's time is an hour away now
    return ok();
  };
  JobConfig c = config(job, 2);
  c.checkpoint_interval_us = 300 * kMillisecond;
  AskedAt asked;
  c.observer = &asked;
  const TimeUs began = clock.now_us();
  auto runner = JobRunner::create(env, job.graph(6), c);
  ASSERT_TRUE(runner) << runner.error().to_string();
  Result<JobResult> result = fail(ErrorCode::kInternal, "not run");
  {
    const auto thread = env.threads->start("job", [&] { result = (*runner)->run(); });
    const TimeUs until = clock.monotonic_us() + kMinute;
    const auto all = [&] { return job.script.parts()[0].acknowledged == 200 && asked.told_us < began; };
    while (!all() && clock.monotonic_us() < until) env.threads->idle(kMillisecond);
    EXPECT_TRUE(all()) << "readers do not wait for the clock to be where it was";
    EXPECT_TRUE(request_control(env, c.state_dir, ControlRequest::kStop));
  }
  EXPECT_TRUE(result) << result.error().to_string();
}

TEST_F(RealDrive, BackpressureHoldsTheSourceAndIsMeasured) {
  TestJob job(7, true, 6000);
  std::atomic<bool> open{false};
  job.table.prepared = [&](Epoch) { return open.load(); };
  dataflow::JobGraph graph = job.graph(7);
  std::get<dataflow::OperatorNode>(graph.nodes[1].kind).factory =
      testkit::factory_of<testkit::Probe>(testkit::Probe::Hooks{.rows = [&](const Batch&, dataflow::OperatorContext&) {
        while (!open) real_.env().threads->idle(kMillisecond);
        return ok();
      }, .watermark = nullptr, .barrier = nullptr});
  JobConfig c = config(job, 2);
  c.batch_rows = 7;
  auto runner = JobRunner::create(real_.env(), std::move(graph), c);
  ASSERT_TRUE(runner);
  const auto thread = real_.env().threads->start("gate", [&] {
    // Queues of two batches: a source that never waits would have read everything.
    std::size_t before = 1;
    std::size_t now = 0;
    while (before != now || now == 0) {
      before = now;
      real_.env().threads->idle(20 * kMillisecond);
      now = 0;
      for (auto& p : job.script.parts()) now += p.read;
    }
    EXPECT_LT(now, 1000U);
    open = true;
  });
  const auto result = (*runner)->run();
  ASSERT_TRUE(result);
  EXPECT_EQ(job.table.size(), 6000U - job.expected_dead());
}

}  // namespace
}  // namespace supyo::runtime
