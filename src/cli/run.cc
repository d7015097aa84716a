#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/rows.h"
#include "cli/verdict.h"
#include "core/base/duration.h"
#include "judge/slo/feasibility.h"
#include "serve/http/dashboard.h"
#include "serve/http/job_api.h"
#include "serve/http/server.h"

/// supyo run FILE.sql: the statements of a file as one job.
namespace supyo::cli {
namespace {

constexpr std::string_view kExample =
    "Example (a file of your own, read as it is piped in):\n"
    "  printf 'a,1\\nb,2\\na,3\\n' > in.csv\n"
    "  cat > count.sql <<'SQL'\n"
    "  CREATE TABLE events (name STRING, n BIGINT) WITH ('connector'='filesystem', 'path'='in.csv', 'format'='csv');\n"
    "  CREATE TABLE counts (name STRING, total BIGINT) WITH ('connector'='print');\n"
    "  INSERT INTO counts SELECT name, SUM(n) FROM events GROUP BY name;\n"
    "  SQL\n"
    "  supyo run count.sql\n";

// In virtual time an outside effect takes as long as is declared here; the run says so.
constexpr runtime::VirtualCosts kReplayCosts{.journal_sync_us = kMillisecond, .sink_commit_us = 10 * kMillisecond};

struct RunOptions {
  std::string file, objectives_file, results_of, state, run_for, replay, dashboard;
  std::vector<std::string> settings, variables;
  std::optional<std::string> serve;
  bool json = false, bounded = false;
};

std::string summary(const runtime::JobResult& result, const runtime::JobStats& stats, DurationUs took) {
  if (result.was_finished) return "this job had finished before: nothing to do\n";
  std::string text = fmt::format("{}: {} rows in, {} out", result.state == runtime::JobState::kStopped ? "stopped" : "finished", grouped(stats.rows_in),
                                 grouped(stats.rows_out));
  if (stats.late > 0) text += fmt::format(", {} late", grouped(stats.late));
  if (stats.dead > 0) text += fmt::format(", {} dead", grouped(stats.dead));
  if (result.restarts > 0) text += fmt::format(", {} restarts", result.restarts);
  return text + fmt::format(", in {}\n", human_duration(took));
}

/// Says before the start which objectives this pipeline cannot meet.
void warn_infeasible(const slo::Objectives& objectives, job::Engine& engine, const plan::Job& job, bool as_written, const runtime::VirtualCosts& costs) {
  const auto physical = engine.plan(job);
  if (!physical) return;  // start() tells
  slo::PipelineTiming timing;
  timing.interval_us = engine.settings().get(config::kCheckpointInterval);
  timing.epoch_us = costs.journal_sync_us;
  timing.commit_us = costs.sink_commit_us;
  timing.readable_as_written = as_written;
  for (const plan::NodeIndex i : physical->scans()) {
    const auto* scan = physical->nodes[i].as<plan::Scan>();
    if (physical->holds_until_watermark && scan->row_time) timing.watermark_bound_us = std::max(timing.watermark_bound_us, scan->row_time->bound_us);
  }
  for (const auto& finding : slo::check_feasibility(objectives, timing).findings) {
    if (finding.kind != slo::Feasibility::Finding::Kind::kFine) write_error(fmt::format("warning: objective {}: {}\n", finding.objective, finding.text));
  }
}

/// A job that was first started without objectives kept no times with its rows.
void warn_uncounted(const slo::Objectives& objectives) {
  for (const slo::Objective& o : objectives.items)
    if (o.reference == slo::Reference::kCompletion)
      write_error(fmt::format("warning: objective {}: this state was begun without --slo, so when its results were complete is not known: it stays UNKNOWN. Begin a new state directory to count it\n", o.name));
}

class Run {
 public:
  Run(Context& context, const RunOptions& options) : context_(context), options_(options), clock_(0) {}

  int operator()() {
    int failed = kFine;
    const std::optional<Script> script = read_script(context_, options_.file, options_.variables, failed);
    if (!script) return failed;
    if (const Status checked = prepare(); !checked) return report(checked.error(), objectives_text_, options_.objectives_file);
    auto engine = job::Engine::create(env(), std::move(engine_options_));
    if (!engine) return report(engine.error());
    auto job = (*engine)->load(script->text, {}, [](const plan::Listing& listing) {
      RowPrinter printer(RowFormat::kTable, listing.schema, true);
      for (const auto& row : listing.rows) printer.add_row(row);
      printer.finish(-1);
    });
    if (!job) return report(job.error(), script->text, script->name);
    if (job->sinks.empty()) return kFine;  // only DDL, SHOW and EXPLAIN: done
    if (options_.serve)
      if (const auto physical = (*engine)->plan(*job)) watch_brokers(*physical);
    auto runner = (*engine)->start(*job);
    if (!runner) return report(runner.error(), script->text, script->name);
    if (judge_) warn_infeasible(judge_->declared(), **engine, *job, (*runner)->shape().readable_as_written, costs());
    if (judge_ && !(*engine)->completions_counted()) warn_uncounted(judge_->declared());
    return to_the_end(**runner);
  }

 private:
  bool replays() const { return !options_.replay.empty(); }
  runtime::VirtualCosts costs() const { return replays() ? kReplayCosts : runtime::VirtualCosts{}; }
  env::Env env() { return replays() ? env::Env{.clock = clock_, .files = context_.env.files, .random = context_.env.random} : context_.env; }

  /// A replay runs months in seconds: it is judged every ten minutes of its time, and hours without rows are nights, not silence.
  slo::JudgeOptions judge_options() const {
    slo::JudgeOptions o;
    o.results_of_another = !options_.results_of.empty();
    if (!replays()) {
      o.steady_us = env::since_boot_us;
      return o;
    }
    o.sample_us = 10 * kMinute;
    o.now_view_us = kDay;
    o.clear_after_us = kHour;
    o.unknown_after_us = 30 * kDay;
    return o;
  }

  Status prepare() {
    if (!options_.run_for.empty()) {
      SUPYO_ASSIGN(run_for_us_, parse_duration(options_.run_for));
    }
    if (options_.serve) {
      SUPYO_ASSIGN(listen_, http::parse_listen_address(*options_.serve));
    }
    SUPYO_ASSIGN(engine_options_.settings, parse_assignments(options_.settings, "--set"));
    engine_options_.base_directory = context_.working_directory;
    engine_options_.state_dir = options_.state;
    engine_options_.print = print_target();
    engine_options_.replay_column = options_.replay;
    engine_options_.bounded = options_.bounded;
    engine_options_.costs = costs();
    if (options_.serve || !options_.dashboard.empty()) newest_ = std::make_unique<job::NewestRows>();
    engine_options_.newest = newest_.get();
    if (!options_.results_of.empty()) SUPYO_TRY(watch_upstream());
    if (options_.objectives_file.empty()) return ok();
    SUPYO_ASSIGN(objectives_text_, read_text(context_, options_.objectives_file));
    SUPYO_ASSIGN(slo::Objectives objectives, load_objectives(objectives_text_, options_.objectives_file));
    judge_ = std::make_unique<slo::Judge>(std::move(objectives), judge_options());
    engine_options_.observer = judge_.get();
    for (const slo::Objective& o : judge_->declared().items) {
      if (o.measure == slo::Measure::kDuplicateRate) engine_options_.identity = o.identity;
    }
    return ok();
  }

  /// The group that a pipeline elsewhere reads as: whether it has committed all of its input tells whether it is good that none of its results come.
  Status watch_upstream() {
    constexpr std::string_view kScheme = "kafka://";
    const std::string_view text = options_.results_of;
    const std::size_t slash = text.starts_with(kScheme) ? text.find('/', kScheme.size()) : std::string_view::npos;
    if (slash == std::string_view::npos || slash == kScheme.size() || slash + 1 == text.size())
      return fail(ErrorCode::kUsage, fmt::format("--results-of is '{}'", text), "write kafka://HOST:PORT/GROUP: the brokers that the other pipeline reads from, and the consumer group that it reads as");
    if (options_.objectives_file.empty()) return fail(ErrorCode::kUsage, "--results-of needs --slo", "it says what is judged");
    if (replays() || options_.bounded) return fail(ErrorCode::kUsage, "--results-of is of a pipeline that runs now", "leave --replay and --bounded out");
    upstream_options_.servers = text.substr(kScheme.size(), slash - kScheme.size());
    upstream_options_.filter.groups = {std::string(text.substr(slash + 1))};
    upstream_options_.timeout_us = 3 * kSecond;
    return ok();
  }

  /// Told the judge whenever it was looked at.
  void tell_upstream() {
    const auto report = upstream_->report();
    if (report->at_us == upstream_told_us_) return;
    upstream_told_us_ = report->at_us;
    std::optional<bool> finished;
    if (report->reachable && report->complete)
      for (const watch::GroupReport& g : report->groups)
        if (g.name == upstream_options_.filter.groups.front()) finished = !g.partitions.empty() && g.lag == 0;
    judge_->upstream(finished, report->at_us);
  }

  http::JobPage page(const runtime::JobRunner& runner) {
    return {.clock = replays() ? static_cast<const env::Clock&>(clock_) : context_.env.clock, .runner = runner, .judge = judge_.get(), .newest = newest_.get(), .brokers = upstream_ ? upstream_.get() : brokers_.get()};
  }

  /// The brokers that the job reads from are watched, as the groups that it reads as, for what will be lost: the dashboard shows it.
  void watch_brokers(const plan::PhysicalPlan& physical) {
    watch::LiveOptions live;
    for (const plan::NodeIndex i : physical.scans()) {
      const auto* scan = physical.nodes[i].as<plan::Scan>();
      if (scan == nullptr || scan->table.connector() != "kafka") continue;
      const auto& o = scan->table.options;
      const auto servers = o.find("properties.bootstrap.servers"), group = o.find("properties.group.id");
      if (servers == o.end() || group == o.end() || servers->second.starts_with("embedded:")) continue;
      if (!live.filter.groups.empty() && servers->second != live.servers) continue;   // one cluster
      live.servers = servers->second;
      live.filter.groups.push_back(group->second);
    }
    if (live.filter.groups.empty()) return;
    live.every_us = 2 * kSecond;
    brokers_ = watch::Live::start(context_.env, std::move(live));
  }

  int to_the_end(runtime::JobRunner& runner) {
    if (!options_.results_of.empty()) upstream_ = watch::Live::start(context_.env, upstream_options_);
    std::unique_ptr<http::HttpServer> server;
    if (options_.serve) {
      auto started = http::HttpServer::start(context_.env, listen_, http::make_job_api(page(runner)));
      if (!started) return report(started.error());
      server = std::move(*started);
      write_error(fmt::format("serving {}/ (the dashboard), /metrics, /v1/\n", server->url()));
    }
    const TimeUs begin = context_.env.clock.monotonic_us();
    DriveOptions drive_options;
    drive_options.clock = replays() ? &clock_ : nullptr;
    drive_options.for_us = run_for_us_;
    drive_options.progress = context_.error_is_terminal && !options_.json;
    drive_options.judge = judge_.get();
    if (upstream_) drive_options.tick = [this] { tell_upstream(); };
    const auto result = drive(context_, runner, drive_options);
    if (!result) return report(result.error());
    const DurationUs took = context_.env.clock.monotonic_us() - begin;
    if (!options_.dashboard.empty() && !result->was_finished) {
      const Status written = context_.env.files.write_atomically(options_.dashboard, http::recorded_dashboard(page(runner)));
      if (!written) return report(written.error());
    }
    std::optional<Verdict> verdict;
    if (judge_) verdict = result->was_finished ? nothing_judged("the job had finished before") : verdict_of(*judge_);
    if (options_.json) {
      write_out(fmt::format("{{\"result\":\"{}\",\"was_finished\":{},\"took_s\":{:.3f},\"job\":{}{}}}\n", job_state_text(result->state), result->was_finished,
                            static_cast<double>(took) / kSecond, runtime::to_json(runner.stats()), verdict ? ",\"slo\":" + verdict->json : ""));
    } else {
      write_error(summary(*result, runner.stats(), took));
      if (replays() && !result->was_finished)
        write_error(fmt::format("replayed in virtual time: a journal sync is declared to take {}, a commit {}\n", human_duration(kReplayCosts.journal_sync_us),
                                human_duration(kReplayCosts.sink_commit_us)));
      if (verdict) write_out(verdict->text);
    }
    return verdict ? verdict->exit_status : kFine;
  }

  Context& context_;
  const RunOptions& options_;
  env::VirtualClock clock_;
  DurationUs run_for_us_ = 0;
  http::ListenAddress listen_;
  job::EngineOptions engine_options_;
  std::string objectives_text_;
  std::unique_ptr<slo::Judge> judge_;
  std::unique_ptr<job::NewestRows> newest_;
  std::unique_ptr<watch::Live> brokers_;
  watch::LiveOptions upstream_options_;
  std::unique_ptr<watch::Live> upstream_;
  TimeUs upstream_told_us_ = 0;
};

}  // namespace

void add_run(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* sub = app.add_subcommand("run", "run the statements of a file as one job");
  sub->add_option("FILE", options->file, "SQL file; - reads standard input")->required();
  sub->add_option("--slo", options->objectives_file, "objectives (OpenSLO YAML): judge the run and end with the verdict (status 3: breached, 4: too little seen)");
  sub->add_option("--results-of", options->results_of, "kafka://HOST:PORT/GROUP: what the file reads are the results of a pipeline elsewhere, which reads its input as this consumer group: that no results come is good only while it has committed all of its input");
  sub->add_option("--state", options->state, "state directory: resume from it when it holds a checkpoint; without it nothing is kept");
  sub->add_option("--set", options->settings, "KEY=VALUE: a setting, wins over SET in the file")->allow_extra_args(false);
  sub->add_option("--var", options->variables, "NAME=VALUE: fills ${NAME} in the file")->allow_extra_args(false);
  sub->add_option("--for", options->run_for, "stop after so long (10s, 5m)");
  sub->add_flag("--bounded", options->bounded, "read topics and watched directories to where they end now, fire what is open, and end");
  sub->add_option("--replay", options->replay, "COLUMN: play a recorded stream in virtual time, each row released at its time in that column");
  CLI::Option* serve = sub->add_option("--serve", options->serve, "[ADDR:]PORT: the dashboard, /metrics (Prometheus) and /v1/ on this machine while it runs; 8081 without a port");
  serve->expected(0, 1);
  sub->add_option("--dashboard", options->dashboard, "FILE.html: write the dashboard as it stands at the end, to be read without the job");
  sub->add_flag("--json", options->json, "one JSON document at the end");
  sub->footer(std::string(kExample));
  sub->callback([options, serve, &context, &result] {
    if (serve->count() > 0 && !options->serve) options->serve.emplace();
    result = Run(context, *options)();
  });
}

}  // namespace supyo::cli
