#include <array>

#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"
#include "sql/expr/utf8.h"

// ENCODE and DECODE in the character sets that Java always has. What a set does not have becomes '?', bytes that stand for nothing U+FFFD.
namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;
using Text = std::string_view;

enum class Charset : std::uint8_t { kAscii, kLatin1, kUtf8, kUtf16, kUtf16Be, kUtf16Le };

constexpr std::uint32_t kReplacement = 0xfffd;

Result<Charset> charset_of(Text name) {
  static constexpr std::array<std::pair<Text, Charset>, 6> kCharsets = {{{"US-ASCII", Charset::kAscii}, {"ISO-8859-1", Charset::kLatin1}, {"UTF-8", Charset::kUtf8},
                                                                         {"UTF-16", Charset::kUtf16}, {"UTF-16BE", Charset::kUtf16Be}, {"UTF-16LE", Charset::kUtf16Le}}};
  std::string upper(name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  for (const auto& [known, charset] : kCharsets) {
    if (upper == known) return charset;
  }
  return fail(ErrorCode::kArithmetic, fmt::format("'{}' is not a character set", name), "there are US-ASCII, ISO-8859-1, UTF-8, UTF-16, UTF-16BE and UTF-16LE");
}

/// The character at the front of a text, which goes; bytes that are no UTF-8 are U+FFFD, one for each part that could not go on.
std::uint32_t take_character(Text& s) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0; };
  const std::uint32_t first = byte(0);
  const std::size_t more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : SIZE_MAX;
  std::uint32_t code = more == 0 || more == SIZE_MAX ? first : first & (0x3fU >> more);
  std::size_t n = 1;
  bool whole = more != SIZE_MAX;
  for (; whole && n <= more; ++n) {
    const std::uint32_t next = byte(n);
    const bool fits = (next & 0xc0) == 0x80 && !(n == 1 && ((first == 0xe0 && next < 0xa0) || (first == 0xed && next > 0x9f) || (first == 0xf0 && next < 0x90) || (first == 0xf4 && next > 0x8f)));
    if (!fits) { whole = false; break; }
    code = code << 6 | (next & 0x3f);
  }
  s.remove_prefix(std::min(n, s.size()));
  return whole ? code : kReplacement;
}

void append_unit(std::uint32_t unit, bool little, std::string& out) {
  out += static_cast<char>(little ? unit & 0xff : unit >> 8 & 0xff);
  out += static_cast<char>(little ? unit >> 8 & 0xff : unit & 0xff);
}

void append_encoded(Text s, Charset charset, std::string& out) {
  if (charset == Charset::kUtf16 && !s.empty()) append_unit(0xfeff, false, out);
  while (!s.empty()) {
    const std::uint32_t code = take_character(s);
    switch (charset) {
      case Charset::kAscii: out += code < 0x80 ? static_cast<char>(code) : '?'; break;
      case Charset::kLatin1: out += code < 0x100 ? static_cast<char>(code) : '?'; break;
      case Charset::kUtf8: append_utf8(code, out); break;
      default: {
        const bool little = charset == Charset::kUtf16Le;
        if (code < 0x10000) { append_unit(code, little, out); break; }
        append_unit(0xd800 + ((code - 0x10000) >> 10), little, out);
        append_unit(0xdc00 + ((code - 0x10000) & 0x3ff), little, out);
      }
    }
  }
}

void append_utf16(Text bytes, bool little, std::string& out) {
  const auto unit = [&](std::size_t i) -> std::uint32_t {
    const std::uint32_t a = static_cast<unsigned char>(bytes[i]), b = static_cast<unsigned char>(bytes[i + 1]);
    return little ? b << 8 | a : a << 8 | b;
  };
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    const std::uint32_t high = unit(i);
    if (high < 0xd800 || high > 0xdfff) { append_utf8(high, out); continue; }
    const std::uint32_t low = high < 0xdc00 && i + 3 < bytes.size() ? unit(i + 2) : 0;
    if (low < 0xdc00 || low > 0xdfff) { append_utf8(kReplacement, out); continue; }
    append_utf8(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), out);
    i += 2;
  }
  if (i < bytes.size()) append_utf8(kReplacement, out);
}

void append_decoded(Text bytes, Charset charset, std::string& out) {
  switch (charset) {
    case Charset::kAscii:
    case Charset::kLatin1:
      for (const char c : bytes) {
        const auto code = static_cast<unsigned char>(c);
        append_utf8(charset == Charset::kAscii && code > 0x7f ? kReplacement : code, out);
      }
      return;
    case Charset::kUtf8:
      while (!bytes.empty()) append_utf8(take_character(bytes), out);
      return;
    case Charset::kUtf16: {
      const bool little = bytes.starts_with("\xff\xfe");
      if (little || bytes.starts_with("\xfe\xff")) bytes.remove_prefix(2);
      return append_utf16(bytes, little, out);
    }
    default: return append_utf16(bytes, charset == Charset::kUtf16Le, out);
  }
}

template <void (*kAppend)(Text, Charset, std::string&)>
Result<ColumnPtr> convert(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, Text>(args, result, rows, [](std::string& out, Text s, Text name) -> Result<bool> {
    SUPYO_ASSIGN(const Charset charset, charset_of(name));
    kAppend(s, charset, out);
    return true;
  });
}

/// As Java's String.hashCode() of the UTF-16 text, without its sign.
Result<ColumnPtr> hash_code(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<Text>(args, result, rows, [](Text s) -> std::int32_t {
    std::string units;
    append_encoded(s, Charset::kUtf16Le, units);
    std::uint32_t h = 0;
    for (std::size_t i = 0; i < units.size(); i += 2) h = 31 * h + (static_cast<unsigned char>(units[i]) | static_cast<std::uint32_t>(static_cast<unsigned char>(units[i + 1])) << 8);
    return static_cast<std::int32_t>(h >> 31 != 0 ? 0 - h : h);
  });
}

}  // namespace

void register_charset(Registrar& r) {
  const Type s = Type::string();
  r.add({.name = "ENCODE", .kernel = convert<append_encoded>, .signature = "ENCODE(STRING, charset) -> BYTES", .help = "The text in a character set: US-ASCII, ISO-8859-1, UTF-8, UTF-16, UTF-16BE or UTF-16LE."},
        takes({s, s}, Type::bytes()));
  r.add({.name = "HASH_CODE", .kernel = hash_code, .signature = "HASH_CODE(STRING) -> INT", .help = "Java's hash of the text, without its sign."}, takes({s}, Type::integer()));
  r.add({.name = "DECODE", .kernel = convert<append_decoded>, .signature = "DECODE(BYTES, charset) -> STRING", .help = "The text that bytes in a character set stand for."},
        takes({Type::bytes(), s}, s));
}

}  // namespace supyo::expr
