#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "serve/watch/view.h"

namespace supyo::watch {

/// Looks again and again, in a thread of its own, and keeps the last view. Ends with its destructor, which waits for the look under way.
class Watcher {
 public:
  /// `look` is called by the thread only. An error of it makes a view that is not reachable and says why; the next look comes all the same.
  static std::unique_ptr<Watcher> start(const env::Env& env, std::string source, std::function<Result<View>()> look, DurationUs every_us = kSecond);
  ~Watcher();
  /// As of the last look, with what the tracker knows. Not reachable before the first. Any thread.
  View view() const;
  /// Looks that were finished. Any thread.
  std::uint64_t looks() const { return looks_.load(); }

 private:
  Watcher(const env::Env& env, std::string source, std::function<Result<View>()> look, DurationUs every_us);
  void work();

  env::Env env_;
  std::string source_;
  std::function<Result<View>()> look_;
  DurationUs every_us_;
  mutable std::mutex mutex_;
  View view_;
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> looks_{0};
  std::unique_ptr<env::Thread> thread_;
};

}  // namespace supyo::watch
