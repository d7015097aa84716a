#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "lab/scenario/replica/event_loop.h"
#include "lab/scenario/replica/replica_cluster.h"

namespace supyo::scenario {

enum class Acks : std::uint8_t { kNone, kLeader, kAll };

struct ModelProducerOptions {
  Acks acks = Acks::kLeader;
  double rate = 1000;                            ///< records a second; 0: as fast as `outstanding` allows
  std::int64_t outstanding = 1000;               ///< records without an outcome at most, when there is no rate
  DurationUs linger_us = 5 * kMillisecond;
  std::int64_t batch_records = 1000;
  int in_flight = 5;
  std::int64_t retries = 1'000'000'000;
  DurationUs delivery_timeout_us = 120 * kSecond, request_timeout_us = 30 * kSecond, backoff_us = 100 * kMillisecond, metadata_age_us = 300 * kSecond;
};

/// A producer as Kafka's clients behave: batches, retries with backoff and fresh metadata, delivery timeout; idempotent with acks=all. Its ledger says of each record what it
/// was told: acknowledged (with acks=0: sent), failed (certainly not in the log), unknown.
class ModelProducer {
 public:
  ModelProducer(EventLoop& loop, ReplicaCluster& cluster, const ModelProducerOptions& options);
  /// Gives no more records; what it has goes on.
  void finish() { finished_ = true; }
  bool idle() const { return open_.empty() && batches_.empty(); }

  enum class Outcome : std::uint8_t { kOpen, kAcknowledged, kFailed, kUnknown };
  const std::vector<Outcome>& ledger() const { return ledger_; }   ///< by id
  std::int64_t sent() const { return static_cast<std::int64_t>(ledger_.size()); }
  std::int64_t acked() const { return acked_; }
  std::int64_t failed() const { return failed_; }
  std::int64_t unknown() const { return unknown_; }
  std::int64_t requests() const { return requests_; }
  const std::map<std::string, std::int64_t>& errors() const { return errors_; }   ///< of requests, by name
  /// From the moment in which a record was given until it was acknowledged, of those since `reset_latencies`.
  std::optional<DurationUs> latency(double quantile) const;
  void reset_latencies() { latencies_.clear(); }
  /// Acknowledged within `kPrompt` of being given: what an application would call available.
  static constexpr DurationUs kPrompt = kSecond;
  std::int64_t prompt() const { return prompt_; }
  /// The longest time between two acknowledgements.
  DurationUs outage_us() const { return outage_us_; }

 private:
  struct Lump {                                  ///< records given at one moment
    TimeUs given_us = 0;
    std::int64_t count = 0;
  };
  struct Batch {
    std::uint64_t first_id = 0;
    std::vector<Lump> lumps = {};
    std::int64_t count = 0;
    std::uint64_t attempt = 0;                   ///< 0: not sent
    bool in_flight = false, maybe_persisted = false;
    TimeUs not_before_us = 0, sent_us = 0;
  };
  void give();
  void take_records(std::int64_t count);
  void pump();
  std::optional<Batch> next_batch();
  void send(Batch& batch);
  void answered(std::uint64_t first_id, std::uint64_t attempt, ReplicaCluster::ProduceReply reply);
  void conclude(std::deque<Batch>::iterator batch, Outcome outcome);
  void expire();
  void refresh();
  void wake_at(TimeUs t);

  EventLoop& loop_;
  ReplicaCluster& cluster_;
  ModelProducerOptions o_;
  std::deque<Lump> open_;                        ///< given, in no batch yet
  std::int64_t open_records_ = 0;
  std::deque<Batch> batches_;                    ///< without outcome, by first_id
  std::uint64_t next_batch_id_ = 0;
  int leader_ = -1, in_flight_ = 0;
  bool refreshing_ = false, finished_ = false;
  TimeUs refreshed_us_ = 0, last_ack_us_ = 0, wake_us_ = -1;
  std::vector<Outcome> ledger_;
  std::int64_t acked_ = 0, failed_ = 0, unknown_ = 0, requests_ = 0, prompt_ = 0;
  DurationUs outage_us_ = 0;
  std::map<std::string, std::int64_t> errors_;
  std::map<DurationUs, std::int64_t> latencies_;
};

/// A consumer that reads up to the high watermark, commits what it has read every second, and notices when its position is on a branch of the log that is no more.
class ModelConsumer {
 public:
  ModelConsumer(EventLoop& loop, ReplicaCluster& cluster);
  std::int64_t position() const { return position_; }
  std::int64_t committed() const { return committed_; }
  TimeUs newest_us() const { return newest_us_; }            ///< creation of the newest record that it has seen
  int truncations() const { return truncations_; }
  const std::vector<std::uint16_t>& read() const { return read_; }   ///< how often, by id

 private:
  void poll();

  EventLoop& loop_;
  ReplicaCluster& cluster_;
  std::int64_t position_ = 0, committed_ = 0;
  int epoch_ = -1;                                           ///< of the record before its position
  TimeUs newest_us_ = 0, committed_us_ = 0;
  int truncations_ = 0;
  std::vector<std::uint16_t> read_;
};

}  // namespace supyo::scenario
