#include "core/obs/log.h"

#include <chrono>

namespace supyo::obs {
namespace {

std::string utc_text(TimeUs us) {
  namespace c = std::chrono;
  const c::sys_time<c::milliseconds> t{c::floor<c::milliseconds>(c::microseconds(us))};
  const auto day = c::floor<c::days>(t);
  const c::year_month_day date(day);
  const c::hh_mm_ss time(t - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

void append_quoted(std::string& out, std::string_view s) {
  out += '"';
  for (const char c : s) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        // Control characters would let a record's text move the cursor of whoever reads the log.
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else out += c;
    }
  }
  out += '"';
}

bool is_plain(std::string_view s) {
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; };
  return !s.empty() && std::ranges::all_of(s, plain);
}

}  // namespace

std::string_view log_level_text(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "?";
}

std::string log_line(const LogEvent& event) {
  std::string out = fmt::format("{} {} {}: {}", utc_text(event.now_us), log_level_text(event.level), event.room, event.message);
  for (const LogField& f : event.fields) {
    out += ' ';
    out += f.name;
    out += '=';
    if (is_plain(f.value)) out += f.value;
    else append_quoted(out, f.value);
  }
  return out;
}

std::string log_json(const LogEvent& event) {
  std::string out = fmt::format(R"({{"time":"{}","level":"{}","room":)", utc_text(event.now_us), log_level_text(event.level));
  append_quoted(out, event.room);
  out += ",\"message\":";
  append_quoted(out, event.message);
  for (const LogField& f : event.fields) {
    out += ',';
    append_quoted(out, f.name);
    out += ':';
    append_quoted(out, f.value);
  }
  return out + '}';
}

void Logger::log(LogLevel level, std::string_view room, std::string_view message, std::vector<LogField> fields) const {
  if (!enabled(level)) return;
  sink_({.now_us = clock_.now_us(), .level = level, .room = room, .message = message, .fields = fields});
}

}  // namespace supyo::obs
