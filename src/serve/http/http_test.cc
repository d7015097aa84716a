#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <regex>
#include <set>

#include "core/env/real/real_env.h"
#include "judge/slo/openslo.h"
#include "serve/http/http_message.h"
#include "serve/http/job_api.h"
#include "serve/http/server.h"

namespace supyo::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Message, Parses) {
  Request r;
  EXPECT_EQ(parse_request("GET /v1/job?a=b HTTP/1.1\r\nHost: localhost:8081\r\nX-Y:  z \r\n\r\n", r), ParseState::kDone);
  EXPECT_EQ(r.method, "GET");
  EXPECT_EQ(r.path, "/v1/job");
  EXPECT_EQ(r.query, "a=b");
  EXPECT_EQ(r.header("x-y"), "z");
  EXPECT_EQ(parse_request("GET /a%20b HTTP/1.0\r\n\r\n", r), ParseState::kDone);
  EXPECT_EQ(r.path, "/a b");
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\nHost: x\r\n", r), ParseState::kNeedMore);
  for (const std::string_view bad : {"\r\n\r\n", "GET /\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nnocolon\r\n\r\n",
                                     "GET / HTTP/1.1\r\nA B: c\r\n\r\n", "G\x01T / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n"})
    EXPECT_EQ(parse_request(bad, r), ParseState::kBad) << bad;
  EXPECT_EQ(parse_request("GET /" + std::string(kHeadBytesMax, 'a'), r), ParseState::kBad);
}

TEST(Message, ABodyHasADeclaredAndBoundedLength) {
  Request r;
  const std::string head = "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ";
  EXPECT_EQ(parse_request(head + "5\r\n\r\nhel", r), ParseState::kNeedMore);
  EXPECT_EQ(parse_request(head + "5\r\n\r\nhello and more", r), ParseState::kDone);
  EXPECT_EQ(r.body, "hello");
  EXPECT_EQ(parse_request(head + "0\r\n\r\n", r), ParseState::kDone);
  EXPECT_EQ(r.body, "");
  for (const char* bad : {"-1", "5x", "99999999999999999999999", "65537"}) EXPECT_EQ(parse_request(head + bad + "\r\n\r\nhello", r), ParseState::kBad) << bad;
  EXPECT_EQ(parse_request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", r), ParseState::kBad);
}

TEST(Message, AnyBytesAreSafe) {
  std::mt19937 random(5);
  const std::string good = "GET /v1/job HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (unsigned i = 0; i <= random() % 4; ++i) text[random() % text.size()] = static_cast<char>(random());
    Request r;
    (void)parse_request(text, r);
    (void)is_foreign(r);
  }
}

TEST(Message, PagesOfOtherSitesAreRefused) {
  const auto foreign = [](std::string host, std::string origin) {
    Request r;
    r.headers["host"] = std::move(host);
    if (!origin.empty()) r.headers["origin"] = std::move(origin);
    return is_foreign(r);
  };
  EXPECT_FALSE(foreign("127.0.0.1:8081", ""));
  EXPECT_FALSE(foreign("localhost", "http://localhost"));
  EXPECT_FALSE(foreign("[::1]:8081", ""));
  EXPECT_TRUE(foreign("evil.example", ""));
  EXPECT_TRUE(foreign("localhost.evil.example", ""));
  EXPECT_TRUE(foreign("", ""));
  EXPECT_TRUE(foreign("localhost:8081", "http://evil.example"));
  EXPECT_TRUE(foreign("localhost:8081", "null"));
}

TEST(Address, ThisMachineOnly) {
  EXPECT_EQ(parse_listen_address("").value().port, 8081);
  EXPECT_EQ(parse_listen_address("9000").value().port, 9000);
  EXPECT_EQ(parse_listen_address(":9000").value().host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("[::1]:9000").value().host, "::1");
  EXPECT_EQ(parse_listen_address("0.0.0.0:9000").error().code, ErrorCode::kNotAllowed);
  EXPECT_EQ(parse_listen_address("example.org:80").error().code, ErrorCode::kNotAllowed);
  for (const std::string_view bad : {"x", "127.0.0.1:", "70000", "80x", "-1"}) EXPECT_EQ(parse_listen_address(bad).error().code, ErrorCode::kUsage) << bad;
}

/// Sends `request` to the port and returns all that comes back.
std::string ask(std::uint16_t port, std::string_view request) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) {
    (void)::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char chunk[4096];
    for (ssize_t n = 0; (n = ::recv(fd, chunk, sizeof chunk, 0)) > 0;) answer.append(chunk, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return answer;
}

TEST(Server, AnswersAndRefuses) {
  env::RealEnv real;
  auto server = HttpServer::start(real.env(), {.port = 0}, [](const Request& r) { return Response{200, "text/plain", r.path + std::string(200'000, 'x')}; });
  ASSERT_TRUE(server) << server.error().to_string();
  const std::uint16_t port = (*server)->port();
  const std::string good = ask(port, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(good, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(good, HasSubstr("\r\n\r\n/axxx"));
  EXPECT_GT(good.size(), 200'000u);
  EXPECT_LT(ask(port, "HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n").size(), 400u);
  EXPECT_THAT(ask(port, "POST /a HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask(port, "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(port, "nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  const auto second = HttpServer::start(real.env(), {.port = port}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAddressInUse);
}

TEST(Server, WritesOnlyWhereItIsTold) {
  env::RealEnv real;
  const auto echo = [](const Request& r) { return Response{201, "text/plain", r.method + " " + r.body}; };
  auto server = HttpServer::start(real.env(), {.port = 0}, echo, {.writes = true});
  ASSERT_TRUE(server) << server.error().to_string();
  const std::string big(40'000, 'x');
  const std::string answer = ask((*server)->port(), "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n" + big);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 201 Created\r\n"));
  EXPECT_TRUE(answer.ends_with("POST " + big));
  EXPECT_THAT(ask((*server)->port(), "DELETE /a HTTP/1.1\r\nHost: localhost\r\n\r\n"), HasSubstr("DELETE "));
  EXPECT_THAT(ask((*server)->port(), "PUT /a HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask((*server)->port(), "POST /a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n"), StartsWith("HTTP/1.1 403"));
}

TEST(Metrics, ArePrometheusText) {
  runtime::JobStats stats;
  stats.state = runtime::JobState::kRunning;
  stats.rows_in = 12;
  runtime::NodeStats node;
  node.name = "Scan \"a\"\\\n";
  stats.nodes.push_back(node);
  const std::string text = metrics_text(stats, nullptr);
  EXPECT_THAT(text, HasSubstr("# TYPE supyo_rows_in_total counter\nsupyo_rows_in_total 12\n"));
  EXPECT_THAT(text, HasSubstr("supyo_job_state{state=\"RUNNING\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("operator=\"Scan \\\"a\\\"\\\\\\n\""));
}

/// A judged job in which everything has happened once.
struct Judged {
  Judged() : judge(objectives(), {}) {
    const TimeUs t = 1'700'000'000 * kSecond;
    const std::vector<TimeUs> times(10, t);
    const std::vector<std::uint64_t> ids{1, 1};
    judge.started({.source_splits = 1}, t);
    judge.taken({.epoch = Epoch{1}, .event_us = times, .produce_us = times, .now_us = t});
    judge.sink_identities(Epoch{1}, ids);
    judge.epoch_cut(Epoch{1}, t, t + 1);
    judge.epoch_final(Epoch{1}, t + 2);
    judge.epoch_visible(Epoch{1}, t + 3);
    judge.lags(0, 5, 3, false, t + 4);
    judge.count_lost(2, t + 5);
    judge.advance(t + 2 * kSecond);
    stats.now_us = t + 2 * kSecond;
    stats.watermark_us = t;
    stats.epochs.last_visible_at_us = t;
    stats.shards.resize(2);
    stats.nodes.push_back({.name = "Scan \"a\"\\\n", .uid = "1", .watermark_us = t});
    stats.nodes.push_back({.name = "Deduplicate(keep=[FirstRow], key=[id], order=[PROCTIME])", .uid = "2", .rows_in = 100, .rows_out = 97, .watermark_us = t});
  }
  static slo::Objectives objectives() {
    slo::Objectives all;
    for (const char* example : {"product", "orders"}) {
      const auto o = slo::parse_openslo(text_of(std::string("examples/") + example + "/slo.yaml"), "slo.yaml");
      EXPECT_TRUE(o);
      all.items.insert(all.items.end(), o->items.begin(), o->items.end());
    }
    return all;
  }
  static std::string text_of(const std::string& path) {
    std::ifstream in(std::string(SUPYO_SOURCE_DIR) + "/" + path);
    EXPECT_TRUE(in) << path;
    return {std::istreambuf_iterator<char>(in), {}};
  }
  slo::Judge judge;
  runtime::JobStats stats;
};

TEST(Metrics, EveryDeclaredOneIsOnThePageOfAJudgedJob) {
  const Judged j;
  const std::string text = metrics_text(j.stats, &j.judge);
  std::set<std::string_view> names;
  for (const MetricDeclaration& m : job_metrics()) {
    EXPECT_TRUE(names.insert(m.name).second) << m.name;
    EXPECT_THAT(text, HasSubstr(fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0}", m.name, m.help, m.type)));
    EXPECT_EQ(m.name.ends_with("_total"), m.type == "counter") << m.name;
    if (!m.labels.empty()) EXPECT_THAT(text, HasSubstr(fmt::format("\n{}{{{}=\"", m.name, m.labels.substr(0, m.labels.find(','))))) << m.name;
  }
  EXPECT_THAT(text, HasSubstr("supyo_slo_events_total{objective=\"end-to-end-latency\",service=\"product-pipeline\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("supyo_lost_records_total 2\n"));
  EXPECT_THAT(text, HasSubstr("supyo_duplicate_rows_total 1\n"));
  EXPECT_THAT(text, HasSubstr("supyo_duplicates_removed_total{operator=\"Deduplicate(keep=[FirstRow], key=[id], order=[PROCTIME])\",uid=\"2\"} 3\n")) << "the raw duplicates";
}

TEST(Metrics, PromtoolFindsNoFault) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  const Judged j;
  FILE* promtool = ::popen("promtool check metrics 2>&1", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = metrics_text(j.stats, &j.judge);
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(::pclose(promtool), 0);
}

TEST(Metrics, OpenMetricsIsTheSameByItsRules) {
  EXPECT_EQ(openmetrics_text("# HELP a_total How many.\n# TYPE a_total counter\na_total{b=\"# TYPE c_total counter\"} 1\n# HELP d What.\n# TYPE d gauge\nd 2\n"),
            "# HELP a How many.\n# TYPE a counter\na_total{b=\"# TYPE c_total counter\"} 1\n# HELP d What.\n# TYPE d gauge\nd 2\n# EOF\n");
  Request r;
  EXPECT_EQ(metrics_response(r, "x 1\n").type, "text/plain; version=0.0.4; charset=utf-8");
  r.headers["accept"] = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  EXPECT_EQ(metrics_response(r, "x 1\n").body, "x 1\n# EOF\n");
  EXPECT_THAT(metrics_response(r, "x 1\n").type, StartsWith("application/openmetrics-text; version=1.0.0"));
}

TEST(Metrics, ReferenceIsCurrent) {
  const std::string path = std::string(SUPYO_SOURCE_DIR) + "/docs/reference/metrics.md";
  const std::string text = Judged::text_of("docs/reference/metrics.md");
  constexpr std::string_view kBegin = "<!-- generated: SUPYO_UPDATE=1 supyo_serve_http_test -->\n", kEnd = "\n<!-- end of what is generated -->";
  const auto from = text.find(kBegin), to = text.find(kEnd);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos);
  const std::string want = job_metrics_reference();
  if (std::getenv("SUPYO_UPDATE") != nullptr) {
    std::ofstream(path) << text.substr(0, from + kBegin.size()) << want << text.substr(to);
    return;
  }
  EXPECT_EQ(text.substr(from + kBegin.size(), to - from - kBegin.size()), want) << "SUPYO_UPDATE=1 writes it";
  // What the other commands export is described by hand; nothing that the sources name may be missing.
  static const std::regex metric("\"(supyo_(?:topic|consumer|consumergroup|broker|generat|watch)[a-z0-9_]*)\"");
  for (const char* file : {"serve/watch/render.cc", "serve/broker/metrics.cc", "cli/broker.cc", "cli/consume.cc", "cli/gen_serve.cc"}) {
    const std::string source = Judged::text_of(std::string("src/") + file);
    for (std::sregex_iterator m(source.begin(), source.end(), metric), end; m != end; ++m) EXPECT_THAT(text, HasSubstr((*m)[1].str())) << file;
  }
}

}  // namespace
}  // namespace supyo::http
