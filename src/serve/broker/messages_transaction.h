#pragma once
#include "serve/broker/messages_group.h"

/// Requests and responses about producers and transactions.
namespace supyo::broker {

struct InitProducerIdRequest {
  std::optional<std::string> transactional_id;
  std::int32_t timeout_ms = 0;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  template <class A> void describe(A& a) {
    a.field(transactional_id); a.field(timeout_ms);
    if (a.version() >= 3) { a.field(producer); a.field(epoch); }
    a.tags();
  }
};
struct InitProducerIdResponse {
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  template <class A> void describe(A& a) { a.field(throttle_ms); describe_code(a, code); a.field(producer); a.field(epoch); a.tags(); }
};

struct AddPartitionsToTxnRequest {
  std::string transactional_id;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::vector<TopicOf<std::int32_t>> topics;
  template <class A> void describe(A& a) { a.field(transactional_id); a.field(producer); a.field(epoch); a.array(topics); a.tags(); }
};
struct AddPartitionsToTxnResponse {
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<PartitionCode>> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct AddOffsetsToTxnRequest {
  std::string transactional_id;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::string group;
  template <class A> void describe(A& a) { a.field(transactional_id); a.field(producer); a.field(epoch); a.field(group); a.tags(); }
};
/// Throttle time and a code: AddOffsetsToTxn, EndTxn.
struct CodeResponse {
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  template <class A> void describe(A& a) { a.field(throttle_ms); describe_code(a, code); a.tags(); }
};

struct TxnOffsetCommitRequest {
  struct Partition {
    std::int32_t index = 0;
    std::int64_t offset = 0;
    std::int32_t leader_epoch = -1;
    std::optional<std::string> metadata;
    template <class A> void describe(A& a) {
      a.field(index); a.field(offset);
      if (a.version() >= 2) a.field(leader_epoch);
      a.field(metadata); a.tags();
    }
  };
  std::string transactional_id, group;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) {
    a.field(transactional_id); a.field(group); a.field(producer); a.field(epoch);
    if (a.version() >= 3) { a.field(generation); a.field(member); a.field(instance); }
    a.array(topics); a.tags();
  }
};
struct TxnOffsetCommitResponse {
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<PartitionCode>> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct EndTxnRequest {
  std::string transactional_id;
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  bool committed = false;
  template <class A> void describe(A& a) { a.field(transactional_id); a.field(producer); a.field(epoch); a.field(committed); a.tags(); }
};

struct DescribeProducersRequest {
  std::vector<TopicOf<std::int32_t>> topics;
  template <class A> void describe(A& a) { a.array(topics); a.tags(); }
};
struct DescribeProducersResponse {
  struct Producer {
    std::int64_t id = -1;
    std::int32_t epoch = -1, last_sequence = -1;
    std::int64_t last_timestamp = -1;
    std::int32_t coordinator_epoch = -1;
    std::int64_t transaction_start = -1;
    template <class A> void describe(A& a) {
      a.field(id); a.field(epoch); a.field(last_sequence); a.field(last_timestamp); a.field(coordinator_epoch); a.field(transaction_start); a.tags();
    }
  };
  struct Partition {
    std::int32_t index = 0;
    Code code = Code::kNone;
    std::optional<std::string> message;
    std::vector<Producer> producers;
    template <class A> void describe(A& a) { a.field(index); describe_code(a, code); a.field(message); a.array(producers); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct DescribeTransactionsRequest {
  std::vector<std::string> ids;
  template <class A> void describe(A& a) { a.array(ids); a.tags(); }
};
struct DescribeTransactionsResponse {
  struct State {
    Code code = Code::kNone;
    std::string id, state;
    std::int32_t timeout_ms = 0;
    std::int64_t start_ms = -1, producer = -1;
    std::int16_t epoch = -1;
    std::vector<TopicOf<std::int32_t>> topics;
    template <class A> void describe(A& a) {
      describe_code(a, code); a.field(id); a.field(state); a.field(timeout_ms); a.field(start_ms); a.field(producer); a.field(epoch); a.array(topics); a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  std::vector<State> states;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(states); a.tags(); }
};

struct ListTransactionsRequest {
  std::vector<std::string> states;
  std::vector<std::int64_t> producers;
  std::int64_t duration_ms = -1;
  template <class A> void describe(A& a) {
    a.array(states); a.array(producers);
    if (a.version() >= 1) a.field(duration_ms);
    a.tags();
  }
};
struct ListTransactionsResponse {
  struct State {
    std::string id;
    std::int64_t producer = -1;
    std::string state;
    template <class A> void describe(A& a) { a.field(id); a.field(producer); a.field(state); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::vector<std::string> unknown_states;
  std::vector<State> states;
  template <class A> void describe(A& a) { a.field(throttle_ms); describe_code(a, code); a.array(unknown_states); a.array(states); a.tags(); }
};

}  // namespace supyo::broker
