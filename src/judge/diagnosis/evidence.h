#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "judge/diagnosis/group_trail.h"
#include "judge/diagnosis/loss_forecast.h"
#include "judge/diagnosis/trail.h"

/// What a diagnosis is made of. Plain data; what was not told is absent, and never taken for good.
namespace supyo::diagnosis {

/// A partition that a group reads.
struct PartitionEvidence {
  std::string topic;
  std::int32_t partition = 0;
  const Trail* trail = nullptr;                   ///< never null
  LossForecast forecast = {};
  std::int64_t lost = 0;                          ///< counted so far
};

/// What a member's own process tells of its work: librdkafka statistics with the handler's time beside them, JMX, `supyo consume`.
struct ClientStatistics {
  std::string client_id;
  double busy_share = 0;                          ///< of wall time in the handler
  double cpu_share = 0;                           ///< of the handler's time, on a CPU or waiting for one; the rest it waits for something else
  double records_per_s = 0;                       ///< read (not committed)
  std::int64_t poll_timeouts = 0;                 ///< left the group for max.poll.interval.ms, of the last while
};

/// A stream processor that reads as the group (Flink's REST API, Supyo's own).
struct EngineEvidence {
  std::string name;
  bool running = false;
  std::optional<double> records_in_per_s = {};
  int checkpoints_completed = 0, checkpoints_failed = 0;   ///< of the last ten minutes
  std::optional<double> checkpoint_interval_s = {}, last_checkpoint_s = {}, since_checkpoint_s = {};
  int restarts = 0;                               ///< of the last ten minutes
  struct Vertex {
    std::string name;
    double busy = 0, backpressured = 0, idle = 0; ///< shares of time, of its busiest subtask
    bool sink = false;
    std::optional<double> watermark_lag_s = {};
    bool watermark_stands_still = false;          ///< while records come
  };
  std::vector<Vertex> vertices = {};              ///< in the order of the data
};

struct GroupEvidence {
  std::string name;
  bool found = true;                              ///< the coordinator knows it
  const GroupTrail* members = nullptr;            ///< null: never seen
  std::vector<PartitionEvidence> partitions = {};
  std::vector<LeaveEvent> leaves = {};            ///< from broker logs or clients; of the last while
  std::vector<ClientStatistics> clients = {};
  std::optional<EngineEvidence> engine = {};
  double session_timeout_s = 45;
};

struct TopicEvidence {
  std::string name;
  Retention retention = {};
  int partitions = 0, replicas = 0;
  std::optional<int> min_in_sync = {};
  std::optional<bool> unclean_elections = {};
  int under_min_in_sync = 0;                      ///< partitions with fewer replicas in sync than min.insync.replicas
  std::int64_t hidden_lag = -1;                   ///< log end less high watermark over its partitions; -1: not told
  double hidden_growth = 0;                       ///< records a second
  std::int64_t bytes = -1;                        ///< of one replica of each partition; -1: not told
  double bytes_growth = 0;                        ///< a second
  std::int64_t largest_partition_bytes = -1;
  DurationUs no_shrink_for = 0;                   ///< so long its size has only grown
  double append_rate = 0;                         ///< records a second
  int uncleanable_partitions = -1;                ///< as the broker tells; -1: not told
  bool read_by_live_group = false;
};

struct DiskEvidence {
  std::int32_t broker = 0;
  std::string directory;
  std::int64_t total_bytes = -1, usable_bytes = -1;   ///< -1: not told (before Kafka 3.3)
  double growth = 0;                              ///< bytes a second
  DurationUs measured_for = 0;                    ///< so long its growth was measured
};

struct ClusterEvidence {
  std::vector<TopicEvidence> topics = {};
  std::vector<std::string> live_groups = {};      ///< with members
  bool groups_known = false;                      ///< all of the cluster's are in `live_groups`
  std::vector<DiskEvidence> disks = {};
};

}  // namespace supyo::diagnosis
