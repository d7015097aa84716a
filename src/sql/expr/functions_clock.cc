#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;

// All of a batch have one time: the clock is read once a batch (EvalContext::now_us).

enum class Clock { kInstant, kLocal, kDate, kTimeOfDay, kSeconds };

std::int64_t read(Clock clock, const EvalContext& ctx) {
  const TimeUs millis = ctx.now_us - ((ctx.now_us % kMillisecond) + kMillisecond) % kMillisecond;
  const TimeUs local = ctx.zone.to_local(millis);
  switch (clock) {
    case Clock::kInstant: return millis;
    case Clock::kLocal: return local;
    case Clock::kDate: return local / kDay - (local % kDay < 0 ? 1 : 0);
    case Clock::kTimeOfDay: return ((local % kDay) + kDay) % kDay / kSecond * kSecond;
    case Clock::kSeconds: return ctx.now_us / kSecond;
  }
  return 0;
}

template <Clock kClock>
Result<ColumnPtr> now(Args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  return repeated({.type = result, .data = read(kClock, ctx)}, rows);
}

Result<ColumnPtr> current_watermark(Args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  if (ctx.watermark_us == kTimeMin) return null_column(result, rows);
  return repeated({.type = result, .data = ctx.watermark_us}, rows);
}

std::optional<Typing> row_time(std::span<const Type> args) {
  if (args.size() != 1 || !args[0].is_timestamp()) return std::nullopt;
  Type result = args[0].as_nullable();
  result.precision = 3;
  return Typing{{args[0]}, result};
}

}  // namespace

void register_clock(Registrar& r) {
  const auto add = [&](const char* name, Kernel kernel, Type result, const char* help, bool call = false) {
    r.add({.name = name, .kernel = kernel, .deterministic = false, .signature = fmt::format("{}{} -> {}", name, call ? "()" : "", result.to_string()), .help = help, .reads_context = true},
          takes({}, result.not_null()));
  };
  add("CURRENT_TIMESTAMP", now<Clock::kInstant>, Type::timestamp_ltz(3), "Now.");
  add("CURRENT_ROW_TIMESTAMP", now<Clock::kInstant>, Type::timestamp_ltz(3), "Now.", true);
  add("NOW", now<Clock::kInstant>, Type::timestamp_ltz(3), "Now.", true);
  add("PROCTIME", now<Clock::kInstant>, Type::timestamp_ltz(3), "Processing time.", true);
  add("LOCALTIMESTAMP", now<Clock::kLocal>, Type::timestamp(3), "Now, in the session's zone.");
  add("CURRENT_DATE", now<Clock::kDate>, Type::date(), "Today, in the session's zone.");
  add("CURRENT_TIME", now<Clock::kTimeOfDay>, Type::time(0), "Time of day, in the session's zone.");
  add("LOCALTIME", now<Clock::kTimeOfDay>, Type::time(0), "Time of day, in the session's zone.");
  add("UNIX_TIMESTAMP", now<Clock::kSeconds>, Type::big_int(), "Seconds since 1970 now.", true);
  r.add({.name = "CURRENT_WATERMARK", .kernel = current_watermark, .deterministic = false, .signature = "CURRENT_WATERMARK(row time) -> time",
         .help = "The watermark when the row was processed; null before the first.", .reads_context = true},
        row_time);
}

}  // namespace supyo::expr
