#include "connect/flink/job_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace supyo::connect {
namespace {

using nlohmann::json;
constexpr DurationUs kWhile = 10 * kMinute;
constexpr DurationUs kStall = kMinute;
constexpr std::int64_t kNoWatermark = std::numeric_limits<std::int64_t>::min() / 2;   // Flink tells Long.MIN_VALUE before the first

Result<json> parse(const std::string& text, std::string_view what) {
  json j = json::parse(text, nullptr, false);
  if (j.is_discarded()) return fail(ErrorCode::kMalformedRecord, fmt::format("{}: not JSON", what), "does the URL name the REST address of Flink's JobManager?");
  return j;
}

const json* find(const json& j, std::initializer_list<const char*> path) {
  const json* at = &j;
  for (const char* name : path) {
    if (!at->is_object()) return nullptr;
    const auto next = at->find(name);
    if (next == at->end()) return nullptr;
    at = &*next;
  }
  return at;
}
std::string text(const json& j, const char* name) {
  const json* at = find(j, {name});
  return at != nullptr && at->is_string() ? at->get<std::string>() : std::string();
}
std::optional<double> number(const json* at) {
  if (at == nullptr) return std::nullopt;
  if (at->is_number()) return at->get<double>();
  if (!at->is_string()) return std::nullopt;   // metrics come as texts
  char* end = nullptr;
  const std::string s = at->get<std::string>();
  const double v = std::strtod(s.c_str(), &end);
  return end == s.c_str() || std::isnan(v) ? std::nullopt : std::optional(v);
}

/// Ids go into paths: only what Flink makes.
bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) != 0; });
}

constexpr std::array kMetrics{"busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "idleTimeMsPerSecond", "numRecordsInPerSecond", "numRecordsOutPerSecond", "currentInputWatermark", "currentOutputWatermark", "numLateRecordsDropped", "pendingRecords"};

/// The task's metric of that name, else an operator's in it ("Source__clicks[1].numRecordsOutPerSecond"); empty: there is none.
std::string metric_named(const json& names, const std::string& name) {
  std::string of_operator;
  for (const json& m : names.is_array() ? names : json::array()) {
    const std::string id = text(m, "id");
    if (id == name) return id;
    if (id.ends_with("." + name) && !id.starts_with("Shuffle.")) of_operator = id;
  }
  return of_operator;
}

std::string url_encoded(const std::string& s) {
  std::string out;
  for (const char c : s) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '.' || c == '_' || c == '-') out += c;
    else out += fmt::format("%{:02X}", byte);
  }
  return out;
}

bool names_sink(const std::string& name) { return name.find("Sink") != std::string::npos || name.find("Writer") != std::string::npos || name.find("Committer") != std::string::npos || name.find("sink") != std::string::npos; }

}  // namespace

Result<std::vector<FlinkJob>> FlinkCollector::look(TimeUs now) {
  SUPYO_ASSIGN(const std::string body, get_("/jobs/overview"));
  SUPYO_ASSIGN(const json overview, parse(body, "/jobs/overview"));
  const json* list = find(overview, {"jobs"});
  if (list == nullptr || !list->is_array()) return fail(ErrorCode::kMalformedRecord, "/jobs/overview: no jobs in it", "does the URL name the REST address of Flink's JobManager?");
  std::vector<FlinkJob> jobs;
  std::map<std::string, Past> still;
  for (const json& j : *list) {
    FlinkJob job{.id = text(j, "jid"), .name = text(j, "name"), .state = text(j, "state")};
    const double ended_ms = number(find(j, {"end-time"})).value_or(-1);
    const bool ended = job.state == "FINISHED" || job.state == "CANCELED" || (job.state == "FAILED" && static_cast<double>(now - kWhile) / kMillisecond > ended_ms);
    if (ended || !is_id(job.id) || jobs.size() >= kJobsMost) continue;
    Past& past = still[job.id] = std::move(past_[job.id]);
    if (job.state != "FAILED") {
      // A job that ends between two questions is left out, and looked at again when it is there again.
      if (!vertices(job, past, now) || !checkpoints(job, now)) continue;
      restarts(job, past, now);
    }
    jobs.push_back(std::move(job));
  }
  past_ = std::move(still);
  return jobs;
}

Result<FlinkJob> FlinkCollector::look_at(const std::string& id, TimeUs now) {
  FlinkJob job{.id = id, .name = {}, .state = {}};
  SUPYO_TRY(vertices(job, past_[id], now));
  return job;
}

Status FlinkCollector::vertices(FlinkJob& job, Past& past, TimeUs now) {
  SUPYO_ASSIGN(const std::string body, get_("/jobs/" + job.id));
  SUPYO_ASSIGN(const json told, parse(body, "/jobs/:id"));
  const json* list = find(told, {"vertices"});
  if (list == nullptr || !list->is_array()) return fail(ErrorCode::kMalformedRecord, "/jobs/:id: no vertices in it");
  for (const json& v : *list) {
    const std::string id = text(v, "id");
    if (!is_id(id) || job.vertices.size() >= kVerticesMost) continue;
    FlinkJob::Vertex vertex{.name = text(v, "name"), .parallelism = static_cast<int>(number(find(v, {"parallelism"})).value_or(0))};
    vertex.source = vertex.name.starts_with("Source");
    vertex.sink = names_sink(vertex.name);
    // A question for metrics of which this vertex lacks one is answered with none at all: first, which there are.
    const std::string path = fmt::format("/jobs/{}/vertices/{}/subtasks/metrics", job.id, id);
    SUPYO_ASSIGN(const std::string names_body, get_(path));
    SUPYO_ASSIGN(const json names, parse(names_body, "subtasks/metrics"));
    std::map<std::string, std::string> wanted;   // name there -> name here
    for (const char* name : kMetrics)
      if (const std::string there = metric_named(names, name); !there.empty()) wanted[there] = name;
    std::string get;
    for (const auto& [there, here] : wanted) get += (get.empty() ? "?get=" : ",") + url_encoded(there);
    SUPYO_ASSIGN(const std::string metrics_body, get_(path + get));
    SUPYO_ASSIGN(const json metrics, parse(metrics_body, "subtasks/metrics"));
    std::optional<double> watermark;
    for (const json& m : metrics.is_array() ? metrics : json::array()) {
      const auto known = wanted.find(text(m, "id"));
      if (known == wanted.end()) continue;
      const std::string& name = known->second;
      const double most = number(find(m, {"max"})).value_or(0), sum = number(find(m, {"sum"})).value_or(0);
      const auto share = std::clamp(most / 1000, 0.0, 1.0);
      if (name == "busyTimeMsPerSecond") vertex.busy = share;
      if (name == "backPressuredTimeMsPerSecond") vertex.backpressured = share;
      if (name == "idleTimeMsPerSecond") vertex.idle = std::clamp(number(find(m, {"min"})).value_or(most) / 1000, 0.0, 1.0);
      if (name == "numRecordsInPerSecond") vertex.records_in_per_s = sum;
      if (name == "numRecordsOutPerSecond") vertex.records_out_per_s = sum;
      if (name == "numLateRecordsDropped") vertex.late_dropped = static_cast<std::int64_t>(sum);
      if (name == "pendingRecords") vertex.pending = static_cast<std::int64_t>(sum);
      if (name == (vertex.source ? "currentOutputWatermark" : "currentInputWatermark")) watermark = number(find(m, {"min"}));
    }
    if (watermark && *watermark > static_cast<double>(kNoWatermark)) vertex.watermark_ms = static_cast<std::int64_t>(*watermark);
    auto& [since, value] = past.watermarks[id];
    const std::int64_t seen = vertex.watermark_ms.value_or(kNoWatermark);
    const bool records = vertex.source ? vertex.records_out_per_s > 0 : vertex.records_in_per_s > 0;
    if (since == 0 || value != seen || !records) {
      since = now;
      value = seen;
    }
    // A vertex that never has a watermark is of a job in processing time.
    vertex.watermark_stands_still = vertex.watermark_ms && now - since >= kStall;
    job.vertices.push_back(std::move(vertex));
  }
  return ok();
}

Status FlinkCollector::checkpoints(FlinkJob& job, TimeUs now) {
  if (const auto config = get_(fmt::format("/jobs/{}/checkpoints/config", job.id)); config) {
    SUPYO_ASSIGN(const json told, parse(*config, "checkpoints/config"));
    if (const auto ms = number(find(told, {"interval"})); ms && *ms > 0 && *ms < 1e15) job.checkpoint_interval_s = *ms / 1000;
  }
  const auto body = get_(fmt::format("/jobs/{}/checkpoints", job.id));
  if (!body) return ok();   // checkpointing is off: 404
  SUPYO_ASSIGN(const json told, parse(*body, "checkpoints"));
  const double now_ms = static_cast<double>(now) / kMillisecond, since_ms = static_cast<double>(now - kWhile) / kMillisecond;
  if (const json* history = find(told, {"history"}); history != nullptr && history->is_array())
    for (const json& c : *history) {
      if (number(find(c, {"trigger_timestamp"})).value_or(0) < since_ms) continue;
      job.checkpoints_completed += text(c, "status") == "COMPLETED" ? 1 : 0;
      job.checkpoints_failed += text(c, "status") == "FAILED" ? 1 : 0;
    }
  if (const json* latest = find(told, {"latest", "completed"}); latest != nullptr && latest->is_object()) {
    if (const auto ms = number(find(*latest, {"end_to_end_duration"}))) job.last_checkpoint_s = *ms / 1000;
    if (const auto ms = number(find(*latest, {"latest_ack_timestamp"}))) job.since_checkpoint_s = (now_ms - *ms) / 1000;
    job.state_bytes = static_cast<std::int64_t>(number(find(*latest, {"state_size"})).value_or(-1));
  }
  return ok();
}

/// Flink tells restarts in two places. The history of failures is there at once, of what was before the first look too, and holds the newest 16 only. The metric counts for good, but what the
/// JobManager answers is up to ten seconds old (metrics.fetcher.update-interval), and nothing at all at the first question. So neither tells too many: the larger one counts.
void FlinkCollector::restarts(FlinkJob& job, Past& past, TimeUs now) {
  if (const auto body = get_(fmt::format("/jobs/{}/exceptions?maxExceptions=16", job.id)); body) {
    const auto told = parse(*body, "exceptions");
    const json* failures = told ? find(*told, {"exceptionHistory", "entries"}) : nullptr;
    if (failures != nullptr && failures->is_array())
      job.restarts = static_cast<int>(std::ranges::count_if(*failures, [&](const json& e) { return number(find(e, {"timestamp"})).value_or(0) * kMillisecond >= static_cast<double>(now - kWhile); }));
  }
  const auto body = get_(fmt::format("/jobs/{}/metrics?get=numRestarts", job.id));
  const auto told = body ? parse(*body, "metrics") : std::unexpected(body.error());
  bool counted = false;
  for (const json& m : told && told->is_array() ? *told : json::array())
    if (text(m, "id") == "numRestarts")
      if (const auto n = number(find(m, {"value"}))) {
        past.restarts.emplace_back(now, static_cast<std::int64_t>(*n));
        counted = true;
      }
  while (past.restarts.size() > 1 && past.restarts[1].first < now - kWhile) past.restarts.erase(past.restarts.begin());
  if (counted || (job.restarts && !past.restarts.empty())) job.restarts = std::max(job.restarts.value_or(0), static_cast<int>(past.restarts.back().second - past.restarts.front().second));
}

}  // namespace supyo::connect
