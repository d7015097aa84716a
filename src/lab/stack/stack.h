#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lab/stack/supervisor.h"

namespace supyo::stack {

struct StackOptions {
  std::string directory = {};                  ///< of all stacks: data, logs, process files; absolute
  std::string downloads = {};                  ///< fetched programs, kept; absolute
  std::string java_home = {};                  ///< empty: java of PATH
  std::string supyo = {};                      ///< this program: `prometheus` starts it to watch the groups of the Kafka stacks
  std::uint16_t port_offset = 0;               ///< added to every port
  std::map<std::string, std::string> broker_config = {};   ///< on top of the brokers' own: --config
};

/// Names that there are.
std::vector<std::string_view> stack_names();
/// kUsage, naming those that there are.
Status check_name(std::string_view name);

/// The one broker of `kafka` has a second listener for clients, a port of this name: it advertises another port, where a lab's proxy may listen, so that a client that begins
/// there stays behind the proxy. Kafka's clients go where the broker sends them: without it they would go round the proxy.
inline constexpr std::string_view kProxiedPort = "proxied";
constexpr std::uint16_t proxy_port_of(std::uint16_t proxied) { return static_cast<std::uint16_t>(proxied + 19'998); }

/// What a Kafka stack consists of: `kafka` (one node, broker and controller in one) or `kafka3` (one controller, three brokers, replication 3, min ISR 2).
/// Every broker carries the JMX exporter. `stack_directory` is where the services' directories will be; `jars` holds Kafka's.
/// Ports without offset: kafka 9092 (JMX exporter 7071, controller 9193, proxied 9094 that advertises 29092); kafka3 19092 to 19094 (7072 to 7074, controller 19190).
std::vector<Service> kafka_services(std::string_view name, const StackOptions& options, const std::string& java, const std::string& jars, const std::string& stack_directory);

/// Prometheus on port 9090, scraping what `targets`/*.json name (file_sd), the watchers of groups, and what serves on Supyo's default ports.
Service prometheus_service(const StackOptions& options, const std::string& program, const std::string& stack_directory, const std::string& targets);

/// `supyo watch` of a Kafka stack, for Prometheus: a broker tells no group's lag. On port 8082 (kafka), 8085 (kafka3); it waits patiently for its brokers.
Service watch_service(std::string_view kafka, const std::string& servers, const StackOptions& options);

/// The local stack without containers: real servers as processes of this machine, loopback only. They go on when the command ends; `down` stops them.
/// One thread. Needs a real environment.
class Stack {
 public:
  Stack(const env::Env& env, StackOptions options) : env_(env), options_(std::move(options)) {}

  /// Fetches what is missing, starts what does not run, waits until it answers. On an error or a stop, what this call started of that stack is stopped again.
  /// Errors: those of kafka_jars, find_java and Supervisor::up; kUsage.
  Status up(const std::string& name, const UpHooks& hooks);
  /// In order of start; empty when nothing of it was started.
  Result<std::vector<ServiceStatus>> status(const std::string& name) const;
  /// As Supervisor::process.
  Result<env::ProcessIdentity> process(const std::string& name, const std::string& service) const;
  /// One service of a stack that has ended (a lab killed it), as it was started. Errors: those of Supervisor::start_again.
  Status start_again(const std::string& name, const std::string& service, const UpHooks& hooks);
  /// Errors: those of Supervisor::down.
  Status down(const std::string& name, bool remove_data, const UpHooks& hooks);

 private:
  Supervisor supervisor(const std::string& name) const { return {env_, name, env::join_path(options_.directory, name)}; }
  Result<std::vector<Service>> watchers() const;
  Status publish_targets(const std::string& name, const Supervisor& supervisor) const;
  std::string targets_directory() const { return env::join_path(options_.directory, "targets"); }

  env::Env env_;
  StackOptions options_;
};

}  // namespace supyo::stack
