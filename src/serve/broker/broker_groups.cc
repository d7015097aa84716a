#include <fmt/format.h>

#include <algorithm>

#include "serve/broker/broker.h"

/// Consumer groups: the coordinator's requests. The state machine is group.h; offsets are the files of data/log/groups.h.
namespace supyo::broker {
namespace {

constexpr const char* kDead = "Dead";
constexpr const char* kClassic = "classic";

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y)); });
}

}  // namespace

Group* Broker::find_group(const std::string& id) {
  const auto it = groups_.find(id);
  return it == groups_.end() ? nullptr : it->second.get();
}

Group& Broker::group(const std::string& id) {
  auto& g = groups_[id];
  if (!g) {
    GroupAnswers& answers = *this;
    g = std::make_unique<Group>(
        id,
        GroupLimits{.session_timeout_min_ms = config_.group_session_ms_min, .session_timeout_max_ms = config_.group_session_ms_max, .initial_rebalance_delay_ms = config_.group_delay_ms, .size_max = config_.group_size_max},
        env_.random, answers);
  }
  return *g;
}

std::vector<Broker::LiveGroup> Broker::live_groups() const {
  std::vector<LiveGroup> live;
  for (const auto& [name, g] : groups_) live.push_back({name, group_state_name(g->state()), g->members().size(), g->generation()});
  return live;
}

void Broker::joined(const RequestContext& to, JoinGroupResponse response) { answer(to, response); }
void Broker::synced(const RequestContext& to, SyncGroupResponse response) { answer(to, response); }

FindCoordinatorResponse Broker::find_coordinator(const RequestContext& from, FindCoordinatorRequest& request) {
  FindCoordinatorResponse response;
  const auto coordinator = [&](const std::string& key) {
    FindCoordinatorResponse::Coordinator c{.key = key, .node = static_cast<std::int32_t>(config_.node_id), .host = endpoint_.host, .port = endpoint_.port, .message = std::nullopt};
    if (request.type != 0 && request.type != 1) c = {.key = key, .node = -1, .host = "", .port = -1, .code = Code::kInvalidRequest, .message = "only groups and transactional ids have coordinators here"};
    return c;
  };
  if (from.version <= 3) response.one = coordinator(request.key);
  for (const std::string& key : request.keys) response.coordinators.push_back(coordinator(key));
  return response;
}

void Broker::join_group(const RequestContext& from, JoinGroupRequest& request) {
  if (request.group.empty()) {
    JoinGroupResponse refused;
    refused.code = Code::kInvalidGroupId;
    return answer(from, refused);
  }
  Group& g = group(request.group);
  g.join(from, std::move(request), env_.clock.monotonic_us());
}

void Broker::sync_group(const RequestContext& from, SyncGroupRequest& request) {
  if (Group* g = find_group(request.group)) return g->sync(from, std::move(request), env_.clock.monotonic_us());
  SyncGroupResponse refused;
  refused.code = Code::kUnknownMemberId;
  answer(from, refused);
}

HeartbeatResponse Broker::heartbeat(const RequestContext&, HeartbeatRequest& request) {
  Group* g = find_group(request.group);
  return {.code = g == nullptr ? Code::kUnknownMemberId : g->heartbeat(request, env_.clock.monotonic_us())};
}

LeaveGroupResponse Broker::leave_group(const RequestContext& from, LeaveGroupRequest& request) {
  LeaveGroupResponse response;
  Group* g = find_group(request.group);
  const TimeUs now = env_.clock.monotonic_us();
  const auto leave = [&](const std::string& member, const std::optional<std::string>& instance) {
    return g == nullptr ? Code::kUnknownMemberId : g->leave(member, instance, now);
  };
  if (from.version <= 2) response.code = leave(request.member, std::nullopt);
  for (const LeaveGroupRequest::Member& m : request.members) response.members.push_back({m.id, m.instance, leave(m.id, m.instance)});
  return response;
}

void Broker::commit_offsets_of(const RequestContext& from, OffsetCommitRequest& request) {
  PendingCommit pending{.from = from, .group = request.group, .answer = {}};
  Code code = Code::kNone;
  Group* g = find_group(request.group);
  if (request.group.empty()) code = Code::kInvalidGroupId;
  else if (g != nullptr) code = g->may_commit(request.generation, request.member, request.instance, env_.clock.monotonic_us());
  else if (request.generation >= 0) code = Code::kUnknownMemberId;   // of a generation that a restart made us forget: it joins again
  const TimeUs now = env_.clock.now_us();
  for (auto& topic : request.topics) {
    auto& out = pending.answer.topics.emplace_back();
    out.name = topic.name;
    for (OffsetCommitPartition& p : topic.partitions) {
      Code own = code;
      if (own == Code::kNone && store_.find(topic.name, p.index) == nullptr) own = Code::kUnknownTopicOrPartition;
      if (own == Code::kNone && p.metadata && static_cast<std::int64_t>(p.metadata->size()) > config_.offset_metadata_bytes_max) own = Code::kOffsetMetadataTooLarge;
      if (own == Code::kNone) group_commits_[request.group][{topic.name, PartitionId(p.index)}] = {Offset(p.offset), p.leader_epoch, p.metadata.value_or(""), now};
      out.partitions.push_back({p.index, own});
    }
  }
  pending_commits_.push_back(std::move(pending));
}

OffsetFetchResponse::Group Broker::fetch_group_offsets(const OffsetFetchRequest::Group& in, bool stable) {
  OffsetFetchResponse::Group out;
  out.id = in.id;
  auto commits = log::read_group_commits(env_.files, store_.directory(), in.id);
  if (!commits) {
    out.code = commits.error().code == ErrorCode::kBadOptionValue ? Code::kInvalidGroupId : Code::kUnknownServerError;
    if (out.code == Code::kUnknownServerError) log(commits.error().to_string());
    return out;
  }
  if (const auto now = group_commits_.find(in.id); now != group_commits_.end())
    for (const auto& [key, commit] : now->second) (*commits)[key] = commit;
  const auto add = [&](TopicOf<OffsetFetchResponse::Partition>& topic, const log::GroupKey& key) {
    OffsetFetchResponse::Partition& p = topic.partitions.emplace_back();
    p.index = key.second.value;
    p.metadata = "";
    if (stable && transactions_->has_pending_offset(in.id, key)) {
      p.code = Code::kUnstableOffsetCommit;   // KIP-447: what it becomes is being decided
      return;
    }
    const auto c = commits->find(key);
    if (c == commits->end()) return;
    p.offset = c->second.offset.value;
    p.leader_epoch = c->second.leader_epoch;
    p.metadata = c->second.metadata;
  };
  if (in.topics) {
    for (const auto& topic : *in.topics) {
      auto& t = out.topics.emplace_back();
      t.name = topic.name;
      for (const std::int32_t p : topic.partitions) add(t, {topic.name, PartitionId(p)});
    }
    return out;
  }
  for (const auto& [key, commit] : *commits) {
    if (out.topics.empty() || out.topics.back().name != key.first) out.topics.emplace_back().name = key.first;
    add(out.topics.back(), key);
  }
  return out;
}

OffsetFetchResponse Broker::fetch_offsets(const RequestContext& from, OffsetFetchRequest& request) {
  OffsetFetchResponse response;
  if (from.version <= 7) response.one = fetch_group_offsets(request.one, request.require_stable);
  for (const OffsetFetchRequest::Group& g : request.groups) response.groups.push_back(fetch_group_offsets(g, request.require_stable));
  return response;
}

void Broker::delete_offsets(const RequestContext& from, OffsetDeleteRequest& request) {
  OffsetDeleteResponse response;
  const Group* g = find_group(request.group);
  auto commits = log::read_group_commits(env_.files, store_.directory(), request.group);
  if (!commits) response.code = commits.error().code == ErrorCode::kBadOptionValue ? Code::kInvalidGroupId : Code::kUnknownServerError;
  else if (commits->empty() && g == nullptr) response.code = Code::kGroupIdNotFound;
  // Which topics a consumer reads is in metadata that only clients understand: with members, none of its offsets goes.
  const bool in_use = g != nullptr && !g->members().empty();
  std::vector<log::GroupKey> forget;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& p : topic.partitions) {
      out.partitions.push_back({p.index, in_use ? Code::kGroupSubscribedToTopic : Code::kNone});
      forget.emplace_back(topic.name, PartitionId(p.index));
    }
  }
  if (response.code == Code::kNone && !in_use) {
    const Status done = log::change_group(env_.files, store_.directory(), request.group, {}, forget);
    if (!done) response.code = Code::kCoordinatorNotAvailable;
  }
  answer(from, response);
}

DescribeGroupsResponse Broker::describe_groups(const RequestContext&, DescribeGroupsRequest& request) {
  DescribeGroupsResponse response;
  for (const std::string& id : request.groups) {
    DescribeGroupsResponse::Group& out = response.groups.emplace_back();
    out.id = id;
    const Group* g = find_group(id);
    if (g == nullptr) {
      const auto commits = log::read_group_commits(env_.files, store_.directory(), id);
      out.state = commits && !commits->empty() ? group_state_name(GroupState::kEmpty) : kDead;
      continue;
    }
    out.state = group_state_name(g->state());
    out.protocol_type = g->protocol_type();
    const bool stable = g->state() == GroupState::kStable;
    if (stable) out.protocol = g->protocol();
    for (const auto& [member, m] : g->members())
      out.members.push_back({member, m.instance, m.client_id, "/" + m.client_host, stable ? g->metadata_of(m) : "", stable ? m.assignment : ""});
  }
  return response;
}

ListGroupsResponse Broker::list_groups(const RequestContext&, ListGroupsRequest& request) {
  ListGroupsResponse response;
  const auto wanted = [](const std::vector<std::string>& filter, std::string_view word) {
    return filter.empty() || std::ranges::any_of(filter, [&](const std::string& f) { return same_word(f, word); });
  };
  const auto add = [&](const std::string& id, const std::string& protocol_type, const char* state) {
    if (wanted(request.states, state) && wanted(request.types, kClassic)) response.groups.push_back({id, protocol_type, state, kClassic});
  };
  for (const auto& [id, g] : groups_) add(id, g->protocol_type(), group_state_name(g->state()));
  const auto names = log::list_groups(env_.files, store_.directory());
  if (!names) response.code = Code::kUnknownServerError;
  else
    for (const std::string& id : *names)
      if (!groups_.contains(id)) add(id, "consumer", group_state_name(GroupState::kEmpty));
  return response;
}

DeleteGroupsResponse Broker::delete_groups(const RequestContext&, DeleteGroupsRequest& request) {
  DeleteGroupsResponse response;
  for (const std::string& id : request.groups) {
    DeleteGroupsResponse::Group& out = response.groups.emplace_back();
    out.id = id;
    const Group* g = find_group(id);
    const auto commits = log::read_group_commits(env_.files, store_.directory(), id);
    if (g != nullptr && (!g->members().empty() || g->has_pending_members())) out.code = Code::kNonEmptyGroup;
    else if (g == nullptr && (!commits || commits->empty())) out.code = Code::kGroupIdNotFound;
    else if (const Status done = log::delete_group(env_.files, store_.directory(), id); !done) out.code = Code::kCoordinatorNotAvailable;
    else groups_.erase(id);
    if (out.code == Code::kNone) group_commits_.erase(id);
  }
  return response;
}

}  // namespace supyo::broker
