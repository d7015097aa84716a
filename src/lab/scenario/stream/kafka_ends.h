#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connect/kafka/group_consumer.h"
#include "connect/kafka/record_producer.h"
#include "core/env/env.h"
#include "lab/scenario/stream/stream_input.h"
#include "lab/scenario/stream/stream_results.h"

/// The two ends of a job that a lab holds on a real Kafka, in real time.
namespace supyo::scenario {

/// Sends what a schedule gives, and keeps the ledger. One thread.
class KafkaFeed {
 public:
  struct Counts {
    std::uint64_t sent = 0, acked = 0, failed = 0, unknown = 0;
  };
  KafkaFeed(StreamSchedule schedule, std::unique_ptr<connect::RecordProducer> producer) : schedule_(std::move(schedule)), producer_(std::move(producer)), newest_(static_cast<std::size_t>(schedule_.input().partitions), kTimeMin) {}

  StreamSchedule& schedule() { return schedule_; }
  const StreamSchedule& schedule() const { return schedule_; }
  /// What is due now and belongs before `end_us`. Each record that was acknowledged is told to `truth`. Errors: RecordProducer::send's.
  Status feed(TimeUs now, TimeUs end_us, StreamTruth& truth);
  /// Nothing is held back any more, and what became of each record is known.
  bool drained() const { return schedule_.drained() && waiting_.empty() && under_way_.empty(); }
  const Counts& counts() const { return counts_; }
  /// Newest event time acknowledged in a partition; kTimeMin before the first.
  TimeUs newest_event(std::int32_t partition) const { return newest_[static_cast<std::size_t>(partition)]; }

 private:
  StreamSchedule schedule_;
  std::unique_ptr<connect::RecordProducer> producer_;
  std::vector<TimeUs> newest_;
  std::deque<std::pair<std::int32_t, workload::GeneratedRecord>> waiting_;   // for room in the client's queue
  std::map<std::uint64_t, workload::GeneratedRecord> under_way_;
  Counts counts_;
};

/// Every partition of a topic, as a group of its own that commits nothing of worth. One thread.
class KafkaRowReader final : public StreamRowReader {
 public:
  /// The topic may be a moment old. Errors: GroupConsumer::open's.
  static Result<std::unique_ptr<KafkaRowReader>> open(const env::Env& env, const std::string& servers, const std::string& topic, const std::string& group, bool uncommitted);
  Result<std::uint64_t> poll(const std::function<void(std::string_view)>& take) override;

 private:
  explicit KafkaRowReader(std::unique_ptr<connect::GroupConsumer> consumer) : consumer_(std::move(consumer)) {}
  std::unique_ptr<connect::GroupConsumer> consumer_;
};

}  // namespace supyo::scenario
