#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace supyo::state {

/// Memory of a state table, which is looked at in places far from one another: large blocks are offered to the system as huge pages, so that a place costs no walk through the page table, and first use
/// one fault instead of five hundred. (Only advice: where the system has none of them it is ordinary memory.)
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;
inline constexpr std::size_t kBigBlock = 2 * kHugePage;

/// Large blocks are the system's own, and not the heap's: tables grow by such blocks, and what they leave behind in a heap fits nothing that comes later (a fifth of a table's memory).
inline std::size_t mapped_bytes(std::size_t bytes) { return (bytes + 4095) & ~std::size_t{4095}; }

inline void* allocate_block(std::size_t bytes) {
  if (bytes < kBigBlock) return ::operator new(bytes, std::align_val_t{16});
  // From a whole huge page on: what lies before and behind is given back.
  const std::size_t size = mapped_bytes(bytes);
  void* const got = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) throw std::bad_alloc();
  auto* const from = static_cast<std::byte*>(got);
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(from) % kHugePage) % kHugePage;
  if (before != 0) ::munmap(from, before);
  ::munmap(from + before + size, kHugePage - before);
  ::madvise(from + before, size & ~(kHugePage - 1), MADV_HUGEPAGE);
  return from + before;
}
inline void release_block(void* at, std::size_t bytes) {
  if (bytes < kBigBlock) ::operator delete(at, std::align_val_t{16});
  else ::munmap(at, mapped_bytes(bytes));
}

struct ReleaseBlock {
  std::size_t bytes = 0;
  void operator()(void* at) const { release_block(at, bytes); }
};
/// Of plain values, not set yet.
template <class T>
using BlockArray = std::unique_ptr<T[], ReleaseBlock>;
template <class T>
BlockArray<T> allocate_array(std::size_t n) {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  return {static_cast<T*>(allocate_block(n * sizeof(T))), {.bytes = n * sizeof(T)}};
}

template <class T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <class U>
  BlockAllocator(const BlockAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(allocate_block(n * sizeof(T))); }
  void deallocate(T* at, std::size_t n) { release_block(at, n * sizeof(T)); }
  template <class U>
  bool operator==(const BlockAllocator<U>&) const { return true; }
};
template <class T>
using BlockVector = std::vector<T, BlockAllocator<T>>;

}  // namespace supyo::state
