#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connect/stream/stream_options.h"
#include "core/base/result.h"

namespace supyo::connect {

/// What became of one record that a RecordProducer took.
struct RecordReport {
  enum class Outcome : std::uint8_t {
    kAcknowledged,   ///< by as many replicas as `acks` asks for
    kFailed,         ///< certainly not in the topic
    kUnknown,        ///< sent, and the answer did not come: it may be in the topic or not
  };
  std::uint64_t id = 0;
  Outcome outcome = Outcome::kAcknowledged;
  std::int32_t partition = -1;   ///< -1: none was chosen yet
  std::string why = {};          ///< the client's name of the error, unless acknowledged: "NOT_ENOUGH_REPLICAS", "_MSG_TIMED_OUT"
  std::int64_t offset = -1;      ///< where it is, once acknowledged; -1: not told (acks=0)
};

struct RecordProducerOptions {
  std::string servers;                  ///< "127.0.0.1:9092"
  std::string topic;
  bool create_topic = false;            ///< when there is none: with the brokers' default partitions and replicas
  ClientProperties properties = {};     ///< by Java's names, as 'properties.*' of a sink; others: kUnknownOption
  std::vector<std::pair<std::string, std::string>> client_settings = {};   ///< librdkafka's own names, over all others: for labs that must set what Java's names do not reach
};

/// Sends single records to a Kafka topic, outside of any job and transaction, and tells what became of each: generators and labs keep their ledger by it.
/// Idempotent with acks=all (so that a retry neither repeats nor reorders), not with less. One thread; the client has threads of its own.
class RecordProducer {
 public:
  /// Waits up to half a minute for the brokers. Errors: kUnknownTable (no such topic), kOutsideUnavailable (nobody answers, or the topic cannot be created), kBadOptionValue, kUnknownOption.
  static Result<std::unique_ptr<RecordProducer>> open(const RecordProducerOptions& options);
  virtual ~RecordProducer() = default;

  /// Gives the record to the client, by the key's partition (as Java's client chooses it). False when its queue is full: take reports and try again.
  /// An error of the record itself (too large) is a report.
  Result<bool> send(std::uint64_t id, std::optional<std::string_view> key, std::string_view value, TimeUs timestamp_us) { return send_to(-1, id, key, value, timestamp_us); }
  /// The same, to a partition that the caller chose; -1: by the key.
  virtual Result<bool> send_to(std::int32_t partition, std::uint64_t id, std::optional<std::string_view> key, std::string_view value, TimeUs timestamp_us) = 0;
  /// Reports that have come, waiting up to `wait_us` for the first. Every record that send() took is reported once.
  virtual std::vector<RecordReport> reports(DurationUs wait_us) = 0;
  /// Gives up what is not reported yet: what was not sent is reported as failed, what was sent as unknown.
  virtual void give_up() = 0;
  /// Records that were taken and not reported yet.
  virtual std::size_t in_flight() const = 0;
};

}  // namespace supyo::connect
