#include "serve/broker/group.h"

#include <algorithm>

namespace supyo::broker {

const char* group_state_name(GroupState state) {
  switch (state) {
    case GroupState::kEmpty: return "Empty";
    case GroupState::kPreparingRebalance: return "PreparingRebalance";
    case GroupState::kCompletingRebalance: return "CompletingRebalance";
    case GroupState::kStable: return "Stable";
  }
  return "Unknown";
}

std::string Group::new_member_id(const std::string& prefix) { return prefix + "-" + env::new_uuid(random_); }

std::string Group::metadata_of(const Member& member) const {
  for (const auto& p : member.protocols)
    if (p.name == protocol_) return p.metadata;
  return {};
}

bool Group::supports(const std::vector<JoinGroupRequest::Protocol>& protocols) const {
  return std::ranges::any_of(protocols, [this](const auto& p) {
    return std::ranges::all_of(members_, [&p](const auto& m) { return std::ranges::any_of(m.second.protocols, [&p](const auto& q) { return q.name == p.name; }); });
  });
}

Code Group::check_join(const JoinGroupRequest& request) const {
  if (id_.empty()) return Code::kInvalidGroupId;
  if (request.session_timeout_ms < limits_.session_timeout_min_ms || request.session_timeout_ms > limits_.session_timeout_max_ms) return Code::kInvalidSessionTimeout;
  if (request.protocols.empty() || request.protocol_type.empty()) return Code::kInconsistentGroupProtocol;
  const bool known = members_.contains(request.member);
  if (!known && static_cast<std::int64_t>(members_.size() + pending_.size()) >= limits_.size_max && !pending_.contains(request.member)) return Code::kGroupMaxSizeReached;
  const bool alone = members_.empty() || (known && members_.size() == 1);
  if (!alone && (request.protocol_type != protocol_type_ || !supports(request.protocols))) return Code::kInconsistentGroupProtocol;
  return Code::kNone;
}

void Group::join(const RequestContext& from, JoinGroupRequest request, TimeUs now) {
  if (const Code code = check_join(request); code != Code::kNone) return refuse_join(from, code, request.member);
  if (request.member.empty()) return join_new(from, request, now);
  if (request.instance) {
    const auto owner = instances_.find(*request.instance);
    if (owner == instances_.end()) return refuse_join(from, Code::kUnknownMemberId, request.member);
    if (owner->second != request.member) return refuse_join(from, Code::kFencedInstanceId, request.member);
  }
  if (pending_.erase(request.member) > 0) return add_member(from, request, request.member, now);
  if (!members_.contains(request.member)) return refuse_join(from, Code::kUnknownMemberId, request.member);
  join_known(from, request, now);
}

void Group::join_new(const RequestContext& from, JoinGroupRequest& request, TimeUs now) {
  if (request.instance) {
    if (const auto owner = instances_.find(*request.instance); owner != instances_.end()) return join_static(from, request, owner->second, now);
    return add_member(from, request, new_member_id(*request.instance), now);
  }
  std::string id = new_member_id(from.client_id);
  if (from.version < 4) return add_member(from, request, std::move(id), now);
  // KIP-394: a client that never comes back with its id leaves no member behind.
  pending_[id] = now + request.session_timeout_ms * kMillisecond;
  refuse_join(from, Code::kMemberIdRequired, id);
}

/// KIP-345: the instance is back under a new id; whoever used the old one is fenced.
void Group::join_static(const RequestContext& from, JoinGroupRequest& request, const std::string& old_id, TimeUs now) {
  auto node = members_.extract(old_id);
  const std::string old_leader = leader_;
  const std::string replaced = old_id;
  std::string id = new_member_id(*request.instance);
  Member& old = node.mapped();
  if (old.join) refuse_join(*old.join, Code::kFencedInstanceId, replaced);
  if (old.sync) refuse_sync(*old.sync, Code::kFencedInstanceId);
  old.join.reset();
  old.sync.reset();
  old.id = id;
  old.client_id = from.client_id;
  old.client_host = from.client_host;
  node.key() = id;
  instances_[*request.instance] = id;
  if (leader_ == replaced) leader_ = id;
  Member& member = members_.insert(std::move(node)).position->second;
  const std::string before = metadata_of(member);
  const auto same = [&] {
    return std::ranges::any_of(request.protocols, [&](const auto& p) { return p.name == protocol_ && p.metadata == before; });
  };
  if (state_ != GroupState::kStable || !same()) return update_and_rebalance(member, from, request, now);
  member.protocols = std::move(request.protocols);
  member.session_timeout_us = request.session_timeout_ms * kMillisecond;
  member.rebalance_timeout_us = request.rebalance_timeout_ms * kMillisecond;
  touch(member, now);
  JoinGroupResponse answer = join_answer(member);
  // The leader came back: its assignment stands. New clients are told so (KIP-814), older ones are told of a leader that they are not.
  if (member.id == leader_) {
    if (from.version >= 9) answer.skip_assignment = true;
    else answer.leader = old_leader;
  }
  answers_.joined(from, std::move(answer));
}

void Group::join_known(const RequestContext& from, JoinGroupRequest& request, TimeUs now) {
  Member& member = members_.at(request.member);
  const auto same = [&] {
    return std::ranges::equal(member.protocols, request.protocols, [](const auto& a, const auto& b) { return a.name == b.name && a.metadata == b.metadata; });
  };
  switch (state_) {
    case GroupState::kPreparingRebalance:
      return update_and_rebalance(member, from, request, now);
    case GroupState::kCompletingRebalance:   // the answer was lost, or the member wants something else
      if (!same()) return update_and_rebalance(member, from, request, now);
      break;
    case GroupState::kStable:
      if (member.id == leader_ || !same()) return update_and_rebalance(member, from, request, now);
      break;
    case GroupState::kEmpty:
      return refuse_join(from, Code::kUnknownMemberId, request.member);
  }
  touch(member, now);
  answers_.joined(from, join_answer(member));
}

void Group::add_member(const RequestContext& from, JoinGroupRequest& request, std::string id, TimeUs now) {
  Member& member = members_[id];
  member.id = std::move(id);
  member.instance = request.instance;
  member.client_id = from.client_id;
  member.client_host = from.client_host;
  if (request.instance) instances_[*request.instance] = member.id;
  if (leader_.empty()) leader_ = member.id;
  if (members_.size() == 1) protocol_type_ = request.protocol_type;
  grew_ = true;
  update_and_rebalance(member, from, request, now);
}

void Group::update_and_rebalance(Member& member, const RequestContext& from, JoinGroupRequest& request, TimeUs now) {
  member.protocols = std::move(request.protocols);
  member.session_timeout_us = request.session_timeout_ms * kMillisecond;
  member.rebalance_timeout_us = (request.rebalance_timeout_ms < 0 ? request.session_timeout_ms : request.rebalance_timeout_ms) * kMillisecond;
  if (member.join && (member.join->connection != from.connection || member.join->sequence != from.sequence))
    refuse_join(*member.join, Code::kRebalanceInProgress, member.id);   // asked twice: the later one counts
  member.join = from;
  touch(member, now);
  if (state_ != GroupState::kPreparingRebalance) prepare_rebalance(now);
  complete_if_all_joined(now);
}

void Group::refuse_join(const RequestContext& to, Code code, const std::string& member) {
  JoinGroupResponse answer;
  answer.code = code;
  answer.member = member;
  answers_.joined(to, std::move(answer));
}

void Group::refuse_sync(const RequestContext& to, Code code) {
  SyncGroupResponse answer;
  answer.code = code;
  answers_.synced(to, std::move(answer));
}

JoinGroupResponse Group::join_answer(const Member& member) const {
  JoinGroupResponse answer;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol_name = protocol_;
  answer.leader = leader_;
  answer.member = member.id;
  if (member.id == leader_)
    for (const auto& [id, m] : members_) answer.members.push_back({id, m.instance, metadata_of(m)});
  return answer;
}

void Group::prepare_rebalance(TimeUs now) {
  for (auto& [id, m] : members_) {
    if (m.sync) refuse_sync(*m.sync, Code::kRebalanceInProgress);
    m.sync.reset();
  }
  sync_deadline_ = kTimeMax;
  DurationUs longest = 0;
  for (const auto& [id, m] : members_) longest = std::max(longest, m.rebalance_timeout_us);
  initial_ = state_ == GroupState::kEmpty && limits_.initial_rebalance_delay_ms > 0;
  initial_limit_ = now + longest;
  join_deadline_ = initial_ ? std::min(initial_limit_, now + limits_.initial_rebalance_delay_ms * kMillisecond) : now + longest;
  grew_ = false;
  state_ = GroupState::kPreparingRebalance;
}

void Group::complete_if_all_joined(TimeUs now) {
  if (state_ != GroupState::kPreparingRebalance || initial_ || !pending_.empty()) return;
  if (std::ranges::all_of(members_, [](const auto& m) { return m.second.join.has_value(); })) complete_join(now);
}

std::string Group::vote() const {
  std::map<std::string, int> votes;
  for (const auto& [id, m] : members_)
    for (const auto& p : m.protocols) {
      const bool everybody = std::ranges::all_of(members_, [&](const auto& other) { return std::ranges::any_of(other.second.protocols, [&](const auto& q) { return q.name == p.name; }); });
      if (!everybody) continue;
      ++votes[p.name];   // each member's first choice among those that all can
      break;
    }
  const auto best = std::ranges::max_element(votes, {}, [](const auto& v) { return v.second; });
  return best == votes.end() ? std::string() : best->first;
}

void Group::complete_join(TimeUs now) {
  // Dynamic members that did not come are out; static ones stay until their session ends.
  for (auto it = members_.begin(); it != members_.end();) {
    if (it->second.join || it->second.instance) {
      ++it;
    } else {
      it = members_.erase(it);
    }
  }
  join_deadline_ = kTimeMax;
  initial_ = false;
  ++generation_;
  if (members_.empty()) {
    state_ = GroupState::kEmpty;
    leader_.clear();
    protocol_.clear();
    return;
  }
  const auto leader = members_.find(leader_);
  if (leader == members_.end() || !leader->second.join) {
    const auto present = std::ranges::find_if(members_, [](const auto& m) { return m.second.join.has_value(); });
    if (present == members_.end()) {   // only static members, none of them here: wait for one of them, or for their sessions to end
      --generation_;
      DurationUs longest = 0;
      for (const auto& [id, m] : members_) longest = std::max(longest, m.rebalance_timeout_us);
      join_deadline_ = now + std::max<DurationUs>(longest, kMillisecond);
      return;
    }
    leader_ = present->first;
  }
  protocol_ = vote();
  state_ = GroupState::kCompletingRebalance;
  DurationUs longest = 0;
  for (auto& [id, m] : members_) {
    m.synced = false;
    m.assignment.clear();
    longest = std::max(longest, m.rebalance_timeout_us);
  }
  sync_deadline_ = now + longest;
  for (auto& [id, m] : members_) {
    if (!m.join) continue;
    const RequestContext to = *m.join;
    m.join.reset();
    touch(m, now);
    answers_.joined(to, join_answer(m));
  }
}

Code Group::check_member(const std::string& member, const std::optional<std::string>& instance, std::int32_t generation) const {
  if (instance) {
    const auto owner = instances_.find(*instance);
    if (owner == instances_.end()) return Code::kUnknownMemberId;
    if (owner->second != member) return Code::kFencedInstanceId;
  }
  if (!members_.contains(member)) return Code::kUnknownMemberId;
  return generation == generation_ ? Code::kNone : Code::kIllegalGeneration;
}

void Group::sync(const RequestContext& from, SyncGroupRequest request, TimeUs now) {
  if (const Code code = check_member(request.member, request.instance, request.generation); code != Code::kNone) return refuse_sync(from, code);
  if ((request.protocol_type && *request.protocol_type != protocol_type_) || (request.protocol_name && *request.protocol_name != protocol_))
    return refuse_sync(from, Code::kInconsistentGroupProtocol);
  Member& member = members_.at(request.member);
  switch (state_) {
    case GroupState::kEmpty: return refuse_sync(from, Code::kUnknownMemberId);
    case GroupState::kPreparingRebalance: return refuse_sync(from, Code::kRebalanceInProgress);
    case GroupState::kStable:
      member.sync = from;
      return answer_sync(member);
    case GroupState::kCompletingRebalance: break;
  }
  if (member.sync) refuse_sync(*member.sync, Code::kRebalanceInProgress);
  member.sync = from;
  member.synced = true;
  touch(member, now);
  if (member.id != leader_) return;
  for (auto& [id, m] : members_) m.assignment.clear();
  for (auto& a : request.assignments)
    if (const auto m = members_.find(a.member); m != members_.end()) m->second.assignment = std::move(a.assignment);
  state_ = GroupState::kStable;
  for (auto& [id, m] : members_) {
    if (!m.sync) continue;
    touch(m, now);
    answer_sync(m);
  }
}

void Group::answer_sync(Member& member) {
  const RequestContext to = *member.sync;
  member.sync.reset();
  member.synced = true;
  SyncGroupResponse answer;
  answer.protocol_type = protocol_type_;
  answer.protocol_name = protocol_;
  answer.assignment = member.assignment;
  answers_.synced(to, std::move(answer));
}

Code Group::heartbeat(const HeartbeatRequest& request, TimeUs now) {
  if (const Code code = check_member(request.member, request.instance, request.generation); code != Code::kNone) return code;
  touch(members_.at(request.member), now);
  return state_ == GroupState::kPreparingRebalance ? Code::kRebalanceInProgress : Code::kNone;
}

Code Group::leave(const std::string& member, const std::optional<std::string>& instance, TimeUs now) {
  std::string id = member;
  if (instance) {
    const auto owner = instances_.find(*instance);
    if (owner == instances_.end()) return Code::kUnknownMemberId;
    if (!member.empty() && owner->second != member) return Code::kFencedInstanceId;
    id = owner->second;
  }
  if (pending_.erase(id) > 0) {
    complete_if_all_joined(now);
    return Code::kNone;
  }
  if (!members_.contains(id)) return Code::kUnknownMemberId;
  remove(id, now);
  return Code::kNone;
}

Code Group::may_commit(std::int32_t generation, const std::string& member, const std::optional<std::string>& instance, TimeUs now) {
  if (generation < 0 && member.empty() && !instance) return members_.empty() ? Code::kNone : Code::kUnknownMemberId;
  if (const Code code = check_member(member, instance, generation); code != Code::kNone) return code;
  touch(members_.at(member), now);
  return state_ == GroupState::kCompletingRebalance ? Code::kRebalanceInProgress : Code::kNone;
}

void Group::remove(const std::string& gone, TimeUs now) {
  const std::string id = gone;   // the caller's may be the member's own
  const auto it = members_.find(id);
  Member& member = it->second;
  if (member.join) refuse_join(*member.join, Code::kUnknownMemberId, id);
  if (member.sync) refuse_sync(*member.sync, Code::kUnknownMemberId);
  if (member.instance) instances_.erase(*member.instance);
  members_.erase(it);
  if (leader_ == id) leader_.clear();   // the next barrier elects another
  switch (state_) {
    case GroupState::kStable:
    case GroupState::kCompletingRebalance:
      prepare_rebalance(now);
      complete_if_all_joined(now);
      break;
    case GroupState::kPreparingRebalance:
      complete_if_all_joined(now);
      break;
    case GroupState::kEmpty: break;
  }
}

void Group::tick(TimeUs now) {
  if (std::erase_if(pending_, [now](const auto& p) { return p.second <= now; }) > 0) complete_if_all_joined(now);
  std::vector<std::string> gone;
  for (const auto& [id, m] : members_)
    if (!m.join && !m.sync && m.session_ends_us <= now) gone.push_back(id);   // whoever waits for our answer is not expected to say anything
  for (const std::string& id : gone)
    if (members_.contains(id)) remove(id, now);
  if (state_ == GroupState::kPreparingRebalance && join_deadline_ <= now) {
    const bool wait_on = initial_ && grew_ && join_deadline_ < initial_limit_;
    if (wait_on) {
      grew_ = false;
      join_deadline_ = std::min(initial_limit_, now + limits_.initial_rebalance_delay_ms * kMillisecond);
    } else {
      complete_join(now);
    }
  }
  if ((state_ == GroupState::kCompletingRebalance || state_ == GroupState::kStable) && sync_deadline_ <= now) {
    // Who took the generation and never asked for its part is out (KAFKA-12984).
    sync_deadline_ = kTimeMax;
    std::vector<std::string> silent;
    for (const auto& [id, m] : members_)
      if (!m.synced) silent.push_back(id);
    for (const std::string& id : silent)
      if (members_.contains(id)) remove(id, now);
  }
}

TimeUs Group::next_deadline() const {
  TimeUs next = std::min(join_deadline_, sync_deadline_);
  for (const auto& [id, expires] : pending_) next = std::min(next, expires);
  for (const auto& [id, m] : members_)
    if (!m.join && !m.sync) next = std::min(next, m.session_ends_us);
  return next;
}

}  // namespace supyo::broker
