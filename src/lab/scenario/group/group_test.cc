#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/group/group_lab.h"
#include "lab/scenario/group/member_journal.h"
#include "lab/scenario/trial/commit_worker.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

MemberStory story(const std::string& journal) {
  const auto s = read_member_story(journal);
  EXPECT_TRUE(s) << s.error().to_string();
  return s.value_or(MemberStory{});
}

TEST(MemberJournal, TellsWhatItWasTold) {
  env::SimEnv sim(1);
  ASSERT_TRUE(sim.files().create_directories("d"));
  auto journal = MemberJournal::create(sim.files(), "d/j");
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->assigned(10, {0, 2}));
  ASSERT_TRUE(journal->done(20, 2, 5, 105));
  ASSERT_TRUE(journal->committed(2, 6));
  ASSERT_TRUE(journal->slow(21, 2, 6));
  ASSERT_TRUE(journal->done(900, 2, 6, 106));
  ASSERT_TRUE(journal->refused(901, 2, 7));
  ASSERT_TRUE(journal->late(902, 469));
  ASSERT_TRUE(journal->revoked(903, {0, 2}));
  const MemberStory s = story(*sim.files().read_all("d/j") + "D 999 0 1");   // without its end
  EXPECT_THAT(s.handled, ElementsAre(105U, 106U));
  ASSERT_EQ(s.slow.size(), 1U);
  EXPECT_EQ(s.slow[0].last_poll, 21);
  EXPECT_EQ(s.slow[0].done, 900);
  EXPECT_EQ(s.uncommitted, 1U);
  EXPECT_EQ(s.refused, 1U);
  ASSERT_EQ(s.late.size(), 1U);
  EXPECT_EQ(s.late[0].by, 469 * kMillisecond);
  EXPECT_FALSE(MemberJournal::create(sim.files(), "d/j"));
  for (const char* bad : {"Q 1\n", "D 1 2 3\n", "C x 1\n", "+\n", "\n", "X 1\n"}) EXPECT_EQ(read_member_story(bad).error().code, ErrorCode::kMalformedRecord) << bad;
}

TEST(MemberJournal, ARefusedCommitIsMadeGoodWhileThePartitionStays) {
  EXPECT_EQ(story("+ 1 0\nD 2 0 0 0\nF 3 0 1\nD 4 0 1 1\nC 0 2\n").uncommitted, 0U);
  EXPECT_EQ(story("+ 1 0\nD 2 0 0 0\nF 3 0 1\n- 4 0\n+ 5 0\nD 6 0 0 0\nD 7 0 1 1\nC 0 2\n").uncommitted, 1U);
}

TEST(MemberJournal, CountsWhatWasHandledAgainAndWhatNever) {
  const HandledCount c = count_handled({story("D 1 0 0 0\nD 2 0 1 1\n"), story("D 3 0 1 1\nD 4 0 3 3\n")}, {true, true, true, true, false});
  EXPECT_EQ(c.distinct, 3U);
  EXPECT_EQ(c.repeated, 1U);
  EXPECT_EQ(c.lost, 1U);
}

TEST(MemberJournal, APartitionIsUnownedUntilSomebodyElseHasIt) {
  const std::vector<MemberStory> members{story("+ 1 0 1\nS 100 0 7\n- 990 0 1\n"), story("+ 1 2\n- 300 2\n+ 350 0 2\n+ 400 1\n")};
  EXPECT_THAT(unowned_times(members, 0, 100), ElementsAre(250, 300));
  EXPECT_EQ(longest_stall(members), 50);   // of the second, which nothing kept
  EXPECT_EQ(longest_stall({members[0]}), 0);
}

std::string scenario_file(const std::string& name) { return std::string(SUPYO_SOURCE_DIR) + "/scenarios/" + name + ".yaml"; }

class GroupVerdict : public ::testing::Test {
 protected:
  GroupVerdict() {
    auto s = load_group_scenario(real_.env().files, scenario_file("poll-eviction"));
    EXPECT_TRUE(s) << s.error().to_string();
    s_ = *s;
  }
  /// A run as the hypothesis has it.
  LabResult run_of() {
    LabResult r;
    describe_declared(s_, r);
    r.versions["supyo"] = "test";
    r.phases = {{"undisturbed", 0, 3, false}, {"fault", 3, 13, true}, {"after", 13, 20, false}};
    const double poll = *s_.value(s_.poll, kSeconds), session = *s_.value(s_.session, kSeconds), rate = *s_.value(s_.rate, kRate);
    for (const GroupArm& spec : s_.arms) {
      Arm a;
      a.name = spec.name;
      a.drained = true;
      a.counts = {{"sent", 2000}, {"acked", 2000}, {"failed", 0}, {"unknown", 0}, {"lost", 0}, {"repeated", 0}, {"uncommitted", 0}, {"refused", 0}, {"late", 0}, {"evictions", 0}, {"pingpong", 0}, {"pingpong_clients", 0},
                  {"stall_s", 0.1}, {"late_by_s", 0.2}, {"leave_low_s", poll + 0.2}, {"leave_high_s", poll + 0.26}, {"unowned", 2}, {"gap_s", poll + 0.5}, {"gap_sum_s", 2 * poll + 1}};
      if (!spec.slow.empty()) {
        const double times = *s_.value(spec.times, kNumber);
        for (const char* n : {"late", "evictions", "pingpong", "faulted"}) a.counts[n] = times;
        a.counts["fault_s"] = *s_.value(spec.slow, kSeconds);
        a.counts["repeated"] = a.counts["uncommitted"] = 17 * times;
      }
      if (!spec.stop.empty()) a.counts["faulted"] = a.counts["evictions"] = 1, a.counts["fault_s"] = session + 1, a.counts["leave_low_s"] = session - 0.1, a.counts["leave_high_s"] = session - 0.05;
      if (spec.is_static) a.counts["gap_s"] = poll + session + 0.2;
      a.columns.push_back({"offered", "records", {}});
      for (int i = 0; i <= 80; ++i) {
        a.t_s.push_back(i * 0.25);
        a.columns[0].values.push_back(i * 0.25 * rate);
      }
      (spec.name == "fault" ? r.fault : spec.name == "control" ? r.control : r.arms.emplace_back()) = std::move(a);
    }
    return r;
  }
  Verdict with(std::string_view name, const char* count, double value) {
    LabResult r = run_of();
    for (Arm* a : {&r.fault, &r.control, &r.arms[0], &r.arms[1], &r.arms[2], &r.arms[3]})
      if (a->name == name) a->counts[count] = value;
    const Status done = evaluate_group(s_, r);
    EXPECT_TRUE(done) << done.error().to_string();
    why_ = r.why;
    return r.verdict;
  }
  env::RealEnv real_;
  GroupScenario s_;
  std::string why_;
};

TEST_F(GroupVerdict, TheHypothesisAsItIsIsConfirmed) {
  EXPECT_EQ(with("control", "repeated", 0), Verdict::kConfirmed) << why_;
  LabResult r = run_of();
  ASSERT_TRUE(evaluate_group(s_, r));
  LabResult again = *result_from_json(to_json(r));
  ASSERT_TRUE(evaluate_group(s_, again));
  EXPECT_EQ(to_json(again), to_json(r));
}

TEST_F(GroupVerdict, EachPartOfTheFormulaBites) {
  const double poll = *s_.value(s_.poll, kSeconds);
  EXPECT_EQ(with("fault", "leave_high_s", poll - 0.1), Verdict::kRefuted);
  EXPECT_EQ(with("fault", "late_by_s", 0.6), Verdict::kRefuted);   // the client says something else than the broker
  EXPECT_EQ(with("fault", "pingpong", 2), Verdict::kRefuted);
  EXPECT_EQ(with("fault", "repeated", 16), Verdict::kRefuted);
  EXPECT_EQ(with("poison", "pingpong", 2), Verdict::kRefuted);
  EXPECT_EQ(with("poison", "uncommitted", 1), Verdict::kRefuted);
  EXPECT_EQ(with("cooperative", "lost", 1), Verdict::kRefuted);
  EXPECT_EQ(with("static", "gap_s", poll + 1), Verdict::kRefuted);
  EXPECT_EQ(with("stop", "late", 1), Verdict::kRefuted);
}

TEST_F(GroupVerdict, EachGuardBites) {
  EXPECT_EQ(with("fault", "fault_s", 2), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G2"));
  EXPECT_EQ(with("poison", "faulted", 3), Verdict::kInvalid);
  EXPECT_EQ(with("stop", "fault_s", *s_.value(s_.poll, kSeconds)), Verdict::kInvalid);   // it stands for so long that it leaves by itself, too
  EXPECT_THAT(why_, HasSubstr("its session is not all that ended"));
  EXPECT_EQ(with("stop", "leave_low_s", 3), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("nobody looked"));   // a machine that is too busy says nothing of times
  EXPECT_EQ(with("static", "acked", 1999), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G3"));
  EXPECT_EQ(with("control", "evictions", 1), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G4"));
}

TEST(GroupFiles, EveryFileOfTheRepositoryLoadsAndSaysWhatItIs) {
  env::RealEnv real;
  for (const char* name : {"poll-eviction", "poll-eviction-refuted", "poll-eviction-invalid"}) {
    EXPECT_EQ(scenario_kind(real.env().files, scenario_file(name)), "group");
    EXPECT_TRUE(load_group_scenario(real.env().files, scenario_file(name))) << name;
  }
}

TEST(GroupFiles, SayWhatIsWrongAndWhere) {
  env::RealEnv real;
  const std::string base = *real.env().files.read_all(scenario_file("poll-eviction"));
  const auto wrong = [&](const std::string& text) {
    const auto s = parse_group_scenario(text, "x.yaml", &base);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong("arms: [{name: fault, slow: 9s}]"), HasSubstr("an arm 'control'"));
  EXPECT_THAT(wrong("arms: [{name: fault, slow: 9s, stop: 3s}, {name: control}]"), HasSubstr("one fault"));
  EXPECT_THAT(wrong("arms: [{name: fault, assignor: fair}, {name: control}]"), HasSubstr("no assignor 'fair'"));
  EXPECT_THAT(wrong("arms: [{name: fault, slow: 9records}, {name: control}]"), HasSubstr("x.yaml"));
  EXPECT_THAT(wrong("group: {partitions: 3, members: 2, batch: 5s, handler: 1ms, poll: 7s, session: 6s}"), HasSubstr("it must be in records"));
  EXPECT_THAT(wrong("oops: 1"), HasSubstr("unknown field 'oops'"));
}

TEST(NumberedValue, ASlowRecordSaysSo) {
  EXPECT_EQ(numbered_value(17, 12, "slow"), "17 slow xxxx");
  EXPECT_EQ(*id_of_value(numbered_value(17, 3, "slow")), 17U);
}

}  // namespace
}  // namespace supyo::scenario
