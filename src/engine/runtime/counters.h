#pragma once
#include <atomic>
#include <cstdint>

#include "core/base/strong.h"

namespace supyo::runtime {

/// A number that one thread writes and any thread may read.
template <class T>
class Gauge {
 public:
  Gauge() = default;
  explicit Gauge(T initial) : value_(initial) {}
  void set(T v) { value_.store(v, std::memory_order_relaxed); }
  void add(T n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }  // one writer: no locked instruction
  T get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_{};
};

/// What one node counts on one shard. Outlives restarts of the job inside the process.
struct NodeCounters {
  Gauge<std::uint64_t> rows_in;
  Gauge<std::uint64_t> rows_out;
  Gauge<std::uint64_t> batches_in;
  Gauge<std::uint64_t> behind;
  Gauge<std::uint64_t> late;
  Gauge<std::uint64_t> dead;
  Gauge<TimeUs> watermark_us{kTimeMin};
  Gauge<std::int64_t> busy_us;
  Gauge<std::int64_t> backpressured_us;
};

struct ShardCounters {
  Gauge<std::int64_t> busy_us;
  Gauge<std::int64_t> idle_us;
  Gauge<std::int64_t> backpressured_us;
  Gauge<std::uint64_t> state_bytes;
  Gauge<std::uint64_t> state_entries;
};

}  // namespace supyo::runtime
