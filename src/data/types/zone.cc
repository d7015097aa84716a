#include "data/types/zone.h"

#include <absl/time/time.h>

#include <algorithm>
#include <charconv>

#include "core/base/duration.h"

namespace supyo {
namespace {

/// "+9", "+09", "+09:00", "-0330": hours and minutes ahead of UTC.
std::optional<DurationUs> parse_offset(std::string_view s) {
  if (s.size() < 2 || (s[0] != '+' && s[0] != '-')) return std::nullopt;
  const DurationUs sign = s[0] == '-' ? -1 : 1;
  s.remove_prefix(1);
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int n = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    return error == std::errc{} && end == digits.data() + digits.size() && digits.size() <= 2 && digits[0] != '-' ? std::optional(n) : std::nullopt;
  };
  const std::string_view hours = s.substr(0, std::min(s.size(), s.size() == 1 ? std::size_t{1} : std::size_t{2}));
  std::string_view minutes = s.substr(hours.size());
  if (minutes.starts_with(':')) minutes.remove_prefix(1);
  else if (!minutes.empty() && minutes.size() != 2) return std::nullopt;
  const std::optional<int> h = number(hours);
  const std::optional<int> m = minutes.empty() ? (s.ends_with(':') ? std::nullopt : std::optional(0)) : minutes.size() == 2 ? number(minutes) : std::nullopt;
  if (!h || !m || *m > 59 || *h * 60 + *m > 18 * 60) return std::nullopt;
  return sign * (*h * kHour + *m * kMinute);
}

TimeUs micros(absl::Time t) { return absl::ToUnixMicros(t); }

}  // namespace

struct Zone::Rules {
  struct Change {
    TimeUs at = 0;              // UTC
    DurationUs offset = 0;      // from then on
  };
  DurationUs first = 0;         // before the first change
  std::vector<Change> changes;  // by time

  DurationUs before(std::size_t i) const { return i == 0 ? first : changes[i - 1].offset; }

  /// What holds when clocks show `local`: how many changes lie behind it, when each is behind from the local time `edge(change, offset before)` on.
  template <class Edge>
  std::size_t behind(TimeUs local, Edge edge) const {
    std::size_t low = 0;
    std::size_t high = changes.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (changes[middle].at + edge(before(middle), changes[middle].offset) <= local) low = middle + 1; else high = middle;
    }
    return low;
  }
};

DurationUs Zone::offset_at(TimeUs utc) const {
  const auto& all = rules_->changes;
  const auto next = std::upper_bound(all.begin(), all.end(), utc, [](TimeUs t, const Rules::Change& c) { return t < c.at; });
  return rules_->before(static_cast<std::size_t>(next - all.begin()));
}

TimeUs Zone::earlier(TimeUs local) const {
  // The new offset holds from where the old clocks and the new ones both have come: a missing time is read with the old offset, one that comes twice too.
  return plus(local, -rules_->before(rules_->behind(local, [](DurationUs old, DurationUs now) { return std::max(old, now); })));
}

TimeUs Zone::later(TimeUs local) const {
  const std::size_t n = rules_->behind(local, [](DurationUs old, DurationUs now) { return std::min(old, now); });
  const TimeUs utc = plus(local, -rules_->before(n));
  return n > 0 ? std::max(utc, rules_->changes[n - 1].at) : utc;   // a missing time has passed when the clocks are set forward
}

Result<Zone> Zone::parse(std::string_view name) {
  if (name == "Z" || name == "UTC" || name == "GMT" || name == "UT") return Zone();
  std::string_view rest = name;
  if (rest.starts_with("UTC") || rest.starts_with("GMT")) rest.remove_prefix(3);
  if (const auto offset = parse_offset(rest)) return fixed(*offset);
  absl::TimeZone loaded;
  // Only names of regions: the database's file names would be read as paths.
  const bool plain = !name.empty() && name.front() != '/' && name.find("..") == std::string_view::npos && name != "localtime" && name.find(':') == std::string_view::npos;
  if (!plain || !absl::LoadTimeZone(std::string(name), &loaded)) {
    return fail(ErrorCode::kBadOptionValue, fmt::format("there is no time zone '{}'", name),
                "use UTC, an offset such as +09:00, or a region's name such as Asia/Seoul or Europe/Berlin (they come with the system's package tzdata)");
  }
  const auto offset = [&](absl::Time t) { return DurationUs{loaded.At(t).offset} * kSecond; };
  auto rules = std::make_shared<Rules>();
  const absl::Time end = absl::FromCivil(absl::CivilYear(2300), absl::UTCTimeZone());
  absl::Time at = absl::FromCivil(absl::CivilYear(1700), absl::UTCTimeZone());
  rules->first = offset(at);
  absl::TimeZone::CivilTransition change;
  while (at < end && loaded.NextTransition(at, &change)) {
    at = loaded.At(change.to).trans;   // the moment of the change: `to` is what the clocks show then
    const DurationUs now = offset(at);
    if (now != rules->before(rules->changes.size())) rules->changes.push_back({micros(at), now});
  }
  if (rules->changes.empty()) return fixed(rules->first);
  Zone z;
  z.rules_ = std::move(rules);
  return z;
}

}  // namespace supyo
