// Any bytes as a Kafka batch: parsing, decompressing and walking its records neither read outside them nor grow without bound; what parses is encoded
// again to the same records.
#include <cstring>

#include "core/base/check.h"
#include "data/log/frame.h"
#include "data/log/kafka_batch.h"

namespace {

using namespace supyo::log;

constexpr std::size_t kMax = 1 << 20;

void look(std::string_view bytes) {
  KafkaBatchHeader h;
  if (parse_kafka_header(bytes, h) != KafkaBatchProblem::kNone) return;
  SUPYO_CHECK(h.bytes() <= bytes.size());
  const std::string_view batch = bytes.substr(0, h.bytes());
  (void)parse_kafka_marker(batch, h);
  std::string scratch;
  auto records = KafkaRecords::open(batch, h, scratch, kMax);
  if (!records) return;
  const std::string_view body = h.codec() == 0 ? batch : std::string_view(scratch);
  const auto inside = [&](std::string_view s) { return s.empty() || (s.data() >= body.data() && s.data() + s.size() <= body.data() + body.size()); };
  KafkaRecord r;
  while (true) {
    const auto more = records->next(r);
    if (!more || !*more) break;
    SUPYO_CHECK(inside(r.key.value_or("")) && inside(r.value.value_or("")) && inside(r.headers));
    if (!r.headers.empty()) SUPYO_CHECK(decode_kafka_headers(r.headers).size() == r.header_count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  look(bytes);
  if (size < KafkaBatchHeader::kBytes) return 0;
  // The same with a head that is believed: magic and length as they should be, and each codec on the rest.
  bytes[16] = 2;
  const auto length = static_cast<std::uint32_t>(size - KafkaBatchHeader::kBeforeLength);
  for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(8 + i)] = static_cast<char>(length >> (24 - 8 * i));
  for (int codec = 0; codec < 5; ++codec) {
    bytes[21] = 0;
    bytes[22] = static_cast<char>((bytes[22] & ~7) | codec);
    look(bytes);
  }
  return 0;
}
