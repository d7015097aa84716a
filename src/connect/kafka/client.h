#pragma once
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connect/stream/stream_options.h"
#include "core/base/result.h"

/// librdkafka's handles with owners, and its settings and errors in Supyo's terms. Of this room only.
namespace supyo::connect::kafka {

struct Deleter {
  void operator()(rd_kafka_t* p) const { rd_kafka_destroy(p); }
  void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
  void operator()(rd_kafka_topic_t* p) const { rd_kafka_topic_destroy(p); }
  void operator()(rd_kafka_topic_partition_list_t* p) const { rd_kafka_topic_partition_list_destroy(p); }
  void operator()(rd_kafka_error_t* p) const { rd_kafka_error_destroy(p); }
  void operator()(rd_kafka_consumer_group_metadata_t* p) const { rd_kafka_consumer_group_metadata_destroy(p); }
  void operator()(const rd_kafka_metadata_t* p) const { rd_kafka_metadata_destroy(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;
using PartitionList = Owned<rd_kafka_topic_partition_list_t>;
using ClientError = Owned<rd_kafka_error_t>;   ///< null: no error

/// What the client says by itself, gathered from its threads. Outlives the client. Thread-safe.
class Listener {
 public:
  /// Complaints are printed under the table's name; without one they are in errors alone (a live view must not be written over).
  explicit Listener(std::string table = {}) : table_(std::move(table)) {}
  virtual ~Listener() = default;
  /// All brokers are out of reach, as the client last said; reset by up().
  bool down() const { return down_.load(std::memory_order_relaxed); }
  void up() { down_.store(false, std::memory_order_relaxed); }
  /// The last thing that it complained about; may be empty.
  std::string last_complaint() const;
  /// A fatal error of the client, or empty.
  std::string fatal() const;

  // Called by the client.
  virtual void on_log(int level, const char* facility, const char* text);
  void on_error(rd_kafka_t* client, int code, const char* reason);

 private:
  std::string table_;
  std::atomic<bool> down_ = false;
  mutable std::mutex mutex_;
  std::string complaint_, fatal_;
  std::string said_;   // not said twice in a row
};

using Settings = std::vector<std::pair<std::string, std::string>>;
/// Pinned by Supyo. `newer`: not known to Debian's librdkafka, which then goes without.
Settings consumer_settings();
Settings producer_settings();

/// A client with `settings`, over them what the table's properties say, over those `fixed` (what the job needs).
/// `opaque` (null: the listener) comes back in delivery reports. Errors: kBadOptionValue.
struct ClientRequest {
  bool producer = false;
  std::string table;
  std::string servers;
  const ClientProperties& properties;
  Settings fixed;
  Listener* listener = nullptr;                       ///< outlives the client
  void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*, void*) = nullptr;
  void (*on_rebalance)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*, void*) = nullptr;
  void (*on_commit)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*, void*) = nullptr;
  int (*on_statistics)(rd_kafka_t*, char*, std::size_t, void*) = nullptr;   ///< when statistics.interval.ms is set
};
Result<Owned<rd_kafka_t>> make_client(const ClientRequest& request);

struct OutgoingRecord {
  std::int32_t partition = RD_KAFKA_PARTITION_UA;
  std::optional<std::string_view> key, value;   ///< absent is not the same as empty
  std::string_view headers = {};                 ///< as on the wire (data/log/kafka_batch.h); empty: none
  std::int64_t timestamp_ms = 0;
  void* opaque = nullptr;                        ///< rd_kafka_message_t::_private of its delivery report
};
/// Copies the record into the client's queue. RD_KAFKA_RESP_ERR__QUEUE_FULL: poll the client and try again.
rd_kafka_resp_err_t produce(rd_kafka_t* client, rd_kafka_topic_t* topic, const OutgoingRecord& record);

/// kOutsideUnavailable with what was tried, and what the client complained about.
std::unexpected<Error> unavailable(std::string_view what, std::string_view why, const Listener& listener);

/// Partition count of a topic; kUnknownTable when there is none such, kOutsideUnavailable when nobody answers within `timeout_ms`.
Result<std::int32_t> partition_count(rd_kafka_t* client, const std::string& topic, int timeout_ms, const Listener& listener);
/// Names of all topics.
Result<std::vector<std::string>> topic_names(rd_kafka_t* client, int timeout_ms, const Listener& listener);

}  // namespace supyo::connect::kafka
