#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/strong.h"

namespace supyo::expr {

/// A date and time taken apart, proleptic Gregorian.
struct CivilTime {
  int year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int micros = 0;
};
CivilTime civil_from(TimeUs us);
TimeUs time_from(const CivilTime& c);
/// Days since 1970-01-01 of a date; a day beyond the month's end is the month's last (as adding months does).
std::int64_t days_from_civil(int year, int month, int day);
std::int64_t add_months(std::int64_t days, std::int64_t months);

/// A pattern of Java's DateTimeFormatter as DATE_FORMAT and TO_TIMESTAMP take it: y M d H h m s S a and, to print only, E D L Q q w W Y e c k K G A n N, and 'quoted' text; other
/// punctuation stands for itself. Taken apart once, used for many rows.
class TimePattern {
 public:
  /// Nothing when the pattern has a letter that is not supported.
  static std::optional<TimePattern> parse(std::string_view pattern);
  void format(TimeUs us, std::string& out) const;
  /// Nothing when the text does not fit the pattern. A trailing rest does not fit.
  std::optional<TimeUs> read(std::string_view text) const;

 private:
  struct Part {
    char letter = 0;     ///< 0 = literal text
    int width = 0;
    std::string text;
  };
  static void format_rare(const Part& p, TimeUs us, const CivilTime& c, std::string& out);
  bool read_part(const Part& p, bool digits_follow, std::string_view& text, CivilTime& c, bool& afternoon, bool& half_day) const;
  std::vector<Part> parts_;
};

}  // namespace supyo::expr
