#include "judge/diagnosis/client_log.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace supyo::diagnosis {

void ClientLog::read(std::string_view text) {
  rest_ += text;
  std::size_t at = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; at = end + 1, end = rest_.find('\n', at)) line(std::string_view(rest_).substr(at, end - at));
  rest_.erase(0, at);
  if (rest_.size() > kLineMost) rest_.clear();   // no line of ours
}

void ClientLog::line(std::string_view text) {
  if (text.size() > kLineMost) return;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  const auto name = [&](const char* key) { return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string(); };
  const auto number = [&](const char* key) { return json.contains(key) && json[key].is_number() ? json[key].get<double>() : -1; };
  Told t{.group = name("group"), .at = 0, .statistics = {}};
  ClientStatistics& s = t.statistics;
  s.client_id = name("client_id");
  s.busy_share = number("busy_share");
  s.cpu_share = number("cpu_share");
  s.records_per_s = number("records_per_s");
  const double at_ms = number("at_ms"), timeouts = std::max(0.0, number("poll_timeouts"));
  // More than all of the time is a clock's doing, not a member's.
  if (t.group.empty() || t.group.size() > kNameMost || s.client_id.empty() || s.client_id.size() > kNameMost || !(at_ms >= 0 && at_ms < 1e15) || !(timeouts < 1e9) || !(s.busy_share >= 0 && s.busy_share < 2) ||
      !(s.cpu_share >= 0 && s.cpu_share < 2) || !(s.records_per_s >= 0))
    return;
  t.at = static_cast<TimeUs>(at_ms) * kMillisecond;
  s.poll_timeouts = static_cast<std::int64_t>(timeouts);
  told_.push_back(std::move(t));
  if (told_.size() > kMost) told_.pop_front();
}

std::vector<ClientStatistics> ClientLog::statistics(const std::string& group, TimeUs since) const {
  std::map<std::string, std::pair<ClientStatistics, double>> clients;   // sums, and busy time to weigh its CPU share by
  std::map<std::string, double> lines;
  for (const Told& t : told_) {
    if (t.group != group || t.at < since) continue;
    auto& [sum, cpu] = clients[t.statistics.client_id];
    sum.busy_share += t.statistics.busy_share;
    sum.records_per_s += t.statistics.records_per_s;
    sum.poll_timeouts += t.statistics.poll_timeouts;
    cpu += t.statistics.busy_share * t.statistics.cpu_share;
    lines[t.statistics.client_id] += 1;
  }
  std::vector<ClientStatistics> out;
  for (auto& [client, entry] : clients) {
    auto& [sum, cpu] = entry;
    const double n = lines[client];
    out.push_back({.client_id = client, .busy_share = std::min(1.0, sum.busy_share / n), .cpu_share = sum.busy_share > 0 ? std::min(1.0, cpu / sum.busy_share) : 0, .records_per_s = sum.records_per_s / n, .poll_timeouts = sum.poll_timeouts});
  }
  return out;
}

}  // namespace supyo::diagnosis
