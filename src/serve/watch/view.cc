#include "serve/watch/view.h"

namespace supyo::watch {
namespace {

constexpr DurationUs kRateWindow = 10 * kSecond;     // rates that people read
constexpr DurationUs kForecastLeast = 5 * kSecond;   // the log start moves in steps of a segment: less says nothing
constexpr double kForecastMost = 86'400 * 7;

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }

double rate_of(std::int64_t from, std::int64_t to, DurationUs time) { return time > 0 ? static_cast<double>(to - from) / seconds(time) : 0; }

}  // namespace

Tracker::History& Tracker::note(const Key& key, Sample sample) {
  History& h = histories_[key];
  h.seen = true;
  // A log that ends earlier or begins earlier than it did is another log of that name; somebody who set the group back: no rate goes across that.
  if (!h.samples.empty() && (sample.log_start < h.samples.back().log_start || sample.moved < h.samples.back().moved)) h.samples.clear();
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
      History& h = note({group.name, p.topic, p.partition}, {now, p.committed, p.log_start});
      h.ledger.observe({.at = now, .log_start = p.log_start, .end = p.end, .committed = p.committed});
      const Sample& first = h.samples.front();
      p.lost = static_cast<std::uint64_t>(h.ledger.count().lost);
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
