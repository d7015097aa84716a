#include "judge/slo/dashboards.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "judge/slo/test_promtool.h"

/// What lab/stack/deploy_test.cc asks of every dashboard in deploy/ holds for these too, since they lie there.
namespace supyo::slo {
namespace {

TEST(Dashboards, TheFilesInDeployAreCurrent) {
  std::set<std::string> uids;
  for (const Dashboard& d : grafana_dashboards()) {
    const std::string path = std::string(SUPYO_SOURCE_DIR "/deploy/grafana/dashboards/") + d.file;
    if (std::getenv("SUPYO_UPDATE") != nullptr) std::ofstream(path) << d.json;
    std::ifstream in(path);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(text, d.json) << d.file << ": SUPYO_UPDATE=1 supyo_judge_slo_test --gtest_filter='Dashboards*' writes it";
    EXPECT_TRUE(uids.insert(nlohmann::json::parse(d.json).at("uid").get<std::string>()).second);
  }
  EXPECT_EQ(uids.size(), 8U);
}

TEST(Dashboards, EveryQueryIsPromQl) {
  if (!Promtool::is_there()) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  nlohmann::json rules = nlohmann::json::array();
  for (const Dashboard& d : grafana_dashboards()) {
    const auto board = nlohmann::json::parse(d.json);
    for (const auto& panel : board.at("panels")) {
      for (const auto& target : panel.at("targets")) {
        std::string expr = std::regex_replace(target.at("expr").get<std::string>(), std::regex("\\$__rate_interval"), "5s");
        EXPECT_EQ(expr.find("{S"), std::string::npos) << expr;
        EXPECT_EQ(expr.find("{O"), std::string::npos) << expr;
        rules.push_back({{"record", "panel:" + std::to_string(rules.size())}, {"expr", expr}});
      }
    }
  }
  EXPECT_GT(rules.size(), 40U);
  nlohmann::json groups = nlohmann::json::array();
  groups.push_back({{"name", "panels"}, {"rules", rules}});
  const Promtool promtool("dashboards");
  promtool.write("rules.yml", nlohmann::json{{"groups", groups}}.dump());
  const auto said = promtool.run("check rules rules.yml");
  EXPECT_TRUE(said.good) << said.text;
}

}  // namespace
}  // namespace supyo::slo
