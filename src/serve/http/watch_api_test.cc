#include "serve/http/watch_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/real/real_env.h"

namespace supyo::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Request get(std::string path, std::string agent = {}) {
  Request r;
  r.method = "GET";
  r.path = std::move(path);
  if (!agent.empty()) r.headers["user-agent"] = std::move(agent);
  return r;
}

TEST(WatchApi, ServesThePageTheMetricsAndWhoScrapesThem) {
  env::VirtualClock clock(kSecond);
  watch::View view{.source = "here", .reachable = true};
  view.topics = {{.name = "t", .partitions = {{.id = 0, .log_start = 1, .end = 3}}}};
  const auto api = make_watch_api(clock, [&] { return view; }, [] { return std::string("# TYPE supyo_more counter\nsupyo_more_total 1\n"); });
  const Response page = api(get("/"));
  EXPECT_THAT(page.body, AllOf(StartsWith("<!doctype html>"), Not(HasSubstr("http://1")), Not(HasSubstr("src=")), Not(HasSubstr("innerHTML"))));
  EXPECT_THAT(render_response(page, true), HasSubstr("connect-src 'self'"));
  EXPECT_THAT(render_response(api(get("/metrics")), true), HasSubstr("Content-Security-Policy: default-src 'none'\r\n"));
  EXPECT_THAT(api(get("/v1/flows")).body, HasSubstr("\"metrics\":{\"scrapes\":1,\"by\":\"\",\"every_s\":null,\"samples\":5,\"last_s\":0.00}}"));
  clock.advance_to(3 * kSecond);
  EXPECT_THAT(api(get("/metrics", "Prometheus/2.42.0\"</script>")).body, AllOf(HasSubstr("supyo_more_total 1\n"), HasSubstr("supyo_topic_partition_current_offset{partition=\"0\",topic=\"t\"} 3\n")));
  EXPECT_THAT(api(get("/v1/flows")).body, HasSubstr("\"metrics\":{\"scrapes\":2,\"by\":\"Prometheus/2.42.0/script\",\"every_s\":2.00,"));
  EXPECT_EQ(api(get("/nothing")).status, 404);
  EXPECT_EQ(api(get("/healthz")).body, "ok\n");
}

}  // namespace
}  // namespace supyo::http
