#include "serve/broker/group.h"

#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"

namespace supyo::broker {
namespace {

/// A group, and clients that keep what they heard.
class GroupTest : public testing::Test, public GroupAnswers {
 protected:
  GroupTest() { reset({}); }
  void reset(GroupLimits limits) { group_ = std::make_unique<Group>("g", limits, random_, *this); }
  void joined(const RequestContext& to, JoinGroupResponse response) override { joins_[to.connection].push_back(std::move(response)); }
  void synced(const RequestContext& to, SyncGroupResponse response) override { syncs_[to.connection].push_back(std::move(response)); }

  RequestContext from(std::uint64_t client, std::int16_t version = 9) { return {.connection = client, .sequence = ++sequence_, .api = Api::kJoinGroup, .version = version, .client_id = "c"}; }
  JoinGroupRequest request(const std::string& member, std::vector<JoinGroupRequest::Protocol> protocols = {{"range", "r"}}) {
    JoinGroupRequest r;
    r.group = "g";
    r.session_timeout_ms = 10'000;
    r.rebalance_timeout_ms = 60'000;
    r.member = member;
    r.protocol_type = "consumer";
    r.protocols = std::move(protocols);
    return r;
  }
  /// The answer that `client` got to its last join; null while it waits.
  const JoinGroupResponse* join(std::uint64_t client, const JoinGroupRequest& r, std::int16_t version = 9) {
    const std::size_t before = joins_[client].size();
    group_->join(from(client, version), r, now_);
    return joins_[client].size() > before ? &joins_[client].back() : nullptr;
  }
  /// Joins as a new client does: asks for an id, comes back with it. Returns the id.
  std::string enter(std::uint64_t client) {
    const JoinGroupResponse* asked = join(client, request(""));
    EXPECT_EQ(asked->code, Code::kMemberIdRequired);
    const std::string id = asked->member;
    join(client, request(id));
    return id;
  }
  void sync(std::uint64_t client, const std::string& member, std::vector<SyncGroupRequest::Assignment> assignments = {}) {
    SyncGroupRequest r;
    r.group = "g";
    r.generation = group_->generation();
    r.member = member;
    r.assignments = std::move(assignments);
    group_->sync(from(client), r, now_);
  }
  Code beat(const std::string& member, std::int32_t generation) { return group_->heartbeat({.group = "g", .generation = generation, .member = member, .instance = std::nullopt}, now_); }
  void pass(DurationUs time) {
    // As the broker does: at every deadline on the way.
    const TimeUs end = now_ + time;
    while (group_->next_deadline() <= end) {
      now_ = std::max(now_, group_->next_deadline());
      group_->tick(now_);
    }
    now_ = end;
    group_->tick(now_);
  }

  env::SeededRandom random_{1};
  std::unique_ptr<Group> group_;
  std::map<std::uint64_t, std::vector<JoinGroupResponse>> joins_;
  std::map<std::uint64_t, std::vector<SyncGroupResponse>> syncs_;
  TimeUs now_ = kSecond;
  std::uint64_t sequence_ = 0;
};

TEST_F(GroupTest, TheFirstMembersWaitForEachOther) {
  const std::string a = enter(1);
  pass(2 * kSecond);
  const std::string b = enter(2);
  EXPECT_TRUE(joins_[1].size() == 1 && joins_[2].size() == 1);   // only their ids so far
  pass(kSecond);                                                 // 3 s: a member came, so the delay is extended
  EXPECT_EQ(joins_[1].size(), 1U);
  pass(3 * kSecond);
  ASSERT_EQ(joins_[1].size(), 2U);
  EXPECT_EQ(joins_[1].back().generation, 1);
  EXPECT_EQ(joins_[1].back().leader, a);
  EXPECT_EQ(joins_[1].back().members.size(), 2U);
  EXPECT_EQ(joins_[2].back().members.size(), 0U);   // only the leader is told
  EXPECT_EQ(joins_[2].back().protocol_name, "range");
}

class TwoMembers : public GroupTest {
 protected:
  TwoMembers() {
    reset({.initial_rebalance_delay_ms = 0});
    a_ = enter(1);
    sync(1, a_, {{a_, "all"}});
    EXPECT_EQ(syncs_[1].back().assignment, "all");
    b_ = enter(2);
    EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);
    EXPECT_EQ(beat(a_, 1), Code::kRebalanceInProgress);
    join(1, request(a_));
    EXPECT_EQ(group_->generation(), 2);
    sync(2, b_);
    EXPECT_TRUE(syncs_[2].empty());   // waits for the leader
    sync(1, a_, {{a_, "half"}, {b_, "other half"}});
    EXPECT_EQ(syncs_[2].back().assignment, "other half");
    EXPECT_EQ(group_->state(), GroupState::kStable);
  }
  std::string a_, b_;
};

TEST_F(TwoMembers, GenerationsAndIdsAreChecked) {
  EXPECT_EQ(beat(a_, 2), Code::kNone);
  EXPECT_EQ(beat(a_, 1), Code::kIllegalGeneration);
  EXPECT_EQ(beat("nobody", 2), Code::kUnknownMemberId);
  EXPECT_EQ(group_->may_commit(2, a_, std::nullopt, now_), Code::kNone);
  EXPECT_EQ(group_->may_commit(1, a_, std::nullopt, now_), Code::kIllegalGeneration);
  EXPECT_EQ(group_->may_commit(-1, "", std::nullopt, now_), Code::kUnknownMemberId);   // from outside, while it has members
  EXPECT_EQ(join(3, request("made-up"))->code, Code::kUnknownMemberId);
  EXPECT_EQ(join(3, request("", {{"other", ""}}))->code, Code::kInconsistentGroupProtocol);
  JoinGroupRequest short_session = request("");
  short_session.session_timeout_ms = 10;
  EXPECT_EQ(join(3, short_session)->code, Code::kInvalidSessionTimeout);
}

TEST_F(TwoMembers, WhoIsSilentIsOutAndTheOtherTakesOver) {
  for (int i = 0; i < 4; ++i) {
    pass(3 * kSecond);
    beat(a_, 2);
  }
  EXPECT_EQ(group_->state(), GroupState::kPreparingRebalance);   // b said nothing for ten seconds
  join(1, request(a_));
  EXPECT_EQ(group_->generation(), 3);
  EXPECT_EQ(group_->members().size(), 1U);
  EXPECT_EQ(beat(b_, 2), Code::kUnknownMemberId);
}

TEST_F(TwoMembers, WhoDoesNotRejoinInTimeIsOut) {
  join(1, request(a_, {{"range", "new interest"}}));
  for (int i = 0; i < 20; ++i) {   // b is alive, but does not join
    pass(3 * kSecond);
    beat(b_, 2);
  }
  EXPECT_EQ(group_->generation(), 3);
  EXPECT_EQ(group_->members().size(), 1U);
  EXPECT_EQ(joins_[1].back().code, Code::kNone);
}

TEST_F(TwoMembers, TheLeaderLeaves) {
  EXPECT_EQ(group_->leave(a_, std::nullopt, now_), Code::kNone);
  EXPECT_EQ(group_->leave(a_, std::nullopt, now_), Code::kUnknownMemberId);
  join(2, request(b_));
  EXPECT_EQ(joins_[2].back().leader, b_);
  EXPECT_EQ(joins_[2].back().members.size(), 1U);
  group_->leave(b_, std::nullopt, now_);
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
  EXPECT_EQ(group_->may_commit(-1, "", std::nullopt, now_), Code::kNone);
}

TEST_F(TwoMembers, ALeaderThatDoesNotAssignIsOut) {
  join(1, request(a_, {{"range", "again"}}));
  join(2, request(b_));
  sync(2, b_);
  const std::size_t heard = syncs_[2].size();
  for (int i = 0; i < 20; ++i) {
    pass(3 * kSecond);
    beat(a_, 3);
  }
  ASSERT_GT(syncs_[2].size(), heard);
  EXPECT_EQ(syncs_[2].back().code, Code::kRebalanceInProgress);
  EXPECT_FALSE(group_->members().contains(a_));
}

TEST_F(TwoMembers, AMemberIdThatIsNeverUsedIsForgotten) {
  join(3, request(""));
  EXPECT_TRUE(group_->has_pending_members());
  for (int i = 0; i < 4; ++i) {
    pass(3 * kSecond);
    beat(a_, 2);
    beat(b_, 2);
  }
  EXPECT_FALSE(group_->has_pending_members());
  EXPECT_EQ(group_->state(), GroupState::kStable);
}

TEST_F(GroupTest, AStaticMemberComesBackWithoutARebalance) {
  reset({.initial_rebalance_delay_ms = 0});
  JoinGroupRequest r = request("");
  r.instance = "i";
  const std::string first = join(1, r)->member;
  sync(1, first, {{first, "mine"}});
  const JoinGroupResponse again = *join(2, r);
  EXPECT_EQ(again.code, Code::kNone);
  EXPECT_EQ(again.generation, 1);
  EXPECT_TRUE(again.skip_assignment);
  EXPECT_NE(again.member, first);
  EXPECT_EQ(group_->state(), GroupState::kStable);
  sync(2, again.member);
  EXPECT_EQ(syncs_[2].back().assignment, "mine");
  // The one before is fenced wherever it shows up.
  EXPECT_EQ(group_->heartbeat({.group = "g", .generation = 1, .member = first, .instance = "i"}, now_), Code::kFencedInstanceId);
  EXPECT_EQ(group_->may_commit(1, first, "i", now_), Code::kFencedInstanceId);
  r.member = first;
  EXPECT_EQ(join(1, r)->code, Code::kFencedInstanceId);
  // An older client that leads is told of another leader, so that it does not assign anew.
  r.member = "";
  const JoinGroupResponse older = *join(3, r, 7);
  EXPECT_FALSE(older.skip_assignment);
  EXPECT_NE(older.leader, older.member);
  EXPECT_EQ(group_->leave("", "i", now_), Code::kNone);
  EXPECT_EQ(group_->state(), GroupState::kEmpty);
}

TEST_F(GroupTest, ProtocolsAreVotedOn) {
  reset({});
  const std::vector<JoinGroupRequest::Protocol> modern = {{"cooperative-sticky", "c"}, {"range", "r"}};
  const JoinGroupResponse* asked = join(1, request("", modern));
  join(1, request(asked->member, modern));
  enter(2);   // only range
  pass(10 * kSecond);
  EXPECT_EQ(group_->protocol(), "range");
}

}  // namespace
}  // namespace supyo::broker
