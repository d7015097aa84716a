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

/// Label values are data from outside: table and column names, objectives.
std::string label(std::string_view name, std::string_view value) {
  std::string out = fmt::format("{}=\"", name);
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out + '"';
}

class MetricsWriter {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) { out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type); }
  void sample(std::string_view name, double value, std::string_view labels = {}) {
    const std::string number = std::isnan(value) ? "NaN" : std::isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : fmt::format("{:.15g}", value);
    out_ += labels.empty() ? fmt::format("{} {}\n", name, number) : fmt::format("{}{{{}}} {}\n", name, labels, number);
  }
  void one(std::string_view name, std::string_view type, std::string_view help, double value) {
    family(name, type, help);
    sample(name, value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }
double number(std::uint64_t n) { return static_cast<double>(n); }

void job_metrics(MetricsWriter& out, const runtime::JobStats& s) {
  out.family("supyo_job_state", "gauge", "1 for the state that the job is in.");
  for (const auto state : {runtime::JobState::kCreated, runtime::JobState::kRunning, runtime::JobState::kRestarting, runtime::JobState::kStopping, runtime::JobState::kDraining,
                           runtime::JobState::kFinished, runtime::JobState::kStopped, runtime::JobState::kFailed})
    out.sample("supyo_job_state", state == s.state ? 1 : 0, label("state", runtime::job_state_text(state)));
  out.one("supyo_rows_in_total", "counter", "Rows taken from all sources.", number(s.rows_in));
  out.one("supyo_rows_out_total", "counter", "Rows written to all sinks.", number(s.rows_out));
  out.one("supyo_rows_late_total", "counter", "Rows dropped as too late, once per window.", number(s.late));
  out.one("supyo_rows_dead_total", "counter", "Records that could not become rows.", number(s.dead));
  out.one("supyo_rows_behind_total", "counter", "Rows behind the watermark of their split.", number(s.behind));
  out.one("supyo_restarts_total", "counter", "Restarts inside the process.", number(s.restarts));
  if (s.watermark_us != kTimeMin && s.watermark_us != kTimeMax)
    out.one("supyo_watermark_timestamp_seconds", "gauge", "Lowest watermark over the sources, event time.", seconds(s.watermark_us));
  out.one("supyo_epochs_completed_total", "counter", "Epochs that became visible.", number(s.epochs.completed));
  out.one("supyo_epochs_failed_total", "counter", "Epochs that failed.", number(s.epochs.failed));
  out.one("supyo_epoch_duration_seconds", "gauge", "Last epoch, from its trigger until it was durable.", seconds(s.epochs.last_duration_us));
  out.one("supyo_epoch_commit_seconds", "gauge", "Last epoch, from durable until readers saw it.", seconds(s.epochs.last_commit_us));
  if (s.epochs.last_visible_at_us > 0)
    out.one("supyo_last_commit_timestamp_seconds", "gauge", "When the last epoch became visible, wall clock.", seconds(s.epochs.last_visible_at_us));
  const auto shards = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    out.family(name, type, help);
    for (std::size_t i = 0; i < s.shards.size(); ++i) out.sample(name, value(s.shards[i]), label("shard", std::to_string(i)));
  };
  shards("supyo_shard_busy_seconds_total", "counter", "Time that the shard worked.", [](const auto& x) { return seconds(x.busy_us); });
  shards("supyo_shard_idle_seconds_total", "counter", "Time that the shard had nothing to do.", [](const auto& x) { return seconds(x.idle_us); });
  shards("supyo_shard_backpressured_seconds_total", "counter", "Time that the shard had input and no room downstream.", [](const auto& x) { return seconds(x.backpressured_us); });
  shards("supyo_state_bytes", "gauge", "State of the shard as of the last epoch.", [](const auto& x) { return number(x.state_bytes); });
  shards("supyo_state_entries", "gauge", "Entries of the shard's state as of the last epoch.", [](const auto& x) { return number(x.state_entries); });
  out.family("supyo_operator_rows_out_total", "counter", "Rows that each operator gave.");
  for (const auto& node : s.nodes) out.sample("supyo_operator_rows_out_total", number(node.rows_out), label("operator", node.name) + "," + label("uid", node.uid));
}

void slo_metrics(MetricsWriter& out, const slo::Judge& judge, TimeUs now) {
  static constexpr std::string_view kQuantiles[] = {"0.5", "0.95", "0.99"};
  const auto latency = judge.latency_quantiles(now - kMinute, now, {0.5, 0.95, 0.99});
  out.family("supyo_e2e_latency_seconds", "gauge", "From event time until readers saw the record, over what became visible in the last minute.");
  for (std::size_t i = 0; i < latency.size() && i < std::size(kQuantiles); ++i) {
    if (latency[i] >= 0) out.sample("supyo_e2e_latency_seconds", seconds(latency[i]), label("quantile", kQuantiles[i]));
  }
  const slo::Decision decision = judge.decision();
  out.family("supyo_slo_state", "gauge", "1 for the state that the objectives put the pipeline in; consumer lag takes no part in it.");
  for (const auto state : {slo::State::kOk, slo::State::kAtRisk, slo::State::kIncident, slo::State::kUnknown})
    out.sample("supyo_slo_state", state == decision.state ? 1 : 0, label("state", slo::state_name(state)));
  const std::vector<slo::ObjectiveStatus> objectives = judge.objectives();
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, "gauge", help);
    for (const auto& o : objectives) out.sample(name, value(o), label("objective", o.name));
  };
  each("supyo_slo_good_records", "Good records (or time slices) in the objective's window.", [](const auto& o) { return number(o.window.good); });
  each("supyo_slo_bad_records", "Bad ones.", [](const auto& o) { return number(o.window.bad); });
  each("supyo_slo_budget_left_ratio", "Share of the window's error budget that is left; below 0 when broken.", [](const auto& o) { return o.budget_left; });
  each("supyo_slo_breached", "1 while the objective is broken.", [](const auto& o) { return o.breached ? 1.0 : 0.0; });
  out.family("supyo_lag_records", "gauge", "Consumer lag, beside the verdict and without part in it.");
  out.sample("supyo_lag_records", decision.lag_committed, label("kind", "committed"));
  out.sample("supyo_lag_records", decision.lag_fetched, label("kind", "fetched"));
}

}  // namespace

std::string metrics_text(const runtime::JobStats& stats, const slo::Judge* judge) {
  MetricsWriter out;
  job_metrics(out, stats);
  if (judge != nullptr) slo_metrics(out, *judge, stats.now_us);
  return out.take();
}

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
    if (request.path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(runner.stats(), judge)};
    if (request.path == "/v1/job") return {200, "application/json", runtime::to_json(runner.stats()) + "\n"};
    if (request.path == "/v1/slo" && judge != nullptr) return {200, "application/json", slo_json(*judge) + "\n"};
    if (request.path == "/v1/slo") return problem(404, "this job is not judged: start it with --slo FILE");
    return problem(404, "there is no such page; / lists them");
  };
}

}  // namespace supyo::http
