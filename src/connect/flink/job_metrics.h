#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::connect {

/// A job of a Flink cluster as its REST API tells it (nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api). Shares are of time, 0 to 1, of the busiest subtask.
struct FlinkJob {
  std::string id, name, state;         ///< "RUNNING", "RESTARTING", ..
  struct Vertex {
    std::string name;
    int parallelism = 0;
    double busy = 0, backpressured = 0, idle = 0;
    double records_in_per_s = 0, records_out_per_s = 0;
    std::optional<std::int64_t> watermark_ms = {};      ///< the smallest of its subtasks; absent: none yet
    bool watermark_stands_still = false;                ///< for a minute and more, while records came
    std::optional<std::int64_t> late_dropped = {};      ///< records that came after their window was closed; absent: it has no windows
    std::optional<std::int64_t> pending = {};           ///< of a source: records that it has not fetched
    bool source = false, sink = false;
  };
  std::vector<Vertex> vertices = {};   ///< in the order of the data
  int checkpoints_completed = 0, checkpoints_failed = 0;   ///< of the last ten minutes, as far as the cluster remembers
  std::optional<double> checkpoint_interval_s = {}, last_checkpoint_s = {}, since_checkpoint_s = {};
  std::int64_t state_bytes = -1;
  std::optional<int> restarts = {};    ///< of the last ten minutes; absent: not told
  bool running() const { return state == "RUNNING"; }
};

/// Looks at a Flink cluster again and again. Read only; for a job of n vertices 5 + 2 n requests a look, for at most `kJobsMost` jobs. One thread.
class FlinkCollector {
 public:
  static constexpr std::size_t kJobsMost = 20, kVerticesMost = 50;
  using Get = std::function<Result<std::string>(const std::string& path)>;

  /// `get`: the body of an answer to a path ("/jobs/overview").
  explicit FlinkCollector(Get get) : get_(std::move(get)) {}
  /// `now`: wall clock. Jobs that have ended are left out, unless they failed in the last ten minutes. Errors: kOutsideUnavailable; kMalformedRecord (not Flink's answer).
  Result<std::vector<FlinkJob>> look(TimeUs now);
  /// One job, as far as its vertices tell: all but its name, its state and its checkpoints. Errors: as look(); also when there is no such job.
  Result<FlinkJob> look_at(const std::string& id, TimeUs now);

 private:
  struct Past {
    std::vector<std::pair<TimeUs, std::int64_t>> restarts = {};   ///< when seen, count
    std::map<std::string, std::pair<TimeUs, std::int64_t>> watermarks = {};   ///< by vertex: since when it is what it is
  };
  Status vertices(FlinkJob& job, Past& past, TimeUs now);
  Status checkpoints(FlinkJob& job, TimeUs now);
  void restarts(FlinkJob& job, Past& past, TimeUs now);

  Get get_;
  std::map<std::string, Past> past_;
};

}  // namespace supyo::connect
