#include "cli/shell.h"

#include <fmt/format.h>

#include "cli/drive.h"
#include "cli/signals.h"
#include "engine/runtime/control.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"

namespace supyo::cli {
namespace {

constexpr DurationUs kControlTimeout = kMinute;

}  // namespace

Result<std::unique_ptr<Shell>> Shell::create(const Context& context, RowFormat format, const std::string& state_dir, bool talkative) {
  std::unique_ptr<Shell> shell(new Shell(context, format, state_dir, talkative));
  job::EngineOptions options;
  options.base_directory = context.working_directory;
  options.state_dir = state_dir;
  options.keep_state = false;
  options.print = print_target();
  SUPYO_ASSIGN(shell->engine_, job::Engine::create(context.env, std::move(options)));
  return shell;
}

int Shell::execute(std::string_view text, std::string_view name) {
  const auto statements = syntax::parse_script(text);
  if (!statements) return report(statements.error(), text, name);
  for (const syntax::Statement& statement : *statements) {
    clear_stop_request();
    const Status done = execute(statement);
    if (!done) return report(done.error(), text, name);
    if (stop_requested()) break;
  }
  return kFine;
}

Status Shell::execute(const syntax::Statement& statement) {
  SUPYO_ASSIGN(plan::Outcome outcome, engine_->execute(statement));
  if (const auto* done = std::get_if<plan::Done>(&outcome)) {
    if (talkative_ && !done->message.empty()) write_out(done->message + "\n");
    return ok();
  }
  if (const auto* listing = std::get_if<plan::Listing>(&outcome)) {
    // EXPLAIN and SHOW CREATE: a long text needs no frame.
    if (format_ == RowFormat::kTable && listing->schema.size() == 1 && listing->rows.size() == 1) {
      const std::string text = listing->rows[0][0].to_string();
      if (text.find('\n') != std::string::npos) {
        write_out(text.ends_with('\n') ? text : text + "\n");
        return ok();
      }
    }
    RowPrinter printer(format_, listing->schema, true);
    for (const auto& row : listing->rows) printer.add_row(row);
    printer.finish(-1);
    return ok();
  }
  if (const auto* job = std::get_if<plan::Job>(&outcome)) return run_job(*job);
  if (const auto* stop = std::get_if<syntax::StopJob>(&outcome)) return stop_job(*stop);
  return show_jobs();
}

std::vector<std::string> Shell::listed(const std::string& statement) {
  std::vector<std::string> out;
  const auto parsed = syntax::parse_script(statement);
  if (!parsed || parsed->size() != 1) return out;
  const auto outcome = engine_->execute(parsed->front());
  const auto* listing = outcome ? std::get_if<plan::Listing>(&*outcome) : nullptr;
  if (listing == nullptr) return out;
  for (const auto& row : listing->rows)
    if (!row.empty()) out.push_back(row.front().to_string());
  return out;
}

KnownNames Shell::names() {
  return {.tables = [this] { return listed("SHOW TABLES"); },
          .columns = [this](const std::string& table) { return listed("DESCRIBE " + syntax::quote_identifier(table)); },
          .functions = [this] { return listed("SHOW FUNCTIONS"); }};
}

namespace {
/// What is not in the result is said beside it, on standard error: the rows stay clean for a pipe.
void tell_what_is_missing(const runtime::JobStats& stats) {
  if (stats.dead > 0)
    write_error(fmt::format("{} {} could not be read as rows: `supyo run FILE --state DIR` keeps them, with the reason, in `TABLE$dead`\n", grouped(stats.dead),
                            stats.dead == 1 ? "record" : "records"));
  if (stats.late > 0)
    write_error(fmt::format("{} {} came too late for the result: `supyo run FILE --state DIR` keeps them in `TABLE$late`\n", grouped(stats.late),
                            stats.late == 1 ? "row" : "rows"));
}
}  // namespace

Status Shell::run_job(const plan::Job& job) {
  const TimeUs begin = context_.env.clock.monotonic_us();
  DriveOptions drive_options;
  drive_options.progress = context_.error_is_terminal && !(job.console && context_.out_is_terminal);
  if (!job.console) {
    SUPYO_ASSIGN(const auto runner, engine_->start(job));
    SUPYO_ASSIGN(const runtime::JobResult result, drive(context_, *runner, drive_options));
    if (talkative_) {
      write_out(fmt::format("{} rows written in {}{}\n", grouped(runner->stats().rows_out), human_duration(context_.env.clock.monotonic_us() - begin),
                            result.state == runtime::JobState::kStopped ? " (stopped)" : ""));
    }
    tell_what_is_missing(runner->stats());
    return ok();
  }
  SUPYO_ASSIGN(const plan::PhysicalPlan physical, engine_->plan(job));
  bool append_only = true;
  for (const plan::NodeIndex sink : physical.sinks()) append_only &= physical.nodes[sink].changes.append_only();
  RowPrinter printer(format_, job::Engine::console_schema(job), append_only);
  SUPYO_ASSIGN(Zone zone, Zone::parse(engine_->settings().get(config::kLocalTimeZone)));
  printer.show_times_in(std::move(zone));
  if (context_.out_is_terminal) printer.watch_on_terminal();
  drive_options.tick = [&] { printer.tick(); };
  SUPYO_ASSIGN(const auto runner, engine_->start(job, [&](const BatchPtr& batch) { return printer.add(*batch); }));
  const auto result = drive(context_, *runner, drive_options);
  if (!result) {
    printer.give_up();
    return fail(result.error());
  }
  printer.finish(context_.env.clock.monotonic_us() - begin);
  tell_what_is_missing(runner->stats());
  return ok();
}

Status Shell::show_jobs() {
  Schema schema;
  schema.add("job id", Type::string());
  schema.add("job name", Type::string());
  schema.add("status", Type::string());
  RowPrinter printer(format_, schema, true);
  if (!state_dir_.empty()) {
    SUPYO_ASSIGN(const std::string status, job_status(context_, state_dir_));
    const auto text_of = [&](std::string_view key) {
      const std::size_t at = status.find(fmt::format("\"{}\":\"", key));
      if (at == std::string::npos) return Value{Type::string(), {}};
      const std::size_t from = at + key.size() + 4;
      return Value{Type::string(), status.substr(from, status.find('"', from) - from)};
    };
    printer.add_row({text_of("job_id"), text_of("name"), text_of("state")});
  }
  printer.finish(-1);
  if (state_dir_.empty() && talkative_) write_out("(jobs have state directories: supyo sql --state DIR shows that one)\n");
  return ok();
}

Status Shell::stop_job(const syntax::StopJob& stop) {
  if (state_dir_.empty())
    return fail(ErrorCode::kJobNotRunning, fmt::format("this session knows no job '{}'", stop.job), "start it with --state DIR of that job, or use `supyo job stop DIR`");
  SUPYO_ASSIGN(const std::string status, job_status(context_, state_dir_));
  if (status.find(json_string(stop.job)) == std::string::npos)
    return fail(ErrorCode::kJobNotRunning, fmt::format("the job of {} is not '{}'", state_dir_, stop.job), "SHOW JOBS shows its id");
  const auto request = stop.drain ? runtime::ControlRequest::kDrain : runtime::ControlRequest::kStop;
  return runtime::request_control_and_wait(context_.env, state_dir_, request, kControlTimeout);
}

}  // namespace supyo::cli
