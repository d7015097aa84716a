#include "lab/scenario/stream/flink_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <tuple>

#include "lab/scenario/trial/cluster.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kAnswer = 5 * kSecond;
constexpr DurationUs kReady = 120 * kSecond;      // three JVMs at once, on a busy machine
constexpr DurationUs kPause = 50 * kMillisecond;
constexpr std::int64_t kFrameworkHeap = 128 << 20, kTaskHeap = 640 << 20, kDirect = 256 << 20, kMetaspace = 256 << 20, kManagedOfSlot = 32 << 20;

/// Flink's scripts work out a TaskManager's memory; without them every part must be given.
std::string memory_text(int slots) {
  return fmt::format(
      "taskmanager.cpu.cores: 1.0\ntaskmanager.memory.framework.heap.size: {}b\ntaskmanager.memory.framework.off-heap.size: {}b\ntaskmanager.memory.task.heap.size: {}b\ntaskmanager.memory.task.off-heap.size: 0b\n"
      "taskmanager.memory.network.min: {}b\ntaskmanager.memory.network.max: {}b\ntaskmanager.memory.managed.size: {}b\ntaskmanager.memory.jvm-metaspace.size: {}b\n"
      "taskmanager.memory.jvm-overhead.min: 201326592b\ntaskmanager.memory.jvm-overhead.max: 201326592b\n",
      kFrameworkHeap, kDirect / 2, kTaskHeap, kDirect / 2, kDirect / 2, slots * kManagedOfSlot, kMetaspace);
}

/// Java's own packages that Flink looks into, as its scripts say.
std::vector<std::string> opened_packages() {
  std::vector<std::string> out;
  for (const char* p : {"lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent", "util.concurrent.atomic", "util.concurrent.locks"}) out.push_back(fmt::format("--add-opens=java.base/java.{}=ALL-UNNAMED", p));
  for (const char* p : {"java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5"}) out.push_back(fmt::format("--add-exports={}=ALL-UNNAMED", p));
  out.emplace_back("--add-opens=java.base/sun.nio.ch=ALL-UNNAMED");
  return out;
}

Result<nlohmann::json> parsed(const Result<std::string>& answer) {
  if (!answer) return fail(answer.error());
  auto json = nlohmann::json::parse(*answer, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::kMalformedRecord, "Flink answered something that is no JSON object");
  return json;
}

std::string filled(std::string_view text, const std::map<std::string, std::string>& variables) {
  std::string out(text);
  for (const auto& [name, value] : variables) {
    const std::string mark = "${" + name + "}";
    for (std::size_t at = out.find(mark); at != std::string::npos; at = out.find(mark, at + value.size())) out.replace(at, mark.size(), value);
  }
  return out;
}

}  // namespace

std::vector<std::string> flink_statements(std::string_view script) {
  std::vector<std::string> out;
  std::string current;
  bool quoted = false, set = false;
  for (std::size_t i = 0; i < script.size(); ++i) {
    const char c = script[i];
    if (c == '\'') quoted = !quoted;
    if (!quoted && c == '-' && script.substr(i).starts_with("--")) {
      i = std::min(script.find('\n', i), script.size());
      current += '\n';
      continue;
    }
    if (quoted || c != ';') {
      current += c;
      continue;
    }
    const std::size_t from = std::min(current.find_first_not_of(" \n\t"), current.size());
    const std::string_view text = std::string_view(current).substr(from);
    if (text.starts_with("EXECUTE STATEMENT SET")) set = true;
    if (set && !text.ends_with("END")) {
      current += c;
      continue;
    }
    set = false;
    if (!text.empty()) out.emplace_back(text);
    current.clear();
  }
  return out;
}

Result<std::unique_ptr<FlinkCluster>> FlinkCluster::start(const env::Env& env, const Options& options) {
  std::unique_ptr<FlinkCluster> cluster(new FlinkCluster(env, options));
  SUPYO_TRY(cluster->come_up());
  return cluster;
}

Result<std::map<std::string, std::string>> FlinkCluster::versions(env::Files& files, const std::string& flink, bool tables) {
  constexpr std::string_view kFetch = "scripts/fetch_flink.sh fetches it, with pip and Maven (about 300 MB); --flink DIR when it is somewhere else";
  std::map<std::string, std::string> out;
  std::vector<std::tuple<const char*, const char*, std::string_view>> jars_of = {{"flink", "lib", "flink-dist-"}, {"flink kafka connector", "lib", "flink-sql-connector-kafka-"}, {"flink sql gateway", "gateway", "flink-sql-gateway-"}};
  if (tables) jars_of.insert(jars_of.end(), {{"flink iceberg connector", "iceberg", "iceberg-flink-runtime-"}, {"hadoop client", "iceberg", "hadoop-client-runtime-"}});
  for (const auto& [what, part, begin] : jars_of) {
    const auto jars = files.list(env::join_path(flink, part));
    const auto jar = jars ? std::ranges::find_if(*jars, [b = begin](const std::string& name) { return name.starts_with(b) && name.ends_with(".jar"); }) : std::vector<std::string>::const_iterator();
    if (!jars || jar == jars->end()) return fail(ErrorCode::kFileNotFound, fmt::format("there is no {}*.jar in {}/{}", begin, flink, part), std::string(kFetch));
    out[what] = jar->substr(begin.size(), jar->size() - begin.size() - std::string_view(".jar").size());
  }
  if (constexpr std::string_view kStore = "slow-store.jar"; tables && !files.exists(env::join_path(env::join_path(flink, "iceberg"), kStore)).value_or(false))
    return fail(ErrorCode::kFileNotFound, fmt::format("there is no {} in {}/iceberg", kStore, flink), std::string(kFetch));
  return out;
}

Status FlinkCluster::come_up() {
  SUPYO_ASSIGN([[maybe_unused]] const auto there, versions(env_.files, options_.flink, options_.tables));
  SUPYO_ASSIGN(java_, env_.processes->find("java"));
  SUPYO_TRY(write_configuration());
  const std::string conf = env::join_path(options_.directory, "conf");
  SUPYO_ASSIGN(job_manager_, start_process("jobmanager", {"-Xmx512m"}, {"org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", conf, "--executionMode", "cluster"}));
  SUPYO_ASSIGN(gateway_process_, start_process("gateway", {"-Xmx512m"}, {"org.apache.flink.table.gateway.SqlGateway", "-Dsql-gateway.endpoint.rest.address=127.0.0.1", fmt::format("-Dsql-gateway.endpoint.rest.port={}", gateway_.address.port)}));
  SUPYO_TRY(start_task_manager());
  return wait_until_ready();
}

Status FlinkCluster::write_configuration() {
  SUPYO_ASSIGN(const env::NetAddress rpc, free_address(*env_.net));
  SUPYO_ASSIGN(rest_.address, free_address(*env_.net));
  SUPYO_ASSIGN(gateway_.address, free_address(*env_.net));
  const std::string conf = env::join_path(options_.directory, "conf");
  SUPYO_TRY(env_.files.create_directories(conf));
  SUPYO_TRY(env_.files.create_directories(env::join_path(options_.directory, "checkpoints")));
  // The JobManager's answers are up to web.refresh-interval old. A TaskManager that is silent for heartbeat.timeout is given up; one whose connection breaks is at once.
  const std::string text = fmt::format(
      "jobmanager.rpc.address: 127.0.0.1\njobmanager.rpc.port: {}\njobmanager.bind-host: 127.0.0.1\nblob.server.port: \"0\"\nrest.address: 127.0.0.1\nrest.bind-address: 127.0.0.1\nrest.port: {}\nweb.refresh-interval: \"50\"\n"
      "taskmanager.host: 127.0.0.1\ntaskmanager.bind-host: 127.0.0.1\ntaskmanager.numberOfTaskSlots: {}\nmetrics.fetcher.update-interval: 1000\nheartbeat.interval: 1000\nheartbeat.timeout: 8000\nparallelism.default: 1\n{}"
      "restart-strategy.type: fixed-delay\nrestart-strategy.fixed-delay.attempts: 2147483647\nrestart-strategy.fixed-delay.delay: 1 s\nstate.backend.type: hashmap\n"
      "execution.checkpointing.dir: file://{}/checkpoints\nexecution.checkpointing.savepoint-dir: file://{}/savepoints\n",
      rpc.port, rest_.address.port, options_.slots, memory_text(options_.slots), options_.directory, options_.directory);
  SUPYO_TRY(env_.files.write_atomically(env::join_path(conf, "config.yaml"), text));
  return env_.files.write_atomically(env::join_path(conf, "log4j.properties"),
                                     "rootLogger.level=INFO\nrootLogger.appenderRef.f.ref=F\nappender.f.name=F\nappender.f.type=File\nappender.f.fileName=${sys:log.file}\nappender.f.layout.type=PatternLayout\n"
                                     "appender.f.layout.pattern=%d %p %c{1} %m%n\n");
}

Result<std::unique_ptr<env::Process>> FlinkCluster::start_process(const std::string& name, const std::vector<std::string>& jvm, std::vector<std::string> rest) const {
  const std::string conf = env::join_path(options_.directory, "conf");
  env::Program p{.arguments = {java_}};
  const auto add = [&](const std::vector<std::string>& more) { p.arguments.insert(p.arguments.end(), more.begin(), more.end()); };
  add({"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"});   // compiling better takes longer than all that a lab asks of it
  add(jvm);
  add(opened_packages());
  add({fmt::format("-Dlog.file={}/{}.log", options_.directory, name), fmt::format("-Dlog4j.configurationFile=file:{}/log4j.properties", conf), "-cp", fmt::format("{0}/lib/*:{0}/gateway/*{1}", options_.flink, options_.tables ? fmt::format(":{}/iceberg/*", options_.flink) : "")});
  add(rest);
  p.environment = {{"FLINK_CONF_DIR", conf}, {"FLINK_LIB_DIR", env::join_path(options_.flink, "lib")}};
  p.out = p.error = env::ProgramOutput::to_file(env::join_path(options_.directory, name + ".out"));
  return env_.processes->start(p);
}

Status FlinkCluster::start_task_manager() {
  const std::string name = fmt::format("taskmanager-{}", task_managers_.size());
  const std::string heap = std::to_string(kFrameworkHeap + kTaskHeap);
  SUPYO_ASSIGN(auto process, start_process(name, {"-Xms" + heap, "-Xmx" + heap, fmt::format("-XX:MaxDirectMemorySize={}", kDirect), fmt::format("-XX:MaxMetaspaceSize={}", kMetaspace), "-XX:+ExitOnOutOfMemoryError"},
                                           {"org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", env::join_path(options_.directory, "conf"), "-D", "taskmanager.resource-id=" + name}));
  task_managers_.push_back(std::move(process));
  return ok();
}

Status FlinkCluster::wait_until_ready() {
  for (const TimeUs until = env_.clock.monotonic_us() + kReady;; env_.threads->idle(kPause)) {
    const auto overview = parsed(connect::http_get(env_, rest_, "/overview", kAnswer));
    if (overview && overview->value("taskmanagers", 0) > 0 && connect::http_get(env_, gateway_, "/v1/info", kAnswer)) return ok();
    for (env::Process* p : {job_manager_.get(), gateway_process_.get(), task_managers_.back().get()}) {
      SUPYO_ASSIGN(const auto ended, p->poll());
      if (ended) return fail(ErrorCode::kOutsideUnavailable, fmt::format("a process of Flink ended with status {}", ended->status), fmt::format("its logs are in {}", options_.directory));
    }
    if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("Flink does not answer after {} s", kReady / kSecond), fmt::format("its logs are in {}", options_.directory));
  }
}

Result<std::string> FlinkCluster::run_statement(const std::string& session, std::string_view sql, DurationUs timeout_us) {
  const std::string path = "/v1/sessions/" + session;
  SUPYO_ASSIGN(const auto opened, parsed(connect::http_post(env_, gateway_, path + "/statements", nlohmann::json{{"statement", sql}}.dump(), timeout_us)));
  const std::string result = fmt::format("/v2/sessions/{}/operations/{}/result/0?rowFormat=JSON", session, opened.value("operationHandle", ""));
  for (const TimeUs until = env_.clock.monotonic_us() + timeout_us;; env_.threads->idle(kPause)) {
    SUPYO_ASSIGN(const auto page, parsed(connect::http_get(env_, gateway_, result, timeout_us)));
    if (page.value("resultType", "") != "NOT_READY") return page.value("jobID", std::string());
    if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kOutsideUnavailable, "Flink's SQL gateway has not carried out a statement in time");
  }
}

Result<std::string> FlinkCluster::submit(std::string_view script, const std::map<std::string, std::string>& variables, const std::map<std::string, std::string>& settings, DurationUs timeout_us) {
  const std::lock_guard one_at_a_time(submitting_);
  SUPYO_ASSIGN(const auto session, parsed(connect::http_post(env_, gateway_, "/v1/sessions", nlohmann::json{{"properties", settings}}.dump(), timeout_us)));
  std::string job;
  for (const std::string& sql : flink_statements(filled(script, variables))) {
    SUPYO_ASSIGN(job, run_statement(session.value("sessionHandle", ""), sql, timeout_us));
  }
  if (job.empty()) return fail(ErrorCode::kJobFailed, "the script's last statement started no job of Flink");
  return job;
}

Result<FlinkCluster::Job> FlinkCluster::look(const std::string& job) const {
  SUPYO_ASSIGN(const auto status, parsed(connect::http_get(env_, rest_, fmt::format("/jobs/{}/status", job), kAnswer)));
  SUPYO_ASSIGN(const auto all, parsed(connect::http_get(env_, rest_, fmt::format("/jobs/{}/checkpoints", job), kAnswer)));
  Job out{.state = status.value("status", "")};
  const auto counts = all.value("counts", nlohmann::json::object());
  out.completed = counts.value("completed", std::int64_t{0});
  out.failed = counts.value("failed", std::int64_t{0});
  if (const auto metric = connect::http_get(env_, rest_, fmt::format("/jobs/{}/metrics?get=numRestarts", job), kAnswer)) {
    const auto list = nlohmann::json::parse(*metric, nullptr, false);   // [{"id":"numRestarts","value":"0"}]
    if (list.is_array() && !list.empty()) out.restarts = std::atoll(list[0].value("value", std::string("0")).c_str());
  }
  const auto last = all.contains("latest") && all["latest"].contains("completed") ? all["latest"]["completed"] : nlohmann::json();
  if (last.is_object()) {
    out.last_id = last.value("id", std::int64_t{0});
    out.last_completed_us = last.value("latest_ack_timestamp", std::int64_t{0}) * kMillisecond;
    out.state_bytes = last.value("state_size", std::int64_t{0});
    out.last_took_us = last.value("end_to_end_duration", std::int64_t{0}) * kMillisecond;
  }
  for (const auto& c : all.value("history", nlohmann::json::array())) {
    const bool complete = c.value("status", "") == "COMPLETED";
    out.checkpoints.push_back({.id = c.value("id", std::int64_t{0}), .triggered_us = c.value("trigger_timestamp", std::int64_t{0}) * kMillisecond, .completed_us = complete ? c.value("latest_ack_timestamp", std::int64_t{0}) * kMillisecond : 0});
  }
  return out;
}

Result<std::string> FlinkCluster::rest(const std::string& path) const { return connect::http_get(env_, rest_, path, kAnswer); }

Status FlinkCluster::take_checkpoint_store_away() {
  const std::string store = env::join_path(options_.directory, "checkpoints");
  SUPYO_TRY(env_.files.rename(store, store + "-away"));
  return env_.files.write_atomically(store, "");   // a file, in which no directory can be made
}

Status FlinkCluster::bring_checkpoint_store_back() {
  const std::string store = env::join_path(options_.directory, "checkpoints");
  SUPYO_TRY(env_.files.remove(store));
  return env_.files.rename(store + "-away", store);
}

Status FlinkCluster::stop_with_drain(const std::string& job) {
  SUPYO_ASSIGN([[maybe_unused]] const auto answer, connect::http_post(env_, rest_, fmt::format("/jobs/{}/stop", job), R"({"drain":true})", kAnswer));
  return ok();
}

}  // namespace supyo::scenario
