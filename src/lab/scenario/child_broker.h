#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"
#include "core/env/processes.h"
#include "lab/fault/process_fault.h"

namespace supyo::scenario {

/// Supyo's own broker as a child process, on a free port of loopback, for as long as this object lives: what `--bootstrap embedded` of a lab stands for.
/// One thread. Needs a real environment.
class ChildBroker {
 public:
  /// `settings`: by Kafka's names, over the broker's own. Its data go into `directory`, which is emptied first. Errors: kOutsideUnavailable (it ended, or did not say within
  /// half a minute that it is ready; with what it said), those of env::Processes.
  /// `advertise`: where clients are sent instead.
  static Result<std::unique_ptr<ChildBroker>> start(const env::Env& env, const std::string& directory, const std::map<std::string, std::string>& settings, const std::optional<env::NetAddress>& advertise = {});
  ~ChildBroker();
  ChildBroker(const ChildBroker&) = delete;
  ChildBroker& operator=(const ChildBroker&) = delete;

  /// "127.0.0.1:41234"
  const std::string& address() const { return address_; }
  const std::string& directory() const { return directory_; }
  const env::ProcessIdentity& identity() const { return identity_; }

 private:
  ChildBroker(const env::Env& env, std::string directory, fault::OwnServer::Options options) : server_(env, std::move(options)), directory_(std::move(directory)) {}

  fault::OwnServer server_;
  std::string directory_, address_;
  env::ProcessIdentity identity_;
};

}  // namespace supyo::scenario
