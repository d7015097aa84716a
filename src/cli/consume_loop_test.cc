#include "cli/consume_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"

namespace supyo::cli {
namespace {

using connect::GroupEvent;
using connect::GroupRecord;
using Kind = GroupEvent::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A group that is one member, over a topic that the test writes. What survives the member is here.
struct FakeTopic {
  std::map<std::int32_t, std::vector<std::string>> records;
  std::map<std::int32_t, std::int64_t> log_start, committed;
  std::vector<std::int64_t> commits;   ///< of partition 0, in order
};

class FakeMember final : public connect::GroupConsumer {
 public:
  explicit FakeMember(FakeTopic& topic, connect::GroupReset reset = connect::GroupReset::kEarliest, bool auto_commit = false) : topic_(topic), reset_(reset), auto_commit_(auto_commit) {}
  Result<std::optional<GroupRecord>> poll(DurationUs) override {
    ++polls;
    if (!joined_) {
      joined_ = true;
      GroupEvent assigned{.kind = Kind::kAssigned};
      for (const auto& [p, r] : topic_.records) {
        assigned.partitions.push_back(p);
        position_[p] = topic_.committed.contains(p) ? topic_.committed[p] : topic_.log_start[p];
      }
      events_.push_back(assigned);
      return std::nullopt;
    }
    for (auto& [p, at] : position_) {
      if (at < topic_.log_start[p]) {
        const bool stops = reset_ == connect::GroupReset::kError;
        const std::int64_t to = stops ? -1 : reset_ == connect::GroupReset::kLatest ? static_cast<std::int64_t>(topic_.records[p].size()) : topic_.log_start[p];
        events_.push_back({.kind = Kind::kPositionGone, .partitions = {p}, .from = at, .to = to});
        if (stops) return fail(ErrorCode::kOffsetOutOfRange, "gone");
        at = to;
      }
      while (at < static_cast<std::int64_t>(topic_.records[p].size()) && topic_.records[p][static_cast<std::size_t>(at)].empty()) ++at;   // never a record for us
      if (at >= static_cast<std::int64_t>(topic_.records[p].size())) continue;
      value_ = topic_.records[p][static_cast<std::size_t>(at)];
      if (auto_commit_) topic_.committed[p] = at + 1;
      return GroupRecord{.partition = p, .offset = at++, .timestamp_us = 0, .key = std::nullopt, .value = value_};
    }
    return std::nullopt;
  }
  std::vector<GroupEvent> events() override { return std::exchange(events_, {}); }
  Status commit(std::int32_t partition, std::int64_t offset, bool wait) override {
    if (silent) return ok();
    if (!wait) events_.push_back({.kind = refuse_commits ? Kind::kCommitFailed : Kind::kCommitted, .partitions = {partition}, .to = offset});
    if (refuse_commits && !wait) return ok();
    if (refuse_commits) return fail(ErrorCode::kOutsideUnavailable, "a rebalance is under way");
    topic_.committed[partition] = offset;
    if (partition == 0) topic_.commits.push_back(offset);
    return ok();
  }
  std::int64_t fetch_position(std::int32_t partition) const override { return position_.contains(partition) ? position_.at(partition) : -1; }
  std::vector<std::pair<std::string, std::string>> settings() const override { return {}; }
  void rebalance() {
    events_.push_back({.kind = Kind::kRevoked, .partitions = {0}});
    joined_ = false;
  }
  bool refuse_commits = false;
  bool silent = false;   ///< a broker that is gone
  int polls = 0;

 private:
  FakeTopic& topic_;
  connect::GroupReset reset_;
  bool auto_commit_;
  bool joined_ = false;
  std::map<std::int32_t, std::int64_t> position_;
  std::vector<GroupEvent> events_;
  std::string value_;
};

/// Waiting moves the clock.
class SteppedThreads final : public env::Threads {
 public:
  explicit SteppedThreads(env::VirtualClock& clock) : clock_(clock) {}
  std::unique_ptr<env::Thread> start(std::string, std::function<void()>) override { return nullptr; }
  void idle(DurationUs us) override { clock_.advance_to(clock_.now_us() + us); }

 private:
  env::VirtualClock& clock_;
};

class ConsumeLoopTest : public testing::Test {
 protected:
  ConsumeLoopTest() : sim_(1), clock_(kSecond), threads_(clock_), env_{.clock = clock_, .files = sim_.files(), .random = sim_.env().random, .threads = &threads_} {
    for (int i = 0; i < 100; ++i) topic_.records[0].push_back("r" + std::to_string(i));
  }
  /// What the lines of the results are after a run that is stopped, cleanly or by a kill, after so many records were handled or in the middle of the next.
  struct Ran {
    ConsumeTotals totals;
    std::map<std::int32_t, ConsumedPartition> partitions;
    std::string error;
    std::vector<std::string> told;
  };
  Ran run(ConsumeOptions options, FakeMember& member, const std::function<bool(const ConsumeLoop&)>& stopped) {
    std::unique_ptr<ResultFile> out;
    Ran ran;
    if (!options.out.empty()) {
      auto opened = ResultFile::open(sim_.files(), options.out, options.commit == CommitOrder::kTxn, "g of t");
      if (!opened) return {.totals = {}, .partitions = {}, .error = opened.error().to_string(), .told = {}};
      out = std::move(*opened);
    }
    ConsumeLoop* self = nullptr;
    ConsumeLoop loop(env_, member, options,
                     {.stopped = [&] { return stopped(*self) || member.polls > 100'000; }, .tick = [] {}, .event = [&](const GroupEvent& e) { ran.told.push_back(std::to_string(static_cast<int>(e.kind))); }}, out.get());
    self = &loop;
    if (const Status done = loop.run(); !done) ran.error = done.error().to_string();
    ran.totals = loop.totals();
    ran.partitions = loop.partitions();
    return ran;
  }
  std::string results() { return sim_.files().read_all("out").value_or(""); }
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    std::istringstream in(results());
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  env::SimEnv sim_;
  env::VirtualClock clock_;
  SteppedThreads threads_;
  env::Env env_;
  FakeTopic topic_;
};

TEST_F(ConsumeLoopTest, HandlesAllInOrderAndCommitsWhatWasHandled) {
  FakeMember member(topic_);
  const Ran ran = run({.max = 60, .out = "out"}, member, [](const ConsumeLoop&) { return false; });
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.totals.handled, 60U);
  EXPECT_EQ(topic_.committed[0], 60);
  EXPECT_EQ(lines().size(), 60U);
  EXPECT_EQ(lines().back(), "r59");
  FakeMember next(topic_);
  EXPECT_EQ(run({.max = 40, .out = "out"}, next, [](const ConsumeLoop&) { return false; }).totals.again, 0U);
  EXPECT_EQ(lines().size(), 100U);
}

TEST_F(ConsumeLoopTest, TheIntervalSaysHowOftenItCommits) {
  FakeMember member(topic_);
  run({.sleep_us = 100 * kMillisecond, .max = 35}, member, [](const ConsumeLoop&) { return false; });
  EXPECT_THAT(topic_.commits, ElementsAre(10, 20, 30, 35));
}

TEST_F(ConsumeLoopTest, DeletedRecordsAreLostAndOtherMissingOffsetsAreGaps) {
  topic_.records[0][3] = topic_.records[0][4] = "";   // aborted, say
  FakeMember member(topic_);
  bool deleted = false;
  const Ran ran = run({.sleep_us = kMillisecond}, member, [&](const ConsumeLoop& loop) {
    if (loop.totals().handled == 8 && !deleted) {
      deleted = true;
      topic_.log_start[0] = 50;
    }
    return loop.totals().handled == 8 + 50;
  });
  EXPECT_EQ(ran.partitions.at(0).gaps, 2U);
  EXPECT_EQ(ran.partitions.at(0).lost, 40U);   // 10 was the next
  EXPECT_EQ(ran.totals.lost, 40U);
  EXPECT_EQ(ran.totals.resets, 1U);
  EXPECT_EQ(topic_.committed[0], 100);
}

TEST_F(ConsumeLoopTest, ResetErrorEndsItWithWhatWasHandledCommitted) {
  topic_.committed[0] = 5;
  topic_.log_start[0] = 20;
  FakeMember member(topic_, connect::GroupReset::kError);
  const Ran ran = run({}, member, [](const ConsumeLoop&) { return false; });
  EXPECT_THAT(ran.error, HasSubstr("OFFSET_OUT_OF_RANGE"));
  EXPECT_EQ(ran.totals.lost, 0U);
  EXPECT_EQ(topic_.committed[0], 5) << "the place of the loss is kept";
}

TEST_F(ConsumeLoopTest, AStopInTheMiddleOfARecordDoesNotCommitIt) {
  FakeMember member(topic_);
  int asked = 0;
  const Ran ran = run({.sleep_us = 10 * kSecond}, member, [&](const ConsumeLoop& loop) { return loop.totals().handled == 1 && ++asked > 20; });
  EXPECT_EQ(ran.totals.handled, 1U);
  EXPECT_EQ(topic_.committed[0], 1);
  EXPECT_LT(clock_.now_us(), 13 * kSecond) << "and does not wait for its end";
}

TEST_F(ConsumeLoopTest, BeforeCommitsAheadAndACleanEndTakesBackWhatWasNotHandled) {
  FakeMember member(topic_);
  std::int64_t ahead = 0;
  run({.commit = CommitOrder::kBefore, .batch = 30}, member, [&](const ConsumeLoop& loop) {
    if (loop.totals().handled == 7) ahead = topic_.committed[0];
    return loop.totals().handled == 7;
  });
  EXPECT_EQ(ahead, 30) << "a kill here would lose 23";
  EXPECT_EQ(topic_.committed[0], 7);
}

TEST_F(ConsumeLoopTest, JavaCommitsAtAPollWhatThePollsBeforeReturned) {
  FakeMember member(topic_);
  run({.commit = CommitOrder::kJava, .commit_interval_us = 0, .batch = 20, .max = 50}, member, [](const ConsumeLoop&) { return false; });
  EXPECT_THAT(topic_.commits, ElementsAre(20, 40, 50));
}

/// A kill is a member that goes without a clean end: the group has what was committed, the file what was written.
TEST_F(ConsumeLoopTest, WhatAKillCosts) {
  struct Case {
    CommitOrder commit;
    std::size_t batch;
    std::size_t lost, again;
  };
  for (const Case c : {Case{CommitOrder::kBefore, 10, 5, 0}, Case{CommitOrder::kAfter, 1, 0, 5}, Case{CommitOrder::kTxn, 10, 0, 0}, Case{CommitOrder::kAuto, 1, 1, 0}, Case{CommitOrder::kJava, 10, 0, 5}}) {
    SCOPED_TRACE(static_cast<int>(c.commit));
    topic_.committed.clear();
    (void)sim_.files().remove("out");
    (void)sim_.files().remove("out.position");
    FakeMember member(topic_, connect::GroupReset::kEarliest, c.commit == CommitOrder::kAuto);
    const ConsumeOptions options{.commit = c.commit, .sleep_us = 100 * kMillisecond, .commit_interval_us = kSecond, .batch = c.batch, .max = 100, .out = "out"};
    std::map<std::int32_t, std::int64_t> committed;
    std::string file, position;
    int slices = 0;
    run(options, member, [&](const ConsumeLoop& loop) {
      if (loop.totals().handled == 15 && ++slices == 2) {   // while the 16th is being handled
        committed = topic_.committed;
        file = results();
        position = sim_.files().read_all("out.position").value_or("");
      }
      return loop.totals().handled == 20;
    });
    topic_.committed = committed;
    auto back = *sim_.files().open("out", env::OpenMode::kReadWrite);
    ASSERT_TRUE(back->truncate(0) && back->write_at(0, file));
    if (!position.empty()) ASSERT_TRUE(sim_.files().write_atomically("out.position", position));
    FakeMember next(topic_);
    const int polls = 3000;
    run(options, next, [&](const ConsumeLoop&) { return next.polls > polls; });
    const auto all = lines();
    const std::set<std::string> different(all.begin(), all.end());
    EXPECT_EQ(100 - different.size(), c.lost);
    EXPECT_EQ(all.size() - different.size(), c.again);
  }
}

TEST_F(ConsumeLoopTest, AfterARebalanceItReadsOnFromWhatWasCommittedAndRepeats) {
  FakeMember member(topic_);
  bool done = false;
  const Ran ran = run({.sleep_us = 100 * kMillisecond, .max = 30}, member, [&](const ConsumeLoop& loop) {
    if (loop.totals().handled == 15 && !done) {
      done = true;
      member.rebalance();
    }
    return false;
  });
  EXPECT_EQ(ran.totals.handled, 30U);
  EXPECT_EQ(ran.totals.rebalances, 2U);
  EXPECT_EQ(ran.totals.gaps, 0U);
  EXPECT_EQ(topic_.committed[0], 25) << "10 were committed; five of the 30 came twice";
}

TEST_F(ConsumeLoopTest, ResultsWithTheirPositionSurviveARebalanceBetweenCommits) {
  FakeMember member(topic_);
  bool done = false;
  (void)run({.commit = CommitOrder::kTxn, .sleep_us = 100 * kMillisecond, .max = 30, .out = "out"}, member, [&](const ConsumeLoop& loop) {
    if (loop.totals().handled == 15 && !done) {
      done = true;
      member.rebalance();   // what was handled since the last commit comes again
    }
    return false;
  });
  FakeMember again(topic_);
  (void)run({.commit = CommitOrder::kTxn, .max = 40, .out = "out"}, again, [](const ConsumeLoop&) { return false; });
  ASSERT_EQ(lines().size(), 70U);
  for (std::size_t i = 0; i < 70; ++i) EXPECT_EQ(lines()[i], "r" + std::to_string(i));
}

TEST_F(ConsumeLoopTest, ARefusedCommitIsToldAndEndsNothing) {
  FakeMember member(topic_);
  member.refuse_commits = true;
  const Ran ran = run({.max = 10}, member, [](const ConsumeLoop&) { return false; });
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.totals.failed_commits, 1U);
  EXPECT_EQ(ran.totals.commits, 0U);
}

TEST_F(ConsumeLoopTest, ABrokerThatIsGoneKeepsNobodyFromEnding) {
  FakeMember member(topic_);
  member.silent = true;
  const Ran ran = run({.max = 10}, member, [](const ConsumeLoop&) { return false; });
  EXPECT_EQ(ran.totals.handled, 10U);
  EXPECT_EQ(ran.totals.commits, 0U);
  EXPECT_LT(member.polls, 100);
}

TEST_F(ConsumeLoopTest, AKillBeforeTheFirstCommitLeavesAFileThatGoesOn) {
  {
    auto file = *ResultFile::open(sim_.files(), "out", true, "g of t");
    ASSERT_TRUE(file->append("one"));
  }
  const auto file = ResultFile::open(sim_.files(), "out", true, "g of t");
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_EQ(results(), "");
  EXPECT_TRUE((*file)->positions().empty());
}

TEST_F(ConsumeLoopTest, ATornLineIsCutAndAPositionThatDoesNotFitIsRefused) {
  ASSERT_TRUE(sim_.files().write_atomically("out", "whole\ntor"));
  ASSERT_TRUE(ResultFile::open(sim_.files(), "out", false, "g of t"));
  EXPECT_EQ(results(), "whole\n");
  EXPECT_EQ(ResultFile::open(sim_.files(), "out", true, "g of t").error().code, ErrorCode::kBadOptionValue) << "records and no position";
  ASSERT_TRUE(sim_.files().write_atomically("out.position", "g of t\n6\n0 1\n"));
  {
    auto file = *ResultFile::open(sim_.files(), "out", true, "g of t");
    EXPECT_EQ(file->positions().at(0), 1);
    ASSERT_TRUE(file->append("more"));   // and a kill before it is committed
  }
  ASSERT_TRUE(ResultFile::open(sim_.files(), "out", true, "g of t"));
  EXPECT_EQ(results(), "whole\n");
  for (const char* bad : {"h of t\n6\n0 1\n", "g of t\n600\n", "g of t\n6\n0 x\n", "g of t\n", "", "g of t\n6\n0 1"}) {
    ASSERT_TRUE(sim_.files().write_atomically("out.position", bad));
    EXPECT_EQ(ResultFile::open(sim_.files(), "out", true, "g of t").error().code, ErrorCode::kBadOptionValue) << bad;
  }
}

}  // namespace
}  // namespace supyo::cli
