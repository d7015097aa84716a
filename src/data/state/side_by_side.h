#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/env/env.h"

namespace supyo::state {

/// Parts of one piece of work, in threads of their own where the environment has threads. What a part writes is its own; the caller reads it when run() has returned.
class SideBySide {
 public:
  static constexpr std::size_t kMost = 4;
  static constexpr std::size_t kWorthIt = 16U << 20;   ///< bytes to read; below, starting threads is not

  SideBySide() = default;
  SideBySide(env::Threads* threads, std::size_t bytes) : threads_(bytes < kWorthIt ? nullptr : threads) {}
  std::size_t parts() const { return threads_ == nullptr ? 1 : kMost; }
  /// work(0) .. work(parts() - 1), the first in the caller's thread; all have ended when it returns.
  void run(const std::function<void(std::size_t)>& work) const {
    std::vector<std::unique_ptr<env::Thread>> others;
    for (std::size_t part = 1; part < parts(); ++part) others.push_back(threads_->start("supyo-recover", [&work, part] { work(part); }));
    work(0);
  }

 private:
  env::Threads* threads_ = nullptr;
};

}  // namespace supyo::state
