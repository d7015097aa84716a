#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connect/console/console.h"
#include "core/base/fault_point.h"
#include "core/base/result.h"
#include "core/config/settings.h"
#include "core/env/env.h"
#include "data/types/visibility.h"
#include "engine/runtime/job_runner.h"
#include "sql/plan/physical.h"
#include "sql/plan/planner.h"

namespace supyo::job {

class NewestRows;

/// What an engine is made with. Pointers are not owned and outlive it.
struct EngineOptions {
  std::string base_directory = {};            ///< relative paths in options start here: "." at the command line, as in Flink
  std::string state_dir = {};                 ///< of the job that start() makes; empty = it keeps nothing. System tables are read from it too
  bool keep_state = true;                 ///< off: `state_dir` is only looked into, jobs keep nothing (a session beside a job)
  connect::PrintTarget print = {};            ///< where 'print' tables write
  std::map<std::string, std::string> settings = {};  ///< --set: win over SET in the text
  VisibilityObserver* observer = nullptr; ///< the judge; rows carry origins when there is one
  std::vector<std::string> identity = {};     ///< columns that tell one result from another: rows of tables that have them are told to the observer
  NewestRows* newest = nullptr;           ///< looks on at what the job writes to its tables
  const FaultPoints* faults = nullptr;
  std::string replay_column = {};             ///< --replay: see runtime; needs a VirtualClock in `env` and the stepped drive
  bool bounded = false;                   ///< --bounded: see plan::PlannerOptions
  runtime::VirtualCosts costs = {};           ///< declared costs of outside effects in virtual time
  std::uint64_t seed = 0;                 ///< stepped drive
  bool rules = true;                      ///< off: plans are not rewritten (tests)
};

/// SQL text -> running job: the facade over syntax, planner, connectors and runtime. One session: DDL stays known until the engine goes.
/// One thread, except what JobRunner says of itself.
class Engine {
 public:
  /// Errors: kUnknownOption, kBadOptionValue (settings).
  static Result<std::unique_ptr<Engine>> create(const env::Env& env, EngineOptions options);
  ~Engine();

  /// Carries out DDL, SET and SHOW at once; INSERT and SELECT come back bound (plan::Job) for plan() and start().
  Result<plan::Outcome> execute(const syntax::Statement& statement);

  /// A whole file as one job: all its INSERTs together. `listing` gets what SHOW, DESCRIBE and EXPLAIN print, in order; may be empty.
  /// `variables` fill ${NAME}. Errors: those of the first bad statement, with its position in `text`; kInvalidQuery for a SELECT that writes nowhere.
  Result<plan::Job> load(std::string_view text, const std::map<std::string, std::string>& variables,
                         const std::function<void(const plan::Listing&)>& listing = {});

  Result<plan::PhysicalPlan> plan(const plan::Job& job) const;

  /// The graph and its runner, ready for run() or step(). A console job's rows go to `collect` (from shard threads).
  /// Errors: those of connectors (files, options), kStateLocked, kStateOfOtherJob, kDamaged.
  Result<std::unique_ptr<runtime::JobRunner>> start(const plan::Job& job, connect::CollectTarget collect = {});

  /// False: the job that start() made goes on from a state whose rows carry no origins, as no observer listened when it was first started; the observer
  /// is told of no result's completion.
  bool completions_counted() const;
  config::Settings& settings();
  catalog::Catalog& catalog();
  const expr::FunctionRegistry& functions() const;
  /// Columns of a console job.
  static Schema console_schema(const plan::Job& job) { return plan::Planner::console_schema(job); }

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::job
