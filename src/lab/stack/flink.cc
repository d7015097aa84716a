#include "lab/stack/flink.h"

#include <fmt/format.h>

#include "core/env/processes.h"
#include "lab/stack/embedded.h"
#include "lab/stack/fetch.h"

/// Flink without its distribution's scripts: https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/config.
namespace supyo::stack {
namespace {

constexpr std::uint16_t kRest = 18081, kGateway = 18083, kRpc = 16123, kBlob = 16124, kJobManagerMetrics = 9250, kTaskManagerMetrics = 9251;
constexpr int kSlots = 4;
constexpr std::string_view kLogging =
    "rootLogger.level=INFO\nrootLogger.appenderRef.c.ref=C\nappender.c.name=C\nappender.c.type=Console\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=[%d] %p %m (%c)%n\n";

/// What pip brings: Flink's own libraries, as a source archive. The Kafka connector and the gateway are Maven's.
constexpr std::string_view kConnector = "org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0", kGatewayJar = "org.apache.flink:flink-sql-gateway:2.1.3";
constexpr std::string_view kCopy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
constexpr DurationUs kFetchLimit = 20 * kMinute;

Status run(const env::Env& env, std::string_view package, std::vector<std::string> arguments, const std::string& directory, const UpHooks& hooks) {
  const std::string name = arguments.front();
  SUPYO_ASSIGN(arguments.front(), find_program(env, name, package));
  SUPYO_ASSIGN(const env::Finished ended, env::run_program(env, {.arguments = std::move(arguments), .working_directory = directory}, kFetchLimit, hooks.stopped));
  if (ended.exit.status == 0) return ok();
  return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} ended with status {}:\n{}", name, ended.exit.status, end_of(ended.output)), "check the network and the settings of pip and Maven, then try again");
}

Status fetch_into(const env::Env& env, const std::string& work, const UpHooks& hooks) {
  SUPYO_TRY(env.files.write_atomically(env::join_path(work, "requirements.txt"), embedded::k_deploy_flink_requirements_txt));
  SUPYO_TRY(run(env, "python3-pip", {"python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", "requirements.txt", "-d", work}, work, hooks));
  SUPYO_TRY(run(env, "tar", {"tar", "xzf", fmt::format("apache_flink_libraries-{}.tar.gz", kFlinkVersion), "--strip-components=2", "--wildcards", "*/deps/lib", "*/deps/plugins/metrics-prometheus"}, work, hooks));
  for (const auto& [artifact, directory] : {std::pair{kConnector, "lib"}, {kGatewayJar, "gateway"}})
    SUPYO_TRY(run(env, "maven", {"mvn", "-B", "-q", std::string(kCopy), fmt::format("-Dartifact={}", artifact), "-DoutputDirectory=" + env::join_path(work, directory)}, work, hooks));
  SUPYO_TRY(env.files.remove(env::join_path(work, fmt::format("apache_flink_libraries-{}.tar.gz", kFlinkVersion))));
  return env.files.remove(env::join_path(work, "requirements.txt"));
}

/// Java's own packages that Flink looks into, as its scripts say.
std::vector<std::string> opened_packages() {
  std::vector<std::string> out;
  for (const char* p : {"lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent", "util.concurrent.atomic", "util.concurrent.locks"}) out.push_back(fmt::format("--add-opens=java.base/java.{}=ALL-UNNAMED", p));
  for (const char* p : {"java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5"}) out.push_back(fmt::format("--add-exports={}=ALL-UNNAMED", p));
  out.emplace_back("--add-opens=java.base/sun.nio.ch=ALL-UNNAMED");
  return out;
}

}  // namespace

std::string FlinkConfiguration::text() const {
  return fmt::format(
      "jobmanager.rpc.address: 127.0.0.1\njobmanager.rpc.port: {}\njobmanager.bind-host: 127.0.0.1\nblob.server.port: \"{}\"\nrest.address: 127.0.0.1\nrest.bind-address: 127.0.0.1\nrest.port: {}\n"
      "taskmanager.host: 127.0.0.1\ntaskmanager.bind-host: 127.0.0.1\ntaskmanager.numberOfTaskSlots: {}\nparallelism.default: 1\n"
      "taskmanager.cpu.cores: 1.0\ntaskmanager.memory.framework.heap.size: {}b\ntaskmanager.memory.framework.off-heap.size: {}b\ntaskmanager.memory.task.heap.size: {}b\ntaskmanager.memory.task.off-heap.size: 0b\n"
      "taskmanager.memory.network.min: {}b\ntaskmanager.memory.network.max: {}b\ntaskmanager.memory.managed.size: {}b\ntaskmanager.memory.jvm-metaspace.size: {}b\n"
      "taskmanager.memory.jvm-overhead.min: 201326592b\ntaskmanager.memory.jvm-overhead.max: 201326592b\n"
      "restart-strategy.type: fixed-delay\nrestart-strategy.fixed-delay.attempts: 2147483647\nrestart-strategy.fixed-delay.delay: 1 s\nstate.backend.type: hashmap\n"
      "execution.checkpointing.dir: {}://{}/checkpoints\nexecution.checkpointing.savepoint-dir: file://{}/savepoints\n",
      rpc, blob, rest, slots, memory.framework_heap, memory.direct / 2, memory.task_heap, memory.direct / 2, memory.direct / 2, memory.managed, memory.metaspace, store, directory, directory);
}

std::vector<std::string> FlinkJvm::command(const std::vector<std::string>& memory, const std::vector<std::string>& program) const {
  std::string class_path = fmt::format("{0}/lib/*:{0}/gateway/*", home);
  for (const std::string& jars : more_jars) class_path += fmt::format(":{}/{}/*", home, jars);
  const std::vector<std::string> files = {fmt::format("-Dlog4j.configurationFile=file:{}/log4j.properties", configuration), "-cp", class_path};
  std::vector<std::string> out = {java};
  for (const auto& part : {memory, arguments, opened_packages(), files, program}) out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::vector<std::string> FlinkJvm::job_manager() const {
  return command({"-Xmx512m", "-XX:+UseSerialGC"}, {"org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", configuration, "--executionMode", "cluster"});
}

std::vector<std::string> FlinkJvm::task_manager(const std::string& id, const FlinkMemory& memory) const {
  const std::int64_t heap = memory.framework_heap + memory.task_heap;
  return command({fmt::format("-Xms{}", heap), fmt::format("-Xmx{}", heap), fmt::format("-XX:MaxDirectMemorySize={}", memory.direct), fmt::format("-XX:MaxMetaspaceSize={}", memory.metaspace), "-XX:+ExitOnOutOfMemoryError"},
                 {"org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", configuration, "-D", "taskmanager.resource-id=" + id});
}

std::vector<std::string> FlinkJvm::sql_gateway(std::uint16_t port) const {
  return command({"-Xmx512m", "-XX:+UseSerialGC"}, {"org.apache.flink.table.gateway.SqlGateway", "-Dsql-gateway.endpoint.rest.address=127.0.0.1", fmt::format("-Dsql-gateway.endpoint.rest.port={}", port)});
}

std::map<std::string, std::string> FlinkJvm::environment() const {
  return {{"FLINK_CONF_DIR", configuration}, {"FLINK_LIB_DIR", env::join_path(home, "lib")}, {"FLINK_PLUGINS_DIR", env::join_path(home, "plugins")}};
}

Result<std::string> flink_home(const env::Env& env, const std::string& downloads, const UpHooks& hooks) {
  const std::string home = env::join_path(downloads, fmt::format("flink-{}", kFlinkVersion));
  const auto checked = [&](const std::string& directory) -> Status {
    for (const auto& [part, sums] : {std::pair{"lib", embedded::k_deploy_flink_lib_SHA256SUMS}, {"gateway", embedded::k_deploy_flink_gateway_SHA256SUMS}, {"plugins/metrics-prometheus", embedded::k_deploy_flink_plugins_SHA256SUMS}})
      SUPYO_TRY(check_sums(env.files, env::join_path(directory, part), sums));
    return ok();
  };
  SUPYO_ASSIGN(const bool there, env.files.is_directory(home));
  if (there) {
    SUPYO_TRY(checked(home));
    return home;
  }
  if (hooks.say) hooks.say(fmt::format("fetching Flink {} with pip and Maven (about 350 MB, once)", kFlinkVersion));
  const std::string work = fmt::format("{}.new-{}", home, env::new_uuid(env.random).substr(0, 8));
  SUPYO_TRY(env.files.create_directories(work));
  Status done = fetch_into(env, work, hooks);
  if (done) done = checked(work);
  if (done) done = env.files.rename(work, home);
  if (!done) {
    (void)env.files.remove_all(work);
    return fail(done.error());
  }
  return home;
}

std::vector<Service> flink_services(const StackOptions& options, const std::string& java, const std::string& home, const std::string& stack_directory) {
  const auto port = [&](std::uint16_t base) { return static_cast<std::uint16_t>(base + options.port_offset); };
  const FlinkConfiguration common{.rpc = port(kRpc), .rest = port(kRest), .blob = port(kBlob), .slots = kSlots, .directory = env::join_path(stack_directory, "jobmanager")};
  const auto service = [&](const char* name, int tier, std::uint16_t metrics) {
    Service s{.name = name, .tier = tier};
    s.files = {{"config.yaml", common.text() + (metrics == 0 ? "" : fmt::format("metrics.reporters: prom\nmetrics.reporter.prom.factory.class: org.apache.flink.metrics.prometheus.PrometheusReporterFactory\nmetrics.reporter.prom.port: {}\n", metrics))}, {"log4j.properties", std::string(kLogging)}};
    if (metrics != 0) s.ports.push_back({"metrics", metrics});
    const FlinkJvm jvm{.java = java, .home = home, .configuration = env::join_path(stack_directory, name)};
    s.environment = jvm.environment();
    return std::pair(std::move(s), jvm);
  };
  auto [manager, manager_jvm] = service("jobmanager", 0, port(kJobManagerMetrics));
  manager.command = manager_jvm.job_manager();
  manager.ports.push_back({"rest", port(kRest)});
  manager.ready = {.kind = Probe::Kind::kHttp, .address = {.port = port(kRest)}, .path = "/overview"};
  auto [worker, worker_jvm] = service("taskmanager", 1, port(kTaskManagerMetrics));
  worker.command = worker_jvm.task_manager("taskmanager", common.memory);
  worker.ready = {.kind = Probe::Kind::kHttp, .address = {.port = port(kRest)}, .path = "/taskmanagers/taskmanager"};
  auto [gateway, gateway_jvm] = service("gateway", 1, 0);
  gateway.command = gateway_jvm.sql_gateway(port(kGateway));
  gateway.ports.push_back({"sql-gateway", port(kGateway)});
  gateway.ready = {.kind = Probe::Kind::kHttp, .address = {.port = port(kGateway)}, .path = "/v1/info"};
  return {manager, worker, gateway};
}

}  // namespace supyo::stack
