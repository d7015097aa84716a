#include "engine/job/engine.h"

#include <fmt/format.h>

#include "data/formats/format.h"
#include "data/state/job_directory.h"
#include "engine/job/connectors.h"
#include "engine/job/graph_builder.h"
#include "engine/job/system_tables.h"
#include "sql/syntax/parser.h"

namespace supyo::job {
namespace {

runtime::RestartStrategy restart_strategy(const config::Settings& s) {
  runtime::RestartStrategy r;
  const std::string_view kind = s.get(config::kRestartStrategy);
  if (kind == "none") {
    r.kind = runtime::RestartStrategy::Kind::kNone;
  } else if (kind == "fixed-delay") {
    r.attempts = static_cast<std::uint32_t>(s.get(config::kRestartAttempts));
    r.delay_us = s.get(config::kRestartDelay);
  } else {
    r.kind = runtime::RestartStrategy::Kind::kExponential;
    r.attempts = static_cast<std::uint32_t>(s.get(config::kRestartMaxAttempts));
    r.delay_us = s.get(config::kRestartInitialBackoff);
    r.delay_max_us = s.get(config::kRestartMaxBackoff);
  }
  return r;
}

}  // namespace

struct Engine::Impl {
  Impl(const env::Env& e, EngineOptions o)
      : env(e),
        options(std::move(o)),
        catalog(connector_registry(), catalog_factories(env), options.base_directory),
        system(env, options.state_dir),
        planner(catalog, functions, settings, planner_options()) {}

  plan::PlannerOptions planner_options() {
    plan::PlannerOptions p;
    p.rules = options.rules;
    p.bounded = options.bounded;
    if (!options.replay_column.empty()) p.also_read.push_back(options.replay_column);
    p.system_table = [this](const catalog::ObjectPath& path) { return system.find(path); };
    return p;
  }

  // What the command line set wins over SET and RESET in the text.
  Status pin_settings() {
    for (const auto& [key, value] : options.settings) SUPYO_TRY(settings.set(key, value));
    return ok();
  }

  env::Env env;
  EngineOptions options;
  expr::FunctionRegistry functions;
  bool completions_counted = false;
  config::Settings settings;
  catalog::Catalog catalog;
  SystemTables system;
  plan::Planner planner;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(const env::Env& env, EngineOptions options) {
  auto impl = std::make_unique<Impl>(env, std::move(options));
  SUPYO_TRY(impl->pin_settings());
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<plan::Outcome> Engine::execute(const syntax::Statement& statement) {
  SUPYO_ASSIGN(plan::Outcome outcome, impl_->planner.execute(statement));
  SUPYO_TRY(impl_->pin_settings());
  return outcome;
}

Result<plan::Job> Engine::load(std::string_view text, const std::map<std::string, std::string>& variables,
                               const std::function<void(const plan::Listing&)>& listing) {
  SUPYO_ASSIGN(const std::string filled, syntax::substitute_variables(text, {variables.begin(), variables.end()}));
  SUPYO_ASSIGN(const auto statements, syntax::parse_script(filled));
  plan::Job job;
  for (const syntax::Statement& s : statements) {
    SUPYO_ASSIGN(plan::Outcome outcome, execute(s));
    if (auto* j = std::get_if<plan::Job>(&outcome)) {
      if (j->console)
        return fail(ErrorCode::kInvalidQuery, "this SELECT writes nowhere: a file that runs as a job needs INSERT INTO", "put INSERT INTO a 'print' table before it, or run it with `supyo sql -f`");
      job.append(std::move(*j));
    } else if (auto* l = std::get_if<plan::Listing>(&outcome); l != nullptr && listing) {
      listing(*l);
    } else if (!std::holds_alternative<plan::Done>(outcome) && !std::holds_alternative<plan::Listing>(outcome)) {
      return fail(ErrorCode::kUnsupported, "SHOW JOBS and STOP JOB belong to a session", "use `supyo job status DIR` and `supyo job stop DIR`");
    }
  }
  return job;
}

Result<plan::PhysicalPlan> Engine::plan(const plan::Job& job) const { return impl_->planner.plan(job); }

Result<std::unique_ptr<runtime::JobRunner>> Engine::start(const plan::Job& job, connect::CollectTarget collect) {
  SUPYO_ASSIGN(const plan::PhysicalPlan physical, plan(job));
  const config::Settings& s = impl_->settings;
  GraphOptions g;
  g.base_directory = impl_->options.base_directory;
  g.origins = impl_->options.observer != nullptr;
  if (impl_->options.keep_state && !impl_->options.state_dir.empty()) {
    // State is laid out with origins or without, and stays as the job's first start made it.
    const auto file = state::read_job_file(impl_->env.files, impl_->options.state_dir);
    if (file && file->fingerprint == state_fingerprint(physical, !g.origins)) g.origins = !g.origins;
  }
  impl_->completions_counted = g.origins;
  g.observer = impl_->options.observer;
  g.identity = impl_->options.identity;
  g.newest = impl_->options.newest;
  g.replay_column = impl_->options.replay_column;
  g.final_only = s.get(config::kRuntimeMode) != "streaming";
  g.adaptive_levels = s.get(config::kAggPhase) == "auto";
  g.cut_outputs = s.get(config::kOutputConsistency) == "cut";
  g.late_retention_us = s.get(config::kLateRetention);
  g.dead_retention_us = s.get(config::kDeadRetention);
  g.collect = std::move(collect);
  auto zone = Zone::parse(s.get(config::kLocalTimeZone));
  if (!zone) return fail(std::move(zone).error().with_context("'table.local-time-zone'"));
  g.zone = std::move(*zone);
  const ConnectorContext context{impl_->env, impl_->options.print};
  SystemTables nowhere(impl_->env, "");
  SystemTables& system = impl_->options.keep_state ? impl_->system : nowhere;
  SUPYO_ASSIGN(auto graph, build_graph(physical, g, context, system));

  runtime::JobConfig c;
  if (const auto name = s.get(config::kPipelineName); !name.empty()) c.name = std::string(name);
  c.parallelism = static_cast<std::uint32_t>(s.get(config::kParallelism));
  c.checkpoint_interval_us = s.get(config::kCheckpointInterval);
  c.tolerable_failed_checkpoints = static_cast<std::uint32_t>(s.get(config::kTolerableFailures));
  c.epoch_rows = static_cast<std::uint64_t>(s.get(config::kEpochRows));
  c.batch_rows = static_cast<std::size_t>(s.get(config::kBatchRows));
  c.queue_batches = static_cast<std::size_t>(s.get(config::kExchangeBatches));
  if (impl_->options.keep_state) c.state_dir = impl_->options.state_dir;
  c.journal.segment_bytes = static_cast<std::uint64_t>(s.get(config::kJournalSegment));
  c.journal.snapshot_after_bytes = static_cast<std::uint64_t>(s.get(config::kSnapshotAfter));
  if (s.get(config::kStateBackend) == "rocksdb") c.spill = {.memory_bytes = static_cast<std::size_t>(s.get(config::kRocksdbMemory)), .directory = std::string(s.get(config::kRocksdbDirectory))};
  c.restart = restart_strategy(s);
  c.costs = impl_->options.costs;
  c.observer = impl_->options.observer;
  c.faults = impl_->options.faults;
  c.seed = impl_->options.seed;
  SUPYO_ASSIGN(auto runner, runtime::JobRunner::create(impl_->env, std::move(graph), std::move(c)));
  SUPYO_TRY(system.write());
  return runner;
}

bool Engine::completions_counted() const { return impl_->completions_counted; }

config::Settings& Engine::settings() { return impl_->settings; }
catalog::Catalog& Engine::catalog() { return impl_->catalog; }
const expr::FunctionRegistry& Engine::functions() const { return impl_->functions; }

}  // namespace supyo::job
