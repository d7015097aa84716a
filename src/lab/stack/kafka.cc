#include <fmt/format.h>

#include <map>

#include "lab/stack/embedded.h"
#include "lab/stack/stack.h"

/// Kafka in KRaft mode, as processes. What the settings are and why: docs/stack.md.
namespace supyo::stack {
namespace {

using Properties = std::map<std::string, std::string>;

// Any base64 UUID of 22 characters will do; a fixed one saves starting a JVM to draw it.
constexpr std::string_view kClusterId = "MkU3OEVBNTcwNTJENDM2Qg";
constexpr std::string_view kLogging =
    "appender.c.type=Console\n"
    "appender.c.name=C\n"
    "appender.c.layout.type=PatternLayout\n"
    "appender.c.layout.pattern=[%d] %p %m (%c)%n\n"
    "rootLogger.level=INFO\n"
    "rootLogger.appenderRef.c.ref=C\n";

std::string render(const Properties& properties) {
  std::string text;
  for (const auto& [key, value] : properties) text += key + "=" + value + "\n";
  return text;
}

/// One JVM of a cluster.
struct Node {
  std::string name;
  int id = 1;
  int tier = 0;
  bool broker = true, controller = false;
  std::uint16_t port = 0;              ///< clients
  std::uint16_t controller_port = 0;   ///< of the cluster's controller
  int controller_id = 1;
  std::uint16_t proxied_port = 0;      ///< clients that come through a proxy; 0: none
  std::uint16_t jmx_port = 0;
  int memory_mb = 512;
  int brokers_in_cluster = 1;
};

Properties replication(int brokers) {
  const std::string factor = brokers >= 3 ? "3" : "1", least = brokers >= 3 ? "2" : "1";
  return {{"default.replication.factor", factor},
          {"min.insync.replicas", least},
          {"offsets.topic.replication.factor", factor},
          {"transaction.state.log.replication.factor", factor},
          {"transaction.state.log.min.isr", least}};
}

Properties properties_of(const Node& node, const std::string& data) {
  Properties p = replication(node.brokers_in_cluster);
  const std::string roles = node.broker && node.controller ? "broker,controller" : node.broker ? "broker" : "controller";
  const std::string client = fmt::format("PLAINTEXT://127.0.0.1:{}", node.port), quorum = fmt::format("CONTROLLER://127.0.0.1:{}", node.controller_port);
  p.insert({{"process.roles", roles},
            {"node.id", std::to_string(node.id)},
            {"controller.quorum.voters", fmt::format("{}@127.0.0.1:{}", node.controller_id, node.controller_port)},
            {"listeners", node.broker && node.controller ? client + "," + quorum : node.broker ? client : quorum},
            {"controller.listener.names", "CONTROLLER"},
            {"listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"},
            {"log.dirs", data},
            {"num.partitions", "1"},
            {"auto.create.topics.enable", "false"},
            {"offsets.topic.num.partitions", "4"},
            {"transaction.state.log.num.partitions", "4"},
            {"group.initial.rebalance.delay.ms", "0"},
            {"log.cleaner.dedupe.buffer.size", "16777216"},
            {"log.segment.bytes", "67108864"},
            {"log.index.size.max.bytes", "1048576"},
            // Retention within seconds, so that a lab need not take minutes. Kafka's own defaults: 30 s, 5 min, 1 min.
            {"log.initial.task.delay.ms", "1000"},
            {"log.retention.check.interval.ms", "1000"},
            {"log.segment.delete.delay.ms", "1000"}});
  if (node.broker) p.insert({{"advertised.listeners", client}, {"inter.broker.listener.name", "PLAINTEXT"}});
  if (node.proxied_port != 0) {
    p["listeners"] += fmt::format(",PROXIED://127.0.0.1:{}", node.proxied_port);
    p["advertised.listeners"] += fmt::format(",PROXIED://127.0.0.1:{}", proxy_port_of(node.proxied_port));
    p["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT";
  }
  if (node.brokers_in_cluster > 1)  // read by the controller, too: it decides when a broker is dead
    p.insert({{"broker.session.timeout.ms", "6000"}, {"broker.heartbeat.interval.ms", "1000"}, {"replica.lag.time.max.ms", "5000"}});
  return p;
}

std::vector<std::string> java_command(const std::string& java, const std::string& jars, const std::string& directory, int memory_mb) {
  return {java,
          fmt::format("-Xms{}m", std::min(memory_mb, 256)),
          fmt::format("-Xmx{}m", memory_mb),
          "-XX:+UseG1GC",
          "-XX:MaxGCPauseMillis=20",
          "-XX:+ExplicitGCInvokesConcurrent",
          "-Djava.awt.headless=true",
          "-Dkafka.logs.dir=" + directory,
          "-Dlog4j2.configurationFile=file:" + env::join_path(directory, "log4j2.properties"),
          "-cp",
          env::join_path(jars, "*")};
}

Service service_of(const Node& node, const StackOptions& options, const std::string& java, const std::string& jars, const std::string& stack_directory) {
  const std::string directory = env::join_path(stack_directory, node.name);
  Properties properties = properties_of(node, env::join_path(directory, "data"));
  if (node.broker)
    for (const auto& [key, value] : options.broker_config) properties[key] = value;
  Service service{.name = node.name, .tier = node.tier};
  service.files = {{"server.properties", render(properties)}, {"log4j2.properties", std::string(kLogging)}};
  const std::string config = env::join_path(directory, "server.properties");
  service.prepare = java_command(java, jars, directory, 128);
  for (const char* argument : {"kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", kClusterId.data(), "-c", config.c_str()}) service.prepare.emplace_back(argument);
  service.command = java_command(java, jars, directory, node.memory_mb);
  if (node.jmx_port != 0) {
    service.files["jmx.yml"] = std::string(embedded::k_deploy_kafka_jmx_yml);
    service.command.insert(service.command.begin() + 1, fmt::format("-javaagent:{}=127.0.0.1:{}:{}", env::join_path(jars, "jmx_prometheus_javaagent-1.0.1.jar"), node.jmx_port,
                                                                    env::join_path(directory, "jmx.yml")));
  }
  service.command.emplace_back("kafka.Kafka");
  service.command.push_back(config);
  if (node.broker) service.ports.push_back({"kafka", node.port});
  if (node.proxied_port != 0) service.ports.push_back({std::string(kProxiedPort), node.proxied_port});
  if (node.controller) service.ports.push_back({"controller", node.controller_port});
  if (node.jmx_port != 0) service.ports.push_back({"jmx", node.jmx_port});
  service.ready = node.broker ? Probe{.kind = Probe::Kind::kKafka, .address = {.port = node.port}, .brokers = node.brokers_in_cluster}
                              : Probe{.kind = Probe::Kind::kTcp, .address = {.port = node.controller_port}};
  return service;
}

}  // namespace

std::vector<Service> kafka_services(std::string_view name, const StackOptions& options, const std::string& java, const std::string& jars, const std::string& stack_directory) {
  const auto port = [&](int base) { return static_cast<std::uint16_t>(base + options.port_offset); };
  std::vector<Node> nodes;
  if (name == "kafka") {
    nodes.push_back({.name = "broker", .controller = true, .port = port(9092), .controller_port = port(9193), .proxied_port = port(9094), .jmx_port = port(7071)});
  } else {
    // A controller of its own: the quorum survives the loss of brokers, which is what the in-sync-replica labs need.
    constexpr int kController = 9;
    nodes.push_back({.name = "controller", .id = kController, .broker = false, .controller = true, .controller_port = port(19190), .controller_id = kController, .memory_mb = 256, .brokers_in_cluster = 3});
    for (int i = 1; i <= 3; ++i)
      nodes.push_back({.name = fmt::format("broker-{}", i), .id = i, .tier = 1, .port = port(19091 + i), .controller_port = port(19190), .controller_id = kController, .jmx_port = port(7071 + i), .memory_mb = 384, .brokers_in_cluster = 3});
  }
  std::vector<Service> services;
  for (const Node& node : nodes) services.push_back(service_of(node, options, java, jars, stack_directory));
  return services;
}

}  // namespace supyo::stack
