#include "core/env/real/real_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/check.h"
#include "core/env/real/real_files.h"

namespace supyo::env {
namespace {

int number_of(ProcessSignal signal) {
  switch (signal) {
    case ProcessSignal::kTerminate: return SIGTERM;
    case ProcessSignal::kInterrupt: return SIGINT;
    case ProcessSignal::kKill: return SIGKILL;
    case ProcessSignal::kStop: return SIGSTOP;
    case ProcessSignal::kContinue: return SIGCONT;
  }
  std::unreachable();
}

DurationUs microseconds(const timeval& t) { return t.tv_sec * kSecond + t.tv_usec; }
DurationUs cpu_of(const rusage& usage) { return microseconds(usage.ru_utime) + microseconds(usage.ru_stime); }

/// A small file of /proc; empty when it is gone.
std::string read_small(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char chunk[4096];
  for (ssize_t n = ::read(fd, chunk, sizeof chunk); n > 0; n = ::read(fd, chunk, sizeof chunk)) text.append(chunk, static_cast<std::size_t>(n));
  ::close(fd);
  return text;
}

std::string boot_id() {
  std::string id = read_small("/proc/sys/kernel/random/boot_id");
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

/// Fields of /proc/PID/stat after the name, which may itself hold blanks and brackets. Source: proc(5); [0] is field 3, the state.
std::vector<std::string> stat_fields(std::int32_t pid) {
  const std::string stat = read_small(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = stat.rfind(')');
  std::vector<std::string> fields;
  if (name_end == std::string::npos) return fields;
  for (std::size_t at = name_end + 2; at < stat.size();) {
    const std::size_t end = std::min(stat.find(' ', at), stat.size());
    fields.push_back(stat.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

constexpr std::size_t kState = 0, kUserTicks = 11, kSystemTicks = 12, kStartTicks = 19;

/// The fields of the process if it is that one and has not ended.
std::optional<std::vector<std::string>> fields_of(const ProcessIdentity& process) {
  auto fields = stat_fields(process.pid);
  if (fields.size() <= kStartTicks || fields[kState] == "Z" || fields[kState] == "X") return std::nullopt;
  if (number(fields[kStartTicks]) != process.start_ticks || boot_id() != process.boot) return std::nullopt;
  return fields;
}

class RealProcess final : public Process {
 public:
  RealProcess(ProcessIdentity identity, bool outlives_us, std::unique_ptr<InputStream> output)
      : identity_(std::move(identity)), outlives_us_(outlives_us), output_(std::move(output)) {}
  ~RealProcess() override {
    if (exit_) return;
    if (outlives_us_) {
      (void)poll();  // takes it off the process table if it has ended
      return;
    }
    ::kill(-identity_.pid, SIGKILL);
    (void)wait(0);
  }
  RealProcess(const RealProcess&) = delete;
  RealProcess& operator=(const RealProcess&) = delete;

  const ProcessIdentity& identity() const override { return identity_; }
  Result<std::optional<ProcessExit>> poll() override { return wait(WNOHANG); }
  Status signal(ProcessSignal signal) override {
    // Not waited for yet, so neither its number nor its group's can belong to another.
    if (exit_ || ::kill(-identity_.pid, number_of(signal)) == 0 || errno == ESRCH) return ok();
    return fail(system_error(errno, "signalling process", std::to_string(identity_.pid)));
  }
  InputStream* output() override { return output_.get(); }

 private:
  Result<std::optional<ProcessExit>> wait(int flags) {
    if (exit_) return exit_;
    siginfo_t info = {};
    int done = 0;
    do {
      done = ::waitid(P_PID, static_cast<id_t>(identity_.pid), &info, WEXITED | WNOWAIT | flags);
    } while (done != 0 && errno == EINTR);
    if (done != 0) return fail(system_error(errno, "waiting for process", std::to_string(identity_.pid)));
    if (info.si_pid == 0) return std::nullopt;
    ::kill(-identity_.pid, SIGKILL);  // before it is taken off the table: until then the group's number is its own
    int status = 0;
    rusage usage = {};
    ::wait4(identity_.pid, &status, 0, &usage);
    exit_ = ProcessExit{.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                        .signalled = WIFSIGNALED(status),
                        .cpu_us = cpu_of(usage),
                        .resident_bytes_max = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
    return exit_;
  }

  ProcessIdentity identity_;
  bool outlives_us_;
  std::unique_ptr<InputStream> output_;
  std::optional<ProcessExit> exit_;
};

/// What posix_spawn is told, freed with it. The descriptors that it opened for the child are closed here, in the parent.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
    if (pipe_[0] >= 0) ::close(pipe_[0]);
    if (pipe_[1] >= 0) ::close(pipe_[1]);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  Status set(const Program& program) {
    const bool piped = program.out.kind == ProgramOutput::Kind::kPipe || program.error.kind == ProgramOutput::Kind::kPipe;
    if (piped && ::pipe2(pipe_, O_CLOEXEC) != 0) return fail(system_error(errno, "making a pipe for", program.arguments[0]));
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    add_output(STDOUT_FILENO, program.out);
    add_output(STDERR_FILENO, program.error);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    if (!program.working_directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions_, program.working_directory.c_str());
    sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    // A session has a group of its own too; both at once are refused.
    const int group = program.outlives_us ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(group | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
    return ok();
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }
  /// The end to read; the caller owns it. -1 without a pipe.
  int take_reader() { return std::exchange(pipe_[0], -1); }

 private:
  void add_output(int fd, const ProgramOutput& output) {
    switch (output.kind) {
      case ProgramOutput::Kind::kNull: ::posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_WRONLY, 0); break;
      case ProgramOutput::Kind::kFile: ::posix_spawn_file_actions_addopen(&actions_, fd, output.path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644); break;
      case ProgramOutput::Kind::kPipe: ::posix_spawn_file_actions_adddup2(&actions_, pipe_[1], fd); break;
    }
  }
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  int pipe_[2] = {-1, -1};
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!changes.contains(std::string(text.substr(0, text.find('='))))) all.emplace_back(text);
  }
  for (const auto& [name, value] : changes) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

bool is_executable(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<std::unique_ptr<Process>> RealProcesses::start(const Program& program) {
  SUPYO_CHECK(!program.arguments.empty());
  SUPYO_ASSIGN(const std::string path, find(program.arguments[0]));
  struct stat status = {};
  if (!program.working_directory.empty() && (::stat(program.working_directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)))
    return fail(ErrorCode::kFileNotFound, fmt::format("there is no directory {} to run {} in", program.working_directory, program.arguments[0]));
  SpawnPlan plan;
  SUPYO_TRY(plan.set(program));
  std::vector<std::string> arguments = program.arguments, environment = environment_with(program.environment);
  pid_t pid = 0;
  if (const int why = ::posix_spawn(&pid, path.c_str(), plan.actions(), plan.attributes(), pointers(arguments).data(), pointers(environment).data()); why != 0)
    return fail(system_error(why, "starting", path));
  // Our child stays on the process table until we wait for it, so these fields are its own even if it has ended already.
  const auto fields = stat_fields(pid);
  SUPYO_CHECK(fields.size() > kStartTicks);
  const int reader = plan.take_reader();
  return std::make_unique<RealProcess>(ProcessIdentity{.pid = pid, .start_ticks = number(fields[kStartTicks]), .boot = boot_id()}, program.outlives_us,
                                       reader < 0 ? nullptr : input_stream_of(reader, "the output of " + program.arguments[0]));
}

Result<std::string> RealProcesses::find(std::string_view name) const {
  if (name.find('/') != std::string_view::npos) {
    if (is_executable(std::string(name))) return std::string(name);
    return fail(ErrorCode::kProgramMissing, fmt::format("{} is no program", name), "check that the file exists and is executable");
  }
  const char* set = ::secure_getenv("PATH");
  std::string_view path = set == nullptr ? "/usr/local/bin:/usr/bin:/bin" : set;
  while (!name.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    if (end > 0)
      if (std::string candidate = join_path(path.substr(0, end), name); is_executable(candidate)) return candidate;
    if (end == path.size()) break;
    path.remove_prefix(end + 1);
  }
  return fail(ErrorCode::kProgramMissing, fmt::format("there is no program {} in PATH", name), "install it, or add its directory to PATH");
}

Result<std::string> RealProcesses::own_program() const {
  std::string path(4096, '\0');
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  if (n < 0) return fail(system_error(errno, "reading", "/proc/self/exe"));
  path.resize(static_cast<std::size_t>(n));
  return path;
}

std::optional<ProcessUsage> RealProcesses::look(const ProcessIdentity& process) const {
  const auto fields = fields_of(process);
  if (!fields) return std::nullopt;
  const std::string memory = read_small(fmt::format("/proc/{}/statm", process.pid));
  const std::size_t blank = memory.find(' ');
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ProcessUsage{
      .resident_bytes = blank == std::string::npos ? 0 : number(memory.substr(blank + 1)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)),
      .cpu_us = static_cast<DurationUs>((number((*fields)[kUserTicks]) + number((*fields)[kSystemTicks])) * (kSecond / ticks_per_second)),
      .stopped = (*fields)[kState] == "T"};
}

Result<bool> RealProcesses::signal(const ProcessIdentity& process, ProcessSignal signal) {
  // The descriptor stands for the process itself, so that between the look and the signal its number cannot become another's.
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (fd < 0 && errno == ESRCH) return false;
  if (fd < 0) return fail(system_error(errno, "opening process", std::to_string(process.pid)));
  const bool same = fields_of(process).has_value();
  long done = 0;
  if (same) {
    constexpr unsigned kWholeGroup = 1U << 2;  // PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9; before it the leader alone
    done = ::syscall(SYS_pidfd_send_signal, fd, number_of(signal), nullptr, kWholeGroup);
    if (done != 0 && errno == EINVAL) done = ::syscall(SYS_pidfd_send_signal, fd, number_of(signal), nullptr, 0U);
  }
  const int why = errno;
  ::close(fd);
  if (done == 0) return same;
  if (why == ESRCH) return false;
  if (why == EPERM) return fail(ErrorCode::kNotAllowed, fmt::format("process {} belongs to another user", process.pid), "stop it as that user");
  return fail(system_error(why, "signalling process", std::to_string(process.pid)));
}

DurationUs RealProcesses::own_cpu_us() const {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return cpu_of(usage);
}

}  // namespace supyo::env
