#include "serve/watch/look.h"

#include <algorithm>

#include "data/log/inspect.h"

namespace supyo::watch {
namespace {

const PartitionView* find(const View& view, const std::string& topic, std::int32_t partition) {
  const auto t = std::ranges::find(view.topics, topic, &TopicView::name);
  if (t == view.topics.end()) return nullptr;
  const auto p = std::ranges::find(t->partitions, partition, &PartitionView::id);
  return p == t->partitions.end() ? nullptr : &*p;
}

void add_offset(const View& view, GroupView& group, const std::string& topic, std::int32_t partition, std::int64_t offset) {
  if (const PartitionView* p = find(view, topic, partition))
    group.partitions.push_back({.topic = topic, .partition = partition, .committed = offset, .log_start = p->log_start, .end = p->end});
}

Status add_topic(connect::KafkaAdmin& admin, const std::string& name, bool must_be_there, View& view) {
  const auto ends = admin.ends(name);
  if (!ends && ends.error().code == ErrorCode::kUnknownTable && !must_be_there) return ok();
  if (!ends) return fail(ends.error());
  TopicView topic{.name = name};
  for (std::size_t i = 0; i < ends->size(); ++i) topic.partitions.push_back({.id = static_cast<std::int32_t>(i), .log_start = (*ends)[i].start, .end = (*ends)[i].end});
  view.topics.push_back(std::move(topic));
  return ok();
}

/// Groups that are asked for by name and not there have no offsets: they are listed without.
Result<std::vector<GroupView>> groups_of(connect::KafkaAdmin& admin, const Filter& filter) {
  std::vector<GroupView> groups;
  SUPYO_ASSIGN(const auto listed, admin.groups());
  for (const connect::KafkaAdmin::Group& g : listed)
    if (filter.groups.empty() || std::ranges::find(filter.groups, g.name) != filter.groups.end()) groups.push_back({.name = g.name, .state = g.state, .members = g.members});
  for (const std::string& name : filter.groups)
    if (std::ranges::find(groups, name, &GroupView::name) == groups.end()) groups.push_back({.name = name});
  std::ranges::sort(groups, {}, &GroupView::name);
  return groups;
}

}  // namespace

Result<View> look_at_cluster(connect::KafkaAdmin& admin, const Filter& filter) {
  View view{.source = {}, .reachable = true};
  if (!filter.topic.empty()) {
    SUPYO_TRY(add_topic(admin, filter.topic, true, view));
  } else {
    SUPYO_ASSIGN(const auto cluster, admin.describe());
    for (const auto& topic : cluster.topics)
      if (!topic.name.starts_with("__")) SUPYO_TRY(add_topic(admin, topic.name, false, view));
  }
  SUPYO_ASSIGN(view.groups, groups_of(admin, filter));
  for (GroupView& group : view.groups) {
    SUPYO_ASSIGN(const auto offsets, admin.committed(group.name));
    for (const auto& [where, offset] : offsets) add_offset(view, group, where.first, where.second, offset);
  }
  return view;
}

Result<View> look_at_log(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const log::LogSummary summary, log::summarize(files, directory));
  View view{.source = directory, .embedded = true, .reachable = true};
  for (const log::TopicSummary& t : summary.topics) {
    TopicView topic{.name = t.topic.name};
    for (const log::PartitionSummary& p : t.partitions)
      topic.partitions.push_back({.id = p.partition.value, .log_start = p.mark.log_start.value, .end = p.mark.durable_end.value, .bytes = static_cast<std::int64_t>(p.bytes)});
    view.topics.push_back(std::move(topic));
  }
  for (const log::GroupSummary& g : summary.groups) {
    GroupView group{.name = g.group};
    for (const auto& [key, offset] : g.offsets) add_offset(view, group, key.first, key.second.value, offset.value);
    view.groups.push_back(std::move(group));
  }
  return view;
}

}  // namespace supyo::watch
