#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "cli/context.h"
#include "cli/judged.h"
#include "cli/signals.h"
#include "core/base/duration.h"
#include "serve/http/server.h"
#include "serve/http/watch_api.h"
#include "serve/watch/report.h"
#include "serve/watch/screen.h"

/// supyo watch: topics and groups of a cluster that somebody else runs, live. Only asks.
namespace supyo::cli {
namespace {

constexpr std::string_view kDefaultServe = "8082";
constexpr DurationUs kTimeout = 10 * kSecond;
constexpr DurationUs kPause = 20 * kMillisecond, kScreenPause = 100 * kMillisecond;

struct WatchCommand {
  JudgedOptions judged;
  std::string for_time;
  std::optional<std::string> serve;
  bool json = false, plain = false;
};

/// What a log should have of it: the cluster's state when it changes, losses, and findings that are new.
class Teller {
 public:
  void tell(const watch::Report& report) {
    const std::string state = report.reachable ? fmt::format("{} topics, {} groups", report.topics, report.groups.size()) : report.problem;
    if (report.reachable != reachable_ || first_) write_out(fmt::format("{}: {}\n{}", report.source, watch::plain(state), !report.reachable && report.known() ? watch::last_known_text(report) + "\n" : ""));
    reachable_ = report.reachable;
    first_ = false;
    std::set<std::string> now;
    for (const watch::GroupReport& g : report.groups) {
      for (const auto& p : g.partitions) {
        std::int64_t& known = lost_[fmt::format("{} in {}-{}", g.name, p.topic, p.partition)];
        if (p.lost > known) write_out(fmt::format("{} LOST {} records in {}-{}: deleted before they were read\n", watch::plain(g.name), grouped(static_cast<std::uint64_t>(p.lost - known)), p.topic, p.partition));
        known = p.lost;
      }
      for (const auto& f : g.findings) note(f, now);
    }
    for (const auto& f : report.cluster) note(f, now);
    if (report.reachable) told_ = std::move(now);
  }

 private:
  void note(const diagnosis::Finding& f, std::set<std::string>& now) {
    if (f.severity == diagnosis::Severity::kInfo) return;
    const std::string key = fmt::format("{} {}", diagnosis::cause_name(f.cause), f.subject);
    if (now.insert(key).second && !told_.contains(key)) write_out(fmt::format("{}: {}: {} -> {}\n", diagnosis::severity_name(f.severity), watch::plain(f.subject), watch::plain(f.what), watch::plain(f.next)));
  }
  bool reachable_ = false, first_ = true;
  std::map<std::string, std::int64_t> lost_;
  std::set<std::string> told_;
};

Result<int> run_watch(const Context& context, const WatchCommand& command) {
  DurationUs for_us = 0;
  if (!command.for_time.empty()) {
    SUPYO_ASSIGN(for_us, parse_duration(command.for_time));
  }
  SUPYO_ASSIGN(auto options, live_options(context, command.judged));
  options.timeout_us = kTimeout;
  const auto live = watch::Live::start(context.env, std::move(options));
  std::unique_ptr<http::HttpServer> server;
  if (command.serve) {
    SUPYO_ASSIGN(const auto address, http::parse_listen_address(command.serve->empty() ? kDefaultServe : *command.serve));
    SUPYO_ASSIGN(server, http::HttpServer::start(context.env, address, http::make_watch_api(context.env.clock, [l = live.get()] { return *l->view(); })));
    write_error(fmt::format("serving {}/ (both flows), /metrics, /v1/flows\n", server->url()));
  }
  Teller teller;
  std::unique_ptr<watch::Screen> screen;
  if (context.out_is_terminal && !command.json && !command.plain) {
    SUPYO_ASSIGN(screen, watch::Screen::open());
  }
  watch::Pages pages;
  const TimeUs begin = context.env.clock.monotonic_us();
  std::uint64_t told = 0;
  while (!stop_requested() && (for_us == 0 || context.env.clock.monotonic_us() - begin < for_us)) {
    if (screen) {
      if (!screen->show(pages, *live->report(), kScreenPause)) break;
      continue;
    }
    if (const std::uint64_t looks = live->looks(); looks != told) {
      told = looks;
      if (command.json) write_out(watch::report_json(*live->report()) + "\n");
      else teller.tell(*live->report());
    }
    context.env.threads->idle(kPause);
  }
  if (live->report()->reachable) return kFine;
  // The last that was known is that nobody answers: a script must not take that for good.
  if (live->looks() == 0) write_error("ended before the first look\n");
  return kFailed;
}

}  // namespace

void add_watch(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<WatchCommand>();
  CLI::App* sub = app.add_subcommand("watch", "judge topics and consumer groups of a cluster live: losses that come, causes of lag, what to do; read only");
  add_judged_options(*sub, command->judged, "1s");
  sub->add_option("--for", command->for_time, "end after so long: 30s");
  CLI::Option* serve = sub->add_option("--serve", command->serve, fmt::format("[ADDR:]PORT: serve metrics for Prometheus, and a page of both flows; {} without a port", kDefaultServe));
  serve->expected(0, 1);
  sub->add_flag("--json", command->json, "one object a look, the report that diagnose gives");
  sub->add_flag("--plain", command->plain, "lines of what is new instead of the live view");
  sub->footer("Example:\n  supyo stack up kafka\n  supyo watch --bootstrap 127.0.0.1:9092 --serve 8082 --for 1h    (then: curl localhost:8082/metrics; the page is localhost:8082)\n"
              "A broker tells no group's lag: Prometheus gets it here. Losses are seen by commits; supyo consume counts its own exactly.\n"
              "Exit status: 1 when at the end nobody answers, else 0 (what is wrong: supyo diagnose).");
  sub->callback([command, serve, &context, &result] {
    if (serve->count() > 0 && !command->serve) command->serve.emplace();
    const auto done = run_watch(context, *command);
    result = done ? *done : report(done.error());
  });
}

}  // namespace supyo::cli
