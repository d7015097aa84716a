#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/strong.h"
#include "core/env/env.h"

namespace supyo::obs {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
std::string_view log_level_text(LogLevel level);  ///< "debug" "info" "warning" "error"

/// One named value of a log event. Values are written quoted and escaped where they need it: they may be attacker text.
struct LogField {
  std::string_view name;
  std::string value;

  LogField(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(v) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view n, T v) : name(n), value(fmt::format("{}", v)) {}
};

struct LogEvent {
  TimeUs now_us = 0;
  LogLevel level = LogLevel::kInfo;
  std::string_view room;      ///< who says it: "runtime", "iceberg"
  std::string_view message;   ///< a fixed sentence; what varies is in the fields
  const std::vector<LogField>& fields;
};

/// `2013-01-01T05:15:00.000Z warning runtime: sink is slow sink=lake.db.t delay="6 s"`, without line end.
std::string log_line(const LogEvent& event);
/// The same as one JSON object: time, level, room, message, then the fields as strings.
std::string log_json(const LogEvent& event);

/// Hands events to a sink that the caller chose (standard error, a file, a test's list). Cheap when the level is off. Thread-safe if the sink is.
/// Never on a row's path.
class Logger {
 public:
  using Sink = std::function<void(const LogEvent&)>;
  Logger(const env::Clock& clock, Sink sink, LogLevel least = LogLevel::kInfo) : clock_(clock), sink_(std::move(sink)), least_(least) {}

  bool enabled(LogLevel level) const { return level >= least_ && sink_; }
  void log(LogLevel level, std::string_view room, std::string_view message, std::vector<LogField> fields = {}) const;
  void debug(std::string_view room, std::string_view message, std::vector<LogField> fields = {}) const { log(LogLevel::kDebug, room, message, std::move(fields)); }
  void info(std::string_view room, std::string_view message, std::vector<LogField> fields = {}) const { log(LogLevel::kInfo, room, message, std::move(fields)); }
  void warning(std::string_view room, std::string_view message, std::vector<LogField> fields = {}) const { log(LogLevel::kWarning, room, message, std::move(fields)); }
  void error(std::string_view room, std::string_view message, std::vector<LogField> fields = {}) const { log(LogLevel::kError, room, message, std::move(fields)); }

 private:
  const env::Clock& clock_;
  Sink sink_;
  LogLevel least_;
};

}  // namespace supyo::obs
