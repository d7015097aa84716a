#include "serve/http/job_api.h"

#include <map>
#include <memory>

#include "serve/http/dashboard.h"

namespace supyo::http {
namespace {

/// Answers of the last second, by what was asked: however many look on, the job is asked once a second. The server's one thread.
class Answers {
 public:
  explicit Answers(const env::Clock& clock) : clock_(clock) {}
  template <class Make>
  Response json(const Request& request, Make make) {
    const TimeUs now = clock_.monotonic_us();
    std::erase_if(kept_, [&](const auto& k) { return now - k.second.at >= kFor; });
    const std::string key = request.path + '?' + request.query;
    if (const auto found = kept_.find(key); found != kept_.end()) return {200, "application/json", found->second.body};
    Result<std::string> body = make();
    if (!body) return problem(400, body.error().message + (body.error().hint.empty() ? "" : ": " + body.error().hint));
    *body += '\n';
    if (kept_.size() < kMost) kept_.emplace(key, Kept{now, *body});
    return {200, "application/json", std::move(*body)};
  }

 private:
  static constexpr DurationUs kFor = 900 * kMillisecond;
  static constexpr std::size_t kMost = 16;
  struct Kept {
    TimeUs at = 0;
    std::string body;
  };
  const env::Clock& clock_;
  std::map<std::string, Kept> kept_;
};

constexpr std::string_view kPolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::string_view kPages = "/  the dashboard\n/healthz  is it there\n/metrics  Prometheus\n/v1/job  the job's counters\n/v1/slo  objectives, decision, causes\n"
                                    "/v1/series?from=-900&to=0&step=5  what the judge recorded\n/v1/graph  /v1/epochs  /v1/results  /v1/loss\n/v1/dashboard?from=..&to=..&step=..  all of it\n";

Response answer(const JobPage& page, Answers& answers, const Request& request) {
  const auto& [clock, runner, judge, newest, brokers] = page;
  if (request.path == "/") return {200, "text/html; charset=utf-8", std::string(dashboard_html()), std::string(kPolicy)};
  if (request.path == "/v1" || request.path == "/v1/") return {200, "text/plain; charset=utf-8", std::string(kPages)};
  if (request.path == "/healthz") {
    const runtime::JobState state = runner.stats().state;
    return state == runtime::JobState::kFailed ? problem(503, "FAILED") : Response{200, "text/plain; charset=utf-8", "ok\n"};
  }
  if (request.path == "/metrics") return metrics_response(request, metrics_text(runner.stats(), judge));
  if (request.path == "/v1/job") return {200, "application/json", runtime::to_json(runner.stats()) + "\n"};
  if (request.path == "/v1/graph") return answers.json(request, [&] { return Result<std::string>(graph_json(page.runner)); });
  if (request.path == "/v1/epochs") return answers.json(request, [&] { return Result<std::string>(epochs_json(page.runner)); });
  if (request.path == "/v1/results" && newest != nullptr) return answers.json(request, [&] { return Result<std::string>(results_json(page.runner, *page.newest)); });
  if (request.path == "/v1/loss" && brokers != nullptr) return answers.json(request, [&] { return Result<std::string>(loss_json(*page.brokers->report())); });
  const bool range = request.path == "/v1/dashboard" || request.path == "/v1/series";
  if (judge == nullptr && (request.path == "/v1/slo" || request.path == "/v1/series")) return problem(404, "this job is not judged: start it with --slo FILE");
  if (request.path == "/v1/slo") return answers.json(request, [&] { return Result<std::string>(slo_json(*page.judge)); });
  if (!range) return problem(404, "there is no such page; /v1/ lists them");
  return answers.json(request, [&]() -> Result<std::string> {
    SUPYO_ASSIGN(const TimeWindow window, parse_window(request.query));
    if (request.path == "/v1/dashboard") return dashboard_json(page, window, true);
    if (page.judge->sampled_us() == 0) return Result<std::string>("null");
    return series_json(*page.judge, window);
  });
}

}  // namespace

HttpServer::Handler make_job_api(const JobPage& page) {
  return [page, answers = std::make_shared<Answers>(page.clock)](const Request& request) { return answer(page, *answers, request); };
}

}  // namespace supyo::http
