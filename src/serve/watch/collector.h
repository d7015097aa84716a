#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connect/kafka/survey.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "judge/diagnosis/loss_forecast.h"
#include "serve/watch/look.h"

namespace supyo::watch {

using Place = connect::KafkaSurvey::Place;

/// What a topic's settings say, as far as the judge needs it.
struct TopicSettings {
  diagnosis::Retention retention = {};
  std::optional<int> min_in_sync = {};
  std::optional<bool> unclean_elections = {};
};
/// From DescribeConfigs' answer; the broker's check interval from its own settings.
TopicSettings settings_of(const std::map<std::string, std::string>& topic, std::int64_t check_interval_ms);

/// A cluster at one moment. What gave no answer is absent.
struct ClusterLook {
  TimeUs at_us = 0;                    ///< the brokers' time: this machine's wall clock and the offset that was measured
  DurationUs clock_offset_us = 0;      ///< by how much the cluster's newest records are ahead of this machine; 0: not noticeably
  DurationUs took_us = 0;
  TimeUs steady_us = 0;                ///< by a clock that nobody sets
  connect::KafkaAdmin::Cluster cluster = {};
  std::map<Place, connect::KafkaAdmin::Ends> ends = {};
  bool groups_listed = false;          ///< all groups of the cluster are known by name
  struct Group {
    connect::KafkaSurvey::Group told = {};
    bool described = false;            ///< the coordinator answered
    bool exists = true;
    bool offsets_known = false;
    connect::KafkaAdmin::Committed committed = {};
  };
  std::vector<Group> groups = {};
  std::map<std::string, TopicSettings> settings = {};
  struct Size {
    std::int64_t bytes = 0, hidden = 0;   ///< of the leader's replica: files; log end less high watermark
    std::int64_t offsets = 0;             ///< from log start to log end when it was asked
    /// Of so many offsets, now: sizes are asked for once a minute.
    std::int64_t bytes_of(const connect::KafkaAdmin::Ends& e) const { return offsets <= 0 ? bytes : static_cast<std::int64_t>(static_cast<double>(bytes) / static_cast<double>(offsets) * static_cast<double>(e.end - e.start)); }
  };
  std::map<Place, Size> sizes = {};
  bool sizes_fresh = false;            ///< asked for in this look
  struct Disk {
    std::int32_t broker = 0;
    std::string path;
    std::int64_t total_bytes = -1, usable_bytes = -1, used_by_logs = 0;
  };
  std::vector<Disk> disks = {};
  std::vector<std::string> problems = {};   ///< what could not be asked for, and why
};

/// Looks at a cluster, read only, with few requests: one for metadata, two for all partitions' ends, one a group for its offsets (16 at a time), one for 16 groups' members; settings
/// every five minutes, sizes after 20 s and then every minute. Broker restarts, moving coordinators and vanishing topics leave gaps in a look and no errors. One thread.
class Collector {
 public:
  /// `given_up`: see KafkaSurvey::open.
  Collector(const env::Env& env, std::string servers, Filter filter, DurationUs timeout_us, std::function<bool()> given_up = [] { return false; })
      : env_(env), servers_(std::move(servers)), filter_(std::move(filter)), timeout_us_(timeout_us), given_up_(std::move(given_up)) {}

  /// Errors: kOutsideUnavailable (nobody answers), kUnknownTable (the filter's topic is not there).
  Result<ClusterLook> look();
  /// The first offset whose record's timestamp (us) is at least so much; absent: no answer. In requests of at most 2,000 partitions.
  std::map<Place, std::int64_t> offsets_for_times(const std::vector<std::pair<Place, TimeUs>>& questions);

 private:
  Status topics(ClusterLook& look);
  Status groups(ClusterLook& look);
  void settings(ClusterLook& look);
  void sizes(ClusterLook& look);
  void clock(ClusterLook& look);

  env::Env env_;
  std::string servers_;
  Filter filter_;
  DurationUs timeout_us_;
  std::function<bool()> given_up_;
  std::unique_ptr<connect::KafkaSurvey> survey_;
  std::map<std::string, TopicSettings> settings_;
  std::map<Place, ClusterLook::Size> sizes_;
  std::vector<ClusterLook::Disk> disks_;
  TimeUs settings_at_ = kTimeMin, sizes_at_ = kTimeMin, clock_at_ = kTimeMin;   // monotonic
  std::uint64_t sizes_asked_ = 0;
  DurationUs clock_offset_us_ = 0;
  std::string settings_problem_, sizes_problem_;
};

}  // namespace supyo::watch
