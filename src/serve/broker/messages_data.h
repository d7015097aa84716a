#pragma once
#include "serve/broker/api.h"
#include "serve/broker/wire.h"

/// Requests and responses of the data path. Field names and versions are those of Kafka's message definitions.
namespace supyo::broker {

struct ApiVersionsRequest {
  std::string software_name, software_version;
  template <class A> void describe(A& a) {
    if (a.version() >= 3) { a.field(software_name); a.field(software_version); }
    a.tags();
  }
};
struct ApiVersionsResponse {
  struct Entry {
    std::int16_t api = 0, min = 0, max = 0;
    template <class A> void describe(A& a) { a.field(api); a.field(min); a.field(max); a.tags(); }
  };
  Code code = Code::kNone;
  std::vector<Entry> apis;
  std::int32_t throttle_ms = 0;
  template <class A> void describe(A& a) {
    auto error = static_cast<std::int16_t>(code);
    a.field(error);
    code = static_cast<Code>(error);
    a.array(apis);
    if (a.version() >= 1) a.field(throttle_ms);
    a.tags();
  }
};

/// An error code as a field.
template <class A> void describe_code(A& a, Code& code) {
  auto error = static_cast<std::int16_t>(code);
  a.field(error);
  code = static_cast<Code>(error);
}

struct MetadataRequest {
  struct Topic {
    Uuid id{};
    std::optional<std::string> name;
    template <class A> void describe(A& a) {
      if (a.version() >= 10) a.field(id);
      if (a.version() >= 10) {
        a.field(name);
      } else if constexpr (A::kDecodes) {
        std::string text;
        a.field(text);
        name = std::move(text);
      } else {
        a.field(std::string_view(*name));
      }
      a.tags();
    }
  };
  std::optional<std::vector<Topic>> topics;   ///< null (in version 0: empty) = all
  bool allow_auto_create = true, include_cluster_operations = false, include_topic_operations = false;
  template <class A> void describe(A& a) {
    a.array(topics);
    if (a.version() >= 4) a.field(allow_auto_create);
    if (a.version() >= 8 && a.version() <= 10) a.field(include_cluster_operations);
    if (a.version() >= 8) a.field(include_topic_operations);
    a.tags();
  }
};

/// "Not asked": authorized operations.
inline constexpr std::int32_t kNoOperations = INT32_MIN;

struct BrokerEndpoint {
  std::int32_t id = 0;
  std::string host;
  std::int32_t port = 0;
  std::optional<std::string> rack;
  template <class A> void describe(A& a) {
    a.field(id); a.field(host); a.field(port);
    if (a.version() >= 1) a.field(rack);
    a.tags();
  }
};
struct MetadataResponse {
  struct Partition {
    Code code = Code::kNone;
    std::int32_t index = 0, leader = 0, leader_epoch = 0;
    std::vector<std::int32_t> replicas, isr, offline;
    template <class A> void describe(A& a) {
      describe_code(a, code);
      a.field(index); a.field(leader);
      if (a.version() >= 7) a.field(leader_epoch);
      a.array(replicas); a.array(isr);
      if (a.version() >= 5) a.array(offline);
      a.tags();
    }
  };
  struct Topic {
    Code code = Code::kNone;
    std::optional<std::string> name;
    Uuid id{};
    bool internal = false;
    std::vector<Partition> partitions;
    std::int32_t operations = kNoOperations;
    template <class A> void describe(A& a) {
      describe_code(a, code);
      if (a.version() >= 12) {
        a.field(name);
      } else {
        std::string text = name.value_or("");
        a.field(text);
        name = std::move(text);
      }
      if (a.version() >= 10) a.field(id);
      if (a.version() >= 1) a.field(internal);
      a.array(partitions);
      if (a.version() >= 8) a.field(operations);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  std::vector<BrokerEndpoint> brokers;
  std::optional<std::string> cluster_id;
  std::int32_t controller = 0;
  std::vector<Topic> topics;
  std::int32_t cluster_operations = kNoOperations;
  template <class A> void describe(A& a) {
    if (a.version() >= 3) a.field(throttle_ms);
    a.array(brokers);
    if (a.version() >= 2) a.field(cluster_id);
    if (a.version() >= 1) a.field(controller);
    a.array(topics);
    if (a.version() >= 8 && a.version() <= 10) a.field(cluster_operations);
    a.tags();
  }
};

/// The shape that most requests share: topics by name, with something per partition.
template <class P>
struct TopicOf {
  std::string name;
  std::vector<P> partitions;
  template <class A> void describe(A& a) { a.field(name); a.array(partitions); a.tags(); }
};

struct ProduceRequest {
  struct Partition {
    std::int32_t index = 0;
    std::optional<std::string_view> records;   ///< a view into the request
    template <class A> void describe(A& a) { a.field(index); a.bytes(records); a.tags(); }
  };
  std::optional<std::string> transactional_id;
  std::int16_t acks = 0;
  std::int32_t timeout_ms = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) {
    a.field(transactional_id); a.field(acks); a.field(timeout_ms); a.array(topics); a.tags();
  }
};
struct ProduceResponse {
  struct RecordError {
    std::int32_t index = 0;
    std::optional<std::string> message;
    template <class A> void describe(A& a) { a.field(index); a.field(message); a.tags(); }
  };
  struct Partition {
    std::int32_t index = 0;
    Code code = Code::kNone;
    std::int64_t base_offset = -1, append_ms = -1, log_start = -1;
    std::vector<RecordError> record_errors = {};
    std::optional<std::string> message = {};
    template <class A> void describe(A& a) {
      a.field(index); describe_code(a, code); a.field(base_offset); a.field(append_ms);
      if (a.version() >= 5) a.field(log_start);
      if (a.version() >= 8) { a.array(record_errors); a.field(message); }
      a.tags();
    }
  };
  std::vector<TopicOf<Partition>> topics;
  std::int32_t throttle_ms = 0;
  template <class A> void describe(A& a) { a.array(topics); a.field(throttle_ms); a.tags(); }
};

struct FetchRequest {
  struct Partition {
    std::int32_t index = 0, leader_epoch = -1;
    std::int64_t offset = 0;
    std::int32_t last_epoch = -1;
    std::int64_t log_start = -1;
    std::int32_t max_bytes = 0;
    template <class A> void describe(A& a) {
      a.field(index);
      if (a.version() >= 9) a.field(leader_epoch);
      a.field(offset);
      if (a.version() >= 12) a.field(last_epoch);
      if (a.version() >= 5) a.field(log_start);
      a.field(max_bytes);
      a.tags();
    }
  };
  std::int32_t replica = -1, max_wait_ms = 0, min_bytes = 0, max_bytes = INT32_MAX;
  std::int8_t isolation = 0;
  std::int32_t session = 0, session_epoch = -1;
  std::vector<TopicOf<Partition>> topics;
  std::vector<TopicOf<std::int32_t>> forgotten;
  std::string rack;
  template <class A> void describe(A& a) {
    a.field(replica); a.field(max_wait_ms); a.field(min_bytes); a.field(max_bytes); a.field(isolation);
    if (a.version() >= 7) { a.field(session); a.field(session_epoch); }
    a.array(topics);
    if (a.version() >= 7) a.array(forgotten);
    if (a.version() >= 11) a.field(rack);
    a.tags();
  }
};
struct FetchResponse {
  struct Aborted {
    std::int64_t producer = 0, first_offset = 0;
    template <class A> void describe(A& a) { a.field(producer); a.field(first_offset); a.tags(); }
  };
  struct Partition {
    std::int32_t index = 0;
    Code code = Code::kNone;
    std::int64_t high_watermark = -1, last_stable = -1, log_start = -1;
    std::optional<std::vector<Aborted>> aborted;
    std::int32_t preferred_replica = -1;
    std::string records;
    template <class A> void describe(A& a) {
      a.field(index); describe_code(a, code); a.field(high_watermark); a.field(last_stable);
      if (a.version() >= 5) a.field(log_start);
      a.array(aborted);
      if (a.version() >= 11) a.field(preferred_replica);
      a.bytes(records);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::int32_t session = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) {
    a.field(throttle_ms);
    if (a.version() >= 7) { describe_code(a, code); a.field(session); }
    a.array(topics);
    a.tags();
  }
};

struct ListOffsetsRequest {
  struct Partition {
    std::int32_t index = 0, leader_epoch = -1;
    std::int64_t timestamp = 0;
    template <class A> void describe(A& a) {
      a.field(index);
      if (a.version() >= 4) a.field(leader_epoch);
      a.field(timestamp);
      a.tags();
    }
  };
  std::int32_t replica = -1;
  std::int8_t isolation = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) {
    a.field(replica);
    if (a.version() >= 2) a.field(isolation);
    a.array(topics);
    a.tags();
  }
};
struct ListOffsetsResponse {
  struct Partition {
    std::int32_t index = 0;
    Code code = Code::kNone;
    std::int64_t timestamp = -1, offset = -1;
    std::int32_t leader_epoch = -1;
    template <class A> void describe(A& a) {
      a.field(index); describe_code(a, code); a.field(timestamp); a.field(offset);
      if (a.version() >= 4) a.field(leader_epoch);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) {
    if (a.version() >= 2) a.field(throttle_ms);
    a.array(topics);
    a.tags();
  }
};

struct OffsetForLeaderEpochRequest {
  struct Partition {
    std::int32_t index = 0, current_leader_epoch = -1, leader_epoch = 0;
    template <class A> void describe(A& a) { a.field(index); a.field(current_leader_epoch); a.field(leader_epoch); a.tags(); }
  };
  std::int32_t replica = -2;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) {
    if (a.version() >= 3) a.field(replica);
    a.array(topics);
    a.tags();
  }
};
struct OffsetForLeaderEpochResponse {
  struct Partition {
    Code code = Code::kNone;
    std::int32_t index = 0, leader_epoch = -1;
    std::int64_t end_offset = -1;
    template <class A> void describe(A& a) { describe_code(a, code); a.field(index); a.field(leader_epoch); a.field(end_offset); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

}  // namespace supyo::broker
