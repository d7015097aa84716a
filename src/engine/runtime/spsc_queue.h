#pragma once
#include <atomic>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

namespace supyo::runtime {

/// Bounded queue between exactly one pushing and one popping thread, without locks. Each side keeps a copy of the other's index, so that
/// a cache line travels only when the queue looks full or empty (Lamport's ring with cached indexes).
template <class T>
class SpscQueue {
 public:
  explicit SpscQueue(std::size_t capacity) : slots_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity)), mask_(slots_.size() - 1) {}

  /// Pusher only. Leaves `value` alone and returns false when the queue is full.
  bool try_push(T& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == slots_.size()) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == slots_.size()) return false;
    }
    slots_[tail & mask_] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// Popper only. The oldest element, null when there is none; stays until pop().
  T* front() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return nullptr;
    }
    return &slots_[head & mask_];
  }
  /// Popper only, after front() gave an element.
  void pop() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    slots_[head & mask_] = T{};  // lets go of what it holds now and not when the ring comes round
    head_.store(head + 1, std::memory_order_release);
  }

 private:
  std::vector<T> slots_;
  std::size_t mask_;
  alignas(64) std::atomic<std::size_t> head_{0};
  std::size_t tail_seen_ = 0;  // popper's
  alignas(64) std::atomic<std::size_t> tail_{0};
  std::size_t head_seen_ = 0;  // pusher's
};

}  // namespace supyo::runtime
