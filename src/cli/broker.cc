#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/context.h"
#include "cli/signals.h"
#include "core/obs/metrics.h"
#include "serve/broker/server.h"
#include "serve/http/server.h"
#include "serve/http/watch_api.h"
#include "serve/watch/look.h"
#include "serve/watch/watcher.h"

/// supyo broker --data DIR: the embedded log behind the Kafka protocol.
namespace supyo::cli {
namespace {

constexpr std::string_view kDefaultServe = "8083";

struct BrokerCommand {
  std::string data, listen = "127.0.0.1:9092", advertise;
  std::vector<std::string> settings;
  std::optional<std::string> serve;
  bool insecure_public = false, verbose = false, list_settings = false;
};

/// Every setting with its default, for --settings.
std::string settings_text() {
  const broker::BrokerConfig defaults;
  std::string text;
  for (const broker::BrokerSetting& s : broker::broker_settings())
    text += fmt::format("{:<60} {:>16}  {}\n", s.key, broker::broker_setting(defaults, s.key).value_or(""), s.help);
  for (const broker::TopicDefault& d : broker::topic_defaults())
    text += fmt::format("{:<60} {:>16}  {} of a new topic\n", d.key, broker::broker_setting(defaults, d.key).value_or(""), d.topic_key);
  return text;
}

Result<broker::ServerOptions> server_options(const BrokerCommand& command) {
  broker::ServerOptions options;
  options.directory = command.data;
  options.insecure_public = command.insecure_public;
  SUPYO_ASSIGN(options.listen, env::parse_net_address(command.listen));
  if (!command.advertise.empty()) {
    // A name is fine here: clients resolve it.
    const std::size_t colon = command.advertise.rfind(':');
    SUPYO_ASSIGN(env::NetAddress address, env::parse_net_address(colon == std::string::npos ? command.advertise : command.advertise.substr(colon)));
    if (colon != std::string::npos && colon > 0) address.host = command.advertise.substr(0, colon);
    options.advertise = address;
  }
  for (const std::string& setting : command.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) return fail(ErrorCode::kUsage, fmt::format("--config {}: not a setting", setting), "--config KEY=VALUE; supyo broker --settings lists them");
    SUPYO_TRY(broker::set_broker_setting(options.config, setting.substr(0, equals), setting.substr(equals + 1)));
  }
  return options;
}

/// What the broker's thread knows of groups, beside what their files say.
void add_live(watch::View& view, const broker::Server::Live& live) {
  for (const broker::Broker::LiveGroup& g : live.groups) {
    auto at = std::ranges::find(view.groups, g.name, &watch::GroupView::name);
    if (at == view.groups.end()) at = view.groups.insert(view.groups.end(), watch::GroupView{.name = g.name});
    at->state = g.state;
    at->members = static_cast<int>(g.members);
    at->generation = g.generation;
  }
  for (watch::GroupView& g : view.groups)
    if (g.members < 0) {
      g.state = broker::group_state_name(broker::GroupState::kEmpty);
      g.members = 0;
    }
}

/// Metrics and the page of a broker. Looks only while it lives.
struct BrokerPages {
  std::unique_ptr<watch::Watcher> watcher;
  std::unique_ptr<http::HttpServer> server;

  static Result<BrokerPages> start(const Context& context, const BrokerCommand& command, broker::Server& server) {
    BrokerPages pages;
    SUPYO_ASSIGN(const auto address, http::parse_listen_address(command.serve->empty() ? kDefaultServe : *command.serve));
    pages.watcher = watch::Watcher::start(context.env, server.address().to_string(), [&context, &server, directory = command.data]() -> Result<watch::View> {
      SUPYO_ASSIGN(watch::View view, watch::look_at_log(context.env.files, directory));
      add_live(view, server.live());
      return view;
    });
    const auto more = [&server] {
      obs::Registry r;
      r.gauge("supyo_broker_connections", "Connections of clients.").set(static_cast<double>(server.live().connections));
      return r.prometheus_text() + server.broker().metrics().text();
    };
    SUPYO_ASSIGN(pages.server, http::HttpServer::start(context.env, address, http::make_watch_api(context.env.clock, [w = pages.watcher.get()] { return w->view(); }, more)));
    return pages;
  }
};

/// A partition needs some files, a connection one: the usual 1,024 are soon gone.
void allow_many_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  [[maybe_unused]] const int done = ::setrlimit(RLIMIT_NOFILE, &files);   // refused: the limit stays what it was
}

int run_broker(Context& context, const BrokerCommand& command) {
  if (command.list_settings) {
    write_out(settings_text());
    return kFine;
  }
  if (command.data.empty()) return report(Error{ErrorCode::kUsage, "--data is required", "supyo broker --data DIR"});
  auto options = server_options(command);
  if (!options) return report(options.error());
  allow_many_files();
  const TimeUs begin = context.env.clock.monotonic_us();
  auto server = broker::Server::open(context.env, std::move(*options));
  if (!server) return report(server.error());
  if (command.verbose) (*server)->broker().log = [](std::string_view line) { write_error(std::string(line) + "\n"); };
  (*server)->stop_asked = stop_requested;
  BrokerPages pages;
  if (command.serve) {
    auto started = BrokerPages::start(context, command, **server);
    if (!started) return report(started.error());
    pages = std::move(*started);
    write_error(fmt::format("serving {}/ (both flows), /metrics, /v1/flows\n", pages.server->url()));
  }
  write_out(fmt::format("broker at {}, data in {}, {} topics, ready after {}; Ctrl-C stops it\n", (*server)->address().to_string(), command.data, (*server)->broker().topic_count(),
                        human_duration(context.env.clock.monotonic_us() - begin)));
  const Status served = (*server)->run();
  pages.server.reset();
  pages.watcher.reset();
  if (!served) return report(served.error());
  const broker::BrokerCounts& counts = (*server)->broker().counts();
  write_error(fmt::format("broker stopped: {} requests, {} records in ({} bytes), {} bytes out\n", grouped(counts.requests), grouped(counts.records_in), grouped(counts.bytes_in), grouped(counts.bytes_out)));
  return kFine;
}

}  // namespace

void add_broker(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<BrokerCommand>();
  CLI::App* sub = app.add_subcommand("broker", "serve an embedded log to Kafka clients");
  sub->add_option("--data", command->data, "the log's directory: what supyo log and embedded:DIR read");
  sub->add_option("--listen", command->listen, "address and port; port 0 takes a free one")->capture_default_str();
  sub->add_option("--advertise", command->advertise, "what clients are told to connect to, when it is not the same");
  sub->add_option("--config", command->settings, "a setting by Kafka's name, K=V; may be given again and again")->allow_extra_args(false);
  CLI::Option* serve = sub->add_option("--serve", command->serve, fmt::format("[ADDR:]PORT: serve metrics and a page of both flows; {} without a port", kDefaultServe));
  serve->expected(0, 1);
  sub->add_flag("--settings", command->list_settings, "print the settings with their defaults, and end");
  sub->add_flag("--insecure-public", command->insecure_public, "serve other machines too: without encryption, without asking who they are");
  sub->add_flag("--verbose", command->verbose, "tell on standard error what retention deletes and whom the broker refuses");
  sub->footer("Example:\n  supyo broker --data /tmp/supyo-log --listen 127.0.0.1:9092 --config log.retention.ms=3600000\n  kcat -b 127.0.0.1:9092 -L");
  sub->callback([command, serve, &context, &result] {
    if (serve->count() > 0 && !command->serve) command->serve.emplace();
    result = run_broker(context, *command);
  });
}

}  // namespace supyo::cli
