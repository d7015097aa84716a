#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/processes.h"
#include "lab/stack/service.h"

namespace supyo::stack {

/// A service that was started from a directory, running or not.
struct ServiceStatus {
  std::string stack, name;
  int tier = 0;
  bool running = false;
  bool ready = false;                      ///< answered its probe just now
  env::ProcessIdentity process = {};
  env::ProcessUsage usage = {};
  std::vector<Port> ports = {};
  Probe probe = {};
  std::vector<std::string> command = {};
  std::map<std::string, std::string> environment = {};
  std::string log;                         ///< path
};

struct UpHooks {
  std::function<void(const std::string& line)> say;   ///< progress, one line each
  std::function<bool()> stopped;                      ///< Ctrl-C
};

/// Starts, finds again and stops the services of one stack in `directory`/<service>. What runs is found by its `process` file, which names the process
/// by number, start time and boot, so that a number that another process got is never signalled. Services outlive this object and its process.
/// One thread; other processes are kept out by a lock while something changes. Needs env.net, env.threads and env.processes.
class Supervisor {
 public:
  Supervisor(const env::Env& env, std::string stack, std::string directory);

  /// Starts what does not run yet, tier by tier, and waits until each answers. After an error or a stop, everything that this call started is stopped again.
  /// Errors: kAddressInUse (naming the port), kOutsideUnavailable (ended or not ready in time: the end of its log is in the message), kStateLocked, kCancelled.
  Status up(const std::vector<Service>& services, const UpHooks& hooks);

  /// Starts a service again that has ended, as it was started last; returns when it answers. Fine when it runs. Errors: those of up(); kFileNotFound (never started here).
  Status start_again(const std::string& service, const UpHooks& hooks);

  /// Which process a service is, or was last; asks nobody whether it answers. kFileNotFound (never started here).
  Result<env::ProcessIdentity> process(const std::string& service) const;

  /// What was started here and not taken down, in order of start. Probes what runs.
  Result<std::vector<ServiceStatus>> status() const;

  /// Terminates what runs, the highest tier first, each tier together; kills what does not end within half a minute. Data and logs stay unless
  /// `remove_data`. Fine when nothing runs. Errors: kNotAllowed (another user's), kStateLocked.
  Status down(bool remove_data, const UpHooks& hooks);

  const std::string& directory() const { return directory_; }

 private:
  struct Started;
  Status start(const Service& service, const UpHooks& hooks, std::vector<Started>& started);
  Status start_tier(const std::vector<const Service*>& services, const UpHooks& hooks, std::vector<Started>& started);
  Status prepare(const Service& service, const UpHooks& hooks);
  Status check_ports(const Service& service) const;
  Status wait_until_ready(const Service& service, env::Process* process, const UpHooks& hooks) const;
  Status stop(std::vector<ServiceStatus> services, const UpHooks& hooks);
  Result<std::optional<ServiceStatus>> read_status(const std::string& name) const;
  Status write_status(const Service& service, const env::ProcessIdentity& process) const;
  std::string path_of(std::string_view service, std::string_view file) const;
  Result<std::unique_ptr<env::FileLock>> lock() const;

  env::Env env_;
  std::string stack_;
  std::string directory_;
};

/// The last `lines` lines of a file; empty when there is none.
std::string tail_of(env::Files& files, const std::string& path, std::size_t lines);

}  // namespace supyo::stack
