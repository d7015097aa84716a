#pragma once
#include "serve/broker/messages_data.h"

/// Requests and responses about consumer groups.
namespace supyo::broker {

struct FindCoordinatorRequest {
  std::string key;
  std::int8_t type = 0;   ///< 0 group, 1 transactional id
  std::vector<std::string> keys;
  template <class A> void describe(A& a) {
    if (a.version() <= 3) a.field(key);
    if (a.version() >= 1) a.field(type);
    if (a.version() >= 4) a.array(keys);
    a.tags();
  }
};
struct FindCoordinatorResponse {
  struct Coordinator {
    std::string key;
    std::int32_t node = 0;
    std::string host;
    std::int32_t port = 0;
    Code code = Code::kNone;
    std::optional<std::string> message;
    template <class A> void describe(A& a) { a.field(key); a.field(node); a.field(host); a.field(port); describe_code(a, code); a.field(message); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  Coordinator one;   ///< up to version 3
  std::vector<Coordinator> coordinators;
  template <class A> void describe(A& a) {
    if (a.version() >= 1) a.field(throttle_ms);
    if (a.version() >= 4) {
      a.array(coordinators);
    } else {
      describe_code(a, one.code);
      if (a.version() >= 1) a.field(one.message);
      a.field(one.node); a.field(one.host); a.field(one.port);
    }
    a.tags();
  }
};

struct JoinGroupRequest {
  struct Protocol {
    std::string name, metadata;
    template <class A> void describe(A& a) { a.field(name); a.bytes(metadata); a.tags(); }
  };
  std::string group;
  std::int32_t session_timeout_ms = 0, rebalance_timeout_ms = -1;
  std::string member;
  std::optional<std::string> instance;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;
  template <class A> void describe(A& a) {
    a.field(group); a.field(session_timeout_ms); a.field(rebalance_timeout_ms); a.field(member);
    if (a.version() >= 5) a.field(instance);
    a.field(protocol_type); a.array(protocols);
    if (a.version() >= 8) a.field(reason);
    a.tags();
  }
};
struct JoinGroupResponse {
  struct Member {
    std::string id;
    std::optional<std::string> instance;
    std::string metadata;
    template <class A> void describe(A& a) {
      a.field(id);
      if (a.version() >= 5) a.field(instance);
      a.bytes(metadata);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member;
  std::vector<Member> members;
  template <class A> void describe(A& a) {
    a.field(throttle_ms); describe_code(a, code); a.field(generation);
    if (a.version() >= 7) {
      a.field(protocol_type); a.field(protocol_name);
    } else {
      std::string text = protocol_name.value_or("");
      a.field(text);
      protocol_name = std::move(text);
    }
    a.field(leader);
    if (a.version() >= 9) a.field(skip_assignment);
    a.field(member); a.array(members); a.tags();
  }
};

struct SyncGroupRequest {
  struct Assignment {
    std::string member, assignment;
    template <class A> void describe(A& a) { a.field(member); a.bytes(assignment); a.tags(); }
  };
  std::string group;
  std::int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance, protocol_type, protocol_name;
  std::vector<Assignment> assignments;
  template <class A> void describe(A& a) {
    a.field(group); a.field(generation); a.field(member);
    if (a.version() >= 3) a.field(instance);
    if (a.version() >= 5) { a.field(protocol_type); a.field(protocol_name); }
    a.array(assignments); a.tags();
  }
};
struct SyncGroupResponse {
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::optional<std::string> protocol_type, protocol_name;
  std::string assignment;
  template <class A> void describe(A& a) {
    if (a.version() >= 1) a.field(throttle_ms);
    describe_code(a, code);
    if (a.version() >= 5) { a.field(protocol_type); a.field(protocol_name); }
    a.bytes(assignment); a.tags();
  }
};

struct HeartbeatRequest {
  std::string group;
  std::int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance;
  template <class A> void describe(A& a) {
    a.field(group); a.field(generation); a.field(member);
    if (a.version() >= 3) a.field(instance);
    a.tags();
  }
};
/// Throttle time (from version 1 on) and a code.
struct HeartbeatResponse {
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  template <class A> void describe(A& a) {
    if (a.version() >= 1) a.field(throttle_ms);
    describe_code(a, code); a.tags();
  }
};

struct LeaveGroupRequest {
  struct Member {
    std::string id;
    std::optional<std::string> instance, reason;
    template <class A> void describe(A& a) {
      a.field(id); a.field(instance);
      if (a.version() >= 5) a.field(reason);
      a.tags();
    }
  };
  std::string group, member;   ///< member: up to version 2
  std::vector<Member> members;
  template <class A> void describe(A& a) {
    a.field(group);
    if (a.version() <= 2) a.field(member);
    else a.array(members);
    a.tags();
  }
};
struct LeaveGroupResponse {
  struct Member {
    std::string id;
    std::optional<std::string> instance;
    Code code = Code::kNone;
    template <class A> void describe(A& a) { a.field(id); a.field(instance); describe_code(a, code); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::vector<Member> members;
  template <class A> void describe(A& a) {
    if (a.version() >= 1) a.field(throttle_ms);
    describe_code(a, code);
    if (a.version() >= 3) a.array(members);
    a.tags();
  }
};

struct OffsetCommitPartition {
  std::int32_t index = 0;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::optional<std::string> metadata;
  template <class A> void describe(A& a) {
    a.field(index); a.field(offset);
    if (a.version() >= 6) a.field(leader_epoch);
    a.field(metadata); a.tags();
  }
};
struct OffsetCommitRequest {
  std::string group;
  std::int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance;
  std::int64_t retention_ms = -1;
  std::vector<TopicOf<OffsetCommitPartition>> topics;
  template <class A> void describe(A& a) {
    a.field(group); a.field(generation); a.field(member);
    if (a.version() >= 7) a.field(instance);
    if (a.version() <= 4) a.field(retention_ms);
    a.array(topics); a.tags();
  }
};
struct PartitionCode {
  std::int32_t index = 0;
  Code code = Code::kNone;
  template <class A> void describe(A& a) { a.field(index); describe_code(a, code); a.tags(); }
};
struct OffsetCommitResponse {
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<PartitionCode>> topics;
  template <class A> void describe(A& a) {
    if (a.version() >= 3) a.field(throttle_ms);
    a.array(topics); a.tags();
  }
};

struct OffsetFetchRequest {
  struct Group {
    std::string id;
    std::optional<std::string> member;
    std::int32_t member_epoch = -1;
    std::optional<std::vector<TopicOf<std::int32_t>>> topics;
    template <class A> void describe(A& a) {
      a.field(id);
      if (a.version() >= 9) { a.field(member); a.field(member_epoch); }
      a.array(topics); a.tags();
    }
  };
  Group one;   ///< up to version 7
  std::vector<Group> groups;
  bool require_stable = false;
  template <class A> void describe(A& a) {
    if (a.version() <= 7) {
      a.field(one.id); a.array(one.topics);
    } else {
      a.array(groups);
    }
    if (a.version() >= 7) a.field(require_stable);
    a.tags();
  }
};
struct OffsetFetchResponse {
  struct Partition {
    std::int32_t index = 0;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;
    std::optional<std::string> metadata;
    Code code = Code::kNone;
    template <class A> void describe(A& a) {
      a.field(index); a.field(offset);
      if (a.version() >= 5) a.field(leader_epoch);
      a.field(metadata); describe_code(a, code); a.tags();
    }
  };
  struct Group {
    std::string id;
    std::vector<TopicOf<Partition>> topics;
    Code code = Code::kNone;
    template <class A> void describe(A& a) { a.field(id); a.array(topics); describe_code(a, code); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  Group one;
  std::vector<Group> groups;
  template <class A> void describe(A& a) {
    if (a.version() >= 3) a.field(throttle_ms);
    if (a.version() <= 7) {
      a.array(one.topics);
      if (a.version() >= 2) describe_code(a, one.code);
    } else {
      a.array(groups);
    }
    a.tags();
  }
};

struct OffsetDeleteRequest {
  struct Partition {
    std::int32_t index = 0;
    template <class A> void describe(A& a) { a.field(index); a.tags(); }
  };
  std::string group;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) { a.field(group); a.array(topics); a.tags(); }
};
struct OffsetDeleteResponse {
  Code code = Code::kNone;
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<PartitionCode>> topics;
  template <class A> void describe(A& a) { describe_code(a, code); a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct DescribeGroupsRequest {
  std::vector<std::string> groups;
  bool include_operations = false;
  template <class A> void describe(A& a) {
    a.array(groups);
    if (a.version() >= 3) a.field(include_operations);
    a.tags();
  }
};
struct DescribeGroupsResponse {
  struct Member {
    std::string id;
    std::optional<std::string> instance;
    std::string client_id, client_host, metadata, assignment;
    template <class A> void describe(A& a) {
      a.field(id);
      if (a.version() >= 4) a.field(instance);
      a.field(client_id); a.field(client_host); a.bytes(metadata); a.bytes(assignment); a.tags();
    }
  };
  struct Group {
    Code code = Code::kNone;
    std::string id, state, protocol_type, protocol;
    std::vector<Member> members;
    std::int32_t operations = kNoOperations;
    template <class A> void describe(A& a) {
      describe_code(a, code); a.field(id); a.field(state); a.field(protocol_type); a.field(protocol); a.array(members);
      if (a.version() >= 3) a.field(operations);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Group> groups;
  template <class A> void describe(A& a) {
    if (a.version() >= 1) a.field(throttle_ms);
    a.array(groups); a.tags();
  }
};

struct ListGroupsRequest {
  std::vector<std::string> states, types;
  template <class A> void describe(A& a) {
    if (a.version() >= 4) a.array(states);
    if (a.version() >= 5) a.array(types);
    a.tags();
  }
};
struct ListGroupsResponse {
  struct Group {
    std::string id, protocol_type, state, type;
    template <class A> void describe(A& a) {
      a.field(id); a.field(protocol_type);
      if (a.version() >= 4) a.field(state);
      if (a.version() >= 5) a.field(type);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::vector<Group> groups;
  template <class A> void describe(A& a) {
    if (a.version() >= 1) a.field(throttle_ms);
    describe_code(a, code); a.array(groups); a.tags();
  }
};

struct DeleteGroupsRequest {
  std::vector<std::string> groups;
  template <class A> void describe(A& a) { a.array(groups); a.tags(); }
};
struct DeleteGroupsResponse {
  struct Group {
    std::string id;
    Code code = Code::kNone;
    template <class A> void describe(A& a) { a.field(id); describe_code(a, code); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Group> groups;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(groups); a.tags(); }
};

}  // namespace supyo::broker
