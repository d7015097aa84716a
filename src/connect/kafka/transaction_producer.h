#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "connect/stream/stream_options.h"
#include "core/base/result.h"

namespace supyo::connect {

struct TransactionProducerOptions {
  std::string servers, topic;
  std::string transactional_id;
  ClientProperties properties = {};   ///< by Java's names, as 'properties.*' of a sink
};

/// Reads, transforms, writes, exactly once, as Kafka has it: records and the offsets that they came from are in one transaction. Outside of any job: for labs.
/// One thread; every call may wait for the brokers (up to half a minute), then kOutsideUnavailable.
class TransactionProducer {
 public:
  /// Fences earlier producers of the same id: what they left open is aborted when it returns. Errors: kUnknownTable, kOutsideUnavailable, kBadOptionValue.
  static Result<std::unique_ptr<TransactionProducer>> open(const TransactionProducerOptions& options);
  virtual ~TransactionProducer() = default;

  virtual Status begin() = 0;
  /// Into the current transaction.
  virtual Status send(std::optional<std::string_view> key, std::string_view value, TimeUs timestamp_us) = 0;
  /// Ends the transaction: its records are visible, and `offset` is the group's position of the partition, or neither is so (any error; the producer is of no use then).
  virtual Status commit(const std::string& group, const std::string& topic, std::int32_t partition, std::int64_t offset) = 0;
};

}  // namespace supyo::connect
