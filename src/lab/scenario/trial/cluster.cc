#include "lab/scenario/trial/cluster.h"

#include <fmt/format.h>

#include "connect/kafka/admin.h"
#include "connect/kafka/kafka.h"

namespace supyo::scenario {

void describe_cluster(const RunOptions& options, LabResult& result) {
  result.mode = options.cluster ? "real" : "embedded";
  result.versions = {{"supyo", SUPYO_VERSION}, {"client", connect::kafka_client_version()}};
  if (options.cluster) {
    result.versions.insert(options.cluster->versions.begin(), options.cluster->versions.end());
    result.config["cluster"] = options.cluster->name;
    return;
  }
  result.versions["broker"] = fmt::format("supyo broker {}", SUPYO_VERSION);
  result.config["cluster"] = "supyo broker, a child of the lab";
  for (const auto& [key, value] : own_broker_settings()) result.config["broker " + key] = value;
}

Status make_topic(const std::string& servers, const std::string& topic, int partitions) {
  constexpr int kClusterDefault = -1;
  SUPYO_ASSIGN(const auto admin, connect::KafkaAdmin::open(servers));
  return admin->create_topic(topic, partitions, kClusterDefault, {});
}

void remove_topic(const std::string& servers, const std::string& topic) {
  if (const auto admin = connect::KafkaAdmin::open(servers)) (void)(*admin)->delete_topic(topic);
}

Result<env::NetAddress> free_address(env::Net& net) {
  SUPYO_ASSIGN(const auto listener, net.listen({}));
  return listener->address();
}

}  // namespace supyo::scenario
