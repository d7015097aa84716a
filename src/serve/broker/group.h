#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/strong.h"
#include "core/env/env.h"
#include "serve/broker/messages_group.h"
#include "serve/broker/request.h"

namespace supyo::broker {

struct GroupLimits {
  std::int64_t session_timeout_min_ms = 6'000;
  std::int64_t session_timeout_max_ms = 1'800'000;
  std::int64_t initial_rebalance_delay_ms = 3'000;
  std::int64_t size_max = INT32_MAX;
};

enum class GroupState : std::uint8_t {
  kEmpty,                  ///< no members; it may have offsets
  kPreparingRebalance,     ///< members are asked to join again
  kCompletingRebalance,    ///< a generation is made, its leader computes the assignment
  kStable,
};
/// As Kafka's tools print it.
const char* group_state_name(GroupState state);

/// Where answers that had to wait go.
class GroupAnswers {
 public:
  virtual ~GroupAnswers() = default;
  virtual void joined(const RequestContext& to, JoinGroupResponse response) = 0;
  virtual void synced(const RequestContext& to, SyncGroupResponse response) = 0;
};

/// One consumer group under Kafka's classic protocol (KIP-62, 134, 345, 394): members, generations, the join and the sync barrier. Plain memory, no clock:
/// the time is given. A broker that restarts has forgotten its members: they hear UNKNOWN_MEMBER_ID and join again.
class Group {
 public:
  struct Member {
    std::string id;
    std::optional<std::string> instance;
    std::string client_id, client_host;
    DurationUs session_timeout_us = 0, rebalance_timeout_us = 0;
    std::vector<JoinGroupRequest::Protocol> protocols;
    std::string assignment;
    std::optional<RequestContext> join;   ///< waits at the join barrier
    std::optional<RequestContext> sync;   ///< waits for the leader's assignment
    bool synced = false;                  ///< in this generation
    TimeUs session_ends_us = 0;
  };

  Group(std::string id, const GroupLimits& limits, env::Random& random, GroupAnswers& answers)
      : id_(std::move(id)), limits_(limits), random_(random), answers_(answers) {}

  /// The answer comes through GroupAnswers, now or later.
  void join(const RequestContext& from, JoinGroupRequest request, TimeUs now);
  void sync(const RequestContext& from, SyncGroupRequest request, TimeUs now);
  Code heartbeat(const HeartbeatRequest& request, TimeUs now);
  /// One member of a LeaveGroup request.
  Code leave(const std::string& member, const std::optional<std::string>& instance, TimeUs now);
  /// Whether a commit of offsets by this member of this generation counts. A generation below 0 is somebody outside the group protocol.
  Code may_commit(std::int32_t generation, const std::string& member, const std::optional<std::string>& instance, TimeUs now);

  /// Does what is due: sessions that ended, barriers that waited long enough.
  void tick(TimeUs now);
  /// When tick() has something to do next; kTimeMax for never.
  TimeUs next_deadline() const;

  const std::string& id() const { return id_; }
  GroupState state() const { return state_; }
  std::int32_t generation() const { return generation_; }
  const std::string& protocol_type() const { return protocol_type_; }
  const std::string& protocol() const { return protocol_; }
  const std::string& leader() const { return leader_; }
  const std::map<std::string, Member>& members() const { return members_; }
  bool has_pending_members() const { return !pending_.empty(); }
  /// The selected protocol's metadata of a member.
  std::string metadata_of(const Member& member) const;

 private:
  void join_new(const RequestContext& from, JoinGroupRequest& request, TimeUs now);
  void join_static(const RequestContext& from, JoinGroupRequest& request, const std::string& old_id, TimeUs now);
  void join_known(const RequestContext& from, JoinGroupRequest& request, TimeUs now);
  Code check_join(const JoinGroupRequest& request) const;
  void add_member(const RequestContext& from, JoinGroupRequest& request, std::string id, TimeUs now);
  void update_and_rebalance(Member& member, const RequestContext& from, JoinGroupRequest& request, TimeUs now);
  void refuse_join(const RequestContext& to, Code code, const std::string& member);
  void refuse_sync(const RequestContext& to, Code code);
  JoinGroupResponse join_answer(const Member& member) const;
  void answer_sync(Member& member);
  /// Identity checks that sync, heartbeat and commit share.
  Code check_member(const std::string& member, const std::optional<std::string>& instance, std::int32_t generation) const;
  void prepare_rebalance(TimeUs now);
  void complete_if_all_joined(TimeUs now);
  void complete_join(TimeUs now);
  void remove(const std::string& member, TimeUs now);
  void touch(Member& member, TimeUs now) const { member.session_ends_us = now + member.session_timeout_us; }
  bool supports(const std::vector<JoinGroupRequest::Protocol>& protocols) const;
  std::string vote() const;
  std::string new_member_id(const std::string& prefix);

  std::string id_;
  GroupLimits limits_;
  env::Random& random_;
  GroupAnswers& answers_;
  GroupState state_ = GroupState::kEmpty;
  std::int32_t generation_ = 0;
  std::string protocol_type_, protocol_, leader_;
  std::map<std::string, Member> members_;
  std::map<std::string, std::string> instances_;   ///< instance -> member
  std::map<std::string, TimeUs> pending_;          ///< ids given out and not used yet -> when they expire
  TimeUs join_deadline_ = kTimeMax;
  bool initial_ = false;                           ///< this barrier is the first of an empty group: it waits for more members
  bool grew_ = false;                              ///< a member came since the initial delay was last extended
  TimeUs initial_limit_ = 0;
  TimeUs sync_deadline_ = kTimeMax;
};

}  // namespace supyo::broker
