#include "data/formats/json_fast.h"

#include <simdjson.h>

#include <bit>
#include <charconv>

namespace supyo::formats {
namespace {

constexpr int kDeepestSkipped = 32;
constexpr std::size_t kUnsureBeforeRest = 64;
constexpr std::size_t kRest = 1024;

using Bytes = unsigned char __attribute__((ext_vector_type(32)));
using Bits = bool __attribute__((ext_vector_type(32)));

/// A bit for each byte whose highest bit is set.
std::uint32_t high_bits(Bytes v) {
  const Bits b = __builtin_convertvector(v >= 0x80, Bits);
  std::uint32_t out;
  static_assert(sizeof(b) == sizeof(out));
  std::memcpy(&out, &b, sizeof out);
  return out;
}

/// True when all bytes are ASCII; perhaps false when only bytes behind the text are not.
bool is_ascii(const char* p, const char* end) {
  Bytes any = 0;
  for (; p < end; p += sizeof(Bytes)) {
    Bytes v;
    std::memcpy(&v, p, sizeof v);
    any |= v;
  }
  return high_bits(any) == 0;
}

bool is_digit(char c) { return static_cast<unsigned>(c) - '0' <= 9; }

std::uint64_t eight(const char* p) {
  std::uint64_t x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

/// Up to 18 digits. Null when there are more, or none, or zeros in front.
[[gnu::always_inline]] inline const char* read_integer(const char* p, std::int64_t& out) {
  constexpr std::uint64_t kPowers[] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
  const bool negative = *p == '-';
  p += negative ? 1 : 0;
  const char* const first = p;
  std::uint64_t sum = 0;
  for (;;) {
    std::uint64_t x = eight(p) ^ 0x3030303030303030U;
    // A byte above 9 sets its high bit; a carry out of it reaches only the bytes behind it.
    const std::uint64_t other = ((x + 0x7676767676767676U) | x) & 0x8080808080808080U;
    const std::size_t n = other == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(other)) / 8;
    if (n == 0) break;
    x <<= (8 - n) * 8;
    x = x * 10 + (x >> 8);
    x = (((x & 0x000000FF000000FFU) * 0x000F424000000064U) + (((x >> 16) & 0x000000FF000000FFU) * 0x0000271000000001U)) >> 32;
    sum = sum * kPowers[n] + x;
    p += n;
    if (n < 8) break;
    if (p - first > 18) return nullptr;
  }
  const auto digits = p - first;
  if (digits == 0 || digits > 18 || (digits > 1 && *first == '0')) return nullptr;
  out = negative ? -static_cast<std::int64_t>(sum) : static_cast<std::int64_t>(sum);
  return p;
}

}  // namespace

JsonFastPath::JsonFastPath(const JsonOptions& options, std::vector<Field> fields) : options_(options), usable_(fields.size() <= kMaxColumns) {
  if (!usable_) return;
  columns_.reserve(fields.size());
  for (const Field& f : fields) columns_.push_back({.type = f.type, .cell = {}, .slots = {}});
  unescaped_.reserve(kUnescaped);
}

void JsonFastPath::add_level(const std::unordered_map<std::string, int>& names, const std::vector<std::size_t>& columns) {
  levels_.push_back({.names = names, .columns = columns, .known = std::vector<Known>(1), .known_at = {}});
}

bool JsonFastPath::read(std::string_view record, const char* lasting) {
  if (!usable_) return false;
  if (resting_ > 0) {
    --resting_;
    return false;
  }
  const char* p = record.data();
  end_ = p + record.size();
  lasting_ = lasting - p;
  seen_ = present_ = 0;
  const std::size_t unescaped = unescaped_.size();
  while (end_ > p && (end_[-1] == ' ' || end_[-1] == '\r' || end_[-1] == '\t' || end_[-1] == '\n')) --end_;
  if (p < end_) {
    p = space(p);
    p = p < end_ && *p == '{' ? object(p + 1, 0) : nullptr;
  }
  const std::uint64_t all = columns_.size() == kMaxColumns ? ~std::uint64_t{0} : (std::uint64_t{1} << columns_.size()) - 1;
  const bool good = p == end_ && !record.empty() && end_ != record.data() && (!options_.fail_on_missing_field || seen_ == all) &&
                    (is_ascii(record.data(), end_) || simdjson::validate_utf8(record.data(), record.size()));
  if (!good) {
    unescaped_.resize(unescaped);
    if (++unsure_in_a_row_ >= kUnsureBeforeRest) {
      unsure_in_a_row_ = 0;
      resting_ = kRest;
    }
    return false;
  }
  unsure_in_a_row_ = 0;
  row_present_[rows_++] = present_;
  return true;
}

// All readers give the place behind what they read, or null; this one the closing quote or the first backslash: null when a control character, or the record's end, comes before it.
[[gnu::always_inline]] inline const char* JsonFastPath::string_end(const char* p) {
  for (; p < end_; p += sizeof(Bytes)) {
    Bytes v;
    std::memcpy(&v, p, sizeof v);
    const std::uint32_t stop = high_bits((Bytes)((v == '"') | (v == '\\') | (v < 0x20)));
    if (stop != 0) {
      p += std::countr_zero(stop);
      return p < end_ && (*p == '"' || *p == '\\') ? p : nullptr;
    }
  }
  return nullptr;
}

[[gnu::always_inline]] inline const char* JsonFastPath::number_value(const char* p, ColumnStage& column) {
  Slot& slot = column.slots[rows_];
  const Type& type = column.type;
  if (type.is_integer()) {
    std::int64_t v = 0;
    p = read_integer(p, v);
    if (p == nullptr || (type.id != TypeId::kBigInt && cell_from_integer(v, type, column.cell) != nullptr)) return nullptr;
    slot.integer = v;
    return p;
  }
  const char* const end = number_end(p);
  if (end == nullptr) return nullptr;
  if (type.is_floating()) {
    const auto [stop, error] = std::from_chars(p, end, slot.number);
    return error == std::errc{} && stop == end ? end : nullptr;
  }
  if (type.id != TypeId::kDecimal || cell_from_text({p, static_cast<std::size_t>(end - p)}, type, options_.timestamps, column.cell) != nullptr) return nullptr;
  slot.decimal = column.cell.decimal;
  return end;
}

[[gnu::always_inline]] inline const char* JsonFastPath::text_value(const char* p, std::size_t c) {
  ColumnStage& column = columns_[c];
  const char* end = string_end(p);
  if (end == nullptr) return nullptr;
  std::string_view text(p, static_cast<std::size_t>(end - p));
  const bool plain = *end == '"';
  if (!plain) {
    end = unescape(p, text);
    if (end == nullptr) return nullptr;
  }
  if (!mark(c, true)) return nullptr;
  if (column.type.id == TypeId::kString) {
    column.slots[rows_].text = {plain ? text.data() + lasting_ : text.data(), text.size()};
    return end + 1;
  }
  if (column.type.id == TypeId::kBytes || cell_from_text(text, column.type, options_.timestamps, column.cell) != nullptr) return nullptr;
  if (column.type.id == TypeId::kDecimal) column.slots[rows_].decimal = column.cell.decimal;
  else if (column.type.is_floating()) column.slots[rows_].number = column.cell.number;
  else column.slots[rows_].integer = column.cell.integer;
  return end + 1;
}

[[gnu::always_inline]] inline const char* JsonFastPath::value(const char* p, std::size_t c) {
  if (*p == '"') return text_value(p + 1, c);
  if (*p == 'n') return literal(p, "null") && mark(c, false) ? p + 4 : nullptr;
  if (!mark(c, true)) return nullptr;
  ColumnStage& column = columns_[c];
  if (column.type.id != TypeId::kBoolean) return number_value(p, column);
  const bool yes = literal(p, "true");
  if (!yes && !literal(p, "false")) return nullptr;
  column.slots[rows_].integer = yes ? 1 : 0;
  return p + (yes ? 4 : 5);
}

// `p`: behind the brace.
const char* JsonFastPath::object(const char* p, std::size_t number) {
  Level& level = levels_[number];
  std::size_t previous = 0;
  p = space(p);
  if (*p == '}' && p < end_) return p + 1;
  for (;;) {
    if (p >= end_ || *p != '"') return nullptr;
    ++p;
    int target;
    if (const std::size_t next = level.known[previous].next; next != 0 && level.known[next].key.is(p)) [[likely]] {
      p += level.known[next].key.quoted.size();
      target = level.known[next].key.target;
      previous = next;
    } else {
      p = find_key(p, level, previous, target);
      if (p == nullptr) return nullptr;
    }
    if (p >= end_) return nullptr;
    if (*p != ':') {
      p = space(p);
      if (*p != ':') return nullptr;
    }
    p = space(p + 1);
    if (p >= end_) return nullptr;
    if (target >= 0) p = value(p, static_cast<std::size_t>(target));
    else if (target == -1) p = skip(p, 0);
    else p = row(p, static_cast<std::size_t>(-1 - target));
    if (p == nullptr || p >= end_) return nullptr;
    if (*p != ',') {
      p = space(p);
      if (p >= end_) return nullptr;
      if (*p == '}') return p + 1;
      if (*p != ',') return nullptr;
    }
    p = space(p + 1);
  }
}

const char* JsonFastPath::find_key(const char* p, Level& level, std::size_t& previous, int& target) {
  const char* const end = string_end(p);
  if (end == nullptr || *end != '"') return nullptr;
  const std::string name(p, end);
  const auto at = level.known_at.find(name);
  if (at != level.known_at.end()) {
    target = level.known[at->second].key.target;
    level.known[previous].next = at->second;
    previous = at->second;
    return end + 1;
  }
  const auto it = level.names.find(name);
  target = it == level.names.end() ? -1 : it->second;
  if (level.known.size() < kMaxKeys && name.size() < kLongestKey) {
    level.known_at.emplace(name, level.known.size());
    level.known[previous].next = level.known.size();
    previous = level.known.size();
    level.known.push_back({.key = JsonKey(name, target), .next = 0});
  }
  return end + 1;
}

const char* JsonFastPath::row(const char* p, std::size_t level) {
  if (*p == '{') return object(p + 1, level);
  if (!literal(p, "null")) return nullptr;
  for (const std::size_t c : levels_[level].columns)
    if (!mark(c, false)) return nullptr;
  return p + 4;
}

const char* JsonFastPath::skip(const char* p, int depth) {
  switch (*p) {
    case '"': {
      const char* end = string_end(p + 1);
      if (end != nullptr && *end != '"') {
        std::string_view text;
        const std::size_t before = unescaped_.size();
        end = unescape(p + 1, text);
        unescaped_.resize(before);
      }
      return end == nullptr ? nullptr : end + 1;
    }
    case 'n': return literal(p, "null") ? p + 4 : nullptr;
    case 't': return literal(p, "true") ? p + 4 : nullptr;
    case 'f': return literal(p, "false") ? p + 5 : nullptr;
    case '{':
    case '[': return depth < kDeepestSkipped ? skip_nested(p, depth) : nullptr;
    default: return number_end(p);
  }
}

const char* JsonFastPath::skip_nested(const char* p, int depth) {
  const bool object = *p == '{';
  const char close = object ? '}' : ']';
  p = space(p + 1);
  if (p < end_ && *p == close) return p + 1;
  for (;;) {
    if (p >= end_) return nullptr;
    if (object) {
      if (*p != '"') return nullptr;
      p = string_end(p + 1);
      if (p == nullptr || *p != '"') return nullptr;
      p = space(p + 1);
      if (p >= end_ || *p != ':') return nullptr;
      p = space(p + 1);
      if (p >= end_) return nullptr;
    }
    p = skip(p, depth + 1);
    if (p == nullptr || p >= end_) return nullptr;
    p = space(p);
    if (p >= end_) return nullptr;
    if (*p == close) return p + 1;
    if (*p != ',') return nullptr;
    p = space(p + 1);
  }
}

// The string from `p` on, which has a backslash. Halves of surrogate pairs are not for here.
const char* JsonFastPath::unescape(const char* p, std::string_view& text) {
  const std::size_t from = unescaped_.size();
  const auto hex = [](char c) { return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; };
  const auto room = [&](std::size_t n) { return unescaped_.size() + n <= kUnescaped; };   // it never moves: slots point into it
  for (;;) {
    const char* const stop = string_end(p);
    if (stop == nullptr || !room(static_cast<std::size_t>(stop - p) + 4)) return nullptr;
    unescaped_.append(p, stop);
    if (*stop == '"') {
      text = std::string_view(unescaped_).substr(from);
      return stop;
    }
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
    if (const std::size_t at = kLetters.find(stop[1]); at != std::string_view::npos) {
      unescaped_.push_back(kMeant[at]);
      p = stop + 2;
      continue;
    }
    if (stop[1] != 'u' || end_ - stop < 6) return nullptr;
    int code = 0;
    for (int i = 2; i < 6; ++i) {
      const int digit = hex(stop[i]);
      if (digit < 0) return nullptr;
      code = code << 4 | digit;
    }
    if (code >= 0xd800 && code < 0xe000) return nullptr;
    if (code < 0x80) {
      unescaped_.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      unescaped_.push_back(static_cast<char>(0xc0 | code >> 6));
      unescaped_.push_back(static_cast<char>(0x80 | (code & 63)));
    } else {
      unescaped_.push_back(static_cast<char>(0xe0 | code >> 12));
      unescaped_.push_back(static_cast<char>(0x80 | (code >> 6 & 63)));
      unescaped_.push_back(static_cast<char>(0x80 | (code & 63)));
    }
    p = stop + 6;
  }
}

// JSON's own grammar of numbers.
const char* JsonFastPath::number_end(const char* p) const {
  const auto digits = [&] {
    const char* const first = p;
    while (p < end_ && is_digit(*p)) ++p;
    return p - first;
  };
  if (*p == '-') ++p;
  const bool zero = *p == '0';
  const auto whole = digits();
  if (whole == 0 || (zero && whole > 1)) return nullptr;
  if (p < end_ && *p == '.') {
    ++p;
    if (digits() == 0) return nullptr;
  }
  if (p < end_ && (*p | 0x20) == 'e') {
    ++p;
    if (p < end_ && (*p == '+' || *p == '-')) ++p;
    if (digits() == 0) return nullptr;
  }
  return p;
}

template <class T, class Get>
void JsonFastPath::append(ColumnBuilder& to, std::size_t column, Get&& get) const {
  const auto& slots = columns_[column].slots;
  for (std::size_t r = 0; r < rows_; ++r) {
    if ((row_present_[r] >> column & 1) == 0) to.append_null();
    else if constexpr (std::is_same_v<T, std::string_view>) to.append_text(get(slots[r]));
    else to.append(static_cast<T>(get(slots[r])));
  }
}

void JsonFastPath::flush(BatchBuilder& out) {
  if (rows_ == 0) return;
  const auto integer = [](const Slot& s) { return s.integer; };
  const auto number = [](const Slot& s) { return s.number; };
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    ColumnBuilder& to = out.column(c);
    switch (columns_[c].type.id) {
      case TypeId::kString: append<std::string_view>(to, c, [](const Slot& s) { return std::string_view(s.text.data, s.text.size); }); break;
      case TypeId::kFloat: append<float>(to, c, number); break;
      case TypeId::kDouble: append<double>(to, c, number); break;
      case TypeId::kDecimal: append<Int128>(to, c, [](const Slot& s) { return s.decimal; }); break;
      case TypeId::kBigInt:
      case TypeId::kTimestamp:
      case TypeId::kTimestampLtz: append<std::int64_t>(to, c, integer); break;
      default:
        for (std::size_t r = 0; r < rows_; ++r) {
          if ((row_present_[r] >> c & 1) == 0) to.append_null();
          else to.append_integer(columns_[c].slots[r].integer);
        }
    }
  }
  for (std::size_t r = 0; r < rows_; ++r) out.end_row();
  rows_ = 0;
  unescaped_.clear();
}

}  // namespace supyo::formats
