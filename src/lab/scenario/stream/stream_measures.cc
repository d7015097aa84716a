#include "lab/scenario/stream/stream_measures.h"

#include <algorithm>
#include <limits>

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void count_windows(const WindowTruth& w, TimeUs end_us, Arm& arm) {
  auto& c = arm.counts;
  double input = 0, final_sum = 0, timely = 0, largest = 0, main = 0, wrong = 0, wrong_with_side = 0, fired = 0, unfired = 0, delay = 0, delay_max = 0, updated_windows = 0;
  for (const auto& [key, window] : w.windows()) {
    input += static_cast<double>(window.truth);
    final_sum += static_cast<double>(window.value);
    largest = std::max(largest, static_cast<double>(window.value));
    wrong += window.value != window.truth ? 1 : 0;
    wrong_with_side += window.value + window.aside != window.truth ? 1 : 0;
    updated_windows += window.firings > 1 ? 1 : 0;
    if (window.firings == 0) {
      unfired += static_cast<double>(window.truth);
      continue;
    }
    ++fired;
    main += static_cast<double>(window.first);
    const double d = static_cast<double>(window.first_us - key.first - w.size_us()) / 1e6;
    if (window.first_us > end_us) continue;   // the drain's firings say nothing of the delay
    delay += d;
    ++timely;
    delay_max = std::max(delay_max, d);
  }
  c["window_input"] += input;
  c["window_final"] += final_sum;
  c["window_unfired"] += unfired;
  c["window_largest"] = largest;
  c["main_records"] += main;
  c["windows"] += fired;
  c["windows_wrong"] += wrong;
  c["windows_wrong_with_side"] += wrong_with_side;
  c["windows_updated"] += updated_windows;
  c["window_updates"] += static_cast<double>(w.updates());
  c["result_delay_mean"] = timely > 0 ? delay / timely : kNaN;
  c["result_delay_max"] = delay_max;
}

}  // namespace

std::vector<PlannedKill> plan_kills(std::uint64_t times, DurationUs interval_us, TimeUs from, TimeUs to, workload::Draws& draws) {
  const DurationUs room = (to - from) / static_cast<DurationUs>(std::max<std::uint64_t>(1, times));
  std::vector<std::uint64_t> parts(times);
  for (std::uint64_t i = 0; i < times; ++i) parts[i] = i;
  for (std::uint64_t i = times; i > 1; --i) std::swap(parts[i - 1], parts[draws.below(i)]);
  std::vector<PlannedKill> out;
  for (std::uint64_t i = 0; i < times; ++i) {
    const double part = (static_cast<double>(parts[i]) + static_cast<double>(draws.below(1000)) / 1000) / static_cast<double>(times);
    out.push_back({from + static_cast<DurationUs>(i) * room + room / 4, static_cast<DurationUs>(part * static_cast<double>(interval_us))});
  }
  return out;
}

std::optional<TimeUs> KillMoment::due(TimeUs now, bool caught_up, TimeUs triggered_us, TimeUs completed_us, DurationUs phase_us) {
  if (at_us_) return at_us_;
  if (!caught_up) calm_since_us_.reset();
  else if (!calm_since_us_) calm_since_us_ = now;
  else if (triggered_us > *calm_since_us_) at_us_ = completed_us + phase_us;
  return at_us_;
}

void add_catch_up(const StreamScenario& s, double detect_s, const Arm& arm, std::vector<Trial>& trials) {
  const slo::Column *lag = arm.column("lag_fetched"), *running = arm.column("running");
  if (lag == nullptr) return;
  double usual = 0;
  for (std::size_t i = 0; i < arm.t_s.size() && arm.t_s[i] * 1e6 <= static_cast<double>(s.phases[0].length_us); ++i) usual = std::max(usual, lag->values[i]);
  for (Trial& t : trials)
    for (std::size_t i = 0; i < arm.t_s.size(); ++i) {
      if (arm.t_s[i] <= t.t_s + detect_s || running->values[i] == 0 || !(lag->values[i] <= usual)) continue;
      t.values["back_after"] = arm.t_s[i] - t.t_s;
      break;
    }
}

void count_truth(const StreamTruth& truth, TimeUs end_us, Arm& arm) {
  auto& c = arm.counts;
  const auto n = [](std::uint64_t v) { return static_cast<double>(v); };
  for (const auto& r : truth.results()) {
    if (r.windows) count_windows(*r.windows, end_us, arm);
    if (!r.ids) continue;
    c["ids"] += n(r.ids->distinct());
    c["applied"] += n(r.ids->applied());
    c["lost"] += n(r.ids->lost());
    c["repeated"] += n(r.ids->repeated());
    c["lost_" + r.spec->topic] = n(r.ids->lost());
    c["repeated_" + r.spec->topic] = n(r.ids->repeated());
  }
}

void count_replay(const StreamTruth& truth, const std::map<std::string, std::multiset<std::string>>& again, Arm& arm) {
  for (const auto& r : truth.results()) {
    const auto rows = again.find(r.spec->topic);
    if (!r.oracle || rows == again.end()) continue;
    std::vector<std::string> both;
    std::ranges::set_intersection(r.rows, rows->second, std::back_inserter(both));
    const auto all = r.rows.size() + rows->second.size() - both.size();
    std::string end = "_" + r.spec->topic;
    std::ranges::replace(end, '-', '_');
    arm.counts["replay_equal" + end] = all == 0 ? kNaN : static_cast<double>(both.size()) / static_cast<double>(all);
    arm.counts["replay_rows" + end] = static_cast<double>(rows->second.size());
  }
}

}  // namespace supyo::scenario
