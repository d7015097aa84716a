#include "lab/stack/stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/env/processes.h"
#include "lab/stack/fetch.h"
#include "lab/stack/flink.h"

namespace supyo::stack {
namespace {

constexpr std::array<std::string_view, 4> kNames{"kafka", "kafka3", "flink", "prometheus"};
constexpr std::uint16_t kPrometheusPort = 9090, kKafkaPort = 9092;
constexpr std::array<std::uint16_t, 4> kSupyoPorts{8081, 8083, 8084, 8090};   // supyo run, broker, consume and gen --serve: not of the stack, so without its offset
constexpr std::uint16_t kWatchPort = 8082, kWatch3Port = 8085;

}  // namespace

std::vector<std::string_view> stack_names() { return {kNames.begin(), kNames.end()}; }

Status check_name(std::string_view name) {
  if (std::ranges::find(kNames, name) != kNames.end()) return ok();
  return fail(ErrorCode::kUsage, fmt::format("there is no stack '{}'", name), fmt::format("there are {}", fmt::join(kNames, ", ")));
}

Service prometheus_service(const StackOptions& options, const std::string& program, const std::string& stack_directory, const std::string& targets) {
  const auto port = static_cast<std::uint16_t>(kPrometheusPort + options.port_offset);
  const std::string address = fmt::format("127.0.0.1:{}", port), directory = env::join_path(stack_directory, "prometheus");
  Service service{.name = "prometheus"};
  std::string supyo;
  for (const std::uint16_t p : {kWatchPort, kWatch3Port}) supyo += fmt::format("'127.0.0.1:{}', ", p + options.port_offset);
  for (const std::uint16_t p : kSupyoPorts) supyo += fmt::format("'127.0.0.1:{}'{}", p, p == kSupyoPorts.back() ? "" : ", ");
  service.files["prometheus.yml"] = fmt::format(
      "global: {{scrape_interval: 2s, evaluation_interval: 2s}}\n"
      "scrape_configs:\n"
      "- job_name: kafka\n"
      "  file_sd_configs: [{{files: ['{0}/kafka*.json'], refresh_interval: 2s}}]\n"
      "- job_name: flink\n"
      "  file_sd_configs: [{{files: ['{0}/flink.json'], refresh_interval: 2s}}]\n"
      "- job_name: supyo\n"
      "  static_configs: [{{targets: [{1}]}}]\n",
      targets, supyo);
  service.command = {program,
                     "--config.file=" + env::join_path(directory, "prometheus.yml"),
                     "--storage.tsdb.path=" + env::join_path(directory, "data"),
                     "--storage.tsdb.retention.time=7d",
                     "--web.listen-address=" + address,
                     "--web.external-url=http://" + address,
                     "--log.level=warn"};
  service.ports = {{"http", port}};
  service.ready = {.kind = Probe::Kind::kHttp, .address = {.port = port}, .path = "/-/ready"};
  return service;
}

Service watch_service(std::string_view kafka, const std::string& servers, const StackOptions& options) {
  const auto port = static_cast<std::uint16_t>((kafka == "kafka" ? kWatchPort : kWatch3Port) + options.port_offset);
  const std::string address = fmt::format("127.0.0.1:{}", port);
  return {.name = fmt::format("watch-{}", kafka),
          .command = {options.supyo, "watch", "--bootstrap", servers, "--serve", address},
          .ports = {{"http", port}},
          .ready = {.kind = Probe::Kind::kHttp, .address = {.port = port}, .path = "/healthz"}};
}

/// Watchers of the Kafka stacks that were started and not taken down; of the single node when there is none: it may come later.
Result<std::vector<Service>> Stack::watchers() const {
  std::vector<Service> watchers;
  for (const char* name : {"kafka", "kafka3"}) {
    SUPYO_ASSIGN(const auto services, status(name));
    std::string servers;
    for (const ServiceStatus& service : services)
      for (const Port& port : service.ports)
        if (port.name == "kafka") servers += fmt::format("{}127.0.0.1:{}", servers.empty() ? "" : ",", port.number);
    if (!servers.empty()) watchers.push_back(watch_service(name, servers, options_));
  }
  if (watchers.empty()) watchers.push_back(watch_service("kafka", fmt::format("127.0.0.1:{}", kKafkaPort + options_.port_offset), options_));
  return watchers;
}

Status Stack::up(const std::string& name, const UpHooks& hooks) {
  SUPYO_TRY(check_name(name));
  Supervisor supervised = supervisor(name);
  if (name == "prometheus") {
    const auto program = env_.processes->find("prometheus");
    if (!program)
      return fail(ErrorCode::kProgramMissing, "there is no prometheus in PATH", "Debian, as root: apt-get install -y --no-install-recommends prometheus");
    SUPYO_TRY(env_.files.create_directories(targets_directory()));
    std::vector<Service> services{prometheus_service(options_, *program, supervised.directory(), targets_directory())};
    if (!options_.supyo.empty()) {
      SUPYO_ASSIGN(auto watching, watchers());
      std::ranges::move(watching, std::back_inserter(services));
    }
    return supervised.up(services, hooks);
  }
  SUPYO_ASSIGN(const std::string java, find_java(env_, options_.java_home, hooks));
  if (name == "flink") {
    SUPYO_ASSIGN(const std::string home, flink_home(env_, options_.downloads, hooks));
    SUPYO_TRY(supervised.up(flink_services(options_, java, home, supervised.directory()), hooks));
    return publish_targets(name, supervised);
  }
  SUPYO_ASSIGN(const std::string jars, kafka_jars(env_, options_.downloads, hooks));
  SUPYO_TRY(supervised.up(kafka_services(name, options_, java, jars, supervised.directory()), hooks));
  return publish_targets(name, supervised);
}

/// What Prometheus shall scrape of this stack: it looks by itself. Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
Status Stack::publish_targets(const std::string& name, const Supervisor& supervised) const {
  SUPYO_ASSIGN(const std::vector<ServiceStatus> services, supervised.status());
  nlohmann::json groups = nlohmann::json::array();
  for (const ServiceStatus& service : services)
    for (const Port& port : service.ports)
      if (port.name == "jmx" || port.name == "metrics") groups.push_back({{"targets", {fmt::format("127.0.0.1:{}", port.number)}}, {"labels", {{"stack", name}, {port.name == "jmx" ? "broker" : "process", service.name}}}});
  SUPYO_TRY(env_.files.create_directories(targets_directory()));
  return env_.files.write_atomically(env::join_path(targets_directory(), name + ".json"), groups.dump() + "\n");
}

Result<std::vector<ServiceStatus>> Stack::status(const std::string& name) const {
  SUPYO_TRY(check_name(name));
  return supervisor(name).status();
}

Result<env::ProcessIdentity> Stack::process(const std::string& name, const std::string& service) const {
  SUPYO_TRY(check_name(name));
  return supervisor(name).process(service);
}

Status Stack::start_again(const std::string& name, const std::string& service, const UpHooks& hooks) {
  SUPYO_TRY(check_name(name));
  return supervisor(name).start_again(service, hooks);
}

Status Stack::down(const std::string& name, bool remove_data, const UpHooks& hooks) {
  SUPYO_TRY(check_name(name));
  SUPYO_TRY(supervisor(name).down(remove_data, hooks));
  const std::string targets = env::join_path(targets_directory(), name + ".json");
  SUPYO_ASSIGN(const bool published, env_.files.exists(targets));
  if (published) SUPYO_TRY(env_.files.remove(targets));
  if (!remove_data) return ok();
  // Directories that nothing is in any more go as well; those that hold something of another stack stay.
  (void)env_.files.remove(targets_directory());
  (void)env_.files.remove(options_.directory);
  return ok();
}

}  // namespace supyo::stack
