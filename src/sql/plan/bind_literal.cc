#include <algorithm>
#include <charconv>
#include <limits>

#include "sql/plan/bind_expr.h"
#include "sql/syntax/printer.h"

namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::Span;
using syntax::TimeUnit;

ExprPtr integer_literal(Type type, std::int64_t v) { return expr::literal({.type = type.not_null(), .data = v}); }

Result<ExprPtr> decimal_literal(std::string_view text, const Span& span) {
  const std::size_t dot = text.find('.');
  const bool negative = text.starts_with('-');
  std::string_view whole = text.substr(negative, dot == std::string_view::npos ? text.size() : dot - negative);
  while (whole.starts_with('0')) whole.remove_prefix(1);
  const int scale = dot == std::string_view::npos ? 0 : static_cast<int>(text.size() - dot - 1);
  // 0.05 is a DECIMAL(3, 2): the zero before the point counts, where there is room for it.
  const int precision = whole.empty() ? std::clamp(scale + 1, 1, std::max(scale, kMaxDecimalPrecision)) : static_cast<int>(whole.size()) + scale;
  if (precision > kMaxDecimalPrecision)
    return fail_at(span, ErrorCode::kInvalidLiteral, fmt::format("the number has {} digits", precision), "DECIMAL holds at most 38 digits");
  SUPYO_ASSIGN(const Int128 value, at(parse_decimal(text, precision, scale), span));
  return expr::literal({.type = Type::decimal(precision, scale).not_null(), .data = value});
}

/// Fields of an interval, from the largest unit down, with the microseconds that one of each is worth.
struct IntervalField {
  TimeUnit unit;
  DurationUs us;
};
constexpr IntervalField kDayFields[] = {{TimeUnit::kDay, kDay}, {TimeUnit::kHour, kHour}, {TimeUnit::kMinute, kMinute}, {TimeUnit::kSecond, kSecond}};

/// Reads digits off the front of `text`; false when there are none or too many.
bool take_number(std::string_view& text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end == text.data() || text.front() == '-') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_fraction(std::string_view& text, DurationUs& us) {
  if (!text.starts_with('.')) return true;
  text.remove_prefix(1);
  DurationUs unit = kSecond;
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    unit /= 10;
    us += unit * (text.front() - '0');
    text.remove_prefix(1);
    any = true;
  }
  return any;
}

bool parse_day_interval(std::string_view text, TimeUnit from, TimeUnit to, DurationUs& us) {
  bool first = true;
  bool inside = false;
  for (const IntervalField& field : kDayFields) {
    if (field.unit == from) inside = true;
    if (!inside) continue;
    if (!first) {
      const char separator = field.unit == TimeUnit::kHour ? ' ' : ':';
      if (!text.starts_with(separator)) return false;
      text.remove_prefix(1);
    }
    std::int64_t n = 0;
    DurationUs part = 0;
    const std::int64_t most = first ? std::numeric_limits<std::int64_t>::max() : field.unit == TimeUnit::kHour ? 23 : 59;
    if (!take_number(text, n) || n > most || __builtin_mul_overflow(n, field.us, &part) || __builtin_add_overflow(us, part, &us)) return false;
    if (field.unit == TimeUnit::kSecond && !take_fraction(text, us)) return false;
    first = false;
    if (field.unit == to) return text.empty();
  }
  return false;
}

bool parse_month_interval(std::string_view text, TimeUnit from, TimeUnit to, std::int64_t& months) {
  std::int64_t n = 0;
  if (!take_number(text, n) || n > 1'000'000) return false;
  const std::int64_t worth = from == TimeUnit::kYear ? 12 : from == TimeUnit::kQuarter ? 3 : 1;
  months = n * worth;
  if (from == to) return text.empty();
  if (!text.starts_with('-')) return false;
  text.remove_prefix(1);
  if (!take_number(text, n) || n > 11) return false;
  months += n;
  return text.empty();
}

}  // namespace

ExprPtr text_literal(std::string_view text) {
  const auto length = std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return expr::literal({.type = Type::char_(static_cast<int>(length)).not_null(), .data = std::string(text)});
}

Result<ExprPtr> bind_number(const syntax::NumberLiteral& n, bool negative, const Span& span) {
  const std::string text = (negative ? "-" : "") + n.text;
  using Kind = syntax::NumberLiteral::Kind;
  if (n.kind == Kind::kApproximate) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      return fail_at(span, ErrorCode::kInvalidLiteral, fmt::format("{} is not a DOUBLE", text), "DOUBLE reaches to about 1.8e308");
    return expr::literal({.type = Type::double_().not_null(), .data = value});
  }
  if (n.kind == Kind::kInteger) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) {
      const bool small = value >= INT32_MIN && value <= INT32_MAX;
      return integer_literal(small ? Type::integer() : Type::big_int(), value);
    }
  }
  return decimal_literal(text, span);
}

Result<ExprPtr> bind_temporal(const syntax::TemporalLiteral& t, const Span& span) {
  using Kind = syntax::TemporalLiteral::Kind;
  const std::size_t dot = t.text.rfind('.');
  const int digits = dot == std::string::npos ? 0 : static_cast<int>(std::min<std::size_t>(t.text.size() - dot - 1, 6));
  const auto bad = [&](std::string_view type, std::string_view example) {
    return fail_at(span, ErrorCode::kInvalidLiteral, fmt::format("'{}' is not a {}", t.text, type), fmt::format("write {} '{}'", type, example));
  };
  switch (t.kind) {
    case Kind::kDate: {
      const auto v = parse_date(t.text);
      if (!v) return bad("DATE", "2013-01-31");
      return integer_literal(Type::date(), *v);
    }
    case Kind::kTime: {
      const auto v = parse_time(t.text);
      if (!v) return bad("TIME", "05:15:00");
      return integer_literal(Type::time(digits), *v);
    }
    case Kind::kTimestamp: {
      const auto v = parse_timestamp(t.text);
      if (!v) return bad("TIMESTAMP", "2013-01-31 05:15:00");
      return integer_literal(Type::timestamp(digits), *v);
    }
  }
  return bad("literal", "");
}

Result<ExprPtr> bind_interval(const syntax::IntervalLiteral& i, const Span& span) {
  std::string_view text = i.text;
  bool negative = i.negative;
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) {
    negative ^= text.front() == '-';
    text.remove_prefix(1);
  }
  if (i.precision.value_or(1) < 1 || i.precision.value_or(1) > 10 || i.fraction.value_or(1) < 1 || i.fraction.value_or(1) > 9)
    return fail_at(span, ErrorCode::kInvalidLiteral, "an interval's first unit has 1 to 10 digits, its seconds 1 to 9 after the point", "leave the numbers in parentheses out");
  const bool months = i.from == TimeUnit::kYear || i.from == TimeUnit::kQuarter || i.from == TimeUnit::kMonth;
  std::int64_t value = 0;
  bool good = false;
  if (months) {
    good = parse_month_interval(text, i.from, i.to, value);
  } else if (i.from == TimeUnit::kWeek && i.to == TimeUnit::kWeek) {
    good = parse_day_interval(text, TimeUnit::kDay, TimeUnit::kDay, value) && !__builtin_mul_overflow(value, 7, &value);
  } else {
    good = parse_day_interval(text, i.from, i.to, value);
  }
  if (!good) {
    const std::string unit = i.from == i.to ? std::string(syntax::to_string(i.from)) : fmt::format("{} TO {}", syntax::to_string(i.from), syntax::to_string(i.to));
    return fail_at(span, ErrorCode::kInvalidLiteral, fmt::format("'{}' is not an interval of {}", i.text, unit),
                   "write INTERVAL '10' MINUTE, INTERVAL '1:30' HOUR TO MINUTE or INTERVAL '1-6' YEAR TO MONTH");
  }
  return integer_literal(months ? Type::interval_month() : Type::interval_day(), negative ? -value : value);
}

}  // namespace supyo::plan
