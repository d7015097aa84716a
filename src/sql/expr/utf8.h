#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
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

/// Appends a character by its number, which is one of Unicode's.
inline void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) { out += static_cast<char>(code); return; }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xff00U >> (more + 1) & 0xff) | code >> (6 * more));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
}

}  // namespace supyo::expr
