#include "lab/report/trials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/report/report.h"

namespace supyo::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

scenario::LabResult trials() {
  scenario::LabResult r;
  r.kind = "trials";
  r.lab = "l";
  r.phases = {{"before", 0, 1, false}, {"kills", 1, 2, true}};
  r.fault.name = "fault";
  r.control.name = "control";
  r.fault.t_s = {0, 1, 2};
  for (const char* group : {"a<b", "c"})
    for (int i = 0; i < 3; ++i) r.trials.push_back({"fault", group, 1.0, {{"lost", i}, {"repeated", 10 * i}}});
  r.trials.push_back({"control", "c", 0.5, {{"lost", 99}, {"repeated", 99}}});
  r.measures.push_back({"lost_c", 1234, "records", {}, {}, {}});
  r.plots.push_back({.id = "cost", .title = "Cost", .unit = "records", .note = "n", .lines = {}, .x = "lost", .y = "repeated"});
  return r;
}

TEST(Trials, OneMarkATrialOfTheFaultArm) {
  const scenario::LabResult r = trials();
  const std::string figure = points_figure(r, r.plots[0]);
  // Twice (wide and narrow), and once in the legend.
  EXPECT_EQ(count_of(figure, "class=\"pt p0\""), 2U * 3 + 1);
  EXPECT_EQ(count_of(figure, "class=\"pt p1\""), 2U * 3 + 1);
  EXPECT_THAT(figure, HasSubstr("a&lt;b (1 at zero)"));
  EXPECT_THAT(figure, Not(HasSubstr("99")));   // the control arm's
}

TEST(Trials, MarksBelowZeroAreWithinTheFigure) {
  scenario::LabResult r;
  r.trials = {{"fault", "early", 1, {{"at", 5}, {"delay", -1}}}, {"fault", "late", 1, {{"at", 9}, {"delay", 2}}}};
  const std::string figure = points_figure(r, {.id = "delays", .title = "t", .unit = "s", .note = "n", .lines = {}, .x = "at", .y = "delay"});
  EXPECT_THAT(figure, HasSubstr(">-1</text>"));
  const auto early = figure.find("<circle class=\"pt p0\"", figure.find("<svg"));
  ASSERT_NE(early, std::string::npos);
  const auto cy = figure.find("cy=\"", early);
  EXPECT_LE(std::stod(figure.substr(cy + 4)), 280 - 44);   // above the axis
}
TEST(Trials, TheTableSaysWhatWasNotMeasured) {
  const std::string section = trials_section(trials());
  EXPECT_THAT(section, HasSubstr("<td class=\"n\" data-h=\"Lost\">1,234</td>"));
  EXPECT_THAT(section, HasSubstr("<td class=\"n\" data-h=\"Repeated\">not measured</td>"));
  EXPECT_EQ(trials_section(scenario::LabResult()), "");
}

TEST(Trials, ThePageHasBothAndNoAlarmThatNeverCame) {
  const std::string page = render_html(trials());
  EXPECT_THAT(page, HasSubstr("What it came to"));
  EXPECT_THAT(page, HasSubstr("id=\"cost-wide-t\""));
  EXPECT_THAT(page, Not(HasSubstr("lag alarm")));
  EXPECT_THAT(page, Not(HasSubstr("Predicted before the run")));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
}

TEST(Trials, RunsWithDrawnTroublesAreCountedByTrouble) {
  scenario::LabResult r;
  r.trials = {{"fault", "slow-commit", 1, {{"judge_missed", 0}}}, {"control", "quiet-night", 1, {{"judge_missed", 0}}}};
  r.measures = {{"episodes_slow_commit", 7, "", {}, {}, {}}, {"lag_unsaid_slow_commit", 5, "", {}, {}, {}}, {"burrow_false_quiet_night", 9, "", {}, {}, {}}};
  const std::string html = trials_section(r);
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">slow-commit</th>"));
  EXPECT_THAT(html, HasSubstr("data-h=\"Never said by the raw lag rule\">5</td>"));
  EXPECT_THAT(html, HasSubstr("data-h=\"their false calls\">9</td>"));
}

TEST(Trials, ArmsOfAProducerAreColumns) {
  scenario::LabResult r = trials();
  r.trials.clear();
  r.fault.counts = {{"sent", 5000}, {"expired", 7}};
  r.control.counts = {{"sent", 4000}};
  const std::string section = trials_section(r);
  EXPECT_THAT(section, HasSubstr("<tr><th scope=\"row\">Sent</th><td class=\"n\" data-h=\"fault\">5,000</td><td class=\"n\" data-h=\"control\">4,000</td></tr>"));
}

TEST(Trials, ArmsOfAGroupAreColumnsToo) {
  scenario::LabResult r = trials();
  r.trials.clear();
  r.fault.counts = {{"evictions", 4}, {"uncommitted", 61}};
  const std::string section = trials_section(r);
  EXPECT_THAT(section, HasSubstr("<th scope=\"row\">Members that left</th><td class=\"n\" data-h=\"fault\">4</td><td class=\"n\" data-h=\"control\">not measured</td>"));
  EXPECT_THAT(section, Not(HasSubstr("Out of order")));
}

}  // namespace
}  // namespace supyo::report
