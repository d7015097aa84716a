#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/env/env.h"

namespace supyo::cli {

/// Where a command prints, and how it hears Ctrl-C.
struct LogCommandIo {
  std::function<void(std::string_view)> out;       ///< standard output
  std::function<void(std::string_view)> err;       ///< standard error
  std::function<bool()> stopped = [] { return false; };
};

/// `supyo log ls|cat|verify|repair DIR ...`; `args` begins with the action. Returns the exit status: 0 fine, 1 error or damage found, 2 usage.
int run_log_command(const env::Env& env, const std::vector<std::string>& args, const LogCommandIo& io);

}  // namespace supyo::cli
