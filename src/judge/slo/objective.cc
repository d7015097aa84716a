#include "judge/slo/objective.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace supyo::slo {

std::string_view measure_name(Measure m) {
  switch (m) {
    case Measure::kEndToEndLatency: return "end_to_end_latency";
    case Measure::kFreshness: return "freshness";
    case Measure::kProcessingSuccess: return "processing_success";
    case Measure::kStreamLag: return "stream_lag";
    case Measure::kLateEventRate: return "late_event_rate";
    case Measure::kWindowLateRate: return "window_late_rate";
    case Measure::kDuplicateRate: return "duplicate_rate";
    case Measure::kCompleteness: return "completeness";
    case Measure::kCheckpointDuration: return "checkpoint_duration";
  }
  return "?";
}

std::string_view clock_name(LatencyClock c) { return c == LatencyClock::kEvent ? "event" : "produce"; }
std::string_view reference_name(Reference r) { return r == Reference::kRecord ? "record" : "completion"; }
std::string_view role_name(Role r) { return r == Role::kDeciding ? "deciding" : "advising"; }

std::span<const Measure> all_measures() {
  static constexpr Measure kAll[] = {Measure::kEndToEndLatency, Measure::kFreshness,      Measure::kProcessingSuccess, Measure::kStreamLag,         Measure::kLateEventRate,
                                     Measure::kWindowLateRate,  Measure::kDuplicateRate, Measure::kCompleteness,      Measure::kCheckpointDuration};
  return kAll;
}

bool can_decide(Measure m) {
  return m == Measure::kEndToEndLatency || m == Measure::kFreshness || m == Measure::kProcessingSuccess || m == Measure::kCompleteness;
}

bool Objective::has_threshold() const {
  return measure == Measure::kEndToEndLatency || measure == Measure::kFreshness || measure == Measure::kProcessingSuccess || measure == Measure::kStreamLag ||
         measure == Measure::kCheckpointDuration;
}

std::vector<BurnAlert> default_alerts(const Objective& o) {
  std::vector<BurnAlert> out;
  if (o.window_us < kDay) return out;
  const bool pages = o.role == Role::kDeciding;
  const BurnAlert pairs[] = {{.name = "burn-14x-1h", .severity = "page", .threshold = 14.4, .long_window_us = kHour, .short_window_us = 5 * kMinute},
                             {.name = "burn-6x-6h", .severity = "page", .threshold = 6, .long_window_us = 6 * kHour, .short_window_us = 30 * kMinute},
                             {.name = "burn-3x-1d", .severity = "ticket", .threshold = 3, .long_window_us = kDay, .short_window_us = 2 * kHour},
                             {.name = "burn-1x-3d", .severity = "ticket", .threshold = 1, .long_window_us = 3 * kDay, .short_window_us = 6 * kHour}};
  for (BurnAlert a : pairs) {
    if (a.threshold > 1 / (1 - o.target) || a.long_window_us > o.window_us) continue;
    if (!pages) a.severity = "ticket";
    a.position = o.position;
    out.push_back(std::move(a));
  }
  return out;
}

std::string Objective::sentence() const {
  const std::string over = show_duration(window_us);
  const std::string under = at_most ? "at most " : "under ";
  const std::string_view from = clock == LatencyClock::kEvent ? "event time" : "its production";
  switch (measure) {
    case Measure::kEndToEndLatency:
      return fmt::format("{} of {} visible in {}{}, counted from {}, over {}", show_share(target),
                         reference == Reference::kRecord ? "records" : "results", under, show_duration(threshold_us), from, over);
    case Measure::kFreshness:
      return fmt::format("newest visible event {} {} in {} of the {}, over {}", at_most ? "no older than" : "younger than", show_duration(threshold_us), show_share(target),
                         slice_us == kSecond ? "samples" : fmt::format("slices of {} ({} of each)", show_duration(slice_us), show_share(slice_target)), over);
    case Measure::kProcessingSuccess: return fmt::format("{} of records visible once within {} of {}, over {}", show_share(target), show_duration(threshold_us), from, over);
    case Measure::kStreamLag: return fmt::format("{} of records taken in {}{} after their event, over {}", show_share(target), at_most ? under : "less than ", show_duration(threshold_us), over);
    case Measure::kWindowLateRate: return fmt::format("less than {} of records dropped because their window had closed, over {}", show_share(1 - target), over);
    case Measure::kDuplicateRate: return fmt::format("less than {} of results visible twice, over {}", show_share(1 - target), over);
    case Measure::kLateEventRate: return fmt::format("less than {} of records behind the watermark, over {}", show_share(1 - target), over);
    case Measure::kCompleteness: return fmt::format("{} of records in the result, over {}", show_share(target), over);
    case Measure::kCheckpointDuration: return fmt::format("{} of epochs durable in {}{}, over {}", show_share(target), under, show_duration(threshold_us), over);
  }
  return {};
}

const Objective* Objectives::find(Measure m) const {
  for (const auto& o : items) if (o.measure == m) return &o;
  return nullptr;
}

const Objective* Objectives::find(std::string_view name) const {
  for (const auto& o : items) if (o.name == name) return &o;
  return nullptr;
}

Result<DurationUs> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kBadConfigFile, fmt::format("'{}' is not a duration", text), "write a number and a unit: 300ms, 5s, 10m, 1h, 30d");
  };
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return bad();
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  DurationUs factor = 0;
  if (unit == "us") factor = 1;
  else if (unit == "ms") factor = kMillisecond;
  else if (unit == "s") factor = kSecond;
  else if (unit == "m" || unit == "min") factor = kMinute;
  else if (unit == "h") factor = kHour;
  else if (unit == "d") factor = kDay;
  else if (unit == "w") factor = 7 * kDay;
  else return bad();
  const double us = number * static_cast<double>(factor);
  if (us > 1e17) return bad();
  return static_cast<DurationUs>(std::llround(us));
}

std::string duration_text(DurationUs us) {
  for (const auto& [unit, size] : {std::pair{"d", kDay}, {"h", kHour}, {"m", kMinute}, {"s", kSecond}, {"ms", kMillisecond}}) {
    if (us % size == 0) return fmt::format("{}{}", us / size, unit);
  }
  return fmt::format("{}us", us);
}

namespace {
std::string number(double v) {
  std::string s = fmt::format("{:.3f}", v);
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s;
}
}  // namespace

std::string show_duration(DurationUs us) {
  const DurationUs a = us < 0 ? -us : us;
  if (a == 0) return "0 s";
  if (a < kMillisecond) return fmt::format("{} us", us);
  if (a < kSecond) return number(static_cast<double>(us) / static_cast<double>(kMillisecond)) + " ms";
  // From the largest unit of which there are two (of days: three, or whole ones) down to the last that is not zero.
  struct Unit {
    DurationUs size;
    std::string_view name;
  };
  constexpr Unit kUnits[] = {{kDay, "d"}, {kHour, "h"}, {kMinute, "min"}, {kSecond, "s"}};
  const bool days = a >= 3 * kDay || a % kDay == 0;
  std::string out = us < 0 ? "-" : "";
  DurationUs rest = a;
  for (const auto& [size, name] : kUnits) {
    if (rest == 0) break;
    if (rest == a && size != kSecond && (size == kDay ? !days : a < 2 * size && a != kHour)) continue;
    if (rest != a) out += ' ';
    out += size == kSecond ? number(static_cast<double>(rest) / static_cast<double>(kSecond)) : fmt::format("{}", rest / size);
    out += fmt::format(" {}", name);
    rest = size == kSecond ? 0 : rest % size;
  }
  return out;
}

std::string show_share(double share) {
  std::string s = fmt::format("{:.4f}", share * 100);
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s + " %";
}

}  // namespace supyo::slo
