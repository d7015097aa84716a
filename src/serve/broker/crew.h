#pragma once
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/env/env.h"

namespace supyo::broker {

/// Threads that wait for the disk together: the syncs of a turn go side by side, so a turn over many partitions takes about as long as one over one partition
/// (the file system commits them together). Without threads (in simulation) one after another. One caller at a time.
class Crew {
 public:
  static constexpr std::size_t kThreads = 4;

  explicit Crew(env::Threads* threads) : threads_(threads) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Calls task(0) to task(count - 1), each once, in any order and on several threads, and returns when all are done.
  void run(std::size_t count, const std::function<void(std::size_t)>& task);

 private:
  void work();
  void take_all(std::unique_lock<std::mutex>& lock);

  env::Threads* threads_;
  std::vector<std::unique_ptr<env::Thread>> hands_;   ///< started when there is first something for them to do
  std::mutex mutex_;
  std::condition_variable begun_, ended_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t count_ = 0, next_ = 0, busy_ = 0;
  bool closing_ = false;
};

}  // namespace supyo::broker
