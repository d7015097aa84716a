#include "serve/watch/view.h"

#include <algorithm>
#include <cmath>

namespace supyo::watch {
namespace {

constexpr DurationUs kRateWindow = 10 * kSecond;     // rates that people read
constexpr DurationUs kForecastLeast = 5 * kSecond;   // the log start moves in steps of a segment: less says nothing
constexpr double kSmoothing = 0.3;
constexpr double kForecastMost = 86'400 * 7;

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }

double rate_of(std::int64_t from, std::int64_t to, DurationUs time) { return time > 0 ? static_cast<double>(to - from) / seconds(time) : 0; }

}  // namespace

void Tracker::count_loss(History& h, const Sample& before, const Sample& after) {
  const std::int64_t progress = after.moved - before.moved;
  const DurationUs time = after.at - h.changed_at;
  const auto handled = static_cast<std::int64_t>(std::llround(h.usual_rate * seconds(time)));
  // What it reads below the log start may have been in its queue before it was deleted: only what goes beyond its usual pace was jumped over. A group whose pace is
  // not known yet must at least have come back above the log start.
  const bool jumped = before.moved < before.log_start && (h.usual_rate > 0 ? progress > 2 * handled : after.moved >= before.log_start);
  if (!jumped) {
    const double rate = rate_of(before.moved, after.moved, time);
    if (time > 0) h.usual_rate += (h.usual_rate > 0 ? kSmoothing : 1) * (rate - h.usual_rate);
    return;
  }
  const std::int64_t most = std::min(after.log_start, after.moved) - before.moved;
  h.lost += static_cast<std::uint64_t>(std::clamp<std::int64_t>(progress - handled, 0, std::max<std::int64_t>(most, 0)));
}

Tracker::History& Tracker::note(const Key& key, Sample sample) {
  History& h = histories_[key];
  h.seen = true;
  if (h.samples.empty()) h.changed_at = sample.at;
  // A log that ends earlier or begins earlier than it did is another log of that name.
  if (!h.samples.empty() && sample.log_start < h.samples.back().log_start) h = {.changed_at = sample.at, .lost = h.lost, .seen = true};
  if (!h.samples.empty() && sample.moved != h.samples.back().moved) {
    const bool is_group = !std::get<0>(key).empty();
    if (is_group && sample.moved > h.samples.back().moved) count_loss(h, h.samples.back(), sample);
    if (sample.moved < h.samples.back().moved) h.samples.clear();   // somebody set it back: no rate goes across that
    h.changed_at = sample.at;
  }
  h.samples.push_back(sample);
  while (h.samples.size() > 2 && sample.at - h.samples[1].at >= kRateWindow) h.samples.pop_front();
  return h;
}

void Tracker::observe(View& view, TimeUs now) {
  if (!view.reachable) return;
  for (auto& [key, h] : histories_) h.seen = false;
  for (TopicView& topic : view.topics)
    for (PartitionView& p : topic.partitions) {
      const History& h = note({"", topic.name, p.id}, {now, p.end, p.log_start});
      p.rate = rate_of(h.samples.front().moved, p.end, now - h.samples.front().at);
    }
  for (GroupView& group : view.groups)
    for (GroupPartitionView& p : group.partitions) {
      const History& h = note({group.name, p.topic, p.partition}, {now, p.committed, p.log_start});
      const Sample& first = h.samples.front();
      p.lost = h.lost;
      p.rate = rate_of(first.moved, p.committed, now - first.at);
      const double closing = rate_of(first.log_start, p.log_start, now - first.at) - p.rate;
      if (now - first.at >= kForecastLeast && closing > 0 && p.headroom() >= 0) {
        const double in_s = static_cast<double>(p.headroom()) / closing;
        if (in_s < kForecastMost) p.loss_in_s = in_s;
      }
    }
  std::erase_if(histories_, [](const auto& entry) { return !entry.second.seen; });
}

}  // namespace supyo::watch
