#include "lab/scenario/stream/flink_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <tuple>

#include "connect/flink/sql_gateway.h"
#include "lab/scenario/trial/cluster.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/split.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kAnswer = 5 * kSecond;
constexpr DurationUs kReady = 120 * kSecond;      // three JVMs at once, on a busy machine
constexpr DurationUs kPause = 50 * kMillisecond;
constexpr std::int64_t kManagedOfSlot = 32 << 20;

constexpr std::string_view kSlowStore = "iceberg/slow-store.jar", kHangingStore = "hanging/hanging-store.jar";
constexpr std::string_view kFetch = "scripts/fetch_flink.sh fetches it, with pip and Maven (about 350 MB); --flink DIR when it is somewhere else";

/// A store that a lab puts beneath Flink.
Status check_jar(env::Files& files, const std::string& flink, std::string_view jar) {
  return files.exists(env::join_path(flink, jar)).value_or(false) ? ok() : Status(fail(ErrorCode::kFileNotFound, fmt::format("there is no {} in {}", jar, flink), std::string(kFetch)));
}

Result<nlohmann::json> parsed(const Result<std::string>& answer) {
  if (!answer) return fail(answer.error());
  auto json = nlohmann::json::parse(*answer, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::kMalformedRecord, "Flink answered something that is no JSON object");
  return json;
}

}  // namespace

Result<std::unique_ptr<FlinkCluster>> FlinkCluster::start(const env::Env& env, const Options& options) {
  std::unique_ptr<FlinkCluster> cluster(new FlinkCluster(env, options));
  SUPYO_TRY(cluster->come_up());
  return cluster;
}

Result<std::map<std::string, std::string>> FlinkCluster::versions(env::Files& files, const std::string& flink, bool tables) {
  std::map<std::string, std::string> out;
  std::vector<std::tuple<const char*, const char*, std::string_view>> jars_of = {{"flink", "lib", "flink-dist-"}, {"flink kafka connector", "lib", "flink-sql-connector-kafka-"}, {"flink sql gateway", "gateway", "flink-sql-gateway-"}};
  if (tables) jars_of.insert(jars_of.end(), {{"flink iceberg connector", "iceberg", "iceberg-flink-runtime-"}, {"hadoop client", "iceberg", "hadoop-client-runtime-"}});
  for (const auto& [what, part, begin] : jars_of) {
    const auto jars = files.list(env::join_path(flink, part));
    const auto jar = jars ? std::ranges::find_if(*jars, [b = begin](const std::string& name) { return name.starts_with(b) && name.ends_with(".jar"); }) : std::vector<std::string>::const_iterator();
    if (!jars || jar == jars->end()) return fail(ErrorCode::kFileNotFound, fmt::format("there is no {}*.jar in {}/{}", begin, flink, part), std::string(kFetch));
    out[what] = jar->substr(begin.size(), jar->size() - begin.size() - std::string_view(".jar").size());
  }
  if (tables) SUPYO_TRY(check_jar(files, flink, kSlowStore));
  return out;
}

Status FlinkCluster::come_up() {
  SUPYO_ASSIGN([[maybe_unused]] const auto there, versions(env_.files, options_.flink, options_.tables));
  if (options_.may_hang) SUPYO_TRY(check_jar(env_.files, options_.flink, kHangingStore));
  SUPYO_ASSIGN(java_, env_.processes->find("java"));
  SUPYO_TRY(write_configuration());
  SUPYO_ASSIGN(job_manager_, start_process("jobmanager", jvm("jobmanager").job_manager()));
  SUPYO_ASSIGN(gateway_process_, start_process("gateway", jvm("gateway").sql_gateway(gateway_.address.port)));
  SUPYO_TRY(start_task_manager());
  return wait_until_ready();
}

stack::FlinkMemory FlinkCluster::memory() const { return {.managed = options_.slots * kManagedOfSlot}; }

stack::FlinkJvm FlinkCluster::jvm(const std::string& name) const {
  stack::FlinkJvm out{.java = java_, .home = options_.flink, .configuration = configuration()};
  out.arguments = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", fmt::format("-Dlog.file={}/{}.log", options_.directory, name)};   // compiling better takes longer than all that a lab asks of it
  if (options_.tables) out.more_jars.emplace_back("iceberg");
  if (options_.may_hang) out.more_jars.emplace_back("hanging");
  return out;
}

Status FlinkCluster::write_configuration() {
  SUPYO_ASSIGN(const env::NetAddress rpc, free_address(*env_.net));
  SUPYO_ASSIGN(rest_.address, free_address(*env_.net));
  SUPYO_ASSIGN(gateway_.address, free_address(*env_.net));
  SUPYO_TRY(env_.files.create_directories(configuration()));
  SUPYO_TRY(env_.files.create_directories(env::join_path(options_.directory, "checkpoints")));
  const stack::FlinkConfiguration common{.rpc = rpc.port, .rest = rest_.address.port, .slots = options_.slots, .memory = memory(), .directory = options_.directory, .store = options_.may_hang ? "hanging" : "file"};
  // The JobManager's answers are up to web.refresh-interval old. A TaskManager that is silent for heartbeat.timeout is given up; one whose connection breaks is at once.
  // What is too small for a file of its own goes with the acknowledgement, and never to a store that hangs.
  const std::string own = fmt::format("web.refresh-interval: \"50\"\nmetrics.fetcher.update-interval: 1000\nheartbeat.interval: 1000\nheartbeat.timeout: 8000\n{}", options_.may_hang ? "execution.checkpointing.data-inline-threshold: 0 b\n" : "");
  SUPYO_TRY(env_.files.write_atomically(env::join_path(configuration(), "config.yaml"), common.text() + own));
  return env_.files.write_atomically(env::join_path(configuration(), "log4j.properties"),
                                     "rootLogger.level=INFO\nrootLogger.appenderRef.f.ref=F\nappender.f.name=F\nappender.f.type=File\nappender.f.fileName=${sys:log.file}\nappender.f.layout.type=PatternLayout\n"
                                     "appender.f.layout.pattern=%d %p %c{1} %m%n\n");
}

Result<std::unique_ptr<env::Process>> FlinkCluster::start_process(const std::string& name, std::vector<std::string> command) const {
  env::Program p{.arguments = std::move(command)};
  p.environment = jvm(name).environment();
  p.out = p.error = env::ProgramOutput::to_file(env::join_path(options_.directory, name + ".out"));
  return env_.processes->start(p);
}

Status FlinkCluster::start_task_manager() {
  const std::string name = fmt::format("taskmanager-{}", task_managers_.size());
  SUPYO_ASSIGN(auto process, start_process(name, jvm(name).task_manager(name, memory())));
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

Result<std::string> FlinkCluster::submit(std::string_view script, const std::map<std::string, std::string>& variables, const std::map<std::string, std::string>& settings, DurationUs timeout_us) {
  const std::lock_guard one_at_a_time(submitting_);
  SUPYO_ASSIGN(const std::string text, syntax::substitute_variables(script, {variables.begin(), variables.end()}));
  SUPYO_ASSIGN(const auto statements, syntax::split_statements(text));
  SUPYO_ASSIGN(const connect::SqlGateway session, connect::SqlGateway::open(env_, gateway_, settings, timeout_us));
  connect::SqlGateway::Answer last;
  for (const syntax::StatementText& statement : statements) {
    SUPYO_ASSIGN(last, session.run(statement.text, timeout_us));
  }
  session.close();
  if (last.job.empty()) return fail(ErrorCode::kJobFailed, "the script's last statement started no job of Flink");
  return last.job;
}

Result<FlinkCluster::Job> FlinkCluster::look(const std::string& job) const {
  SUPYO_ASSIGN(const auto status, parsed(connect::http_get(env_, rest_, fmt::format("/jobs/{}/status", job), kAnswer)));
  SUPYO_ASSIGN(const auto all, parsed(connect::http_get(env_, rest_, fmt::format("/jobs/{}/checkpoints", job), kAnswer)));
  Job out{.state = status.value("status", "")};
  const auto counts = all.value("counts", nlohmann::json::object());
  out.completed = counts.value("completed", std::int64_t{0});
  out.failed = counts.value("failed", std::int64_t{0});
  // What was restored counts at once, but not a restart before the first checkpoint; the metric counts all, but comes late and not at the first question. Neither tells too many.
  out.restarts = counts.value("restored", std::int64_t{0});
  if (const auto metric = connect::http_get(env_, rest_, fmt::format("/jobs/{}/metrics?get=numRestarts", job), kAnswer)) {
    const auto list = nlohmann::json::parse(*metric, nullptr, false);   // [{"id":"numRestarts","value":"0"}]
    if (list.is_array() && !list.empty()) out.restarts = std::max<std::int64_t>(out.restarts, std::atoll(list[0].value("value", std::string("0")).c_str()));
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

Status FlinkCluster::set_checkpoint_store(Store store) {
  const std::string there = env::join_path(options_.directory, "checkpoints"), away = there + "-away", hang = env::join_path(options_.directory, "hang");
  if (store_ == Store::kRefuses) {
    SUPYO_TRY(env_.files.remove(there));
    SUPYO_TRY(env_.files.rename(away, there));
  }
  if (store_ == Store::kHangs) SUPYO_TRY(env_.files.remove(hang));
  store_ = store;
  if (store == Store::kHangs) return env_.files.write_atomically(hang, "");
  if (store == Store::kAnswers) return ok();
  SUPYO_TRY(env_.files.rename(there, away));
  return env_.files.write_atomically(there, "");   // a file, in which no directory can be made
}

Status FlinkCluster::stop_with_drain(const std::string& job) {
  SUPYO_ASSIGN([[maybe_unused]] const auto answer, connect::http_post(env_, rest_, fmt::format("/jobs/{}/stop", job), R"({"drain":true})", kAnswer));
  return ok();
}

}  // namespace supyo::scenario
