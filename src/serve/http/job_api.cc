#include "serve/http/job_api.h"

#include <fmt/format.h>

#include <cmath>

namespace supyo::http {
namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_number(double v) { return std::isfinite(v) ? fmt::format("{:.9g}", v) : "null"; }

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }

}  // namespace

std::string slo_json(const slo::Judge& judge) {
  const slo::Decision d = judge.decision();
  std::string reasons, tickets, objectives;
  for (const auto& r : d.reasons) reasons += (reasons.empty() ? "" : ",") + json_text(r);
  for (const auto& t : d.tickets)
    tickets += fmt::format("{}{{\"rule\":{},\"evidence\":{},\"next_step\":{}}}", tickets.empty() ? "" : ",", json_text(t.rule), json_text(t.evidence), json_text(t.next_step));
  const auto statuses = judge.objectives();
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const auto& o = statuses[i];
    objectives += fmt::format("{}{{\"name\":{},\"objective\":{},\"judged\":{},\"breached\":{},\"good\":{},\"bad\":{},\"budget_left\":{}}}", i > 0 ? "," : "", json_text(o.name),
                              json_text(judge.declared().items[i].sentence()), o.judged, o.breached, o.window.good, o.window.bad, json_number(o.budget_left));
  }
  return fmt::format("{{\"state\":\"{}\",\"since_s\":{},\"reasons\":[{}],\"tickets\":[{}],\"objectives\":[{}],\"lag\":{{\"committed\":{},\"fetched\":{},\"raw_alarm\":{},\"burrow\":\"{}\"}}}}",
                     slo::state_name(d.state), json_number(seconds(d.since_us)), reasons, tickets, objectives, json_number(d.lag_committed), json_number(d.lag_fetched), d.raw_alarm,
                     slo::burrow_status_name(d.burrow));
}

HttpServer::Handler make_job_api(const runtime::JobRunner& runner, const slo::Judge* judge) {
  return [&runner, judge](const Request& request) -> Response {
    if (request.path == "/")
      return {200, "text/plain; charset=utf-8", "Supyo\n  /healthz  is it there\n  /metrics  Prometheus\n  /v1/job   the job's counters\n  /v1/slo   the objectives and the decision\n"};
    if (request.path == "/healthz") {
      const runtime::JobState state = runner.stats().state;
      return state == runtime::JobState::kFailed ? problem(503, "FAILED") : Response{200, "text/plain; charset=utf-8", "ok\n"};
    }
    if (request.path == "/metrics") return metrics_response(request, metrics_text(runner.stats(), judge));
    if (request.path == "/v1/job") return {200, "application/json", runtime::to_json(runner.stats()) + "\n"};
    if (request.path == "/v1/slo" && judge != nullptr) return {200, "application/json", slo_json(*judge) + "\n"};
    if (request.path == "/v1/slo") return problem(404, "this job is not judged: start it with --slo FILE");
    return problem(404, "there is no such page; / lists them");
  };
}

}  // namespace supyo::http
