#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "cli/context.h"
#include "cli/signals.h"
#include "connect/kafka/admin.h"
#include "core/base/duration.h"
#include "serve/http/server.h"
#include "serve/http/watch_api.h"
#include "serve/watch/look.h"
#include "serve/watch/render.h"
#include "serve/watch/watcher.h"

/// supyo watch: topics and groups of a cluster that somebody else runs, live. Only asks.
namespace supyo::cli {
namespace {

constexpr std::string_view kDefaultServe = "8082";
constexpr DurationUs kEvery = kSecond;
constexpr DurationUs kAdminTimeout = 900 * kMillisecond;   // below the second within which Ctrl-C ends everything
constexpr DurationUs kPause = 20 * kMillisecond;
constexpr std::size_t kRowsMax = 40;

struct WatchCommand {
  std::string servers = "127.0.0.1:9092", for_time;
  watch::Filter filter;
  std::optional<std::string> serve;
  bool json = false;
};

std::string signed_text(std::int64_t n) { return n < 0 ? "-" + grouped(static_cast<std::uint64_t>(-n)) : grouped(static_cast<std::uint64_t>(n)); }

/// Tells what is seen: a table that stays current on a terminal, else only what a log should have.
class Teller {
 public:
  Teller(const Context& context, bool json) : context_(context), json_(json) {}

  void tell(const watch::View& view) {
    if (json_) return write_out(watch::flows_json(view) + "\n");
    if (view.took_us == 0) return;
    if (context_.out_is_terminal) return show_table(view);
    if (view.reachable != reachable_ || first_) write_out(view.reachable ? fmt::format("{}: {} topics, {} groups\n", view.source, view.topics.size(), view.groups.size()) : fmt::format("{}: {}\n", view.source, view.problem));
    reachable_ = view.reachable;
    first_ = false;
    for (const watch::GroupView& g : view.groups)
      for (const watch::GroupPartitionView& p : g.partitions) {
        std::uint64_t& known = lost_[fmt::format("{} in {}-{}", g.name, p.topic, p.partition)];
        if (p.lost > known) write_out(fmt::format("{} LOST {} records in {}-{}: deleted before they were read\n", g.name, grouped(p.lost - known), p.topic, p.partition));
        known = p.lost;
      }
  }

 private:
  void show_table(const watch::View& view) {
    std::string text = view.reachable ? fmt::format("{}   {} topics, {} groups\n", view.source, view.topics.size(), view.groups.size()) : fmt::format("{}: {}\n", view.source, view.problem);
    text += fmt::format("{:<28} {:<24} {:>4} {:>10} {:>13} {:>13} {:>10} {:>12}\n", "GROUP", "TOPIC", "PART", "RATE/S", "LAG", "HEADROOM", "LOST", "LOSES IN");
    std::size_t rows = 0, left = 0;
    for (const watch::GroupView& g : view.groups)
      for (const watch::GroupPartitionView& p : g.partitions) {
        if (++rows > kRowsMax) {
          ++left;
          continue;
        }
        text += fmt::format("{:<28.28} {:<24.24} {:>4} {:>10.0f} {:>13} {:>13} {:>10} {:>12}\n", g.name, p.topic, p.partition, p.rate, signed_text(p.lag()), signed_text(p.headroom()), grouped(p.lost),
                            p.loss_in_s ? human_duration(static_cast<DurationUs>(*p.loss_in_s * kSecond)) : "-");
      }
    if (left > 0) text += fmt::format("and {} more; --group and --topic choose\n", left);
    write_out((lines_ > 0 ? fmt::format("\x1b[{}A\x1b[J", lines_) : "") + text);
    lines_ = std::ranges::count(text, '\n');
  }

  const Context& context_;
  bool json_, reachable_ = false, first_ = true;
  std::ptrdiff_t lines_ = 0;
  std::map<std::string, std::uint64_t> lost_;
};

Result<int> run_watch(const Context& context, const WatchCommand& command) {
  DurationUs for_us = 0;
  if (!command.for_time.empty()) {
    SUPYO_ASSIGN(for_us, parse_duration(command.for_time));
  }
  std::unique_ptr<connect::KafkaAdmin> admin;   // of the watcher's thread
  const auto watcher = watch::Watcher::start(context.env, command.servers, [&]() -> Result<watch::View> {
    if (!admin) {
      SUPYO_ASSIGN(admin, connect::KafkaAdmin::open(command.servers, kAdminTimeout));
    }
    return watch::look_at_cluster(*admin, command.filter);
  }, kEvery);
  std::unique_ptr<http::HttpServer> server;
  if (command.serve) {
    SUPYO_ASSIGN(const auto address, http::parse_listen_address(command.serve->empty() ? kDefaultServe : *command.serve));
    SUPYO_ASSIGN(server, http::HttpServer::start(context.env, address, http::make_watch_api(context.env.clock, [w = watcher.get()] { return w->view(); })));
    write_error(fmt::format("serving {}/ (both flows), /metrics, /v1/flows\n", server->url()));
  }
  Teller teller(context, command.json);
  const TimeUs begin = context.env.clock.monotonic_us();
  std::uint64_t told = 0;
  while (!stop_requested() && (for_us == 0 || context.env.clock.monotonic_us() - begin < for_us)) {
    if (const std::uint64_t looks = watcher->looks(); looks != told) {
      told = looks;
      teller.tell(watcher->view());
    }
    context.env.threads->idle(kPause);
  }
  return kFine;
}

}  // namespace

void add_watch(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<WatchCommand>();
  CLI::App* sub = app.add_subcommand("watch", "look at topics and consumer groups of a cluster: lag, headroom, losses; read only");
  sub->add_option("--bootstrap", command->servers, "brokers: host:port, several with commas")->capture_default_str();
  sub->add_option("--group", command->filter.groups, "only these groups; may be given again and again")->allow_extra_args(false);
  sub->add_option("--topic", command->filter.topic, "only this topic");
  sub->add_option("--for", command->for_time, "end after so long: 30s");
  CLI::Option* serve = sub->add_option("--serve", command->serve, fmt::format("[ADDR:]PORT: serve metrics for Prometheus, and a page of both flows; {} without a port", kDefaultServe));
  serve->expected(0, 1);
  sub->add_flag("--json", command->json, "one object a second");
  sub->footer("Example:\n  supyo stack up kafka\n  supyo watch --bootstrap 127.0.0.1:9092 --serve 8082 --for 1h    (then: curl localhost:8082/metrics; the page is localhost:8082)\n"
              "A broker tells no group's lag: Prometheus gets it here. Losses are seen by commits; supyo consume counts its own exactly.");
  sub->callback([command, serve, &context, &result] {
    if (serve->count() > 0 && !command->serve) command->serve.emplace();
    const auto done = run_watch(context, *command);
    result = done ? *done : report(done.error());
  });
}

}  // namespace supyo::cli
