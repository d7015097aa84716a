#include <array>
#include <charconv>

#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"
#include "sql/expr/utf8.h"

namespace supyo::expr {
namespace {

// Positions and lengths count characters, from 1. Source of every rule: Flink docs, System (Built-in) Functions, String Functions.

using Args = std::span<const ColumnPtr>;
using Text = std::string_view;

constexpr std::int64_t kLongestText = 64LL << 20;  ///< of one REPEAT, LPAD or RPAD: a typing error must not eat the memory

std::int32_t int_at(const ColumnPtr& c, std::size_t row) { return c->value<std::int32_t>(row); }

// ---- case

/// Letters of Latin, Greek, Cyrillic and Armenian. Pairs of one small and one capital letter lie side by side, the capital at an even place or at an odd one.
bool even_pair(char32_t c) {
  return (c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) ||
         (c >= 0x4d0 && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff);
}
bool odd_pair(char32_t c) { return (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e); }

/// Letters that do not lie where the ranges of upper_code have them: small, capital.
constexpr std::array<std::pair<char32_t, char32_t>, 10> kOddCases = {
    {{0xb5, 0x39c}, {0xff, 0x178}, {0x131, 'I'}, {0x17f, 'S'}, {0x3ac, 0x386}, {0x3c2, 0x3a3}, {0x3cc, 0x38c}, {0x3cd, 0x38e}, {0x3ce, 0x38f}, {0x4cf, 0x4c0}}};

char32_t upper_code(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  for (const auto& [small, capital] : kOddCases)
    if (c == small) return capital;
  if ((c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3cb) || (c >= 0x430 && c <= 0x44f) || (c >= 0xff41 && c <= 0xff5a)) return c - 32;
  if (c >= 0x450 && c <= 0x45f) return c - 80;
  if (c >= 0x561 && c <= 0x586) return c - 48;
  if (c >= 0x3ad && c <= 0x3af) return c - 37;
  if (even_pair(c)) return c & ~char32_t{1};
  return odd_pair(c) && c % 2 == 0 ? c - 1 : c;
}
char32_t lower_code(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  for (const auto& [small, capital] : kOddCases)
    if (c == capital && c != 0x39c && c != 0x3a3) return small;
  if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3ab && c != 0x3a2) || (c >= 0x410 && c <= 0x42f) || (c >= 0xff21 && c <= 0xff3a)) return c + 32;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  if (c >= 0x531 && c <= 0x556) return c + 48;
  if (c >= 0x388 && c <= 0x38a) return c + 37;
  if (even_pair(c)) return c | char32_t{1};
  return odd_pair(c) && c % 2 == 1 ? c + 1 : c;
}

template <char32_t (*kMap)(char32_t)>
void append_mapped(std::string& out, Text s) {
  constexpr bool kUpper = kMap == &upper_code;
  constexpr std::array<const char*, 7> kLigatures = {"FF", "FI", "FL", "FFI", "FFL", "ST", "ST"};   // from U+FB00
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto byte = static_cast<unsigned char>(s[i]);
    const auto follows = [&](std::size_t n) { return i + n < s.size() && is_continuation(s[i + n]); };
    const auto bits = [&](std::size_t n) { return static_cast<char32_t>(static_cast<unsigned char>(s[i + n]) & 0x3f); };
    if (byte < 0x80) {
      out += static_cast<char>(kMap(byte));
    } else if (byte >= 0xc2 && byte < 0xe0 && follows(1)) {
      const char32_t code = (static_cast<char32_t>(byte & 0x1f) << 6) | bits(1);
      ++i;
      if (kUpper && code == 0xdf) out += "SS";
      else if (!kUpper && code == 0x130) out += "i\u0307";   // the dot is kept
      else append_utf8(kMap(code), out);
    } else if (byte >= 0xe0 && byte < 0xf0 && follows(1) && follows(2)) {
      const char32_t code = (static_cast<char32_t>(byte & 0x0f) << 12) | (bits(1) << 6) | bits(2);
      i += 2;
      if (kUpper && code >= 0xfb00 && code <= 0xfb06) out += kLigatures[code - 0xfb00];
      else append_utf8(kMap(code), out);
    } else {
      out += s[i];
    }
  }
}

template <char32_t (*kMap)(char32_t)>
Result<ColumnPtr> change_case(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) { append_mapped<kMap>(out, s); });
}

Result<ColumnPtr> initcap(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    bool word_start = true;
    for (const char c : s) {
      const bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!letter) out += c;
      else out += static_cast<char>(word_start ? upper_code(static_cast<unsigned char>(c)) : lower_code(static_cast<unsigned char>(c)));
      word_start = !letter;
    }
  });
}

// ---- lengths and parts

Result<ColumnPtr> char_length(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<Text>(args, result, rows, [](Text s) { return static_cast<std::int32_t>(utf8_length(s)); });
}

/// Characters [from, from + count) of s, from >= 0.
Text characters(Text s, std::size_t from, std::size_t count) {
  const std::size_t start = utf8_offset(s, from);
  return s.substr(start, utf8_offset(s.substr(start), count));
}

/// A start of 0 is 1; a negative one counts from the end; nothing remains when it lies before the text.
Text substring_of(Text s, std::int64_t start, std::int64_t count) {
  const auto length = static_cast<std::int64_t>(utf8_length(s));
  if (count <= 0) return {};
  std::int64_t from = start > 0 ? start - 1 : (start < 0 ? length + start : 0);
  if (from < 0 || from >= length) return {};
  return characters(s, static_cast<std::size_t>(from), static_cast<std::size_t>(count));
}

Result<ColumnPtr> substring(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  if (args.size() == 2) {
    return map_text<Text, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t from) { out += substring_of(s, from, INT32_MAX); });
  }
  return map_text<Text, std::int32_t, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t from, std::int32_t n) {
    if (n < 0) return false;
    out += substring_of(s, from, n);
    return true;
  });
}

Result<ColumnPtr> left(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t n) { out += substring_of(s, 1, n); });
}
Result<ColumnPtr> right(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t n) {
    const auto length = static_cast<std::int64_t>(utf8_length(s));
    if (n > 0) out += characters(s, static_cast<std::size_t>(std::max<std::int64_t>(0, length - n)), SIZE_MAX);
  });
}

/// Position of `part` in `s` in characters, from 1, at or after character `from`; 0 = not there.
std::int32_t position_in(Text part, Text s, std::int32_t from) {
  const std::size_t start = utf8_offset(s, static_cast<std::size_t>(std::max(from, 1) - 1));
  const std::size_t at = s.find(part, start);
  return at == Text::npos ? 0 : static_cast<std::int32_t>(utf8_length(s.substr(0, at))) + 1;
}

Result<ColumnPtr> locate(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  if (args.size() == 2) return map_rows<Text, Text>(args, result, rows, [](Text part, Text s) { return position_in(part, s, 1); });
  return map_rows<Text, Text, std::int32_t>(args, result, rows, [](Text part, Text s, std::int32_t from) { return position_in(part, s, from); });
}
Result<ColumnPtr> instr(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<Text, Text>(args, result, rows, [](Text s, Text part) { return position_in(part, s, 1); });
}

template <bool kAtEnd>
Result<ColumnPtr> has_affix(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<Text, Text>(args, result, rows, [](Text s, Text part) -> std::uint8_t { return kAtEnd ? s.ends_with(part) : s.starts_with(part); });
}

bool append_field(std::string& out, Text s, Text delimiter, std::int32_t index) {
  if (index < 0 || delimiter.empty() || s.empty()) return false;   // an empty text has no fields
  for (;; --index) {
    const std::size_t end = s.find(delimiter);
    if (index == 0) {
      out += s.substr(0, end);
      return true;
    }
    if (end == Text::npos) return false;
    s.remove_prefix(end + delimiter.size());
  }
}
Result<ColumnPtr> split_index(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, Text, std::int32_t>(args, result, rows, append_field);
}

/// The delimiter as the code of a character, 1 to 255.
Result<ColumnPtr> split_index_of_code(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, std::int32_t, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t code, std::int32_t index) {
    std::string delimiter;
    if (code < 1 || code > 255) return false;
    append_utf8(static_cast<std::uint32_t>(code), delimiter);
    return append_field(out, s, delimiter, index);
  });
}

// ---- building

Result<ColumnPtr> concat(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const BufferPtr valid = merged_validity(args, rows);
  TextOutput out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.end_null(); continue; }
    for (const ColumnPtr& a : args) out.bytes() += a->text(i);
    out.end_row();
  }
  return out.finish(result);
}

/// Null only when the separator is; null arguments are left out.
Result<ColumnPtr> concat_ws(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  TextOutput out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (args[0]->is_null(i)) { out.end_null(); continue; }
    bool first = true;
    for (const ColumnPtr& a : args.subspan(1)) {
      if (a->is_null(i)) continue;
      if (!first) out.bytes() += args[0]->text(i);
      out.bytes() += a->text(i);
      first = false;
    }
    out.end_row();
  }
  return out.finish(result);
}

Result<ColumnPtr> replace(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, Text, Text>(args, result, rows, [](std::string& out, Text s, Text from, Text to) {
    if (from.empty()) {   // as Java's: before every character, and at the end
      for (const char c : s) {
        if (!is_continuation(c)) out += to;
        out += c;
      }
      out += to;
      return;
    }
    for (std::size_t at = 0; (at = s.find(from)) != Text::npos;) {
      out += s.substr(0, at);
      out += to;
      s.remove_prefix(at + from.size());
    }
    out += s;
  });
}

Result<ColumnPtr> overlay(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const BufferPtr valid = merged_validity(args, rows);
  TextOutput out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.end_null(); continue; }
    const Text s = args[0]->text(i);
    const Text with = args[1]->text(i);
    const std::int64_t from = int_at(args[2], i);
    const auto length = static_cast<std::int64_t>(utf8_length(s));
    const std::int64_t n = args.size() > 3 ? int_at(args[3], i) : static_cast<std::int64_t>(utf8_length(with));
    if (from <= 0 || from > length) {
      out.bytes() += s;
    } else {
      out.bytes() += characters(s, 0, static_cast<std::size_t>(from - 1));
      out.bytes() += with;
      if (n >= 0 && from - 1 + n < length) out.bytes() += characters(s, static_cast<std::size_t>(from - 1 + n), SIZE_MAX);
    }
    out.end_row();
  }
  return out.finish(result);
}

template <bool kLeft>
Result<ColumnPtr> pad(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, std::int32_t, Text>(args, result, rows, [](std::string& out, Text s, std::int32_t n, Text with) -> Result<bool> {
    const auto length = static_cast<std::int64_t>(utf8_length(s));
    if (n < 0 || (with.empty() && n > length)) return false;
    if (n > kLongestText) return arithmetic_error(fmt::format("a text of {} characters is too long", n));
    if (n <= length) {
      out += characters(s, 0, static_cast<std::size_t>(n));
      return true;
    }
    if (!kLeft) out += s;
    const auto unit = static_cast<std::int64_t>(utf8_length(with));
    std::int64_t left_over = n - length;
    for (; left_over >= unit; left_over -= unit) out += with;
    out += characters(with, 0, static_cast<std::size_t>(left_over));
    if (kLeft) out += s;
    return true;
  });
}

Result<ColumnPtr> repeat(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t n) -> Result<bool> {
    if (n > 0 && static_cast<std::int64_t>(s.size()) * n > kLongestText) return arithmetic_error("the result of REPEAT is too long");
    for (std::int32_t i = 0; i < n; ++i) out += s;
    return true;
  });
}

Result<ColumnPtr> reverse(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    for (std::size_t end = s.size(); end > 0;) {
      std::size_t start = end - 1;
      while (start > 0 && is_continuation(s[start])) --start;
      out += s.substr(start, end - start);
      end = start;
    }
  });
}

// ---- trimming; TRIM(LEADING x FROM s) is bound as LTRIM(s, x), TRIM(BOTH ..) as TRIM(s, x)

bool is_one_of(Text set, Text s, std::size_t at, std::size_t size) { return set.find(s.substr(at, size)) != Text::npos; }

Text trimmed(Text s, Text set, bool front, bool back) {
  if (set.empty()) return s;
  while (front && !s.empty()) {
    const std::size_t size = utf8_offset(s, 1);
    if (!is_one_of(set, s, 0, size)) break;
    s.remove_prefix(size);
  }
  while (back && !s.empty()) {
    std::size_t start = s.size() - 1;
    while (start > 0 && is_continuation(s[start])) --start;
    if (!is_one_of(set, s, start, s.size() - start)) break;
    s = s.substr(0, start);
  }
  return s;
}

template <bool kFront, bool kBack>
Result<ColumnPtr> trim(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  if (args.size() == 1) return map_text<Text>(args, result, rows, [](std::string& out, Text s) { out += trimmed(s, " ", kFront, kBack); });
  return map_text<Text, Text>(args, result, rows, [](std::string& out, Text s, Text set) { out += trimmed(s, set, kFront, kBack); });
}

Result<ColumnPtr> count_char(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::int64_t> out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool none = args[0]->is_null(i) || args[1]->is_null(i) || args[1]->text(i).empty();
    out.set(i, none ? 0 : std::ranges::count(args[0]->text(i), args[1]->text(i).front()));
  }
  return out.finish(result);
}

// ---- codes

Text next_character(Text& s) {
  const Text c = s.substr(0, utf8_offset(s, 1));
  s.remove_prefix(c.size());
  return c;
}

/// Each character of the second text becomes the one in its place in the third, or goes where there is none. Of one that stands twice the first place counts. As in Flink a null
/// in place of either is a text without characters.
Result<ColumnPtr> translate(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  TextOutput out(rows);
  const auto set = [&](std::size_t arg, std::size_t row) { return args[arg]->is_null(row) ? Text() : args[arg]->text(row); };
  for (std::size_t i = 0; i < rows; ++i) {
    if (args[0]->is_null(i)) { out.end_null(); continue; }
    for (Text s = args[0]->text(i); !s.empty();) {
      const Text c = next_character(s);
      Text becomes = c;
      for (Text source = set(1, i), target = set(2, i); !source.empty();) {
        const Text asked = next_character(source), instead = target.empty() ? Text() : next_character(target);
        if (asked != c) continue;
        becomes = instead;
        break;
      }
      out.bytes() += becomes;
    }
    out.end_row();
  }
  return out.finish(result);
}

Result<ColumnPtr> ascii(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<Text>(args, result, rows, [](Text s) -> std::int32_t { return s.empty() ? 0 : static_cast<std::int8_t>(s[0]); });
}
Result<ColumnPtr> chr(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<std::int64_t>(args, result, rows, [](std::string& out, std::int64_t code) {
    if (code < 0) return;
    const auto c = static_cast<unsigned>(code & 0xff);
    if (c < 0x80) { out += static_cast<char>(c); return; }
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  });
}

}  // namespace

void register_string(Registrar& r) {
  const Type s = Type::string();
  const Type i = Type::integer();
  const Type b = Type::boolean();
  const auto add = [&](const char* name, Kernel kernel, std::vector<Type> params, Type result, const char* signature, const char* help, Shape shape = {}) {
    r.add({.name = name, .kernel = kernel, .signature = signature, .help = help}, takes(std::move(params), result, shape));
  };
  add("||", concat, {s, s}, s, "STRING || STRING -> STRING", "Both texts one after the other.");
  add("CONCAT", concat, {s}, s, "CONCAT(STRING, ..) -> STRING", "The texts one after the other; null when one is null.", {.variadic = true});
  add("CONCAT_WS", concat_ws, {s}, s, "CONCAT_WS(separator, STRING, ..) -> STRING", "The texts that are not null, with the separator between them.", {.variadic = true});
  add("UPPER", change_case<upper_code>, {s}, s, "UPPER(STRING) -> STRING", "In upper case.");
  add("LOWER", change_case<lower_code>, {s}, s, "LOWER(STRING) -> STRING", "In lower case.");
  add("INITCAP", initcap, {s}, s, "INITCAP(STRING) -> STRING", "Every word with a capital first letter.");
  add("CHAR_LENGTH", char_length, {s}, i, "CHAR_LENGTH(STRING) -> INT", "Number of characters.");
  add("CHARACTER_LENGTH", char_length, {s}, i, "CHARACTER_LENGTH(STRING) -> INT", "Number of characters.");
  const Shape part{.optional = 1, .always_nullable = true};
  add("SUBSTRING", substring, {s, i, i}, s, "SUBSTRING(STRING, start [, length]) -> STRING", "Part of the text from character `start`, counted from 1.", part);
  add("SUBSTR", substring, {s, i, i}, s, "SUBSTR(STRING, start [, length]) -> STRING", "Part of the text from character `start`, counted from 1.", part);
  add("LEFT", left, {s, i}, s, "LEFT(STRING, INT) -> STRING", "The first characters.");
  add("RIGHT", right, {s, i}, s, "RIGHT(STRING, INT) -> STRING", "The last characters.");
  add("POSITION", locate, {s, s}, i, "POSITION(part IN STRING) -> INT", "Where the part begins, from 1; 0 when it is not there.");
  add("LOCATE", locate, {s, s, i}, i, "LOCATE(part, STRING [, from]) -> INT", "Where the part begins at or after character `from`; 0 when it is not there.", {.optional = 1});
  add("INSTR", instr, {s, s}, i, "INSTR(STRING, part) -> INT", "Where the part begins, from 1; 0 when it is not there.");
  add("STARTSWITH", has_affix<false>, {s, s}, b, "STARTSWITH(STRING, STRING) -> BOOLEAN", "Whether the text begins with the other.");
  add("ENDSWITH", has_affix<true>, {s, s}, b, "ENDSWITH(STRING, STRING) -> BOOLEAN", "Whether the text ends with the other.");
  add("SPLIT_INDEX", split_index, {s, s, i}, s, "SPLIT_INDEX(STRING, delimiter, INT) -> STRING", "The field of that number, from 0; null when there is none.", {.always_nullable = true});
  add("SPLIT_INDEX", split_index_of_code, {s, i, i}, s, "SPLIT_INDEX(STRING, INT, INT) -> STRING", "The same with the delimiter as the code of a character.", {.always_nullable = true});
  add("SUPYO_COUNT_CHAR", count_char, {s, s}, Type::big_int(), "SUPYO_COUNT_CHAR(STRING, STRING) -> BIGINT",
      "How often the first byte of the second text is in the first; 0 when that is null. Nexmark's count_char: CREATE FUNCTION count_char AS 'com.github.nexmark.flink.udf.CountChar'.", {.never_null = true});
  add("REPLACE", replace, {s, s, s}, s, "REPLACE(STRING, from, to) -> STRING", "Every `from` replaced by `to`.");
  add("OVERLAY", overlay, {s, s, i, i}, s, "OVERLAY(STRING PLACING STRING FROM INT [FOR INT]) -> STRING", "A part of the text replaced by position.", {.optional = 1});
  add("LPAD", pad<true>, {s, i, s}, s, "LPAD(STRING, INT, STRING) -> STRING", "Filled up on the left, or cut, to that many characters.", {.always_nullable = true});
  add("RPAD", pad<false>, {s, i, s}, s, "RPAD(STRING, INT, STRING) -> STRING", "Filled up on the right, or cut, to that many characters.", {.always_nullable = true});
  add("TRANSLATE", translate, {s, s, s}, s, "TRANSLATE(STRING, from, to) -> STRING", "Every character of `from` replaced by the one in its place in `to`, or left out where there is none.");
  add("REPEAT", repeat, {s, i}, s, "REPEAT(STRING, INT) -> STRING", "The text that many times.");
  add("REVERSE", reverse, {s}, s, "REVERSE(STRING) -> STRING", "The characters from last to first.");
  add("TRIM", trim<true, true>, {s, s}, s, "TRIM([BOTH | LEADING | TRAILING] [STRING FROM] STRING) -> STRING", "Without blanks (or those characters) at the ends.", {.optional = 1});
  add("BTRIM", trim<true, true>, {s, s}, s, "BTRIM(STRING [, characters]) -> STRING", "Without blanks (or those characters) at both ends.", {.optional = 1});
  add("LTRIM", trim<true, false>, {s, s}, s, "LTRIM(STRING [, characters]) -> STRING", "Without blanks (or those characters) on the left.", {.optional = 1});
  add("RTRIM", trim<false, true>, {s, s}, s, "RTRIM(STRING [, characters]) -> STRING", "Without blanks (or those characters) on the right.", {.optional = 1});
  add("ASCII", ascii, {s}, i, "ASCII(STRING) -> INT", "The first byte as a number; 0 of an empty text.");
  add("CHR", chr, {Type::big_int()}, s, "CHR(BIGINT) -> STRING", "The character of that code, modulo 256.");
}

}  // namespace supyo::expr
