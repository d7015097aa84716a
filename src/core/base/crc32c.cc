#include "core/base/crc32c.h"

#include <nmmintrin.h>

#include <cstddef>
#include <cstring>

namespace supyo {
namespace {

// Three independent streams hide the 3-cycle latency of the CRC instruction; they are joined with carry-less shifts that are
// table lookups over the (fixed) stream length. Source of the method: Gopal et al., "Fast CRC Computation for iSCSI Polynomial".
constexpr std::size_t kStream = 1024;  // bytes a stream; a block is three streams

struct ShiftTable {
  std::uint32_t table[4][256];
  explicit ShiftTable(std::size_t zeros) {
    for (std::uint32_t byte = 0; byte < 4; ++byte)
      for (std::uint32_t v = 0; v < 256; ++v) {
        std::uint32_t crc = v << (8 * byte);
        for (std::size_t i = 0; i < zeros; i += 8) crc = static_cast<std::uint32_t>(_mm_crc32_u64(crc, 0));
        table[byte][v] = crc;
      }
  }
  std::uint32_t shift(std::uint32_t crc) const {
    return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^ table[3][crc >> 24];
  }
};

std::uint64_t load(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) {
  static const ShiftTable shift(kStream);
  std::uint64_t c = crc ^ 0xffffffffU;
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  while (n >= 3 * kStream) {
    std::uint64_t c1 = 0;
    std::uint64_t c2 = 0;
    for (std::size_t i = 0; i < kStream; i += 8) {
      c = _mm_crc32_u64(c, load(p + i));
      c1 = _mm_crc32_u64(c1, load(p + kStream + i));
      c2 = _mm_crc32_u64(c2, load(p + 2 * kStream + i));
    }
    c = shift.shift(static_cast<std::uint32_t>(c)) ^ c1;
    c = shift.shift(static_cast<std::uint32_t>(c)) ^ c2;
    p += 3 * kStream;
    n -= 3 * kStream;
  }
  while (n >= 8) {
    c = _mm_crc32_u64(c, load(p));
    p += 8;
    n -= 8;
  }
  while (n-- > 0) c = _mm_crc32_u8(static_cast<std::uint32_t>(c), static_cast<unsigned char>(*p++));
  return static_cast<std::uint32_t>(c) ^ 0xffffffffU;
}

}  // namespace supyo
