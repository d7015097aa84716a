#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "data/state/big_memory.h"

namespace supyo::state {

/// Memory for the records of one state table: sizes are rounded up to classes, a freed record is taken by the next of its class. No header a record, no lock.
/// One thread. Addresses are multiples of 16 and stay until release(). What was released goes back to the system only when all of it was, but for large records:
/// those are the system's one by one, and who allocated them must release them (has_large()); all others end with the arena.
class RecordArena {
 public:
  RecordArena() = default;
  RecordArena(const RecordArena&) = delete;
  RecordArena& operator=(const RecordArena&) = delete;
  ~RecordArena() = default;

  /// What allocate(bytes) really takes: two sizes with one value of it fit the same record.
  static std::size_t rounded(std::size_t bytes) {
    if (bytes <= kSmall) return std::max(kGrain, (bytes + kGrain - 1) & ~(kGrain - 1));
    const std::size_t step = std::bit_floor(bytes - 1) / kSteps;
    return (bytes + step - 1) & ~(step - 1);
  }

  std::byte* allocate(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    used_ += size;
    if (size > kLarge) return allocate_large(size);
    std::byte*& first = free_[class_of(size)];
    if (first != nullptr) {
      std::byte* const out = first;
      std::memcpy(&first, out, sizeof first);
      return out;
    }
    if (left_ < size) grow(size);
    std::byte* const out = next_;
    next_ += size;
    left_ -= size;
    return out;
  }

  /// `bytes` as it was given to allocate(), or any number with the same rounded().
  void release(std::byte* at, std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    used_ -= size;
    if (size > kLarge) return release_large(at, size);
    std::byte*& first = free_[class_of(size)];
    std::memcpy(at, &first, sizeof first);
    first = at;
    if (used_ == 0) clear();
  }

  bool has_large() const { return large_ > 0; }
  std::size_t used() const { return used_; }          ///< bytes in records, rounded
  std::size_t reserved() const { return reserved_; }  ///< bytes taken from the system

 private:
  static constexpr std::size_t kGrain = 16, kSmall = 512, kLarge = 32768, kSteps = 8;
  static constexpr std::size_t kClasses = kSmall / kGrain + kSteps * 6;
  static constexpr std::size_t kFirstChunk = 1024, kLastChunk = 32U << 20;

  /// Small sizes one class each 16 bytes; above, eight a doubling.
  static std::size_t class_of(std::size_t size) {
    if (size <= kSmall) return size / kGrain - 1;
    const std::size_t floor = std::bit_floor(size - 1);
    const auto doubling = static_cast<std::size_t>(std::countr_zero(floor) - std::countr_zero(kSmall));
    return kSmall / kGrain + doubling * kSteps + (size - floor) / (floor / kSteps) - 1;
  }

  void grow(std::size_t size) {
    // What is left of the chunk is a record of some class.
    for (std::size_t rest = std::min(left_, kSmall) & ~(kGrain - 1); rest >= kGrain; rest = std::min(left_, kSmall) & ~(kGrain - 1)) {
      std::byte*& first = free_[class_of(rest)];
      std::memcpy(next_, &first, sizeof first);
      first = next_;
      next_ += rest;
      left_ -= rest;
    }
    // As large as a quarter of what is there, and of whole huge pages when it is large.
    std::size_t bytes = std::max(size, std::clamp(reserved_ < kBigBlock ? reserved_ : reserved_ / 4, kFirstChunk, kLastChunk) & ~(kGrain - 1));
    if (bytes >= kBigBlock) bytes &= ~(kHugePage - 1);
    chunks_.push_back(Chunk(static_cast<std::byte*>(allocate_block(bytes)), Delete{bytes}));
    next_ = chunks_.back().get();
    left_ = bytes;
    reserved_ += bytes;
  }

  /// Nothing is in use: the newest chunk stays.
  void clear() {
    std::ranges::fill(free_, nullptr);
    if (chunks_.size() > 1) chunks_.erase(chunks_.begin(), chunks_.end() - 1);
    left_ = reserved_ = chunks_.empty() ? 0 : chunks_.back().get_deleter().bytes;
    next_ = chunks_.empty() ? nullptr : chunks_.back().get();
  }

  std::byte* allocate_large(std::size_t size) {
    reserved_ += size;
    ++large_;
    return static_cast<std::byte*>(::operator new(size, std::align_val_t{kGrain}));
  }
  void release_large(std::byte* at, std::size_t size) {
    ::operator delete(at, std::align_val_t{kGrain});
    reserved_ -= size;
    --large_;
    if (used_ == 0) clear();
  }

  struct Delete {
    std::size_t bytes = 0;
    void operator()(std::byte* p) const { release_block(p, bytes); }
  };
  using Chunk = std::unique_ptr<std::byte, Delete>;
  std::vector<Chunk> chunks_;
  std::size_t large_ = 0;                                   // records beyond kLarge
  std::byte* free_[kClasses] = {};                          // of each class the last one released; it holds the address of the one before
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t used_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace supyo::state
