#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/kafka/record_producer.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// The producer of a lab: records 0, 1, 2, .. at a fixed rate, and what became of each. One thread, which calls turn() often.
class NumberedProducer {
 public:
  struct Options {
    double rate = 1'000;            ///< records a second
    std::size_t record_size = 100;  ///< bytes of the value
    DurationUs linger_us = 0;       ///< what is due is sent this often
    std::function<std::string(std::uint64_t id)> key = {};   ///< empty: records have none
  };
  /// What the producer was told of a record; kRefused: its own queue was full, it was never taken.
  enum class Fate : std::uint8_t { kPending, kAcknowledged, kFailed, kUnknown, kRefused };
  struct Counts {
    std::uint64_t offered = 0, acknowledged = 0, failed = 0, unknown = 0, refused = 0;   ///< refused ones are not among the failed
    std::map<std::string, std::uint64_t> why;   ///< error name -> records, of failed and unknown
    DurationUs slowest_ack_us = 0;
  };

  NumberedProducer(const env::Env& env, connect::RecordProducer& producer, Options options) : env_(env), producer_(producer), options_(options) {}

  /// Sends what is due at `now` (monotonic; counted from the first call) unless it is told to rest, and takes the reports that have come.
  Status turn(TimeUs now, bool rest = false);
  /// The next record's value has this word after its number.
  void mark_next(std::string word) { word_ = std::move(word); }
  const Counts& counts() const { return counts_; }
  const std::vector<Fate>& fates() const { return fates_; }       ///< by id
  std::size_t in_flight() const { return producer_.in_flight(); }
  /// Nothing is due to be told any more.
  bool settled() const { return producer_.in_flight() == 0; }
  /// By id.
  std::vector<bool> acknowledged() const;

 private:
  void take_reports(TimeUs now);
  env::Env env_;
  connect::RecordProducer& producer_;
  Options options_;
  std::optional<TimeUs> begin_us_;
  TimeUs next_us_ = 0;
  std::string word_;
  std::vector<Fate> fates_;
  std::vector<TimeUs> sent_us_;
  Counts counts_;
};

}  // namespace supyo::scenario
