#include "serve/http/watch_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "serve/http/embedded.h"
#include "serve/watch/render.h"

namespace supyo::http {
namespace {

constexpr std::size_t kScraperMax = 60;

/// What is known of those who read /metrics: one server thread.
struct Scrapes {
  std::uint64_t count = 0;
  std::string by;               ///< "Prometheus/2.42.0", as it calls itself; only what is harmless in JSON
  TimeUs last_us = 0;
  DurationUs every_us = 0;
  std::size_t samples = 0;
};

void note_scrape(Scrapes& s, const Request& request, std::string_view text, TimeUs now) {
  s.by.clear();
  for (const char c : request.header("user-agent").substr(0, kScraperMax))
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == ' ' || c == '-' || c == '+') s.by += c;
  if (s.count > 0) s.every_us = now - s.last_us;
  s.last_us = now;
  ++s.count;
  s.samples = 0;
  for (std::size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size() - 1) + 1) s.samples += text[at] != '#' ? 1 : 0;
}

std::string flows(const watch::View& view, const Scrapes& s, TimeUs now) {
  std::string text = watch::flows_json(view);
  text.pop_back();   // the object's end
  const auto seconds = [](DurationUs us) { return static_cast<double>(us) / kSecond; };
  return text + fmt::format(",\"metrics\":{{\"scrapes\":{},\"by\":\"{}\",\"every_s\":{},\"samples\":{},\"last_s\":{}}}}}\n", s.count, s.by, s.count > 1 ? fmt::format("{:.2f}", seconds(s.every_us)) : "null", s.samples,
                            s.count > 0 ? fmt::format("{:.2f}", seconds(now - s.last_us)) : "null");
}

}  // namespace

HttpServer::Handler make_watch_api(const env::Clock& clock, std::function<watch::View()> view, std::function<std::string()> more_metrics) {
  return [&clock, view = std::move(view), more = std::move(more_metrics), scrapes = std::make_shared<Scrapes>()](const Request& request) -> Response {
    if (request.path == "/")
      return {200, "text/html; charset=utf-8", std::string(embedded::k_web_flows_html), "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"};
    if (request.path == "/healthz") return {200, "text/plain; charset=utf-8", "ok\n"};
    if (request.path == "/metrics") {
      std::string text = watch::metrics_text(view()) + (more ? more() : std::string());
      note_scrape(*scrapes, request, text, clock.monotonic_us());
      return {200, "text/plain; version=0.0.4; charset=utf-8", std::move(text)};
    }
    if (request.path == "/v1/flows") return {200, "application/json", flows(view(), *scrapes, clock.monotonic_us())};
    return problem(404, "there is no such page: /, /metrics, /v1/flows, /healthz");
  };
}

}  // namespace supyo::http
