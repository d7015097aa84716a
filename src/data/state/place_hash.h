#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/hash.h"

namespace supyo::state {

/// Both halves of the product: every bit of either factor reaches the result.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 p = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(p) ^ static_cast<std::uint64_t>(p >> 64);
}

/// Where a long key lies in a table: 16 bytes a multiplication, several times as fast as hash_bytes. For memory only: it decides no shard and is in no file,
/// so that it may change with any version.
inline std::uint64_t place_hash(std::string_view key) {
  constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15ULL, k1 = 0xbf58476d1ce4e5b9ULL, k2 = 0x94d049bb133111ebULL;
  const auto word = [](const char* p) {
    std::uint64_t w;
    std::memcpy(&w, p, sizeof w);
    return w;
  };
  const char* p = key.data();
  std::size_t n = key.size();
  std::uint64_t a = k0 ^ n, b = k1;
  for (; n > 32; p += 32, n -= 32) {   // two chains that do not wait for one another
    a = fold_multiply(word(p) ^ k1, word(p + 8) ^ a);
    b = fold_multiply(word(p + 16) ^ k2, word(p + 24) ^ b);
  }
  if (n > 16) {
    a = fold_multiply(word(p) ^ k1, word(p + 8) ^ a);
    p += n - 16;   // overlaps what was read
    n = 16;
  }
  std::uint64_t last[2] = {0, 0};
  if (n >= 8) last[0] = word(p), last[1] = word(p + n - 8);
  else if (n > 0) last[0] = read_tail(p, n);
  return fold_multiply(fold_multiply(last[0] ^ k2, last[1] ^ a) ^ k0, b ^ k2);   // not k1, which is b of a short key: all of them would be 0
}

}  // namespace supyo::state
