#include "core/base/fault_point.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>

namespace supyo {
namespace {

std::atomic<bool> counting{false};
std::mutex mutex;
std::map<std::string, std::uint64_t>& counts() {
  static std::map<std::string, std::uint64_t> map;
  return map;
}

}  // namespace

void reached(const char* name) {
  if (!counting.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex);
  ++counts()[name];
}

void start_counting_reached() { counting = true; }

std::string reached_report() {
  const std::lock_guard lock(mutex);
  std::string out;
  for (const auto& [name, count] : counts()) out += fmt::format("{} {}\n", name, count);
  return out;
}

}  // namespace supyo
