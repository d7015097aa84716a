#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/env/real/real_env.h"
#include "lab/scenario/stream/detection_lab.h"

namespace supyo::scenario {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DetectionLab : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("supyo-detection-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  DetectionScenario load(const std::string& name, const char* runs) {
    auto s = load_detection_scenario(real_.env().files, fmt::format("{}/scenarios/{}.yaml", SUPYO_SOURCE_DIR, name));
    EXPECT_TRUE(s) << s.error().to_string();
    EXPECT_TRUE(set_knob(*s, fmt::format("runs={}", runs)));
    EXPECT_TRUE(set_knob(*s, "rate=12rps"));
    return *s;
  }
  /// The verdict that the file announces, and the same again from what its result.json holds.
  LabResult verdict_of(const DetectionScenario& s) {
    RunOptions options;
    options.root = SUPYO_SOURCE_DIR;
    options.directory = directory_.string();
    auto r = run_detection_scenario(real_.env(), s, options);
    EXPECT_TRUE(r) << r.error().to_string();
    EXPECT_EQ(verdict_name(r->verdict), verdict_name(s.expect)) << r->why;
    auto again = result_from_json(to_json(*r));
    EXPECT_TRUE(again) << again.error().to_string();
    EXPECT_TRUE(evaluate_detection(s, *again));
    EXPECT_EQ(again->verdict, r->verdict) << again->why;
    return *r;
  }
  static double value(const LabResult& r, std::string_view measure) { return r.measure(measure) == nullptr ? std::nan("") : r.measure(measure)->value; }

  env::RealEnv real_;
  std::filesystem::path directory_;
};

/// '#' is on.
std::vector<bool> seconds(std::string_view text) {
  std::vector<bool> out;
  for (const char c : text) out.push_back(c == '#');
  return out;
}

TEST(Comparison, EveryEpisodeIsToBeSaidInTimeAndNothingElse) {
  const auto of = [](std::string_view so, std::string_view said) { return compare(seconds(so), seconds(said), 2); };
  const Comparison in_time = of("...####....", "....######.");
  EXPECT_EQ(in_time.episodes, 1);
  EXPECT_EQ(in_time.missed + in_time.unsaid + in_time.false_calls, 0);
  EXPECT_THAT(in_time.delays, ElementsAre(1));
  const Comparison late = of("...######...", "......####..");
  EXPECT_EQ(late.missed, 1);
  EXPECT_EQ(late.unsaid + late.false_calls, 0);
  EXPECT_THAT(late.delays, ElementsAre(3));
  const Comparison early = of("....####....", "..#.........");
  EXPECT_EQ(early.missed + early.false_calls, 0);
  EXPECT_THAT(early.delays, ElementsAre(-2));
  const Comparison too_early = of(".....####...", "..#.........");
  EXPECT_EQ(too_early.missed, 1);
  EXPECT_EQ(too_early.unsaid, 1);
  EXPECT_EQ(too_early.false_calls, 1);
  const Comparison nothing = of("............", "..#...##....");
  EXPECT_EQ(nothing.episodes, 0);
  EXPECT_EQ(nothing.false_calls, 2);
  // Breaks of a minute are part of an episode; the next one has to be said anew.
  const std::string gap(60, '.'), end(61, '.');
  EXPECT_EQ(of("#" + gap + "#", "#" + gap + ".").episodes, 2);
  EXPECT_EQ(of("#" + gap.substr(1) + "#", "#" + gap.substr(1) + ".").episodes, 1);
  EXPECT_EQ(of("#" + end + "#", "#" + end + ".").missed, 1);
}

TEST_F(DetectionLab, WhatIsWrongInAFileIsSaid) {
  const std::string file = fmt::format("{}/scenarios/detection.yaml", SUPYO_SOURCE_DIR);
  std::string text = *real_.env().files.read_all(file);
  const auto wrong = [&](const std::string& from, const std::string& to) {
    std::string edited = text;
    edited.replace(edited.find(from), from.size(), to);
    const auto s = parse_detection_scenario(edited, "detection.yaml");
    return s ? std::string("accepted") : s.error().to_string();
  };
  EXPECT_THAT(wrong("quiet-night, lag-only]", "earthquake]"), HasSubstr("there is no trouble 'earthquake'"));
  EXPECT_THAT(wrong("labels: [slow-commit, failing-checkpoints, killed-worker, silent-partition, late-records, healthy, quiet-night, lag-only]", "inject: true"), HasSubstr("'labels' is missing"));
  EXPECT_THAT(wrong("rate: $rate", "rate: $within"), HasSubstr("detection.yaml"));
}

TEST_F(DetectionLab, RunsAreDrawnOfTheSeedAlone) {
  const DetectionScenario s = load("detection", "100");
  std::set<std::string> shapes;
  std::map<std::size_t, int> labels;
  for (std::uint64_t run = 0; run < 100; ++run) {
    const DrawnRun one = *draw_run(s, run), again = *draw_run(s, run);
    EXPECT_EQ(one.scenario.inputs[0].rate, again.scenario.inputs[0].rate);
    EXPECT_EQ(one.label, again.label);
    ++labels[one.label];
    shapes.insert(fmt::format("{} {} {}", one.scenario.inputs[0].rate, one.scenario.phases[0].length_us, one.scenario.phases[1].length_us));
  }
  EXPECT_EQ(shapes.size(), 100U);
  EXPECT_EQ(labels.size(), s.labels.size());
}

/// The first few, with a tenth of the load; all hundred: supyo lab run detection.
TEST_F(DetectionLab, Detection) {
  const LabResult r = verdict_of(load("detection", "4"));
  EXPECT_EQ(value(r, "runs"), 4);
  EXPECT_EQ(value(r, "episodes"), 3);   // a quiet night, a slow commit, late records, a killed worker
}

TEST_F(DetectionLab, DetectionPlanted) {
  EXPECT_GT(value(verdict_of(load("detection-refuted", "2")), "missed"), 0);
  EXPECT_THAT(verdict_of(load("detection-invalid", "1")).why, HasSubstr("fault_seen_by_probe"));
}

}  // namespace
}  // namespace supyo::scenario
