#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "connect/flink/http_get.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/processes.h"
#include "lab/stack/flink.h"

namespace supyo::scenario {

/// A Flink cluster that a lab starts on loopback, hurts and stops: a JobManager, an SQL gateway and TaskManagers, each a process of its own. They end with it. submit(), look(), rest() and
/// stop_with_drain() are thread-safe, the rest is for one thread. Needs env.processes, env.threads and env.net.
class FlinkCluster {
 public:
  struct Options {
    std::string flink;        ///< where Flink's jars are: lib/ (with the Kafka connector) and gateway/
    std::string directory;    ///< for its configuration, logs and checkpoints; empty or not there
    int slots = 2;            ///< of each TaskManager: a job of parallelism 1 takes one
    bool tables = false;      ///< Iceberg tables, too: what is in iceberg/
    bool may_hang = false;    ///< checkpoints go to a store that can hang: what is in hanging/
  };
  /// Of Flink and its Kafka connector, with `tables` also of Iceberg's, by their jars. kFileNotFound: no Flink there.
  static Result<std::map<std::string, std::string>> versions(env::Files& files, const std::string& flink, bool tables = false);
  /// Waits until all three answer. Errors: kFileNotFound (no Flink there), kProgramMissing (no Java), kOutsideUnavailable (it does not come up: where its logs are).
  static Result<std::unique_ptr<FlinkCluster>> start(const env::Env& env, const Options& options);

  /// Runs the statements of a script, with these settings of the session, and gives the id of the job that the last one starts. ${NAME} is `variables`' NAME.
  /// Errors: those of substitute_variables() and split_statements(), of SqlGateway; kJobFailed (no job was started).
  Result<std::string> submit(std::string_view script, const std::map<std::string, std::string>& variables, const std::map<std::string, std::string>& settings, DurationUs timeout_us);

  struct Checkpoint {
    std::int64_t id = 0;
    TimeUs triggered_us = 0, completed_us = 0;   ///< wall clock; completed 0: it is under way, or failed
  };
  /// As the JobManager tells it.
  struct Job {
    std::string state;                   ///< "RUNNING", "RESTARTING", "FINISHED", ..
    std::int64_t completed = 0, failed = 0, last_id = 0;   ///< checkpoints
    TimeUs last_completed_us = 0;        ///< wall clock, of the newest that is complete; 0: none
    DurationUs last_took_us = 0;         ///< from its trigger to its last acknowledgement
    std::int64_t restarts = 0;
    std::int64_t state_bytes = 0;        ///< of that checkpoint
    std::vector<Checkpoint> checkpoints = {};   ///< the newest some, newest first
  };
  Result<Job> look(const std::string& job) const;
  /// The body of an answer of the JobManager's REST API: what a connect::FlinkCollector asks with. Metrics are up to a second old.
  Result<std::string> rest(const std::string& path) const;
  /// Takes a last checkpoint, gives out what windows still hold, and ends the job.
  Status stop_with_drain(const std::string& job);

  /// The TaskManager that was started last.
  const env::ProcessIdentity& task_manager() const { return task_managers_.back()->identity(); }
  /// One more; those before stay what they are. Does not wait for it.
  Status start_task_manager();
  /// What becomes of checkpoints: kRefuses: where they go is not there until it is back with all that was in it; kHangs (`may_hang`): whoever writes a task's state waits until it answers again.
  enum class Store : std::uint8_t { kAnswers, kRefuses, kHangs };
  Status set_checkpoint_store(Store store);

 private:
  FlinkCluster(const env::Env& env, const Options& options) : env_(env), options_(options) {}
  Status come_up();
  Status write_configuration();
  std::string configuration() const { return env::join_path(options_.directory, "conf"); }
  stack::FlinkMemory memory() const;
  stack::FlinkJvm jvm(const std::string& name) const;
  Result<std::unique_ptr<env::Process>> start_process(const std::string& name, std::vector<std::string> command) const;
  Status wait_until_ready();

  env::Env env_;
  Options options_;
  std::string java_;
  Store store_ = Store::kAnswers;
  connect::HttpUrl rest_, gateway_;
  std::mutex submitting_;
  std::unique_ptr<env::Process> job_manager_, gateway_process_;
  std::vector<std::unique_ptr<env::Process>> task_managers_;
};

}  // namespace supyo::scenario
