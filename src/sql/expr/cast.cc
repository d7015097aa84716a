#include "sql/expr/cast.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "sql/expr/decimal.h"
#include "sql/expr/kernel.h"
#include "sql/expr/nested_rows.h"
#include "sql/expr/utf8.h"

namespace supyo::expr {
namespace {

struct Request {
  const ColumnPtr& column;
  const Type& from;
  const Type& to;
  bool try_cast;
  const EvalContext& ctx;
  std::size_t rows;
  std::span<const ColumnPtr> args() const { return {&column, 1}; }
};

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && static_cast<unsigned char>(s.front()) <= ' ') s.remove_prefix(1);
  while (!s.empty() && static_cast<unsigned char>(s.back()) <= ' ') s.remove_suffix(1);
  return s;
}

std::unexpected<Error> bad_text(std::string_view s, const Type& to) {
  return fail(ErrorCode::kArithmetic, fmt::format("CAST: '{}' is no {}", s.substr(0, 100), to.as_nullable().to_string()),
              "use TRY_CAST to get NULL instead");
}

// ---- numbers

/// Java's narrowing: integers keep their low bits. Floating point is cut; NaN is 0, and what is too large is the last BIGINT, for the others the last INT,
/// of which TINYINT and SMALLINT keep the low bits. Source: Java language specification 5.1.3.
template <class To, class From>
To wrap_to(From v) {
  if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(v)) return To{0};
    using Whole = std::conditional_t<sizeof(To) == sizeof(std::int64_t), std::int64_t, std::int32_t>;
    using Limits = std::numeric_limits<Whole>;
    if (v >= static_cast<From>(Limits::max())) return static_cast<To>(Limits::max());
    if (v <= static_cast<From>(Limits::min())) return static_cast<To>(Limits::min());
    return static_cast<To>(static_cast<Whole>(v));
  } else {
    return static_cast<To>(v);
  }
}

template <class From>
Result<ColumnPtr> number_to_decimal(const Request& q) {
  const int p = q.to.precision;
  const int s = q.to.scale;
  const int from_scale = q.from.id == TypeId::kDecimal ? q.from.scale : 0;
  if constexpr (std::is_integral_v<From>) {
    // Where every value fits there is nothing to look at row by row.
    if (p - s > std::numeric_limits<From>::digits10)
      return map_rows<From>(q.args(), q.to, q.rows, [one = power_of_ten(s)](From v) -> Int128 { return static_cast<Int128>(v) * one; });
  }
  return map_rows<From>(q.args(), q.to, q.rows, [=](From v) -> std::optional<Int128> {
    if constexpr (std::is_floating_point_v<From>) return decimal_from_double(static_cast<double>(v), p, s);
    else return rescale({static_cast<Int128>(v), from_scale}, p, s);
  });
}

template <class To>
Result<ColumnPtr> decimal_to_number(const Request& q) {
  const int s = q.from.scale;
  return map_rows<Int128>(q.args(), q.to, q.rows, [s](Int128 v) -> To {
    if constexpr (std::is_floating_point_v<To>) return static_cast<To>(decimal_to_double({v, s}));
    else return static_cast<To>(decimal_whole({v, s}));
  });
}

Result<ColumnPtr> number_to_boolean(const Request& q) {
  return with_representation(q.from.id, [&]<class From>(std::type_identity<From>) -> Result<ColumnPtr> {
    return map_rows<From>(q.args(), q.to, q.rows, [](From v) -> std::uint8_t { return v != From{0}; });
  });
}

Result<ColumnPtr> number_to_number(const Request& q) {
  return with_representation(q.from.id, [&]<class From>(std::type_identity<From>) -> Result<ColumnPtr> {
    return with_representation(q.to.id, [&]<class To>(std::type_identity<To>) -> Result<ColumnPtr> {
      if constexpr (std::is_same_v<To, Int128>) {
        return number_to_decimal<From>(q);
      } else if constexpr (std::is_same_v<From, Int128>) {
        return decimal_to_number<To>(q);
      } else if constexpr (std::is_floating_point_v<To>) {
        return map_rows<From>(q.args(), q.to, q.rows, [](From v) -> To { return static_cast<To>(v); });
      } else {
        return map_rows<From>(q.args(), q.to, q.rows, [](From v) -> To { return wrap_to<To>(v); });
      }
    });
  });
}

// ---- text

/// A whole number, or a decimal number that is cut to its whole part ("1.9" is 1, ".9" is 0), within T.
template <class T>
std::optional<T> parse_whole(std::string_view s) {
  bool negative = false;
  if (!s.empty() && (s.front() == '-' || s.front() == '+')) {
    negative = s.front() == '-';
    s.remove_prefix(1);
  }
  const std::size_t dot = s.find('.');
  const std::string_view digits = s.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view{} : s.substr(dot + 1);
  if ((digits.empty() && dot == std::string_view::npos) || !std::ranges::all_of(fraction, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  std::uint64_t magnitude = 0;
  if (digits.empty()) return T{0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  const auto limit = static_cast<std::uint64_t>(std::numeric_limits<T>::max()) + (negative ? 1 : 0);
  if (magnitude > limit) return std::nullopt;
  return static_cast<T>(negative ? 0 - magnitude : magnitude);
}

template <class T>
std::optional<T> parse_floating(std::string_view s) {
  if (s == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (s == "Infinity" || s == "+Infinity") return std::numeric_limits<T>::infinity();
  if (s == "-Infinity") return -std::numeric_limits<T>::infinity();
  if (s.starts_with('+')) s.remove_prefix(1);
  T v{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (s.empty() || end != s.data() + s.size() || error == std::errc::invalid_argument || !std::isfinite(v)) return std::nullopt;
  return v;
}

std::optional<std::uint8_t> parse_boolean(std::string_view s) {
  std::string lower;
  for (const char c : s.substr(0, 6)) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (lower == "true" || lower == "t" || lower == "yes" || lower == "y" || lower == "1") return std::uint8_t{1};
  if (lower == "false" || lower == "f" || lower == "no" || lower == "n" || lower == "0") return std::uint8_t{0};
  return std::nullopt;
}

TimeUs cut_to_precision(TimeUs us, int precision) {
  static constexpr std::array<std::int64_t, 7> kUnit = {1'000'000, 100'000, 10'000, 1'000, 100, 10, 1};
  const std::int64_t unit = kUnit[static_cast<std::size_t>(std::clamp(precision, 0, 6))];
  const std::int64_t rest = us % unit;
  return us - (rest < 0 ? rest + unit : rest);
}

/// A timestamp, or a date alone at midnight.
std::optional<TimeUs> parse_moment(std::string_view s) {
  if (const auto t = parse_timestamp(s)) return *t;
  if (const auto d = parse_date(s)) return static_cast<TimeUs>(*d) * kDay;
  return std::nullopt;
}

template <class T>
std::optional<T> parse_as(std::string_view s, const Request& q) {
  const Type& to = q.to;
  switch (to.id) {
    case TypeId::kDate: {
      const auto t = parse_moment(s);
      if (!t) return std::nullopt;
      return static_cast<T>((*t - ((*t % kDay) + kDay) % kDay) / kDay);
    }
    case TypeId::kTime: {
      if (const auto t = parse_time(s)) return static_cast<T>(cut_to_precision(*t, to.precision));
      return std::nullopt;
    }
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz: {
      const auto t = parse_moment(s);
      if (!t) return std::nullopt;
      const bool utc = s.ends_with('Z');
      return static_cast<T>(cut_to_precision(to.id == TypeId::kTimestampLtz && !utc ? q.ctx.zone.to_utc(*t) : *t, to.precision));
    }
    default: break;
  }
  if constexpr (std::is_same_v<T, Int128>) {
    if (const auto d = parse_decimal(s, to.precision, to.scale)) return *d;
    return std::nullopt;
  } else if constexpr (std::is_floating_point_v<T>) {
    return parse_floating<T>(s);
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    return parse_boolean(s);
  } else {
    return parse_whole<T>(s);
  }
}

Result<ColumnPtr> text_to_fixed(const Request& q) {
  return with_representation(q.to.id, [&]<class T>(std::type_identity<T>) -> Result<ColumnPtr> {
    return map_rows<std::string_view>(q.args(), q.to, q.rows, [&](std::string_view s) -> Result<std::optional<T>> {
      const std::optional<T> v = parse_as<T>(trimmed(s), q);
      if (!v && !q.try_cast) [[unlikely]] return bad_text(s, q.to);
      return v;
    });
  });
}

/// CHAR(n) pads with blanks, both cut at n characters.
void fit_length(std::string& out, std::size_t start, const Type& to) {
  if (to.precision == kMaxLength) return;
  const auto limit = static_cast<std::size_t>(to.precision);
  const std::string_view text = std::string_view(out).substr(start);
  if (to.id == TypeId::kBytes) {
    if (text.size() > limit || to.fixed_length) out.resize(start + limit, '\0');
    return;
  }
  const std::size_t characters = utf8_length(text);
  if (characters > limit) out.resize(start + utf8_offset(text, limit));
  else if (to.fixed_length) out.append(limit - characters, ' ');
}

bool fits_without_change(const Type& from, const Type& to) {
  return to.precision >= from.precision && !to.fixed_length;
}

Result<ColumnPtr> text_to_text(const Request& q) {
  if (fits_without_change(q.from, q.to)) return q.column->with_type(q.to);
  return map_text<std::string_view>(q.args(), q.to, q.rows, [&](std::string& out, std::string_view s) {
    const std::size_t start = out.size();
    out += s;
    fit_length(out, start, q.to);
  });
}

Result<ColumnPtr> fixed_to_text(const Request& q) {
  TextOutput out(q.rows);
  for (std::size_t i = 0; i < q.rows; ++i) {
    if (q.column->is_null(i)) { out.end_null(); continue; }
    std::string& bytes = out.bytes();
    switch (q.from.id) {
      case TypeId::kBoolean: bytes += q.column->value<std::uint8_t>(i) != 0 ? "TRUE" : "FALSE"; break;
      case TypeId::kTimestampLtz: bytes += format_timestamp(q.ctx.zone.to_local(q.column->value<std::int64_t>(i)), q.from.precision); break;
      case TypeId::kArray:
      case TypeId::kMap:
      case TypeId::kMultiset:
      case TypeId::kRow: nested::append_text(q.from, nested::item_at(*q.column, i), {.as_cast = true, .zone = q.ctx.zone}, bytes); break;
      default: append_text_of(*q.column, i, bytes);
    }
    fit_length(bytes, out.row_start(), q.to);
    out.end_row();
  }
  return out.finish(q.to);
}

// ---- time

Result<ColumnPtr> temporal(const Request& q) {
  const Zone& zone = q.ctx.zone;
  const auto local = [&](std::int64_t v) -> TimeUs {
    switch (q.from.id) {
      case TypeId::kDate: return v * kDay;
      case TypeId::kTimestampLtz: return zone.to_local(v);
      default: return v;
    }
  };
  return with_representation(q.from.id, [&]<class From>(std::type_identity<From>) -> Result<ColumnPtr> {
    if constexpr (!std::is_same_v<From, std::int32_t> && !std::is_same_v<From, std::int64_t>) {
      return fail(ErrorCode::kInternal, "not a temporal type");
    } else {
      if (q.to.id == TypeId::kDate) {
        return map_rows<From>(q.args(), q.to, q.rows, [&](From v) -> std::int32_t {
          const TimeUs t = local(v);
          return static_cast<std::int32_t>((t - ((t % kDay) + kDay) % kDay) / kDay);
        });
      }
      return map_rows<From>(q.args(), q.to, q.rows, [&](From v) -> std::int64_t {
        TimeUs t = local(v);
        if (q.to.id == TypeId::kTime) t = ((t % kDay) + kDay) % kDay;
        return cut_to_precision(q.to.id == TypeId::kTimestampLtz ? zone.to_utc(t) : t, q.to.precision);
      });
    }
  });
}

bool is_temporal(const Type& t) { return t.id == TypeId::kDate || t.id == TypeId::kTime || t.is_timestamp(); }
bool is_interval(const Type& t) { return t.id == TypeId::kIntervalDay || t.id == TypeId::kIntervalMonth; }

/// Same representation and nothing to round, cut or pad.
bool only_relabels(const Type& from, const Type& to) {
  if (from.id != to.id || from.is_variable()) return false;
  if (from.id == TypeId::kDecimal) return from.scale == to.scale && from.precision <= to.precision;
  if (from.is_timestamp() || from.id == TypeId::kTime) return from.precision <= to.precision;
  return true;
}

}  // namespace

bool cast_reads_zone(const Type& from, const Type& to) {
  if (from.is_nested()) return std::ranges::any_of(from.children(), [&](const Type& t) { return t.is_nested() || t.id == TypeId::kTimestampLtz || to.is_nested(); });
  return (from.id == TypeId::kTimestampLtz) != (to.id == TypeId::kTimestampLtz);
}

Result<ColumnPtr> cast_column(const ColumnPtr& column, const Type& to, bool try_cast, const EvalContext& ctx) {
  const Type& from = column->type();
  const Request q{column, from, to, try_cast, ctx, column->length()};
  if (from.id == TypeId::kNull) return null_column(to, q.rows);
  if (from.is_nested() && to.is_nested()) return cast_nested(column, to, try_cast, ctx);
  if (only_relabels(from, to)) return from == to ? column : column->with_type(to);
  if (to.is_variable()) return from.is_variable() && !from.is_nested() ? text_to_text(q) : fixed_to_text(q);
  if (from.is_text()) return text_to_fixed(q);
  if (is_temporal(from) && is_temporal(to)) return temporal(q);
  if (to.id == TypeId::kBoolean && from.is_numeric()) return number_to_boolean(q);
  const bool numbers = (from.is_numeric() || from.id == TypeId::kBoolean || is_interval(from)) && (to.is_numeric() || is_interval(to));
  if (numbers) return number_to_number(q);
  return fail(ErrorCode::kTypeMismatch, fmt::format("CAST from {} to {} is not supported", from.to_string(), to.to_string()));
}

}  // namespace supyo::expr
