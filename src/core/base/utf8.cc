#include "core/base/utf8.h"

namespace supyo {

std::size_t utf8_sequence(std::string_view s) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

std::string text_of_bytes(std::string_view bytes, std::size_t most) {
  std::size_t end = 0;
  for (std::size_t n = 0; end < bytes.size() && (n = utf8_sequence(bytes.substr(end))) > 0 && end + n <= most;) end += n;
  if (end == bytes.size() || end + 4 > most) return std::string(bytes.substr(0, end));
  std::string hex = "x'";
  for (const char b : bytes.substr(0, most / 2)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(b) >> 4];
    hex += kDigits[static_cast<unsigned char>(b) & 15];
  }
  return hex + "'";
}

}  // namespace supyo
