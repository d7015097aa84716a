#include "serve/http/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/env/real/real_env.h"
#include "engine/job/engine.h"
#include "serve/http/job_api.h"
#include "serve/http/json.h"

namespace supyo::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

slo::Objectives objectives() {
  slo::Objective o;
  o.name = "success <b>";
  o.measure = slo::Measure::kProcessingSuccess;
  o.threshold_us = 30 * kSecond;
  o.target = 0.999;
  slo::Objectives all;
  all.items = {o};
  return all;
}

/// A job that has run to its end, judged and watched.
class DashboardTest : public testing::Test {
 protected:
  void SetUp() override {
    job::EngineOptions options;
    options.observer = &judge_;
    options.newest = &newest_;
    options.base_directory = ".";
    engine_ = job::Engine::create(real_.env(), options).value();
    const auto loaded = engine_->load("SET 'pipeline.name' = 'a </script><img src=x>';"
                                      "CREATE TABLE t (region STRING, n BIGINT) WITH ('connector'='blackhole');"
                                      "INSERT INTO t VALUES ('north', 1), ('</script><img src=x onerror=alert(1)>', 2), (CAST(NULL AS STRING), 3);",
                                      {});
    ASSERT_TRUE(loaded) << loaded.error().to_string();
    auto runner = engine_->start(*loaded);
    ASSERT_TRUE(runner) << runner.error().to_string();
    runner_ = std::move(*runner);
    const auto result = runner_->run();
    ASSERT_TRUE(result) << result.error().to_string();
    judge_.advance(real_.env().clock.now_us() + 3 * kSecond);
  }
  JobPage page() { return {.clock = real_.env().clock, .runner = *runner_, .judge = &judge_, .newest = &newest_}; }
  Response get(std::string path, std::string query = {}) {
    Request r;
    r.method = "GET";
    r.path = std::move(path);
    r.query = std::move(query);
    return make_job_api(page())(r);
  }

  env::RealEnv real_;
  slo::Judge judge_{objectives(), {}};
  job::NewestRows newest_;
  std::unique_ptr<job::Engine> engine_;
  std::unique_ptr<runtime::JobRunner> runner_;
};

TEST_F(DashboardTest, EachPartHasItsPage) {
  EXPECT_THAT(get("/").body, AllOf(StartsWith("<!doctype html>"), HasSubstr("id=\"recorded\"></script>"), HasSubstr("Content-Security-Policy")));
  EXPECT_THAT(get("/").policy, AllOf(HasSubstr("default-src 'none'"), HasSubstr("connect-src 'self'"), HasSubstr("frame-ancestors 'none'")));
  EXPECT_THAT(get("/v1/results").body, AllOf(HasSubstr(R"("columns":[{"name":"region","type":"STRING","kind":"text"},{"name":"n","type":"BIGINT","kind":"number"}])"),
                                             HasSubstr(R"({"op":"+I","cells":[null,"3"]})"), HasSubstr(R"("cells":["north","1"])"), HasSubstr("\"written\":3"), Not(HasSubstr("<"))));
  EXPECT_THAT(get("/v1/graph").body, AllOf(HasSubstr("\"kind\":\"source\""), HasSubstr("\"kind\":\"sink\""), HasSubstr("\"edges\":[{\"from\":")));
  EXPECT_THAT(get("/v1/epochs").body, HasSubstr("{\"epoch\":1,\"failed\":false,"));
  EXPECT_THAT(get("/v1/slo").body, AllOf(HasSubstr("\"name\":\"success \\u003cb>\""), HasSubstr("\"target\":0.999,\"threshold_s\":30,\"window_s\":600"), HasSubstr("\"causes\":["), HasSubstr("\"totals\":{\"taken\":")));
  EXPECT_THAT(get("/v1/series", "from=-10&step=1").body, AllOf(HasSubstr("\"step_s\":1,"), HasSubstr("\"columns\":{\"e2e_p50\":["), HasSubstr("\"bad_share:success \\u003cb>\":["), HasSubstr("\"moments\":[{")));
  EXPECT_THAT(get("/v1/dashboard").body, AllOf(HasSubstr("\"live\":true"), HasSubstr("\"job\":{\"state\":\"FINISHED\""), HasSubstr("\"results\":[{"), HasSubstr("\"series\":{")));
  EXPECT_THAT(get("/v1/").body, HasSubstr("/v1/dashboard"));
  EXPECT_EQ(get("/v2").status, 404);
}

TEST_F(DashboardTest, WithoutAJudgeTheJobIsStillShown) {
  const auto json = dashboard_json({.clock = real_.env().clock, .runner = *runner_}, {}, true);
  ASSERT_TRUE(json);
  EXPECT_THAT(*json, AllOf(HasSubstr("\"results\":null,\"slo\":null,\"series\":null,\"loss\":null}"), HasSubstr("\"graph\":{")));
}

TEST_F(DashboardTest, LossesStandByUrgency) {
  watch::Report report{.source = "127.0.0.1:9092", .reachable = true, .at_us = 100 * kSecond};
  watch::GroupReport group;
  group.name = "<g>";
  const auto partition = [&](std::int32_t n, diagnosis::LossState state, std::optional<diagnosis::LossEstimate> moving) {
    watch::GroupReport::PartitionReport p{.topic = "t", .partition = n};
    p.forecast.state = state;
    p.forecast.cause = diagnosis::LossCause::kTimeExpiry;
    p.forecast.moving = moving;
    group.partitions.push_back(p);
  };
  partition(0, diagnosis::LossState::kNone, {});
  partition(1, diagnosis::LossState::kComing, diagnosis::LossEstimate{.low = 400 * kSecond, .mid = 500 * kSecond});
  partition(2, diagnosis::LossState::kComing, diagnosis::LossEstimate{.low = 160 * kSecond, .mid = 190 * kSecond, .high = 220 * kSecond});
  partition(3, diagnosis::LossState::kExposed, {});
  group.findings.push_back({.cause = diagnosis::Cause::kNoConsumers, .severity = diagnosis::Severity::kIncident, .subject = "group", .what = "nobody reads", .next = ""});
  group.findings.push_back({.cause = diagnosis::Cause::kRetentionCannotWork, .severity = diagnosis::Severity::kTicket, .subject = "t", .what = "too short", .next = "longer"});
  report.groups = {group};
  const std::string json = loss_json(report);
  std::vector<std::size_t> order;
  for (const char* p : {"\"partition\":3", "\"partition\":2", "\"partition\":1", "\"partition\":0"}) order.push_back(json.find(p));
  EXPECT_TRUE(std::ranges::is_sorted(order)) << json;
  EXPECT_THAT(json, AllOf(HasSubstr("\"group\":\"\\u003cg>\""), HasSubstr("\"cause\":\"retention.ms\",\"lower_s\":60,\"central_s\":90,\"upper_s\":120"), HasSubstr("\"lower_s\":300,\"central_s\":400,\"upper_s\":null")));
  EXPECT_THAT(json, AllOf(HasSubstr("\"evidence\":\"too short\",\"next_step\":\"longer\""), Not(HasSubstr("nobody reads"))));   // the job reads, as no member
  report.known_at_us = report.at_us;
  EXPECT_THAT(loss_json(watch::unanswered(report, "nobody answers", 130 * kSecond)), AllOf(HasSubstr("\"reachable\":false,\"problem\":\"nobody answers\",\"known_age_s\":30,"), HasSubstr("\"lower_s\":30,\"central_s\":60,\"upper_s\":90")));
  EXPECT_THAT(loss_json(watch::Report{.source = "s", .problem = "nobody answers"}), HasSubstr("\"reachable\":false,\"problem\":\"nobody answers\",\"known_age_s\":null,\"partitions\":[]"));
}

TEST_F(DashboardTest, BadRangesAreRefused) {
  for (const char* bad : {"from=x", "from=1e300", "nonsense", "from=-10&to=-20", "step=-1", "from=-100000&step=0.001", "from=nan", "from=", "x=1"}) {
    EXPECT_EQ(get("/v1/series", bad).status, 400) << bad;
    EXPECT_EQ(get("/v1/dashboard", bad).status, 400) << bad;
  }
  for (const char* good : {"", "from=-3600", "from=-30&to=-10&step=0.5", "from=1&to=4000000000", "to=0&"}) EXPECT_EQ(get("/v1/series", good).status, 200) << good;
}

TEST_F(DashboardTest, ARecordedPageHoldsItsDataAndNoMarkupOfOthers) {
  const std::string html = recorded_dashboard(page());
  EXPECT_THAT(html, AllOf(HasSubstr("id=\"recorded\">{\"live\":false,"), HasSubstr("\\u003c/script>"), Not(HasSubstr("</script><img"))));
  EXPECT_GT(html.size(), dashboard_html().size() + 1'000);
}

TEST_F(DashboardTest, ManyWhoLookOnAskTheJobOnce) {
  const auto api = make_job_api(page());
  Request r;
  r.method = "GET";
  r.path = "/v1/slo";
  const std::string before = api(r).body;
  judge_.count_lost(5, real_.env().clock.now_us() + 4 * kSecond);
  EXPECT_EQ(api(r).body, before);
  EXPECT_NE(make_job_api(page())(r).body, before);
}

TEST(Json, AnyTextIsSafe) {
  EXPECT_EQ(json_text("a\"b\\c\n</script>"), "\"a\\\"b\\\\c\\u000a\\u003c/script>\"");
  EXPECT_EQ(json_number(1.5), "1.5");
  EXPECT_EQ(json_number(std::numeric_limits<double>::quiet_NaN()), "null");
}

}  // namespace
}  // namespace supyo::http
