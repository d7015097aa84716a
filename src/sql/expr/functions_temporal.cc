#include <cmath>

#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"
#include "sql/expr/time_pattern.h"
#include "sql/expr/time_unit.h"

namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;
using Text = std::string_view;

/// A DATE, TIME, TIMESTAMP or TIMESTAMP_LTZ column as microseconds in the session's zone.
class LocalTimes {
 public:
  LocalTimes(const Column& c, const EvalContext& ctx)
      : dates_(c.type().id == TypeId::kDate), data_(c.data()->data()), zone_(c.type().id == TypeId::kTimestampLtz ? ctx.zone : Zone()) {}
  TimeUs operator[](std::size_t row) const {
    if (dates_) return static_cast<TimeUs>(reinterpret_cast<const std::int32_t*>(data_)[row]) * kDay;
    return zone_.to_local(moment(row));
  }
  /// As it lies there: a TIMESTAMP_LTZ in UTC.
  TimeUs moment(std::size_t row) const { return dates_ ? (*this)[row] : reinterpret_cast<const std::int64_t*>(data_)[row]; }

 private:
  bool dates_;
  const std::byte* data_;
  Zone zone_;
};

/// The result column of one local time a row, in the type's own representation.
class TimeOutput {
 public:
  TimeOutput(const Type& type, std::size_t rows, BufferPtr validity, const EvalContext& ctx)
      : type_(type), days_(type.id == TypeId::kDate ? rows : 0, type.id == TypeId::kDate ? validity : nullptr),
        times_(type.id == TypeId::kDate ? 0 : rows, type.id == TypeId::kDate ? nullptr : validity),
        zone_(type.id == TypeId::kTimestampLtz ? ctx.zone : Zone()) {}
  void set(std::size_t row, TimeUs local) {
    if (type_.id == TypeId::kDate) days_.set(row, static_cast<std::int32_t>(local / kDay - (local % kDay < 0 ? 1 : 0)));
    else if (type_.id == TypeId::kTime) times_.set(row, ((local % kDay) + kDay) % kDay);
    else times_.set(row, zone_.to_utc(local));
  }
  /// As LocalTimes::moment().
  void set_moment(std::size_t row, TimeUs t) {
    if (type_.is_timestamp()) times_.set(row, t); else set(row, t);
  }
  void set_null(std::size_t row) {
    if (type_.id == TypeId::kDate) days_.set_null(row); else times_.set_null(row);
  }
  ColumnPtr finish() { return type_.id == TypeId::kDate ? days_.finish(type_) : times_.finish(type_); }

 private:
  Type type_;
  FixedOutput<std::int32_t> days_;
  FixedOutput<std::int64_t> times_;
  Zone zone_;
};

/// Months and years go by the calendar on the wall; what is shorter is a length of time, also over a night in which clocks are set.
bool by_calendar(TimeUnit u) {
  switch (u) {
    case TimeUnit::kMonth: case TimeUnit::kQuarter: case TimeUnit::kYear: case TimeUnit::kDecade: case TimeUnit::kCentury: case TimeUnit::kMillennium: return true;
    default: return false;
  }
}

void set_later(TimeOutput& out, const LocalTimes& times, std::size_t row, TimeUnit unit, std::int64_t n) {
  if (by_calendar(unit)) out.set(row, add_units(unit, n, times[row]));
  else out.set_moment(row, add_units(unit, n, times.moment(row)));
}

/// Calls f(row) for the rows without a null argument; the others are null.
template <class Output, class F>
Status each_row(Output& out, const BufferPtr& valid, std::size_t rows, F f) {
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) out.set_null(i);
    else SUPYO_TRY(f(i));
  }
  return ok();
}

/// The unit argument of a row; parsed once, as it is a constant.
class UnitArgument {
 public:
  explicit UnitArgument(const Column& c) : column_(c) {}
  Result<TimeUnit> at(std::size_t row) {
    const Text text = column_.text(row);
    if (!unit_ || text != text_) {
      SUPYO_ASSIGN(unit_, parse_time_unit(text));
      text_ = text;
    }
    return *unit_;
  }

 private:
  const Column& column_;
  std::optional<TimeUnit> unit_;
  std::string text_;
};

Result<ColumnPtr> extract(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  FixedOutput<std::int64_t> out(rows, valid);
  const LocalTimes times(*args[1], ctx);
  UnitArgument unit(*args[0]);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(const TimeUnit u, unit.at(i));
    // EPOCH of a TIMESTAMP_LTZ counts from 1970 in UTC.
    const bool utc = u == TimeUnit::kEpoch && args[1]->type().id == TypeId::kTimestampLtz;
    out.set(i, extract_unit(u, utc ? times.moment(i) : times[i]));
    return ok();
  }));
  return out.finish(result);
}

/// What is left of an interval in a unit, without the larger ones; cut towards zero.
Result<ColumnPtr> extract_of_interval(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const bool months = args[1]->type().id == TypeId::kIntervalMonth;
  const BufferPtr valid = merged_validity(args, rows);
  FixedOutput<std::int64_t> out(rows, valid);
  UnitArgument unit(*args[0]);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(const TimeUnit u, unit.at(i));
    const std::int64_t v = args[1]->value<std::int64_t>(i);
    if (months && u == TimeUnit::kYear) out.set(i, v / 12);
    else if (months && u == TimeUnit::kMonth) out.set(i, v % 12);
    else if (!months && u == TimeUnit::kDay) out.set(i, v / kDay);
    else if (!months && u == TimeUnit::kHour) out.set(i, v % kDay / kHour);
    else if (!months && u == TimeUnit::kMinute) out.set(i, v % kHour / kMinute);
    else if (!months && u == TimeUnit::kSecond) out.set(i, v % kMinute / kSecond);
    else return arithmetic_error(fmt::format("EXTRACT: an interval of {}", months ? "months has YEAR and MONTH" : "time has DAY, HOUR, MINUTE and SECOND"));
    return ok();
  }));
  return out.finish(result);
}

template <TimeUnit kUnit>
Result<ColumnPtr> extract_one(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  FixedOutput<std::int64_t> out(rows, valid);
  const LocalTimes times(*args[0], ctx);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    out.set(i, extract_unit(kUnit, times[i]));
    return ok();
  }));
  return out.finish(result);
}

template <TimeUs (*kRound)(TimeUnit, TimeUs)>
Result<ColumnPtr> round_to(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  TimeOutput out(result, rows, valid, ctx);
  const LocalTimes times(*args[0], ctx);
  UnitArgument unit(*args[1]);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(const TimeUnit u, unit.at(i));
    out.set(i, kRound(u, times[i]));
    return ok();
  }));
  return out.finish();
}

Result<ColumnPtr> timestamp_add(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  TimeOutput out(result, rows, valid, ctx);
  const LocalTimes times(*args[2], ctx);
  UnitArgument unit(*args[0]);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(const TimeUnit u, unit.at(i));
    set_later(out, times, i, u, args[1]->value<std::int64_t>(i));
    return ok();
  }));
  return out.finish();
}

Result<ColumnPtr> timestamp_diff(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  FixedOutput<std::int32_t> out(rows, valid);
  const LocalTimes from(*args[1], ctx);
  const LocalTimes to(*args[2], ctx);
  const bool moments = args[1]->type().id == TypeId::kTimestampLtz && args[2]->type().id == TypeId::kTimestampLtz;
  UnitArgument unit(*args[0]);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(const TimeUnit u, unit.at(i));
    out.set(i, static_cast<std::int32_t>(moments && !by_calendar(u) ? units_between(u, from.moment(i), to.moment(i)) : units_between(u, from[i], to[i])));
    return ok();
  }));
  return out.finish(result);
}

/// time - time, as a length of time.
Result<ColumnPtr> time_between(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  FixedOutput<std::int64_t> out(rows, valid);
  const LocalTimes to(*args[0], ctx);
  const LocalTimes from(*args[1], ctx);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    out.set(i, to.moment(i) - from.moment(i));
    return ok();
  }));
  return out.finish(result);
}

/// time + interval, interval + time, time - interval.
template <bool kAdd>
Result<ColumnPtr> shift_time(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const bool swapped = args[0]->type().id == TypeId::kIntervalDay || args[0]->type().id == TypeId::kIntervalMonth;
  const Column& interval = *args[swapped ? 0 : 1];
  const TimeUnit unit = interval.type().id == TypeId::kIntervalMonth ? TimeUnit::kMonth : TimeUnit::kMicrosecond;
  const BufferPtr valid = merged_validity(args, rows);
  TimeOutput out(result, rows, valid, ctx);
  const LocalTimes times(*args[swapped ? 1 : 0], ctx);
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    const std::int64_t n = interval.value<std::int64_t>(i);
    set_later(out, times, i, unit, kAdd ? n : -n);
    return ok();
  }));
  return out.finish();
}

template <bool kAdd>
Result<ColumnPtr> add_intervals(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<std::int64_t, std::int64_t>(args, result, rows, [](std::int64_t a, std::int64_t b) -> std::int64_t {
    const auto x = static_cast<std::uint64_t>(a);
    const auto y = static_cast<std::uint64_t>(b);
    return static_cast<std::int64_t>(kAdd ? x + y : x - y);
  });
}
Result<ColumnPtr> multiply_interval(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<std::int64_t, std::int64_t>(args, result, rows, [](std::int64_t a, std::int64_t b) -> std::int64_t {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  });
}

// ---- text

constexpr Text kDefaultPattern = "yyyy-MM-dd HH:mm:ss";

/// The pattern argument of a row; taken apart once, as it is a constant.
class PatternArgument {
 public:
  Result<const TimePattern*> of(Text text) {
    if (!pattern_ || text != text_) {
      pattern_ = TimePattern::parse(text);
      text_ = text;
      if (!pattern_) return fail(ErrorCode::kArithmetic, fmt::format("'{}' is not a date and time pattern", text), "as yyyy-MM-dd HH:mm:ss.SSS, with other letters in single quotes");
    }
    return &*pattern_;
  }

 private:
  std::optional<TimePattern> pattern_;
  std::string text_;
};

/// The zone of an argument, which is nearly always a literal.
class ZoneArgument {
 public:
  Result<const Zone*> of(Text name) {
    if (!known_ || name != name_) {
      SUPYO_ASSIGN(zone_, Zone::parse(name));
      name_ = name;
      known_ = true;
    }
    return &zone_;
  }

 private:
  bool known_ = false;
  std::string name_;
  Zone zone_;
};

Result<ColumnPtr> date_format(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  const bool text = args[0]->type().is_text();
  TextOutput out(rows);
  PatternArgument pattern;
  std::optional<LocalTimes> times;
  if (!text) times.emplace(*args[0], ctx);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.end_null(); continue; }
    SUPYO_ASSIGN(const TimePattern* p, pattern.of(args[1]->text(i)));
    std::optional<TimeUs> t;
    if (!text) t = (*times)[i];
    else if (const auto parsed = parse_timestamp(args[0]->text(i))) t = *parsed;
    if (!t) { out.end_null(); continue; }
    p->format(*t, out.bytes());
    out.end_row();
  }
  return out.finish(result);
}

/// The time that a text stands for, by the pattern or (without one) as a timestamp or a date alone.
Result<std::optional<TimeUs>> read_time(Args args, std::size_t row, PatternArgument& pattern) {
  const Text text = args[0]->text(row);
  if (args.size() < 2) {
    if (const auto t = parse_timestamp(text)) return std::optional<TimeUs>(*t);
    if (const auto d = parse_date(text)) return std::optional<TimeUs>(static_cast<TimeUs>(*d) * kDay);
    return std::optional<TimeUs>();
  }
  SUPYO_ASSIGN(const TimePattern* p, pattern.of(args[1]->text(row)));
  return p->read(text);
}

/// TO_TIMESTAMP, TO_DATE, TO_TIMESTAMP_LTZ(text): null when the text does not fit. A moment's text is in UTC unless a zone is given, whatever the session's, as in Flink.
Result<ColumnPtr> parse_text(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const BufferPtr valid = merged_validity(args, rows);
  TimeOutput out(result, rows, valid, {});
  PatternArgument pattern;
  ZoneArgument zone;
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(std::optional<TimeUs> t, read_time(args, i, pattern));
    if (args.size() > 2) {
      SUPYO_ASSIGN(const Zone* z, zone.of(args[2]->text(i)));
      if (t) t = z->to_utc(*t);
    }
    if (t) out.set(i, *t - (result.is_timestamp() ? ((*t % kMillisecond) + kMillisecond) % kMillisecond : 0)); else out.set_null(i);
    return ok();
  }));
  return out.finish();
}

/// Moments from the year 0 to 9999; others are null. Source: Flink's DateTimeUtils.toTimestampData.
constexpr std::int64_t kFirstSecond = -62'167'219'200;
constexpr std::int64_t kLastSecond = 253'402'300'799;

/// TO_TIMESTAMP_LTZ(number, precision): seconds (0) or milliseconds (3) since 1970.
Result<ColumnPtr> timestamp_of_number(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const auto of = [](std::int64_t v, std::int64_t per_second) -> std::optional<std::int64_t> {
    if (v < kFirstSecond * per_second || v > kLastSecond * per_second + (per_second - 1)) return std::nullopt;
    return v * (kSecond / per_second);
  };
  if (args.size() == 1) return map_rows<std::int64_t>(args, result, rows, [&](std::int64_t v) { return of(v, 1000); });
  return map_rows<std::int64_t, std::int32_t>(args, result, rows, [&](std::int64_t v, std::int32_t precision) -> Result<std::optional<std::int64_t>> {
    if (precision != 0 && precision != 3) return arithmetic_error(fmt::format("TO_TIMESTAMP_LTZ: precision {}; it takes 0 (seconds) and 3 (milliseconds)", precision));
    return of(v, precision == 0 ? 1 : 1000);
  });
}

/// ..of a number with a fraction: milliseconds are cut.
Result<ColumnPtr> timestamp_of_fraction(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_rows<double, std::int32_t>(args, result, rows, [&](double v, std::int32_t precision) -> Result<std::optional<std::int64_t>> {
    if (precision != 0 && precision != 3) return arithmetic_error(fmt::format("TO_TIMESTAMP_LTZ: precision {}; it takes 0 (seconds) and 3 (milliseconds)", precision));
    const double ms = std::trunc(precision == 0 ? v * 1000 : v);
    if (!(ms >= static_cast<double>(kFirstSecond * 1000) && ms <= static_cast<double>(kLastSecond * 1000 + 999))) return std::nullopt;
    return static_cast<std::int64_t>(ms) * kMillisecond;
  });
}

Result<ColumnPtr> from_unixtime(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  TextOutput out(rows);
  PatternArgument pattern;
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.end_null(); continue; }
    SUPYO_ASSIGN(const TimePattern* p, pattern.of(args.size() > 1 ? args[1]->text(i) : kDefaultPattern));
    const std::int64_t seconds = args[0]->value<std::int64_t>(i);
    if (seconds < kFirstSecond || seconds > kLastSecond) { out.end_null(); continue; }
    p->format(ctx.zone.to_local(seconds * kSecond), out.bytes());
    out.end_row();
  }
  return out.finish(result);
}

/// As Java's Calendar, and so as Flink where it parses with that: of a time that comes twice, the second.
TimeUs calendar_moment(const Zone& zone, TimeUs local) {
  const TimeUs second = zone.passed(local);
  return zone.to_local(second) == local ? second : zone.to_utc(local);
}

Result<ColumnPtr> unix_timestamp_of(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const BufferPtr valid = merged_validity(args, rows);
  FixedOutput<std::int64_t> out(rows, valid);
  PatternArgument pattern;
  SUPYO_TRY(each_row(out, valid, rows, [&](std::size_t i) -> Status {
    SUPYO_ASSIGN(const std::optional<TimeUs> t, read_time(args, i, pattern));
    // As Flink: a text that does not fit is the least BIGINT.
    out.set(i, t ? calendar_moment(ctx.zone, *t) / kSecond : INT64_MIN);
    return ok();
  }));
  return out.finish(result);
}

/// CONVERT_TZ(text, from, to): what the clocks of one zone show when those of the other show the text; null when it is none.
Result<ColumnPtr> convert_tz(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const BufferPtr valid = merged_validity(args, rows);
  TextOutput out(rows);
  PatternArgument pattern;
  ZoneArgument from;
  ZoneArgument to;
  SUPYO_ASSIGN(const TimePattern* p, pattern.of(kDefaultPattern));
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.end_null(); continue; }
    const std::optional<TimeUs> t = p->read(args[0]->text(i));
    if (!t) { out.end_null(); continue; }
    SUPYO_ASSIGN(const Zone* source, from.of(args[1]->text(i)));
    SUPYO_ASSIGN(const Zone* target, to.of(args[2]->text(i)));
    p->format(target->to_local(calendar_moment(*source, *t)), out.bytes());
    out.end_row();
  }
  return out.finish(result);
}

// ---- typing

bool is_time(const Type& t) { return t.id == TypeId::kDate || t.id == TypeId::kTime || t.is_timestamp(); }
bool is_interval(const Type& t) { return t.id == TypeId::kIntervalDay || t.id == TypeId::kIntervalMonth; }

/// (time or interval) with `time` at position `at`, the result being of the time's type.
Binder keeps_time(std::vector<Type> params, std::size_t at) {
  return [params = std::move(params), at](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != params.size() || !is_time(args[at])) return std::nullopt;
    Typing typing;
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (i == at) { typing.args.push_back(args[i]); continue; }
      if (!can_coerce(args[i], params[i])) return std::nullopt;
      typing.args.push_back(args[i].id == params[i].id ? args[i] : params[i].as_nullable(args[i].nullable));
    }
    typing.result = args[at].as_nullable(any_nullable(args));
    return typing;
  };
}

/// A DATE moved by less than a day's unit is a TIMESTAMP. Source: Calcite's TIMESTAMPADD.
Type moved_date(std::span<const ExprPtr> args, const Type& result) {
  if (result.id != TypeId::kDate) return result;
  const auto text = constant_text(args[0]);
  const auto unit = text ? parse_time_unit(*text) : Result<TimeUnit>(TimeUnit::kDay);
  if (!unit || unit_length(*unit) == 0 || unit_length(*unit) >= kDay) return result;
  return Type::timestamp(3).as_nullable(result.nullable);
}

Binder takes_times(std::vector<bool> is_time_at, Type result) {
  return [is_time_at = std::move(is_time_at), result](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != is_time_at.size()) return std::nullopt;
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (is_time_at[i] ? !is_time(args[i]) : !args[i].is_text()) return std::nullopt;
    }
    return Typing{{args.begin(), args.end()}, result.as_nullable(any_nullable(args))};
  };
}

std::optional<Typing> time_and_interval(std::span<const Type> args) {
  if (args.size() != 2) return std::nullopt;
  const bool forward = is_time(args[0]) && is_interval(args[1]);
  if (!forward && !(is_interval(args[0]) && is_time(args[1]))) return std::nullopt;
  return Typing{{args[0], args[1]}, args[forward ? 0 : 1].as_nullable(any_nullable(args))};
}
std::optional<Typing> time_minus_interval(std::span<const Type> args) {
  if (args.size() != 2 || !is_time(args[0]) || !is_interval(args[1])) return std::nullopt;
  return Typing{{args[0], args[1]}, args[0].as_nullable(any_nullable(args))};
}
std::optional<Typing> two_times(std::span<const Type> args) {
  if (args.size() != 2 || args[0].id != args[1].id || !(args[0].is_timestamp() || args[0].id == TypeId::kDate)) return std::nullopt;
  return Typing{{args[0], args[1]}, Type::interval_day().as_nullable(any_nullable(args))};
}
std::optional<Typing> two_intervals(std::span<const Type> args) {
  if (args.size() != 2 || !is_interval(args[0]) || args[0].id != args[1].id) return std::nullopt;
  return Typing{{args[0], args[1]}, args[0].as_nullable(any_nullable(args))};
}
std::optional<Typing> interval_times(std::span<const Type> args) {
  if (args.size() != 2) return std::nullopt;
  const std::size_t at = is_interval(args[0]) ? 0 : 1;
  if (!is_interval(args[at]) || !args[1 - at].is_integer()) return std::nullopt;
  const Type number = Type::big_int().as_nullable(args[1 - at].nullable);
  return Typing{at == 0 ? std::vector<Type>{args[0], number} : std::vector<Type>{number, args[1]}, args[at].as_nullable(any_nullable(args))};
}

Binder part_of_interval() {
  return [](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 2 || !args[0].is_text() || !is_interval(args[1])) return std::nullopt;
    return Typing{{args[0], args[1]}, Type::big_int().as_nullable(any_nullable(args))};
  };
}
Binder fraction_and_precision() {
  return [](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 2 || !args[0].is_floating() || !args[1].is_integer()) return std::nullopt;
    return Typing{{Type::double_().as_nullable(args[0].nullable), Type::integer().as_nullable(args[1].nullable)}, Type::timestamp_ltz(3)};
  };
}
/// Flink cuts a DECIMAL to a whole number, of seconds too.
Binder decimal_and_precision() {
  return [](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 2 || args[0].id != TypeId::kDecimal || !args[1].is_integer()) return std::nullopt;
    return Typing{{Type::big_int().as_nullable(args[0].nullable), Type::integer().as_nullable(args[1].nullable)}, Type::timestamp_ltz(3)};
  };
}

Binder date_format_binder() {
  return [](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 2 || !args[1].is_text() || !(args[0].is_text() || args[0].is_timestamp() || args[0].id == TypeId::kDate)) return std::nullopt;
    return Typing{{args[0], args[1]}, Type::string().as_nullable(args[0].is_text() || any_nullable(args))};
  };
}

void register_arithmetic_on_time(Registrar& r) {
  r.add({.name = "+", .kernel = shift_time<true>, .signature = "time + INTERVAL -> time", .help = "Later by the interval.", .reads_context = true}, time_and_interval);
  r.add({.name = "-", .kernel = shift_time<false>, .signature = "time - INTERVAL -> time", .help = "Earlier by the interval.", .reads_context = true}, time_minus_interval);
  r.add({.name = "-", .kernel = time_between, .signature = "(time - time) unit -> INTERVAL", .help = "The time between two dates, or two times of one type."}, two_times);
  r.add({.name = "+", .kernel = add_intervals<true>, .signature = "INTERVAL + INTERVAL -> INTERVAL", .help = "Both intervals."}, two_intervals);
  r.add({.name = "-", .kernel = add_intervals<false>, .signature = "INTERVAL - INTERVAL -> INTERVAL", .help = "The first without the second."}, two_intervals);
  r.add({.name = "*", .kernel = multiply_interval, .signature = "INTERVAL * integer -> INTERVAL", .help = "The interval that many times."}, interval_times);
}

void register_parts(Registrar& r) {
  const auto part = [&]<TimeUnit kUnit>(const char* name, const char* help) {
    r.add({.name = name, .kernel = extract_one<kUnit>, .signature = fmt::format("{}(time) -> BIGINT", name), .help = help, .reads_context = true},
          takes_times({true}, Type::big_int()));
  };
  part.operator()<TimeUnit::kYear>("YEAR", "The year.");
  part.operator()<TimeUnit::kQuarter>("QUARTER", "The quarter, 1 to 4.");
  part.operator()<TimeUnit::kMonth>("MONTH", "The month, 1 to 12.");
  part.operator()<TimeUnit::kWeek>("WEEK", "The ISO week, 1 to 53.");
  part.operator()<TimeUnit::kDayOfYear>("DAYOFYEAR", "The day of the year, from 1.");
  part.operator()<TimeUnit::kDay>("DAYOFMONTH", "The day of the month, from 1.");
  part.operator()<TimeUnit::kDayOfWeek>("DAYOFWEEK", "The day of the week, 1 = Sunday.");
  part.operator()<TimeUnit::kHour>("HOUR", "The hour, 0 to 23.");
  part.operator()<TimeUnit::kMinute>("MINUTE", "The minute.");
  part.operator()<TimeUnit::kSecond>("SECOND", "The second.");
  r.add({.name = "EXTRACT", .kernel = extract, .signature = "EXTRACT(unit FROM time) -> BIGINT", .help = "A part of a date or time.", .reads_context = true},
        takes_times({false, true}, Type::big_int()));
  r.add({.name = "EXTRACT", .kernel = extract_of_interval, .signature = "EXTRACT(unit FROM INTERVAL) -> BIGINT", .help = "DAY, HOUR, MINUTE or SECOND of an interval, or YEAR or MONTH of one of months."}, part_of_interval());
}

}  // namespace

void register_temporal(Registrar& r) {
  const Type s = Type::string();
  register_arithmetic_on_time(r);
  register_parts(r);
  r.add({.name = "FLOOR", .kernel = round_to<floor_to_unit>, .signature = "FLOOR(time TO unit) -> time", .help = "The start of the unit that holds the time.", .reads_context = true},
        keeps_time({Type::null(), s}, 0));
  for (const char* name : {"CEIL", "CEILING"}) {
    r.add({.name = name, .kernel = round_to<ceil_to_unit>, .signature = fmt::format("{}(time TO unit) -> time", name), .help = "The start of the next unit, or the time when it is one.",
           .reads_context = true},
          keeps_time({Type::null(), s}, 0));
  }
  r.add({.name = "TIMESTAMPADD", .kernel = timestamp_add, .signature = "TIMESTAMPADD(unit, INT, time) -> time", .help = "Later by that many units.", .reads_context = true, .refine = moved_date},
        keeps_time({s, Type::big_int(), Type::null()}, 2));
  r.add({.name = "TIMESTAMPDIFF", .kernel = timestamp_diff, .signature = "TIMESTAMPDIFF(unit, time, time) -> INT", .help = "Whole units from the first to the second.",
         .reads_context = true},
        takes_times({false, true, true}, Type::integer()));
  r.add({.name = "DATE_FORMAT", .kernel = date_format, .signature = "DATE_FORMAT(time, pattern) -> STRING", .help = "The time as text, by a pattern as yyyy-MM-dd HH:mm.",
         .reads_context = true},
        date_format_binder());
  const Shape may_fail{.optional = 1, .always_nullable = true};
  r.add({.name = "TO_TIMESTAMP", .kernel = parse_text, .signature = "TO_TIMESTAMP(STRING [, pattern]) -> TIMESTAMP(3)", .help = "The time that a text stands for; null when it is none."},
        takes({s, s}, Type::timestamp(3), may_fail));
  r.add({.name = "TO_DATE", .kernel = parse_text, .signature = "TO_DATE(STRING [, pattern]) -> DATE", .help = "The date that a text stands for; null when it is none."},
        takes({s, s}, Type::date(), may_fail));
  r.add({.name = "TO_TIMESTAMP_LTZ", .kernel = parse_text, .signature = "TO_TIMESTAMP_LTZ(STRING [, pattern [, zone]]) -> TIMESTAMP_LTZ(3)",
         .help = "The moment that a text in the zone (UTC) stands for; null when it is none."},
        takes({s, s, s}, Type::timestamp_ltz(3), {.optional = 2, .always_nullable = true}));
  r.add({.name = "TO_TIMESTAMP_LTZ", .kernel = timestamp_of_number, .signature = "TO_TIMESTAMP_LTZ(BIGINT [, 0 | 3]) -> TIMESTAMP_LTZ(3)",
         .help = "The moment that many seconds (0) or milliseconds (3) after 1970; null beyond the year 9999."},
        takes({Type::big_int(), Type::integer()}, Type::timestamp_ltz(3), may_fail));
  r.add({.name = "TO_TIMESTAMP_LTZ", .kernel = timestamp_of_fraction, .signature = "TO_TIMESTAMP_LTZ(DOUBLE, 0 | 3) -> TIMESTAMP_LTZ(3)", .help = "The same of a number with a fraction, which is cut behind the milliseconds."},
        fraction_and_precision());
  r.add({.name = "TO_TIMESTAMP_LTZ", .kernel = timestamp_of_number, .signature = "TO_TIMESTAMP_LTZ(DECIMAL, 0 | 3) -> TIMESTAMP_LTZ(3)", .help = "The same of the number cut to a whole one, as in Flink."},
        decimal_and_precision());
  r.add({.name = "CONVERT_TZ", .kernel = convert_tz, .signature = "CONVERT_TZ(STRING, from, to) -> STRING",
         .help = "A local time of one zone, as yyyy-MM-dd HH:mm:ss, in another: CONVERT_TZ('2026-01-01 00:00:00', 'UTC', 'Asia/Seoul')."},
        takes({s, s, s}, s, {.always_nullable = true}));
  r.add({.name = "FROM_UNIXTIME", .kernel = from_unixtime, .signature = "FROM_UNIXTIME(BIGINT [, pattern]) -> STRING", .help = "Seconds since 1970 as text in the session's zone.",
         .reads_context = true},
        takes({Type::big_int(), s}, s, may_fail));
  r.add({.name = "UNIX_TIMESTAMP", .kernel = unix_timestamp_of, .signature = "UNIX_TIMESTAMP(STRING [, pattern]) -> BIGINT",
         .help = "Seconds since 1970 of a text in the session's zone.", .reads_context = true},
        takes({s, s}, Type::big_int(), {.optional = 1}));
}

}  // namespace supyo::expr
