#include "judge/slo/dashboards.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "judge/slo/embedded.h"

namespace supyo::slo {
namespace {

using Json = nlohmann::ordered_json;

struct Query {
  std::string_view expr;      ///< S stands for the selector of the job's series, O for that of an objective's
  std::string_view legend;
};

struct Panel {
  std::string_view title, description, unit;
  std::string_view type;      ///< "timeseries", "stacked" (a timeseries), "stat" or "state-timeline"
  std::vector<Query> queries;
};

struct Page {
  std::string_view uid, title, description;
  bool by_objective;
  std::vector<Panel> panels;
};

constexpr std::string_view kJob = R"({job="supyo"})";
constexpr std::string_view kObjective = R"({job="supyo",service=~"$service",objective=~"$objective"})";

std::string expanded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("{S}")) out += kJob, i += 2;
    else if (text.substr(i).starts_with("{O}")) out += kObjective, i += 2;
    else if (text.substr(i).starts_with("{S,")) out += std::string(kJob.substr(0, kJob.size() - 1)) + ",", i += 2;
    else out += text[i];
  }
  return out;
}

std::vector<Page> pages() {
  return {
      {"supyo-pipeline", "Pipeline: what the job does", "Throughput, epochs, shards, state and watermarks of a job that supyo run --serve runs.", false,
       {{"State", "The job's state; only RUNNING is well.", "short", "state-timeline", {{"max by (state) (supyo_job_state{S}) > 0", "{{state}}"}}},
        {"Throughput", "Rows taken from all sources and written to all sinks.", "cps", "timeseries",
         {{"sum by (instance) (rate(supyo_rows_in_total{S}[$__rate_interval]))", "in {{instance}}"}, {"sum by (instance) (rate(supyo_rows_out_total{S}[$__rate_interval]))", "out {{instance}}"}}},
        {"Epoch duration and commit", "From an epoch's trigger until it was durable, and from then until readers saw it. A commit of half an epoch or more makes the sink the bottleneck.", "s", "timeseries",
         {{"max by (instance) (supyo_epoch_duration_seconds{S})", "durable {{instance}}"}, {"max by (instance) (supyo_epoch_commit_seconds{S})", "visible {{instance}}"}}},
        {"Epochs", "Epochs that became visible, and those that failed, in a second.", "cps", "timeseries",
         {{"sum by (instance) (rate(supyo_epochs_completed_total{S}[$__rate_interval]))", "visible {{instance}}"}, {"sum by (instance) (rate(supyo_epochs_failed_total{S}[$__rate_interval]))", "failed {{instance}}"}}},
        {"Epoch size", "Journal record of the last epoch.", "bytes", "timeseries", {{"max by (instance) (supyo_epoch_size_bytes{S})", "{{instance}}"}}},
        {"Busy, idle, backpressured", "Share of time of all shards. Backpressured: input waits, and there is no room downstream.", "percentunit", "stacked",
         {{"avg by (instance) (rate(supyo_shard_busy_seconds_total{S}[$__rate_interval]))", "busy"}, {"avg by (instance) (rate(supyo_shard_idle_seconds_total{S}[$__rate_interval]))", "idle"},
          {"avg by (instance) (rate(supyo_shard_backpressured_seconds_total{S}[$__rate_interval]))", "backpressured"}}},
        {"Restarts", "Restarts inside the process since it started.", "short", "stat", {{"sum by (instance) (supyo_restarts_total{S})", "{{instance}}"}}},
        {"State size", "State of all shards as of the last epoch.", "bytes", "timeseries", {{"sum by (instance) (supyo_state_bytes{S})", "{{instance}}"}}},
        {"State entries", "Entries of the state of all shards as of the last epoch.", "short", "timeseries", {{"sum by (instance) (supyo_state_entries{S})", "{{instance}}"}}},
        {"Watermark lag", "Now less the lowest watermark over the sources: rows that wait for the watermark wait so long.", "s", "timeseries", {{"max by (instance) (supyo_watermark_lag_seconds{S})", "{{instance}}"}}},
        {"Rows of each operator", "Rows that each operator gave.", "cps", "timeseries", {{"sum by (operator, uid) (rate(supyo_operator_rows_out_total{S}[$__rate_interval]))", "{{operator}} {{uid}}"}}}}},
      {"supyo-end-to-end", "End to end: what readers experience", "Whether there is an incident is decided here. Consumer lag is shown beside it and decides nothing.", false,
       {{"Decision", "The state that the deciding objectives put the pipeline in. UNKNOWN is never good.", "short", "state-timeline", {{"max by (state) (supyo_slo_state{S}) > 0", "{{state}}"}}},
        {"End-to-end latency", "From event time until readers saw the record, over what became visible in the last minute.", "s", "timeseries", {{"max by (quantile) (supyo_e2e_latency_seconds{S})", "p{{quantile}}"}}},
        {"Pipeline delay", "From the time the record was produced until readers saw it: without the source's own lateness.", "s", "timeseries", {{"max by (quantile) (supyo_pipeline_delay_seconds{S})", "p{{quantile}}"}}},
        {"Where the time goes", "Mean over the records of the last minute; the parts add up to the mean latency.", "s", "stacked", {{"sum by (stage) (supyo_stage_latency_seconds{S})", "{{stage}}"}}},
        {"Freshness", "Now less the newest visible event time. Proved: the worst split, one that was read to its end is current. Naive: the newest of all.", "s", "timeseries",
         {{"max by (form) (supyo_freshness_seconds{S})", "{{form}}"}}},
        {"Records under way", "Taken, and not visible to any reader yet.", "short", "timeseries", {{"sum by (instance) (supyo_unfinished_records{S})", "{{instance}}"}}},
        {"Oldest record under way", "Its age by produce time: it grows through a stall, when no latency is measured any more.", "s", "timeseries", {{"max by (instance) (supyo_unfinished_age_seconds{S})", "{{instance}}"}}},
        {"Records made visible", "Records that became visible in a second.", "cps", "timeseries", {{"sum by (instance) (rate(supyo_finished_records_total{S}[$__rate_interval]))", "{{instance}}"}}},
        {"Consumer lag, for comparison", "Committed and fetched lag. It may look normal while readers wait, and high while all is well.", "short", "timeseries", {{"sum by (kind) (supyo_lag_records{S})", "{{kind}}"}}}}},
      {"supyo-error-budgets", "Error budgets: objectives, burn rates, alerts", "How each objective stands over its own window, and how fast its error budget burns. The same as supyo slo rules alerts on.", true,
       {{"Broken objectives", "1 while an objective is broken over its own window.", "short", "state-timeline", {{"max by (objective) (supyo_slo_breached{O})", "{{objective}}"}}},
        {"Judged", "0 while too little was seen to say: that is not good, it is unknown.", "short", "stat", {{"max by (objective) (supyo_slo_judged{O})", "{{objective}}"}}},
        {"Error budget left", "Share of the window's budget that is left; below zero the objective is broken.", "percentunit", "timeseries", {{"min by (objective) (supyo_slo_budget_left_ratio{O})", "{{objective}}"}}},
        {"Share of bad events in five minutes", "Bad and all are summed and divided once, what is under way at its age included.", "percentunit", "timeseries",
         {{"(sum by (objective) (increase(supyo_slo_bad_events_total{O}[5m])) + sum by (objective) (supyo_slo_unfinished_bad_events{O})) / (sum by (objective) (increase(supyo_slo_events_total{O}[5m])) + sum by "
           "(objective) (supyo_slo_unfinished_events{O}) > 0)",
           "{{objective}}"}}},
        {"Burn rate over an hour", "How many times too fast the budget burns: 1 spends it exactly within the window; 14.4 pages.", "short", "timeseries",
         {{"(sum by (objective) (increase(supyo_slo_bad_events_total{O}[1h])) + sum by (objective) (supyo_slo_unfinished_bad_events{O})) / (sum by (objective) (increase(supyo_slo_events_total{O}[1h])) + sum by "
           "(objective) (supyo_slo_unfinished_events{O}) > 0) / (1 - max by (objective) (supyo_slo_target_ratio{O}))",
           "{{objective}}"}}},
        {"Burn rate over six hours", "The same over six hours; 6 pages.", "short", "timeseries",
         {{"(sum by (objective) (increase(supyo_slo_bad_events_total{O}[6h])) + sum by (objective) (supyo_slo_unfinished_bad_events{O})) / (sum by (objective) (increase(supyo_slo_events_total{O}[6h])) + sum by "
           "(objective) (supyo_slo_unfinished_events{O}) > 0) / (1 - max by (objective) (supyo_slo_target_ratio{O}))",
           "{{objective}}"}}},
        {"Burn-rate alerts", "1 while an alert fires in the job itself.", "short", "state-timeline", {{"max by (objective, burn) (supyo_slo_alert{O})", "{{objective}} {{burn}}"}}},
        {"Events judged", "Records, results, time slices or epochs in a second.", "cps", "timeseries", {{"sum by (objective) (rate(supyo_slo_events_total{O}[$__rate_interval]))", "{{objective}}"}}}}},
      {"supyo-consistency", "Consistency: lost, twice, late, dead", "Whether every record is in the result once.", false,
       {{"Lost records", "Known to be gone before they were read.", "short", "stat", {{"sum by (instance) (supyo_lost_records_total{S})", "{{instance}}"}}},
        {"Results visible twice", "By the identity that the objectives name (duplicate_rate), or found by a reader.", "short", "stat", {{"sum by (instance) (supyo_duplicate_rows_total{S})", "{{instance}}"}}},
        {"Dropped as late", "Rows dropped because their window had closed, once per window, in a second. They are readable as T$late.", "cps", "timeseries",
         {{"sum by (instance) (rate(supyo_rows_late_total{S}[$__rate_interval]))", "{{instance}}"}}},
        {"Behind the watermark", "Share of rows that came behind the watermark of their split.", "percentunit", "timeseries",
         {{"sum by (instance) (rate(supyo_rows_behind_total{S}[$__rate_interval])) / (sum by (instance) (rate(supyo_rows_in_total{S}[$__rate_interval])) > 0)", "{{instance}}"}}},
        {"Records that could not become rows", "Dead records in a second. They are readable as T$dead.", "cps", "timeseries", {{"sum by (instance) (rate(supyo_rows_dead_total{S}[$__rate_interval]))", "{{instance}}"}}},
        {"Failed epochs and restarts", "Since the process started. Exactly once holds through both.", "short", "timeseries",
         {{"sum by (instance) (supyo_epochs_failed_total{S})", "failed epochs {{instance}}"}, {"sum by (instance) (supyo_restarts_total{S})", "restarts {{instance}}"}}},
        {"Taken and visible", "Rows taken, and records that readers can see: the gap is what is under way.", "short", "timeseries",
         {{"sum by (instance) (supyo_rows_in_total{S})", "taken {{instance}}"}, {"sum by (instance) (supyo_finished_records_total{S})", "visible {{instance}}"}}}}},
      {"supyo-flink", "Flink: what its jobs do", "Jobs of a Flink that supyo stack up flink started, or of any whose Prometheus reporter is scraped as job flink. Whether readers are hurt is on the page end to end.", false,
       {{"Slots and workers", "TaskManagers that the JobManager knows, and slots that are free.", "short", "stat",
         {{"sum(flink_jobmanager_numRegisteredTaskManagers{job=\"flink\"})", "TaskManagers"}, {"sum(flink_jobmanager_taskSlotsAvailable{job=\"flink\"})", "free slots"}}},
        {"Restarts", "Of each job since it was submitted. Every restart reads again from the last checkpoint.", "short", "stat", {{"max by (job_name) (flink_jobmanager_job_numRestarts{job=\"flink\"})", "{{job_name}}"}}},
        {"Records in and out", "Of all subtasks of a task, in a second.", "cps", "timeseries",
         {{"sum by (job_name, task_name) (flink_taskmanager_job_task_numRecordsInPerSecond{job=\"flink\"})", "in {{task_name}}"}, {"sum by (job_name, task_name) (flink_taskmanager_job_task_numRecordsOutPerSecond{job=\"flink\"})", "out {{task_name}}"}}},
        {"Busy", "Share of time of the busiest subtask. A task that is always busy is the bottleneck.", "percentunit", "timeseries", {{"max by (job_name, task_name) (flink_taskmanager_job_task_busyTimeMsPerSecond{job=\"flink\"}) / 1000", "{{task_name}}"}}},
        {"Backpressured", "Share of time of the subtask that waits longest for room downstream: the bottleneck is behind it.", "percentunit", "timeseries",
         {{"max by (job_name, task_name) (flink_taskmanager_job_task_backPressuredTimeMsPerSecond{job=\"flink\"}) / 1000", "{{task_name}}"}}},
        {"Checkpoint duration", "Of the last one that was completed. Readers of an exactly-once sink wait for it.", "s", "timeseries", {{"max by (job_name) (flink_jobmanager_job_lastCheckpointDuration{job=\"flink\"} >= 0) / 1000", "{{job_name}}"}}},
        {"Checkpoints", "Completed and failed since the job was submitted.", "short", "timeseries",
         {{"max by (job_name) (flink_jobmanager_job_numberOfCompletedCheckpoints{job=\"flink\"})", "completed {{job_name}}"}, {"max by (job_name) (flink_jobmanager_job_numberOfFailedCheckpoints{job=\"flink\"})", "failed {{job_name}}"}}},
        {"State size", "Of the last checkpoint, whole.", "bytes", "timeseries", {{"max by (job_name) (flink_jobmanager_job_lastCheckpointFullSize{job=\"flink\"} >= 0)", "{{job_name}}"}}},
        {"Event time behind", "Now less the event time that a source gives out.", "s", "timeseries", {{"max by (job_name, operator_name) (flink_taskmanager_job_task_operator_currentEmitEventTimeLag{job=\"flink\"}) / 1000", "{{operator_name}}"}}},
        {"Dropped as late", "Rows that came behind the watermark of their window, in a second.", "cps", "timeseries",
         {{"sum by (job_name, operator_name) (rate(flink_taskmanager_job_task_operator_numLateRecordsDropped{job=\"flink\"}[$__rate_interval]))", "{{operator_name}}"}}},
        {"Fetched lag, for comparison", "Records behind, as the sources' own Kafka clients see it: without what was read and is not committed.", "short", "timeseries",
         {{"sum by (job_name, operator_name) (flink_taskmanager_job_task_operator_pendingRecords{job=\"flink\"})", "{{operator_name}}"}}},
        {"Heap of the workers", "Used, of each process.", "bytes", "timeseries", {{"max by (process) (flink_taskmanager_Status_JVM_Memory_Heap_Used{job=\"flink\"})", "{{process}}"}}}}},
      {"supyo-labs", "Labs: what lag says, what readers experience", "For a run with a fault: the moment readers feel it, the moment an objective breaks, and what lag alarms say meanwhile.", false,
       {{"What the objectives say", "The decision.", "short", "state-timeline", {{"max by (state) (supyo_slo_state{S}) > 0", "{{state}}"}}},
        {"What lag alarms say", "1 while a threshold on lag, or Burrow's rules, would fire.", "short", "state-timeline", {{"max by (rule) (supyo_lag_alarm{S})", "{{rule}}"}}},
        {"Latency that readers experience", "p95 of the last minute, and the age of the oldest record that nobody can read yet.", "s", "timeseries",
         {{"max by (instance) (supyo_e2e_latency_seconds{S,quantile=\"0.95\"})", "p95 {{instance}}"}, {"max by (instance) (supyo_unfinished_age_seconds{S})", "oldest under way {{instance}}"}}},
        {"Consumer lag", "Committed and fetched.", "short", "timeseries", {{"sum by (kind) (supyo_lag_records{S})", "{{kind}}"}}},
        {"What the fault does to epochs", "Duration, commit, and failures.", "s", "timeseries",
         {{"max by (instance) (supyo_epoch_duration_seconds{S})", "durable {{instance}}"}, {"max by (instance) (supyo_epoch_commit_seconds{S})", "visible {{instance}}"}}},
        {"Load", "Rows taken in a second.", "cps", "timeseries", {{"sum by (instance) (rate(supyo_rows_in_total{S}[$__rate_interval]))", "{{instance}}"}}}}}};
}

Json data_source() { return {{"type", "prometheus"}, {"uid", "${datasource}"}}; }

Json options_of(std::string_view type) {
  if (type == "stat") return {{"reduceOptions", {{"calcs", Json::array({"lastNotNull"})}, {"fields", ""}, {"values", false}}}, {"colorMode", "value"}, {"graphMode", "area"}, {"textMode", "auto"}, {"justifyMode", "auto"}, {"orientation", "auto"}};
  if (type == "state-timeline") return {{"mergeValues", true}, {"showValue", "never"}, {"rowHeight", 0.8}, {"alignValue", "left"}, {"legend", {{"displayMode", "list"}, {"placement", "bottom"}, {"showLegend", true}, {"calcs", Json::array()}}}, {"tooltip", {{"mode", "single"}, {"sort", "none"}}}};
  return {{"legend", {{"displayMode", "table"}, {"placement", "bottom"}, {"showLegend", true}, {"calcs", Json::array({"lastNotNull", "max"})}}}, {"tooltip", {{"mode", "multi"}, {"sort", "desc"}}}};
}

Json panel_json(const Panel& p, int id, int x, int y, bool stretch) {
  Json defaults = {{"unit", p.unit}};
  if (p.type == "timeseries" || p.type == "stacked") {
    defaults["custom"] = {{"drawStyle", "line"}, {"lineWidth", 2}, {"fillOpacity", p.type == "stacked" ? 40 : 8}, {"showPoints", "never"}};
    if (p.type == "stacked") defaults["custom"]["stacking"] = {{"mode", "normal"}, {"group", "A"}};
  }
  Json targets = Json::array();
  for (std::size_t i = 0; i < p.queries.size(); ++i)
    targets.push_back({{"refId", std::string(1, static_cast<char>('A' + i))}, {"expr", expanded(p.queries[i].expr)}, {"legendFormat", p.queries[i].legend}, {"range", true}});
  return {{"id", id},
          {"type", p.type == "stacked" ? "timeseries" : p.type},
          {"title", p.title},
          {"description", p.description},
          {"gridPos", {{"x", x}, {"y", y}, {"w", stretch ? 24 : 12}, {"h", 8}}},
          {"datasource", data_source()},
          {"fieldConfig", {{"defaults", defaults}, {"overrides", Json::array()}}},
          {"options", options_of(p.type)},
          {"targets", targets}};
}

Json variable(std::string_view name, std::string_view label, std::string_view query) {
  return {{"name", name},     {"label", label},        {"type", "query"},  {"datasource", data_source()},
          {"query", {{"query", query}, {"refId", name}}}, {"refresh", 2}, {"multi", true}, {"includeAll", true},
          {"allValue", ".*"}, {"current", {{"text", "All"}, {"value", "$__all"}}}};
}

Json page_json(const Page& page) {
  const Json source = {{"name", "datasource"}, {"label", "Data source"}, {"type", "datasource"}, {"query", "prometheus"}};
  Json variables = Json::array();
  variables.push_back(source);
  if (page.by_objective) {
    variables.push_back(variable("service", "Service", R"(label_values(supyo_slo_judged{job="supyo"}, service))"));
    variables.push_back(variable("objective", "Objective", R"(label_values(supyo_slo_judged{job="supyo",service=~"$service"}, objective))"));
  }
  Json panels = Json::array();
  int y = 0;
  for (std::size_t i = 0; i < page.panels.size(); ++i) {
    // Two a row; what would stand alone takes the row, and so does the first, which says how it is.
    const bool first = i == 0;
    const bool left = i % 2 == 1;
    const bool alone = left && i + 1 == page.panels.size();
    panels.push_back(panel_json(page.panels[i], static_cast<int>(i) + 1, first || left ? 0 : 12, y, first || alone));
    if (!left || alone) y += 8;
  }
  return {{"uid", page.uid},       {"title", page.title}, {"description", std::string(page.description) + " Written by supyo slo dashboards."},
          {"schemaVersion", 41},   {"editable", false},   {"refresh", "5s"},
          {"time", {{"from", "now-1h"}, {"to", "now"}}},  {"tags", Json::array({"supyo"})},
          {"templating", {{"list", variables}}},          {"panels", panels}};
}

}  // namespace

std::vector<Dashboard> grafana_dashboards() {
  std::vector<Dashboard> out;
  out.push_back({"kafka.json", std::string(embedded::k_deploy_grafana_dashboards_kafka_json)});
  out.push_back({"broker.json", std::string(embedded::k_deploy_grafana_dashboards_broker_json)});
  for (const Page& page : pages()) out.push_back({std::string(page.uid.substr(std::string_view("supyo-").size())) + ".json", page_json(page).dump(2) + "\n"});
  return out;
}

}  // namespace supyo::slo
