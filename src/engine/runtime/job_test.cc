#include <gtest/gtest.h>

#include <set>

#include "core/env/sim/sim_env.h"
#include "engine/runtime/job_runner.h"
#include "engine/runtime/test_job.h"

namespace supyo::runtime {
namespace {

using testkit::FakeTable;
using testkit::sorted;

class ParallelJob : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(ParallelJob, GivesTheSameRowsAtAnyParallelism) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    TestJob job(seed);
    env::SimEnv sim(seed);
    JobConfig config = job.config(seed);
    config.parallelism = GetParam();
    const auto result = job.run(sim, config);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->state, JobState::kFinished);
    EXPECT_EQ(sorted(job.table.rows()), job.expected()) << "seed " << seed;
    EXPECT_EQ(sorted(job.late.rows()), job.expected_late()) << "seed " << seed;
    EXPECT_EQ(job.dead.size(), job.expected_dead()) << "seed " << seed;
  }
}
INSTANTIATE_TEST_SUITE_P(Shards, ParallelJob, ::testing::Values(1U, 2U, 3U, 4U));

TEST(Job, FinishedJobDoesNothingWhenRunAgain) {
  TestJob job(1);
  env::SimEnv sim(1);
  ASSERT_TRUE(job.run(sim, job.config(1)));
  const auto rows = job.table.rows();
  const auto again = job.run(sim, job.config(1));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->was_finished);
  EXPECT_EQ(again->state, JobState::kFinished);
  EXPECT_EQ(job.table.rows(), rows);
}

TEST(Job, SameSeedSameTrace) {
  std::set<std::uint64_t> traces;
  for (const std::uint64_t seed : {1ULL, 1ULL, 2ULL}) {
    TestJob job(7);
    env::SimEnv sim(7);
    JobConfig config = job.config(7);
    config.parallelism = 3;
    config.seed = seed;
    std::uint64_t trace = 0;
    ASSERT_TRUE(job.run(sim, config, &trace));
    traces.insert(hash_combine(trace, sim.files().trace_hash()));
  }
  EXPECT_EQ(traces.size(), 2U);
}

TEST(Job, StopKeepsRowsThatWaitAndResumeGivesThem) {
  TestJob job(3);
  env::SimEnv sim(3);
  auto runner = job.create(sim, job.config(3));
  ASSERT_TRUE(runner) << runner.error().to_string();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(job.step(sim, **runner));
  (*runner)->stop();
  const auto stopped = (*runner)->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); });
  ASSERT_TRUE(stopped) << stopped.error().to_string();
  EXPECT_EQ(stopped->state, JobState::kStopped);
  EXPECT_LT(job.table.size(), job.expected().size());
  runner->reset();
  JobConfig config = job.config(3);
  config.parallelism = 4;
  const auto result = job.run(sim, config);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
  EXPECT_EQ(sorted(job.late.rows()), job.expected_late());
}

TEST(Job, DrainFiresEverythingThatWasRead) {
  TestJob job(4, /*bounded=*/false);
  env::SimEnv sim(4);
  auto runner = job.create(sim, job.config(4));
  ASSERT_TRUE(runner);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(job.step(sim, **runner));
  EXPECT_LT(job.table.size(), job.expected().size());  // the last rows wait for a watermark that does not come
  (*runner)->drain();
  const auto result = (*runner)->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); });
  ASSERT_TRUE(result);
  EXPECT_EQ(result->state, JobState::kFinished);
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST(Job, PlanThatDoesNotFitItsStateIsRefused) {
  TestJob job(5);
  env::SimEnv sim(5);
  ASSERT_TRUE(job.run(sim, job.config(5)));
  auto graph = job.graph(5);
  graph.fingerprint = "another";
  const auto runner = JobRunner::create(sim.env(), std::move(graph), job.config(5));
  ASSERT_FALSE(runner);
  EXPECT_EQ(runner.error().code, ErrorCode::kStateOfOtherJob);
}

TEST(Job, TwoRunnersOnOneStateDirectoryAreRefused) {
  TestJob job(5);
  env::SimEnv sim(5);
  const auto first = job.create(sim, job.config(5));
  ASSERT_TRUE(first);
  const auto second = job.create(sim, job.config(5));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kStateLocked);
}

TEST(Job, ParallelismOutsideItsBoundsIsRefused) {
  TestJob job(5);
  env::SimEnv sim(5);
  JobConfig config = job.config(5);
  config.parallelism = 0;
  EXPECT_EQ(job.create(sim, config).error().code, ErrorCode::kBadOptionValue);
}

TEST(Job, NothingHappeningWritesNothing) {
  TestJob job(6, /*bounded=*/false);
  env::SimEnv sim(6);
  auto runner = job.create(sim, job.config(6));
  ASSERT_TRUE(runner);
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(job.step(sim, **runner));
  const auto quiet = (*runner)->stats();
  const auto written = sim.files().bytes_written();
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(job.step(sim, **runner));
  EXPECT_EQ((*runner)->stats().epochs.last_final, quiet.epochs.last_final);
  EXPECT_EQ(sim.files().bytes_written(), written);
}

TEST(Job, RowBoundClosesAnEpochBeforeTheInterval) {
  TestJob job(8);
  env::SimEnv sim(8);
  JobConfig config = job.config(8);
  config.checkpoint_interval_us = kHour;
  config.epoch_rows = 50;
  ASSERT_TRUE(job.run(sim, config));
  EXPECT_GE(job.table.epochs().size(), 3U);
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST(Job, SlowPrepareHoldsTheEpochAndLosesNothing) {
  TestJob job(9);
  int polls = 0;
  job.table.prepared = [&](Epoch) { return ++polls % 7 == 0; };
  env::SimEnv sim(9);
  JobConfig config = job.config(9);
  config.parallelism = 2;
  ASSERT_TRUE(job.run(sim, config));
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST(Job, UnknownCommitOutcomeIsLookedAtAgainAndNeverAFailure) {
  TestJob job(10);
  int asked = 0;
  job.table.on_commit = [&](Epoch, TimeUs) {
    ++asked;
    return asked % 3 == 0 ? FakeTable::Answer::kCommitButSayNothing : FakeTable::Answer::kUnknown;
  };
  env::SimEnv sim(10);
  const auto result = job.run(sim, job.config(10));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->restarts, 0U);
  EXPECT_GT(asked, 3);
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST(Job, NextEpochWaitsUntilTheLastOneIsVisible) {
  TestJob job(11);
  constexpr DurationUs kDelay = 700 * kMillisecond;
  std::map<std::int64_t, TimeUs> first_asked;
  job.table.on_commit = [&](Epoch e, TimeUs now) {
    const auto [it, first] = first_asked.emplace(e.value, now);
    return now - it->second >= kDelay ? FakeTable::Answer::kCommit : FakeTable::Answer::kNotYet;
  };
  env::SimEnv sim(11);
  JobConfig config = job.config(11);
  config.checkpoint_interval_us = 100 * kMillisecond;
  job.trickle(sim);
  ASSERT_TRUE(job.run(sim, config));
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
  ASSERT_GE(first_asked.size(), 3U);
  TimeUs before = kTimeMin;
  for (const auto& [epoch, at] : first_asked) {
    if (before != kTimeMin) EXPECT_GE(at - before, kDelay) << "epoch " << epoch;
    before = at;
  }
}

TEST(Job, SinkFailureRestartsFromTheLastFinalEpochInTheProcess) {
  TestJob job(12);
  int asked = 0;
  job.table.on_commit = [&](Epoch, TimeUs) { return ++asked == 3 || asked == 5 ? FakeTable::Answer::kFail : FakeTable::Answer::kCommit; };
  env::SimEnv sim(12);
  const auto result = job.run(sim, job.config(12));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->restarts, 2U);
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
  EXPECT_EQ(sorted(job.late.rows()), job.expected_late());
}

TEST(Job, GivesUpAfterTheAttemptsAndKeepsTheCause) {
  TestJob job(13);
  job.table.on_commit = [](Epoch, TimeUs) { return FakeTable::Answer::kFail; };
  env::SimEnv sim(13);
  JobConfig config = job.config(13);
  config.restart = {.kind = RestartStrategy::Kind::kExponential, .attempts = 4, .delay_us = kSecond, .delay_max_us = 3 * kSecond};
  auto runner = job.create(sim, config);
  ASSERT_TRUE(runner);
  const TimeUs begin = sim.clock().now_us();
  const auto result = (*runner)->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutsideUnavailable);
  EXPECT_EQ((*runner)->stats().restarts, 4U);
  EXPECT_EQ((*runner)->stats().state, JobState::kFailed);
  EXPECT_GE(sim.clock().now_us() - begin, (1 + 2 + 3 + 3) * kSecond);
  EXPECT_LT(sim.clock().now_us() - begin, 12 * kSecond);
}

TEST(Job, WithoutAStateDirectoryTheFirstFailureEndsTheJob) {
  TestJob job(14);
  job.script.failures_to_come = 1;
  env::SimEnv sim(14);
  JobConfig config = job.config(14);
  config.state_dir.clear();
  const auto result = job.run(sim, config);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutsideUnavailable);
}

TEST(Job, WithoutAStateDirectoryRowsBecomeVisibleByEpoch) {
  TestJob job(15);
  env::SimEnv sim(15);
  JobConfig config = job.config(15);
  config.state_dir.clear();
  ASSERT_TRUE(job.run(sim, config));
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST(Job, SourcePositionsAreAcknowledgedOnlyOnceFinal) {
  TestJob job(16);
  env::SimEnv sim(16);
  auto runner = job.create(sim, job.config(16));
  ASSERT_TRUE(runner);
  for (;;) {
    const auto more = job.step(sim, **runner);
    ASSERT_TRUE(more);
    for (auto& p : job.script.parts())
      if ((*runner)->stats().epochs.last_final.value == 0) EXPECT_EQ(p.acknowledged, 0);
    if (!*more) break;
  }
}

TEST(Job, AStoreThatRefusesIsAskedAgainAsOftenAsIsTolerated) {
  // Six refusals in a row: floor(6 / (tolerable + 1)) restarts, and the same rows at the end.
  for (const auto& [tolerable, restarts] : {std::pair{0U, 6U}, {1U, 3U}, {2U, 2U}, {5U, 1U}, {6U, 0U}}) {
    TestJob job(31);
    env::SimEnv sim(31);
    job.trickle(sim);
    int asked = 0;
    FaultPoints faults;
    faults.arm([&](std::string_view point, TimeUs) { return FaultDecision{point == "checkpoint.store" ? 2 * kMillisecond : 0, point == "checkpoint.store" && ++asked > 2 && asked <= 8}; });
    JobConfig config = job.config(31);
    config.faults = &faults;
    config.tolerable_failed_checkpoints = tolerable;
    config.restart = {.kind = RestartStrategy::Kind::kFixedDelay, .attempts = 10, .delay_us = kMillisecond};
    const auto runner = job.create(sim, config).value();
    while (job.step(sim, *runner).value()) {}
    EXPECT_EQ(runner->stats().restarts, restarts) << tolerable;
    EXPECT_EQ(runner->stats().epochs.failed, 6U) << tolerable;
    EXPECT_EQ(sorted(job.table.rows()), job.expected()) << tolerable;
  }
}

TEST(Job, AFullDiskIsToleratedUntilThereIsRoom) {
  TestJob job(32);
  env::SimEnv sim(32);
  job.trickle(sim);
  int full = 0;
  sim.files().set_fault_hook([&](const env::FileOperation& f) -> std::optional<env::SimFault> {
    // Once the journal has a few epochs; only what it writes, and nothing of how it was born.
    if (f.path.find("journal") == std::string::npos || sim.clock().now_us() < env::SimEnv::kStart + 100 * kMillisecond || full >= 3) return std::nullopt;
    ++full;
    return env::SimFault::kDiskFull;
  });
  JobConfig config = job.config(32);
  config.tolerable_failed_checkpoints = 3;
  const auto runner = job.create(sim, config).value();
  while (job.step(sim, *runner).value()) {}
  EXPECT_EQ(full, 3);
  EXPECT_EQ(runner->stats().restarts, 0U);
  EXPECT_EQ(runner->stats().epochs.failed, 3U);
  EXPECT_EQ(sorted(job.table.rows()), job.expected());
}

TEST(Job, TellsHowItsEpochsWent) {
  TestJob job(12);
  int asked = 0;
  job.table.on_commit = [&](Epoch, TimeUs) { return ++asked == 3 ? FakeTable::Answer::kFail : FakeTable::Answer::kCommit; };
  env::SimEnv sim(12);
  const auto runner = job.create(sim, job.config(12)).value();
  while (job.step(sim, *runner).value()) {}
  const JobStats stats = runner->stats();
  const std::vector<EpochRecord> epochs = runner->epoch_records();
  ASSERT_EQ(stats.epochs.failed, 1U);
  ASSERT_EQ(epochs.size(), stats.epochs.completed + stats.epochs.failed);
  std::size_t failed = 0;
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    failed += epochs[i].failed ? 1U : 0U;
    if (i > 0) EXPECT_GE(epochs[i].at_us, epochs[i - 1].at_us);
    if (i > 0) EXPECT_GE(epochs[i].epoch, epochs[i - 1].epoch);
    if (!epochs[i].failed) EXPECT_GT(epochs[i].bytes, 0U);
  }
  EXPECT_EQ(failed, 1U);
  EXPECT_EQ(epochs.back().epoch, stats.epochs.last_visible);
}

TEST(Job, TellsItsShape) {
  TestJob job(3);
  env::SimEnv sim(3);
  for (const std::uint32_t shards : {1U, 2U}) {
    JobConfig config = job.config(3);
    config.parallelism = shards;
    config.state_dir = "state" + std::to_string(shards);
    const auto runner = job.create(sim, config).value();
    const JobShape shape = runner->shape();
    ASSERT_EQ(shape.nodes.size(), runner->stats().nodes.size());
    for (std::size_t i = 0; i < shape.nodes.size(); ++i) EXPECT_EQ(shape.nodes[i].id, runner->stats().nodes[i].id);
    const auto head = [&](std::string_view name) {
      for (const auto& n : shape.nodes)
        if (n.name == name) return n.head;
      ADD_FAILURE() << name;
      return 0U;
    };
    EXPECT_EQ(shape.nodes.front().kind, JobShape::Kind::kSource);
    // One shard: everything is one thread's calls. Two: rows change shards by their key before each keyed operator.
    EXPECT_EQ(head("sort") == shape.nodes.front().id, shards == 1);
    EXPECT_EQ(head("count") == head("sort"), shards == 1);
    for (const auto& n : shape.nodes)
      if (n.kind == JobShape::Kind::kSink) EXPECT_EQ(n.head, head("count"));
    for (const auto& e : shape.edges) EXPECT_TRUE(!e.keyed || e.direct == (shards == 1));
  }
}

}  // namespace
}  // namespace supyo::runtime
