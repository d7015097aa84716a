#include "serve/watch/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/human_duration.h"
#include "serve/watch/json_text.h"

namespace supyo::watch {
namespace {

constexpr std::size_t kGroupsInTable = 40;

template <class Range, class Each>
std::string json_array(const Range& range, Each each) {
  std::string out = "[";
  for (const auto& x : range) out += (out.size() > 1 ? "," : "") + each(x);
  return out + "]";
}

std::string finding_json(const diagnosis::Finding& f) {
  return fmt::format("{{\"cause\":\"{}\",\"severity\":\"{}\",\"weight\":{},\"subject\":{},\"what\":{},\"numbers\":{},\"next\":{}}}", diagnosis::cause_name(f.cause), diagnosis::severity_name(f.severity), json_number(f.weight), json_text(f.subject), json_text(f.what),
                     json_array(f.numbers, [](const diagnosis::Number& n) { return fmt::format("{{\"name\":{},\"value\":{},\"unit\":{}}}", json_text(n.name), json_number(n.value), json_text(n.unit)); }), json_text(f.next));
}

std::string estimate_json(const std::optional<diagnosis::LossEstimate>& e, TimeUs now) {
  if (!e) return "null";
  const auto in = [now](std::optional<TimeUs> t) { return t ? json_number(static_cast<double>(*t - now) / kSecond) : "null"; };
  return fmt::format("{{\"not_before_s\":{},\"expected_s\":{},\"at_latest_s\":{}}}", in(e->low), in(e->mid), in(e->high));
}

std::string forecast_json(const diagnosis::LossForecast& f, TimeUs now) {
  return fmt::format("{{\"state\":\"{}\",\"cause\":\"{}\",\"loss\":{},\"if_stopped\":{},\"if_stopped_cause\":\"{}\",\"exposed\":{},\"exact\":{},\"why\":{}}}", diagnosis::loss_state_name(f.state), diagnosis::loss_cause_name(f.cause),
                     estimate_json(f.moving, now), estimate_json(f.stopped, now), diagnosis::loss_cause_name(f.stopped_cause), f.exposed, f.exact_offsets, json_text(f.why));
}

/// What lag alarms go by; null of a partition that the group has no offset in.
std::string alarms_json(const GroupReport::PartitionReport& p) {
  if (p.committed < 0) return "null";
  const slo::Standing standing{.log_start = p.log_start, .end = p.end, .committed = p.committed};
  return fmt::format("{{\"burrow\":\"{}\",\"retention_percent\":{},\"messages_lost\":{}}}", slo::burrow_status_name(p.burrow), json_number(slo::retention_percent(standing)), slo::MessagesLostGauge::messages_lost(standing));
}

std::string group_json(const GroupReport& g, TimeUs now) {
  const std::string partitions = json_array(g.partitions, [&](const GroupReport::PartitionReport& p) {
    return fmt::format("{{\"topic\":{},\"partition\":{},\"log_start\":{},\"end\":{},\"committed\":{},\"lost\":{},\"append_rate\":{},\"read_rate\":{},\"oldest_unread_s\":{},\"owner\":{},\"forecast\":{},\"alarms\":{}}}", json_text(p.topic), p.partition, p.log_start,
                       p.end, p.committed < 0 ? std::string("null") : std::to_string(p.committed), p.lost, json_number(p.append_rate), json_number(p.read_rate), json_number(p.oldest_unread_s), json_text(p.owner), forecast_json(p.forecast, now), alarms_json(p));
  });
  return fmt::format("{{\"name\":{},\"health\":\"{}\",\"last_health\":\"{}\",\"state\":{},\"members\":{},\"append_rate\":{},\"read_rate\":{},\"lag\":{},\"lost\":{},\"exposed\":{},\"oldest_unread_s\":{},\"limiting\":{},\"forecast\":{},"
                     "\"findings\":{},\"alarms\":{{\"burrow\":\"{}\",\"retention_percent\":\"{}\",\"messages_lost\":\"{}\"}},\"partitions\":{}}}",
                     json_text(g.name), health_name(g.health), health_name(g.last_health), json_text(g.state), g.members < 0 ? std::string("null") : std::to_string(g.members), json_number(g.append_rate), json_number(g.read_rate), g.lag, g.lost, g.exposed, json_number(g.oldest_unread_s),
                     json_text(g.limiting_place), g.limiting ? forecast_json(*g.limiting, now) : "null", json_array(g.findings, finding_json), slo::burrow_status_name(g.burrow), slo::alarm_level_name(g.retention_percent),
                     slo::alarm_level_name(g.messages_lost), partitions);
}

std::string job_json(const connect::FlinkJob& j) {
  const std::string vertices = json_array(j.vertices, [](const connect::FlinkJob::Vertex& v) {
    return fmt::format("{{\"name\":{},\"parallelism\":{},\"busy\":{},\"backpressured\":{},\"idle\":{},\"records_in_per_s\":{},\"records_out_per_s\":{},\"watermark_ms\":{},\"watermark_stands_still\":{}}}", json_text(v.name), v.parallelism, json_number(v.busy),
                       json_number(v.backpressured), json_number(v.idle), json_number(v.records_in_per_s), json_number(v.records_out_per_s), v.watermark_ms ? std::to_string(*v.watermark_ms) : "null", v.watermark_stands_still);
  });
  return fmt::format("{{\"id\":{},\"name\":{},\"state\":{},\"checkpoints_completed\":{},\"checkpoints_failed\":{},\"checkpoint_interval_s\":{},\"last_checkpoint_s\":{},\"since_checkpoint_s\":{},\"state_bytes\":{},\"restarts\":{},\"vertices\":{}}}", json_text(j.id),
                     json_text(j.name), json_text(j.state), j.checkpoints_completed, j.checkpoints_failed, json_number(j.checkpoint_interval_s), json_number(j.last_checkpoint_s), json_number(j.since_checkpoint_s), j.state_bytes, j.restarts ? std::to_string(*j.restarts) : "null", vertices);
}

void add_finding(std::string& text, const diagnosis::Finding& f) {
  text += fmt::format("{:<9} {}: {}\n", f.severity == diagnosis::Severity::kIncident ? "INCIDENT" : f.severity == diagnosis::Severity::kTicket ? "TICKET" : "info", plain(f.subject), plain(f.what));
  std::string numbers;
  for (const diagnosis::Number& n : f.numbers) numbers += fmt::format("{}{} {:.6g}{}{}", numbers.empty() ? "" : ", ", n.name, n.value, n.unit.empty() ? "" : " ", n.unit);
  if (!numbers.empty()) text += "          " + numbers + "\n";
  text += "          -> " + plain(f.next) + "\n";
}

}  // namespace

std::string plain(std::string_view text, std::size_t width) {
  std::string out(text.substr(0, width));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

std::string last_known_text(const Report& r) { return fmt::format("nothing below is newer than {} ago; it was {} then", human_duration(r.at_us - r.known_at_us), health_name(r.last_health)); }

std::string health_text(const Report& r, const GroupReport& g) { return r.reachable ? std::string(health_name(g.health)) : fmt::format("was {}", health_name(g.last_health)); }

std::string age_text(std::optional<double> seconds) { return seconds ? human_duration(static_cast<DurationUs>(*seconds * kSecond)) : "?"; }

std::string loss_text(const GroupReport& g, TimeUs now) {
  if (!g.limiting) return "?";
  const auto in = [now](TimeUs t) { return human_duration(std::max<DurationUs>(0, t - now)); };
  switch (g.limiting->state) {
    case diagnosis::LossState::kExposed: return "lost";
    case diagnosis::LossState::kComing: return "in " + in(*g.limiting->moving->mid);
    case diagnosis::LossState::kUnknown: return "?";
    case diagnosis::LossState::kNone: return g.limiting->stopped && g.limiting->stopped->mid ? "- (" + in(*g.limiting->stopped->mid) + ")" : "-";
  }
  return "?";
}

std::string report_text(const Report& r) {
  const std::string seen = fmt::format("{} groups, {} topics, {} partitions; watched for {}\n", r.groups.size(), r.topics, r.partitions, human_duration(r.watched_for_us));
  std::string text = r.reachable ? fmt::format("{}: {}, {}", health_name(r.worst()), r.source, seen) : fmt::format("UNKNOWN: {}: {}\n", r.source, plain(r.problem));
  if (!r.reachable && !r.known()) return text;
  if (!r.reachable) text += fmt::format("{}, {}", last_known_text(r), seen);
  if (r.clock_offset_us != 0) text += fmt::format("the cluster's clock is {} ahead of this machine's: taken into account\n", human_duration(r.clock_offset_us));
  std::vector<diagnosis::Finding> all = r.cluster;
  for (const GroupReport& g : r.groups) all.insert(all.end(), g.findings.begin(), g.findings.end());
  diagnosis::rank(all);
  if (!all.empty()) text += "\n";
  for (const diagnosis::Finding& f : all) add_finding(text, f);
  if (!r.groups.empty()) text += fmt::format("\n{:<28} {:<12} {:>8} {:>11} {:>11} {:>13} {:>14} {:>10} {:<22} {}\n", "GROUP", "HEALTH", "MEMBERS", "IN/S", "READ/S", "LAG", "OLDEST UNREAD", "LOST", "LOSES (IF STOPPED)", "LAG ALARMS: BURROW, RETENTION %, LOST GAUGE");
  std::size_t rows = 0;
  for (const GroupReport& g : r.groups) {
    if (++rows > kGroupsInTable) continue;
    text += fmt::format("{:<28} {:<12} {:>8} {:>11.1f} {:>11.1f} {:>13} {:>14} {:>10} {:<22} {}, {}, {}\n", plain(g.name, 28), health_text(r, g), g.members < 0 ? "?" : std::to_string(g.members), g.append_rate, g.read_rate, g.lag, age_text(g.oldest_unread_s), g.lost + g.exposed,
                        loss_text(g, r.at_us), slo::burrow_status_name(g.burrow), slo::alarm_level_name(g.retention_percent), slo::alarm_level_name(g.messages_lost));
  }
  if (rows > kGroupsInTable) text += fmt::format("and {} more; --group chooses\n", rows - kGroupsInTable);
  for (const std::string& p : r.problems) text += "not asked: " + plain(p) + "\n";
  return text;
}

std::string report_json(const Report& r) {
  return fmt::format("{{\"source\":{},\"reachable\":{},\"problem\":{},\"health\":\"{}\",\"last_health\":\"{}\",\"complete\":{},\"at_s\":{:.3f},\"known_age_s\":{},\"took_ms\":{:.1f},\"clock_offset_s\":{:.3f},\"watched_for_s\":{:.1f},\"topics\":{},\"partitions\":{},\"groups\":{},\"cluster\":{},\"jobs\":{},\"problems\":{}}}", json_text(r.source),
                     r.reachable, json_text(r.problem), health_name(r.worst()), health_name(r.last_health), r.complete, static_cast<double>(r.at_us) / kSecond, r.known() ? fmt::format("{:.3f}", static_cast<double>(r.at_us - r.known_at_us) / kSecond) : "null", static_cast<double>(r.took_us) / kMillisecond, static_cast<double>(r.clock_offset_us) / kSecond, static_cast<double>(r.watched_for_us) / kSecond, r.topics,
                     r.partitions, json_array(r.groups, [&](const GroupReport& g) { return group_json(g, r.at_us); }), json_array(r.cluster, finding_json), json_array(r.jobs, job_json), json_array(r.problems, [](const std::string& p) { return json_text(p); }));
}

int exit_status(const Report& r) {
  switch (r.worst()) {
    case Health::kOk: return 0;
    case Health::kAtRisk:
    case Health::kIncident: return 3;
    case Health::kUnknown: return 4;
  }
  return 4;
}

}  // namespace supyo::watch
