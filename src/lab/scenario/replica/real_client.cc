#include "lab/scenario/replica/real_client.h"

#include <fmt/format.h>

#include "lab/scenario/replica/replica_scenario.h"

namespace supyo::scenario {

std::string lab_topic_name(const env::Env& env, std::string_view what) { return fmt::format("supyo-lab-{}-{}", what, env::new_uuid(env.random).substr(0, 8)); }

connect::RecordProducerOptions real_producer_options(const std::string& servers, const std::string& topic, const ModelProducerOptions& o) {
  connect::RecordProducerOptions out{.servers = servers, .topic = topic};
  out.properties = {{"acks", std::string(acks_name(o.acks))},
                    {"linger.ms", fmt::format("{:g}", static_cast<double>(o.linger_us) / 1e3)},
                    {"delivery.timeout.ms", std::to_string(o.delivery_timeout_us / kMillisecond)},
                    {"request.timeout.ms", std::to_string(o.request_timeout_us / kMillisecond)}};
  if (o.retries == 0) out.client_settings = {{"enable.idempotence", "false"}, {"retries", "0"}};   // idempotence without retries is refused
  return out;
}

Result<std::unique_ptr<connect::RecordProducer>> open_producer(const env::Env& env, const connect::RecordProducerOptions& options) {
  return open_patiently(env, [&] { return connect::RecordProducer::open(options); });
}

}  // namespace supyo::scenario
