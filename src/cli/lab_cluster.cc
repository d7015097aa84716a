#include "cli/lab_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/stack_options.h"
#include "connect/kafka/kafka.h"
#include "lab/stack/fetch.h"
#include "lab/stack/stack.h"

namespace supyo::cli {
namespace {

struct Running {
  std::string stack, servers, data;
  std::optional<env::ProcessIdentity> broker = {};
  std::optional<std::pair<env::NetAddress, env::NetAddress>> proxied = {};
};

/// What of the user's own stacks answers on a port for clients.
Result<std::vector<Running>> running_stacks(const Context& context, const std::vector<std::string>& names) {
  SUPYO_ASSIGN(stack::StackOptions options, user_stack(context));
  const std::string directory = options.directory;
  const stack::Stack stacks(context.env, std::move(options));
  std::vector<Running> all;
  for (const std::string& name : names) {
    SUPYO_ASSIGN(const auto services, stacks.status(name));
    Running r{.stack = name, .servers = {}, .data = {}};
    std::size_t brokers = 0;
    for (const stack::ServiceStatus& s : services)
      for (const stack::Port& port : s.ports) {
        if (!s.ready) continue;
        if (port.name == stack::kProxiedPort) r.proxied = {env::NetAddress{.port = port.number}, env::NetAddress{.port = stack::proxy_port_of(port.number)}};
        if (port.name != "kafka") continue;
        r.broker = s.process;
        r.servers += fmt::format("{}127.0.0.1:{}", r.servers.empty() ? "" : ",", port.number);
        r.data = env::join_path(env::join_path(env::join_path(directory, name), s.name), "data");
        ++brokers;
      }
    if (brokers != 1) {   // which of them leads is not known here
      r.data.clear();
      r.broker.reset();
    }
    if (brokers > 0) all.push_back(std::move(r));
  }
  return all;
}

bool names_one_of(const std::string& address, const Running& running) {
  const std::string local = address.starts_with("localhost:") ? "127.0.0.1" + address.substr(9) : address;
  return fmt::format(",{},", running.servers).find(fmt::format(",{},", local)) != std::string::npos;
}

/// What the cluster has switched on, asked of its first broker; nothing when that cannot be asked.
void add_features(const Context& context, scenario::RealCluster& cluster) {
  const auto address = env::parse_net_address(cluster.servers.substr(0, cluster.servers.find(',')));
  if (!address) return;
  std::string text;
  for (const auto& [name, level] : stack::kafka_features(context.env, *address)) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, level);
  if (!text.empty()) cluster.versions["features of the cluster"] = text;
}

}  // namespace

Result<LabCluster> lab_cluster(const Context& context, const std::string& bootstrap, bool is_lab, const std::vector<std::string>& stacks, const std::string& directory) {
  LabCluster lab;
  lab.cluster.versions = {{"client", connect::kafka_client_version()}};
  if (bootstrap == "embedded") {
    SUPYO_ASSIGN(lab.child, scenario::ChildBroker::start(context.env, env::join_path(directory, "broker"),
                                                         {{"group.initial.rebalance.delay.ms", "0"}, {"log.initial.task.delay.ms", "1000"}, {"log.retention.check.interval.ms", "1000"}, {"log.segment.delete.delay.ms", "1000"}}));
    lab.cluster.servers = lab.child->address();
    lab.cluster.name = "supyo broker, a child of the lab";
    lab.cluster.data = lab.child->directory();
    lab.cluster.versions["broker"] = fmt::format("supyo broker {}", SUPYO_VERSION);
    return lab;
  }
  SUPYO_ASSIGN(const std::vector<Running> running, running_stacks(context, stacks));
  const auto ours = bootstrap.empty() ? running.begin() : std::ranges::find_if(running, [&](const Running& r) { return names_one_of(bootstrap, r); });
  if (ours != running.end()) {
    lab.cluster = {.servers = ours->servers, .name = fmt::format("Kafka {} of supyo stack {}", stack::kKafkaVersion, ours->stack), .data = ours->data, .versions = lab.cluster.versions, .broker = ours->broker, .proxied = ours->proxied};
    lab.cluster.versions["broker"] = fmt::format("Kafka {}", stack::kKafkaVersion);
    add_features(context, lab.cluster);
    return lab;
  }
  if (bootstrap.empty())
    return fail(ErrorCode::kOutsideUnavailable, "no Kafka of supyo stack runs", fmt::format("supyo stack up {}; or --bootstrap embedded for Supyo's own broker; or --bootstrap ADDRESS --lab-cluster", stacks.front()));
  if (!is_lab)
    return fail(ErrorCode::kNotAllowed, fmt::format("{} is not known to be a cluster for labs", bootstrap),
                "a lab makes topics, deletes records and commits offsets there; if that is what it is for, say so: --lab-cluster");
  lab.cluster.servers = bootstrap;
  lab.cluster.name = "a cluster that was called one for labs (--lab-cluster)";
  lab.cluster.versions["broker"] = "not told by Kafka's protocol";
  add_features(context, lab.cluster);
  return lab;
}

}  // namespace supyo::cli
