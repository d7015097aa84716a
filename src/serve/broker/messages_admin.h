#pragma once
#include "serve/broker/messages_data.h"

/// Requests and responses about topics, configurations and the broker itself.
namespace supyo::broker {

struct SaslHandshakeRequest {
  std::string mechanism;
  template <class A> void describe(A& a) { a.field(mechanism); a.tags(); }
};
struct SaslHandshakeResponse {
  Code code = Code::kNone;
  std::vector<std::string> mechanisms;
  template <class A> void describe(A& a) { describe_code(a, code); a.array(mechanisms); a.tags(); }
};

struct ConfigValue {
  std::string name;
  std::optional<std::string> value;
  template <class A> void describe(A& a) { a.field(name); a.field(value); a.tags(); }
};

struct CreateTopicsRequest {
  struct Assignment {
    std::int32_t index = 0;
    std::vector<std::int32_t> brokers;
    template <class A> void describe(A& a) { a.field(index); a.array(brokers); a.tags(); }
  };
  struct Topic {
    std::string name;
    std::int32_t partitions = -1;
    std::int16_t replication = -1;
    std::vector<Assignment> assignments;
    std::vector<ConfigValue> configs;
    template <class A> void describe(A& a) { a.field(name); a.field(partitions); a.field(replication); a.array(assignments); a.array(configs); a.tags(); }
  };
  std::vector<Topic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;
  template <class A> void describe(A& a) { a.array(topics); a.field(timeout_ms); a.field(validate_only); a.tags(); }
};
struct CreateTopicsResponse {
  struct Config {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    std::int8_t source = -1;
    bool sensitive = false;
    template <class A> void describe(A& a) { a.field(name); a.field(value); a.field(read_only); a.field(source); a.field(sensitive); a.tags(); }
  };
  struct Topic {
    std::string name;
    Uuid id{};
    Code code = Code::kNone;
    std::optional<std::string> message;
    std::int32_t partitions = -1;
    std::int16_t replication = -1;
    std::optional<std::vector<Config>> configs;
    template <class A> void describe(A& a) {
      a.field(name);
      if (a.version() >= 7) a.field(id);
      describe_code(a, code); a.field(message);
      if (a.version() >= 5) { a.field(partitions); a.field(replication); a.array(configs); }
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Topic> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct DeleteTopicsRequest {
  struct Topic {
    std::optional<std::string> name;
    Uuid id{};
    template <class A> void describe(A& a) { a.field(name); a.field(id); a.tags(); }
  };
  std::vector<Topic> topics;
  std::vector<std::string> names;   ///< up to version 5
  std::int32_t timeout_ms = 0;
  template <class A> void describe(A& a) {
    if (a.version() >= 6) a.array(topics);
    else a.array(names);
    a.field(timeout_ms); a.tags();
  }
};
struct DeleteTopicsResponse {
  struct Topic {
    std::optional<std::string> name;
    Uuid id{};
    Code code = Code::kNone;
    std::optional<std::string> message;
    template <class A> void describe(A& a) {
      a.field(name);
      if (a.version() >= 6) a.field(id);
      describe_code(a, code);
      if (a.version() >= 5) a.field(message);
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Topic> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct CreatePartitionsRequest {
  struct Assignment {
    std::vector<std::int32_t> brokers;
    template <class A> void describe(A& a) { a.array(brokers); a.tags(); }
  };
  struct Topic {
    std::string name;
    std::int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments;
    template <class A> void describe(A& a) { a.field(name); a.field(count); a.array(assignments); a.tags(); }
  };
  std::vector<Topic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;
  template <class A> void describe(A& a) { a.array(topics); a.field(timeout_ms); a.field(validate_only); a.tags(); }
};
struct CreatePartitionsResponse {
  struct Topic {
    std::string name;
    Code code = Code::kNone;
    std::optional<std::string> message;
    template <class A> void describe(A& a) { a.field(name); describe_code(a, code); a.field(message); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Topic> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

inline constexpr std::int8_t kTopicResource = 2, kBrokerResource = 4;

struct DescribeConfigsRequest {
  struct Resource {
    std::int8_t type = 0;
    std::string name;
    std::optional<std::vector<std::string>> keys;
    template <class A> void describe(A& a) { a.field(type); a.field(name); a.array(keys); a.tags(); }
  };
  std::vector<Resource> resources;
  bool synonyms = false, documentation = false;
  template <class A> void describe(A& a) {
    a.array(resources); a.field(synonyms);
    if (a.version() >= 3) a.field(documentation);
    a.tags();
  }
};
struct DescribeConfigsResponse {
  struct Synonym {
    std::string name;
    std::optional<std::string> value;
    std::int8_t source = 0;
    template <class A> void describe(A& a) { a.field(name); a.field(value); a.field(source); a.tags(); }
  };
  struct Config {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    std::int8_t source = -1;
    bool sensitive = false;
    std::vector<Synonym> synonyms;
    std::int8_t type = 0;
    std::optional<std::string> documentation;
    template <class A> void describe(A& a) {
      a.field(name); a.field(value); a.field(read_only); a.field(source); a.field(sensitive); a.array(synonyms);
      if (a.version() >= 3) { a.field(type); a.field(documentation); }
      a.tags();
    }
  };
  struct Result {
    Code code = Code::kNone;
    std::optional<std::string> message;
    std::int8_t type = 0;
    std::string name;
    std::vector<Config> configs;
    template <class A> void describe(A& a) { describe_code(a, code); a.field(message); a.field(type); a.field(name); a.array(configs); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Result> results;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(results); a.tags(); }
};

struct AlterConfigsRequest {
  struct Resource {
    std::int8_t type = 0;
    std::string name;
    std::vector<ConfigValue> configs;
    template <class A> void describe(A& a) { a.field(type); a.field(name); a.array(configs); a.tags(); }
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  template <class A> void describe(A& a) { a.array(resources); a.field(validate_only); a.tags(); }
};
/// Also of IncrementalAlterConfigs.
struct AlterConfigsResponse {
  struct Resource {
    Code code = Code::kNone;
    std::optional<std::string> message;
    std::int8_t type = 0;
    std::string name;
    template <class A> void describe(A& a) { describe_code(a, code); a.field(message); a.field(type); a.field(name); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<Resource> resources;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(resources); a.tags(); }
};
struct IncrementalAlterConfigsRequest {
  enum Operation : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
  struct Config {
    std::string name;
    std::int8_t operation = 0;
    std::optional<std::string> value;
    template <class A> void describe(A& a) { a.field(name); a.field(operation); a.field(value); a.tags(); }
  };
  struct Resource {
    std::int8_t type = 0;
    std::string name;
    std::vector<Config> configs;
    template <class A> void describe(A& a) { a.field(type); a.field(name); a.array(configs); a.tags(); }
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  template <class A> void describe(A& a) { a.array(resources); a.field(validate_only); a.tags(); }
};

struct DeleteRecordsRequest {
  struct Partition {
    std::int32_t index = 0;
    std::int64_t offset = 0;
    template <class A> void describe(A& a) { a.field(index); a.field(offset); a.tags(); }
  };
  std::vector<TopicOf<Partition>> topics;
  std::int32_t timeout_ms = 0;
  template <class A> void describe(A& a) { a.array(topics); a.field(timeout_ms); a.tags(); }
};
struct DeleteRecordsResponse {
  struct Partition {
    std::int32_t index = 0;
    std::int64_t low_watermark = -1;
    Code code = Code::kNone;
    template <class A> void describe(A& a) { a.field(index); a.field(low_watermark); describe_code(a, code); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  std::vector<TopicOf<Partition>> topics;
  template <class A> void describe(A& a) { a.field(throttle_ms); a.array(topics); a.tags(); }
};

struct DescribeClusterRequest {
  bool include_operations = false;
  std::int8_t endpoint_type = 1;
  template <class A> void describe(A& a) {
    a.field(include_operations);
    if (a.version() >= 1) a.field(endpoint_type);
    a.tags();
  }
};
struct DescribeClusterResponse {
  struct Broker {
    std::int32_t id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    template <class A> void describe(A& a) { a.field(id); a.field(host); a.field(port); a.field(rack); a.tags(); }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::optional<std::string> message;
  std::int8_t endpoint_type = 1;
  std::string cluster_id;
  std::int32_t controller = -1;
  std::vector<Broker> brokers;
  std::int32_t operations = kNoOperations;
  template <class A> void describe(A& a) {
    a.field(throttle_ms); describe_code(a, code); a.field(message);
    if (a.version() >= 1) a.field(endpoint_type);
    a.field(cluster_id); a.field(controller); a.array(brokers); a.field(operations); a.tags();
  }
};

struct DescribeLogDirsRequest {
  std::optional<std::vector<TopicOf<std::int32_t>>> topics;
  template <class A> void describe(A& a) { a.array(topics); a.tags(); }
};
struct DescribeLogDirsResponse {
  struct Partition {
    std::int32_t index = 0;
    std::int64_t size = 0, lag = 0;
    bool future = false;
    template <class A> void describe(A& a) { a.field(index); a.field(size); a.field(lag); a.field(future); a.tags(); }
  };
  struct Directory {
    Code code = Code::kNone;
    std::string path;
    std::vector<TopicOf<Partition>> topics;
    std::int64_t total_bytes = -1, usable_bytes = -1;
    template <class A> void describe(A& a) {
      describe_code(a, code); a.field(path); a.array(topics);
      if (a.version() >= 4) { a.field(total_bytes); a.field(usable_bytes); }
      a.tags();
    }
  };
  std::int32_t throttle_ms = 0;
  Code code = Code::kNone;
  std::vector<Directory> directories;
  template <class A> void describe(A& a) {
    a.field(throttle_ms);
    if (a.version() >= 3) describe_code(a, code);
    a.array(directories); a.tags();
  }
};

}  // namespace supyo::broker
