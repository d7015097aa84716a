#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"
#include "core/env/processes.h"
#include "lab/fault/process_fault.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// A cluster that real clients of a lab use: one that is there, and that its owner has marked as a lab.
struct RealCluster {
  std::string servers;                              ///< "127.0.0.1:9092"
  std::string name;                                 ///< for the report: "Kafka 4.1.1 (supyo stack kafka)"
  std::optional<env::ProcessIdentity> broker;       ///< that may be stopped; nothing: faults of the process are not possible
  /// A listener of the broker (first) that advertises the second: where the lab's own proxy listens. Nothing: faults of the line are not possible.
  std::optional<std::pair<env::NetAddress, env::NetAddress>> proxied;
};

struct TrialOptions {
  RunOptions run;
  std::string program;                              ///< Supyo itself: the lab starts it as broker and as consumer
  std::optional<RealCluster> real;                  ///< nothing: the lab starts a `supyo broker` itself
};

/// A `supyo broker` that the lab starts on a free port and that ends with it. One thread.
class EmbeddedBroker {
 public:
  /// With `advertise`, clients are sent there. Errors: as OwnServer::start.
  static Result<std::unique_ptr<EmbeddedBroker>> start(const env::Env& env, const std::string& program, const std::string& directory, const std::optional<env::NetAddress>& advertise = {});
  ~EmbeddedBroker() { (void)server_.end(); }

  const env::NetAddress& address() const { return address_; }
  Result<env::ProcessIdentity> process() const { return server_.process(); }
  /// The settings that it was given, in order.
  static std::vector<std::pair<std::string, std::string>> settings();

 private:
  EmbeddedBroker(const env::Env& env, fault::OwnServer::Options options) : server_(env, std::move(options)) {}
  fault::OwnServer server_;
  env::NetAddress address_;
};

/// A port that was free a moment ago.
Result<env::NetAddress> free_address(env::Net& net);

}  // namespace supyo::scenario
