#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connect/kafka/admin.h"
#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::connect {

/// Questions about all of a cluster at once, as somebody who watches it asks: few requests, each for many partitions or groups, so many under way at a time and no more. Changes
/// nothing, reads no records, joins no group. What gives no answer (a group whose coordinator moves, a partition without a leader) is absent from the answer: not known, and neither an
/// error nor good. Errors: kOutsideUnavailable when nobody answers. One thread.
class KafkaSurvey {
 public:
  static constexpr std::size_t kGroupsInFlight = 16;
  static constexpr std::size_t kResourcesARequest = 200;

  /// Connects when first asked. `timeout_us`: of each request. `given_up`: asked while an answer is waited for; when true, nothing more is (any request then answers as if nobody did).
  static Result<std::unique_ptr<KafkaSurvey>> open(const std::string& servers, DurationUs timeout_us = 10 * kSecond, std::function<bool()> given_up = [] { return false; });
  virtual ~KafkaSurvey() = default;

  using Place = std::pair<std::string, std::int32_t>;   ///< topic and partition
  virtual Result<KafkaAdmin::Cluster> describe() = 0;
  /// Log start and high watermark. Ask only for partitions that have a leader. Here and in the two below: a place that is named twice is asked for once, as it is named first.
  virtual Result<std::map<Place, KafkaAdmin::Ends>> ends(const std::vector<Place>& places) = 0;
  /// The first offset whose record's timestamp is at least so many ms; -1: there is none.
  virtual Result<std::map<Place, std::int64_t>> offsets_for_times(const std::vector<std::pair<Place, std::int64_t>>& questions) = 0;
  /// The largest timestamp (ms). Nothing from brokers before 3.0, or with a client before 2.3.
  virtual Result<std::map<Place, std::int64_t>> newest_timestamps(const std::vector<Place>& places) = 0;

  struct Member {
    std::string id, client_id, host, instance_id;
    std::vector<Place> assigned;
  };
  struct Group {
    std::string name, state, assignor;
    std::vector<Member> members;
  };
  virtual Result<std::vector<std::string>> group_names() = 0;
  virtual Result<std::vector<Group>> groups(const std::vector<std::string>& names) = 0;
  /// By group. A group that does not exist has committed nothing.
  virtual Result<std::map<std::string, KafkaAdmin::Committed>> committed(const std::vector<std::string>& groups) = 0;
  /// By topic. One that may not be read (access list), or is gone, is absent.
  virtual Result<std::map<std::string, std::map<std::string, std::string>>> topic_configs(const std::vector<std::string>& topics) = 0;
  virtual Result<std::map<std::string, std::string>> broker_config(std::int32_t broker) = 0;
};

}  // namespace supyo::connect
