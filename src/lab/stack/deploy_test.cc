#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "lab/stack/flink.h"
#include "lab/stack/stack.h"

/// deploy/ without Docker: that it parses, that nothing it names is missing, and that it is the same cluster as `supyo stack` starts.
namespace supyo::stack {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::filesystem::path kDeploy = std::filesystem::path(SUPYO_SOURCE_DIR) / "deploy";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A mapping with its merge keys (<<) worked in: a key of its own wins, then the first that is merged.
std::map<std::string, YAML::Node> merged(const YAML::Node& node) {
  std::map<std::string, YAML::Node> out;
  for (const auto& entry : node)
    if (entry.first.as<std::string>() != "<<") out[entry.first.as<std::string>()] = entry.second;
  const YAML::Node from = node["<<"];
  if (!from) return out;
  for (const YAML::Node& source : from.IsSequence() ? std::vector<YAML::Node>(from.begin(), from.end()) : std::vector<YAML::Node>{from})
    for (auto& [key, value] : merged(source)) out.try_emplace(key, value);
  return out;
}

/// "KAFKA_LOG_DIRS" -> "log.dirs", as the image reads its environment.
std::string property_of(std::string name) {
  for (char& c : name = name.substr(6)) c = c == '_' ? '.' : static_cast<char>(std::tolower(c));
  return name;
}

std::map<std::string, std::string> properties_of(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
  out.erase("log.dirs");
  return out;
}

class Compose : public ::testing::Test {
 protected:
  YAML::Node document_ = YAML::Load(text_of(kDeploy / "compose.yaml"));
  std::map<std::string, YAML::Node> service(const std::string& name) const { return merged(document_["services"][name]); }
};

TEST_F(Compose, NamesNothingThatIsMissing) {
  const std::set<std::string> top{"name", "x-broker", "x-settings", "x-single", "x-triple", "services", "volumes"};
  const std::set<std::string> known{"image", "network_mode", "restart", "depends_on", "profiles", "environment", "volumes", "command"};
  for (const auto& entry : document_) EXPECT_THAT(top, Contains(entry.first.as<std::string>()));
  std::set<std::string> used;
  for (const auto& entry : document_["services"]) {
    const std::string name = entry.first.as<std::string>();
    const auto fields = merged(entry.second);
    for (const auto& [field, value] : fields) EXPECT_THAT(known, Contains(field)) << name;
    const std::string image = fields.at("image").as<std::string>();
    EXPECT_THAT(image, AllOf(HasSubstr(":"), Not(HasSubstr("latest")))) << "pinned";
    if (fields.contains("depends_on"))
      for (const auto& other : fields.at("depends_on")) EXPECT_TRUE(document_["services"][other.first.IsDefined() ? other.first.as<std::string>() : other.as<std::string>()]) << name;
    for (const auto& mount : fields.contains("volumes") ? fields.at("volumes") : YAML::Node(YAML::NodeType::Sequence)) {
      const std::string source = mount.as<std::string>().substr(0, mount.as<std::string>().find(':'));
      if (source.starts_with('.')) EXPECT_TRUE(std::filesystem::exists(kDeploy / source)) << source;
      else used.insert(source);
    }
  }
  std::set<std::string> declared;
  for (const auto& volume : document_["volumes"]) declared.insert(volume.first.as<std::string>());
  EXPECT_EQ(used, declared);
}

TEST_F(Compose, IsTheClusterThatSupyoStackStarts) {
  for (const char* stack : {"kafka", "kafka3"}) {
    for (const Service& ours : kafka_services(stack, {}, "java", "jars", "dir")) {
      const std::string name = ours.name == "broker" ? "kafka" : ours.name;
      std::map<std::string, std::string> theirs;
      const auto fields = service(name);
      for (const auto& [key, value] : merged(fields.at("environment")))
        if (key.starts_with("KAFKA_") && key != "KAFKA_OPTS" && key != "KAFKA_HEAP_OPTS") theirs[property_of(key)] = value.as<std::string>();
      theirs.erase("log.dirs");
      EXPECT_EQ(theirs, properties_of(ours.files.at("server.properties"))) << name;
      const auto environment = merged(fields.at("environment"));
      EXPECT_THAT(ours.prepare, Contains(environment.at("CLUSTER_ID").as<std::string>()));
      if (ours.files.contains("jmx.yml")) EXPECT_THAT(environment.at("KAFKA_OPTS").as<std::string>(), HasSubstr("=127.0.0.1:" + std::to_string(ours.ports.back().number) + ":"));
      EXPECT_THAT(fields.at("image").as<std::string>(), HasSubstr("4.1.1"));
    }
  }
}

TEST(Prometheus, ScrapesEveryBrokerAndSupyo) {
  std::set<std::string> targets;
  for (const auto& job : YAML::Load(text_of(kDeploy / "prometheus.yml"))["scrape_configs"])
    for (const auto& group : job["static_configs"])
      for (const auto& target : group["targets"]) targets.insert(target.as<std::string>());
  std::set<std::string> wanted;
  for (const char* port : {"8081", "8082", "8083", "8084", "8085", "8090"}) wanted.insert(std::string("127.0.0.1:") + port);
  for (const char* stack : {"kafka", "kafka3"})
    for (const Service& service : kafka_services(stack, {}, "java", "jars", "dir"))
      for (const Port& port : service.ports)
        if (port.name == "jmx") wanted.insert("127.0.0.1:" + std::to_string(port.number));
  for (const Service& service : flink_services({}, "java", "home", "dir"))
    for (const Port& port : service.ports)
      if (port.name == "metrics") wanted.insert("127.0.0.1:" + std::to_string(port.number));
  EXPECT_EQ(targets, wanted);
  // What `supyo stack up prometheus` writes has the same three jobs, and the same ports of Supyo.
  std::vector<std::string> jobs;
  std::set<std::string> supyo;
  for (const auto& job : YAML::Load(prometheus_service({}, "prometheus", "dir", "dir/targets").files.at("prometheus.yml"))["scrape_configs"]) {
    jobs.push_back(job["job_name"].as<std::string>());
    for (const auto& group : job["static_configs"])
      for (const auto& target : group["targets"]) supyo.insert(target.as<std::string>());
  }
  EXPECT_THAT(jobs, testing::ElementsAre("kafka", "flink", "supyo"));
  EXPECT_TRUE(std::ranges::includes(targets, supyo));
  EXPECT_EQ(supyo.size(), 6U);
}

TEST(Prometheus, JmxRulesAreRegularExpressions) {
  const YAML::Node rules = YAML::Load(text_of(kDeploy / "kafka/jmx.yml"))["rules"];
  ASSERT_GE(rules.size(), 4U);
  for (const auto& rule : rules) EXPECT_NO_THROW(std::regex(rule["pattern"].as<std::string>()));
}

TEST(Grafana, ProvisioningPointsAtWhatIsThere) {
  const YAML::Node source = YAML::Load(text_of(kDeploy / "grafana/provisioning/datasources/prometheus.yaml"))["datasources"][0];
  EXPECT_EQ(source["url"].as<std::string>(), "http://127.0.0.1:9090");
  const YAML::Node provider = YAML::Load(text_of(kDeploy / "grafana/provisioning/dashboards/supyo.yaml"))["providers"][0];
  EXPECT_THAT(text_of(kDeploy / "compose.yaml"), HasSubstr(":" + provider["options"]["path"].as<std::string>() + ":ro"));
}

/// Metrics that the JMX rules or Supyo's own page can give.
bool is_known(const std::string& metric) {
  static const std::string supyo = [] {
    std::string all;
    for (const char* file : {"serve/http/job_metrics.cc", "serve/watch/render.cc", "serve/broker/metrics.cc", "cli/broker.cc", "cli/consume.cc", "cli/gen_serve.cc"}) all += text_of(std::filesystem::path(SUPYO_SOURCE_DIR) / "src" / file);
    return all;
  }();
  static const std::regex histogram("_(bucket|count|sum)$");
  if (metric.starts_with("supyo_")) return supyo.find("\"" + metric + "\"") != std::string::npos || supyo.find("\"" + std::regex_replace(metric, histogram, "") + "\"") != std::string::npos;
  static const std::regex kafka("kafka_(server_brokertopicmetrics_[a-z]+_total|server_replicamanager_[a-z]+|log_(logendoffset|logstartoffset|size|numlogsegments)|controller_[a-z]+|network_request_total_time_ms)");
  return std::regex_match(metric, kafka);
}

TEST(Grafana, EveryPanelIsWhole) {
  for (const auto& entry : std::filesystem::directory_iterator(kDeploy / "grafana/dashboards")) {
    const auto dashboard = nlohmann::json::parse(text_of(entry.path()));
    EXPECT_LE(dashboard.at("uid").get<std::string>().size(), 40U);
    EXPECT_FALSE(dashboard.at("editable").get<bool>());
    std::set<int> ids;
    std::set<std::pair<int, int>> cells;
    for (const auto& panel : dashboard.at("panels")) {
      const std::string title = panel.at("title");
      EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << title;
      EXPECT_FALSE(panel.at("description").get<std::string>().empty()) << title;
      EXPECT_FALSE(panel.at("fieldConfig").at("defaults").at("unit").get<std::string>().empty()) << title;
      EXPECT_EQ(panel.at("datasource").at("uid"), "${datasource}") << title;
      const auto& at = panel.at("gridPos");
      EXPECT_LE(at.at("x").get<int>() + at.at("w").get<int>(), 24) << title;
      for (int x = at.at("x"); x < at.at("x").get<int>() + at.at("w").get<int>(); ++x)
        for (int y = at.at("y"); y < at.at("y").get<int>() + at.at("h").get<int>(); ++y) EXPECT_TRUE(cells.insert({x, y}).second) << title << " lies over another";
      for (const auto& target : panel.at("targets")) {
        const std::string expr = target.at("expr");
        static const std::regex metric("(kafka|supyo)_[a-z0-9_]+"), rate("rate\\([^)]*\\[(?!\\$__rate_interval)");
        EXPECT_FALSE(std::regex_search(expr, rate)) << expr;
        EXPECT_THAT(expr, HasSubstr("job=\"")) << title;
        for (std::sregex_iterator m(expr.begin(), expr.end(), metric), end; m != end; ++m) EXPECT_TRUE(is_known(m->str())) << m->str();
      }
    }
    EXPECT_THAT(ids, Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace supyo::stack
