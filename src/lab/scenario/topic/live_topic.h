#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "connect/kafka/admin.h"
#include "connect/kafka/record_producer.h"
#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// A topic with its groups on a real cluster; deleted by the destructor.
class TemporaryTopic {
 public:
  TemporaryTopic(connect::KafkaAdmin& admin, std::string name) : admin_(admin), name_(std::move(name)) {}
  ~TemporaryTopic();
  TemporaryTopic(const TemporaryTopic&) = delete;
  TemporaryTopic& operator=(const TemporaryTopic&) = delete;
  Status create(const std::map<std::string, std::string>& config);
  /// Deleted with the topic.
  void add_group(std::string group) { groups_.push_back(std::move(group)); }
  const std::string& name() const { return name_; }

 private:
  connect::KafkaAdmin& admin_;
  std::string name_;
  std::vector<std::string> groups_;
  bool created_ = false;
};

/// Writes records at a fixed rate from a thread of its own, each with its number in 16 hex digits at the front of its value, and keeps the ledger.
class LiveProducer {
 public:
  enum class Outcome : std::uint8_t { kOpen, kAcknowledged, kFailed, kUnknown };

  LiveProducer(const env::Env& env, std::string servers, std::string topic, double rate, std::size_t record_bytes, DurationUs linger_us);
  ~LiveProducer() { finish(); }
  LiveProducer(const LiveProducer&) = delete;
  LiveProducer& operator=(const LiveProducer&) = delete;

  Status open();
  /// What is due since `start_us` (monotonic) is sent from now on.
  void start(TimeUs start_us);
  /// Sends no more, waits for the reports that are due (up to half a minute), and ends the thread.
  void finish();

  // Any thread.
  std::uint64_t sent() const { return sent_.load(); }
  std::uint64_t count(Outcome o) const { return counts_[static_cast<std::size_t>(o)].load(); }
  Status status() const;
  /// From given to acknowledged, of the records that were acknowledged since the last call: not sorted.
  std::vector<DurationUs> take_latencies();
  /// Records that were not acknowledged, by the client's name of the error.
  std::map<std::string, std::uint64_t> errors() const;
  /// After finish(): by number.
  const std::vector<Outcome>& ledger() const { return ledger_; }

 private:
  void run();
  Status turn();
  void take_reports(DurationUs wait_us);

  env::Env env_;
  std::string servers_, topic_;
  double rate_;
  DurationUs linger_us_;
  TimeUs start_us_ = 0;
  std::string value_;
  std::unique_ptr<connect::RecordProducer> producer_;
  std::vector<Outcome> ledger_;
  std::vector<TimeUs> given_us_;   ///< by number
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> counts_[4] = {};
  std::atomic<bool> finished_ = false;
  mutable std::mutex mutex_;   ///< of what follows
  std::vector<DurationUs> latencies_us_;
  std::map<std::string, std::uint64_t> errors_;
  Status status_ = ok();
  std::unique_ptr<env::Thread> thread_;
};

/// Asks the brokers for a partition's ends, again and again, and remembers what they said. A client and a thread of its own.
class LiveProbe {
 public:
  struct Look {
    TimeUs t = 0;                       ///< monotonic
    std::int64_t start = 0, end = 0;    ///< log start, high watermark
  };
  LiveProbe(const env::Env& env, std::string topic) : env_(env), topic_(std::move(topic)) {}
  ~LiveProbe() { finish(); }
  LiveProbe(const LiveProbe&) = delete;
  LiveProbe& operator=(const LiveProbe&) = delete;

  Status open(const std::string& servers);
  void start();
  void finish();
  Look last() const;
  /// In order of time.
  std::vector<Look> looks() const;
  Status status() const;

 private:
  Status look();

  env::Env env_;
  std::string topic_;
  std::unique_ptr<connect::KafkaAdmin> admin_;
  std::atomic<bool> finished_ = false;
  mutable std::mutex mutex_;
  std::vector<Look> looks_;
  Status status_ = ok();
  std::unique_ptr<env::Thread> thread_;
};

}  // namespace supyo::scenario
