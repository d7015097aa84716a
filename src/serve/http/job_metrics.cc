#include "serve/http/job_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/check.h"

namespace supyo::http {
namespace {

constexpr MetricDeclaration kMetrics[] = {
    {"supyo_job_state", "gauge", "state", "1 for the state that the job is in.", "Job"},
    {"supyo_job_started_timestamp_seconds", "gauge", "", "When the process started the job, wall clock.", "Job"},
    {"supyo_rows_in_total", "counter", "", "Rows taken from all sources: throughput by rate().", "Job"},
    {"supyo_rows_out_total", "counter", "", "Rows written to all sinks.", "Job"},
    {"supyo_rows_late_total", "counter", "", "Rows dropped as too late, once per window.", "Job"},
    {"supyo_rows_dead_total", "counter", "", "Records that could not become rows.", "Job"},
    {"supyo_rows_behind_total", "counter", "", "Rows behind the watermark of their split.", "Job"},
    {"supyo_restarts_total", "counter", "", "Restarts inside the process.", "Job"},
    {"supyo_watermark_timestamp_seconds", "gauge", "", "Lowest watermark over the sources, event time.", "Job"},
    {"supyo_watermark_lag_seconds", "gauge", "", "Now less the lowest watermark over the sources.", "Job"},
    {"supyo_epochs_completed_total", "counter", "", "Epochs that became visible.", "Epochs (checkpoints)"},
    {"supyo_epochs_failed_total", "counter", "", "Epochs that failed.", "Epochs (checkpoints)"},
    {"supyo_epoch_duration_seconds", "gauge", "", "Last epoch, from its trigger until it was durable.", "Epochs (checkpoints)"},
    {"supyo_epoch_duration_max_seconds", "gauge", "", "Longest of them since the process started.", "Epochs (checkpoints)"},
    {"supyo_epoch_duration_seconds_total", "counter", "", "Sum over all epochs: divided by the epochs completed it is the mean.", "Epochs (checkpoints)"},
    {"supyo_epoch_commit_seconds", "gauge", "", "Last epoch, from durable until readers saw it.", "Epochs (checkpoints)"},
    {"supyo_epoch_size_bytes", "gauge", "", "Journal record of the last epoch.", "Epochs (checkpoints)"},
    {"supyo_last_commit_timestamp_seconds", "gauge", "", "When the last epoch became visible, wall clock.", "Epochs (checkpoints)"},
    {"supyo_shard_busy_seconds_total", "counter", "shard", "Time that the shard worked.", "Shards and operators"},
    {"supyo_shard_idle_seconds_total", "counter", "shard", "Time that the shard had nothing to do.", "Shards and operators"},
    {"supyo_shard_backpressured_seconds_total", "counter", "shard", "Time that the shard had input and no room downstream.", "Shards and operators"},
    {"supyo_state_bytes", "gauge", "shard", "State of the shard as of the last epoch.", "Shards and operators"},
    {"supyo_state_entries", "gauge", "shard", "Entries of the shard's state as of the last epoch.", "Shards and operators"},
    {"supyo_operator_rows_in_total", "counter", "operator, uid", "Rows that each operator took.", "Shards and operators"},
    {"supyo_operator_rows_out_total", "counter", "operator, uid", "Rows that each operator gave.", "Shards and operators"},
    {"supyo_duplicates_removed_total", "counter", "operator, uid", "Rows that a deduplication (the first of a key) had seen before; of the operator's supyo_operator_rows_in_total they are the raw duplicate rate.", "Shards and operators"},
    {"supyo_operator_watermark_timestamp_seconds", "gauge", "operator, uid", "Watermark of each operator, lowest over the shards.", "Shards and operators"},
    {"supyo_e2e_latency_seconds", "summary", "quantile", "From event time until readers saw the record, over what became visible in the last minute.", "End to end (with objectives)"},
    {"supyo_pipeline_delay_seconds", "summary", "quantile", "The same from the time the record was produced.", "End to end (with objectives)"},
    {"supyo_stream_lag_seconds", "summary", "quantile", "From event time until the record was taken in, over the last minute; where an objective is about stream_lag.", "End to end (with objectives)"},
    {"supyo_checkpoint_duration_seconds", "summary", "quantile", "Epochs from their cut until they were durable, over the last ten minutes.", "End to end (with objectives)"},
    {"supyo_stage_latency_seconds", "gauge", "stage", "Mean over the records of the last minute, by where the time went: source, log, interval, watermark, epoch, commit. They add up to the mean end-to-end latency.", "End to end (with objectives)"},
    {"supyo_freshness_seconds", "gauge", "form", "Now less the newest visible event time: proved (worst split; one that was polled to its end is current) and naive (newest of all). Absent while nobody knows.", "End to end (with objectives)"},
    {"supyo_split_freshness_seconds", "gauge", "split", "The proved form of each source split (the first 512): the one that stalls stands out.", "End to end (with objectives)"},
    {"supyo_unfinished_records", "gauge", "", "Records taken that no reader can see yet.", "End to end (with objectives)"},
    {"supyo_unfinished_age_seconds", "gauge", "", "Age of the oldest of them, by produce time.", "End to end (with objectives)"},
    {"supyo_finished_records_total", "counter", "", "Records that became visible.", "End to end (with objectives)"},
    {"supyo_lost_records_total", "counter", "", "Records known to be gone before they were read.", "End to end (with objectives)"},
    {"supyo_duplicate_rows_total", "counter", "", "Results visible twice, by the identity that the objectives name or by a reader.", "End to end (with objectives)"},
    {"supyo_lag_records", "gauge", "kind", "Consumer lag (committed, fetched), beside the verdict and without part in it.", "End to end (with objectives)"},
    {"supyo_lag_alarm", "gauge", "rule", "1 while a lag alarm would fire: raw (a threshold held for a minute), burrow (its rules on commits). They take no part in the verdict.", "End to end (with objectives)"},
    {"supyo_slo_state", "gauge", "state", "1 for the state that the objectives put the pipeline in; consumer lag takes no part in it.", "Objectives"},
    {"supyo_slo_events_total", "counter", "objective, service", "Events judged: records, results, time slices or epochs. Starts at zero with the process, never goes back.", "Objectives"},
    {"supyo_slo_bad_events_total", "counter", "objective, service", "Bad ones of them.", "Objectives"},
    {"supyo_slo_unfinished_events", "gauge", "objective, service", "Events under way, which count at their age.", "Objectives"},
    {"supyo_slo_unfinished_bad_events", "gauge", "objective, service", "Those that are bad already.", "Objectives"},
    {"supyo_slo_judged", "gauge", "objective, service", "1 when enough was seen to say how the objective stands.", "Objectives"},
    {"supyo_slo_target_ratio", "gauge", "objective, service", "Share that has to be good.", "Objectives"},
    {"supyo_slo_window_seconds", "gauge", "objective, service", "Its window.", "Objectives"},
    {"supyo_slo_good_records", "gauge", "objective, service", "Good events in the objective's window.", "Objectives"},
    {"supyo_slo_bad_records", "gauge", "objective, service", "Bad ones.", "Objectives"},
    {"supyo_slo_budget_left_ratio", "gauge", "objective, service", "Share of the window's error budget that is left; below 0 when broken.", "Objectives"},
    {"supyo_slo_breached", "gauge", "objective, service", "1 while the objective is broken.", "Objectives"},
    {"supyo_slo_alert", "gauge", "objective, service, burn", "1 while the burn-rate alert fires.", "Objectives"},
};

const MetricDeclaration& declared(std::string_view name) {
  const auto* found = std::find_if(std::begin(kMetrics), std::end(kMetrics), [&](const MetricDeclaration& m) { return m.name == name; });
  SUPYO_CHECK(found != std::end(kMetrics));
  return *found;
}

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

/// Writes families one after another; a family's HELP and TYPE come with its first sample, so one without samples is absent.
class MetricsWriter {
 public:
  void sample(std::string_view name, double value, std::string_view labels = {}) {
    if (name != last_) {
      const MetricDeclaration& m = declared(name);
      out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, m.help, name, m.type);
      last_ = m.name;
    }
    const std::string number = std::isnan(value) ? "NaN" : std::isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : fmt::format("{:.15g}", value);
    out_ += labels.empty() ? fmt::format("{} {}\n", name, number) : fmt::format("{}{{{}}} {}\n", name, labels, number);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string_view last_;
  std::string out_;
};

constexpr std::size_t kMostSplits = 512;   // labels are bounded

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }
double number(std::uint64_t n) { return static_cast<double>(n); }
bool is_time(TimeUs t) { return t != kTimeMin && t != kTimeMax; }

void write_job(MetricsWriter& out, const runtime::JobStats& s) {
  for (const auto state : {runtime::JobState::kCreated, runtime::JobState::kRunning, runtime::JobState::kRestarting, runtime::JobState::kStopping, runtime::JobState::kDraining,
                           runtime::JobState::kFinished, runtime::JobState::kStopped, runtime::JobState::kFailed})
    out.sample("supyo_job_state", state == s.state ? 1 : 0, label("state", runtime::job_state_text(state)));
  out.sample("supyo_job_started_timestamp_seconds", seconds(s.started_us));
  out.sample("supyo_rows_in_total", number(s.rows_in));
  out.sample("supyo_rows_out_total", number(s.rows_out));
  out.sample("supyo_rows_late_total", number(s.late));
  out.sample("supyo_rows_dead_total", number(s.dead));
  out.sample("supyo_rows_behind_total", number(s.behind));
  out.sample("supyo_restarts_total", number(s.restarts));
  if (is_time(s.watermark_us)) {
    out.sample("supyo_watermark_timestamp_seconds", seconds(s.watermark_us));
    out.sample("supyo_watermark_lag_seconds", seconds(s.now_us - s.watermark_us));
  }
  out.sample("supyo_epochs_completed_total", number(s.epochs.completed));
  out.sample("supyo_epochs_failed_total", number(s.epochs.failed));
  out.sample("supyo_epoch_duration_seconds", seconds(s.epochs.last_duration_us));
  out.sample("supyo_epoch_duration_max_seconds", seconds(s.epochs.duration_max_us));
  out.sample("supyo_epoch_duration_seconds_total", seconds(s.epochs.duration_sum_us));
  out.sample("supyo_epoch_commit_seconds", seconds(s.epochs.last_commit_us));
  out.sample("supyo_epoch_size_bytes", number(s.epochs.last_bytes));
  if (s.epochs.last_visible_at_us > 0) out.sample("supyo_last_commit_timestamp_seconds", seconds(s.epochs.last_visible_at_us));
}

void write_parts(MetricsWriter& out, const runtime::JobStats& s) {
  const auto shards = [&](std::string_view name, auto value) {
    for (std::size_t i = 0; i < s.shards.size(); ++i) out.sample(name, value(s.shards[i]), label("shard", std::to_string(i)));
  };
  shards("supyo_shard_busy_seconds_total", [](const auto& x) { return seconds(x.busy_us); });
  shards("supyo_shard_idle_seconds_total", [](const auto& x) { return seconds(x.idle_us); });
  shards("supyo_shard_backpressured_seconds_total", [](const auto& x) { return seconds(x.backpressured_us); });
  shards("supyo_state_bytes", [](const auto& x) { return number(x.state_bytes); });
  shards("supyo_state_entries", [](const auto& x) { return number(x.state_entries); });
  const auto nodes = [&](std::string_view name, auto has, auto value) {
    for (const auto& node : s.nodes) if (has(node)) out.sample(name, value(node), label("operator", node.name) + "," + label("uid", node.uid));
  };
  const auto always = [](const auto&) { return true; };
  nodes("supyo_operator_rows_in_total", always, [](const auto& n) { return number(n.rows_in); });
  nodes("supyo_operator_rows_out_total", always, [](const auto& n) { return number(n.rows_out); });
  nodes("supyo_duplicates_removed_total", [](const auto& n) { return n.name.starts_with("Deduplicate(keep=[FirstRow]"); },
        [](const auto& n) { return number(n.rows_in - std::min(n.rows_out, n.rows_in)); });
  nodes("supyo_operator_watermark_timestamp_seconds", [](const auto& n) { return is_time(n.watermark_us); }, [](const auto& n) { return seconds(n.watermark_us); });
}

void write_end_to_end(MetricsWriter& out, const slo::Judge& judge, TimeUs now) {
  static constexpr std::string_view kQuantiles[] = {"0.5", "0.95", "0.99"};
  const std::vector<double> qs{0.5, 0.95, 0.99};
  const auto quantiles = [&](std::string_view name, const std::vector<DurationUs>& values) {
    for (std::size_t i = 0; i < values.size() && i < std::size(kQuantiles); ++i)
      if (values[i] >= 0) out.sample(name, seconds(values[i]), label("quantile", kQuantiles[i]));
  };
  quantiles("supyo_e2e_latency_seconds", judge.latency_quantiles(now - kMinute, now, qs));
  quantiles("supyo_pipeline_delay_seconds", judge.latency_quantiles(now - kMinute, now, qs, slo::LatencyClock::kProduce));
  quantiles("supyo_stream_lag_seconds", judge.stream_lag_quantiles(now - kMinute, now, qs));
  quantiles("supyo_checkpoint_duration_seconds", judge.checkpoint_quantiles(now - 10 * kMinute, now, qs));
  if (const slo::Waterfall w = judge.waterfall(now - kMinute, now); w.records > 0) {
    for (const auto& [stage, sum] : {std::pair{"source", w.source_us}, {"log", w.log_us}, {"interval", w.interval_us}, {"watermark", w.watermark_us}, {"epoch", w.epoch_us}, {"commit", w.commit_us}})
      out.sample("supyo_stage_latency_seconds", static_cast<double>(sum) / number(w.records) / kSecond, label("stage", stage));
  }
  const slo::Judge::Totals totals = judge.totals();
  const slo::Judge::Freshness fresh = judge.freshness();
  if (fresh.proved_s) out.sample("supyo_freshness_seconds", *fresh.proved_s, label("form", "proved"));
  if (fresh.naive_s) out.sample("supyo_freshness_seconds", *fresh.naive_s, label("form", "naive"));
  for (std::size_t i = 0; i < std::min<std::size_t>(fresh.by_split_s.size(), kMostSplits); ++i) out.sample("supyo_split_freshness_seconds", fresh.by_split_s[i], label("split", std::to_string(i)));
  out.sample("supyo_unfinished_records", number(totals.unfinished));
  out.sample("supyo_unfinished_age_seconds", fresh.unfinished_age_s);
  out.sample("supyo_finished_records_total", number(totals.finished));
  out.sample("supyo_lost_records_total", number(totals.lost));
  out.sample("supyo_duplicate_rows_total", number(totals.duplicates));
  const slo::Decision decision = judge.decision();
  out.sample("supyo_lag_records", decision.lag_committed, label("kind", "committed"));
  out.sample("supyo_lag_records", decision.lag_fetched, label("kind", "fetched"));
  out.sample("supyo_lag_alarm", decision.raw_alarm ? 1 : 0, label("rule", "raw"));
  out.sample("supyo_lag_alarm", decision.burrow != slo::BurrowStatus::kOk ? 1 : 0, label("rule", "burrow"));
}

void write_objectives(MetricsWriter& out, const slo::Judge& judge) {
  const slo::Decision decision = judge.decision();
  for (const auto state : {slo::State::kOk, slo::State::kAtRisk, slo::State::kIncident, slo::State::kUnknown})
    out.sample("supyo_slo_state", state == decision.state ? 1 : 0, label("state", slo::state_name(state)));
  const std::vector<slo::ObjectiveStatus> statuses = judge.objectives();
  const auto labels = [&](std::size_t i) {
    const slo::Objective& o = judge.declared().items[i];
    return label("objective", o.name) + "," + label("service", o.service);
  };
  const auto each = [&](std::string_view name, auto value) {
    for (std::size_t i = 0; i < statuses.size(); ++i) out.sample(name, value(statuses[i]), labels(i));
  };
  each("supyo_slo_events_total", [](const auto& o) { return number(o.finished.total()); });
  each("supyo_slo_bad_events_total", [](const auto& o) { return number(o.finished.bad); });
  each("supyo_slo_unfinished_events", [](const auto& o) { return number(o.unfinished.total()); });
  each("supyo_slo_unfinished_bad_events", [](const auto& o) { return number(o.unfinished.bad); });
  each("supyo_slo_judged", [](const auto& o) { return o.judged ? 1.0 : 0.0; });
  for (std::size_t i = 0; i < statuses.size(); ++i) out.sample("supyo_slo_target_ratio", judge.declared().items[i].target, labels(i));
  for (std::size_t i = 0; i < statuses.size(); ++i) out.sample("supyo_slo_window_seconds", seconds(judge.declared().items[i].window_us), labels(i));
  each("supyo_slo_good_records", [](const auto& o) { return number(o.window.good); });
  each("supyo_slo_bad_records", [](const auto& o) { return number(o.window.bad); });
  each("supyo_slo_budget_left_ratio", [](const auto& o) { return o.budget_left; });
  each("supyo_slo_breached", [](const auto& o) { return o.breached ? 1.0 : 0.0; });
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    for (const slo::BurnAlert& a : judge.declared().items[i].alerts)
      out.sample("supyo_slo_alert", std::ranges::count(statuses[i].alerts, a.name) > 0 ? 1 : 0, labels(i) + "," + label("burn", a.name));
  }
}

}  // namespace

std::span<const MetricDeclaration> job_metrics() { return kMetrics; }

std::string job_metrics_reference() {
  std::string out;
  std::string_view group;
  for (const MetricDeclaration& m : kMetrics) {
    if (m.group != group) {
      out += fmt::format("\n### {}\n\n| name | type | labels | what |\n|---|---|---|---|\n", m.group);
      group = m.group;
    }
    out += fmt::format("| `{}` | {} | {} | {} |\n", m.name, m.type, m.labels, m.help);
  }
  return out;
}

std::string metrics_text(const runtime::JobStats& stats, const slo::Judge* judge) {
  MetricsWriter out;
  write_job(out, stats);
  write_parts(out, stats);
  if (judge != nullptr) {
    write_end_to_end(out, *judge, stats.now_us);
    write_objectives(out, *judge);
  }
  return out.take();
}

std::string openmetrics_text(std::string_view text) {
  constexpr std::string_view kTotal = "_total";
  const auto each_line = [&](auto use) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      use(text.substr(at, end - at));
      at = end + 1;
    }
  };
  // HELP comes before TYPE, so the counters are looked for first.
  std::set<std::string_view> counters;
  each_line([&](std::string_view line) {
    if (line.starts_with("# TYPE ") && line.ends_with("_total counter")) counters.insert(line.substr(7, line.rfind(' ') - 7));
  });
  std::string out;
  each_line([&](std::string_view line) {
    for (const std::string_view head : {"# HELP ", "# TYPE "}) {
      if (!line.starts_with(head)) continue;
      const std::string_view name = line.substr(head.size(), std::min(line.find(' ', head.size()), line.size()) - head.size());
      if (!counters.contains(name)) break;
      out += fmt::format("{}{}{}\n", head, name.substr(0, name.size() - kTotal.size()), line.substr(head.size() + name.size()));
      return;
    }
    out += line;
    out += '\n';
  });
  return out + "# EOF\n";
}

Response metrics_response(const Request& request, std::string text) {
  if (request.header("accept").find("application/openmetrics-text") == std::string_view::npos) return {200, "text/plain; version=0.0.4; charset=utf-8", std::move(text)};
  return {200, "application/openmetrics-text; version=1.0.0; charset=utf-8", openmetrics_text(text)};
}

}  // namespace supyo::http
