#pragma once
#include <cstdint>
#include <string_view>

namespace supyo {

/// CRC-32C (Castagnoli), as Kafka record batches use it. `crc` continues an earlier call.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace supyo
