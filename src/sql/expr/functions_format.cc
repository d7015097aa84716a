#include <charconv>
#include <cmath>

#include "sql/expr/cast.h"
#include "sql/expr/nested_rows.h"
#include "sql/expr/registration.h"
#include "sql/expr/utf8.h"

// PRINTF: Java's formats (java.util.Formatter, Locale.US). What Java refuses gives null, as in Flink.
namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;
using Text = std::string_view;

/// %[argument$][flags][width][.precision]conversion
struct Directive {
  std::size_t argument = 0;    ///< from 1; 0 = the next one
  std::string flags;
  int width = -1;
  int precision = -1;
  char conversion = 0;
  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
  bool only(Text allowed) const { return flags.find_first_not_of(allowed) == std::string::npos; }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A number of at most nine digits; false when there is none.
bool take_number(Text& s, int& out) {
  std::size_t n = 0;
  while (n < s.size() && is_digit(s[n])) ++n;
  if (n == 0 || n > 9) return false;
  std::from_chars(s.data(), s.data() + n, out);
  s.remove_prefix(n);
  return true;
}

/// What stands behind a percent sign; `s` goes on behind it. False when it is none of Java's.
bool take_directive(Text& s, Directive& d) {
  Text rest = s;
  if (int n = 0; take_number(rest, n) && rest.starts_with('$')) {
    if (n == 0) return false;
    d.argument = static_cast<std::size_t>(n);
    s = rest.substr(1);
  }
  while (!s.empty() && Text("-#+ 0,(<").find(s[0]) != Text::npos) {
    if (d.has(s[0])) return false;
    d.flags += s[0];
    s.remove_prefix(1);
  }
  if (!s.empty() && is_digit(s[0]) && !take_number(s, d.width)) return false;
  if (s.starts_with('.')) {
    s.remove_prefix(1);
    if (!take_number(s, d.precision)) return false;
  }
  if (s.empty()) return false;
  d.conversion = s[0];
  s.remove_prefix(1);
  return true;
}

bool pads_rightly(const Directive& d) {
  if (d.width < 0 && (d.has('-') || d.has('0'))) return false;
  return !(d.has('-') && d.has('0')) && !(d.has('+') && d.has(' '));
}

void append_padded(const Directive& d, Text text, std::string& out) {
  const std::size_t n = utf8_length(text);
  const std::size_t missing = d.width > 0 && n < static_cast<std::size_t>(d.width) ? static_cast<std::size_t>(d.width) - n : 0;
  if (!d.has('-')) out.append(missing, ' ');
  out += text;
  if (d.has('-')) out.append(missing, ' ');
}

/// Sign, grouping and zeros around the digits ("1234.50", perhaps with an exponent) of a number.
void append_number(const Directive& d, std::string digits, bool negative, std::string& out) {
  const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  if (d.has(',')) {
    for (std::size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, ",");
  }
  std::string sign = !negative ? (d.has('+') ? "+" : d.has(' ') ? " " : "") : d.has('(') ? "(" : "-";
  const std::size_t closing = negative && d.has('(') ? 1 : 0;
  if (d.has('0')) {
    const std::size_t n = sign.size() + digits.size() + closing;
    if (d.width > 0 && n < static_cast<std::size_t>(d.width)) digits.insert(0, static_cast<std::size_t>(d.width) - n, '0');
  }
  append_padded(d, sign + digits + (closing ? ")" : ""), out);
}

/// A number above or equal 0 as 0.DIGITS * 10^exponent, in the shortest digits that give it again. Java rounds those, half up, and not the binary number.
struct Decimal {
  std::string digits;
  int exponent = 0;

  static Decimal of(double v) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
    const Text whole(text, static_cast<std::size_t>(end - text));
    const std::size_t e = whole.find('e');
    Decimal d;
    for (const char c : whole.substr(0, e)) {
      if (c != '.') d.digits += c;
    }
    const Text power = whole.substr(e + (whole[e + 1] == '+' ? 2 : 1));
    std::from_chars(power.data(), power.data() + power.size(), d.exponent);
    ++d.exponent;
    if (v == 0) d.exponent = 1;
    return d;
  }

  /// To `n` digits; with 0 or less, to none or one.
  void round_to(int n) {
    if (n >= static_cast<int>(digits.size())) return;
    const bool up = n >= 0 && digits[static_cast<std::size_t>(n)] >= '5';
    digits.resize(static_cast<std::size_t>(std::max(n, 0)));
    if (!up) return;
    int i = n - 1;
    while (i >= 0 && digits[static_cast<std::size_t>(i)] == '9') digits[static_cast<std::size_t>(i--)] = '0';
    if (i >= 0) { ++digits[static_cast<std::size_t>(i)]; return; }
    digits.insert(0, "1");
    ++exponent;
  }
  char digit(int i) const { return i >= 0 && i < static_cast<int>(digits.size()) ? digits[static_cast<std::size_t>(i)] : '0'; }

  std::string fixed(int precision) {
    round_to(exponent + precision);
    std::string out;
    for (int i = 0; i < exponent; ++i) out += digit(i);
    if (out.empty()) out = "0";
    if (precision > 0) out += '.';
    for (int i = 0; i < precision; ++i) out += digit(exponent + i);
    return out;
  }
  std::string scientific(int precision) {
    const bool zero = digits.find_first_not_of('0') == std::string::npos;
    round_to(precision + 1);
    std::string out(1, digit(0));
    if (precision > 0) out += '.';
    for (int i = 1; i <= precision; ++i) out += digit(i);
    const int power = zero ? 0 : exponent - 1;
    return out + fmt::format("e{}{:02}", power < 0 ? '-' : '+', std::abs(power));
  }
};

/// %e, %f, %g.
bool append_real(const Directive& d, double v, std::string& out) {
  const char how = static_cast<char>(d.conversion | 0x20);
  if (!pads_rightly(d) || !d.only(how == 'e' ? "-+ 0(#" : how == 'g' ? "-+ 0,(" : "-+ 0,(#")) return false;
  const bool negative = std::signbit(v) && !std::isnan(v);
  std::string text;
  if (!std::isfinite(v)) {
    Directive blank = d;
    std::erase(blank.flags, '0');
    std::erase(blank.flags, ',');
    if (std::isnan(v)) blank.flags = d.has('-') ? "-" : "";
    append_number(blank, std::isnan(v) ? "NaN" : "Infinity", negative, text);
  } else {
    Decimal decimal = Decimal::of(std::fabs(v));
    int precision = d.precision < 0 ? 6 : d.precision;
    std::string digits;
    if (how == 'g') {
      precision = std::max(precision, 1);
      Decimal rounded = decimal;
      rounded.round_to(precision);
      const bool plain = v == 0 || (rounded.exponent > -4 && rounded.exponent <= precision);
      digits = plain ? decimal.fixed(v == 0 ? precision - 1 : precision - rounded.exponent) : decimal.scientific(precision - 1);
    } else {
      digits = how == 'f' ? decimal.fixed(precision) : decimal.scientific(precision);
    }
    if (d.has('#') && precision == 0) digits.insert(std::min(digits.find('e'), digits.size()), ".");
    append_number(d, std::move(digits), negative, text);
  }
  if (d.conversion < 'a') {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  out += text;
  return true;
}

std::int64_t integer_at(const Column& c, std::size_t row) {
  return with_representation(c.type().id, [&]<class T>(std::type_identity<T>) { return static_cast<std::int64_t>(c.value<T>(row)); });
}

/// The bits of a whole number in its own width: %x and %o of a negative one.
std::uint64_t bits_at(const Column& c, std::size_t row) {
  const auto v = static_cast<std::uint64_t>(integer_at(c, row));
  const int bits = c.type().width() * 8;
  return bits >= 64 ? v : v & ((std::uint64_t{1} << bits) - 1);
}

bool append_whole(const Directive& d, const Column& c, std::size_t row, std::string& out) {
  if (d.precision >= 0 || !pads_rightly(d)) return false;
  if (d.conversion == 'd') {
    if (!d.only("-+ 0,(")) return false;
    const std::int64_t v = integer_at(c, row);
    append_number(d, fmt::format("{}", v < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v)), v < 0, out);
    return true;
  }
  if (!d.only("-#0")) return false;
  const std::uint64_t bits = bits_at(c, row);
  std::string text = d.conversion == 'o' ? fmt::format("{}{:o}", d.has('#') ? "0" : "", bits) : fmt::format("{:x}", bits);
  const Text prefix = d.has('#') && d.conversion != 'o' ? "0x" : "";
  const std::size_t n = prefix.size() + text.size();
  if (d.has('0') && n < static_cast<std::size_t>(d.width)) text.insert(0, static_cast<std::size_t>(d.width) - n, '0');
  text.insert(0, prefix);
  if (d.conversion == 'X') {
    for (char& x : text) x = x >= 'a' && x <= 'z' ? static_cast<char>(x - 32) : x;
  }
  append_padded(d, text, out);
  return true;
}

/// A text cut to the precision and padded, in capitals where the conversion is one.
bool append_cut(const Directive& d, Text text, std::string& out) {
  if (d.precision >= 0) text = text.substr(0, utf8_offset(text, static_cast<std::size_t>(d.precision)));
  std::string capital;
  if (d.conversion < 'a') {
    for (const char c : text) capital += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    text = capital;
  }
  append_padded(d, text, out);
  return true;
}

bool append_text(const Directive& d, Text text, std::string& out) { return d.only("-") && pads_rightly(d) && append_cut(d, text, out); }

/// `texts` are the columns as texts.
struct Operands {
  Args columns;
  std::span<const ColumnPtr> texts;
};

Result<bool> append_operand(const Directive& d, const Operands& operands, std::size_t arg, std::size_t row, std::string& out) {
  const Column& c = *operands.columns[arg];
  const TypeId id = c.type().id;
  const bool null = c.is_null(row);
  const bool whole = c.type().is_integer();
  switch (d.conversion) {
    case 'b': case 'B': return append_text(d, null || (id == TypeId::kBoolean && c.value<std::uint8_t>(row) == 0) ? "false" : "true", out);
    case 's': case 'S': return append_text(d, null ? Text("null") : operands.texts[arg]->text(row), out);
    case 'd': case 'x': case 'X': case 'o':
      if (null) return append_cut(d, "null", out);
      return whole && append_whole(d, c, row, out);
    case 'e': case 'E': case 'f': case 'g': case 'G':
      if (null) return append_cut(d, "null", out);
      if (!c.type().is_floating()) return false;
      return append_real(d, id == TypeId::kFloat ? std::stod(fmt::format("{}", c.value<float>(row))) : c.value<double>(row), out);
    case 'c': case 'C': {
      if (d.precision >= 0) return false;
      if (null) return append_text(d, "null", out);
      if (!whole || id == TypeId::kBigInt) return false;
      const std::int64_t code = integer_at(c, row);
      if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
      std::string one;
      append_utf8(static_cast<std::uint32_t>(code), one);
      return append_text(d, one, out);
    }
    case 'a': case 'A': case 'h': case 'H': case 't': case 'T':
      return fail(ErrorCode::kUnsupported, fmt::format("PRINTF: %{} is not supported", d.conversion), "format the value with another function, e.g. DATE_FORMAT or HEX, and print that with %s");
    default: return false;
  }
}

Result<bool> append_format(Text format, const Operands& operands, std::size_t row, std::string& out) {
  std::size_t next = 0;
  std::size_t last = 0;
  while (!format.empty()) {
    const std::size_t percent = std::min(format.find('%'), format.size());
    out += format.substr(0, percent);
    format.remove_prefix(percent);
    if (format.empty()) break;
    format.remove_prefix(1);
    Directive d;
    if (!take_directive(format, d)) return false;
    if (d.conversion == '%') {
      if (d.precision >= 0 || !append_text(d, "%", out)) return false;
      continue;
    }
    if (d.conversion == 'n') {
      if (d.width >= 0 || d.precision >= 0 || !d.flags.empty()) return false;
      out += '\n';
      continue;
    }
    if (d.has('<')) {
      if (last == 0) return false;
      std::erase(d.flags, '<');
    } else {
      last = d.argument > 0 ? d.argument : ++next;
    }
    if (last >= operands.columns.size()) return false;
    SUPYO_ASSIGN(const bool fits, append_operand(d, operands, last, row, out));
    if (!fits) return false;
  }
  return true;
}

/// What Flink holds as a number is printed as one: a DATE's days, a TIME's and an interval's milliseconds, an interval's months.
ColumnPtr as_number(const ColumnPtr& c, std::size_t rows) {
  const auto scaled = [&]<class From, class To>(std::type_identity<From>, std::type_identity<To>, const Type& type, std::int64_t unit) {
    FixedOutput<To> out(rows, c->validity());
    for (std::size_t i = 0; i < rows; ++i) out.set(i, static_cast<To>(c->value<From>(i) / unit));
    return out.finish(type);
  };
  constexpr std::type_identity<std::int32_t> kInt;
  constexpr std::type_identity<std::int64_t> kLong;
  switch (c->type().id) {
    case TypeId::kDate: return scaled(kInt, kInt, Type::integer(), 1);
    case TypeId::kTime: return scaled(kLong, kInt, Type::integer(), kMillisecond);
    case TypeId::kIntervalMonth: return scaled(kLong, kInt, Type::integer(), 1);
    case TypeId::kIntervalDay: return scaled(kLong, kLong, Type::big_int(), kMillisecond);
    default: return c;
  }
}

/// As Java's LocalDateTime: 2020-01-01T00:00[:01[.5 in thousands]].
void append_date_time(TimeUs us, std::string& out) {
  std::string text = format_timestamp(us, 6);
  text[10] = 'T';
  if (text.ends_with(":00.000000")) text.resize(16);
  else if (text.ends_with(".000000")) text.resize(19);
  else if (text.ends_with("000")) text.resize(23);
  out += text;
}

Result<ColumnPtr> text_of(const ColumnPtr& c, std::size_t rows, const EvalContext& ctx) {
  if (!c->type().is_timestamp()) return cast_column(c, Type::string(), false, ctx);
  return map_text<std::int64_t>({&c, 1}, Type::string(), rows, [](std::string& out, std::int64_t us) { append_date_time(us, out); });
}

Result<ColumnPtr> printf(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  std::vector<ColumnPtr> columns = {args[0]}, texts = {args[0]};
  for (const ColumnPtr& a : args.subspan(1)) {
    columns.push_back(as_number(a, rows));
    SUPYO_ASSIGN(ColumnPtr text, text_of(columns.back(), rows, ctx));
    texts.push_back(std::move(text));
  }
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    if (args[0]->is_null(row)) return false;
    return append_format(args[0]->text(row), {columns, texts}, row, out);
  });
}

std::optional<Typing> printf_binder(std::span<const Type> args) {
  if (args.empty() || !can_coerce(args[0], Type::string())) return std::nullopt;
  Typing t{{args.begin(), args.end()}, Type::string()};
  if (!args[0].is_text()) t.args[0] = Type::string();
  for (Type& a : std::span(t.args).subspan(1)) {
    if (a.is_nested() || a.id == TypeId::kBytes) return std::nullopt;   // Flink prints the name of a Java object
    if (a.id == TypeId::kNull) a = Type::string();
  }
  t.result.nullable = true;
  return t;
}

}  // namespace

void register_format(Registrar& r) {
  r.add({.name = "PRINTF", .kernel = printf, .signature = "PRINTF(format, any, ..) -> STRING", .help = "The values in a format as Java's Formatter has it (%s, %d, %x, %.2f ..); null when the format or a value does not fit."},
        printf_binder);
}

}  // namespace supyo::expr
