#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "engine/runtime/job_runner.h"
#include "engine/runtime/test_job.h"

namespace supyo::runtime {
namespace {

using testkit::FakeTable;
using testkit::sorted;

/// How a run ended before its time.
enum class Death { kKilled, kPowerLost };

void die(env::SimEnv& sim, std::unique_ptr<JobRunner>& runner, Death death) {
  if (death == Death::kKilled) sim.files().kill_process();
  else sim.files().crash();
  runner.reset();
}

/// Runs for `steps` steps, dies, and then to the end at another parallelism. Returns false when it ended within the steps.
bool run_and_die(TestJob& job, env::SimEnv& sim, std::uint64_t seed, int steps, Death death) {
  JobConfig config = job.config(seed);
  config.parallelism = 1 + static_cast<std::uint32_t>(seed % 3);
  config.batch_rows = 2;
  auto runner = job.create(sim, config);
  EXPECT_TRUE(runner) << runner.error().to_string();
  bool more = true;
  for (int i = 0; i < steps && more; ++i) {
    const auto stepped = job.step(sim, **runner);
    EXPECT_TRUE(stepped) << stepped.error().to_string();
    more = stepped && *stepped;
  }
  if (more) die(sim, *runner, death);
  return more;
}

void expect_complete(TestJob& job, env::SimEnv& sim, std::uint64_t seed, const std::string& when) {
  JobConfig config = job.config(seed + 100);
  config.parallelism = 1 + static_cast<std::uint32_t>((seed + 1) % 4);
  const auto result = job.run(sim, config);
  ASSERT_TRUE(result) << when << ": " << result.error().to_string();
  EXPECT_EQ(result->state, JobState::kFinished);
  EXPECT_EQ(sorted(job.table.rows()), job.expected()) << when;
  EXPECT_EQ(sorted(job.late.rows()), job.expected_late()) << when;
  EXPECT_EQ(job.dead.size(), job.expected_dead()) << when;
}

TEST(Crash, KilledOrPowerLostAtEveryStepGivesEachRowOnce) {
  for (const Death death : {Death::kKilled, Death::kPowerLost}) {
    bool died = true;
    int step = 1;
    for (; died && step < 400; step += 1 + step / 40) {
      TestJob job(21, true, 60);
      ASSERT_FALSE(job.expected_late().empty());
      ASSERT_GT(job.expected_dead(), 0U);
      env::SimEnv sim(static_cast<std::uint64_t>(step));
      died = run_and_die(job, sim, static_cast<std::uint64_t>(step), step, death);
      expect_complete(job, sim, static_cast<std::uint64_t>(step), fmt::format("step {}", step));
      if (HasFailure()) return;
    }
    EXPECT_GT(step, 20);
    EXPECT_FALSE(died);
  }
}

TEST(Crash, PowerLostAtEveryFileOperationGivesEachRowOnce) {
  bool reached = true;
  std::uint64_t n = 1;
  for (; reached && n < 2000; ++n) {
    TestJob job(22, true, 45);
    env::SimEnv sim(n);
    JobConfig config = job.config(n);
    config.restart.kind = RestartStrategy::Kind::kNone;
    sim.files().set_fault_hook(env::fail_nth(n, env::SimFault::kPowerOff));
    const auto result = job.run(sim, config);
    reached = !result;
    sim.files().set_fault_hook(nullptr);
    sim.files().crash();
    expect_complete(job, sim, n, fmt::format("operation {}", n));
    if (HasFailure()) return;
  }
  EXPECT_GT(n, 30U);
  EXPECT_FALSE(reached);
}

TEST(Crash, FailedOperationAtAnyPointEndsOrRestartsTheJobAndLosesNothing) {
  for (const env::SimFault fault : {env::SimFault::kIo, env::SimFault::kDiskFull}) {
    std::uint64_t hit = 0;
    for (std::uint64_t n = 1; n < 250; n += 1 + n / 50) {
      TestJob job(23, true, 45);
      env::SimEnv sim(n);
      sim.files().set_fault_hook(env::fail_nth(n, fault));
      const auto result = job.run(sim, job.config(n));
      sim.files().set_fault_hook(nullptr);
      if (!result || result->restarts > 0) ++hit;
      expect_complete(job, sim, n, fmt::format("operation {}", n));
      if (HasFailure()) return;
    }
    EXPECT_GT(hit, 5U);
  }
}

/// Many deaths in a row, slow and unclear commits, failing sources, other parallelisms.
void campaign(std::uint64_t seed, std::uint64_t* trace) {
  TestJob job(seed, true, 150);
  env::SimEnv sim(seed);
  env::Random& random = sim.random();
  const std::uint64_t calm = random.below(4) == 0 ? 0 : 1;
  job.table.on_commit = [&](Epoch, TimeUs) {
    const auto draw = calm == 0 ? 99 : random.below(20);
    return draw == 0   ? FakeTable::Answer::kFail
           : draw == 1 ? FakeTable::Answer::kCommitButSayNothing
           : draw < 5  ? FakeTable::Answer::kNotYet
           : draw < 6  ? FakeTable::Answer::kUnknown
                       : FakeTable::Answer::kCommit;
  };
  job.late.prepared = [&](Epoch) { return calm == 0 || random.below(3) != 0; };
  for (std::uint64_t life = 0; life < 12; ++life) {
    JobConfig config = job.config(hash_combine(seed, life));
    config.parallelism = 1 + static_cast<std::uint32_t>(random.below(4));
    config.batch_rows = 1 + random.below(20);
    if (calm != 0 && random.below(3) == 0) sim.files().set_fault_hook(env::fail_nth(1 + random.below(300), random.below(2) == 0 ? env::SimFault::kIo : env::SimFault::kDiskFull));
    if (random.below(4) == 0) job.script.failures_to_come = static_cast<int>(random.below(3));
    auto runner = job.create(sim, config);
    for (std::uint64_t steps = random.below(120); runner && steps > 0; --steps) {
      const auto more = job.step(sim, **runner);
      if (!more || !*more) break;
    }
    if (runner) {
      if (trace != nullptr) *trace = hash_combine(*trace, (*runner)->trace_hash());
      die(sim, *runner, random.below(2) == 0 ? Death::kKilled : Death::kPowerLost);
    }
    sim.files().set_fault_hook(nullptr);
  }
  job.script.failures_to_come = 0;
  job.table.on_commit = nullptr;
  job.late.prepared = nullptr;
  expect_complete(job, sim, seed, fmt::format("seed {}", seed));
  if (trace != nullptr) *trace = hash_combine(*trace, sim.files().trace_hash());
}

TEST(Crash, CampaignOfSeedsConverges) {
  for (std::uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) campaign(seed, nullptr);
}

TEST(Crash, SeedOfTheCampaignHasOneTrace) {
  for (std::uint64_t seed = 1000; seed < 1005; ++seed) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    campaign(seed, &first);
    campaign(seed, &second);
    EXPECT_EQ(first, second) << "seed " << seed;
  }
}

TEST(Crash, PlantedSinkThatForgetsItsEpochsIsFound) {
  std::size_t found = 0;
  for (int step = 5; step < 60; ++step) {
    TestJob job(24, true, 60);
    job.table.forgets_epochs = true;
    env::SimEnv sim(static_cast<std::uint64_t>(step));
    run_and_die(job, sim, static_cast<std::uint64_t>(step), step, Death::kKilled);
    ASSERT_TRUE(job.run(sim, job.config(1)));
    found += sorted(job.table.rows()) != job.expected() ? 1U : 0U;
  }
  EXPECT_GT(found, 0U);
}

}  // namespace
}  // namespace supyo::runtime
