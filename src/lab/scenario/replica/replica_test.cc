#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "core/env/real/real_env.h"
#include "lab/scenario/intervals.h"
#include "lab/scenario/replica/replica_lab.h"
#include "lab/scenario/replica/replica_trial.h"

namespace supyo::scenario {
namespace {

using ::testing::HasSubstr;
using Kind = ReplicaStep::Kind;
using Who = ReplicaStep::Who;

/// Kafka's times, all ten times shorter, so that a thousand trials are quick.
ReplicaSettings quick_cluster() {
  ReplicaSettings s;
  s.lag_max_us = 3 * kSecond;
  s.session_us = 900 * kMillisecond;
  s.heartbeat_us = 200 * kMillisecond;
  s.boot_us = 300 * kMillisecond;
  return s;
}

/// Followers pause, the leader dies, and comes back later.
ReplicaPlan paused_plan(DurationUs pause, Acks acks, int min_isr) {
  ReplicaPlan p{.arm = "fault", .cluster = quick_cluster()};
  p.cluster.min_isr = min_isr;
  p.producer = {.acks = acks, .rate = 1000, .linger_us = 20 * kMillisecond, .delivery_timeout_us = 20 * kSecond};
  p.baseline_us = kSecond;
  p.fault_us = 1800 * kMillisecond;
  p.recovery_us = kSecond;
  p.steps = {{0, Kind::kStop, {Who::kFollowers}}, {pause, Kind::kKill, {Who::kLeader}}, {pause, Kind::kContinue, {Who::kFollowers}}, {pause + kSecond, Kind::kStart, {Who::kLeader}}};
  return p;
}

Arm trial(const ReplicaPlan& plan, int number) {
  auto a = run_model_trial(plan, number, {});
  EXPECT_TRUE(a) << a.error().to_string();
  return *a;
}

TEST(ReplicaModel, WithOneAckWhatTheFollowersHadNotFetchedIsLost) {
  for (int i = 0; i < 10; ++i) {
    const Arm a = trial(paused_plan(500 * kMillisecond, Acks::kLeader, 1), i);
    EXPECT_TRUE(a.drained);
    EXPECT_NEAR(a.counts.at("lost"), 500, 50) << i;
    EXPECT_EQ(a.counts.at("fault_seen"), 1);
    EXPECT_EQ(a.counts.at("acked") + a.counts.at("failed") + a.counts.at("unknown"), a.counts.at("sent"));
    EXPECT_EQ(a.counts.at("read_lost"), 0) << "a consumer reads what all in-sync replicas have, and a clean leader has it too";
  }
}

TEST(ReplicaModel, WithAllAcksAndTwoInSyncACleanElectionLosesNothing) {
  double unavailable = 0;
  for (int i = 0; i < 1000; ++i) {
    // The pause varies, so that the leader dies in every state of its followers.
    const Arm a = trial(paused_plan(i % 40 * 20 * kMillisecond, Acks::kAll, 2), i);
    ASSERT_TRUE(a.drained) << i;
    ASSERT_EQ(a.counts.at("lost"), 0) << i;
    ASSERT_EQ(a.counts.at("duplicates"), 0) << i;
    ASSERT_EQ(a.counts.at("read_lost"), 0) << i;
    unavailable += a.counts.at("outage");
  }
  EXPECT_GT(unavailable / 1000, 0.6) << "nobody acknowledges until the dead leader's session is over";
}

TEST(ReplicaModel, PlantedBugsAreFound) {
  const auto harm = [](ReplicaBug bug, const char* count, Acks acks) {
    double sum = 0;
    for (int i = 0; i < 5; ++i) {
      ReplicaPlan p = paused_plan(500 * kMillisecond, acks, acks == Acks::kAll ? 2 : 1);
      p.cluster.bug = bug;
      sum += trial(p, i).counts.at(count);
    }
    return sum;
  };
  EXPECT_GT(harm(ReplicaBug::kAcknowledgesEarly, "lost", Acks::kAll), 500);
  EXPECT_GT(harm(ReplicaBug::kWatermarkIgnoresIsr, "lost", Acks::kAll), 500);
  EXPECT_GT(harm(ReplicaBug::kWatermarkIgnoresIsr, "read_lost", Acks::kLeader), 500);
}

/// Looks into the cluster after every 10 ms of a plan's fault.
template <class Look>
void watch(ReplicaSettings settings, Acks acks, std::uint64_t seed, const std::function<void(ReplicaCluster&, TimeUs)>& act, Look look) {
  EventLoop loop;
  env::SeededRandom random(seed);
  ReplicaCluster cluster(loop, settings, random);
  ModelProducer producer(loop, cluster, {.acks = acks, .rate = 1000, .linger_us = 20 * kMillisecond, .delivery_timeout_us = 20 * kSecond, .request_timeout_us = 500 * kMillisecond});
  for (TimeUs t = 0; t <= 8 * kSecond; t += 10 * kMillisecond) {
    loop.run_until(t);
    act(cluster, t);
    look(cluster, producer, t);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

void pause_and_kill(ReplicaCluster& c, TimeUs t) {
  const auto at = [&](DurationUs d) { return t == d; };
  if (at(kSecond)) c.stop(1), c.stop(2);
  if (at(1400 * kMillisecond)) c.kill(0), c.resume(1), c.resume(2);
  if (at(4 * kSecond)) c.start(0);
}

TEST(ReplicaModel, TheHighWatermarkNeverPassesWhatTheInSyncReplicasHave) {
  for (const Acks acks : {Acks::kLeader, Acks::kAll}) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      ReplicaSettings s = quick_cluster();
      s.min_isr = 2;
      watch(s, acks, seed, pause_and_kill, [&](const ReplicaCluster& c, const ModelProducer&, TimeUs t) {
        const int l = c.leader();
        if (l < 0) return;
        int hold = 0;
        for (int b = 0; b < c.replicas(); ++b) hold += c.end(b) >= c.high_watermark(l) ? 1 : 0;
        ASSERT_GE(hold, 2) << "seed " << seed << " at " << t;
        for (const int b : c.isr()) ASSERT_GE(c.end(b), c.high_watermark(l)) << "seed " << seed << " broker " << b << " at " << t;
      });
    }
  }
}

/// Whether all logs are the same in the end.
bool logs_agree(ReplicaBug bug) {
  ReplicaSettings s = quick_cluster();
  s.bug = bug;
  bool agree = true;
  watch(s, Acks::kLeader, 7, pause_and_kill, [&](const ReplicaCluster& c, const ModelProducer&, TimeUs t) {
    if (t < 8 * kSecond) return;
    const auto same = [](const LogBatch& x, const LogBatch& y) { return x.base == y.base && x.first_id == y.first_id && x.epoch == y.epoch; };
    for (int b = 1; b < c.replicas(); ++b) {
      const std::size_t n = std::min(c.log(0).size(), c.log(b).size());
      agree = agree && n > 200 && std::equal(c.log(0).begin(), c.log(0).begin() + static_cast<std::ptrdiff_t>(n), c.log(b).begin(), same);
    }
  });
  return agree;
}

TEST(ReplicaModel, AReturningLeaderTruncatesWhatItsSuccessorDoesNotHave) {
  EXPECT_TRUE(logs_agree(ReplicaBug::kNone));
  EXPECT_FALSE(logs_agree(ReplicaBug::kKeepsDivergingTail));
}

TEST(ReplicaModel, BelowTheLeastInSyncOneAckWritesAreAcceptedAndNobodySeesThem) {
  ReplicaSettings s = quick_cluster();
  s.min_isr = 2;
  std::int64_t hw = -1, acked = 0, grown = 0;
  watch(s, Acks::kLeader, 1, [](ReplicaCluster& c, TimeUs t) { if (t == kSecond) c.stop(1), c.stop(2); },
        [&](const ReplicaCluster& c, const ModelProducer& p, TimeUs t) {
          if (t == 4 * kSecond) hw = c.high_watermark(0), acked = p.acked();
          if (t < 4 * kSecond) return;
          ASSERT_EQ(c.isr().size(), 1U);
          ASSERT_EQ(c.high_watermark(0), hw);
          grown = p.acked() - acked;
        });
  EXPECT_NEAR(static_cast<double>(grown), 4000, 50);
}

TEST(ReplicaModel, BelowTheLeastInSyncAllAcksWritesAreRefused) {
  ReplicaSettings s = quick_cluster();
  s.min_isr = 2;
  std::int64_t errors = 0, acked = 0, acked_after = 0;
  watch(s, Acks::kAll, 1, [](ReplicaCluster& c, TimeUs t) { if (t == kSecond) c.stop(1), c.stop(2); },
        [&](const ReplicaCluster&, const ModelProducer& p, TimeUs t) {
          if (t == 2 * kSecond) acked = p.acked();
          acked_after = p.acked() - acked;
          if (p.errors().contains("NOT_ENOUGH_REPLICAS")) errors = p.errors().at("NOT_ENOUGH_REPLICAS");
        });
  EXPECT_GT(errors, 10);
  EXPECT_EQ(acked_after, 0);
}

TEST(ReplicaModel, AStoppedFollowerStaysInSyncUntilItsSessionIsOver) {
  std::size_t before = 0, after = 0;
  watch(quick_cluster(), Acks::kLeader, 1, [](ReplicaCluster& c, TimeUs t) { if (t == kSecond) c.stop(1); }, [&](const ReplicaCluster& c, const ModelProducer&, TimeUs t) {
    if (t == 1600 * kMillisecond) before = c.isr().size();
    if (t == 2200 * kMillisecond) after = c.isr().size();
  });
  EXPECT_EQ(before, 3U);
  EXPECT_EQ(after, 2U);
}

/// One follower is behind; then leader and other follower die, and the stale one is back first.
void stale_first(ReplicaCluster& c, TimeUs t) {
  if (t == kSecond) c.stop(2);
  if (t == 3 * kSecond) c.kill(0), c.kill(1), c.resume(2);
  if (t == 6 * kSecond) c.start(0), c.start(1);
}

TEST(ReplicaModel, OnlyAnUncleanElectionLetsAStaleReplicaLead) {
  for (const bool elr : {false, true}) {
    for (const bool unclean : {false, true}) {
      ReplicaSettings s = quick_cluster();
      s.min_isr = 2;
      s.unclean = unclean;
      s.elr = elr;
      int led_at_5s = -2, elections = 0;
      watch(s, Acks::kAll, 3, stale_first, [&](const ReplicaCluster& c, const ModelProducer&, TimeUs t) {
        if (t == 5 * kSecond) led_at_5s = c.leader();
        elections = c.unclean_elections();
      });
      EXPECT_EQ(led_at_5s, unclean ? 2 : -1);
      EXPECT_EQ(elections, unclean ? 1 : 0);
    }
  }
}

TEST(ReplicaModel, AnIsolatedLeaderGoesOnAcknowledging) {
  ReplicaPlan p = paused_plan(0, Acks::kLeader, 1);
  p.steps = {{0, Kind::kCut, {Who::kLeader}}, {2 * kSecond, Kind::kHeal, {Who::kLeader}}};
  const Arm one = trial(p, 0);
  EXPECT_NEAR(one.counts.at("lost"), 2000, 200);
  p.producer.acks = Acks::kAll;
  p.cluster.min_isr = 2;
  const Arm all = trial(p, 0);
  EXPECT_EQ(all.counts.at("lost"), 0);
}

TEST(ReplicaModel, TheSameSeedGivesTheSameTrial) {
  const ReplicaPlan p = paused_plan(300 * kMillisecond, Acks::kAll, 2);
  const Arm a = trial(p, 1), b = trial(p, 1), c = trial(p, 2);
  EXPECT_EQ(a.timeline, b.timeline);
  EXPECT_EQ(a.column("end")->values.size(), b.column("end")->values.size());
  EXPECT_EQ(a.counts.at("outage"), b.counts.at("outage"));
  EXPECT_EQ(a.counts.at("truncated"), b.counts.at("truncated"));
  EXPECT_NE(a.counts.at("outage"), c.counts.at("outage"));
}

TEST(Intervals, AreThoseOfTheTables) {
  const std::vector<double> v{10, 12, 14};
  const MeanInterval m = mean_interval(v);
  EXPECT_NEAR(m.mean, 12, 1e-9);
  EXPECT_NEAR(m.high, 12 + 4.303 * 2 / std::sqrt(3), 0.01);
  EXPECT_TRUE(std::isinf(mean_interval(std::vector<double>{1}).high));
  EXPECT_NEAR(mean_interval(v, Confidence::k99).high, 12 + 9.925 * 2 / std::sqrt(3), 0.01);
  const std::vector<double> many(61, 1.0), apart = [&] { auto w = many; w[0] = 2; return w; }();
  EXPECT_NEAR((mean_interval(apart, Confidence::k99).high - mean_interval(apart).mean) / (mean_interval(apart).high - mean_interval(apart).mean), 2.660 / 2.000, 0.003);   // 60 degrees of freedom
  const MeanInterval of_ratios = ratio_interval(std::vector<double>{0.5, 1, 2}), turned = ratio_interval(std::vector<double>{2, 1, 0.5});
  EXPECT_NEAR(of_ratios.mean, 1, 1e-9);
  EXPECT_NEAR(std::log(of_ratios.high), 4.303 * std::log(2) / std::sqrt(3), 0.001);
  EXPECT_NEAR(of_ratios.high * turned.low, 1, 1e-9);
  EXPECT_TRUE(std::isnan(ratio_interval(std::vector<double>{1, 0}).mean));
  EXPECT_NEAR(share_interval(0, 20).high, 0.1684, 0.0005);   // 1 - 0.025^(1/20)
  EXPECT_EQ(share_interval(0, 20).low, 0);
  EXPECT_NEAR(share_interval(5, 10).low, 0.1871, 0.0005);
  EXPECT_NEAR(share_interval(5, 10).high, 0.8129, 0.0005);
  EXPECT_EQ(share_interval(10, 10).high, 1);
}

std::string repository_file(const std::string& path) {
  std::ifstream in(std::string(SUPYO_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class ReplicaLab : public ::testing::Test {
 protected:
  ReplicaScenario parsed(const std::string& more) {
    const std::string base = repository_file("scenarios/acked-loss.yaml");
    auto s = parse_replica_scenario("extends: acked-loss.yaml\n" + more, "small.yaml", &base);
    EXPECT_TRUE(s) << s.error().to_string();
    return *s;
  }
  /// The repository's lab with fewer trials and Kafka's times ten times shorter.
  ReplicaScenario small(const std::string& knobs = "", const std::string& more = "") {
    return parsed("knobs: {trials: 2, lag_max: 3s, session: 900ms, heartbeat: 200ms, pause: 200ms, long_pause: 500ms, behind: 500ms, away: 1500ms, stale_away: 1500ms, baseline_for: 2s, fault_for: 6s, frozen_for: 6s, "
                  "stale_for: 6s, recovery_for: 2s, request_timeout: 500ms" + knobs + "}\n" + more);
  }
  LabResult run(const ReplicaScenario& s) {
    auto r = run_replica_scenario(real_.env(), s, {});
    EXPECT_TRUE(r) << r.error().to_string();
    return *r;
  }
  std::string error_of(const std::string& more) {
    const std::string base = repository_file("scenarios/acked-loss.yaml");
    const auto s = parse_replica_scenario("extends: acked-loss.yaml\n" + more, "bad.yaml", &base);
    return s ? "" : s.error().to_string();
  }
  env::RealEnv real_;
};

TEST_F(ReplicaLab, ItsVerdictCanBeWorkedOutAgain) {
  const ReplicaScenario s = small();
  const LabResult r = run(s);
  EXPECT_EQ(r.verdict, Verdict::kConfirmed) << r.why;
  EXPECT_EQ(r.model, kModelNote);
  auto again = result_from_json(to_json(r));
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(to_json(*again), to_json(r));
  ASSERT_TRUE(evaluate_replica(s, *again));
  EXPECT_EQ(again->verdict, r.verdict) << again->why;
}

TEST_F(ReplicaLab, PlantedVariants) {
  EXPECT_EQ(run(small(", safe_acks: 1")).verdict, Verdict::kRefuted);
  const LabResult invalid = run(small("", "fault: none\n"));
  EXPECT_EQ(invalid.verdict, Verdict::kInvalid);
  EXPECT_THAT(invalid.why, HasSubstr("fault_seen_by_probe"));
}

TEST_F(ReplicaLab, CountsOfTheLossThatDoNotAgreeProveNothing) {
  const ReplicaScenario s = small();
  LabResult r = run(s);
  const auto count = [](Arm& a, double apart) { a.counts["lost_by_offset"] = a.counts["lost_on_disk"] = a.counts["lost_apart"] = a.counts["lost_apart_max"] = apart; };
  for (Arm* a : {&r.fault, &r.control}) count(*a, 0);
  for (Arm& a : r.arms) count(a, 0);
  ASSERT_TRUE(evaluate_replica(s, r));
  EXPECT_EQ(r.verdict, Verdict::kConfirmed) << r.why;
  count(r.arms.front(), 1);
  ASSERT_TRUE(evaluate_replica(s, r));
  EXPECT_EQ(r.verdict, Verdict::kInvalid);
  EXPECT_THAT(r.why, HasSubstr("ledger_balances"));
}

TEST_F(ReplicaLab, FewerTrialsThanClaimedAreNotEnough) { EXPECT_EQ(run(small(", safe_trials: 19")).verdict, Verdict::kRefuted); }

TEST_F(ReplicaLab, BadFilesAreRefusedWithTheirLine) {
  EXPECT_THAT(error_of("fault: never_heard_of\n"), HasSubstr("never_heard_of"));
  EXPECT_THAT(error_of("faults: {paused: [{at: 0s, stop: everybody}]}\n"), HasSubstr("everybody"));
  EXPECT_THAT(error_of("faults: {paused: [{at: 0s, stop: leader, kill: leader}]}\n"), HasSubstr("one thing"));
  EXPECT_THAT(error_of("cluster: {replicas: 3, min_isr: 4}\n"), HasSubstr("min_isr 4"));
  EXPECT_THAT(error_of("knobs: {acks: 7}\n"), HasSubstr("acks 7"));
  EXPECT_THAT(error_of("arms: {control: {colour: red}}\n"), HasSubstr("colour"));
  EXPECT_THAT(error_of("workload: {rate: 0rps}\n"), HasSubstr("rate"));
  EXPECT_THAT(error_of("phases: {fault: 10records}\n"), HasSubstr("must be in s"));
  EXPECT_THAT(error_of("cluster: [1, 2]\n"), HasSubstr("cluster"));
}

}  // namespace
}  // namespace supyo::scenario
