#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/env/env.h"
#include "data/iceberg/metadata.h"
#include "data/types/visibility.h"
#include "lab/scenario/stream/flink_cluster.h"
#include "lab/workload/generator.h"

namespace supyo::scenario {

/// Tells a judge what readers of an Iceberg table can see of the records that were given to the log, when another engine's job writes it: read from the table's files, and nothing asked of the job but when its
/// checkpoints began and ended. A record is taken when the log has acknowledged it, and visible when the look finds it. Epochs are counted here. One thread.
class TableWatch {
 public:
  struct Options {
    std::string location;                ///< the table's folder
    std::string id_column, time_column;  ///< a record's id, and its event time in whole milliseconds
    VisibilityObserver& observer;
    std::function<Result<std::vector<FlinkCluster::Checkpoint>>()> checkpoints;   ///< those of late
  };
  TableWatch(const env::Env& env, Options options) : env_(env), options_(std::move(options)) {}

  void acknowledged(std::span<const workload::GeneratedRecord> records);
  /// Checkpoints as they were seen last; new ones have begun since.
  void began(std::span<const FlinkCluster::Checkpoint> checkpoints);
  void failed();
  /// Reads what is new in the table. Errors: those of reading; kJobFailed when rows are not there in the order of a watermark (below the newest event all, above it none), for then its latencies cannot be told.
  Status look();

  std::uint64_t rows() const { return rows_; }
  /// Acknowledged records that are not in the table.
  std::size_t unseen() const { return unseen_.size(); }
  /// How old the newest snapshot was, by its own timestamp, when it could be read; NaN: none yet.
  double stamp_age_s() const { return stamp_age_s_; }

 private:
  Status check_watermark(TimeUs upto);
  Status tell_visible(const iceberg::Snapshot& snapshot, TimeUs watermark, TimeUs at);

  struct Cut {
    std::int64_t epoch = 0, checkpoint = 0;
  };

  env::Env env_;
  Options options_;
  std::int64_t epoch_ = 1, newest_id_ = 0;
  std::deque<Cut> cuts_;                                   // checkpoints that the table does not show yet
  std::vector<std::pair<TimeUs, std::uint64_t>> unseen_;   // event time, id
  std::set<std::int64_t> early_;                           // ids in the table that are not acknowledged yet
  std::set<std::string> known_files_;
  std::string hint_;
  std::uint64_t rows_ = 0;
  TimeUs newest_us_ = kTimeMin;
  double stamp_age_s_ = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace supyo::scenario
