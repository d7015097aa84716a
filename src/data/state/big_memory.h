#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace supyo::state {

/// Memory of a state table, which is looked at in places far from one another: large blocks are offered to the system as huge pages, so that a place costs no walk through the page table, and first use
/// one fault instead of five hundred. (Only advice: where the system has none of them it is ordinary memory.)
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;
inline constexpr std::size_t kBigBlock = 2 * kHugePage;

inline void* allocate_block(std::size_t bytes) {
  if (bytes < kBigBlock) return ::operator new(bytes, std::align_val_t{16});
  void* const at = ::operator new(bytes, std::align_val_t{kHugePage});
  ::madvise(at, bytes & ~(kHugePage - 1), MADV_HUGEPAGE);
  return at;
}
inline void release_block(void* at, std::size_t bytes) { ::operator delete(at, std::align_val_t{bytes < kBigBlock ? 16 : kHugePage}); }

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
