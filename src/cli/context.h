#pragma once
#include <cstdio>
#include <string>
#include <string_view>

#include "core/base/human_duration.h"
#include "core/base/result.h"
#include "core/env/env.h"

namespace CLI {
class App;
}

/// The command line: reads argv and the terminal, owns the real environment, and hands everything else down. One file a subcommand:
/// each declares its options on a CLI::App and sets `Context::run` when it was chosen.
namespace supyo::cli {

/// Exit statuses (docs/ARCHITECTURE.md, errors).
enum ExitStatus : int {
  kFine = 0,        ///< objectives met; a lab's verdict is the one its scenario predicts
  kFailed = 1,      ///< an error, told on standard error
  kUsage = 2,       ///< the command line makes no sense
  kBreached = 3,    ///< objective breached, or another verdict than predicted
  kUndecided = 4,   ///< INVALID where not predicted, or not enough data to say
};

/// What every command gets. Lives in main; one thread, except write_out() and write_error().
struct Context {
  env::Env env;
  bool out_is_terminal = false;
  bool error_is_terminal = false;
  /// Absolute: relative paths in SQL options start here, and Iceberg metadata names files by full paths.
  std::string working_directory = ".";
};

/// Whole blocks, never interleaved: any thread. A reader that went away (`| head`) ends the process quietly, as it does other tools.
void write_out(std::string_view text);
void write_error(std::string_view text);

/// Tells the error on standard error, with the place in `text` (file `name`) when it has one; the exit status that goes with it.
int report(const Error& error, std::string_view text = {}, std::string_view name = {});

/// A file's whole text; "-" is standard input. Errors: kFileNotFound, kIo.
Result<std::string> read_text(const Context& context, const std::string& path);

/// The status that a job left in its state directory (JSON). kFileNotFound when no job ever ran there.
Result<std::string> job_status(const Context& context, const std::string& state_dir);

/// `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
/// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t n);

// The subcommands. `result` is the exit status of the one that ran.
void add_run(CLI::App& app, Context& context, int& result);
void add_sql(CLI::App& app, Context& context, int& result);
void add_explain(CLI::App& app, Context& context, int& result);
void add_job(CLI::App& app, Context& context, int& result);
void add_log(CLI::App& app, Context& context, int& result);
void add_broker(CLI::App& app, Context& context, int& result);
void add_consume(CLI::App& app, Context& context, int& result);
void add_watch(CLI::App& app, Context& context, int& result);
void add_diagnose(CLI::App& app, Context& context, int& result);
void add_gen(CLI::App& app, Context& context, int& result);
void add_slo(CLI::App& app, Context& context, int& result);
void add_lab(CLI::App& app, Context& context, int& result);
void add_lab_worker(CLI::App& app, Context& context, int& result);
void add_lab_member(CLI::App& app, Context& context, int& result);
void add_stack(CLI::App& app, Context& context, int& result);
void add_submit(CLI::App& app, Context& context, int& result);
void add_bench(CLI::App& app, Context& context, int& result);
void add_late(CLI::App& app, Context& context, int& result);

/// What `supyo --licenses` prints.
std::string_view licenses_text();

/// The whole program but for the check of the processor, which main() does before anything else.
int run_command_line(int argc, char** argv);

}  // namespace supyo::cli
