#include "judge/slo/lag_rules.h"

#include <algorithm>
#include <cmath>

namespace supyo::slo {

std::vector<bool> evaluate_raw(const RawLagRule& rule, std::span<const TimeUs> t, std::span<const double> lag) {
  std::vector<bool> alarm(t.size(), false);
  bool above = false;
  TimeUs since = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (std::isnan(lag[i]) || lag[i] <= rule.threshold) {
      above = false;
      continue;
    }
    if (!above) since = t[i];
    above = true;
    alarm[i] = t[i] - since >= rule.hold_us;
  }
  return alarm;
}

std::string_view burrow_status_name(BurrowStatus s) {
  switch (s) {
    case BurrowStatus::kOk: return "OK";
    case BurrowStatus::kWarning: return "WARNING";
    case BurrowStatus::kStop: return "STOP";
    case BurrowStatus::kStall: return "STALL";
    case BurrowStatus::kRewind: return "REWIND";
  }
  return "?";
}

void BurrowPartition::end(TimeUs t, std::uint64_t offset) {
  if (!ends_.empty() && t - end_at_ < kRefresh) return;
  end_at_ = t;
  ends_.push_back(offset);
  if (ends_.size() > kWindow) ends_.pop_front();
}

void BurrowPartition::committed(TimeUs t, std::uint64_t offset) {
  if (ends_.empty()) return;
  commits_.push_back({t, offset, ends_.back() > offset ? ends_.back() - offset : 0});
  if (commits_.size() > kWindow) commits_.pop_front();
}

BurrowStatus BurrowPartition::status(TimeUs now) const {
  if (commits_.empty()) return BurrowStatus::kOk;
  const Commit& first = commits_.front();
  const Commit& last = commits_.back();
  if (ends_.back() <= last.offset) return BurrowStatus::kOk;
  const bool caught_up = std::ranges::any_of(ends_, [&](std::uint64_t end) { return end <= last.offset; });
  if (now - last.t > last.t - first.t && !caught_up) return BurrowStatus::kStop;
  if (std::ranges::any_of(commits_, [](const Commit& c) { return c.lag == 0; })) return BurrowStatus::kOk;
  const auto some_step = [this](auto&& is) { return std::ranges::adjacent_find(commits_, is) != commits_.end(); };
  if (some_step([](const Commit& a, const Commit& b) { return b.offset < a.offset; })) return BurrowStatus::kRewind;
  if (!some_step([](const Commit& a, const Commit& b) { return b.offset != a.offset; })) return BurrowStatus::kStall;
  if (!some_step([](const Commit& a, const Commit& b) { return b.lag < a.lag; })) return BurrowStatus::kWarning;
  return BurrowStatus::kOk;
}

std::string_view alarm_level_name(AlarmLevel level) {
  switch (level) {
    case AlarmLevel::kOk: return "OK";
    case AlarmLevel::kWarning: return "WARNING";
    case AlarmLevel::kCritical: return "CRITICAL";
  }
  return "?";
}

double retention_percent(const Standing& s) {
  const auto kept = static_cast<double>(s.end - s.log_start);
  return kept <= 0 ? 0 : 100 * static_cast<double>(std::max<std::int64_t>(0, s.end - s.committed)) / kept;
}

AlarmLevel retention_percent_level(double percent) {
  constexpr double kWarning = 80, kCritical = 100;
  return percent >= kCritical ? AlarmLevel::kCritical : percent >= kWarning ? AlarmLevel::kWarning : AlarmLevel::kOk;
}

std::int64_t MessagesLostGauge::messages_lost(const Standing& s) { return std::max<std::int64_t>(0, s.log_start - s.committed); }

AlarmLevel MessagesLostGauge::observe(TimeUs t, const Standing& s) {
  const bool above = retention_percent(s) > kRatioWarning;
  if (above && !above_) since_ = t;
  above_ = above;
  if (messages_lost(s) > 0) return AlarmLevel::kCritical;
  return above && t - since_ >= kRatioHold ? AlarmLevel::kWarning : AlarmLevel::kOk;
}

}  // namespace supyo::slo
