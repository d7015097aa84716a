#include "cli/gen_serve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"
#include "data/log/partition_reader.h"
#include "data/log/topic.h"

namespace supyo::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

workload::GeneratedRecord record(std::uint64_t id) { return {.due_us = env::SimEnv::kStart, .id = id, .key = "k", .value = "{}"}; }

// What a producer says of its records must be what the log says: not appended is failed, appended and not synced is unknown.
TEST(GenTarget, EveryRecordHasOneOutcome) {
  env::SimEnv sim(3);
  const Context context{.env = sim.env()};
  const auto ledger = *workload::Ledger::open(sim.files(), "");
  auto target = open_gen_target(context, "embedded:log/t", ledger.get());
  ASSERT_TRUE(target) << target.error().to_string();
  ASSERT_TRUE((*target)->add(record(1)) && (*target)->flush());
  EXPECT_EQ(ledger->counts().acknowledged, 1U);

  sim.files().set_fault_hook([](const env::FileOperation& o) { return o.kind == env::FileOperationKind::kWrite ? std::optional(env::SimFault::kDiskFull) : std::nullopt; });
  ASSERT_TRUE((*target)->add(record(2)));
  EXPECT_EQ((*target)->flush().error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(ledger->counts().failed, 1U);

  sim.files().set_fault_hook({});
  ASSERT_TRUE((*target)->add(record(3)) && (*target)->flush());
  EXPECT_EQ(ledger->counts().acknowledged, 2U);

  sim.files().set_fault_hook([](const env::FileOperation& o) { return o.kind == env::FileOperationKind::kSync ? std::optional(env::SimFault::kIo) : std::nullopt; });
  ASSERT_TRUE((*target)->add(record(4)));
  EXPECT_FALSE((*target)->flush());
  EXPECT_EQ(ledger->counts().unknown, 1U);
  ASSERT_TRUE((*target)->add(record(5)));
  EXPECT_EQ((*target)->flush().error().code, ErrorCode::kLogClosed);
  const auto counts = ledger->counts();
  EXPECT_EQ(counts.failed, 2U);
  EXPECT_EQ(counts.unknown, 1U);
  EXPECT_EQ(counts.acknowledged, 2U);
}

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() : folder_(std::filesystem::temp_directory_path() / ("supyo_gen_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ServiceTest() override {
    service_.stop();
    std::filesystem::remove_all(folder_);
  }
  http::Response call(const std::string& method, const std::string& path, const std::string& body = {}) {
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    return service_.handle(request);
  }
  json status(const std::string& topic = "t") {
    for (const json& g : json::parse(call("GET", "/status").body).at("generators"))
      if (g.at("id") == topic) return g;
    return json::object();
  }
  void wait_for(const std::function<bool()>& done) {
    for (int i = 0; i < 20'000 && !done(); ++i) real_.env().threads->idle(kMillisecond);
    EXPECT_TRUE(done());
  }
  std::set<std::uint64_t> ids_in(const std::string& topic_name) {
    std::set<std::uint64_t> ids;
    const auto topic = log::open_topic(real_.env().files, folder_ / "log", topic_name);
    EXPECT_TRUE(topic);
    auto reader = log::PartitionReader::open(real_.env().files, *topic, PartitionId(0));
    while (const log::FrameView* frame = *reader->next())
      for (std::size_t i = frame->first(); i < frame->count(); ++i) ids.insert(json::parse(frame->value(i)).at("event_id").get<std::uint64_t>());
    return ids;
  }
  env::RealEnv real_;
  std::filesystem::path folder_;
  Context context_{.env = real_.env()};
  GeneratorService service_{context_, {.domain = "product", .to = "embedded:" + (folder_ / "log" / "t").string(), .options = {.payload_bytes = 100}, .ledger_file = folder_ / "ledger"}};
};

TEST_F(ServiceTest, StartsChangesStopsAndGoesOn) {
  EXPECT_EQ(json::parse(call("GET", "/status").body).at("generators").size(), 0U);
  EXPECT_EQ(call("GET", "/start/2000").status, 200);
  wait_for([&] { return status().at("acknowledged").get<int>() > 20; });
  EXPECT_EQ(status().at("state"), "running");
  EXPECT_THAT(call("GET", "/metrics").body, HasSubstr("supyo_generator_target_rate{topic=\"t\"} 2000\n"));
  EXPECT_EQ(call("GET", "/start/500").status, 200);
  EXPECT_EQ(status().at("tps"), 500);
  EXPECT_EQ(call("GET", "/stop").status, 200);
  const json stopped = status();
  EXPECT_EQ(stopped.at("state"), "stopped");
  EXPECT_EQ(stopped.at("in_flight"), 0);
  const auto before = ids_in("t");
  EXPECT_EQ(before.size(), stopped.at("acknowledged").get<std::size_t>());
  // Going on, no number is left out or given twice.
  EXPECT_EQ(call("GET", "/start/3000").status, 200);
  wait_for([&] { return status().at("acknowledged").get<std::size_t>() > before.size() + 20; });
  EXPECT_EQ(call("GET", "/stop").status, 200);
  const auto after = ids_in("t");
  EXPECT_EQ(after.size(), status().at("acknowledged").get<std::size_t>());
  EXPECT_EQ(*after.begin(), 1U);
  EXPECT_EQ(*after.rbegin(), after.size());

  std::ifstream ledger(folder_ / "ledger");
  std::set<std::uint64_t> acknowledged;
  for (std::string line; std::getline(ledger, line);)
    for (const json& range : json::parse(line).at("ids"))
      for (auto id = range[0].get<std::uint64_t>(); id <= range[1].get<std::uint64_t>(); ++id) acknowledged.insert(id);
  EXPECT_EQ(acknowledged, after);
}

TEST_F(ServiceTest, PostMakesAGeneratorOfATopic) {
  const auto made = call("POST", "/v1/generators", R"({"topic":"u","tps":5000,"count":50,"seed":3,"payload_bytes":2000})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(json::parse(made.body).at("id"), "u");
  wait_for([&] { return status("u").at("state") == "finished"; });
  EXPECT_EQ(status("u").at("acknowledged"), 50);
  EXPECT_EQ(ids_in("u").size(), 50U);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "ledger.u"));
  EXPECT_EQ(call("POST", "/v1/generators", R"({"topic":"u","tps":10})").status, 201);   // the finished one makes room
  EXPECT_EQ(call("POST", "/v1/generators", R"({"topic":"u","tps":10})").status, 409);
  EXPECT_EQ(call("DELETE", "/v1/generators/u").status, 200);
  EXPECT_EQ(call("DELETE", "/v1/generators/u").status, 404);
}

TEST_F(ServiceTest, RefusesWhatMakesNoSense) {
  for (const char* path : {"/start/", "/start/abc", "/start/-5", "/start/0", "/start/1e99", "/start/nan"}) EXPECT_EQ(call("GET", path).status, 400) << path;
  for (const char* body : {"", "[]", "{", R"({"tps":"x"})", R"({"tps":-1})", R"({"topic":"../x"})", R"({"topic":"a/b"})", R"({"nonsense":1})", R"({"payload_bytes":99999999})", R"({"disorder":"soon"})"})
    EXPECT_EQ(call("POST", "/v1/generators", body).status, 400) << body;
  EXPECT_EQ(call("GET", "/nothing").status, 404);
  EXPECT_EQ(call("DELETE", "/v1/generators/").status, 404);
  http::Request from_a_page;
  from_a_page.method = "GET";
  from_a_page.path = "/start/100";
  from_a_page.headers["sec-fetch-site"] = "cross-site";
  EXPECT_EQ(service_.handle(from_a_page).status, 403);
  EXPECT_EQ(json::parse(call("GET", "/status").body).at("generators").size(), 0U);
}

TEST_F(ServiceTest, ATopicOfAnotherWriterIsSaid) {
  auto other = open_gen_target(context_, "embedded:" + (folder_ / "log" / "t").string());
  ASSERT_TRUE(other);
  const auto refused = call("GET", "/start/100");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("SUPYO-3003"));
}

}  // namespace
}  // namespace supyo::cli
