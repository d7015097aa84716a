#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "core/base/duration.h"
#include "engine/runtime/control.h"

/// supyo job stop|drain|savepoint|status DIR
namespace supyo::cli {
namespace {

struct JobOptions {
  std::string directory, timeout = "1m";
  bool json = false;
};

int request(Context& context, const JobOptions& options, runtime::ControlRequest what, std::string_view done) {
  const auto timeout = parse_duration(options.timeout);
  if (!timeout) return report(timeout.error().with_context("--timeout"));
  const Status asked = runtime::request_control_and_wait(context.env, options.directory, what, *timeout);
  if (!asked) return report(asked.error());
  if (options.json) write_out(fmt::format("{{\"ok\":true,\"state_dir\":{}}}\n", json_string(options.directory)));
  else write_error(fmt::format("{}\n", done));
  return kFine;
}

/// The value of a top-level "key": in the status document, which we wrote ourselves.
std::string_view member(std::string_view json, std::string_view key) {
  const std::size_t at = json.find(fmt::format("\"{}\":", key));
  if (at == std::string_view::npos) return {};
  std::string_view rest = json.substr(at + key.size() + 3);
  if (rest.starts_with('"')) return rest.substr(1, rest.find('"', 1) - 1);
  return rest.substr(0, rest.find_first_of(",}"));
}

int status(Context& context, const JobOptions& options) {
  const auto text = job_status(context, options.directory);
  if (!text) return report(text.error());
  if (options.json) {
    write_out(text->ends_with('\n') ? *text : *text + "\n");
    return kFine;
  }
  const auto running = runtime::is_running(context.env, options.directory);
  if (!running) return report(running.error());
  const std::string_view state = member(*text, "state");
  const bool ended_hard = !*running && (state == "RUNNING" || state == "RESTARTING" || state == "STOPPING" || state == "DRAINING");
  write_out(fmt::format("job       {} ({})\nstate     {}\nbackend   {}\nrows in   {}\nrows out  {}\nlate      {}\ndead      {}\nrestarts  {}\n", member(*text, "name"), member(*text, "job_id"),
                        ended_hard ? "not running: the process ended without a word; run it again and it goes on" : state, member(*text, "state_backend"), member(*text, "rows_in"),
                        member(*text, "rows_out"), member(*text, "late"), member(*text, "dead"), member(*text, "restarts")));
  if (const auto error = member(*text, "last_error"); !error.empty()) write_out(fmt::format("error     {}\n", error));
  return kFine;
}

}  // namespace

Result<std::string> job_status(const Context& context, const std::string& state_dir) {
  auto text = runtime::read_status(context.env, state_dir);
  if (!text && text.error().code == ErrorCode::kNotFoundOnDisk)
    return fail(ErrorCode::kFileNotFound, fmt::format("no job has run with the state directory {}", state_dir), "give the directory of --state of the job's `supyo run`");
  return text;
}

void add_job(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<JobOptions>();
  CLI::App* sub = app.add_subcommand("job", "end, save or look at the running job of a state directory");
  sub->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, std::function<int()> body) {
    CLI::App* command = sub->add_subcommand(name, help);
    command->add_option("DIR", options->directory, "the job's state directory")->required();
    command->add_option("--timeout", options->timeout, "how long to wait for it");
    command->add_flag("--json", options->json, "one JSON document");
    command->callback([body = std::move(body), &result] { result = body(); });
  };
  add("stop", "end it with a last epoch; windows stay open, the same command goes on later",
      [options, &context] { return request(context, *options, runtime::ControlRequest::kStop, "stopped: the same command goes on from here"); });
  add("drain", "end it for good: open windows fire",
      [options, &context] { return request(context, *options, runtime::ControlRequest::kDrain, "drained: everything that was open has fired"); });
  add("savepoint", "take an epoch and a snapshot now; it goes on",
      [options, &context] { return request(context, *options, runtime::ControlRequest::kSavepoint, "saved"); });
  add("status", "what it does, or did last", [options, &context] { return status(context, *options); });
  sub->footer("Example:\n  supyo run pipeline.sql --state state/ &\n  supyo job status state/\n  supyo job stop state/");
}

}  // namespace supyo::cli
