#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <ranges>

#include "core/env/real/real_env.h"
#include "lab/scenario/group/cause_runs.h"
#include "lab/scenario/group/fit_lab.h"

namespace supyo::scenario {
namespace {

using ::testing::HasSubstr;

std::string scenario_file(const std::string& name) { return std::string(SUPYO_SOURCE_DIR) + "/scenarios/" + name + ".yaml"; }

class FitVerdict : public ::testing::Test {
 protected:
  FitVerdict() {
    auto s = load_fit_scenario(real_.env().files, scenario_file("parallelism-fit"));
    EXPECT_TRUE(s) << s.error().to_string();
    s_ = *s;
  }
  /// A run as the hypothesis has it.
  LabResult run_of() {
    LabResult r;
    r.versions["supyo"] = "test";
    r.kind = "trials";
    r.config["x"] = "y";
    for (Arm* a : {&r.fault, &r.control}) {
      a->name = a == &r.fault ? "fault" : "control";
      a->counts = {{"sent", 100}, {"acked", 100}, {"failed", 0}, {"unknown", 0}};
      a->drained = true;
    }
    r.fault.counts["join_misses"] = 1478;
    r.fault.counts["pinned_misses"] = 0;
    for (const double m : {1, 2, 3, 4, 5, 6}) r.trials.push_back({"fault", "sweep", 0, {{"members", m}, {"throughput", 100 * std::min(m, 4.0)}, {"idle", std::max(0.0, m - 4)}}});
    for (int i = 0; i < 60; ++i) {
      const auto label = static_cast<std::size_t>(i) % s_.labels.size();
      const auto index = static_cast<double>(label);
      r.trials.push_back({"causes", s_.labels[label], 1, {{"run", i}, {"label", index}, {"named", index}, {"offered", 1.001}, {"grew", s_.labels[label] == kHealthy ? 0.01 : 0.4}}});
    }
    return r;
  }
  /// So many of the causes' trials say something else.
  Verdict with(int wrong, const char* value, double v) {
    LabResult r = run_of();
    for (Trial& t : r.trials)
      if (t.arm == "causes" && wrong-- > 0) t.values[value] = v;
    return judge(r);
  }
  Verdict judge(LabResult& r) {
    const Status done = evaluate_fit(s_, r);
    EXPECT_TRUE(done) << done.error().to_string();
    why_ = r.why;
    return r.verdict;
  }
  env::RealEnv real_;
  FitScenario s_;
  std::string why_;
};

TEST_F(FitVerdict, ThreeOfSixtyMayBeWrong) {
  EXPECT_EQ(with(0, "named", 0), Verdict::kConfirmed) << why_;
  EXPECT_EQ(with(3, "named", -1), Verdict::kConfirmed) << why_;
  EXPECT_EQ(with(4, "named", -1), Verdict::kRefuted);
  LabResult r = run_of();
  ASSERT_TRUE(evaluate_fit(s_, r));
  EXPECT_EQ(r.measure("right_external_call")->value, 12);
  EXPECT_EQ(r.measure("knee")->value, 4);
  LabResult again = *result_from_json(to_json(r));
  const Status done = evaluate_fit(s_, again);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(to_json(again), to_json(r));
}

TEST_F(FitVerdict, TheOtherPartsBite) {
  LabResult r = run_of();
  r.fault.counts["pinned_misses"] = 1;
  EXPECT_EQ(judge(r), Verdict::kRefuted);
  r = run_of();
  r.fault.counts["join_misses"] = 0;
  EXPECT_EQ(judge(r), Verdict::kRefuted);
  r = run_of();
  r.trials[5].values["idle"] = 1;
  EXPECT_EQ(judge(r), Verdict::kRefuted);
  r = run_of();
  for (Trial& t : r.trials)
    if (t.group == "sweep") t.values["throughput"] = 100 * t.values["members"];   // it goes on growing
  EXPECT_EQ(judge(r), Verdict::kRefuted);
}

TEST_F(FitVerdict, EachGuardBites) {
  EXPECT_EQ(with(1, "offered", 0.95), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G1"));
  EXPECT_EQ(with(60, "grew", 0.01), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("there is no trouble"));
  EXPECT_EQ(with(60, "grew", 0.3), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("said to be healthy"));
  LabResult r = run_of();
  r.control.counts["acked"] = 99;
  EXPECT_EQ(judge(r), Verdict::kInvalid);
  EXPECT_THAT(why_, HasSubstr("G3"));
  r = run_of();
  r.fault.drained = false;
  EXPECT_EQ(judge(r), Verdict::kInvalid);
}

TEST_F(FitVerdict, LabelsComeInEqualNumbersAndTheSeedDrawsThem) {
  const auto one = *draw_causes(s_), again = *draw_causes(s_);
  ASSERT_EQ(one.size(), 60U);
  std::map<std::size_t, int> count;
  for (std::size_t i = 0; i < one.size(); ++i) {
    ++count[one[i].label];
    EXPECT_EQ(one[i].label, again[i].label);
    EXPECT_EQ(one[i].handler_us, again[i].handler_us);
    EXPECT_EQ(one[i].compute, s_.labels[one[i].label] == "processing-bottleneck");
    EXPECT_EQ(one[i].hot > 0, s_.labels[one[i].label] == "partition-skew");
  }
  for (const auto& [label, n] : count) EXPECT_EQ(n, 12) << s_.labels[label];
  s_.seed = 2;
  const auto other = *draw_causes(s_);
  EXPECT_TRUE(std::ranges::any_of(std::views::iota(0U, 60U), [&](unsigned i) { return one[i].label != other[i].label; }));
}

TEST(NamedCauses, TheFirstFindingUnlessItIsInformation) {
  const auto named = named_causes(R"({"groups":[{"name":"a","findings":[{"cause":"external-call","severity":"ticket"},{"cause":"idle-members","severity":"info"}]},{"name":"b","findings":[]},
    {"name":"c","findings":[{"cause":"idle-members","severity":"info"}]},{"name":"d","findings":[{"cause":"not-enough-data","severity":"info"}]}]})");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->at("a"), "external-call");
  EXPECT_EQ(named->at("b"), "healthy");
  EXPECT_EQ(named->at("c"), "healthy");
  EXPECT_EQ(named->at("d"), "not-enough-data");   // not known is not good
  for (const char* bad : {"", "[]", "{\"groups\":3}"}) EXPECT_FALSE(named_causes(bad)) << bad;
}

TEST(NamedCauses, InformationThatIsALabelIsNamed) {
  constexpr std::string_view said = R"({"groups":[{"name":"a","findings":[{"cause":"too-many-partitions","severity":"info"}]}]})";
  EXPECT_EQ(named_causes(said)->at("a"), "healthy");
  EXPECT_EQ(named_causes(said, {"healthy", "too-many-partitions"})->at("a"), "too-many-partitions");
}

TEST_F(FitVerdict, TroublesThatAreNoLagHaveGuardsOfTheirOwn) {
  auto s = load_fit_scenario(real_.env().files, scenario_file("group-troubles"));
  ASSERT_TRUE(s) << s.error().to_string();
  s_ = *s;
  for (const CauseSpec& c : *draw_causes(s_)) {
    EXPECT_EQ(c.trouble == CauseSpec::Trouble::kHang, s_.labels[c.label] == "stuck");
    EXPECT_EQ(c.partitions >= 100, s_.labels[c.label] == "too-many-partitions");
  }
  const auto of = [&](std::string_view label, const char* value, double v) {
    LabResult r = run_of();
    for (Trial& t : r.trials) {
      if (t.arm != "causes") continue;
      t.values["changes"] = 9;
      t.values["each"] = 0.4;
      if (t.group == label) t.values[value] = v;
    }
    return judge(r);
  };
  EXPECT_EQ(of("stuck", "changes", 0), Verdict::kConfirmed) << why_;
  EXPECT_EQ(of("rebalance-churn", "grew", 0), Verdict::kConfirmed) << why_;
  for (const auto& [label, value, v] : {std::tuple{"rebalance-churn", "changes", 1.0}, {"oversized-group", "changes", 3.0}, {"too-many-partitions", "each", 1.5}, {"stuck", "grew", 0.0}, {"no-consumers", "grew", 0.0}}) {
    EXPECT_EQ(of(label, value, v), Verdict::kInvalid) << label;
    EXPECT_THAT(why_, HasSubstr("G2"));
  }
}

TEST(FitFiles, LoadAndSayWhatIsWrong) {
  env::RealEnv real;
  for (const char* name : {"parallelism-fit", "parallelism-fit-refuted", "parallelism-fit-invalid", "group-troubles", "group-troubles-refuted", "group-troubles-invalid"}) {
    EXPECT_EQ(scenario_kind(real.env().files, scenario_file(name)), "fit");
    EXPECT_TRUE(load_fit_scenario(real.env().files, scenario_file(name))) << name;
  }
  const std::string base = *real.env().files.read_all(scenario_file("parallelism-fit"));
  const auto wrong = [&](const std::string& text) {
    const auto s = parse_fit_scenario(text, "x.yaml", &base);
    EXPECT_FALSE(s) << text;
    return s ? std::string() : s.error().to_string();
  };
  EXPECT_THAT(wrong("join: {keys: 10, table: crc32, stream: fnv}"), HasSubstr("no partitioner 'fnv'"));
  EXPECT_THAT(wrong("causes: {runs: 3, at_once: 1, watch: 1s, labels: [tired]}"), HasSubstr("no trouble 'tired'"));
  EXPECT_THAT(wrong("causes: {runs: 3, at_once: 0, watch: 1s, labels: [healthy]}"), HasSubstr("one run at a time"));
  EXPECT_THAT(wrong("sweep: {partitions: 4, members: [0], handler: 5ms, window: 1s}"), HasSubstr("a number from 1 to 64"));
}

}  // namespace
}  // namespace supyo::scenario
