#pragma once
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "core/base/strong.h"
#include "lab/workload/generator.h"

/// What the oracles read in records and rows, which are JSON objects.
namespace supyo::scenario {

/// A field as text, a number as it is written; empty where there is no such field (or none is asked for).
std::string text_of(const nlohmann::json& row, const std::string& field);
/// Nothing where the field is no time.
std::optional<TimeUs> time_of(const nlohmann::json& row, const std::string& field);
/// Start and key of the window that a record belongs to.
std::pair<TimeUs, std::string> window_of(const workload::GeneratedRecord& record, DurationUs size_us, const std::string& key);

}  // namespace supyo::scenario
