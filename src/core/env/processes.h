#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/env.h"

namespace supyo::env {

/// Where a program's standard output or error goes.
struct ProgramOutput {
  enum class Kind : std::uint8_t { kNull, kFile, kPipe };
  Kind kind = Kind::kNull;
  std::string path = {};   ///< kFile: appended to, created when absent

  static ProgramOutput to_file(std::string path) { return {Kind::kFile, std::move(path)}; }
  static ProgramOutput to_pipe() { return {Kind::kPipe}; }
};

/// A program to start. It is executed itself, never through a shell: arguments are not parsed again. Standard input is empty.
struct Program {
  std::vector<std::string> arguments;               ///< [0] is the program: a path, or a name that PATH finds
  std::string working_directory = {};               ///< empty: ours
  std::map<std::string, std::string> environment = {};  ///< set on top of ours
  ProgramOutput out = {};
  ProgramOutput error = {};                         ///< kPipe: into the same pipe as `out`, which is then a pipe too
  bool outlives_us = false;                         ///< a session of its own, and the Process's destructor leaves it running
};

/// A process that cannot be mistaken for a later one with the same number: what a pid file holds.
struct ProcessIdentity {
  std::int32_t pid = 0;
  std::uint64_t start_ticks = 0;   ///< since boot
  std::string boot = {};           ///< the kernel's boot id
  bool operator==(const ProcessIdentity&) const = default;

  /// "pid start_ticks boot"
  std::string to_string() const;
  /// kMalformedRecord.
  static Result<ProcessIdentity> parse(std::string_view text);
};

struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  DurationUs cpu_us = 0;           ///< user + system; in steps of the kernel's tick (10 ms)
  bool stopped = false;            ///< by kStop
};

/// How a program ended.
struct ProcessExit {
  int status = 0;                  ///< exit status; 128 + number when a signal ended it
  bool signalled = false;
  DurationUs cpu_us = 0;           ///< user + system of the program and of what it waited for, in microseconds
  std::uint64_t resident_bytes_max = 0;
};

enum class ProcessSignal : std::uint8_t { kTerminate, kInterrupt, kKill, kStop, kContinue };

/// A program that we started, leader of a process group of its own. One thread. The destructor kills the whole group and waits for it, so that no child is
/// left (unless `outlives_us`).
class Process {
 public:
  virtual ~Process() = default;
  virtual const ProcessIdentity& identity() const = 0;
  /// Null while it runs. Once it has ended, what is left of its group is killed; later calls give the same answer.
  virtual Result<std::optional<ProcessExit>> poll() = 0;
  /// To the whole group. Does nothing when it has ended.
  virtual Status signal(ProcessSignal signal) = 0;
  /// The pipe of `out` (and `error`); null when there is none.
  virtual InputStream* output() = 0;
};

/// Programs of this machine. Thread-safe. Absent in simulation.
class Processes {
 public:
  virtual ~Processes() = default;
  /// Errors: kProgramMissing (not in PATH, not executable), kFileNotFound (working directory), kIo.
  virtual Result<std::unique_ptr<Process>> start(const Program& program) = 0;
  /// Full path of a program by its name; kProgramMissing.
  virtual Result<std::string> find(std::string_view name) const = 0;
  /// The file that this process executes.
  virtual Result<std::string> own_program() const = 0;

  /// Null when it has ended (a process that nobody has waited for has ended too) or when its number belongs to another one now.
  virtual std::optional<ProcessUsage> look(const ProcessIdentity& process) const = 0;
  /// To the group that `process` leads: only if it is still that process; false when it has ended. kNotAllowed for somebody else's.
  virtual Result<bool> signal(const ProcessIdentity& process, ProcessSignal signal) = 0;
  /// CPU time of this whole process up to now: user + system, all threads, microseconds.
  virtual DurationUs own_cpu_us() const = 0;
};

struct Finished {
  ProcessExit exit;
  std::string output;        ///< up to kOutputMax bytes; what comes after is dropped
};
/// Runs a program to its end with output and error in one text. It is killed when `stopped` says so (kCancelled) or after `limit_us` (kOutsideUnavailable).
/// Needs env.processes and env.threads.
Result<Finished> run_program(const Env& env, Program program, DurationUs limit_us, const std::function<bool()>& stopped = {});
inline constexpr std::size_t kOutputMax = 1 << 20;

}  // namespace supyo::env
