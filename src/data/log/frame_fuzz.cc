// Any bytes where a frame should be: parse_frame must neither read outside them nor hand out anything outside them.
// With a correct checksum forged onto the input, so that the layout behind it is reached.
#include <array>
#include <cstring>

#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "data/log/frame.h"
#include "data/log/segment.h"

namespace {

using namespace supyo;
using namespace supyo::log;

void look(std::string_view bytes, const LogIdentity& id, Offset expected) {
  const ParsedFrame p = parse_frame(bytes, id, expected);
  if (p.status != FrameStatus::kFrame) return;
  SUPYO_CHECK(p.length <= bytes.size());
  const auto inside = [&](std::string_view s) { return s.empty() || (s.data() >= bytes.data() && s.data() + s.size() <= bytes.data() + p.length); };
  TimeUs sum = 0;
  if (p.view.columnar()) {
    SUPYO_CHECK(inside(p.view.head()));
    for (const std::string_view part : p.view.parts()) SUPYO_CHECK(inside(part));
    for (const TimeUs t : p.view.timestamps()) sum += t & 1;
    SUPYO_CHECK(sum >= 0);
    return;
  }
  for (std::size_t i = 0; i < p.view.count(); ++i) {
    SUPYO_CHECK(inside(p.view.value(i)));
    SUPYO_CHECK(inside(p.view.key(i).value_or("")));
    SUPYO_CHECK(inside(p.view.headers(i)));
    sum += p.view.timestamps()[i] & 1;
    (void)p.view.value_is_null(i);
  }
  SUPYO_CHECK(sum >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FrameBuffer buffer;
  char* bytes = buffer.reserve(size + 8);
  std::memcpy(bytes, data, size);
  const LogIdentity id{77, PartitionId(3)};
  look({bytes, size}, id, Offset(5));
  if (size < sizeof(FrameHeader)) return 0;
  FrameHeader h;
  std::memcpy(&h, bytes, sizeof h);
  h.magic = kFrameMagic;
  h.length = static_cast<std::uint32_t>(size / 8 * 8);
  h.kind = std::array<std::uint8_t, 3>{1, 4, 5}[h.kind % 3];
  h.log_id = id.log_id;
  h.partition = id.partition.value;
  h.base_offset = 5;
  h.count %= 4096;
  std::memcpy(bytes, &h, sizeof h);
  const std::uint32_t crc = crc32c({bytes + 8, h.length - 8});
  std::memcpy(bytes + offsetof(FrameHeader, crc), &crc, sizeof crc);
  look({bytes, size}, id, Offset(5));
  return 0;
}
