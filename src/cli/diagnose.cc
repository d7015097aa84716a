#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/judged.h"
#include "cli/signals.h"
#include "core/base/duration.h"
#include "serve/watch/report.h"

/// supyo diagnose: one report on a cluster that somebody else runs: what is lost or will be, why groups are behind, what to do. Only asks.
namespace supyo::cli {
namespace {

constexpr DurationUs kPause = 20 * kMillisecond;
constexpr DurationUs kNobody = 10 * kSecond;   // it does not look on when nobody answered for so long
constexpr int kRoundsOfMarks = 12;   // timestamps around what is unread, as exactly as a watch has them after so many looks

struct DiagnoseCommand {
  JudgedOptions judged;
  std::string for_time = "1m";
  bool json = false;
};

Result<int> run_diagnose(const Context& context, const DiagnoseCommand& command) {
  SUPYO_ASSIGN(auto options, live_options(context, command.judged));
  SUPYO_ASSIGN(const DurationUs for_us, parse_duration(command.for_time));
  options.marks_a_look = kRoundsOfMarks;
  const TimeUs begin = context.env.clock.monotonic_us();
  const auto live = watch::Live::start(context.env, options);
  bool told = false;
  while (!stop_requested()) {
    const DurationUs passed = context.env.clock.monotonic_us() - begin;
    if (live->looks() > 0 && (passed >= for_us || (passed >= kNobody && !live->report()->reachable))) break;
    if (context.error_is_terminal) {
      write_error(fmt::format("\rlooking for {}: {} left  ", human_duration(for_us), human_duration(std::max<DurationUs>(0, for_us - passed) / kSecond * kSecond)));
      told = true;
    }
    context.env.threads->idle(kPause);
  }
  if (told) write_error("\r\x1b[K");
  const auto report = live->report();
  write_out(command.json ? watch::report_json(*report) + "\n" : watch::report_text(*report));
  if (!report->reachable) return static_cast<int>(kFailed);
  return watch::exit_status(*report);
}

}  // namespace

void add_judged_options(CLI::App& sub, JudgedOptions& options, const std::string& every) {
  options.every = every;
  sub.add_option("--bootstrap", options.servers, "brokers: host:port, several with commas")->capture_default_str();
  sub.add_option("--group", options.filter.groups, "only these groups; may be given again and again")->allow_extra_args(false);
  sub.add_option("--topic", options.filter.topic, "only this topic");
  sub.add_option("--every", options.every, "time between two looks; on a large cluster it rests four times as long as it asks")->capture_default_str();
  sub.add_option("--horizon", options.horizon, "tell of losses that come within so long")->capture_default_str();
  sub.add_option("--flink", options.flink, "REST address of a Flink cluster: checkpoints, backpressure, restarts and watermarks of its jobs; a job belongs to the group whose name is in its name");
  sub.add_option("--broker-log", options.broker_logs, "a broker's server.log or log-cleaner.log: tells why members left and what the cleaner gave up; may be given again and again")->allow_extra_args(false);
  sub.add_option("--clients", options.client_logs, "a file in which members tell of their own work, a JSON object a line (docs/design/diagnosis.md): tells computing from waiting; may be given again and again")->allow_extra_args(false);
}

Result<watch::LiveOptions> live_options(const Context& context, const JudgedOptions& options) {
  watch::LiveOptions live{.servers = options.servers, .filter = options.filter, .broker_logs = options.broker_logs, .client_logs = options.client_logs};
  SUPYO_ASSIGN(live.every_us, parse_duration(options.every));
  SUPYO_ASSIGN(live.horizon_us, parse_duration(options.horizon));
  if (live.every_us < 100 * kMillisecond) return fail(ErrorCode::kBadOptionValue, fmt::format("--every {} is too often", options.every), "100ms at least");
  if (!options.flink.empty()) {
    SUPYO_ASSIGN(live.flink, connect::parse_http_url(options.flink));
  }
  for (const std::string& path : options.broker_logs) {
    SUPYO_ASSIGN(const bool there, context.env.files.exists(path));
    if (!there) return fail(ErrorCode::kFileNotFound, fmt::format("--broker-log {}: there is no such file", path));
  }
  for (const std::string& path : options.client_logs) {
    SUPYO_ASSIGN(const bool there, context.env.files.exists(path));
    if (!there) return fail(ErrorCode::kFileNotFound, fmt::format("--clients {}: there is no such file", path));
  }
  return live;
}

void add_diagnose(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<DiagnoseCommand>();
  CLI::App* sub = app.add_subcommand("diagnose", "what is wrong with a cluster's groups and topics: losses that come, causes of lag, what to do; read only");
  add_judged_options(*sub, command->judged, "5s");
  sub->add_option("--for", command->for_time, "look for so long before the report; rates need 45 s")->capture_default_str();
  sub->add_flag("--json", command->json, "the report as one JSON document");
  sub->footer("Example:\n  supyo stack up kafka\n  supyo diagnose --bootstrap 127.0.0.1:9092 --for 1m\n"
              "Exit status: 0 nothing to do, 3 an incident or a ticket, 4 not enough is known, 1 nobody answers.");
  sub->callback([command, &context, &result] {
    const auto done = run_diagnose(context, *command);
    result = done ? *done : report(done.error());
  });
}

}  // namespace supyo::cli
