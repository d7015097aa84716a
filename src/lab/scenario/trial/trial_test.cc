#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/trial/commit_journal.h"
#include "lab/scenario/trial/commit_lab.h"
#include "lab/scenario/trial/commit_worker.h"
#include "lab/scenario/trial/publish_lab.h"
#include "lab/scenario/trial/topic_reader.h"

namespace supyo::scenario {
namespace {

using ::testing::HasSubstr;

Life life(const std::string& journal) {
  Life l;
  EXPECT_TRUE(l.read(journal));
  return l;
}

TEST(CommitJournal, ALineWithoutAnEndDoesNotCount) {
  env::SimEnv sim(1);
  ASSERT_TRUE(sim.files().create_directories("d"));
  auto journal = CommitJournal::create(sim.files(), "d/j");
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->taken(2));
  ASSERT_TRUE(journal->applied(7));
  ASSERT_TRUE(journal->committed(8));
  EXPECT_EQ(*sim.files().read_all("d/j"), "T 2\nA 7\nC 8\n");
  EXPECT_FALSE(CommitJournal::create(sim.files(), "d/j"));
  Life l;
  ASSERT_TRUE(l.read("T 2\nA 7\nA 1"));
  EXPECT_THAT(l.applied, testing::ElementsAre(7U));
  ASSERT_TRUE(l.read("2\nC 13\n"));
  EXPECT_THAT(l.applied, testing::ElementsAre(7U, 12U));
  EXPECT_EQ(l.committed, 13U);
  EXPECT_EQ(l.taken, 2U);
  for (const char* bad : {"X 1\n", "A\n", "A x\n", "A 1x\n"}) EXPECT_EQ(Life().read(bad).error().code, ErrorCode::kMalformedRecord) << bad;
}

TEST(CommitJournal, WhatWasCommittedAndNotAppliedIsLost) {
  const auto ends = count_ends({life("T 4\nC 4\nA 0\nA 1\n"), life("T 1\nA 4\n")}, std::vector<bool>(5, true));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].lost, 2U);
  EXPECT_EQ(ends[0].in_flight, 2U);
  EXPECT_EQ(ends[0].repeated, 0U);
}

TEST(CommitJournal, WhatWasAppliedAndNotCommittedIsRepeated) {
  const auto ends = count_ends({life("T 4\nA 0\nC 1\nA 1\nA 2\n"), life("T 3\nA 1\nA 2\nA 3\n")}, std::vector<bool>(4, true));
  EXPECT_EQ(ends[0].lost, 0U);
  EXPECT_EQ(ends[0].repeated, 2U);
  EXPECT_EQ(ends[0].uncommitted, 2U);
}

TEST(CommitJournal, AShortLifeLeavesWhatTheOneBeforeItLeft) {
  const auto ends = count_ends({life("A 0\nC 1\nA 1\nA 2\nA 3\n"), life("A 1\n"), life("A 1\nA 2\nA 3\n")}, std::vector<bool>(4, true));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].repeated, 1U);
  EXPECT_EQ(ends[1].repeated, 3U);
  EXPECT_EQ(ends[1].uncommitted, 3U);   // not only what it applied itself
}

TEST(CommitJournal, OnlyAcknowledgedRecordsCanBeLostAndEachBelongsToTheEndBeforeTheGap) {
  std::vector<bool> acked(9, true);
  acked[1] = false;   // 1 was never in the topic
  const auto ends = count_ends({life("A 0\n"), life("A 3\nA 4\n"), life("A 7\nA 8\n")}, acked);
  EXPECT_EQ(ends[0].lost, 1U);   // 2
  EXPECT_EQ(ends[1].lost, 2U);   // 5, 6
}

TEST(OrderCheck, CountsRepeatedOnesAndInversions) {
  OrderCheck c;
  for (const std::uint64_t id : {0U, 1U, 3U, 2U, 3U, 4U, 0U, 5U}) c.add(id);
  EXPECT_EQ(c.records, 8U);
  EXPECT_EQ(c.repeated, 2U);     // 3, 0
  EXPECT_EQ(c.inversions, 1U);   // 2
  EXPECT_TRUE(c.has(5));
  EXPECT_FALSE(c.has(6));
}

TEST(NumberedValue, HasItsIdAndItsSize) {
  EXPECT_EQ(numbered_value(17, 20).size(), 20U);
  EXPECT_EQ(*id_of_value(numbered_value(17, 20)), 17U);
  EXPECT_EQ(*id_of_value(numbered_value(123456, 1)), 123456U);
  std::uint64_t life = 9;
  EXPECT_EQ(*id_of_value("12 3", &life), 12U);
  EXPECT_EQ(life, 3U);
  EXPECT_FALSE(id_of_value("x"));
  EXPECT_FALSE(id_of_value("12", &life));
}

std::string scenario_file(const std::string& name) { return std::string(SUPYO_SOURCE_DIR) + "/scenarios/" + name + ".yaml"; }

class TrialVerdict : public ::testing::Test {
 protected:
  CommitScenario commit(const std::string& name = "commit-order") {
    auto s = load_commit_scenario(real_.env().files, scenario_file(name));
    EXPECT_TRUE(s) << s.error().to_string();
    return *s;
  }
  /// A run as the hypothesis has it.
  static LabResult run_of(const CommitScenario& s) {
    LabResult r;
    describe_declared(s, r);
    r.versions["supyo"] = "test";
    r.phases = {{"undisturbed", 0, 3, false}, {"kills", 3, 9, true}, {"to the end", 9, 10, false}};
    const auto kills = static_cast<int>(*s.value(s.kills, kNumber));
    for (Arm* a : {&r.fault, &r.control}) {
      a->name = a == &r.fault ? "fault" : "control";
      a->drained = true;
      a->counts = {{"sent", 10000}, {"acked", 10000}, {"failed", 0}, {"unknown", 0}};
      a->columns.push_back({"offered", "records", {}});
      for (int i = 0; i <= 40; ++i) {
        a->t_s.push_back(i * 0.25);
        a->columns[0].values.push_back(i * 250);
      }
      for (const CommitGroup& g : s.groups)
        for (int i = 0; i < (a == &r.fault ? kills : 2); ++i) {
          Trial t{a->name, g.name, 3.5, {{"life", i}, {"killed", s.clean ? 0 : 1}, {"lost", 0}, {"repeated", 0}, {"in_flight", 100}, {"uncommitted", 50}}};
          if (a == &r.fault && (g.order == CommitOrder::kBefore || g.order == CommitOrder::kAuto)) t.values["lost"] = 40;
          if (a == &r.fault && (g.order == CommitOrder::kAfter || g.order == CommitOrder::kJava)) t.values["repeated"] = 50;
          r.trials.push_back(std::move(t));
        }
    }
    return r;
  }
  static Verdict judge(const CommitScenario& s, LabResult& r) {
    const Status done = evaluate_commit(s, r);
    EXPECT_TRUE(done) << done.error().to_string();
    return r.verdict;
  }
  env::RealEnv real_;
};

TEST_F(TrialVerdict, TheHypothesisAsItIsIsConfirmed) {
  const CommitScenario s = commit();
  LabResult r = run_of(s);
  EXPECT_EQ(judge(s, r), Verdict::kConfirmed) << r.why;
  const double kills = *s.value(s.kills, kNumber);
  EXPECT_EQ(r.measure("lost_before")->value, kills * 40);
  EXPECT_EQ(r.measure("loss_share_auto")->value, 1);
  EXPECT_NEAR(r.measure("loss_share_low_auto")->value, kills / (kills + 3.8415), 1e-3);   // of n of n
  EXPECT_EQ(r.measure("loss_share_high_transaction")->unit, "share");
  LabResult again = *result_from_json(to_json(r));
  EXPECT_EQ(to_json(again), to_json(r));
  EXPECT_EQ(judge(s, again), Verdict::kConfirmed);
}

TEST_F(TrialVerdict, EachPartOfTheFormulaBites) {
  const CommitScenario s = commit();
  const auto with = [&](const std::string& group, const char* value, double v) {
    LabResult r = run_of(s);
    for (Trial& t : r.trials)
      if (t.arm == "fault" && t.group == group) {
        t.values[value] = v;
        break;
      }
    return judge(s, r);
  };
  EXPECT_EQ(with("before", "repeated", 1), Verdict::kRefuted);
  EXPECT_EQ(with("before", "lost", 101), Verdict::kRefuted);   // more than was in flight
  EXPECT_EQ(with("after", "lost", 1), Verdict::kRefuted);
  EXPECT_EQ(with("after", "repeated", 51), Verdict::kRefuted);   // more than was not committed
  EXPECT_EQ(with("transaction", "lost", 1), Verdict::kRefuted);
  EXPECT_EQ(with("transaction", "repeated", 1), Verdict::kRefuted);
  EXPECT_EQ(with("java", "lost", 1), Verdict::kRefuted);
  EXPECT_EQ(with("auto", "lost", 0), Verdict::kConfirmed);   // the others of its kills still lose
  LabResult r = run_of(s);
  for (Trial& t : r.trials)
    if (t.group == "auto") t.values["lost"] = 0;
  EXPECT_EQ(judge(s, r), Verdict::kRefuted);
}

TEST_F(TrialVerdict, EachGuardBites) {
  const CommitScenario s = commit();
  const auto with = [&](const std::function<void(LabResult&)>& spoil) {
    LabResult r = run_of(s);
    spoil(r);
    EXPECT_EQ(judge(s, r), Verdict::kInvalid);
    return r.why;
  };
  EXPECT_THAT(with([](LabResult& r) { r.trials[3].values["killed"] = 0; }), HasSubstr("G2"));
  EXPECT_THAT(with([](LabResult& r) { for (double& v : r.fault.columns[0].values) v *= 1.03; }), HasSubstr("G1"));
  EXPECT_THAT(with([](LabResult& r) { r.fault.counts["acked"] -= 1; }), HasSubstr("G3"));
  EXPECT_THAT(with([](LabResult& r) { r.trials.back().values["repeated"] = 1; }), HasSubstr("G4"));
  EXPECT_THAT(with([](LabResult& r) { r.versions.clear(); }), HasSubstr("G5"));
  EXPECT_THAT(with([](LabResult& r) { r.fault.drained = false; }), HasSubstr("G6"));
}

TEST_F(TrialVerdict, AFileThatEndsItsConsumersInPeaceProvesNothing) {
  const CommitScenario s = commit("commit-order-invalid");
  EXPECT_TRUE(s.clean);
  LabResult r = run_of(s);
  EXPECT_EQ(judge(s, r), Verdict::kInvalid);
}

/// A run of the publish lab as its formulas have it.
class PublishVerdict : public ::testing::Test {
 protected:
  PublishVerdict() {
    auto s = load_publish_scenario(real_.env().files, scenario_file("publish-failure"));
    EXPECT_TRUE(s) << s.error().to_string();
    s_ = *s;
  }
  LabResult run_of() {
    LabResult r;
    describe_declared(s_, r);
    r.versions["supyo"] = "test";
    r.phases = {{"undisturbed", 0, 3, false}, {"fault", 3, 8, true}, {"after", 8, 9, false}};
    for (const PublishArm& spec : s_.arms) {
      Arm a;
      a.name = spec.name;
      a.drained = true;
      a.counts = {{"sent", 9000}, {"acked", 9000}, {"failed", 0}, {"unknown", 0}, {"refused", 0}, {"expired", 0}, {"repeated", 0}, {"inversions", 0}, {"missing", 0}, {"phantom", 0}, {"kept", 0},
                  {"queue_max", 10}, {"ack_max_s", 0.1}, {"timeout_s", *s_.value(spec.timeout, kSeconds)}, {"fault_s", 5}};
      if (!spec.stop.empty()) a.counts.insert({{"stopped_s", *s_.value(spec.stop, kSeconds)}, {"stood", 1}});
      if (!spec.resets.empty()) a.counts["resets"] = 24;
      if (spec.name == "fault") a.counts["failed"] = a.counts["expired"] = 3000, a.counts["acked"] = 6000;
      if (spec.name == "full") a.counts["failed"] = a.counts["refused"] = 2500, a.counts["acked"] = 6500;
      if (spec.name == "plain") a.counts["repeated"] = 30;
      a.columns.push_back({"offered", "records", {}});
      for (int i = 1; i <= 90; ++i) {
        a.t_s.push_back(i * 0.1);
        a.columns[0].values.push_back(i * 100);
      }
      (spec.name == "fault" ? r.fault : spec.name == "control" ? r.control : r.arms.emplace_back()) = std::move(a);
    }
    return r;
  }
  Arm& arm(LabResult& r, std::string_view name) {
    for (Arm& a : r.arms) if (a.name == name) return a;
    return name == "fault" ? r.fault : r.control;
  }
  Verdict with(std::string_view name, const char* count, double value) {
    LabResult r = run_of();
    arm(r, name).counts[count] = value;
    const Status done = evaluate_publish(s_, r);
    EXPECT_TRUE(done) << done.error().to_string();
    why_ = r.why;
    return r.verdict;
  }
  env::RealEnv real_;
  PublishScenario s_;
  std::string why_;
};

TEST_F(PublishVerdict, TheHypothesisAsItIsIsConfirmed) {
  EXPECT_EQ(with("short", "repeated", 0), Verdict::kConfirmed) << why_;
}

TEST_F(PublishVerdict, EachPartOfTheFormulaBites) {
  EXPECT_EQ(with("fault", "expired", 2300), Verdict::kRefuted);
  EXPECT_EQ(with("fault", "expired", 3700), Verdict::kRefuted);
  EXPECT_EQ(with("full", "refused", 1900), Verdict::kRefuted);
  EXPECT_EQ(with("resets", "repeated", 1), Verdict::kRefuted);
  EXPECT_EQ(with("resets", "inversions", 1), Verdict::kRefuted);
  EXPECT_EQ(with("plain", "repeated", 0), Verdict::kRefuted);
  EXPECT_EQ(with("short", "missing", 1), Verdict::kRefuted);
  EXPECT_EQ(with("fault", "phantom", 1), Verdict::kRefuted);
}

TEST_F(PublishVerdict, EachGuardBites) {
  EXPECT_EQ(with("short", "stood", 0), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("short: the system showed the broker not standing"));
  EXPECT_EQ(with("fault", "stopped_s", 6), Verdict::kInvalid);
  EXPECT_EQ(with("resets", "resets", 3), Verdict::kInvalid);
  EXPECT_EQ(with("short", "acked", 8999), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G3"));
  EXPECT_EQ(with("control", "repeated", 1), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G4"));
}

TEST(TrialFiles, EveryFileOfTheRepositoryLoadsAndSaysWhatItIs) {
  env::RealEnv real;
  env::Files& files = real.env().files;
  for (const char* name : {"commit-order", "commit-order-refuted", "commit-order-invalid"}) {
    EXPECT_EQ(scenario_kind(files, scenario_file(name)), "commit");
    EXPECT_TRUE(load_commit_scenario(files, scenario_file(name))) << name;
  }
  for (const char* name : {"publish-failure", "publish-failure-refuted", "publish-failure-invalid"}) {
    EXPECT_EQ(scenario_kind(files, scenario_file(name)), "publish");
    EXPECT_TRUE(load_publish_scenario(files, scenario_file(name))) << name;
  }
}

TEST(TrialFiles, SayWhatIsWrongAndWhere) {
  env::RealEnv real;
  const std::string commit = *real.env().files.read_all(scenario_file("commit-order")), publish = *real.env().files.read_all(scenario_file("publish-failure"));
  const auto wrong = [&](const std::string& text) {
    const auto s = parse_commit_scenario(text, "x.yaml", &commit);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong("consumers: [{name: a, commit: sometimes}]"), HasSubstr("before, after, transaction, auto or java"));
  EXPECT_THAT(wrong("consumers: [{name: a, commit: auto}, {name: a, commit: auto}]"), HasSubstr("two consumers 'a'"));
  EXPECT_THAT(wrong("fault: {kills: 5, after: 1s, signal: hup}"), HasSubstr("kill or terminate"));
  EXPECT_THAT(wrong("handle: {rate: 5s, batch: 1records, interval: 1s}"), HasSubstr("it must be in records/s"));
  EXPECT_THAT(wrong("oops: 1"), HasSubstr("unknown field 'oops'"));
  const auto wrong_publish = [&](const std::string& text) {
    const auto s = parse_publish_scenario(text, "x.yaml", &publish);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong_publish("arms: [{name: fault, stop: 1s}]"), HasSubstr("an arm 'control'"));
  EXPECT_THAT(wrong_publish("arms: [{name: fault, stop: 1s, resets: 3}, {name: control}]"), HasSubstr("one fault"));
  EXPECT_THAT(wrong_publish("arms: [{name: fault, idempotence: perhaps}, {name: control}]"), HasSubstr("x.yaml"));
}

}  // namespace
}  // namespace supyo::scenario
