#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"
#include "core/env/processes.h"
#include "lab/scenario/bench.h"
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

/// A cluster that a lab may do to what it likes: topics and groups of its own come and go, records are deleted. Nobody but the user can say that of a cluster.
struct RealCluster {
  std::string servers;                   ///< "127.0.0.1:9092"
  std::string name;                      ///< for the report: "Kafka 4.1.1 of supyo stack", "supyo broker"
  std::string data;                      ///< data directory of its one broker, when that is on this machine: what it takes on disk is measured; empty: not known
  std::map<std::string, std::string> versions = {};
  std::optional<env::ProcessIdentity> broker = {};   ///< its one broker, when that is a process of this machine that a lab may stop
  /// A listener of that broker (first) which advertises the second: where a proxy of the lab may listen, so that all of a client's connections lead through it.
  std::optional<std::pair<env::NetAddress, env::NetAddress>> proxied = {};
};

struct RunOptions {
  bool real_clock = false;               ///< short, with the scenario's window scale
  std::optional<RealCluster> cluster = {};   ///< set: on this cluster, in real time, with clients of Kafka; not for labs about pipelines
  std::string flink = {};                ///< where Flink's jars are, for labs about a job on a real cluster
  std::string root = ".";                ///< the directory that the scenario's paths start from
  std::string directory;                 ///< for the arms' logs and tables; removed afterwards unless `keep`
  bool keep = false;
  std::string repeat;                    ///< the command that repeats this run, for the report
  /// Declared costs in virtual time: a durable write, and a table commit without fault. The report prints them.
  DurationUs journal_sync_us = 20 * kMillisecond, sink_commit_us = 50 * kMillisecond;
  /// Called about once a second of lab time, for each arm; one call at a time, from either arm's thread. `cancelled` may be called from both at once.
  std::function<void(std::string_view arm, double done_share)> progress = {};
  std::function<bool()> cancelled = {};
  /// kCancelled when it was.
  Status go_on() const { return cancelled && cancelled() ? fail(ErrorCode::kCancelled, "the lab was stopped") : ok(); }
};

/// options.directory, empty, for what a run writes. kMissingOption.
Status begin_data(const env::Env& env, const RunOptions& options);
/// Takes it away, unless it is to be kept.
Status end_data(const env::Env& env, const RunOptions& options);

/// Runs both arms (the fault and its control, side by side on two threads), and works out the verdict. `bench` makes pipelines from both threads. In virtual time the runner owns the clock: a record is given to the log when
/// its time has come, the job is stepped, and the clock goes on to whatever is due next. Errors: a broken scenario or objectives file, a job that
/// failed, kCancelled. A lab that ran and proved nothing is no error: its verdict is INVALID.
Result<LabResult> run_scenario(const env::Env& env, const Scenario& scenario, Bench& bench, const RunOptions& options);

}  // namespace supyo::scenario
