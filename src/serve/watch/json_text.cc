#include "serve/watch/json_text.h"

#include <fmt/format.h>

#include <cmath>

namespace supyo::watch {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f || c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_number(std::optional<double> v) { return v && std::isfinite(*v) ? fmt::format("{:.10g}", *v) : "null"; }

}  // namespace supyo::watch
