#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "connect/kafka/group_consumer.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "judge/slo/lag_rules.h"
#include "lab/scenario/topic/topic_scenario.h"

namespace supyo::scenario {

/// A consumer group of one member on a real cluster, with a thread of its own: a handler that takes records one by one at its rate, commits the position that it
/// has handled now and then, and goes away and comes back when told. What the client fetches ahead, and when it resets, is the client's own doing.
///
/// Every record's value begins with its number in 16 hex digits: what was handled is known by number, not by count.
class LiveGroup {
 public:
  struct Options {
    std::string servers, topic;
    std::string name;                  ///< in the scenario
    std::string group;                 ///< on the cluster
    double rate = 0;                   ///< records a second; infinity: as they come
    double prefetch_bytes = 0, fetch_bytes = 0;
    DurationUs commit_us = 0;
    Reset reset = Reset::kEarliest;
  };
  /// A position that was gone, as the client told it: with `to` -1 it stopped there.
  struct Gone {
    std::int64_t from = 0, to = 0;
  };

  LiveGroup(const env::Env& env, Options options);
  ~LiveGroup() { finish(); }
  LiveGroup(const LiveGroup&) = delete;
  LiveGroup& operator=(const LiveGroup&) = delete;

  void start();
  /// Ends the member (it leaves its group) and joins the thread.
  void finish();

  // Any thread.
  void set_rate(double rate) { rate_.store(rate); }
  void set_stopped(bool stopped) { stopped_.store(stopped); }
  /// The end of the log, as somebody asked the brokers, for Burrow's rules.
  void set_end(std::int64_t end);
  bool ready() const { return assigned_.load(); }
  std::int64_t handled() const { return handled_.load(); }              ///< next to handle
  std::int64_t fetched() const { return fetched_.load(); }              ///< next to fetch
  std::int64_t committed() const { return committed_.load(); }          ///< as the brokers acknowledged it
  std::uint64_t applied() const { return applied_.load(); }
  std::uint64_t lost_at_gaps() const { return gaps_.load(); }
  std::uint64_t duplicates() const { return duplicates_.load(); }
  std::uint64_t errors() const { return errors_.load(); }               ///< positions gone that it was told of and stopped at
  bool stopped_by_error() const { return errors() > 0; }
  slo::BurrowStatus burrow(TimeUs now) const;
  std::vector<Gone> gone() const;
  /// What happened since the last call, for the report's timeline.
  std::vector<std::string> take_notes();
  /// What the handler cannot go on from, other than a position that is gone.
  Status status() const;
  /// The client's settings in effect; empty before start().
  std::vector<std::pair<std::string, std::string>> settings() const;
  const Options& options() const { return options_; }

  /// After finish(): whether record `number` was handled.
  bool handled_number(std::uint64_t number) const { return number < got_.size() && got_[number]; }

 private:
  void run();
  Status open();
  void close();
  Status turn();
  void take(const connect::GroupRecord& record);
  void take_events();
  void note(std::string text);
  TimeUs now() const { return env_.clock.monotonic_us(); }

  env::Env env_;
  Options options_;
  std::atomic<double> rate_;
  std::atomic<bool> stopped_ = false, finished_ = false, assigned_ = false;
  std::atomic<std::int64_t> handled_ = 0, fetched_ = 0, committed_ = 0;
  std::atomic<std::uint64_t> applied_ = 0, gaps_ = 0, duplicates_ = 0, errors_ = 0;

  // The thread's own.
  std::unique_ptr<connect::GroupConsumer> consumer_;
  std::vector<bool> got_;
  TimeUs next_due_us_ = 0, next_commit_us_ = 0;

  mutable std::mutex mutex_;
  std::vector<Gone> gone_;
  std::vector<std::string> notes_;
  std::size_t noted_ = 0;
  std::vector<std::pair<std::string, std::string>> settings_;
  slo::BurrowPartition burrow_;
  Status status_ = ok();
  std::unique_ptr<env::Thread> thread_;   // last: joined before the rest goes
};

}  // namespace supyo::scenario
