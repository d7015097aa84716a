#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/processes.h"

namespace supyo::scenario {

/// The brokers of a cluster for labs, as processes of this machine that may be stopped and killed. Called from several threads, for each broker from one at a time.
class BrokerProcesses {
 public:
  virtual ~BrokerProcesses() = default;
  /// For clients: addresses of all brokers.
  virtual std::string servers() const = 0;
  /// What runs there: "Kafka 4.1.1 of supyo stack kafka3".
  virtual std::string name() const = 0;
  virtual Status signal(std::int32_t broker, env::ProcessSignal signal) = 0;
  /// As the kernel sees the process; null when there is none.
  virtual std::optional<env::ProcessUsage> look(std::int32_t broker) = 0;
  /// Where the broker keeps its logs: TOPIC-PARTITION/*.log.
  virtual std::string data(std::int32_t broker) const = 0;
  /// Starts it again as it was started before; returns when it answers. Fine when it runs.
  virtual Status start(std::int32_t broker) = 0;
};

}  // namespace supyo::scenario
