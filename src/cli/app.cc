#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"
#include "cli/signals.h"
#include "core/env/real/real_env.h"

namespace supyo::cli {
namespace {

constexpr std::string_view kAbout =
    "Streaming SQL in Flink's dialect, exactly once, judged from the reader's side.\n\n"
    "  supyo sql -e \"SELECT 1 + 1\"\n"
    "  supyo run pipeline.sql --state state/\n"
    "  supyo lab run lag-blind-sink --out report/\n\n"
    "Each command explains itself: supyo run --help";

int usage_error(const CLI::ParseError& error, const CLI::App& app) {
  std::string command = "supyo";
  for (const CLI::App* at = &app; at != nullptr;) {
    const auto chosen = at->get_subcommands();
    at = chosen.empty() ? nullptr : chosen.front();
    if (at != nullptr) command += " " + at->get_name();
  }
  return report(Error{ErrorCode::kUsage, error.what(), fmt::format("{} --help shows the options and an example", command)});
}

}  // namespace

int run_command_line(int argc, char** argv) {
  install_signal_handlers();
  env::RealEnv real;
  Context context{real.env(), ::isatty(STDOUT_FILENO) != 0, ::isatty(STDERR_FILENO) != 0};
  int result = kFine;

  CLI::App app{std::string(kAbout), "supyo"};
  app.set_version_flag("--version", "supyo " SUPYO_VERSION, "print the version");
  bool licenses = false;
  app.add_flag("--licenses", licenses, "print the licences of Supyo and of the libraries in it");
  app.require_subcommand(0, 1);
  add_run(app, context, result);
  add_sql(app, context, result);
  add_explain(app, context, result);
  add_late(app, context, result);
  add_job(app, context, result);
  add_log(app, context, result);
  add_gen(app, context, result);
  add_slo(app, context, result);
  add_lab(app, context, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    write_out("supyo " SUPYO_VERSION "\n");
    return kFine;
  } catch (const CLI::Success&) {
    write_out(app.help());  // of the command that was chosen
    return kFine;
  } catch (const CLI::ParseError& error) {
    return usage_error(error, app);
  } catch (const std::exception& error) {
    return report(Error{ErrorCode::kInternal, error.what(), "this is a bug: please report it with the command that you gave"});
  }
  if (licenses) {
    write_out(licenses_text());
    return kFine;
  }
  if (app.get_subcommands().empty()) {
    write_out(app.help());
    return kUsage;
  }
  return result;
}

}  // namespace supyo::cli
