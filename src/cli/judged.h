#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/context.h"
#include "serve/watch/live.h"

namespace supyo::cli {

/// The options that `watch` and `diagnose` share.
struct JudgedOptions {
  std::string servers = "127.0.0.1:9092", every, horizon = "6h", flink;
  watch::Filter filter;
  std::vector<std::string> broker_logs, client_logs;
};
void add_judged_options(CLI::App& sub, JudgedOptions& options, const std::string& every);
/// kBadOptionValue; kFileNotFound for a broker's log that is not there.
Result<watch::LiveOptions> live_options(const Context& context, const JudgedOptions& options);

}  // namespace supyo::cli
