#pragma once
#include <map>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/processes.h"

namespace supyo::scenario {

/// Supyo's own broker as a child process, on a free port of loopback, for as long as this object lives: what `--bootstrap embedded` of a lab stands for.
/// One thread. Needs a real environment.
class ChildBroker {
 public:
  /// `settings`: by Kafka's names, over the broker's own. Its data go into `directory`, which is emptied first. Errors: kOutsideUnavailable (it ended, or did not say within
  /// half a minute that it is ready; with what it said), those of env::Processes.
  static Result<std::unique_ptr<ChildBroker>> start(const env::Env& env, const std::string& directory, const std::map<std::string, std::string>& settings);
  ~ChildBroker();
  ChildBroker(const ChildBroker&) = delete;
  ChildBroker& operator=(const ChildBroker&) = delete;

  /// "127.0.0.1:41234"
  const std::string& address() const { return address_; }
  const std::string& directory() const { return directory_; }

 private:
  ChildBroker(const env::Env& env, std::string directory) : env_(env), directory_(std::move(directory)) {}
  Status until_ready();

  env::Env env_;
  std::string directory_, address_;
  std::unique_ptr<env::Process> process_;
};

}  // namespace supyo::scenario
