#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/env/env.h"
#include "lab/scenario/replica/replica_scenario.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"

/// Labs about what acknowledgements cost (`kind: frontier`): throughput and latency of a producer over acks, linger and replicas. The producer keeps a fixed number of records without an
/// outcome, so its throughput is that number by the latency.
namespace supyo::scenario {

struct FrontierScenario : Declaration {
  std::map<std::string, std::string> workload;                     ///< expressions over the knobs, by field
  std::string trials, other_trials;                                ///< of the cells that are judged by, and of the others
  std::vector<std::pair<std::string, std::string>> replicas, acks; ///< what the report calls it, and the expression that is run
  std::vector<std::string> linger;
  std::map<std::string, std::string> real;                         ///< knobs for real brokers
};

/// One setting. `name` is "rf3_all_l100".
struct FrontierCell {
  std::string name = {}, replicas_label = {}, acks_label = {};
  ReplicaSettings cluster = {};
  ModelProducerOptions producer = {};
  bool idempotent = false;                     ///< with acks=all, of a real client
  std::int64_t record_bytes = 100;
  DurationUs warmup_us = 0, run_us = 0;
  DurationUs settle_us = 0;                    ///< at most, until real brokers are as quick as they get
  std::uint64_t seed = 1;
  bool judged = false;                         ///< a formula of the file names one of its measures
  int trials = 1;
};

/// What one trial of a cell gave.
struct FrontierPoint {
  double throughput = 0;                       ///< acknowledged records a second
  double p50_s = 0, p99_s = 0;                 ///< from given to acknowledged
  double sent = 0, acked = 0, failed = 0, unknown = 0;
  double requests = 0;                         ///< NaN: not known
  double in_sync = 0;                          ///< replicas, as an outsider saw them
  double cores = 0;                            ///< that the brokers kept busy, all together; NaN: not known
};
using FrontierRunner = std::function<Result<FrontierPoint>(const FrontierCell& cell, int trial)>;

Result<FrontierScenario> parse_frontier_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<FrontierScenario> load_frontier_scenario(env::Files& files, const std::string& path);
Result<std::vector<FrontierCell>> cells_of(const FrontierScenario& scenario);

/// The order of the trials, as indices of cells. Each round holds a cell at most once; the cells with fewer trials are spread over the rounds. Of neighbours differing in acks only the one goes first in one round and the other in the next,
/// so that what drifts with time falls on both alike.
std::vector<std::size_t> order_of(const std::vector<FrontierCell>& cells);

/// Tells when brokers have compiled themselves: as soon as two rounds in succession gave, as the geometric mean of their values, within 5 % of the round before.
class Settling {
 public:
  static constexpr double kWithin = 0.05;
  static constexpr int kRounds = 2;
  void add(const std::vector<double>& round);
  bool settled() const { return steady_ >= kRounds; }
  int rounds() const { return rounds_; }
  double last() const { return last_; }

 private:
  double last_ = 0;
  int rounds_ = 0, steady_ = 0;
};

/// One trial on the model, in virtual time.
FrontierPoint run_model_point(const FrontierCell& cell, int trial);
/// On the model. Errors: kBadConfigFile, kCancelled.
Result<LabResult> run_frontier_scenario(const FrontierScenario& scenario, const RunOptions& options);
Result<LabResult> run_frontier_trials(const FrontierScenario& scenario, const RunOptions& options, bool real, const FrontierRunner& run_point);

/// As evaluate(). Measures: the knobs; of each cell thr_CELL (records/s), p50_CELL and p99_CELL (s), batch_CELL (records a request, where that is known), cores_CELL (kept busy by real brokers), each with _low and _high: ratio_interval() over the trials, 99 %.
/// rho_rfN_lL, the same of the ratio of the throughputs with acks=all and acks=1 in the same round; trials (of the cells that are judged by); and what the file derives.
Status evaluate_frontier(const FrontierScenario& scenario, LabResult& result);

}  // namespace supyo::scenario
