#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/groups.h"
#include "data/log/partition_reader.h"
#include "judge/slo/lag_rules.h"
#include "lab/scenario/topic/topic_scenario.h"

namespace supyo::scenario {

/// A consumer group of one member, as a Kafka client behaves: it fetches ahead of its handler up to `prefetch` bytes, hands records over one by one, commits the
/// handled position now and then, and resets when its position is gone. One thread, polled in virtual time.
class TopicClient {
 public:
  struct Options {
    std::string group;
    double rate = 0;                 ///< records a second; infinity: as they come
    double prefetch_records = 0, fetch_records = 0;
    DurationUs commit_us = 0;
    Reset reset = Reset::kEarliest;
  };
  /// One loss of position.
  struct ResetEvent {
    TimeUs t = 0;
    std::int64_t expected = 0, resumed = 0;   ///< the next record it wanted, and the one it got
  };

  static Result<TopicClient> open(env::Files& files, std::string log_directory, const log::Topic& topic, Options options, TimeUs now);

  void set_rate(double rate) { options_.rate = rate; }
  void set_stopped(bool stopped) { stopped_ = stopped; }
  /// Fetches, handles what its rate allows since the last call, commits when it is time.
  Status poll(TimeUs now);

  std::int64_t position() const { return position_; }     ///< next to fetch
  std::int64_t handled() const { return handled_; }       ///< next to handle
  std::int64_t committed() const { return committed_; }
  std::uint64_t applied() const { return applied_; }
  std::uint64_t lost_at_gaps() const { return gaps_; }    ///< what the handler saw missing between two records
  std::uint64_t errors() const { return errors_; }
  const std::vector<ResetEvent>& resets() const { return resets_; }
  bool failed() const { return failed_; }
  bool idle() const { return queue_.empty(); }
  slo::BurrowStatus burrow(TimeUs now) const { return burrow_.status(now); }
  /// Of the records [0, end), how many it never handled.
  std::uint64_t missing(std::int64_t end) const;

 private:
  struct Range {
    std::int64_t from = 0, to = 0;
  };
  TopicClient(env::Files& files, std::string log_directory, const log::Topic& topic, log::PartitionReader reader, Options options, TimeUs now)
      : files_(&files), log_directory_(std::move(log_directory)), topic_(topic.name), reader_(std::move(reader)), options_(std::move(options)), last_us_(now), next_commit_us_(now + options_.commit_us) {}
  Status fetch(TimeUs now);
  Status reset(TimeUs now, const log::PartitionReader::Ends& ends);
  void handle();
  void take(std::int64_t from, std::int64_t to);
  Status commit(TimeUs now);

  env::Files* files_;
  std::string log_directory_, topic_;
  log::PartitionReader reader_;
  Options options_;
  TimeUs last_us_ = 0, next_commit_us_ = 0;
  double budget_ = 0;
  std::deque<Range> queue_;
  std::int64_t queued_ = 0, position_ = 0, handled_ = 0, committed_ = 0;
  std::uint64_t applied_ = 0, gaps_ = 0, errors_ = 0;
  bool stopped_ = false, failed_ = false;
  std::vector<bool> got_;
  std::vector<ResetEvent> resets_;
  slo::BurrowPartition burrow_;
};

}  // namespace supyo::scenario
