#include "judge/slo/rules.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <regex>

#include "judge/slo/openslo.h"
#include "judge/slo/test_promtool.h"

namespace supyo::slo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Objectives example(const std::string& name) {
  std::ifstream in(SUPYO_SOURCE_DIR "/examples/" + name + "/slo.yaml");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  auto o = parse_openslo(text, name);
  EXPECT_TRUE(o) << o.error().to_string();
  return o ? *o : Objectives{};
}

/// Objectives of every measure, with alerts of every kind: page, ticket, held, notified.
Objectives all_kinds() {
  Objectives out = example("product");
  for (const Objective& o : example("orders").items) out.items.push_back(o);
  Objective held = *out.find("processing-success-30d");
  held.name = "held";
  held.threshold_us = 40 * kSecond;
  held.alerts = {{.name = "slow", .severity = "page", .threshold = 2, .long_window_us = 2 * kHour, .short_window_us = 10 * kMinute, .hold_us = 3 * kMinute, .targets = {"night", "day"}, .position = {}}};
  out.items.push_back(held);
  return out;
}

TEST(Rules, EveryRatioIsOneSumOverAnother) {
  const Objectives objectives = all_kinds();
  const YAML::Node groups = YAML::Load(prometheus_rules(objectives))["groups"];
  std::set<std::string> names, recorded;
  std::map<std::string, int> alerts;
  static const std::regex ratio(R"(\(sum\(increase\(supyo_slo_bad_events_total(\{[^}]*\})\[(\w+)\]\)\) \+ sum\(supyo_slo_unfinished_bad_events\1\)\) / \(sum\(increase\(supyo_slo_events_total\1\[\2\]\)\) \+ sum\(supyo_slo_unfinished_events\1\) > 0\))");
  // Of windows up to six hours it is the difference of two samples, where that is known (Rules.AWindowIsAWholeOne).
  static const std::regex difference(R"(\((supyo_slo_\w+_total\{[^}]*\}) - \1 offset (\w+) >= 0 or \1 - min_over_time\(\1\[\2\]\)\) and resets\(\1\[\2\]\) == 0 or (increase\(\1\[\2\]\)))");
  for (const auto& group : groups) {
    EXPECT_TRUE(names.insert(group["name"].as<std::string>()).second) << group["name"];
    for (const auto& rule : group["rules"]) {
      const std::string expr = rule["expr"].as<std::string>();
      EXPECT_EQ(std::ranges::count(expr, '('), std::ranges::count(expr, ')')) << expr;
      EXPECT_THAT(expr, Not(HasSubstr("avg"))) << "no mean of ratios";
      if (rule["alert"]) {
        ++alerts[rule["alert"].as<std::string>()];
        for (const char* note : {"summary", "description", "next_step"}) EXPECT_FALSE(rule["annotations"][note].as<std::string>().empty());
        EXPECT_THAT((std::set<std::string>{"page", "ticket", "warning"}), testing::Contains(rule["labels"]["severity"].as<std::string>()));
        continue;
      }
      const std::string name = rule["record"].as<std::string>(), objective = rule["labels"]["objective"].as<std::string>();
      EXPECT_TRUE(recorded.insert(objective + " " + name).second) << name;
      std::smatch m;
      if (!name.starts_with("objective:supyo_slo_errors:ratio")) continue;
      const std::string plain = std::regex_replace(expr, difference, "$3");
      EXPECT_EQ(!name.ends_with("d"), plain != expr) << expr;
      ASSERT_TRUE(std::regex_match(plain, m, ratio)) << expr;
      EXPECT_EQ(name, "objective:supyo_slo_errors:ratio" + m[2].str());
      EXPECT_THAT(m[1].str(), HasSubstr("objective=\"" + objective + "\""));
    }
  }
  std::size_t burns = 0, deciding = 0;
  for (const Objective& o : objectives.items) {
    burns += o.alerts.size();
    deciding += o.role == Role::kDeciding ? 1 : 0;
    for (const DurationUs w : rule_windows(o)) EXPECT_TRUE(recorded.contains(o.name + " objective:supyo_slo_errors:ratio" + duration_text(w))) << o.name;
  }
  EXPECT_EQ(alerts["SupyoErrorBudgetBurn"], static_cast<int>(burns));
  EXPECT_EQ(alerts["SupyoObjectiveBroken"], static_cast<int>(objectives.items.size()));
  EXPECT_EQ(alerts["SupyoObjectiveUnknown"], static_cast<int>(objectives.items.size()));
  EXPECT_EQ(alerts["SupyoObjectiveAtRisk"], static_cast<int>(deciding));
  // What a ratio is compared with is recorded under that name.
  const std::string text = prometheus_rules(objectives);
  static const std::regex used(R"((objective:supyo_slo_\w+:ratio\w+)\{objective=\"([^\"]*)\")");
  for (std::sregex_iterator m(text.begin(), text.end(), used), end; m != end; ++m) EXPECT_TRUE(recorded.contains((*m)[2].str() + " " + (*m)[1].str())) << m->str();
}

TEST(Rules, MatchersGoIntoEverySelector) {
  EXPECT_TRUE(check_matchers(""));
  EXPECT_TRUE(check_matchers(R"(job="supyo",cluster="a\"b")"));
  for (const char* bad : {"job", "job=supyo", R"(job="a",)", R"(1job="a")", R"(job="a"} or vector(1) #)", R"(job="a)", R"(job=~"a.*")", R"(job="a" , x="b")"}) {
    EXPECT_EQ(check_matchers(bad).error().code, ErrorCode::kUsage) << bad;
  }
  const std::string text = prometheus_rules(example("product"), {.matchers = R"(job="x")"});
  static const std::regex selector(R"(supyo_(slo|epoch|epochs|lost)_\w+(\{[^}]*\})?)");
  for (std::sregex_iterator m(text.begin(), text.end(), selector), end; m != end; ++m) {
    if (m->prefix().str().ends_with("objective:")) continue;  // recorded
    EXPECT_THAT(m->str(), HasSubstr(R"(job="x")"));
  }
}

TEST(Rules, PromtoolFindsNothingWrong) {
  if (!Promtool::is_there()) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  const Promtool promtool("rules");
  promtool.write("all.yml", prometheus_rules(all_kinds()));
  const auto checked = promtool.run("check rules all.yml");
  EXPECT_TRUE(checked.good) << checked.text;
  EXPECT_THAT(checked.text, HasSubstr("SUCCESS"));
  std::string files;
  for (const Objective& o : all_kinds().items) {
    const RuleOptions options{.matchers = o.role == Role::kDeciding ? R"(job="supyo")" : ""};
    promtool.write(o.name + ".yml", prometheus_rules({.items = {o}, .targets = {}, .file = {}}, options));
    promtool.write(o.name + "_test.yml", prometheus_rule_tests({.items = {o}, .targets = {}, .file = {}}, o.name + ".yml", options));
    files += " " + o.name + "_test.yml";
  }
  const auto tested = promtool.run("test rules" + files);
  EXPECT_TRUE(tested.good) << tested.text.substr(0, 4000);
  // Two objectives in one file do not disturb each other.
  Objectives two = example("product");
  two.items.erase(two.items.begin() + 1, two.items.begin() + 3);
  promtool.write("two.yml", prometheus_rules(two));
  promtool.write("two_test.yml", prometheus_rule_tests(two, "two.yml"));
  const auto both = promtool.run("test rules two_test.yml");
  EXPECT_TRUE(both.good) << both.text.substr(0, 4000);
}

/// An evaluation lies anywhere between two scrapes; then a range of a minute holds only the newest 45 s of scrapes every 15 s.
TEST(Rules, AWindowIsAWholeOne) {
  if (!Promtool::is_there()) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  Objectives objectives = example("product");
  objectives.items.resize(1);
  const Objective& o = objectives.items[0];
  const std::string of = fmt::format("{{objective=\"{}\",service=\"{}\"}}", o.name, o.service);
  const auto share = [&](std::string_view what, int scrape_s, std::string_view events, std::string_view bad, int at_s, std::string_view share) {
    std::string text = fmt::format("- name: {}\n  interval: {}s\n  input_series:\n", what, scrape_s);
    for (const auto& [series, values] : {std::pair<std::string_view, std::string_view>{"events_total", events}, {"bad_events_total", bad}, {"unfinished_events", "0x40"}, {"unfinished_bad_events", "0x40"}})
      text += fmt::format("  - {{series: 'supyo_slo_{}{}', values: '{}'}}\n", series, of, values);
    return text + fmt::format("  promql_expr_test:\n  - expr: sum(objective:supyo_slo_errors:ratio1m)\n    eval_time: {}s\n    exp_samples: [{{labels: '{{}}', value: {}}}]\n", at_s, share);
  };
  const Promtool promtool("minute");
  promtool.write("rules.yml", prometheus_rules(objectives));
  promtool.write("minute.yml", "rule_files: [rules.yml]\nevaluation_interval: 10s\ntests:\n" +
                                   // A hundred events a scrape; 60 of the 400 that came until the newest scrape, at 120 s, are bad, all in the first of its four quarters.
                                   share("oldest-quarter", 15, "0+100x40", "0+0x4 60+0x30", 130, "0.15") +
                                   share("a-scrape-a-minute", 60, "0+100x40", "0+10x40", 190, "0.1") +
                                   // The objective's first 45 s: all of them.
                                   share("young", 15, "0+100x40", "0 60x30", 50, "0.2") +
                                   // Begun anew at 105 s: since then 100 events and 20 bad ones, and before it in the same minute 100 and 20.
                                   share("a-restart", 15, "0+100x6 0+100x30", "0+20x6 0+20x30", 130, "0.2"));
  const auto said = promtool.run("test rules minute.yml");
  EXPECT_TRUE(said.good) << said.text;
}

TEST(Rules, ItsUnitTestsBite) {
  if (!Promtool::is_there()) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  Objectives objectives = example("product");
  objectives.items.erase(objectives.items.begin(), objectives.items.begin() + 3);  // the one over 30 days
  const std::string rules = prometheus_rules(objectives), tests = prometheus_rule_tests(objectives, "rules.yml");
  // Faults that a careless generator could have.
  const std::vector<std::pair<std::string, std::string>> faults{
      {"> (1 - 0.999)", "> (1 - 0.999) * 3000"}, {">= 14.4 and", ">= 14.4 or"}, {"absent(sum(", "sum(sum("}, {"}) == 0", "}) == 7"}, {"severity: page", "severity: ticket"},
      {"sum((supyo_slo_bad_events_total", "sum((supyo_slo_events_total"}};
  for (const auto& [from, to] : faults) {
    std::string planted = rules;
    ASSERT_NE(planted.find(from), std::string::npos) << from;
    planted.replace(planted.find(from), from.size(), to);
    const Promtool promtool("bite");
    promtool.write("rules.yml", planted);
    promtool.write("rules_test.yml", tests);
    EXPECT_FALSE(promtool.run("test rules rules_test.yml").good) << from << " -> " << to;
  }
}

}  // namespace
}  // namespace supyo::slo
