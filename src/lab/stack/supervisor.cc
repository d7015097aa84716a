#include "lab/stack/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/check.h"

namespace supyo::stack {
namespace {

using nlohmann::json;

constexpr DurationUs kReadyLimit = 2 * kMinute;
constexpr DurationUs kPrepareLimit = 2 * kMinute;
constexpr DurationUs kStopLimit = 30 * kSecond;
constexpr DurationUs kKillLimit = 10 * kSecond;
constexpr DurationUs kStep = 20 * kMillisecond;
constexpr std::string_view kProcessFile = "process", kLogFile = "log.txt", kPreparedFile = "prepared";
constexpr std::size_t kLogLines = 15;

void say(const UpHooks& hooks, const std::string& line) {
  if (hooks.say) hooks.say(line);
}
bool stopped(const UpHooks& hooks) { return hooks.stopped && hooks.stopped(); }
std::unexpected<Error> cancelled() { return fail(ErrorCode::kCancelled, "stopped: what was started is taken down again"); }

std::string seconds(DurationUs us) { return fmt::format("{:.1f} s", static_cast<double>(us) / kSecond); }

}  // namespace

struct Supervisor::Started {
  const Service* service = nullptr;
  std::unique_ptr<env::Process> process;
};

Supervisor::Supervisor(const env::Env& env, std::string stack, std::string directory)
    : env_(env), stack_(std::move(stack)), directory_(std::move(directory)) {
  SUPYO_CHECK(env_.net != nullptr && env_.threads != nullptr && env_.processes != nullptr);
}

std::string Supervisor::path_of(std::string_view service, std::string_view file) const { return env::join_path(env::join_path(directory_, service), file); }

Result<std::unique_ptr<env::FileLock>> Supervisor::lock() const {
  auto lock = env_.files.lock(directory_ + ".lock");
  if (lock || lock.error().code != ErrorCode::kStateLocked) return lock;
  return fail(ErrorCode::kStateLocked, fmt::format("another process is starting or stopping {} in {}", stack_, env::parent_path(directory_)), "wait until it is done");
}

Status Supervisor::up(const std::vector<Service>& services, const UpHooks& hooks) {
  SUPYO_TRY(env_.files.create_directories(directory_));
  SUPYO_ASSIGN(const auto held, lock());
  std::map<int, std::vector<const Service*>> tiers;
  for (const Service& service : services) tiers[service.tier].push_back(&service);
  std::vector<Started> started;
  for (const auto& [tier, members] : tiers) {
    const Status done = start_tier(members, hooks, started);
    if (done) continue;
    std::vector<ServiceStatus> mine;
    for (const Started& s : started)
      if (auto status = read_status(s.service->name); status && *status) mine.push_back(std::move(**status));
    (void)stop(std::move(mine), {.say = hooks.say, .stopped = {}});  // the first error is the one to tell
    return done;
  }
  return ok();
}

Status Supervisor::start_again(const std::string& name, const UpHooks& hooks) {
  SUPYO_ASSIGN(const auto before, read_status(name));
  if (!before || before->command.empty()) return fail(ErrorCode::kFileNotFound, fmt::format("{} of {} was not started here", name, stack_), fmt::format("supyo stack up {}", stack_));
  const Service service{.name = name, .tier = before->tier, .command = before->command, .environment = before->environment, .ports = before->ports, .ready = before->probe};
  std::vector<Started> started;
  if (!before->running) {
    SUPYO_ASSIGN(const auto held, lock());
    SUPYO_TRY(start(service, hooks, started));
  }
  return wait_until_ready(service, started.empty() ? nullptr : started.front().process.get(), hooks);
}

Result<env::ProcessIdentity> Supervisor::process(const std::string& name) const {
  SUPYO_ASSIGN(const auto status, read_status(name));
  if (!status) return fail(ErrorCode::kFileNotFound, fmt::format("{} of {} was not started here", name, stack_), fmt::format("supyo stack up {}", stack_));
  return status->process;
}

/// All of a tier are started before any is waited for: members of a cluster need each other.
Status Supervisor::start_tier(const std::vector<const Service*>& services, const UpHooks& hooks, std::vector<Started>& started) {
  for (const Service* service : services) {
    if (stopped(hooks)) return cancelled();
    SUPYO_ASSIGN(const auto before, read_status(service->name));
    if (before && before->running) say(hooks, fmt::format("{}: runs already", service->name));
    else SUPYO_TRY(start(*service, hooks, started));
  }
  for (const Service* service : services) {
    const auto mine = std::ranges::find(started, service, &Started::service);
    SUPYO_TRY(wait_until_ready(*service, mine == started.end() ? nullptr : mine->process.get(), hooks));
  }
  return ok();
}

Status Supervisor::start(const Service& service, const UpHooks& hooks, std::vector<Started>& started) {
  SUPYO_TRY(check_ports(service));
  SUPYO_TRY(env_.files.create_directories(env::join_path(directory_, service.name)));
  for (const auto& [name, text] : service.files) SUPYO_TRY(env_.files.write_atomically(path_of(service.name, name), text));
  SUPYO_TRY(prepare(service, hooks));
  const auto log = env::ProgramOutput::to_file(path_of(service.name, kLogFile));
  SUPYO_ASSIGN(auto process, env_.processes->start({.arguments = service.command,
                                                    .working_directory = env::join_path(directory_, service.name),
                                                    .environment = service.environment,
                                                    .out = log,
                                                    .error = log,
                                                    .outlives_us = true}));
  if (const Status written = write_status(service, process->identity()); !written) {
    (void)process->signal(env::ProcessSignal::kKill);  // nobody would find it again
    return written;
  }
  started.push_back({&service, std::move(process)});
  return ok();
}

Status Supervisor::check_ports(const Service& service) const {
  for (const Port& port : service.ports) {
    const auto listener = env_.net->listen({.host = "127.0.0.1", .port = port.number});
    if (listener) continue;
    if (listener.error().code != ErrorCode::kAddressInUse) return fail(listener.error());
    return fail(ErrorCode::kAddressInUse, fmt::format("port {} ({} of {}) is taken by another process", port.number, port.name, service.name),
                fmt::format("stop that process, or move all ports: supyo stack up {} --port-offset 1000", stack_));
  }
  return ok();
}

Status Supervisor::prepare(const Service& service, const UpHooks& hooks) {
  if (service.prepare.empty()) return ok();
  SUPYO_ASSIGN(const bool done, env_.files.exists(path_of(service.name, kPreparedFile)));
  if (done) return ok();
  say(hooks, fmt::format("{}: preparing its data directory", service.name));
  SUPYO_ASSIGN(const env::Finished run, env::run_program(env_, {.arguments = service.prepare, .working_directory = env::join_path(directory_, service.name)}, kPrepareLimit, hooks.stopped));
  if (run.exit.status != 0)
    return fail(ErrorCode::kOutsideUnavailable,
                fmt::format("preparing {} ended with status {}: {}", service.name, run.exit.status, run.output.substr(run.output.size() - std::min<std::size_t>(run.output.size(), 1000))),
                fmt::format("supyo stack down {} -v removes what may be in the way", stack_));
  return env_.files.write_atomically(path_of(service.name, kPreparedFile), "yes\n");
}

Status Supervisor::wait_until_ready(const Service& service, env::Process* process, const UpHooks& hooks) const {
  const TimeUs begin = env_.clock.monotonic_us();
  const auto log_end = [&] { return tail_of(env_.files, path_of(service.name, kLogFile), kLogLines); };
  const std::string hint = fmt::format("the whole log: {}", path_of(service.name, kLogFile));
  while (!probe(env_, service.ready)) {
    if (stopped(hooks)) return cancelled();
    if (process != nullptr) {
      SUPYO_ASSIGN(const auto exit, process->poll());
      if (exit) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} ended with status {} while it started:\n{}", service.name, exit->status, log_end()), hint);
    }
    const DurationUs waited = env_.clock.monotonic_us() - begin;
    if (waited > kReadyLimit) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} did not answer within {}:\n{}", service.name, seconds(waited), log_end()), hint);
    env_.threads->idle(kStep);
  }
  if (process != nullptr) say(hooks, fmt::format("{}: ready after {}", service.name, seconds(env_.clock.monotonic_us() - begin)));
  return ok();
}

Status Supervisor::write_status(const Service& service, const env::ProcessIdentity& process) const {
  json ports = json::array();
  for (const Port& port : service.ports) ports.push_back({{"name", port.name}, {"port", port.number}});
  const json document = {{"process", process.to_string()},
                         {"tier", service.tier},
                         {"command", service.command},
                         {"environment", service.environment},
                         {"ports", ports},
                         {"probe", {{"kind", static_cast<int>(service.ready.kind)}, {"host", service.ready.address.host}, {"port", service.ready.address.port}, {"path", service.ready.path}, {"brokers", service.ready.brokers}}}};
  return env_.files.write_atomically(path_of(service.name, kProcessFile), document.dump() + "\n");
}

Result<std::optional<ServiceStatus>> Supervisor::read_status(const std::string& name) const {
  const std::string path = path_of(name, kProcessFile);
  const auto text = env_.files.read_all(path);
  if (!text && text.error().code == ErrorCode::kNotFoundOnDisk) return std::nullopt;
  if (!text) return fail(text.error());
  const json document = json::parse(*text, nullptr, false);
  ServiceStatus status{.stack = stack_, .name = name, .log = path_of(name, kLogFile)};
  try {
    SUPYO_ASSIGN(status.process, env::ProcessIdentity::parse(document.at("process").get<std::string>()));
    status.tier = document.at("tier").get<int>();
    status.command = document.value("command", std::vector<std::string>());
    status.environment = document.value("environment", std::map<std::string, std::string>());
    for (const json& port : document.at("ports")) status.ports.push_back({port.at("name").get<std::string>(), port.at("port").get<std::uint16_t>()});
    const json& p = document.at("probe");
    status.probe = {.kind = static_cast<Probe::Kind>(p.at("kind").get<int>()),
                    .address = {.host = p.at("host").get<std::string>(), .port = p.at("port").get<std::uint16_t>()},
                    .path = p.at("path").get<std::string>(),
                    .brokers = p.at("brokers").get<int>()};
  } catch (const json::exception& e) {
    return fail(ErrorCode::kDamaged, fmt::format("{} is not what supyo stack wrote: {}", path, e.what()), "look whether that server still runs, then remove the file");
  }
  if (const auto usage = env_.processes->look(status.process)) {
    status.running = true;
    status.usage = *usage;
  }
  return status;
}

Result<std::vector<ServiceStatus>> Supervisor::status() const {
  std::vector<ServiceStatus> all;
  SUPYO_ASSIGN(const bool there, env_.files.is_directory(directory_));
  if (!there) return all;
  SUPYO_ASSIGN(const std::vector<std::string> names, env_.files.list(directory_));
  for (const std::string& name : names) {
    SUPYO_ASSIGN(const bool is_service, env_.files.is_directory(env::join_path(directory_, name)));
    if (!is_service) continue;
    SUPYO_ASSIGN(auto status, read_status(name));
    if (!status) continue;
    status->ready = status->running && probe(env_, status->probe);
    all.push_back(std::move(*status));
  }
  std::ranges::stable_sort(all, {}, &ServiceStatus::tier);
  return all;
}

Status Supervisor::stop(std::vector<ServiceStatus> services, const UpHooks& hooks) {
  std::ranges::stable_sort(services, std::ranges::greater(), &ServiceStatus::tier);
  while (!services.empty()) {
    const int tier = services.front().tier;
    const auto end = std::ranges::find_if(services, [&](const ServiceStatus& s) { return s.tier != tier; });
    std::vector<ServiceStatus> members(services.begin(), end);
    services.erase(services.begin(), end);
    const TimeUs begin = env_.clock.monotonic_us();
    bool killed = false;
    for (const ServiceStatus& s : members) {
      for (const auto signal : {env::ProcessSignal::kTerminate, env::ProcessSignal::kContinue}) {  // continued, since a lab may have stopped it
        const auto sent = env_.processes->signal(s.process, signal);
        if (!sent) return fail(sent.error());
      }
    }
    const auto runs = [&](const ServiceStatus& s) { return env_.processes->look(s.process).has_value(); };
    while (std::ranges::any_of(members, runs)) {
      const DurationUs waited = env_.clock.monotonic_us() - begin;
      if (waited > kStopLimit + kKillLimit) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} does not end", members.front().name), "look at it with ps");
      if (waited > kStopLimit && !killed) {
        killed = true;
        for (const ServiceStatus& s : members) {
          SUPYO_ASSIGN(const bool there, env_.processes->signal(s.process, env::ProcessSignal::kKill));
          if (there) say(hooks, fmt::format("{}: did not end within {}, killed", s.name, seconds(kStopLimit)));
        }
      }
      env_.threads->idle(kStep);
    }
    for (const ServiceStatus& s : members) {
      if (s.running) say(hooks, fmt::format("{}: stopped after {}", s.name, seconds(env_.clock.monotonic_us() - begin)));
      SUPYO_TRY(env_.files.remove(path_of(s.name, kProcessFile)));
    }
  }
  return ok();
}

Status Supervisor::down(bool remove_data, const UpHooks& hooks) {
  SUPYO_ASSIGN(const bool there, env_.files.is_directory(directory_));
  if (!there) return ok();
  SUPYO_ASSIGN(const auto held, lock());
  SUPYO_ASSIGN(const std::vector<std::string> names, env_.files.list(directory_));
  std::vector<ServiceStatus> services;
  for (const std::string& name : names) {
    SUPYO_ASSIGN(const bool is_service, env_.files.is_directory(env::join_path(directory_, name)));
    if (!is_service) continue;
    SUPYO_ASSIGN(auto status, read_status(name));
    if (status) services.push_back(std::move(*status));
  }
  SUPYO_TRY(stop(std::move(services), hooks));
  if (!remove_data) return ok();
  SUPYO_TRY(env_.files.remove_all(directory_));
  return env_.files.remove(directory_ + ".lock");
}

std::string tail_of(env::Files& files, const std::string& path, std::size_t lines) {
  constexpr std::uint64_t kMost = 256 << 10;
  const auto file = files.open(path, env::OpenMode::kRead);
  if (!file) return {};
  const auto size = (*file)->size();
  if (!size) return {};
  const std::uint64_t from = *size > kMost ? *size - kMost : 0;
  std::string text(*size - from, '\0');
  const auto read = (*file)->read_at(from, text);
  if (!read) return {};
  text.resize(*read);
  std::size_t begin = text.size();
  if (begin > 0 && text.back() == '\n') --begin;
  for (std::size_t i = 0; i < lines && begin > 0; ++i) {
    begin = text.rfind('\n', begin - 1);
    if (begin == std::string::npos) return text;
  }
  return text.substr(begin + 1);
}

}  // namespace supyo::stack
