#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/env/env.h"

namespace supyo::broker {

/// Waits until something was done as often as was said. Any thread.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}
  /// Whether this was the last one.
  bool down();
  bool done() const;
  void wait() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable zero_;
  std::size_t left_;
};

/// Threads that wait for the disk, so that syncs go side by side (the file system commits them together) and beside the event loop. Without threads, as in
/// simulation, everything is done at once by the caller. One caller at a time; its destructor waits for what was posted.
class Crew {
 public:
  static constexpr std::size_t kThreads = 4;

  explicit Crew(env::Threads* threads) : threads_(threads) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// `task` is called once, by one of the threads.
  void post(std::function<void()> task);
  /// Calls task(0) to task(count - 1), each once, in any order and on several threads, and returns when all are done.
  void run(std::size_t count, const std::function<void(std::size_t)>& task);

 private:
  void work();

  env::Threads* threads_;
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  std::vector<std::unique_ptr<env::Thread>> hands_;   ///< started when there is first something for them to do
};

}  // namespace supyo::broker
