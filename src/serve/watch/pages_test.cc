#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "serve/watch/report.h"
#include "serve/watch/screen.h"

namespace supyo::watch {
namespace {

using testing::HasSubstr;
using testing::Not;
using Key = Pages::Key;

class PagesTest : public testing::Test {
 protected:
  PagesTest() {
    report_ = {.source = "broker", .reachable = true, .at_us = kHour, .known_at_us = kHour};
    for (const char* name : {"orders", "billing", "\x1b[2Jevil"}) {
      GroupReport g{.name = name, .state = "Stable", .health = Health::kOk, .last_health = Health::kOk, .members = 1, .lag = 10};
      g.partitions.push_back({.topic = std::string("topic-of-") + name, .partition = 0, .end = 100, .committed = 90});
      report_.groups.push_back(std::move(g));
    }
    report_.groups[1].lag = 999;
    report_.groups[0].health = report_.groups[0].last_health = report_.last_health = Health::kIncident;
    report_.groups[0].findings.push_back({.cause = diagnosis::Cause::kLossComing, .severity = diagnosis::Severity::kIncident, .weight = 99, .subject = "group orders", .what = "it will be deleted", .next = "raise retention"});
    report_.groups[0].limiting = diagnosis::LossForecast{.state = diagnosis::LossState::kComing, .moving = diagnosis::LossEstimate{.low = 2 * kHour, .mid = 2 * kHour}};
  }
  std::string text(int width = 220, int height = 30) const {
    std::string all;
    for (const Pages::Line& l : pages_.lines(report_, width, height)) all += (l.selected ? ">" : " ") + l.text + "\n";
    return all;
  }
  bool type(std::string_view keys) {
    bool stays = true;
    for (const char c : keys) stays = pages_.press(Key::kCharacter, c, report_);
    return stays;
  }
  Report report_;
  Pages pages_;
};

TEST_F(PagesTest, GroupsAndWayInAndBack) {
  EXPECT_THAT(text(), testing::AllOf(HasSubstr("INCIDENT  broker"), HasSubstr(">orders"), HasSubstr("in 1 h 0 min"), HasSubstr("billing")));
  EXPECT_THAT(text(), Not(HasSubstr("\x1b"))) << "names are data from outside";
  pages_.press(Key::kDown, 0, report_);
  EXPECT_THAT(text(), HasSubstr(">billing"));
  pages_.press(Key::kUp, 0, report_);
  pages_.press(Key::kEnter, 0, report_);
  EXPECT_EQ(pages_.page(), Pages::Page::kGroup);
  EXPECT_THAT(text(), testing::AllOf(HasSubstr("topic-of-orders/0"), HasSubstr("it will be deleted"), HasSubstr("-> raise retention"), Not(HasSubstr("billing"))));
  report_.groups.erase(report_.groups.begin());
  EXPECT_THAT(text(), HasSubstr("is not there any more"));
  pages_.press(Key::kEscape, 0, report_);
  EXPECT_EQ(pages_.page(), Pages::Page::kGroups);
}

TEST_F(PagesTest, ANarrowTerminalKeepsWhatDecides) {
  auto& f = report_.groups[0].findings[0];
  f.what = "the first unread record will be deleted in 2 min 30 s (it may be gone any moment, at the latest in 5 min 0 s), by retention.bytes, says the last word";
  EXPECT_THAT(text(80), testing::AllOf(HasSubstr("INCIDENT in 1 h 0 min"), Not(HasSubstr("WARNING")))) << "health and forecast, whatever is cut";
  pages_.press(Key::kEnter, 0, report_);
  const std::string opened = text(80);
  EXPECT_THAT(opened, testing::AllOf(HasSubstr("word\n"), HasSubstr("-> raise retention"), HasSubstr("topic-of-orders/0")));
  for (const auto& l : pages_.lines(report_, 80, 30)) EXPECT_LE(l.text.size(), 80U) << l.text;
  type("f");
  EXPECT_THAT(text(80), HasSubstr("word\n"));
  for (int i = 0; i < 10; ++i) pages_.press(Key::kDown, 0, report_);
  EXPECT_THAT(text(80), HasSubstr(">          -> raise retention")) << "the last line, and no further";
  report_.groups[0].partitions[0].topic = std::string(60, 't');
  type("g");
  pages_.press(Key::kEnter, 0, report_);
  EXPECT_THAT(text(80), HasSubstr("ttt/0 ")) << "a long name keeps its partition";
}

TEST_F(PagesTest, FilterSortHelpLeave) {
  type("/bill");
  EXPECT_THAT(text(), testing::AllOf(HasSubstr(">billing"), Not(HasSubstr("orders")), HasSubstr("/bill_")));
  pages_.press(Key::kEnter, 0, report_);
  EXPECT_EQ(pages_.page(), Pages::Page::kGroups) << "Enter ends the filter first";
  pages_.press(Key::kEscape, 0, report_);
  EXPECT_THAT(text(), HasSubstr("orders"));
  type("s");
  EXPECT_THAT(text(), HasSubstr(">billing")) << "by lag";
  type("f");
  EXPECT_THAT(text(), HasSubstr("it will be deleted"));
  type("J");
  EXPECT_THAT(text(), HasSubstr("--flink"));
  EXPECT_TRUE(type("?"));
  EXPECT_THAT(text(), HasSubstr("filter groups"));
  EXPECT_FALSE(type("q"));
}

TEST_F(PagesTest, FitsAnyTerminal) {
  for (int i = 0; i < 300; ++i) report_.groups.push_back(report_.groups[0]);
  for (const int height : {1, 2, 5, 24})
    for (const int width : {1, 10, 80}) {
      for (int i = 0; i < 40; ++i) pages_.press(Key::kDown, 0, report_);
      const auto lines = pages_.lines(report_, width, height);
      EXPECT_LE(lines.size(), static_cast<std::size_t>(height));
      for (const auto& l : lines) EXPECT_LE(l.text.size(), static_cast<std::size_t>(width));
    }
  EXPECT_EQ(std::ranges::count_if(pages_.lines(report_, 80, 24), &Pages::Line::selected), 1) << "what is selected is in sight";
  report_ = {.source = "broker", .problem = "nobody answers"};
  EXPECT_THAT(text(), HasSubstr("UNKNOWN  broker  nobody answers"));
  pages_.press(Key::kEnter, 0, report_);
}

// At night, with the cluster gone: what was known last, how old it is, and nothing of it as if it were now.
TEST_F(PagesTest, OfAClusterThatIsGoneTheLastKnownStandsMarked) {
  const auto greens = [&] { return std::ranges::count(pages_.lines(report_, 220, 30), Pages::Style::kGood, &Pages::Line::style); };
  EXPECT_EQ(greens(), 2);
  report_ = unanswered(report_, "nobody answers", kHour + 3 * kMinute);
  EXPECT_THAT(text(), testing::AllOf(HasSubstr("UNKNOWN  broker  nobody answers"), HasSubstr("nothing below is newer than 3 min 0 s ago; it was INCIDENT then"), HasSubstr("orders"), HasSubstr("was INCIDENT")));
  EXPECT_THAT(text(), testing::AllOf(HasSubstr("was OK"), HasSubstr("in 57 min 0 s")));   // what comes is nearer now
  EXPECT_EQ(greens(), 0);
  for (const char* page : {"f", "J", "g"}) {
    type(page);
    EXPECT_EQ(greens(), 0) << page;
  }
  pages_.press(Key::kEnter, 0, report_);
  EXPECT_THAT(text(), testing::AllOf(HasSubstr("group orders  was INCIDENT"), HasSubstr("topic-of-orders/0"), HasSubstr("it will be deleted")));
  EXPECT_EQ(report_.worst(), Health::kUnknown);
  EXPECT_EQ(exit_status(report_), 4);
  EXPECT_THAT(report_text(report_), testing::AllOf(HasSubstr("UNKNOWN: broker: nobody answers"), HasSubstr("newer than 3 min 0 s ago"), HasSubstr("was INCIDENT"), HasSubstr("it will be deleted")));
  EXPECT_THAT(report_json(report_), testing::AllOf(HasSubstr("\"health\":\"UNKNOWN\",\"last_health\":\"INCIDENT\""), HasSubstr("\"known_age_s\":180.000"), HasSubstr("{\"name\":\"billing\",\"health\":\"UNKNOWN\",\"last_health\":\"OK\"")));
  report_ = unanswered({.source = "broker"}, "nobody answers", kHour);
  type("f");
  EXPECT_EQ(greens(), 0) << "nothing is known, which is not nothing found";
  EXPECT_THAT(text(), Not(HasSubstr("found")));
  EXPECT_THAT(report_json(report_), HasSubstr("\"known_age_s\":null"));
}

TEST_F(PagesTest, TextAndJsonOfTheReport) {
  EXPECT_THAT(report_text(report_), testing::AllOf(HasSubstr("INCIDENT"), HasSubstr("-> raise retention"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(report_json(report_), testing::AllOf(HasSubstr("\"cause\":\"loss-coming\""), HasSubstr("\"expected_s\":3600"), HasSubstr("\\u001b"), Not(HasSubstr("\n"))));
  EXPECT_EQ(exit_status(report_), 3);
  report_.groups = {report_.groups[1]};
  EXPECT_EQ(exit_status(report_), 0);
  report_.groups[0].health = Health::kUnknown;
  EXPECT_EQ(exit_status(report_), 4) << "not known is not good";
}

TEST_F(PagesTest, EveryFieldOfTheJsonIsInItsReference) {
  std::ifstream in(SUPYO_SOURCE_DIR "/docs/reference/diagnose.md");
  const std::string page((std::istreambuf_iterator<char>(in)), {});
  report_.groups[0].partitions[0].forecast = *report_.groups[0].limiting;
  report_.groups[0].findings[0].numbers.push_back({.name = "in", .value = 1, .unit = "s"});
  report_.jobs.push_back({.id = "a", .name = "b", .state = "RUNNING", .vertices = {{.name = "v"}}});
  const std::string json = report_json(report_);
  const std::regex field("\"([a-z_]+)\":");
  int fields = 0;
  for (std::sregex_iterator at(json.begin(), json.end(), field), end; at != end; ++at, ++fields) EXPECT_THAT(page, HasSubstr("`" + (*at)[1].str() + "`"));
  EXPECT_GT(fields, 60);
}

}  // namespace
}  // namespace supyo::watch
