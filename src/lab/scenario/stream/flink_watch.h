#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "connect/flink/job_metrics.h"
#include "core/env/env.h"
#include "lab/scenario/stream/flink_cluster.h"

namespace supyo::scenario {

/// A job as the JobManager tells it, looked at again and again in a thread of its own. Ends with its destructor.
class FlinkWatch {
 public:
  /// `every_us`: its state and checkpoints; its metrics are asked for once a second.
  FlinkWatch(const env::Env& env, const FlinkCluster& cluster, std::string job, DurationUs every_us);
  ~FlinkWatch();
  FlinkWatch(const FlinkWatch&) = delete;
  FlinkWatch& operator=(const FlinkWatch&) = delete;

  struct Seen : FlinkCluster::Job {
    std::int64_t late = 0;                          ///< records that its windows dropped, as Flink counts them (numLateRecordsDropped)
    std::optional<std::int64_t> watermark_ms = {};  ///< the last of its vertices'; absent: none yet
    std::optional<std::int64_t> pending = {};       ///< records that its sources have not fetched, as they tell it
  };
  Seen seen() const;
  /// Mean of the complete checkpoints, seconds; NaN: none.
  double checkpoint_time() const;

 private:
  void look();
  void look_at_metrics();

  env::Env env_;
  const FlinkCluster& cluster_;
  std::string job_;
  DurationUs every_us_;
  connect::FlinkCollector collector_;
  mutable std::mutex mutex_;
  Seen seen_;
  DurationUs took_us_ = 0;
  std::int64_t took_ = 0;
  std::atomic<bool> ended_{false};
  std::unique_ptr<env::Thread> thread_;
};

}  // namespace supyo::scenario
