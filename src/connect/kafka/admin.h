#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::connect {

/// Administration of a Kafka cluster, as labs, `consume` and the judge need it. Every call waits up to `timeout_us` of open(). Errors, unless said otherwise:
/// kOutsideUnavailable (nobody answers), kUnknownTable (no such topic), kNotAllowed (an access list), kBadOptionValue (the cluster refuses what was asked). One thread.
class KafkaAdmin {
 public:
  /// Connects when first asked.
  static Result<std::unique_ptr<KafkaAdmin>> open(const std::string& servers, DurationUs timeout_us = 10 * kSecond);
  virtual ~KafkaAdmin() = default;

  struct Broker {
    std::int32_t id = -1;
    std::string host;
    std::int32_t port = 0;
  };
  struct Partition {
    std::int32_t id = 0, leader = -1;
    std::vector<std::int32_t> replicas, in_sync;
  };
  struct TopicView {
    std::string name;
    std::vector<Partition> partitions;
  };
  struct Cluster {
    std::string id;
    std::vector<Broker> brokers;
    std::vector<TopicView> topics;   ///< internal ones too
  };
  virtual Result<Cluster> describe() = 0;

  /// Returns when the brokers know it and each partition has a leader. kAlreadyExists.
  virtual Status create_topic(const std::string& name, int partitions, int replicas, const std::map<std::string, std::string>& config) = 0;
  virtual Status delete_topic(const std::string& name) = 0;
  /// By name, of a topic, in effect: what was set and what the brokers' defaults add.
  virtual Result<std::map<std::string, std::string>> topic_config(const std::string& name) = 0;
  /// Changes these, leaves the topic's others.
  virtual Status set_topic_config(const std::string& name, const std::map<std::string, std::string>& config) = 0;
  virtual Result<std::map<std::string, std::string>> broker_config(std::int32_t broker) = 0;

  struct Ends {
    std::int64_t start = 0, end = 0;   ///< log start offset; high watermark (next offset), open transactions included
  };
  /// By partition.
  virtual Result<std::vector<Ends>> ends(const std::string& topic) = 0;
  /// Of one partition. Asks its leader and, once that is known, no other broker: those may be stopped.
  virtual Result<Ends> ends_of(const std::string& topic, std::int32_t partition) = 0;
  /// Everything before `offset` goes; the new log start. kOffsetOutOfRange beyond the end.
  virtual Result<std::int64_t> delete_records(const std::string& topic, std::int32_t partition, std::int64_t offset) = 0;

  /// By topic and partition: what a group has committed (absent: nothing). A group that does not exist has committed nothing.
  using Committed = std::map<std::pair<std::string, std::int32_t>, std::int64_t>;
  virtual Result<Committed> committed(const std::string& group) = 0;
  /// Of a group without members; kOutsideConflict when it has some.
  virtual Status set_committed(const std::string& group, const std::string& topic, std::int32_t partition, std::int64_t offset) = 0;
  struct Group {
    std::string name, state, protocol;   ///< "Stable", "Empty", ..; the assignor in use
    int members = 0;
  };
  virtual Result<std::vector<Group>> groups() = 0;
  /// kOutsideConflict while it has members; fine when there is none such.
  virtual Status delete_group(const std::string& group) = 0;
};

}  // namespace supyo::connect
