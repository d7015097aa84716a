#include "lab/scenario/stream/stream_row.h"

#include <nlohmann/json.hpp>

#include "data/types/value.h"
#include "lab/workload/window_truth.h"

namespace supyo::scenario {

std::string text_of(const nlohmann::json& row, const std::string& field) {
  if (field.empty()) return {};
  const auto it = row.find(field);
  return it == row.end() ? std::string() : it->is_string() ? it->get<std::string>() : it->dump();
}

std::optional<TimeUs> time_of(const nlohmann::json& row, const std::string& field) {
  const auto it = row.find(field);
  if (it == row.end() || !it->is_string()) return std::nullopt;
  const auto t = parse_timestamp(it->get<std::string>());   // an error says why; nobody asks
  return t ? std::optional(*t) : std::nullopt;
}

std::pair<TimeUs, std::string> window_of(const workload::GeneratedRecord& record, DurationUs size_us, const std::string& key) {
  std::string of_key;
  if (!key.empty()) of_key = text_of(nlohmann::json::parse(record.value, nullptr, false), key);
  return {workload::window_start(record.event_us, size_us), std::move(of_key)};
}

}  // namespace supyo::scenario
