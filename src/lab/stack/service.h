#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"

namespace supyo::stack {

/// How one knows that a service answers.
struct Probe {
  enum class Kind : std::uint8_t {
    kTcp,     ///< somebody accepts connections
    kHttp,    ///< GET `path` gives status 200
    kKafka,   ///< a Metadata request names at least `brokers` brokers (https://kafka.apache.org/protocol)
  };
  Kind kind = Kind::kTcp;
  env::NetAddress address = {};
  std::string path = {};
  int brokers = 1;
};

/// Asks once. True when the service is ready; false when it is not, or not there, or does not answer within `limit_us`. Blocks up to `limit_us`.
bool probe(const env::Env& env, const Probe& probe, DurationUs limit_us = 2 * kSecond);

/// The features that a Kafka cluster has switched on, by name, with their level ("eligible.leader.replicas.version" 1, "metadata.version" 27): they decide how it behaves,
/// as its version does. Asks one broker; empty when it does not answer within `limit_us`, or has none. Blocks as probe().
std::map<std::string, int> kafka_features(const env::Env& env, const env::NetAddress& address, DurationUs limit_us = 2 * kSecond);
/// Of the answer's bytes, frame length included; empty when they are none.
std::map<std::string, int> parse_features(std::string_view answer);

struct Port {
  std::string name;        ///< "kafka", "jmx", "http"
  std::uint16_t number = 0;
};

/// A server of the stack, as data: one process in a directory of its own.
struct Service {
  std::string name;                              ///< "broker-1"; its directory is <stack>/<name>
  int tier = 0;                                  ///< started in rising, stopped in falling order; one tier together
  std::map<std::string, std::string> files = {}; ///< written into its directory before each start: name -> text
  std::vector<std::string> prepare = {};         ///< a command that is run once, before the first start (formatting a disk); empty: none
  std::vector<std::string> command = {};         ///< the server
  std::map<std::string, std::string> environment = {};   ///< on top of ours
  std::vector<Port> ports = {};                  ///< of this machine's loopback: free before it starts
  Probe ready = {};
};

}  // namespace supyo::stack
