#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connect/kafka/survey.h"
#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// Groups as the brokers tell them, looked at again and again in a thread of its own: who came and went when, and how far they have committed. Only asks. Ends with its destructor.
class GroupWatch {
 public:
  struct Options {
    std::string servers;
    std::map<std::string, std::pair<std::string, int>> groups;   ///< name -> its topic, and how many partitions that has
    DurationUs every_us = 50 * kMillisecond;
  };
  /// Errors: kOutsideUnavailable.
  static Result<std::unique_ptr<GroupWatch>> start(const env::Env& env, Options options);
  ~GroupWatch();

  struct Seen {
    std::string state;                                  ///< empty: not told yet
    std::map<std::string, std::size_t> members;         ///< client id -> partitions assigned to it
    std::int64_t committed = 0, end = 0;                ///< sums over the topic's partitions
    std::vector<std::int64_t> ends = {};                ///< by partition
    bool caught_up = false;                             ///< each of them is committed to its end
    TimeUs offsets_us = 0;                              ///< when that was asked for (monotonic)
  };
  /// A client that was there in one look and not in the next, or the other way round: it happened between `after_us` and `by_us` (monotonic).
  struct Change {
    std::string client;
    bool came = false;
    TimeUs after_us = 0, by_us = 0;
  };
  Seen seen(const std::string& group) const;
  std::vector<Change> changes(const std::string& group) const;

 private:
  GroupWatch(const env::Env& env, Options options) : env_(env), options_(std::move(options)) {}
  void work();
  void look();
  void look_at_offsets();

  env::Env env_;
  Options options_;
  std::unique_ptr<connect::KafkaSurvey> survey_;
  struct Followed {
    Seen seen;
    std::vector<Change> changes;
    TimeUs looked_us = 0;                               ///< when the last answered question was asked
  };
  mutable std::mutex mutex_;
  std::map<std::string, Followed> groups_;
  std::atomic<bool> ended_{false};
  std::unique_ptr<env::Thread> thread_;
};

}  // namespace supyo::scenario
