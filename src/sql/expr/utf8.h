#pragma once
#include <cstddef>
#include <string_view>

/// Lengths and positions in characters of UTF-8 texts. Damaged text is taken byte-wise and never read past its end.
namespace supyo::expr {

inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

inline std::size_t utf8_length(std::string_view s) {
  std::size_t n = 0;
  for (const char c : s) n += !is_continuation(c);
  return n;
}

/// Byte offset of character number `characters`; the end when there are fewer.
inline std::size_t utf8_offset(std::string_view s, std::size_t characters) {
  std::size_t i = 0;
  while (i < s.size()) {
    if (!is_continuation(s[i]) && characters-- == 0) return i;
    ++i;
  }
  return s.size();
}

}  // namespace supyo::expr
