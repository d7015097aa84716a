#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "data/state/tables.h"

namespace supyo::operators {

/// A few slots in an order that the caller keeps. One of them needs no memory but the list's sixteen bytes: most lists have one. Move only.
class SlotList {
 public:
  using Slot = state::Slot;

  SlotList() = default;
  SlotList(SlotList&& o) noexcept : size_(std::exchange(o.size_, 0)), capacity_(std::exchange(o.capacity_, 1)), at_(std::exchange(o.at_, {})) {}
  SlotList& operator=(SlotList&& o) noexcept {
    std::swap(size_, o.size_);
    std::swap(capacity_, o.capacity_);
    std::swap(at_, o.at_);
    return *this;
  }
  ~SlotList() {
    if (capacity_ > 1) delete[] at_.many;
  }

  bool empty() const { return size_ == 0; }
  std::span<const Slot> slots() const { return {data(), size_}; }
  Slot back() const { return data()[size_ - 1]; }

  void insert(std::size_t place, Slot slot) {
    if (size_ == capacity_) grow();
    Slot* const d = data();
    std::copy_backward(d + place, d + size_, d + size_ + 1);
    d[place] = slot;
    ++size_;
  }
  void erase(std::size_t place) {
    Slot* const d = data();
    std::copy(d + place + 1, d + size_, d + place);
    --size_;
  }

 private:
  union At {
    Slot one = state::kNoSlot;
    Slot* many;
  };
  const Slot* data() const { return capacity_ > 1 ? at_.many : &at_.one; }
  Slot* data() { return capacity_ > 1 ? at_.many : &at_.one; }
  void grow() {
    auto* const more = new Slot[capacity_ * std::size_t{2}];
    std::copy_n(data(), size_, more);
    if (capacity_ > 1) delete[] at_.many;
    at_.many = more;
    capacity_ *= 2;
  }

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 1;
  At at_;
};

}  // namespace supyo::operators
