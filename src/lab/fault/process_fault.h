#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/processes.h"

namespace supyo::fault {

/// A process that a lab may hurt: one that the lab started, or one that a stack's process file names. It is known by number, start time and boot, so no signal
/// ever hits a later process with the same number. Needs env.processes and env.threads. One thread.
class ProcessFault {
 public:
  ProcessFault(const env::Env& env, env::ProcessIdentity process) : env_(env), process_(std::move(process)) {}

  const env::ProcessIdentity& process() const { return process_; }
  bool runs() const { return env_.processes->look(process_).has_value(); }
  /// It stands still: neither executes nor answers, and its connections stay open.
  bool stopped() const;

  /// SIGKILL, and waits until it has ended (for 5 s). Errors of all three: kJobNotRunning (it had ended before), kNotAllowed (somebody else's), kOutsideUnavailable (no effect in time).
  Status kill();
  /// SIGSTOP, and waits until it stands.
  Status stop();
  /// SIGCONT.
  Status go_on();

 private:
  Status send(env::ProcessSignal signal);
  template <class F>
  Status wait_for(F done, const char* what);
  env::Env env_;
  env::ProcessIdentity process_;
};

/// Stops a process for as long as it lives: nobody forgets a broker standing.
class Pause {
 public:
  static Result<Pause> begin(ProcessFault& fault);
  Pause(Pause&& other) noexcept : fault_(std::exchange(other.fault_, nullptr)) {}
  Pause& operator=(Pause&&) = delete;
  ~Pause() { (void)end(); }
  Status end();

 private:
  explicit Pause(ProcessFault& fault) : fault_(&fault) {}
  ProcessFault* fault_;
};

/// A server that the lab starts itself, kills and starts again. When it goes, the server is killed. One thread. Needs env.processes and env.threads.
class OwnServer {
 public:
  /// `ready` is what the server prints (on its standard output) once it serves; start() waits for a line that begins so, for `limit_us`.
  struct Options {
    env::Program program;                     ///< its standard output is taken by this
    std::string ready;                        ///< "broker at "
    DurationUs limit_us = 30 * kSecond;
  };
  OwnServer(const env::Env& env, Options options) : env_(env), options_(std::move(options)) {}

  /// The line that said that it is ready. Errors: those of Processes::start, kOutsideUnavailable (ended or silent; what it printed is in the message).
  Result<std::string> start();
  /// Reads what it prints, so that its pipe never fills; false when it has ended.
  Result<bool> look();
  /// SIGTERM, then, after 5 s, SIGKILL.
  Status end();
  /// kJobNotRunning when it has not been started, or was ended.
  Result<env::ProcessIdentity> process() const;

 private:
  Status drain();
  env::Env env_;
  Options options_;
  std::unique_ptr<env::Process> process_;
  std::string printed_;
};

}  // namespace supyo::fault
