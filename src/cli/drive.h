#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "core/env/real/real_env.h"
#include "engine/job/engine.h"
#include "engine/runtime/job_runner.h"

namespace supyo::slo {
class Judge;
}

namespace supyo::cli {

/// How a job is run to its end at the terminal.
struct DriveOptions {
  env::VirtualClock* clock = nullptr;   ///< set: stepped drive in virtual time (--replay)
  DurationUs for_us = 0;                ///< stops it after so long in real time; 0 = never
  bool progress = false;                ///< a line on standard error that is kept current
  std::function<void()> tick = {};      ///< called a few times a second while it runs (real time), from a thread beside it
  slo::Judge* judge = nullptr;          ///< told every second that time goes on
};

/// Runs the job: Ctrl-C and --for stop it with a final epoch.
Result<runtime::JobResult> drive(const Context& context, runtime::JobRunner& runner, const DriveOptions& options);

/// KEY=VALUE arguments as a map. kUsage naming the argument that is none.
Result<std::map<std::string, std::string>> parse_assignments(const std::vector<std::string>& arguments, std::string_view option);

/// A file with its variables filled in, ready for Engine::load: errors have positions in `text`.
struct Script {
  std::string name;
  std::string text;
};
/// Reads FILE ("-" is standard input) and fills in ${NAME}. On an error the exit status is in `result` and it was reported.
std::optional<Script> read_script(const Context& context, const std::string& path, const std::vector<std::string>& variables, int& result);

/// print and the console write here.
connect::PrintTarget print_target();

}  // namespace supyo::cli
