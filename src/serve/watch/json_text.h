#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace supyo::watch {

/// As a JSON string, quotes included; also safe inside a page's script (no <, >, &).
std::string json_text(std::string_view text);
/// "null" for what is absent or not finite.
std::string json_number(std::optional<double> v);

}  // namespace supyo::watch
