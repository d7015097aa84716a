#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "connect/kafka/record_producer.h"
#include "core/env/env.h"
#include "lab/scenario/replica/model_client.h"

/// What the runs on real brokers share.
namespace supyo::scenario {

/// How long a run waits for what should come: everybody in sync, a leader, an outcome.
inline constexpr DurationUs kPatience = 90 * kSecond;

/// A name that no other run has: "supyo-lab-WHAT-1a2b3c4d".
std::string lab_topic_name(const env::Env& env, std::string_view what);
/// The model's producer as settings of a real one.
connect::RecordProducerOptions real_producer_options(const std::string& servers, const std::string& topic, const ModelProducerOptions& options);
/// A topic is known to the broker that was asked first, and to the others a moment later: waits for that. Errors: those of RecordProducer::open.
Result<std::unique_ptr<connect::RecordProducer>> open_producer(const env::Env& env, const connect::RecordProducerOptions& options);

/// A topic that was just made is not known to every broker: opens again until it is, for kPatience.
template <class Open>
auto open_patiently(const env::Env& env, const Open& open) {
  for (const TimeUs limit = env.clock.monotonic_us() + kPatience;; env.threads->idle(50 * kMillisecond)) {
    auto client = open();
    if (client || client.error().code != ErrorCode::kUnknownTable || env.clock.monotonic_us() >= limit) return client;
  }
}

}  // namespace supyo::scenario
