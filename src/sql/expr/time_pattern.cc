#include "sql/expr/time_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>

namespace supyo::expr {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                      "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kSupported = "yuMdHhmsSaEDLQqwWYeckKGAnN";

/// Weeks as in the United States, whose locale Flink's images have: they begin on Sunday, and the first is that of January 1st.
std::int64_t week_day(std::int64_t days) { return ((days + 4) % 7 + 7) % 7; }   // 0: Sunday
int week_number(std::int64_t days, std::int64_t first) { return static_cast<int>((days - first + week_day(first)) / 7 + 1); }
/// The year of the week and its number: the last days of December may be of the next year's first week.
std::pair<int, int> year_and_week(std::int64_t days, int year) {
  const std::int64_t next = days_from_civil(year + 1, 1, 1);
  if (days >= next - week_day(next)) return {year + 1, 1};
  return {year, week_number(days, days_from_civil(year, 1, 1))};
}


/// MMM: Jan, MMMM: January, MMMMM: J.
std::string_view short_name(std::string_view name, int width) { return width == 4 ? name : name.substr(0, width == 3 ? 3 : 1); }

std::int64_t floor_days(TimeUs us) { return us / kDay - (us % kDay < 0 ? 1 : 0); }

/// At least `width` characters, zeros in front. Most of DATE_FORMAT: a general formatter costs ten times as much.
void append_padded(int v, int width, std::string& out) {
  if (v < 0) {   // a sign counts as one of them
    out += '-';
    return append_padded(-v, width - 1, out);
  }
  char digits[10];
  char* at = std::end(digits);
  for (int left = v; at == std::end(digits) || left > 0; left /= 10) *--at = static_cast<char>('0' + left % 10);
  const std::ptrdiff_t n = std::end(digits) - at;
  if (n < width) out.append(static_cast<std::size_t>(width - n), '0');
  out.append(at, static_cast<std::size_t>(n));
}

}  // namespace

CivilTime civil_from(TimeUs us) {
  const std::int64_t days = floor_days(us);
  const std::int64_t rest = us - days * kDay;
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<int>(static_cast<unsigned>(date.month())),
          .day = static_cast<int>(static_cast<unsigned>(date.day())),
          .hour = static_cast<int>(rest / kHour),
          .minute = static_cast<int>(rest / kMinute % 60),
          .second = static_cast<int>(rest / kSecond % 60),
          .micros = static_cast<int>(rest % kSecond)};
}

std::int64_t days_from_civil(int year, int month, int day) {
  using namespace std::chrono;
  const year_month_day_last last{std::chrono::year{year} / std::chrono::month{static_cast<unsigned>(month)} / std::chrono::last};
  const unsigned d = std::min(static_cast<unsigned>(day), static_cast<unsigned>(last.day()));
  return sys_days{last.year() / last.month() / std::chrono::day{d}}.time_since_epoch().count();
}

TimeUs time_from(const CivilTime& c) {
  return days_from_civil(c.year, c.month, c.day) * kDay + c.hour * kHour + c.minute * kMinute + c.second * kSecond + c.micros;
}

std::int64_t add_months(std::int64_t days, std::int64_t months) {
  const CivilTime c = civil_from(days * kDay);
  const std::int64_t total = static_cast<std::int64_t>(c.year) * 12 + (c.month - 1) + months;
  const std::int64_t year = total / 12 - (total % 12 < 0 ? 1 : 0);
  return days_from_civil(static_cast<int>(year), static_cast<int>(total - year * 12) + 1, c.day);
}

std::optional<TimePattern> TimePattern::parse(std::string_view pattern) {
  TimePattern p;
  const auto literal = [&](std::string_view text) {
    if (p.parts_.empty() || p.parts_.back().letter != 0) p.parts_.emplace_back();
    p.parts_.back().text += text;
  };
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'') {
      const std::size_t end = pattern.find('\'', i + 1);
      if (end == std::string_view::npos) return std::nullopt;
      literal(end == i + 1 ? std::string_view("'") : pattern.substr(i + 1, end - i - 1));
      i = end + 1;
      continue;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (std::string_view("[]{}#").contains(c)) return std::nullopt;   // optional parts, and what Java keeps for later
    if (!letter) {
      literal(pattern.substr(i++, 1));
      continue;
    }
    if (kSupported.find(c) == std::string_view::npos) return std::nullopt;
    std::size_t end = i;
    while (end < pattern.size() && pattern[end] == c) ++end;
    p.parts_.push_back({.letter = c, .width = static_cast<int>(end - i), .text = {}});
    i = end;
  }
  return p;
}

void TimePattern::format_rare(const Part& p, TimeUs us, const CivilTime& c, std::string& out) {
  const auto number = [&](std::int64_t v) { out += fmt::format("{:0{}}", v, p.width); };
  const std::int64_t days = floor_days(us), in_day = us - days * kDay;
  switch (p.letter) {
    case 'Q':
    case 'q': {
      const int quarter = (c.month - 1) / 3 + 1;
      constexpr std::string_view kNames[] = {"1st", "2nd", "3rd", "4th"};
      if (p.width >= 4) out += fmt::format("{} quarter", kNames[quarter - 1]);
      else if (p.width == 3) out += fmt::format("Q{}", quarter);
      else number(quarter);
      return;
    }
    case 'L': {
      const std::string_view name = kMonths[static_cast<std::size_t>(c.month - 1)];
      if (p.width >= 3) out += short_name(name, p.width);
      else number(c.month);
      return;
    }
    case 'w': return number(year_and_week(days, c.year).second);
    case 'W': return number(week_number(days, days_from_civil(c.year, c.month, 1)));
    case 'Y': {
      const int year = year_and_week(days, c.year).first;
      return number(p.width == 2 ? year % 100 : year);
    }
    case 'e':
    case 'c': {
      const std::string_view name = kDays[static_cast<std::size_t>(week_day(days))];
      if (p.width >= 3) out += short_name(name, p.width);
      else number(week_day(days) + 1);
      return;
    }
    case 'k': return number(c.hour == 0 ? 24 : c.hour);
    case 'K': return number(c.hour % 12);
    case 'G': out += c.year > 0 ? (p.width == 4 ? "Anno Domini" : "AD") : (p.width == 4 ? "Before Christ" : "BC"); return;
    case 'A': return number(in_day / kMillisecond);
    case 'n': return number(c.micros * 1000LL);
    default: return number(in_day * 1000);   // N
  }
}

void TimePattern::format(TimeUs us, std::string& out) const {
  const CivilTime c = civil_from(us);
  const auto number = [&](int v, int width) { append_padded(v, width, out); };
  for (const Part& p : parts_) {
    switch (p.letter) {
      case 'y':
      case 'u':
        if (p.width == 2) number(c.year % 100, 2); else number(c.year, p.width);
        break;
      case 'M': {
        const std::string_view name = kMonths[static_cast<std::size_t>(c.month - 1)];
        if (p.width >= 3) out += short_name(name, p.width); else number(c.month, p.width);
        break;
      }
      case 'd': number(c.day, p.width); break;
      case 'L': case 'Q': case 'q': case 'w': case 'W': case 'Y': case 'e': case 'c': case 'k': case 'K': case 'G': case 'A': case 'n': case 'N':
        format_rare(p, us, c, out);
        break;
      case 'D': number(static_cast<int>(floor_days(us) - days_from_civil(c.year, 1, 1)) + 1, p.width); break;
      case 'E': {
        const std::string_view name = kDays[static_cast<std::size_t>(week_day(floor_days(us)))];
        out += short_name(name, std::max(p.width, 3));
        break;
      }
      case 'H': number(c.hour, p.width); break;
      case 'h': number(c.hour % 12 == 0 ? 12 : c.hour % 12, p.width); break;
      case 'a': out += c.hour < 12 ? "AM" : "PM"; break;
      case 'm': number(c.minute, p.width); break;
      case 's': number(c.second, p.width); break;
      case 'S': {
        const std::size_t end = out.size() + static_cast<std::size_t>(p.width);
        number(c.micros, 6);
        out.resize(end, '0');
        break;
      }
      default: out += p.text;
    }
  }
}

bool TimePattern::read_part(const Part& p, bool digits_follow, std::string_view& text, CivilTime& c, bool& afternoon, bool& half_day) const {
  // A field takes its width, or more digits when no other number follows directly.
  const auto number = [&](int least, int most) -> std::optional<int> {
    int v = 0;
    int n = 0;
    while (n < most && !text.empty() && text.front() >= '0' && text.front() <= '9') {
      v = v * 10 + (text.front() - '0');
      text.remove_prefix(1);
      ++n;
    }
    return n < least ? std::nullopt : std::optional(v);
  };
  const auto into = [&](int& field, int low, int high, int most) {
    const auto v = number(p.width > most ? most : p.width, digits_follow ? p.width : std::max(p.width, most));
    if (!v || *v < low || *v > high) return false;
    field = *v;
    return true;
  };
  switch (p.letter) {
    case 'y':
    case 'u':
      if (p.width == 2) {
        if (!into(c.year, 0, 99, 2)) return false;
        c.year += 2000;
        return true;
      }
      return into(c.year, 0, 9999, 4);
    case 'M':
      if (p.width < 3) return into(c.month, 1, 12, 2);
      for (std::size_t m = 0; m < kMonths.size(); ++m) {
        const std::string_view name = p.width == 3 ? kMonths[m].substr(0, 3) : kMonths[m];
        if (!text.starts_with(name)) continue;
        text.remove_prefix(name.size());
        c.month = static_cast<int>(m) + 1;
        return true;
      }
      return false;
    case 'd': return into(c.day, 1, 31, 2);
    case 'H': return into(c.hour, 0, 23, 2);
    case 'h': half_day = true; return into(c.hour, 1, 12, 2);
    case 'm': return into(c.minute, 0, 59, 2);
    case 's': return into(c.second, 0, 59, 2);
    case 'a':
      afternoon = text.starts_with("PM") || text.starts_with("pm");
      if (!afternoon && !text.starts_with("AM") && !text.starts_with("am")) return false;
      text.remove_prefix(2);
      return true;
    case 'S': {
      int unit = 100'000;
      int n = 0;
      c.micros = 0;
      for (; n < p.width && !text.empty() && text.front() >= '0' && text.front() <= '9'; ++n, unit /= 10) {
        c.micros += (text.front() - '0') * unit;
        text.remove_prefix(1);
      }
      return n > 0;
    }
    case 0:
      if (!text.starts_with(p.text)) return false;
      text.remove_prefix(p.text.size());
      return true;
    default: return false;  // day names and day of year are for printing only
  }
}

std::optional<TimeUs> TimePattern::read(std::string_view text) const {
  CivilTime c;
  bool afternoon = false;
  bool half_day = false;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const bool digits_follow = i + 1 < parts_.size() && parts_[i + 1].letter != 0 && parts_[i + 1].letter != 'a';
    if (!read_part(parts_[i], digits_follow, text, c, afternoon, half_day)) return std::nullopt;
  }
  if (!text.empty()) return std::nullopt;
  if (half_day) c.hour = c.hour % 12 + (afternoon ? 12 : 0);
  const std::chrono::year_month_day date{std::chrono::year{c.year}, std::chrono::month{static_cast<unsigned>(c.month)}, std::chrono::day{static_cast<unsigned>(c.day)}};
  if (!date.ok()) return std::nullopt;
  return time_from(c);
}

}  // namespace supyo::expr
