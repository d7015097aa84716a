#include "serve/watch/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "serve/watch/json_text.h"

namespace supyo::watch {
namespace {

double number(std::int64_t n) { return static_cast<double>(n); }

void add_topics(obs::Registry& r, const View& view) {
  for (const TopicView& topic : view.topics)
    for (const PartitionView& p : topic.partitions) {
      const obs::Labels labels{{"topic", topic.name}, {"partition", std::to_string(p.id)}};
      r.gauge("supyo_topic_partition_current_offset", "High watermark: the offset that the next record gets, as consumers see it.", labels).set(number(p.end));
      r.gauge("supyo_topic_partition_oldest_offset", "Log start: the first offset that can still be read.", labels).set(number(p.log_start));
      if (p.bytes >= 0) r.gauge("supyo_topic_partition_size_bytes", "Size of the partition's segment files.", labels).set(number(p.bytes));
    }
}

void add_groups(obs::Registry& r, const View& view) {
  for (const GroupView& group : view.groups) {
    const obs::Labels own{{"consumergroup", group.name}};
    if (group.members >= 0) r.gauge("supyo_consumergroup_members", "Members of the group.", own).set(group.members);
    if (group.generation >= 0) r.gauge("supyo_consumergroup_generation", "Generation: grows by one with each rebalance.", own).set(number(group.generation));
    if (!group.state.empty()) r.gauge("supyo_consumergroup_state", "1 for the state that the group is in.", {{"consumergroup", group.name}, {"state", group.state}}).set(1);
    for (const GroupPartitionView& p : group.partitions) {
      const obs::Labels labels{{"consumergroup", group.name}, {"topic", p.topic}, {"partition", std::to_string(p.partition)}};
      r.gauge("supyo_consumergroup_current_offset", "Committed: the next offset that the group reads.", labels).set(number(p.committed));
      r.gauge("supyo_consumergroup_lag", "High watermark less committed. Falls when records are lost: look at the headroom.", labels).set(number(p.lag()));
      r.gauge("supyo_consumergroup_headroom", "Committed less log start; below zero: offsets that were deleted and not committed.", labels).set(number(p.headroom()));
      r.gauge("supyo_consumergroup_deleted_unread", "Offsets that were deleted and not committed; lag counts them still.", labels).set(number(p.gone()));
      r.counter("supyo_consumergroup_lost_total", "Offsets that the group jumped over because they were deleted, by its commits.", labels).add(p.lost);
      if (p.loss_in_s) r.gauge("supyo_consumergroup_loss_forecast_seconds", "The log start reaches the group in so long, at the rates of the last seconds.", labels).set(*p.loss_in_s);
    }
  }
}

/// A group in one topic, over its partitions.
struct Sum {
  std::string topic;
  std::int64_t lag = 0, gone = 0, committed = 0;
  std::optional<std::int64_t> headroom = {};   ///< the smallest
  std::uint64_t lost = 0;
  double rate = 0;
  std::optional<double> loss_in_s = {};        ///< the soonest
};

std::vector<Sum> sums_of(const GroupView& group) {
  std::vector<Sum> sums;
  for (const GroupPartitionView& p : group.partitions) {
    auto at = std::ranges::find(sums, p.topic, &Sum::topic);
    if (at == sums.end()) at = sums.insert(sums.end(), Sum{.topic = p.topic});
    at->lag += p.lag();
    at->gone += p.gone();
    at->committed += p.committed;
    at->lost += p.lost;
    at->rate += p.rate;
    at->headroom = at->headroom ? std::min(*at->headroom, p.headroom()) : p.headroom();
    if (p.loss_in_s) at->loss_in_s = at->loss_in_s ? std::min(*at->loss_in_s, *p.loss_in_s) : *p.loss_in_s;
  }
  return sums;
}

std::string topic_json(const TopicView& topic) {
  std::int64_t kept = 0, bytes = 0, start = 0, end = 0;
  double rate = 0;
  bool told = true;
  for (const PartitionView& p : topic.partitions) {
    start += p.log_start;
    end += p.end;
    kept += p.end - p.log_start;
    rate += p.rate;
    told = told && p.bytes >= 0;
    bytes += p.bytes;
  }
  return fmt::format("{{\"name\":{},\"partitions\":{},\"rate\":{},\"log_start\":{},\"end\":{},\"kept\":{},\"bytes\":{}}}", json_text(topic.name), topic.partitions.size(), json_number(rate), start, end, kept,
                     told && !topic.partitions.empty() ? std::to_string(bytes) : "null");
}

}  // namespace

void add_metrics(obs::Registry& r, const View& view) {
  r.gauge("supyo_watch_up", "1 when the brokers (or the log) answered the last look.").set(view.reachable ? 1 : 0);
  r.gauge("supyo_watch_duration_seconds", "How long the last look took.").set(static_cast<double>(view.took_us) / kSecond);
  if (!view.reachable) return;   // figures of before would be taken for those of now
  add_topics(r, view);
  add_groups(r, view);
}

std::string metrics_text(const View& view) {
  obs::Registry registry;
  add_metrics(registry, view);
  return registry.prometheus_text();
}

std::string flows_json(const View& view) {
  std::string topics, groups;
  for (const TopicView& topic : view.topics) topics += (topics.empty() ? "" : ",") + topic_json(topic);
  for (const GroupView& group : view.groups)
    for (const Sum& s : sums_of(group))
      groups += fmt::format("{}{{\"name\":{},\"topic\":{},\"state\":{},\"members\":{},\"generation\":{},\"rate\":{},\"lag\":{},\"headroom\":{},\"gone\":{},\"lost\":{},\"loss_in_s\":{}}}", groups.empty() ? "" : ",",
                            json_text(group.name), json_text(s.topic), json_text(group.state), group.members, group.generation, json_number(s.rate), s.lag, s.headroom.value_or(0), s.gone, s.lost,
                            json_number(s.loss_in_s));
  return fmt::format("{{\"source\":{},\"embedded\":{},\"reachable\":{},\"problem\":{},\"at_s\":{:.3f},\"took_ms\":{:.1f},\"topics\":[{}],\"groups\":[{}]}}", json_text(view.source), view.embedded, view.reachable,
                     json_text(view.problem), static_cast<double>(view.at_us) / kSecond, static_cast<double>(view.took_us) / kMillisecond, topics, groups);
}

}  // namespace supyo::watch
