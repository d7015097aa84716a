// The machine dies at every file operation of every short life of a journal, and its disk keeps every combination of what was not synced.
#include <gtest/gtest.h>

#include <cstdlib>

#include "data/state/journal_model.h"

namespace supyo::state {
namespace {

using namespace testing_journal;

enum class Op : std::uint8_t { kAppend, kAppendAndRoll, kSync, kSnapshot, kPublish, kEndSnapshot, kReopen };
constexpr Op kOps[] = {Op::kAppend, Op::kAppendAndRoll, Op::kSync, Op::kSnapshot, Op::kPublish, Op::kEndSnapshot, Op::kReopen};
constexpr const char* kNames[] = {"append", "append+roll", "sync", "snapshot", "publish", "end", "reopen"};

constexpr JournalOptions kOptions{.segment_bytes = 2 * env::SimFiles::kPage, .snapshot_after_bytes = 1 << 20};

/// False when `op` would do nothing now: a sequence with it is covered by the one without.
bool does_something(const Job& job, Op op) {
  switch (op) {
    case Op::kAppend:
    case Op::kAppendAndRoll:
    case Op::kReopen: return true;
    case Op::kSync: return job.journal->last_final() < job.journal->last_appended();
    case Op::kSnapshot: return !job.builder && job.journal->last_final().value > job.journal->recovered().snapshot.value;
    case Op::kPublish: return job.builder && !job.builder->done();
    case Op::kEndSnapshot: return job.builder != nullptr;
  }
  return false;
}

Status run(Job& job, Op op) {
  switch (op) {
    case Op::kAppend: return job.append(3, 40);
    case Op::kAppendAndRoll: return job.append(4, 5000);
    case Op::kSync: return job.sync();
    case Op::kSnapshot: return job.snapshot(false);
    case Op::kPublish: return job.snapshot(true);
    case Op::kEndSnapshot: return job.end_snapshot();
    case Op::kReopen: {
      SUPYO_TRY(job.open());
      // What a restart found counts as final: it acts on it.
      job.acknowledged = job.appended = job.journal->recovered().last.value;
      return ok();
    }
  }
  return ok();
}

/// A life before the sequence: none, or one with two snapshots and a recycled segment full of old records.
void live(Job& job, bool long_life) {
  ASSERT_TRUE(job.env.files.create_directories(Job::kDir));
  ASSERT_TRUE(job.env.files.sync_directory("."));
  ASSERT_TRUE(job.env.files.sync_directory(env::parent_path(Job::kDir)));
  ASSERT_TRUE(job.open());
  if (!long_life) return;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(job.append(6, 500));
      ASSERT_TRUE(job.sync());
    }
    ASSERT_TRUE(job.snapshot(true));
    ASSERT_TRUE(job.end_snapshot());
  }
}

struct Machine {
  explicit Machine(std::uint64_t seed, bool long_life) : sim(seed), job{.env = sim.env(), .options = kOptions} { live(job, long_life); }
  env::SimEnv sim;
  Job job;
};

std::string describe(const std::vector<Op>& ops, std::uint64_t at, bool long_life) {
  std::string out = long_life ? "long life:" : "fresh:";
  for (const Op op : ops) out += std::string(" ") + kNames[static_cast<std::size_t>(op)];
  return out + ", power off at operation " + std::to_string(at) + " of the last (0 = behind it)";
}

/// Runs `ops`; the power goes at file operation `at` of the last one (0 = behind it). False when the sequence holds a step that does nothing.
bool run_until_power_off(Machine& m, const std::vector<Op>& ops, std::uint64_t at, std::uint64_t* last_operations) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!does_something(m.job, ops[i])) return false;
    const bool last = i + 1 == ops.size();
    if (last && at > 0) m.sim.files().set_fault_hook(env::fail_nth(at, env::SimFault::kPowerOff));
    const std::uint64_t before = m.sim.files().operations();
    const Status done = run(m.job, ops[i]);
    if (last && at == 0) *last_operations = m.sim.files().operations() - before;
    if (!last || at == 0) EXPECT_TRUE(done) << done.error().to_string();
  }
  m.sim.files().set_fault_hook(nullptr);
  return true;
}

/// All crash points of the last step of `ops` (those of the steps before belong to shorter sequences). Returns how many crashes were tried.
std::uint64_t check_sequence(const std::vector<Op>& ops, bool long_life) {
  std::uint64_t last_operations = 0;
  std::uint64_t crashes = 0;
  for (std::uint64_t at = 0; at <= last_operations; ++at) {
    env::ExhaustiveChoices all;
    do {
      Machine m(1, long_life);
      if (!run_until_power_off(m, ops, at, &last_operations)) return 0;
      m.sim.files().crash(&all);
      ++crashes;
      m.job.check_recovery();
      // And life goes on: nothing that the crash left behind comes up again later.
      if (!testing::Test::HasFailure()) {
        EXPECT_TRUE(m.job.append(3, 40));
        EXPECT_TRUE(m.job.sync());
        m.sim.files().crash();
        m.job.check_recovery();
      }
      if (testing::Test::HasFailure()) {
        ADD_FAILURE() << describe(ops, at, long_life);
        return crashes;
      }
    } while (all.next_round());
  }
  return crashes;
}

std::uint64_t check_all_up_to(std::size_t length, bool long_life) {
  std::uint64_t crashes = 0;
  std::vector<std::vector<Op>> sequences = {{}};
  for (std::size_t n = 1; n <= length; ++n) {
    std::vector<std::vector<Op>> longer;
    for (const auto& prefix : sequences) {
      for (const Op op : kOps) {
        std::vector<Op> ops = prefix;
        ops.push_back(op);
        const std::uint64_t tried = check_sequence(ops, long_life);
        if (testing::Test::HasFailure()) return crashes;
        if (tried > 0) longer.push_back(std::move(ops));
        crashes += tried;
      }
    }
    sequences = std::move(longer);
  }
  return crashes;
}

/// `make test-long` says how long the sequences are; the sample of `make test` stays within seconds.
std::size_t sequence_length(std::size_t otherwise) {
  const char* wanted = std::getenv("SUPYO_CRASH_SEQUENCE");
  return wanted == nullptr ? otherwise : static_cast<std::size_t>(std::atoi(wanted));
}

TEST(JournalCrash, EveryCrashPointOfAFreshJournal) {
  const std::uint64_t crashes = check_all_up_to(sequence_length(3), false);
  RecordProperty("crashes", std::to_string(crashes));
  EXPECT_GT(crashes, 500U);
}

TEST(JournalCrash, EveryCrashPointAfterALongLife) {
  const std::uint64_t crashes = check_all_up_to(sequence_length(2), true);
  RecordProperty("crashes", std::to_string(crashes));
  EXPECT_GT(crashes, 100U);
}

/// Fails the nth file operation for n = 1, 2, ... until the whole life succeeds; after each failure the process starts again.
void fail_every_operation(env::SimFault fault, bool power_loss_too) {
  for (std::uint64_t n = 1;; ++n) {
    env::SimEnv sim(n);
    Job job{.env = sim.env(), .options = kOptions};
    ASSERT_TRUE(sim.files().create_directories(Job::kDir));
    ASSERT_TRUE(sim.files().sync_directory("."));
    ASSERT_TRUE(sim.files().sync_directory("state"));
    const auto whole_life = [&]() -> Status {
      SUPYO_TRY(job.open());
      for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 3; ++i) {
          SUPYO_TRY(job.append(4, 700));
          SUPYO_TRY(job.sync());
        }
        SUPYO_TRY(job.snapshot(true));
        SUPYO_TRY(job.end_snapshot());
      }
      return ok();
    };
    sim.files().set_fault_hook(env::fail_nth(n, fault));
    const Status lived = whole_life();
    const bool failed = !lived;
    if (failed) EXPECT_GE(static_cast<int>(lived.error().code), 6000) << lived.error().to_string();
    sim.files().set_fault_hook(nullptr);
    job.builder.reset();
    job.journal.reset();
    if (power_loss_too) sim.files().crash();
    else sim.files().kill_process();
    ASSERT_NO_FATAL_FAILURE(job.check_recovery()) << "operation " << n;
    const Status again = [&]() -> Status {
      SUPYO_TRY(job.append(4, 700));
      SUPYO_TRY(job.sync());
      SUPYO_TRY(job.snapshot(true));
      return job.end_snapshot();
    }();
    ASSERT_TRUE(again) << "operation " << n << ": " << again.error().to_string();
    ASSERT_NO_FATAL_FAILURE(job.check_recovery()) << "operation " << n;
    if (!failed) {
      EXPECT_GT(n, 80U);
      return;
    }
  }
}

TEST(JournalFaults, EveryFailedOperationThenARestart) { fail_every_operation(env::SimFault::kIo, false); }
TEST(JournalFaults, EveryFailedOperationThenAPowerLoss) { fail_every_operation(env::SimFault::kIo, true); }
TEST(JournalFaults, EveryFullDisk) { fail_every_operation(env::SimFault::kDiskFull, false); }
TEST(JournalFaults, EveryPowerLoss) { fail_every_operation(env::SimFault::kPowerOff, true); }

/// Random lives with random faults and crashes.
TEST(JournalCampaign, RandomLives) {
  const char* wanted = std::getenv("SUPYO_JOURNAL_SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 60 : std::strtoull(wanted, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    env::SimEnv sim(seed);
    Job job{.env = sim.env(), .options = {.segment_bytes = 4096U << sim.random().below(3), .snapshot_after_bytes = 4000, .snapshot_after_segments = 6}};
    ASSERT_TRUE(sim.files().create_directories(Job::kDir));
    ASSERT_TRUE(sim.files().sync_directory("."));
    ASSERT_TRUE(sim.files().sync_directory("state"));
    ASSERT_NO_FATAL_FAILURE(job.check_recovery());
    const std::uint64_t one_in = 20 + sim.random().below(500);
    for (int step = 0; step < 300; ++step) {
      Status s = ok();
      if (sim.random().below(one_in) == 0) {
        const auto fault = static_cast<env::SimFault>(sim.random().below(3));
        sim.files().set_fault_hook(env::fail_nth(1 + sim.random().below(6), fault));
      }
      switch (sim.random().below(8)) {
        case 0: s = job.snapshot(false); break;
        case 1: s = job.snapshot(true); if (s) s = job.end_snapshot(); break;
        case 2:
        case 3:
        case 4: s = job.append(1 + sim.random().below(10), sim.random().below(8) == 0 ? 4000 : 60); break;
        default: s = job.sync();
      }
      const bool die = !s || sim.random().below(one_in) == 0;
      if (!die) continue;
      sim.files().set_fault_hook(nullptr);
      job.builder.reset();
      job.journal.reset();
      if (sim.random().below(3) == 0) sim.files().kill_process();
      else sim.files().crash();
      ASSERT_NO_FATAL_FAILURE(job.check_recovery()) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace supyo::state
