#include <CLI/CLI.hpp>

#include "cli/context.h"
#include "cli/log_command.h"
#include "cli/signals.h"

/// supyo log ls|cat|verify|repair DIR: hands its arguments to log_command.h.
namespace supyo::cli {

void add_log(CLI::App& app, Context& context, int& result) {
  CLI::App* sub = app.add_subcommand("log", "look into an embedded log, verify it, mend it");
  sub->prefix_command();
  sub->set_help_flag();
  sub->callback([sub, &context, &result] {
    result = run_log_command(context.env, sub->remaining(), {.out = write_out, .err = write_error, .stopped = stop_requested});
  });
}

}  // namespace supyo::cli
