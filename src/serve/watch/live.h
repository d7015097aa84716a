#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connect/flink/http_get.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "serve/watch/monitor.h"

namespace supyo::watch {

struct LiveOptions {
  std::string servers = "127.0.0.1:9092";
  Filter filter = {};
  DurationUs every_us = kSecond;
  DurationUs timeout_us = 10 * kSecond;      ///< of a request
  DurationUs horizon_us = 6 * kHour;         ///< losses further away are not reported
  std::optional<connect::HttpUrl> flink = {};
  std::vector<std::string> broker_logs = {}; ///< files that are followed
  std::vector<std::string> client_logs = {}; ///< files that are followed: what members tell of their work
  int marks_a_look = 1;                      ///< rounds of questions for timestamps in a look: one when watching, several for a single report
};

/// Looks at a cluster again and again in a thread of its own. An error makes a report that is not reachable and says why, with what was known last; the next look comes all the same. So that it stays gentle, no
/// more than a fifth of the time is spent asking, whatever the interval (looks that take longer than 2.5 s are followed by 10 s of rest). Ends with its destructor, which waits for the look under way.
class Live {
 public:
  static std::unique_ptr<Live> start(const env::Env& env, LiveOptions options);
  ~Live();
  /// As of the last look; not reachable before the first. Any thread.
  std::shared_ptr<const Report> report() const;
  std::shared_ptr<const View> view() const;
  /// Looks that were finished, those that failed too. Any thread.
  std::uint64_t looks() const { return looks_.load(); }

 private:
  Live(const env::Env& env, LiveOptions options);
  void work();
  Status look();
  void follow_logs();

  env::Env env_;
  LiveOptions options_;
  std::atomic<bool> ended_{false};
  Collector collector_;
  Monitor monitor_;
  std::optional<connect::FlinkCollector> flink_;
  std::string flink_problem_;
  Report last_known_;                        ///< of the last look that the cluster answered
  std::vector<std::uint64_t> log_read_;      ///< bytes, by file: broker logs, then client logs
  mutable std::mutex mutex_;
  std::shared_ptr<const Report> report_;
  std::shared_ptr<const View> view_;
  std::atomic<std::uint64_t> looks_{0};
  std::unique_ptr<env::Thread> thread_;
};

}  // namespace supyo::watch
