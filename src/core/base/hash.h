#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace supyo {

/// Full-avalanche 64-bit mix of an integer. The same value on every machine and in every version: it decides which shard
/// owns a key, so that state written by one run is found by the next.
constexpr std::uint64_t hash_u64(std::uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  return x;
}

constexpr std::uint64_t hash_combine(std::uint64_t a, std::uint64_t b) {
  return hash_u64(a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2)));
}

/// The first n bytes (1 to 7) as a little-endian number, without a call for so few of them: overlapping reads give the same bits twice.
inline std::uint64_t read_tail(const char* p, std::size_t n) {
  if (n >= 4) {
    std::uint32_t first, last;
    std::memcpy(&first, p, 4);
    std::memcpy(&last, p + n - 4, 4);
    return first | static_cast<std::uint64_t>(last) << ((n - 4) * 8);
  }
  const auto byte = [p](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])) << (i * 8); };
  return byte(0) | byte(n / 2) | byte(n - 1);
}

/// 64-bit hash of bytes, stable like hash_u64.
inline std::uint64_t hash_bytes(std::string_view s, std::uint64_t seed = 0) {
  std::uint64_t h = hash_u64(seed ^ (s.size() * 0x9e3779b97f4a7c15ULL));
  const char* p = s.data();
  std::size_t n = s.size();
  while (n >= 8) {
    std::uint64_t w;
    std::memcpy(&w, p, 8);
    h = hash_u64(h ^ w);
    p += 8;
    n -= 8;
  }
  if (n > 0) {
    h = hash_u64(h ^ read_tail(p, n) ^ (static_cast<std::uint64_t>(n) << 56));
  }
  return h;
}

/// The shard (0 .. shards-1) that owns a key with this hash.
constexpr std::uint32_t shard_of(std::uint64_t hash, std::uint32_t shards) {
  return static_cast<std::uint32_t>((static_cast<unsigned __int128>(hash) * shards) >> 64);
}

}  // namespace supyo
