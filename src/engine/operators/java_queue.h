#pragma once
#include <cstddef>
#include <utility>
#include <vector>

namespace supyo::operators {

/// A binary heap that leaves equal elements in the order in which java.util.PriorityQueue leaves them: where Flink's choice among equals hangs on it. `Less` is strict.
template <class T, class Less>
class JavaQueue {
 public:
  bool empty() const { return heap_.empty(); }
  const T& top() const { return heap_.front(); }
  /// As they lie in the heap: what Java's iterator gives.
  const std::vector<T>& all() const { return heap_; }
  void clear() { heap_.clear(); }

  void push(T v) {
    heap_.push_back(std::move(v));
    up(heap_.size() - 1);
  }
  T pop() {
    T out = std::move(heap_.front());
    T last = std::move(heap_.back());
    heap_.pop_back();
    if (!heap_.empty()) {
      heap_.front() = std::move(last);
      down(0);
    }
    return out;
  }
  template <class Gone>
  void remove_if(const Gone& gone) {
    if (std::erase_if(heap_, gone) == 0) return;
    for (std::size_t i = heap_.size() / 2; i-- > 0;) down(i);
  }

 private:
  void up(std::size_t at) {
    while (at > 0) {
      const std::size_t parent = (at - 1) / 2;
      if (!Less{}(heap_[at], heap_[parent])) return;
      std::swap(heap_[at], heap_[parent]);
      at = parent;
    }
  }
  void down(std::size_t at) {
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) return;
      if (child + 1 < heap_.size() && Less{}(heap_[child + 1], heap_[child])) ++child;
      if (!Less{}(heap_[child], heap_[at])) return;
      std::swap(heap_[at], heap_[child]);
      at = child;
    }
  }

  std::vector<T> heap_;
};

}  // namespace supyo::operators
